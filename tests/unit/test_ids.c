/* SPDX-License-Identifier: ISC */
/*
 * The last ids of a topic: durable with the commit, known as long as they
 * are among the last IDS_SLOTS, taken back with the batch they were in.
 */
#include "ids.h"
#include "publish.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "storage.h"

struct bench {
	struct storage g;
	struct ids *ids;
};

static void
open_ids(struct bench *b)
{
	if (!CHECK(ids_open(b->g.store, b->g.topic->dir, log_name(b->g.topic->log), &b->ids) == MESS_OK))
		abort();
}

static void
begin(struct bench *b)
{
	storage_begin(&b->g);
	open_ids(b);
}

static void
commit(struct bench *b)
{
	storage_commit(&b->g);
	CHECK(ids_is_idle(b->ids));
}

/* What a larger ring replaced may wait for a checkpoint then. */
static void
commit_only(struct bench *b)
{
	storage_commit(&b->g);
}

static void
reopen(struct bench *b)
{
	commit_only(b);
	ids_free(b->ids);
	storage_reopen(&b->g);
	open_ids(b);
}

static void
end(struct bench *b)
{
	commit_only(b);
	ids_free(b->ids);
	storage_end(&b->g);
}

static struct ids_key
key(const char *text)
{
	return (struct ids_key){ .kind = IDS_ID, .uid = 1000, .key = text, .len = strlen(text) };
}

static void
join(struct bench *b, size_t n)
{
	CHECK(store_room(b->g.store, ids_room(n)) == MESS_OK && ids_join(b->ids, n) == MESS_OK);
}

static void
add(struct bench *b, const char *text, uint64_t seq)
{
	struct ids_key k = key(text);

	join(b, 1);
	ids_add(b->ids, &k, seq);
}

/* 0: not known. */
static uint64_t
find(const struct bench *b, const char *text)
{
	struct ids_key k = key(text);
	uint64_t seq;

	return ids_find(b->ids, &k, &seq) ? seq : 0;
}

TEST("ids: one is known from when it is added, and after a restart")
{
	struct bench b;

	begin(&b);
	CHECK(find(&b, "a") == 0);
	add(&b, "a", 7);
	CHECK(find(&b, "a") == 7 && find(&b, "b") == 0);
	commit(&b);
	add(&b, "b", 9);
	reopen(&b);
	CHECK(find(&b, "a") == 7 && find(&b, "b") == 9 && find(&b, "c") == 0);
	add(&b, "c", 11);
	reopen(&b);
	CHECK(find(&b, "a") == 7 && find(&b, "b") == 9 && find(&b, "c") == 11);
	end(&b);
}

TEST("ids: users and kinds do not meet, nor do keys that begin alike")
{
	struct ids_key k = key("same");
	struct bench b;
	uint64_t seq;

	begin(&b);
	add(&b, "same", 1);
	k.uid = 1001;
	CHECK(!ids_find(b.ids, &k, &seq));
	k = key("same");
	k.kind = IDS_KEY;
	CHECK(!ids_find(b.ids, &k, &seq));
	CHECK(find(&b, "sam") == 0 && find(&b, "same ") == 0 && find(&b, "same") == 1);
	end(&b);
}

TEST("ids: the newest of a key counts")
{
	struct bench b;

	begin(&b);
	add(&b, "a", 1);
	add(&b, "b", 2);
	add(&b, "a", 3);
	CHECK(find(&b, "a") == 3);
	reopen(&b);
	CHECK(find(&b, "a") == 3 && find(&b, "b") == 2);
	end(&b);
}

TEST("ids: what is rewound was never there, and what it displaced is there again")
{
	struct bench b;
	uint64_t mark;

	begin(&b);
	add(&b, "a", 1);
	add(&b, "b", 2);
	mark = ids_mark(b.ids);
	add(&b, "a", 3);
	add(&b, "c", 4);
	add(&b, "a", 5);
	CHECK(find(&b, "a") == 5);
	ids_rewind(b.ids, mark);
	CHECK(find(&b, "a") == 1 && find(&b, "b") == 2 && find(&b, "c") == 0);
	add(&b, "d", 6);
	reopen(&b);
	CHECK(find(&b, "a") == 1 && find(&b, "b") == 2 && find(&b, "c") == 0 && find(&b, "d") == 6);
	end(&b);
}

/* What should be known: of each key the newest, if it is among the last. */
#define KEYS 100000
struct model {
	uint64_t number[KEYS], seq[KEYS];
	uint64_t count;
};

static void
add_number(struct bench *b, struct model *m, unsigned k)
{
	char text[16];

	(void)snprintf(text, sizeof text, "key%u", k);
	m->number[k] = ++m->count;
	m->seq[k] = m->count * 3;
	add(b, text, m->seq[k]);
}

