/* SPDX-License-Identifier: ISC */
/*
 * The last ids of a topic: finding, adding, and taking back.
 *
 * Slots are put at the end of the commit, in one or two runs: one put each
 * beside its message would take more room in the journal than the messages.
 * In memory there is the same ring as in the file, as far as it was used,
 * and a table that finds a slot by its hash.  Of two slots with one hash the
 * table knows the newer.
 *
 * The hash is keyed by a secret of the file, so that nobody can make two
 * keys that meet; uid and kind are part of what is hashed.
 */
#include "ids.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "base/le.h"
#include "ids_private.h"
#include "base/le.h"
#include "ids_private.h"
#include "record.h"

#define COMMIT_MOST 32768	/* ids in one commit; it has no room for more */

_Static_assert(COMMIT_MOST < IDS_SLOTS, "none is displaced in the commit it came in");

/* --- the table ---------------------------------------------------------- */

static bool
same(const struct slot *a, const struct slot *b)
{
	return a->low == b->low && a->high == b->high;
}

/* Where the hash of s is in the table, or would be. */
static uint32_t
locate(const struct ids *i, const struct slot *s)
{
	uint32_t at = ids_home(i, s);

	while (i->table[at] != 0 && !same(&i->slots[i->table[at] - 1], s))
		at = (at + 1) & ids_table_mask(i);
	return at;
}

/* Empty a place, and close the gap for those that were displaced past it. */
static void
vacate(struct ids *i, uint32_t gap)
{
	for (uint32_t at = (gap + 1) & ids_table_mask(i); i->table[at] != 0; at = (at + 1) & ids_table_mask(i)) {
		uint32_t from = ids_home(i, &i->slots[i->table[at] - 1]);

		if (((at - from) & ids_table_mask(i)) < ((at - gap) & ids_table_mask(i)))
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

uint32_t
ids_enter(struct ids *i, uint32_t index, const struct slot *s)
{
	uint32_t at = locate(i, s), had = i->table[at];

	i->slots[index] = *s;
	i->table[at] = index + 1;
	return had;
}

/* --- the commit --------------------------------------------------------- */

/* Numbers from first to last, which do not wrap. */
static enum mess_err
put_run(struct ids *i, uint64_t first, uint64_t last)
{
	uint64_t off = IDS_HEAD_LEN + (uint64_t)ids_index(i, first) * IDS_SLOT_LEN;
	enum mess_err err;
	char *p;

	if ((err = journal_put(store_journal(i->store), i->file, off,
	    (size_t)(last - first + 1) * IDS_SLOT_LEN, &p)) != MESS_OK)
		return err;
	for (uint64_t n = first; n <= last; n++, p += IDS_SLOT_LEN)
		ids_slot_write(&i->slots[ids_index(i, n)], p);
	return MESS_OK;
}

static enum mess_err
put_slots(void *arg)
{
	struct ids *i = arg;
	uint64_t first = i->put + 1, wrap = i->count - ids_index(i, i->count);
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
	i->part.most = IDS_PUTS_MOST;
}

size_t
ids_room(size_t n)
{
	return IDS_PUTS_MOST + n * IDS_SLOT_LEN;
}

bool
ids_is_crowded(const struct ids *i, size_t n)
{
	return (size_t)(i->count - i->put) + i->joined + n > COMMIT_MOST;
}

enum mess_err
ids_join(struct ids *i, size_t n)
{
	size_t need = (size_t)(i->count - i->put) + i->joined + n;

	if (ids_is_crowded(i, n))
		return MESS_TOOBIG;
	if (need > i->undo_cap) {
		size_t cap = need < 64 ? 64 : need * 2;
		struct undo *undo = reallocarray(i->undo, cap, sizeof *undo);

		if (undo == NULL)
			return MESS_LIMIT;
		i->undo = undo;
		i->undo_cap = cap;
	}
	store_join(i->store, &i->part);
	store_widen(i->store, &i->part, n * IDS_SLOT_LEN);
	i->joined += n;
	return MESS_OK;
}

/* --- adding and finding ------------------------------------------------- */

static struct slot
slot_of(const struct ids *i, const struct ids_key *key)
{
	unsigned char p[8 + RECORD_KEY_MAX];
	XXH128_hash_t hash;

	le32_put(p, key->uid);
	le32_put(p + 4, (uint32_t)key->kind);
	memcpy(p + 8, key->key, key->len);
	hash = XXH3_128bits_withSecret(p, 8 + key->len, i->secret, IDS_SECRET_LEN);
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
	index = ids_index(i, s.number);
	undo->old = i->slots[index];
	forget(i, index);
	undo->shadowed = ids_enter(i, index, &s);
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
		uint32_t index = ids_index(i, i->count), at = locate(i, &i->slots[index]);

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

/* --- opening and closing ------------------------------------------------ */

enum mess_err
ids_open(struct store *s, int dir, const struct journal_name *topic, struct ids **out)
{
	struct ids *i = calloc(1, sizeof *i);
	enum mess_err err;

	if (i == NULL)
		return MESS_LIMIT;
	*i = (struct ids){ .store = s, .dir = dir, .name = *topic };
	i->name.kind = JOURNAL_IDS;
	i->part = (struct store_part){ .most = IDS_PUTS_MOST, .put = put_slots, .done = put_done, .arg = i };
	if ((err = ids_load(i)) != MESS_OK) {
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
	if (i->sweep_set)
		journal_cancel(store_journal(i->store), &i->sweep);
	journal_file_unref(i->file);
	free(i->slots);
	free(i->table);
	free(i->undo);
	free(i);
}

bool
ids_is_idle(const struct ids *i)
{
	return i == NULL || (!i->part.joined && !i->sweep_set);
}
