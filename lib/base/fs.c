/* SPDX-License-Identifier: ISC */
/*
 * Files below a held directory: opened beneath it, judged by descriptor,
 * made and replaced whole.
 */
#include "fs.h"

#include <bsd/stdlib.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "fd.h"

static atomic_bool sync_failed;	/* for good: only a restart recovers what is on the disk */

int
fs_open(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
		    RESOLVE_NO_XDEV,
	};
	long fd;

	/* EAGAIN: the kernel could not rule out a race with a rename above; it says try again. */
	do
		fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
	while (fd == -1 && (errno == EAGAIN || errno == EINTR));
	return (int)fd;
}

enum mess_err
fs_check_private(int dir)
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return err_from_errno();
	if (!S_ISDIR(st.st_mode))
		return MESS_SYSTEM;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return MESS_DENIED;
	return (st.st_mode & 077) == 0 ? MESS_OK : MESS_DENIED;
}

enum mess_err
fs_open_dir(int dir, const char *path, int *out)
{
	AUTO_FD int fd = fs_open(dir, path, O_RDONLY | O_DIRECTORY, 0);
	enum mess_err err;

	if (fd == -1)
		return err_from_errno();
	if ((err = fs_check_private(fd)) != MESS_OK)
		return err;
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/*
 * A second link would let whoever holds it change the file behind our back;
 * another owner could have planted it.
 */
enum mess_err
fs_open_file(int dir, const char *path, int flags, int *out)
{
	AUTO_FD int fd = fs_open(dir, path, flags | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return err_from_errno();
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return MESS_CORRUPT;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return MESS_DENIED;
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/*
 * A new directory is synced itself: its parent's sync writes its name, and
 * without its own inode a file system without a journal drops it.
 */
enum mess_err
fs_make_dir(int dir, const char *path)
{
	bool is_new = mkdirat(dir, path, 0700) == 0;
	AUTO_FD int fd = -1;
	enum mess_err err;

	if (!is_new && errno != EEXIST)
		return err_from_errno();
	if ((err = fs_open_dir(dir, path, &fd)) != MESS_OK)
		return err;
	return is_new ? fs_sync(fd) : MESS_OK;
}

static enum mess_err
sync_path(const char *path)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd == -1 ? err_from_errno() : fs_sync(fd);
}

/* One directory of a path, and its name in the one above. */
static enum mess_err
make_synced(const char *path)
{
	AUTO_FREE char *parent = NULL;
	enum mess_err err;

	if (mkdir(path, 0700) == -1)
		return errno == EEXIST ? MESS_OK : err_from_errno();
	/* Whatever the umask took away: it is for us to use. */
	if (chmod(path, 0700) == -1)
		return err_from_errno();
	if (asprintf(&parent, "%s/..", path) == -1) {
		parent = NULL;
		return MESS_LIMIT;
	}
	if ((err = sync_path(path)) != MESS_OK)
		return err;
	return sync_path(parent);
}

enum mess_err
fs_make_private_path(const char *path)
{
	AUTO_FREE char *copy = strdup(path);

	if (copy == NULL)
		return MESS_LIMIT;
	for (char *p = copy + 1; *copy != '\0' && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		ERR_IGNORE(make_synced(copy)); /* the last one tells whether it worked */
		*p = '/';
	}
	return make_synced(copy);
}

enum mess_err
fs_move(int from, const char *name, int to, const char *newname)
{
	if (renameat2(from, name, to, newname, RENAME_NOREPLACE) == 0)
		return MESS_OK;
	return errno == EEXIST ? MESS_EXISTS : err_from_errno();
}

enum mess_err
fs_sync(int fd)
{
	if (fsync(fd) == 0)
		return MESS_OK;
	/* Without room the file that was made goes again, and nothing was lost. */
	if (errno != ENOSPC && errno != EDQUOT)
		atomic_store(&sync_failed, true);
	return MESS_IO;
}

bool
fs_sync_has_failed(void)
{
	return atomic_load(&sync_failed);
}

enum mess_err
fs_replace(int dir, const char *name, const void *data, size_t len)
{
	AUTO_FREE char *tmp = NULL;
	AUTO_FD int fd = -1;
	enum mess_err err;

	if (asprintf(&tmp, ".%s.new", name) == -1) {
		tmp = NULL;
		return MESS_LIMIT;
	}
	if ((fd = fs_open(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC, 0600)) == -1 ||
	    fd_write_all(fd, data, len) == -1)
		return err_from_errno();
	/* Contents before the name: else a crash could leave the name on an empty file. */
	if ((err = fs_sync(fd)) != MESS_OK)
		return err;
	if (renameat(dir, tmp, dir, name) == -1)
		return err_from_errno();
	return fs_sync(dir);
}

enum mess_err
fs_make_filled(int dir, const char *name, uint64_t size, char fill, int *out)
{
	AUTO_FD int fd = fs_open(dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	static _Thread_local char block[64 * 1024];
	enum mess_err err;

	if (fd == -1)
		return errno == EEXIST ? MESS_EXISTS : err_from_errno();
	/* In one piece where the file system can; the writes below decide. */
	(void)fallocate(fd, 0, 0, (off_t)size);
	memset(block, fill, sizeof block);
	for (uint64_t at = 0; at < size; at += sizeof block) {
		size_t n = size - at < sizeof block ? (size_t)(size - at) : sizeof block;

		if (fd_pwrite_all(fd, block, n, (off_t)at) == -1) {
			err = err_from_errno();
			(void)unlinkat(dir, name, 0); /* a half-made file helps nobody */
			return err;
		}
	}
	if ((err = fs_sync(fd)) != MESS_OK)
		return err;
	*out = TAKE(fd, -1);
	return MESS_OK;
}

static enum mess_err
remove_entries(int fd)
{
	DIR *d = fdopendir(fd);
	enum mess_err err = MESS_OK;
	struct dirent *e;

	if (d == NULL) {
		(void)close(fd); /* opened for reading only */
		return err_from_errno();
	}
	while (err == MESS_OK && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			err = fs_remove_tree(dirfd(d), e->d_name);
	(void)closedir(d);
	return err;
}

/* Recursion is as deep as a spool: topic, cur, file. */
enum mess_err
fs_remove_tree(int dir, const char *name)
{
	enum mess_err err;
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return MESS_OK;
	if (errno != EISDIR && errno != EPERM)
		return err_from_errno();
	if ((fd = fs_open(dir, name, O_RDONLY | O_DIRECTORY, 0)) == -1)
		return err_from_errno();
	if ((err = remove_entries(fd)) != MESS_OK)
		return err;
	return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? MESS_OK : err_from_errno();
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
fs_free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static enum mess_err
list_add(char ***names, size_t *count, size_t *cap, const char *name)
{
	if (*count == *cap) {
		size_t more = *cap == 0 ? 16 : *cap * 2;
		char **grown = reallocarray(*names, more, sizeof *grown);

		if (grown == NULL)
			return MESS_LIMIT;
		*names = grown;
		*cap = more;
	}
	if (((*names)[*count] = strdup(name)) == NULL)
		return MESS_LIMIT;
	(*count)++;
	return MESS_OK;
}

enum mess_err
fs_list(int dir, char ***names, size_t *count)
{
	enum mess_err err = MESS_OK;
	char **list = NULL;
	size_t n = 0, cap = 0;
	struct dirent *e;
	DIR *d;
	int fd;

	/* A descriptor of its own: readdir moves the place in the one it has. */
	if ((fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return err_from_errno();
	if ((d = fdopendir(fd)) == NULL) {
		(void)close(fd); /* opened for reading only */
		return err_from_errno();
	}
	errno = 0;
	while (err == MESS_OK && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			err = list_add(&list, &n, &cap, e->d_name);
	if (err == MESS_OK && errno != 0)
		err = err_from_errno();
	(void)closedir(d);
	if (err != MESS_OK) {
		fs_free_names(list, n);
		return err;
	}
	if (n > 0)
		qsort(list, n, sizeof *list, by_name);
	*names = list;
	*count = n;
	return MESS_OK;
}