static bool
agrees(const struct bench *b, const struct model *m, unsigned k)
{
	bool known = m->number[k] != 0 && m->number[k] + IDS_SLOTS > m->count;
	char text[16];

	(void)snprintf(text, sizeof text, "key%u", k);
	return find(b, text) == (known ? m->seq[k] : 0);
}

static bool
all_agree(const struct bench *b, const struct model *m)
{
	for (unsigned k = 0; k < KEYS; k++)
		if (!agrees(b, m, k))
			return false;
	return true;
}

TEST("ids: one less than the last 65536, the last 65536, and one more")
{
	static struct model m;
	struct bench b;

	begin(&b);
	for (unsigned k = 0; k < IDS_SLOTS; k++) {
		add_number(&b, &m, k);
		if (k % 1000 == 0)
			commit(&b);
	}
	CHECK(find(&b, "key0") == 3);
	add_number(&b, &m, IDS_SLOTS);
	CHECK(find(&b, "key0") == 0 && find(&b, "key1") == 6);
	CHECK(all_agree(&b, &m));
	reopen(&b);
	CHECK(all_agree(&b, &m));
	end(&b);
}

/* A batch that is refused: as if it had never been. */
static void
try_batch(struct bench *b, struct model *m)
{
	struct model *before = malloc(sizeof *before);
	uint64_t mark;
	unsigned n = 1 + (unsigned)(test_random() % 300);

	if (before == NULL)
		abort();
	join(b, 0);
	commit(b);
	*before = *m;
	mark = ids_mark(b->ids);
	for (unsigned i = 0; i < n; i++)
		add_number(b, m, (unsigned)(test_random() % KEYS));
	ids_rewind(b->ids, mark);
	*m = *before;
	free(before);
}

TEST("ids: at random, with batches refused and restarts, three times round the ring")
{
	static struct model m;
	struct bench b;
	bool agree = true;

	memset(&m, 0, sizeof m);
	begin(&b);
	for (unsigned round = 0; m.count < 3 * IDS_SLOTS; round++) {
		for (unsigned i = (unsigned)(test_random() % 400); i > 0; i--)
			add_number(&b, &m, (unsigned)(test_random() % KEYS));
		if (round % 8 == 0)
			try_batch(&b, &m);
		if (round % 3 == 0)
			commit(&b);
		if (round % 300 == 299)
			reopen(&b);
		for (unsigned i = 0; i < 100; i++)
			agree &= agrees(&b, &m, (unsigned)(test_random() % KEYS));
	}
	CHECK(agree && all_agree(&b, &m));
	reopen(&b);
	CHECK(all_agree(&b, &m));
	end(&b);
}

/* --- a larger ring ---------------------------------------------------------------- */

