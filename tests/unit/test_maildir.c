/* SPDX-License-Identifier: ISC */
/*
 * Publishing without an engine: a file is in new/ whole or nowhere, and
 * only ever in the topic that has the name now.
 */
#include "maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fs.h"
#include "record.h"
#include "test.h"

/* A spool with a topic `orders`, as the engine makes it. */
struct spool {
	char path[64];
	int dir;
};

static const char identity[] =
    "messtopic1\nowner 1 eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n";

/* The topic's file, with settings. */
static void
set(const struct spool *s, const char *topic, const char *settings)
{
	char path[128], text[512];
	int fd, n = snprintf(text, sizeof text, "%s%s", identity, settings);

	(void)snprintf(path, sizeof path, "%s/topic", topic);
	CHECK((fd = openat(s->dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) != -1);
	CHECK(write(fd, text, (size_t)n) == n);
	CHECK(close(fd) == 0);
}

static void
make(const struct spool *s, const char *topic)
{
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		static const char *const parts[] = { "", "/tmp", "/new", "/cur" };

		(void)snprintf(path, sizeof path, "%s%s", topic, parts[i]);
		CHECK(mkdirat(s->dir, path, 0700) == 0);
	}
	set(s, topic, "");
}

static struct spool
begin(void)
{
	struct spool s = { .dir = -1 };
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(s.path, sizeof s.path, "%s/test_maildir.XXXXXX", tmp != NULL ? tmp : "/tmp");
	CHECK(mkdtemp(s.path) != NULL);
	CHECK((s.dir = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1);
	make(&s, "orders");
	return s;
}

static void
end(struct spool *s)
{
	static const char *const made[] = { "orders", "trash", "trash2", "link" };

	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		CHECK(fs_remove_tree(s->dir, made[i]) == MESS_OK);
	fd_close(&s->dir);
	CHECK(rmdir(s->path) == 0);
}

static size_t
entries(const struct spool *s, const char *path, char *name, size_t size)
{
	AUTO_FD int dir = openat(s->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names;
	size_t count;

	if (!CHECK(dir != -1) || !CHECK(fs_list(dir, &names, &count) == MESS_OK))
		return SIZE_MAX;
	if (count > 0 && name != NULL)
		(void)snprintf(name, size, "%s/%s", path, names[count - 1]);
	fs_free_names(names, count);
	return count;
}

static size_t
in_new(const struct spool *s)
{
	return entries(s, "orders/new", NULL, 0);
}

static size_t
in_tmp(const struct spool *s)
{
	return entries(s, "orders/tmp", NULL, 0);
}

TEST("maildir: what is put is in new/, 0600, byte for byte, and tmp/ is empty")
{
	struct spool s = begin();
	char name[300], data[8] = "";
	struct stat st;
	int fd;

	CHECK(maildir_put(s.dir, "orders", MAILDIR_BODY, "h\0llo", 5) == MESS_OK);

	CHECK(in_tmp(&s) == 0);
	CHECK(entries(&s, "orders/new", name, sizeof name) == 1);
	fd = openat(s.dir, name, O_RDONLY | O_CLOEXEC);
	CHECK(fd != -1 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(read(fd, data, sizeof data) == 5 && memcmp(data, "h\0llo", 5) == 0);
	fd_close(&fd);
	end(&s);
}

TEST("maildir: an empty body is a file; records are named .rec")
{
	struct spool s = begin();
	char name[300] = "";

	CHECK(maildir_put(s.dir, "orders", MAILDIR_BODY, "", 0) == MESS_OK);
	CHECK(maildir_put(s.dir, "orders", MAILDIR_RECORDS, "x", 1) == MESS_OK);

	CHECK(entries(&s, "orders/new", name, sizeof name) == 2);
	CHECK(strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".rec") == 0);
	end(&s);
}

TEST("maildir: names sort in the order of the puts")
{
	struct spool s = begin();
	char before[300] = "", name[300] = "";

	for (size_t i = 1; i <= 50; i++) {
		CHECK(maildir_put(s.dir, "orders", MAILDIR_BODY, "x", 1) == MESS_OK);
		CHECK(entries(&s, "orders/new", name, sizeof name) == i);
		CHECK(strcmp(before, name) < 0);
		(void)snprintf(before, sizeof before, "%s", name);
	}
	end(&s);
}

TEST("maildir: an abort leaves nothing, nor does what is too large")
{
	struct spool s = begin();
	static char block[1 << 20];
	struct maildir *d = NULL;

	CHECK(maildir_begin(s.dir, "orders", MAILDIR_BODY, &d) == MESS_OK);
	CHECK(maildir_write(d, "half", 4) == MESS_OK);
	CHECK(in_tmp(&s) == 1);
	maildir_abort(d);
	CHECK(in_tmp(&s) == 0 && in_new(&s) == 0);

	CHECK(maildir_begin(s.dir, "orders", MAILDIR_RECORDS, &d) == MESS_OK);
	for (size_t i = 0; i < RECORD_FILE_MAX / sizeof block; i++)
		CHECK(maildir_write(d, block, sizeof block) == MESS_OK);
	CHECK(maildir_write(d, block, 1) == MESS_TOOBIG);
	maildir_abort(d);
	CHECK(in_tmp(&s) == 0 && in_new(&s) == 0);
	end(&s);
}

TEST("maildir: no topic, half a topic, a bad name are refused")
{
	struct spool s = begin();

	CHECK(maildir_put(s.dir, "nope", MAILDIR_BODY, "x", 1) == MESS_NOTOPIC);
	CHECK(maildir_put(s.dir, "../orders", MAILDIR_BODY, "x", 1) == MESS_BADNAME);
	CHECK(maildir_check(s.dir, "orders") == MESS_OK);
	CHECK(unlinkat(s.dir, "orders/topic", 0) == 0);
	CHECK(maildir_check(s.dir, "orders") == MESS_NOTOPIC);
	CHECK(maildir_put(s.dir, "orders", MAILDIR_BODY, "x", 1) == MESS_NOTOPIC);
	CHECK(in_tmp(&s) == 0 && in_new(&s) == 0);
	end(&s);
}

TEST("maildir: settings that could refuse a message are for the engine to judge")
{
	static const char *const asks[] = { "max-bytes 65536\n", "max-messages 1\n", "max-size 1\n",
		"paused in\n", "paused both\n" };
	static const char *const fine[] = { "", "max-age 1\n", "keep 1\nmax-attempts 2\n", "paused out\n" };
	struct spool s = begin();

	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
		set(&s, "orders", asks[i]);
		CHECK(maildir_check(s.dir, "orders") == MESS_LIMIT);
	}
	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
		set(&s, "orders", fine[i]);
		CHECK(maildir_check(s.dir, "orders") == MESS_OK);
	}
	set(&s, "orders", "what is this\n");
	CHECK(maildir_check(s.dir, "orders") == MESS_CORRUPT);
	end(&s);
}

