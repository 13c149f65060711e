/* SPDX-License-Identifier: ISC */
/*
 * Intake: what is in new/ becomes messages, each exactly once, in the order
 * it came.
 */
#include "intake.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "storage.h"

#define BODY_MAX ((uint64_t)1024 * 1024)

struct bench {
	struct storage g;
	struct loop *loop;
	struct intake *intake;
};

static void
start(struct bench *b)
{
	CHECK(loop_new(&b->loop) == MESS_OK);
	CHECK(intake_new(b->g.topics, b->loop, geteuid(), BODY_MAX, &b->intake) == MESS_OK);
}

static void
stop(struct bench *b)
{
	struct topic *t;

	for (t = topics_after(b->g.topics, ""); t != NULL; t = topics_after(b->g.topics, t->name))
		intake_remove(b->intake, t);
	intake_free(b->intake);
	loop_free(b->loop);
}

static void
begin(struct bench *b)
{
	storage_begin(&b->g);
	start(b);
}

static void
end(struct bench *b)
{
	stop(b);
	storage_end(&b->g);
}

static void
reopen(struct bench *b)
{
	stop(b);
	storage_reopen(&b->g);
	start(b);
}

/* As `printf .. > tmp/x && mv tmp/x new/' by the owner; the older, the smaller age. */
static void
drop(struct bench *b, const char *name, const void *data, size_t len, time_t age)
{
	struct timespec times[2] = { { .tv_sec = 1700000000 + age }, { .tv_sec = 1700000000 + age } };
	char tmp[300], new[300];

	(void)snprintf(tmp, sizeof tmp, "orders/tmp/%s", name);
	(void)snprintf(new, sizeof new, "orders/new/%s", name);
	file_write(b->g.spool.dir, tmp, data, len);
	CHECK(utimensat(b->g.spool.dir, tmp, times, 0) == 0);
	CHECK(renameat(b->g.spool.dir, tmp, b->g.spool.dir, new) == 0);
}

static void
drop_text(struct bench *b, const char *name, const char *text, time_t age)
{
	drop(b, name, text, strlen(text), age);
}

static void
run(struct bench *b)
{
	intake_rescan(b->intake);
	CHECK(intake_run(b->intake) == MESS_OK);
}

/* Message seq as text, "headers|body"; a static string. */
static const char *
message(struct bench *b, uint64_t seq, struct record *rec)
{
	static char text[4096];
	struct log *l = storage_log(&b->g);
	struct log_cursor c = { 0 };
	struct log_run r;
	struct record mine;
	const char *p;
	size_t n;

	if (rec == NULL)
		rec = &mine;
	if (seq >= log_durable(l) ||
	    log_read(b->g.reader, l, &c, seq, seq, 1, &r) != MESS_OK || r.damaged ||
	    record_read(r.data, r.len, rec, &n) != MESS_OK)
		return "(none)";
	p = (const char *)memchr(r.data, '\n', r.len) + 1;
	(void)snprintf(text, sizeof text, "%.*s|%.*s", (int)rec->headers_len, p,
	    rec->apart ? 0 : (int)rec->body_len, p + rec->headers_len + 1);
	log_cursor_drop(&c);
	return text;
}

static bool
is(struct bench *b, uint64_t seq, const char *want)
{
	const char *have = message(b, seq, NULL);

	if (strcmp(have, want) == 0)
		return true;
	printf("# message %llu is %s, not %s\n", (unsigned long long)seq, have, want);
	return false;
}

/* Are there exactly n messages, and nothing on its way? */
static bool
only(struct bench *b, uint64_t n)
{
	uint64_t have = log_durable(storage_log(&b->g)) - 1;
	size_t waiting = dir_count(b->g.spool.dir, "orders/new");

	if (have == n && waiting == 0)
		return true;
	printf("# %llu messages, %zu files in new/\n", (unsigned long long)have, waiting);
	return false;
}

