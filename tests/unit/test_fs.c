/* SPDX-License-Identifier: ISC */
/*
 * Files below a held directory: nothing outside it is opened, nothing is
 * replaced by accident, nothing is half there.
 */
#include "base/fs.h"

#include "spool.h"

static bool
file_opens(const struct spool *s, const char *path, enum mess_err want)
{
	enum mess_err err;
	int fd = -1;

	err = fs_open_file(s->dir, path, O_RDONLY, &fd);
	CHECK((fd != -1) == (err == MESS_OK)); /* nothing is left open on an error */
	fd_close(&fd);
	return err == want;
}

static bool
dir_opens(const struct spool *s, const char *path, enum mess_err want)
{
	enum mess_err err;
	int fd = -1;

	err = fs_open_dir(s->dir, path, &fd);
	CHECK((fd != -1) == (err == MESS_OK));
	fd_close(&fd);
	return err == want;
}

TEST("fs: no symbolic link is followed, at the end or on the way")
{
	struct spool s;

	spool_begin(&s);
	CHECK(mkdirat(s.dir, "dir", 0700) == 0);
	file_text(s.dir, "dir/file", "x");
	CHECK(symlinkat("dir/file", s.dir, "file") == 0 && symlinkat("dir", s.dir, "link") == 0);

	CHECK(file_opens(&s, "dir/file", MESS_OK) && dir_opens(&s, "dir", MESS_OK));
	CHECK(file_opens(&s, "file", MESS_SYSTEM) && errno == ELOOP);
	CHECK(file_opens(&s, "link/file", MESS_SYSTEM) && errno == ELOOP);
	CHECK(dir_opens(&s, "link", MESS_SYSTEM));
	CHECK(fs_open(s.dir, "file", O_WRONLY | O_CREAT, 0600) == -1 && errno == ELOOP);
	spool_end(&s);
}

TEST("fs: nothing above the directory is reached")
{
	struct spool s;
	char path[128];

	spool_begin(&s);
	CHECK(mkdirat(s.dir, "dir", 0700) == 0);
	(void)snprintf(path, sizeof path, "%s/dir", s.path);

	CHECK(fs_open(s.dir, "..", O_RDONLY | O_DIRECTORY, 0) == -1 && errno == EXDEV);
	CHECK(fs_open(s.dir, "dir/../..", O_RDONLY | O_DIRECTORY, 0) == -1 && errno == EXDEV);
	CHECK(fs_open(s.dir, "/etc/passwd", O_RDONLY, 0) == -1 && errno == EXDEV);
	CHECK(fs_open(s.dir, path, O_RDONLY, 0) == -1);
	spool_end(&s);
}

TEST("fs: what is opened closes on exec")
{
	struct spool s;
	int fd = -1;

	spool_begin(&s);
	file_text(s.dir, "file", "x");

	CHECK(fs_open_file(s.dir, "file", O_RDONLY, &fd) == MESS_OK);

	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	fd_close(&fd);
	spool_end(&s);
}

TEST("fs: a file with a second link is refused")
{
	struct spool s;

	spool_begin(&s);
	file_text(s.dir, "file", "x");
	CHECK(linkat(s.dir, "file", s.dir, "second", 0) == 0);

	CHECK(file_opens(&s, "file", MESS_CORRUPT) && file_opens(&s, "second", MESS_CORRUPT));
	CHECK(unlinkat(s.dir, "second", 0) == 0);
	CHECK(file_opens(&s, "file", MESS_OK));
	spool_end(&s);
}

TEST("fs: only a regular file is one, and nothing else is waited for")
{
	struct spool s;

	spool_begin(&s);
	CHECK(mkdirat(s.dir, "dir", 0700) == 0 && mkfifoat(s.dir, "fifo", 0600) == 0);
	file_text(s.dir, "file", "x");

	CHECK(file_opens(&s, "dir", MESS_CORRUPT) && file_opens(&s, "fifo", MESS_CORRUPT));
	CHECK(file_opens(&s, "none", MESS_SYSTEM) && errno == ENOENT);
	CHECK(dir_opens(&s, "file", MESS_SYSTEM) && errno == ENOTDIR);
	spool_end(&s);
}