TEST("maildir: links and directories open to others are refused")
{
	struct spool s = begin();

	CHECK(symlinkat("orders", s.dir, "link") == 0);
	CHECK(maildir_put(s.dir, "link", MAILDIR_BODY, "x", 1) != MESS_OK);
	CHECK(fchmodat(s.dir, "orders/new", 0777, 0) == 0);
	CHECK(maildir_put(s.dir, "orders", MAILDIR_BODY, "x", 1) == MESS_DENIED);
	CHECK(fchmodat(s.dir, "orders/new", 0700, 0) == 0);
	CHECK(fchmod(s.dir, 0755) == 0);
	CHECK(maildir_put(s.dir, "orders", MAILDIR_BODY, "x", 1) == MESS_DENIED);
	CHECK(in_tmp(&s) == 0 && in_new(&s) == 0);
	end(&s);
}

TEST("maildir: a topic deleted, or made again, before the end is no such topic")
{
	struct spool s = begin();
	struct maildir *d = NULL;

	CHECK(maildir_begin(s.dir, "orders", MAILDIR_BODY, &d) == MESS_OK);
	CHECK(renameat(s.dir, "orders", s.dir, "trash") == 0);
	CHECK(maildir_end(d) == MESS_NOTOPIC);

	make(&s, "orders");
	CHECK(maildir_begin(s.dir, "orders", MAILDIR_BODY, &d) == MESS_OK);
	CHECK(renameat(s.dir, "orders", s.dir, "trash2") == 0);
	make(&s, "orders");
	CHECK(maildir_end(d) == MESS_NOTOPIC);
	CHECK(in_new(&s) == 0);
	end(&s);
}