static size_t
records_text(char *out, const char *headers, const char *body)
{
	struct record r = { .headers_len = (uint32_t)strlen(headers), .body_len = strlen(body) };
	size_t n = record_write_line(&r, record_payload_sum(headers, strlen(headers), body,
	    strlen(body)), out);

	return n + (size_t)sprintf(out + n, "%s\n%s\n", headers, body);
}

/* --- what becomes a message --------------------------------------------------- */

TEST("intake: a file is one message, its bytes the body, its owner the publisher")
{
	struct record rec;
	struct bench b;

	begin(&b);
	drop_text(&b, "x", "hello\n", 0);
	drop_text(&b, "empty", "", 1);

	CHECK(intake_is_due(b.intake));
	CHECK(intake_run(b.intake) == MESS_OK);

	CHECK(only(&b, 2) && is(&b, 1, "|hello\n") && is(&b, 2, "|"));
	(void)message(&b, 1, &rec);
	CHECK(rec.uid == geteuid() && rec.gid == getegid() && rec.pid == 0);
	CHECK(dir_count(b.g.spool.dir, "orders/cur") == 1 && b.g.said == 0);
	reopen(&b);
	run(&b);
	CHECK(only(&b, 2) && is(&b, 1, "|hello\n"));
	end(&b);
}

TEST("intake: what comes is noticed without being looked for")
{
	struct bench b;

	begin(&b);
	CHECK(intake_run(b.intake) == MESS_OK && !intake_is_due(b.intake));

	drop_text(&b, "x", "one", 0);

	CHECK(intake_is_due(b.intake));
	CHECK(intake_run(b.intake) == MESS_OK && !intake_is_due(b.intake) && only(&b, 1));
	end(&b);
}

TEST("intake: the oldest first, then by name")
{
	struct bench b;

	begin(&b);
	drop_text(&b, "a", "third", 30);
	drop_text(&b, "d", "first", 10);
	drop_text(&b, "c", "second-c", 20);
	drop_text(&b, "b", "second-b", 20);

	run(&b);

	CHECK(only(&b, 4) && is(&b, 1, "|first") && is(&b, 2, "|second-b"));
	CHECK(is(&b, 3, "|second-c") && is(&b, 4, "|third"));
	end(&b);
}

TEST("intake: more files than fit one commit all come, in order")
{
	struct bench b;
	char name[16];

	begin(&b);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof name, "%d", i);
		drop_text(&b, name, name, i);
	}

	run(&b);

	CHECK(only(&b, 200));
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof name, "|%d", i);
		CHECK(is(&b, (uint64_t)i + 1, name));
	}
	end(&b);
}

TEST("intake: a large file is a body of its own; one at the limit is taken, one above is not")
{
	static const size_t sizes[] = { MESS_INLINE_MAX, MESS_INLINE_MAX + 1, BODY_MAX, BODY_MAX + 1 };
	char *body = calloc(1, BODY_MAX + 1);
	struct record rec;
	struct bench b;
	char name[8];

	begin(&b);
	drop_text(&b, "small", "small", 0);
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof name, "%zu", i);
		drop(&b, name, body, sizes[i], (time_t)i + 1);
	}

	run(&b);

	CHECK(only(&b, 4));
	for (uint64_t i = 0; i < 3; i++) {
		CHECK(message(&b, i + 2, &rec)[0] == '|' && rec.body_len == sizes[i]);
		CHECK(rec.apart == (sizes[i] > MESS_INLINE_MAX));
	}
	CHECK(file_exists(b.g.spool.dir, ".quarantine/orders.3"));
	free(body);
	end(&b);
}

/* --- records ------------------------------------------------------------------- */