TEST("fs: a directory is its owner's alone, whatever it lets others do")
{
	static const mode_t open_modes[] = { 0701, 0702, 0704, 0710, 0720, 0740, 0755, 0777, 01777 };
	struct spool s;

	spool_begin(&s);
	CHECK(fs_make_dir(s.dir, "dir") == MESS_OK && fs_make_dir(s.dir, "dir") == MESS_OK);
	CHECK(fs_check_private(s.dir) == MESS_OK);

	for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
		CHECK(fchmodat(s.dir, "dir", open_modes[i], 0) == 0);
		CHECK(dir_opens(&s, "dir", MESS_DENIED) && fs_make_dir(s.dir, "dir") == MESS_DENIED);
	}
	spool_end(&s);
}

TEST("fs: another user's files and directories are refused")
{
	struct spool s;

	if (geteuid() != 0) {
		printf("# only root can give a file away\n");
		return;
	}
	spool_begin(&s);
	file_text(s.dir, "file", "x");
	CHECK(mkdirat(s.dir, "dir", 0700) == 0);
	CHECK(fchownat(s.dir, "file", 12345, 0, 0) == 0 && fchownat(s.dir, "dir", 12345, 0, 0) == 0);

	CHECK(file_opens(&s, "file", MESS_DENIED) && dir_opens(&s, "dir", MESS_DENIED));
	CHECK(fs_make_dir(s.dir, "dir") == MESS_DENIED);
	spool_end(&s);
}

