/* SPDX-License-Identifier: ISC */
/*
 * The last ids of a topic.
 *
 * A ring of slots in a file that never grows.  Slots are put at the end of
 * the commit, in one or two runs: one put each beside its message would
 * take more room in the journal than the messages.  In memory there is the
 * same ring, as far as it was used, and a table that finds a slot by its
 * hash.  Of two slots with one hash the table knows the newer.
 *
 * The hash is keyed by a secret of the file, so that nobody can make two
 * keys that meet; uid and kind are part of what is hashed.
 */
#include "ids.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"
#include "instruct.h"

#define FILE_NAME "ids"
#define FILE_MAKING ".ids-new"
#define MAGIC "messid1\n"
#define HEAD_LEN 4096		/* a block of its own; */
#define HEAD_SUMMED 240		/* the rest is zero */
#define SECRET_LEN 192
#define SLOT_LEN 40
#define FILE_LEN (HEAD_LEN + (uint64_t)IDS_SLOTS * SLOT_LEN)
#define PIECE (SLOT_LEN * 1024)	/* divides the ring */
#define TABLE (2 * IDS_SLOTS)	/* a power of two */
#define PUTS_MOST 1024		/* the items of two puts */

_Static_assert((TABLE & (TABLE - 1)) == 0 && IDS_SLOTS % 1024 == 0, "masks and pieces");

struct slot {
	uint64_t low, high;	/* the hash */
	uint64_t number;	/* from 1, rising: it stands at number % IDS_SLOTS; 0: empty */
	uint64_t seq;
	uint64_t sec;		/* when */
};

/* What a slot of the commit being gathered displaced. */
struct undo {
	struct slot old;
	uint32_t shadowed;	/* in the table, as an entry of it */
};

struct ids {
	struct store *store;
	int dir;
	struct journal_name name;
	struct journal_file *file;
	struct store_part part;
	unsigned char secret[SECRET_LEN];
	struct slot *slots;
	uint32_t *table;	/* index of a slot + 1; 0: nothing */
	uint64_t count;		/* number of the last one */
	uint64_t put;		/* the last one that is in no commit being gathered */
	struct undo *undo;	/* for put + 1 and on */
	size_t undo_cap;
	size_t joined;		/* may still be added */
};

/* --- the table ---------------------------------------------------------- */

static uint32_t
home(const struct slot *s)
{
	return (uint32_t)(s->low & (TABLE - 1));
}

static bool
same(const struct slot *a, const struct slot *b)
{
	return a->low == b->low && a->high == b->high;
}

/* Where the hash of s is in the table, or would be. */
static uint32_t
locate(const struct ids *i, const struct slot *s)
{
	uint32_t at = home(s);

	while (i->table[at] != 0 && !same(&i->slots[i->table[at] - 1], s))
		at = (at + 1) & (TABLE - 1);
	return at;
}

/* Empty a place, and close the gap for those that were displaced past it. */
static void
vacate(struct ids *i, uint32_t gap)
{
	for (uint32_t at = (gap + 1) & (TABLE - 1); i->table[at] != 0; at = (at + 1) & (TABLE - 1)) {
		uint32_t from = home(&i->slots[i->table[at] - 1]);

		if (((at - from) & (TABLE - 1)) < ((at - gap) & (TABLE - 1)))
			continue;
		i->table[gap] = i->table[at];
		gap = at;
	}
	i->table[gap] = 0;
}

/* The slot is to be overwritten. */
static void
forget(struct ids *i, uint32_t index)
{
	uint32_t at;

	if (i->slots[index].number == 0)
		return;
	at = locate(i, &i->slots[index]);
	if (i->table[at] == index + 1)
		vacate(i, at);
}

/* Returns what the table had for its hash. */
static uint32_t
enter(struct ids *i, uint32_t index, const struct slot *s)
{
	uint32_t at = locate(i, s), had = i->table[at];

	i->slots[index] = *s;
	i->table[at] = index + 1;
	return had;
}