TEST("intake: records come with their headers, without the engine's, and in their order")
{
	char text[2000];
	size_t n = 0;
	struct bench b;
	struct record rec;

	begin(&b);
	n += records_text(text + n, "Kind: a\n", "one");
	n += records_text(text + n, "Mess-Dead: x\nKind: b\nmess-x: y\n", "two");
	n += records_text(text + n, "", "");
	drop(&b, "x.rec", text, n, 0);
	drop_text(&b, "y", "after", 1);

	run(&b);

	CHECK(only(&b, 4) && is(&b, 1, "Kind: a\n|one") && is(&b, 2, "Kind: b\n|two"));
	CHECK(is(&b, 3, "|") && is(&b, 4, "|after"));
	(void)message(&b, 2, &rec);
	CHECK(rec.seq == 2 && rec.uid == geteuid() && b.g.said == 0);
	end(&b);
}

TEST("intake: instructions of records become headers; what is none is dropped, never refused")
{
	char text[2000];
	size_t n = 0;
	struct bench b;

	begin(&b);
	n += records_text(text + n, "Mess-Ask-Id: a\nMess-Ask-Due: 1.000000000\nKind: a\n", "one");
	n += records_text(text + n, "Mess-Ask-Due: soon\nKind: b\n", "two");
	n += records_text(text + n, "Kind: c\nMess-Ask-Id: a\n", "three");
	drop(&b, "x.rec", text, n, 0);

	run(&b);

	CHECK(only(&b, 3) && is(&b, 1, "Mess-Due: 1.000000000\nMess-Id: a\nKind: a\n|one"));
	CHECK(is(&b, 2, "Kind: b\n|two") && is(&b, 3, "Kind: c\n|three") && b.g.said == 0);
	end(&b);
}

/* Ids of files, their numbers as letters: each letter is a message with that id and body. */
static size_t
ids_text(char *out, const char *letters)
{
	size_t n = 0;

	for (; *letters != '\0'; letters++) {
		char headers[] = "Mess-Ask-Id: ?\n", body[] = { *letters, '\0' };

		headers[strlen(headers) - 2] = *letters;
		n += records_text(out + n, headers, body);
	}
	return n;
}

static void
drop_ids(struct bench *b, const char *name, const char *letters, time_t age)
{
	char text[4000];

	drop(b, name, text, ids_text(text, letters), age);
}

TEST("intake: an id that is there already is counted and dropped, and the rest keeps its order")
{
	struct bench b;

	begin(&b);
	drop_text(&b, "0", "raw", 0);
	drop_ids(&b, "1.rec", "abac", 1);
	drop_ids(&b, "2.rec", "bc", 2);
	drop_text(&b, "3", "raw", 3);
	drop_ids(&b, "4.rec", "cda", 4);
	drop_text(&b, "5", "raw", 5);

	run(&b);

	CHECK(only(&b, 7) && is(&b, 1, "|raw") && is(&b, 2, "Mess-Id: a\n|a") && is(&b, 3, "Mess-Id: b\n|b"));
	CHECK(is(&b, 4, "Mess-Id: c\n|c") && is(&b, 5, "|raw") && is(&b, 6, "Mess-Id: d\n|d") && is(&b, 7, "|raw"));
	CHECK(log_counted(storage_log(&b.g), LOG_DUPLICATES) == 5 && b.g.said == 0);
	CHECK(dir_count(b.g.spool.dir, "orders/cur") == 1);
	end(&b);
}

TEST("intake: stopped anywhere, what has an id comes once")
{
	char text[500];
	struct bench b;
	size_t n;
	int dir;

	begin(&b);
	dir = b.g.spool.dir;
	drop_ids(&b, "1.rec", "ab", 0);
	run(&b);
	/* Committed and not unlinked: one number was used of two records. */
	drop_ids(&b, "2.rec", "bc", 1);
	run(&b);
	CHECK(only(&b, 3));
	n = ids_text(text, "bc");
	stop(&b);
	storage_close(&b.g);
	file_write(dir, "orders/cur/00000000000000000003.take.rec", text, n);
	/* Renamed and not committed. */
	n = ids_text(text, "ad");
	file_write(dir, "orders/cur/00000000000000000004.take.rec", text, n);

	storage_open(&b.g);
	start(&b);
	run(&b);
	CHECK(only(&b, 4) && is(&b, 3, "Mess-Id: c\n|c") && is(&b, 4, "Mess-Id: d\n|d"));

	/* All of it was there, so no number was used: back to new/, and dropped again. */
	stop(&b);
	storage_close(&b.g);
	n = ids_text(text, "abcd");
	file_write(dir, "orders/cur/00000000000000000005.take.rec", text, n);
	storage_open(&b.g);
	start(&b);
	run(&b);
	CHECK(only(&b, 4) && dir_count(dir, "orders/cur") == 1 && b.g.said == 0);
	end(&b);
}