TEST("fs: a directory is made for its owner alone, whatever the umask")
{
	mode_t old = umask(0);
	struct spool s;
	struct stat st;
	char path[128];

	spool_begin(&s);
	(void)snprintf(path, sizeof path, "%s/a/b/c", s.path);

	CHECK(fs_make_dir(s.dir, "dir") == MESS_OK);
	CHECK(fs_make_private_path(path) == MESS_OK && fs_make_private_path(path) == MESS_OK);

	CHECK(fstatat(s.dir, "dir", &st, 0) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(fstatat(s.dir, "a", &st, 0) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(fstatat(s.dir, "a/b/c", &st, 0) == 0 && (st.st_mode & 07777) == 0700);
	(void)umask(old);
	spool_end(&s);
}

TEST("fs: a path through a file cannot be made")
{
	struct spool s;
	char path[128];

	spool_begin(&s);
	file_text(s.dir, "file", "x");
	(void)snprintf(path, sizeof path, "%s/file/dir", s.path);

	CHECK(fs_make_private_path(path) != MESS_OK);
	CHECK(fs_make_dir(s.dir, "file") != MESS_OK && fs_make_dir(s.dir, "no/dir") != MESS_OK);
	spool_end(&s);
}

TEST("fs: a move never replaces what has the name")
{
	struct spool s;

	spool_begin(&s);
	file_text(s.dir, "one", "1");
	file_text(s.dir, "two", "2");
	CHECK(symlinkat("nowhere", s.dir, "link") == 0 && mkdirat(s.dir, "dir", 0700) == 0);

	CHECK(fs_move(s.dir, "one", s.dir, "two") == MESS_EXISTS);
	CHECK(fs_move(s.dir, "one", s.dir, "link") == MESS_EXISTS);
	CHECK(fs_move(s.dir, "one", s.dir, "dir") == MESS_EXISTS);
	CHECK(file_is(s.dir, "one", "1") && file_is(s.dir, "two", "2"));
	CHECK(fs_move(s.dir, "none", s.dir, "three") == MESS_SYSTEM && errno == ENOENT);
	CHECK(fs_move(s.dir, "one", s.dir, "three") == MESS_OK);
	CHECK(file_is(s.dir, "three", "1") && !file_exists(s.dir, "one"));
	spool_end(&s);
}

TEST("fs: a replaced file is the new text, 0600, and nothing is left beside it")
{
	mode_t old = umask(0);
	struct spool s;
	struct stat st;

	spool_begin(&s);
	file_text(s.dir, ".file.new", "what a crash left, longer than what comes");

	CHECK(fs_replace(s.dir, "file", "one", 3) == MESS_OK && file_is(s.dir, "file", "one"));
	CHECK(fs_replace(s.dir, "file", "", 0) == MESS_OK && file_is(s.dir, "file", ""));
	CHECK(fs_replace(s.dir, "file", "three", 5) == MESS_OK && file_is(s.dir, "file", "three"));

	CHECK(!file_exists(s.dir, ".file.new") && dir_count(s.dir, ".") == 1);
	CHECK(fstatat(s.dir, "file", &st, 0) == 0 && (st.st_mode & 07777) == 0600);
	(void)umask(old);
	spool_end(&s);
}

TEST("fs: a link in a replaced file's way is not written through")
{
	struct spool s;

	spool_begin(&s);
	file_text(s.dir, "precious", "precious");
	CHECK(symlinkat("precious", s.dir, ".file.new") == 0 && symlinkat("precious", s.dir, "other") == 0);

	CHECK(fs_replace(s.dir, "file", "x", 1) != MESS_OK);
	CHECK(fs_replace(s.dir, "other", "x", 1) == MESS_OK);

	CHECK(file_is(s.dir, "precious", "precious") && file_is(s.dir, "other", "x"));
	spool_end(&s);
}

TEST("fs: a filled file has every byte and its size from the start, and is made once")
{
	static const uint64_t sizes[] = { 0, 1, 4095, 65535, 65536, 65537, 200000 };
	static char have[200001];
	struct spool s;
	struct stat st;
	int fd = -1;

	spool_begin(&s);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		CHECK(fs_make_filled(s.dir, "file", sizes[i], 'f', &fd) == MESS_OK);
		fd_close(&fd);
		CHECK(file_read_at(s.dir, "file", have, sizeof have, 0) == (ssize_t)sizes[i]);
		for (uint64_t n = 0; n < sizes[i]; n++)
			CHECK(have[n] == 'f');
		CHECK(fs_make_filled(s.dir, "file", 7, 'g', &fd) == MESS_EXISTS && fd == -1);
		CHECK(fstatat(s.dir, "file", &st, 0) == 0 && (uint64_t)st.st_size == sizes[i]);
		CHECK((st.st_mode & 07777) == 0600);
		CHECK(unlinkat(s.dir, "file", 0) == 0);
	}
	spool_end(&s);
}

TEST("fs: a tree is removed, what its links point to is not, and nothing is nothing to do")
{
	struct spool s;

	spool_begin(&s);
	file_text(s.dir, "precious", "x");
	CHECK(mkdirat(s.dir, "t", 0700) == 0 && mkdirat(s.dir, "t/a", 0700) == 0);
	CHECK(mkdirat(s.dir, "t/.b", 0700) == 0 && mkdirat(s.dir, "keep", 0700) == 0);
	file_text(s.dir, "t/a/.hidden", "x");
	file_text(s.dir, "t/file", "x");
	file_text(s.dir, "keep/file", "x");
	CHECK(symlinkat("../precious", s.dir, "t/link") == 0 && symlinkat("../keep", s.dir, "t/dirlink") == 0);

	CHECK(fs_remove_tree(s.dir, "t") == MESS_OK && !file_exists(s.dir, "t"));
	CHECK(fs_remove_tree(s.dir, "t") == MESS_OK);

	CHECK(file_exists(s.dir, "precious") && file_exists(s.dir, "keep/file"));
	spool_end(&s);
}

TEST("fs: a list is sorted, without what begins with a dot, and can be asked for again")
{
	struct spool s;
	char **names;
	size_t count;

	spool_begin(&s);
	CHECK(fs_list(s.dir, &names, &count) == MESS_OK && count == 0);
	fs_free_names(names, count);
	for (int i = 0; i < 100; i++) {
		char name[8];

		(void)snprintf(name, sizeof name, "%02d", (i * 37) % 100);
		file_text(s.dir, name, "");
	}
	file_text(s.dir, ".hidden", "");

	for (int round = 0; round < 2; round++) {
		CHECK(fs_list(s.dir, &names, &count) == MESS_OK && count == 100);
		for (size_t i = 1; i < count; i++)
			CHECK(strcmp(names[i - 1], names[i]) < 0);
		fs_free_names(names, count);
	}
	spool_end(&s);
}