static bool
has_file(const struct bench *b, const char *name)
{
	return faccessat(b->g.topic->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
add_numbers(struct bench *b, unsigned from, unsigned to)
{
	char text[16];

	for (unsigned k = from; k < to; k++) {
		(void)snprintf(text, sizeof text, "key%u", k);
		CHECK(ids_make_way(b->ids, 1) == MESS_OK);
		add(b, text, k + 1);
		if (k % 1000 == 0)
			commit_only(b);
	}
}

static bool
know(const struct bench *b, unsigned from, unsigned to)
{
	char text[16];

	for (unsigned k = from; k < to; k++) {
		(void)snprintf(text, sizeof text, "key%u", k);
		if (find(b, text) != k + 1)
			return false;
	}
	return true;
}

TEST("ids: what would be forgotten before its time is kept in a larger ring")
{
	struct bench b;

	begin(&b);
	add_numbers(&b, 0, IDS_SLOTS);
	CHECK(!has_file(&b, "ids.131072"));
	add_numbers(&b, IDS_SLOTS, IDS_SLOTS + 1);
	CHECK(has_file(&b, "ids.131072") && has_file(&b, "ids"));
	add_numbers(&b, IDS_SLOTS + 1, 200000);
	CHECK(know(&b, 0, 200000) && find(&b, "key200000") == 0);
	storage_commit(&b.g);
	storage_checkpoint(&b.g);
	CHECK(has_file(&b, "ids.262144") && !has_file(&b, "ids.131072") && !has_file(&b, "ids"));
	reopen(&b);
	CHECK(know(&b, 0, 200000) && b.g.said == 0);
	add_numbers(&b, 200000, 200100);
	reopen(&b);
	CHECK(know(&b, 0, 200100));
	end(&b);
}

static void
grow_and_crash(void *arg)
{
	struct bench *b = arg;

	storage_open(&b->g);
	open_ids(b);
	add_numbers(b, IDS_SLOTS - 100, IDS_SLOTS - 1);
	add(b, "gathered", 1);
	/* Commits that, then takes over; what comes then is gathered only. */
	CHECK(ids_make_way(b->ids, 1) == MESS_OK);
	add(b, "lost", 2);
}

TEST("ids: after a crash the larger ring knows what was committed, from before it grew, too")
{
	struct bench b;

	begin(&b);
	add_numbers(&b, 0, IDS_SLOTS - 100);
	commit(&b);
	ids_free(b.ids);
	storage_close(&b.g);
	crash(grow_and_crash, &b);

	storage_open(&b.g);
	open_ids(&b);
	CHECK(has_file(&b, "ids.131072") && know(&b, 0, IDS_SLOTS - 1));
	CHECK(find(&b, "gathered") == 1 && find(&b, "lost") == 0 && b.g.said == 0);
	end(&b);
}

TEST("ids: what had its time is forgotten, and the ring stays as it is")
{
	char old[8] = { 1 };
	struct bench b;
	AUTO_FD int fd = -1;

	begin(&b);
	add_numbers(&b, 0, IDS_SLOTS);
	commit(&b);
	CHECK(ids_open_file(b.g.topic->dir, IDS_SLOTS, &fd) == MESS_OK);
	for (unsigned k = 0; k < 1000; k++)
		CHECK(fd_pwrite_all(fd, old, sizeof old, 4096 + 40 * ((off_t)k + 1) + 32) == 0);
	reopen(&b);

	add_numbers(&b, IDS_SLOTS, IDS_SLOTS + 1000);
	CHECK(!has_file(&b, "ids.131072"));
	CHECK(find(&b, "key999") == 0 && know(&b, 1000, IDS_SLOTS + 1000));
	add_numbers(&b, IDS_SLOTS + 1000, IDS_SLOTS + 1001);
	CHECK(has_file(&b, "ids.131072") && know(&b, 1000, IDS_SLOTS + 1001));
	end(&b);
}

/* --- damage ------------------------------------------------------------------------ */

static void
overwrite(const struct bench *b, off_t at, const char *bytes, size_t len)
{
	AUTO_FD int fd = -1;

	CHECK(ids_open_file(b->g.topic->dir, IDS_SLOTS, &fd) == MESS_OK);
	CHECK(fd_pwrite_all(fd, bytes, len, at) == 0);
}

TEST("ids: a damaged slot costs that id")
{
	struct bench b;

	begin(&b);
	add(&b, "a", 1);
	add(&b, "b", 2);
	commit(&b);
	overwrite(&b, 4096 + 40 + 3, "?", 1);	/* in the first one's hash */
	overwrite(&b, 4096 + 400 + 16, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	reopen(&b);
	CHECK(find(&b, "a") == 0 && find(&b, "b") == 2 && b.g.said == 0);
	add(&b, "c", 3);
	reopen(&b);
	CHECK(find(&b, "b") == 2 && find(&b, "c") == 3);
	end(&b);
}

TEST("ids: a damaged first block is set aside, loudly, and a new ring begun")
{
	struct bench b;

	begin(&b);
	add(&b, "a", 1);
	commit(&b);
	overwrite(&b, 100, "????????", 8);
	reopen(&b);
	CHECK(find(&b, "a") == 0 && b.g.said == 1);
	CHECK(faccessat(b.g.spool.dir, ".quarantine/orders.ids", F_OK, 0) == 0);
	add(&b, "b", 2);
	reopen(&b);
	CHECK(find(&b, "b") == 2 && b.g.said == 1);
	end(&b);
}

/* --- crashes -------------------------------------------------------------------- */

static void
add_and_crash(void *arg)
{
	struct bench *b = arg;

	storage_open(&b->g);
	open_ids(b);
	add(b, "committed", 5);
	storage_commit(&b->g);
	add(b, "gathered", 6);
}

TEST("ids: after a crash what was committed is known, the rest is not")
{
	struct bench b;

	storage_begin(&b.g);
	storage_close(&b.g);
	crash(add_and_crash, &b);

	storage_open(&b.g);
	open_ids(&b);
	CHECK(find(&b, "committed") == 5 && find(&b, "gathered") == 0 && b.g.said == 0);
	end(&b);
}

TEST("ids: so many that a commit has no room for more make one, and are no error")
{
	struct publish_batch many = { .count = 1000, .bytes = 100000, .asks = 1000 };
	struct publish_mark mark;
	struct bench b;

	begin(&b);
	for (int i = 0; i < 40; i++)
		CHECK(publish_begin(b.g.topic, &many, &mark) == MESS_OK);
	end(&b);
}