TEST("intake: a file of records is taken whole or not at all")
{
	char text[2000], bad[2000];
	size_t n, first;
	struct bench b;
	char name[32];

	begin(&b);
	first = n = records_text(text, "Kind: a\n", "one");
	n += records_text(text + n, "Kind: b\n", "two");
	for (size_t i = 0; i < n; i++) {
		memcpy(bad, text, n);
		bad[i] ^= 1;
		(void)snprintf(name, sizeof name, "%03zu.rec", i);
		drop(&b, name, bad, n, 0);
	}
	for (size_t i = 1; i < n; i++) {
		(void)snprintf(name, sizeof name, "short%03zu.rec", i);
		if (i != first)
			drop(&b, name, text, i, 0);
	}

	run(&b);

	CHECK(only(&b, 0) && dir_count(b.g.spool.dir, ".quarantine") == n + n - 2);
	end(&b);
}

TEST("intake: an empty file of records is no message and stops nothing")
{
	char text[200];
	size_t n = records_text(text, "", "one");
	struct bench b;

	begin(&b);
	drop(&b, "a.rec", "", 0, 0);
	drop(&b, "b.rec", text, n, 1);
	drop(&b, "c.rec", "", 0, 2);
	drop(&b, "d", "two", 3, 3);

	run(&b);
	run(&b);

	CHECK(only(&b, 2) && is(&b, 1, "|one") && is(&b, 2, "|two"));
	end(&b);
}

TEST("intake: as many records as one file may hold, and one more")
{
	char *text = malloc(RECORD_FILE_MAX + 1000);
	size_t n = 0;
	struct bench b;

	begin(&b);
	for (size_t i = 0; i < RECORD_FILE_COUNT; i++)
		n += records_text(text + n, "", "x");
	drop(&b, "fits.rec", text, n, 0);
	n += records_text(text + n, "", "x");
	drop(&b, "many.rec", text, n, 1);

	run(&b);

	CHECK(only(&b, RECORD_FILE_COUNT) && file_exists(b.g.spool.dir, ".quarantine/orders.many.rec"));
	free(text);
	end(&b);
}

/* A record of len times b; its length. */
static size_t
body_record(char *out, size_t len)
{
	char *body = malloc(len + 1);
	size_t n;

	memset(body, 'b', len);
	body[len] = '\0';
	n = records_text(out, "", body);
	free(body);
	return n;
}

TEST("intake: the largest file of records there may be is taken, one byte more is not")
{
	char *text = malloc(RECORD_FILE_MAX + MESS_INLINE_MAX + 1000);
	size_t n = 0, count;
	struct bench b;

	begin(&b);
	/* Full bodies, then one, of five digits' length, that ends where the file may. */
	for (count = 1; RECORD_FILE_MAX - n > MESS_INLINE_MAX; count++)
		n += body_record(text + n, 200000);
	n += body_record(text + n, RECORD_FILE_MAX - n - (body_record(text + n, 50000) - 50000));
	CHECK(n == RECORD_FILE_MAX);
	drop(&b, "a.rec", text, n, 1);
	drop(&b, "b.rec", text, n, 2); /* two such do not share a commit */
	text[n] = '\n';
	drop(&b, "c.rec", text, n + 1, 3);
	drop_text(&b, "d", "first", 0);

	run(&b);

	CHECK(only(&b, 1 + 2 * count) && file_exists(b.g.spool.dir, ".quarantine/orders.c.rec"));
	free(text);
	end(&b);
}

/* --- what is no message ----------------------------------------------------------- */