/* --- the commit --------------------------------------------------------- */

static void
slot_write(const struct slot *s, char *p)
{
	le64_put(p, s->low);
	le64_put(p + 8, s->high);
	le64_put(p + 16, s->number);
	le64_put(p + 24, s->seq);
	le64_put(p + 32, s->sec);
}

static struct slot
slot_read(const char *p)
{
	return (struct slot){ .low = le64_get(p), .high = le64_get(p + 8), .number = le64_get(p + 16),
		.seq = le64_get(p + 24), .sec = le64_get(p + 32) };
}

/* Numbers from first to last, which do not wrap. */
static enum mess_err
put_run(struct ids *i, uint64_t first, uint64_t last)
{
	uint64_t off = HEAD_LEN + first % IDS_SLOTS * SLOT_LEN;
	enum mess_err err;
	char *p;

	if ((err = journal_put(store_journal(i->store), i->file, off,
	    (size_t)(last - first + 1) * SLOT_LEN, &p)) != MESS_OK)
		return err;
	for (uint64_t n = first; n <= last; n++, p += SLOT_LEN)
		slot_write(&i->slots[n % IDS_SLOTS], p);
	return MESS_OK;
}

static enum mess_err
put_slots(void *arg)
{
	struct ids *i = arg;
	uint64_t first = i->put + 1, wrap = (i->count / IDS_SLOTS) * IDS_SLOTS;
	enum mess_err err;

	if (first > i->count)
		return MESS_OK;
	if (first >= wrap)
		return put_run(i, first, i->count);
	if ((err = put_run(i, first, wrap - 1)) != MESS_OK)
		return err;
	return put_run(i, wrap, i->count);
}

static void
put_done(void *arg, bool durable)
{
	struct ids *i = arg;

	/* Where it is not, the store is sick, and nothing is published any more. */
	if (durable)
		i->put = i->count;
	i->joined = 0;
	i->part.most = PUTS_MOST;
}

size_t
ids_room(size_t n)
{
	return PUTS_MOST + n * SLOT_LEN;
}

enum mess_err
ids_join(struct ids *i, size_t n)
{
	size_t need = (size_t)(i->count - i->put) + i->joined + n;

	if (need > IDS_SLOTS / 2)
		return MESS_TOOBIG; /* no commit has room for so many */
	if (need > i->undo_cap) {
		size_t cap = need < 64 ? 64 : need * 2;
		struct undo *undo = reallocarray(i->undo, cap, sizeof *undo);

		if (undo == NULL)
			return MESS_LIMIT;
		i->undo = undo;
		i->undo_cap = cap;
	}
	store_join(i->store, &i->part);
	store_widen(i->store, &i->part, n * SLOT_LEN);
	i->joined += n;
	return MESS_OK;
}

/* --- adding and finding ------------------------------------------------- */

static struct slot
slot_of(const struct ids *i, const struct ids_key *key)
{
	unsigned char p[8 + INSTRUCT_KEY_MAX];
	XXH128_hash_t hash;

	le32_put(p, key->uid);
	le32_put(p + 4, (uint32_t)key->kind);
	memcpy(p + 8, key->key, key->len);
	hash = XXH3_128bits_withSecret(p, 8 + key->len, i->secret, SECRET_LEN);
	return (struct slot){ .low = hash.low64, .high = hash.high64 };
}

bool
ids_find(const struct ids *i, const struct ids_key *key, uint64_t *seq)
{
	struct slot s = slot_of(i, key);
	uint32_t entry = i->table[locate(i, &s)];

	if (entry == 0)
		return false;
	*seq = i->slots[entry - 1].seq;
	return true;
}

