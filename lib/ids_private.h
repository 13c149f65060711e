/* SPDX-License-Identifier: ISC */
/*
 * A ring of ids from inside: for ids.c (finding, adding, committing) and
 * ids_file.c (the file, opening, growing) only.
 */
#ifndef IDS_PRIVATE_H
#define IDS_PRIVATE_H

#include "ids.h"

#define IDS_HEAD_LEN 4096	/* of the file: a block of its own */
#define IDS_SECRET_LEN 192
#define IDS_SLOT_LEN 40
#define IDS_PUTS_MOST 1024	/* the items of two puts */

struct slot {
	uint64_t low, high;	/* the hash */
	uint64_t number;	/* from 1, rising: it stands at number % size; 0: empty */
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
	unsigned char secret[IDS_SECRET_LEN];
	uint32_t size;		/* slots, a power of two */
	struct slot *slots;
	uint32_t *table;	/* twice the size; index of a slot + 1; 0: nothing */
	uint64_t count;		/* number of the last one */
	uint64_t put;		/* the last one that is in no commit being gathered */
	struct undo *undo;	/* for put + 1 and on */
	size_t undo_cap;
	size_t joined;		/* may still be added */
	struct journal_after sweep;	/* removes smaller files */
	bool sweep_set;
};

static inline uint32_t
ids_table_mask(const struct ids *i)
{
	return 2 * i->size - 1;
}

static inline uint32_t
ids_home(const struct ids *i, const struct slot *s)
{
	return (uint32_t)s->low & ids_table_mask(i);
}

/* Where number n stands. */
static inline uint32_t
ids_index(const struct ids *i, uint64_t n)
{
	return (uint32_t)n & (i->size - 1);
}

/* Put a slot at its index into the table; returns what that had for its hash. */
uint32_t ids_enter(struct ids *i, uint32_t index, const struct slot *s);

void ids_slot_write(const struct slot *s, char *p);
struct slot ids_slot_read(const char *p);

/* The file of the ring, found or made, and what is in it. */
NODISCARD enum mess_err ids_load(struct ids *i);

#endif