static void
make_socket(const struct spool *s, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", s->path, path) < (int)sizeof a.sun_path);
	CHECK(bind(fd, (const struct sockaddr *)&a, sizeof a) == 0);
	fd_close(&fd);
}

TEST("intake: links, directories, fifos and sockets are set aside and told; the rest is taken in")
{
	struct bench b;
	int dir;

	begin(&b);
	dir = b.g.spool.dir;
	file_text(dir, "precious", "precious");
	CHECK(symlinkat("../../precious", dir, "orders/new/symlink") == 0);
	CHECK(mkdirat(dir, "orders/new/dir", 0700) == 0 && mkfifoat(dir, "orders/new/fifo", 0600) == 0);
	CHECK(linkat(dir, "precious", dir, "orders/new/hardlink", 0) == 0);
	make_socket(&b.g.spool, "orders/new/socket");
	drop_text(&b, "good", "good", 0);

	run(&b);

	CHECK(only(&b, 1) && is(&b, 1, "|good") && b.g.said >= 5);
	CHECK(dir_count(dir, ".quarantine") == 5 && file_is(dir, "precious", "precious"));
	CHECK(unlinkat(dir, ".quarantine/orders.dir", AT_REMOVEDIR) == 0);
	end(&b);
}

TEST("intake: another user's file is set aside, root's is root's message")
{
	struct record rec;
	struct bench b;

	if (geteuid() != 0) {
		printf("# only root can give a file away\n");
		return;
	}
	begin(&b);
	drop_text(&b, "evil", "evil", 0);
	CHECK(fchownat(b.g.spool.dir, "orders/new/evil", 12345, 12345, 0) == 0);
	drop_text(&b, "good", "good", 1);
	CHECK(fchownat(b.g.spool.dir, "orders/new/good", 0, 77, 0) == 0);

	run(&b);

	CHECK(only(&b, 1) && strcmp(message(&b, 1, &rec), "|good") == 0 && rec.uid == 0 && rec.gid == 77);
	CHECK(file_is(b.g.spool.dir, ".quarantine/orders.evil", "evil"));
	end(&b);
}

TEST("intake: what begins with a dot is left alone")
{
	struct bench b;

	begin(&b);
	file_text(b.g.spool.dir, "orders/new/.hidden", "x");

	run(&b);

	CHECK(only(&b, 0) && file_exists(b.g.spool.dir, "orders/new/.hidden"));
	end(&b);
}

/* --- crashes ------------------------------------------------------------------------ */

TEST("intake: what cannot be taken in now keeps no number, and comes later")
{
	static char body[50000];
	struct bench b;
	int dir;

	begin(&b);
	dir = b.g.spool.dir;
	memset(body, 'x', sizeof body);
	drop(&b, "first", body, sizeof body, 0);
	run(&b);
	storage_settle(&b.g);
	/* No segment can be made, and the next file needs one. */
	(void)unlinkat(dir, "orders/cur/.ready", 0);
	CHECK(mkdirat(dir, "orders/cur/.ready", 0700) == 0);
	drop(&b, "second", body, sizeof body, 1);
	run(&b);
	CHECK(log_next(storage_log(&b.g)) == 2);

	/* Somebody else has the number meanwhile. */
	CHECK(storage_append(&b.g, 10) == 2);
	storage_commit(&b.g);
	/* It may have been taken for the segment by now. */
	if (unlinkat(dir, "orders/cur/.ready", AT_REMOVEDIR) == -1)
		CHECK(unlinkat(dir, "orders/cur/00000000000000000002", AT_REMOVEDIR) == 0);
	run(&b);

	CHECK(only(&b, 3) && strncmp(message(&b, 3, NULL), "|xxx", 4) == 0);
	end(&b);
}