void
ids_add(struct ids *i, const struct ids_key *key, uint64_t seq)
{
	struct slot s = slot_of(i, key);
	struct undo *undo = &i->undo[i->count - i->put];
	struct timespec now;
	uint32_t index;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now); /* cannot fail with a known clock */
	s.number = ++i->count;
	s.seq = seq;
	s.sec = (uint64_t)now.tv_sec;
	index = (uint32_t)(s.number % IDS_SLOTS);
	undo->old = i->slots[index];
	forget(i, index);
	undo->shadowed = enter(i, index, &s);
	i->joined--;
}

uint64_t
ids_mark(const struct ids *i)
{
	return i->count;
}

void
ids_rewind(struct ids *i, uint64_t mark)
{
	for (; i->count > mark; i->count--) {
		const struct undo *undo = &i->undo[i->count - i->put - 1];
		uint32_t index = (uint32_t)(i->count % IDS_SLOTS), at = locate(i, &i->slots[index]);

		if (undo->shadowed != 0)
			i->table[at] = undo->shadowed;
		else
			vacate(i, at);
		i->slots[index] = undo->old;
		/* One that was shadowed by a newer one still is. */
		if (undo->old.number != 0 && i->table[at = locate(i, &undo->old)] == 0)
			i->table[at] = index + 1;
	}
}

/* --- the file ----------------------------------------------------------- */

static void
head_write(const struct ids *i, char *p)
{
	memset(p, 0, HEAD_LEN);
	memcpy(p, MAGIC, 8);
	le32_put(p + 8, IDS_SLOTS);
	le32_put(p + 12, SLOT_LEN);
	memcpy(p + 16, i->name.id, JOURNAL_ID_LEN);
	memcpy(p + 32, i->secret, SECRET_LEN);
	le64_put(p + HEAD_SUMMED - 8, XXH3_64bits(p, HEAD_SUMMED - 8));
}

static enum mess_err
head_read(struct ids *i, int fd)
{
	char p[HEAD_SUMMED];
	ssize_t n = fd_pread_full(fd, p, sizeof p, 0);

	if (n == -1)
		return MESS_IO;
	if (n != (ssize_t)sizeof p || memcmp(p, MAGIC, 8) != 0 || le32_get(p + 8) != IDS_SLOTS ||
	    le32_get(p + 12) != SLOT_LEN || memcmp(p + 16, i->name.id, JOURNAL_ID_LEN) != 0 ||
	    le64_get(p + HEAD_SUMMED - 8) != XXH3_64bits(p, HEAD_SUMMED - 8))
		return MESS_CORRUPT;
	memcpy(i->secret, p + 32, SECRET_LEN);
	return MESS_OK;
}

