/* SPDX-License-Identifier: ISC */
/*
 * What tests of the storage share: a directory of their own, small files in
 * it, and a crash.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fs.h"
#include "test.h"

/* A directory of one test. */
struct spool {
	char path[96];
	int dir;
};

static inline void
spool_begin(struct spool *s)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(s->path, sizeof s->path, "%s/mess-unit.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(s->path) == NULL || (s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		abort();
}

static inline void
spool_end(struct spool *s)
{
	const char *name = strrchr(s->path, '/') + 1;
	int parent = openat(s->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK(fs_remove_tree(parent, name) == MESS_OK);
	fd_close(&parent);
	fd_close(&s->dir);
}

/* A file of these bytes, in place of whatever has the name. */
static inline void
file_write(int dir, const char *path, const void *data, size_t len)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd != -1 && fd_write_all(fd, data, len) == 0);
	fd_close(&fd);
}

static inline void
file_text(int dir, const char *path, const char *text)
{
	file_write(dir, path, text, strlen(text));
}

/* At most size bytes of it at off; -1 when there is no such file. */
static inline ssize_t
file_read_at(int dir, const char *path, void *out, size_t size, off_t off)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : fd_pread_full(fd, out, size, off);

	fd_close(&fd);
	return n;
}

static inline void
file_write_at(int dir, const char *path, const void *data, size_t len, off_t off)
{
	int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

	CHECK(fd != -1 && fd_pwrite_all(fd, data, len, off) == 0);
	fd_close(&fd);
}

static inline bool
file_exists(int dir, const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline bool
file_is(int dir, const char *path, const char *text)
{
	char have[4096];
	ssize_t n = file_read_at(dir, path, have, sizeof have, 0);

	return n == (ssize_t)strlen(text) && memcmp(have, text, (size_t)n) == 0;
}

/* The byte at off with the bits of mask turned over; once more puts it back. */
static inline void
file_flip(int dir, const char *path, off_t off, unsigned char mask)
{
	unsigned char c = 0;

	CHECK(file_read_at(dir, path, &c, 1, off) == 1);
	c ^= mask;
	file_write_at(dir, path, &c, 1, off);
}

static inline size_t
dir_count(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names;
	size_t count;

	if (!CHECK(fd != -1) || !CHECK(fs_list(fd, &names, &count) == MESS_OK))
		return SIZE_MAX;
	fs_free_names(names, count);
	fd_close(&fd);
	return count;
}

/*
 * Run fn in a process that ends without closing anything, as a crash does;
 * a CHECK that fails in there fails here.
 */
static inline void
crash(void (*fn)(void *arg), void *arg)
{
	int status = -1;
	pid_t pid;

	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		fn(arg);
		if (test_failed_expr != NULL)
			printf("# in the crashed process: %s:%d %s\n", test_failed_file,
			    test_failed_line, test_failed_expr);
		(void)fflush(stdout);
		_exit(test_failed_expr == NULL ? 0 : 1);
	}
	CHECK(pid != -1 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* Memory that a crashed process leaves behind, zero at first. */
static inline void *
shared_new(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static inline void
shared_free(void *p, size_t len)
{
	(void)munmap(p, len); /* mapped by us */
}

#endif