TEST("intake: stopped after the rename, each is taken in once, in the same order")
{
	struct bench b;
	char text[500];
	size_t n;
	int dir;

	begin(&b);
	dir = b.g.spool.dir;
	drop_text(&b, "zero", "zero", 0);
	run(&b);
	n = records_text(text, "", "two");
	n += records_text(text + n, "", "three");
	drop_text(&b, "c", "one", 1);
	drop(&b, "b.rec", text, n, 2);
	drop_text(&b, "a", "four", 3);
	drop_text(&b, "later", "later", 4);
	CHECK(renameat(dir, "orders/new/c", dir, "orders/cur/00000000000000000002.take") == 0);
	CHECK(renameat(dir, "orders/new/b.rec", dir, "orders/cur/00000000000000000003.take.rec") == 0);
	CHECK(renameat(dir, "orders/new/a", dir, "orders/cur/00000000000000000005.take") == 0);

	reopen(&b);
	run(&b);

	CHECK(only(&b, 6) && is(&b, 1, "|zero") && is(&b, 2, "|one") && is(&b, 3, "|two"));
	CHECK(is(&b, 4, "|three") && is(&b, 5, "|four") && is(&b, 6, "|later"));
	CHECK(dir_count(dir, "orders/cur") == 1 && b.g.said == 0);
	reopen(&b);
	run(&b);
	CHECK(only(&b, 6));
	end(&b);
}

TEST("intake: stopped after the commit and before the unlink, nothing comes twice")
{
	struct bench b;
	char text[500];
	size_t n;
	int dir;

	begin(&b);
	dir = b.g.spool.dir;
	n = records_text(text, "", "two");
	n += records_text(text + n, "", "three");
	drop_text(&b, "a", "one", 0);
	drop(&b, "b.rec", text, n, 1);
	run(&b);
	CHECK(only(&b, 3));
	stop(&b);
	storage_close(&b.g);
	file_text(dir, "orders/cur/00000000000000000001.take", "one");
	file_write(dir, "orders/cur/00000000000000000002.take.rec", text, n);

	storage_open(&b.g);
	start(&b);
	drop_text(&b, "c", "four", 2);
	run(&b);

	CHECK(only(&b, 4) && is(&b, 3, "|three") && is(&b, 4, "|four"));
	CHECK(dir_count(dir, "orders/cur") == 1);
	end(&b);
}

static void
take_in_and_crash(void *arg)
{
	struct bench *b = arg;

	storage_open(&b->g);
	start(b);
	run(b);
}

TEST("intake: a rename that a power cut left both names of is finished, or never was")
{
	struct bench b;
	int dir;

	begin(&b);
	dir = b.g.spool.dir;
	drop_text(&b, "x", "committed", 0);
	run(&b);
	drop_text(&b, "x", "committed", 0);
	CHECK(linkat(dir, "orders/new/x", dir, "orders/cur/00000000000000000001.take", 0) == 0);
	drop_text(&b, "y", "not yet", 1);
	CHECK(linkat(dir, "orders/new/y", dir, "orders/cur/00000000000000000002.take", 0) == 0);
	drop_text(&b, "z", "published", 2);
	CHECK(linkat(dir, "orders/new/z", dir, "orders/tmp/z", 0) == 0);

	reopen(&b);
	run(&b);

	CHECK(only(&b, 3) && is(&b, 1, "|committed") && is(&b, 2, "|not yet") && is(&b, 3, "|published"));
	CHECK(dir_count(dir, "orders/cur") == 1 && dir_count(dir, "orders/new") == 0);
	CHECK(dir_count(dir, "orders/tmp") == 0 && dir_count(dir, ".quarantine") == 0 && b.g.said == 0);
	end(&b);
}

TEST("intake: a crash behind it loses nothing and repeats nothing")
{
	struct bench b;

	begin(&b);
	drop_text(&b, "a", "one", 0);
	drop_text(&b, "b", "two", 1);
	stop(&b);
	storage_close(&b.g);
	crash(take_in_and_crash, &b);

	storage_open(&b.g);
	start(&b);
	run(&b);

	CHECK(only(&b, 2) && is(&b, 1, "|one") && is(&b, 2, "|two") && b.g.said == 0);
	end(&b);
}