/* Whole and synced before it has its name: half a ring is never found. */
static enum mess_err
make(struct ids *i, int *out)
{
	AUTO_FD int fd = -1;
	char head[HEAD_LEN];
	enum mess_err err;

	arc4random_buf(i->secret, sizeof i->secret);
	head_write(i, head);
	if ((err = fs_remove_tree(i->dir, FILE_MAKING)) != MESS_OK ||
	    (err = fs_make_filled(i->dir, FILE_MAKING, FILE_LEN, 0, &fd)) != MESS_OK)
		return err;
	if (fd_pwrite_all(fd, head, sizeof head, 0) == -1)
		return err_from_errno();
	if ((err = fs_sync(fd)) != MESS_OK ||
	    (err = fs_move(i->dir, FILE_MAKING, i->dir, FILE_NAME)) != MESS_OK)
		return err;
	if ((err = fs_sync(i->dir)) != MESS_OK) {
		/* Not known to be durable under its name: nothing may be promised on it. */
		journal_fail(store_journal(i->store));
		return err;
	}
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/* What it knew is forgotten; a message published again may then be there twice. */
static enum mess_err
set_aside(struct ids *i)
{
	AUTO_FREE char *to = NULL;

	store_say(i->store, "%s: ids: damaged; set aside in .quarantine, what was published before "
	    "is not known by its id any more", i->name.topic);
	if (asprintf(&to, ".quarantine/%s.ids", i->name.topic) == -1) {
		to = NULL;
		return MESS_LIMIT;
	}
	return renameat(i->dir, FILE_NAME, store_dir(i->store), to) == -1 ? err_from_errno() : MESS_OK;
}

/* Slots as they stand, without the table. */
static enum mess_err
load_slots(struct ids *i, int fd)
{
	AUTO_FREE char *mem = malloc(PIECE);

	if (mem == NULL)
		return MESS_LIMIT;
	for (uint32_t at = 0; at < IDS_SLOTS; at += PIECE / SLOT_LEN) {
		if (fd_pread_full(fd, mem, PIECE, (off_t)(HEAD_LEN + (uint64_t)at * SLOT_LEN)) != PIECE)
			return MESS_IO;
		for (uint32_t k = 0; k < PIECE / SLOT_LEN; k++) {
			struct slot s = slot_read(mem + (size_t)k * SLOT_LEN);

			/* Damage in a slot costs that id. */
			if (s.number == 0 || s.number > INT64_MAX || s.number % IDS_SLOTS != at + k)
				continue;
			i->slots[at + k] = s;
			if (s.number > i->count)
				i->count = s.number;
		}
	}
	return MESS_OK;
}

/* Oldest first, so that the table knows the newest of a hash. */
static void
fill_table(struct ids *i)
{
	for (uint32_t k = 1; k <= IDS_SLOTS; k++) {
		uint32_t index = (uint32_t)((i->count + k) % IDS_SLOTS);

		if (i->slots[index].number != 0)
			(void)enter(i, index, &i->slots[index]);
	}
	i->put = i->count;
}

static enum mess_err
load(struct ids *i, int *out)
{
	AUTO_FD int fd = -1;
	enum mess_err err = ids_open_file(i->dir, &fd);

	if (err == MESS_SYSTEM && errno == ENOENT)
		return make(i, out);
	if (err != MESS_OK)
		return err;
	if ((err = head_read(i, fd)) == MESS_CORRUPT)
		return (err = set_aside(i)) != MESS_OK ? err : make(i, out);
	if (err != MESS_OK || (err = load_slots(i, fd)) != MESS_OK)
		return err;
	fill_table(i);
	*out = TAKE(fd, -1);
	return MESS_OK;
}

static enum mess_err
setup(struct ids *i)
{
	enum mess_err err;
	int fd;

	/* Memory is taken as it is used: pages never written are none. */
	if ((i->slots = calloc(IDS_SLOTS, sizeof *i->slots)) == NULL ||
	    (i->table = calloc(TABLE, sizeof *i->table)) == NULL)
		return MESS_LIMIT;
	if ((err = load(i, &fd)) != MESS_OK)
		return err;
	i->file = journal_file_new(fd, &i->name);
	return i->file == NULL ? MESS_LIMIT : MESS_OK;
}

enum mess_err
ids_open(struct store *s, int dir, const struct journal_name *topic, struct ids **out)
{
	struct ids *i = calloc(1, sizeof *i);
	enum mess_err err;

	if (i == NULL)
		return MESS_LIMIT;
	*i = (struct ids){ .store = s, .dir = dir, .name = *topic };
	i->name.kind = JOURNAL_IDS;
	i->part = (struct store_part){ .most = PUTS_MOST, .put = put_slots, .done = put_done, .arg = i };
	if ((err = setup(i)) != MESS_OK) {
		ids_free(i);
		return err;
	}
	*out = i;
	return MESS_OK;
}

void
ids_free(struct ids *i)
{
	if (i == NULL)
		return;
	store_leave(i->store, &i->part);
	journal_file_unref(i->file);
	free(i->slots);
	free(i->table);
	free(i->undo);
	free(i);
}

bool
ids_is_idle(const struct ids *i)
{
	return i == NULL || !i->part.joined;
}

enum mess_err
ids_open_file(int dir, int *out)
{
	return fs_open_file(dir, FILE_NAME, O_RDWR, out);
}
