/* SPDX-License-Identifier: ISC */
/*
 * What publishers asked to be stored once: the last ids of a topic, each
 * with the number of its message.
 *
 * Promise: an id is durable with its message or not at all, and is known
 * for IDS_SECONDS, if it is among the topic's last IDS_SLOTS_MOST, and as
 * long as it is among the last IDS_SLOTS; also after a restart.  Ids of one
 * user are no other's.  mess-spool(5) has the bytes.
 */
#ifndef IDS_H
#define IDS_H

#include "store.h"

#define IDS_SLOTS 65536
#define IDS_SLOTS_MOST 1048576
#define IDS_SECONDS 600

enum ids_kind {
	IDS_ID = 1,	/* Mess-Ask-Id */
	IDS_KEY = 2,	/* Mess-Ask-Key */
};

struct ids_key {
	enum ids_kind kind;
	uint32_t uid;
	const char *key;
	size_t len;		/* at most RECORD_KEY_MAX */
};

struct ids;

/*
 * The ring of the topic in dir (borrowed for its life), made when missing:
 * whole and synced before its first use.  One whose first block is damaged
 * is set aside, loudly, and begun anew.
 */
NODISCARD enum mess_err ids_open(struct store *s, int dir, const struct journal_name *topic,
    struct ids **out);
void ids_free(struct ids *i);
/* Nothing of it waits for a commit. */
bool ids_is_idle(const struct ids *i);
/* For recovery: the file of a journal entry, whose name says the size. */
NODISCARD enum mess_err ids_open_file(int dir, uint64_t size, int *out);

/* Is it known, what is gathered included?  Then *seq is its message. */
bool ids_find(const struct ids *i, const struct ids_key *key, uint64_t *seq);

/*
 * For n more: makes a larger ring where one would be forgotten before its
 * time; then what is gathered is committed first.
 */
NODISCARD enum mess_err ids_make_way(struct ids *i, size_t n);

/*
 * Room that a commit needs for n ids, and n more of them in the commit
 * being gathered: call after store_room (or log_begin) for that room, so
 * that no commit comes between a message and its id.
 */
size_t ids_room(size_t n);
/* So many in the commit being gathered that n more are for the next. */
bool ids_is_crowded(const struct ids *i, size_t n);
NODISCARD enum mess_err ids_join(struct ids *i, size_t n);
/* One of those that were joined. */
void ids_add(struct ids *i, const struct ids_key *key, uint64_t seq);

/* Take back what was added since the mark, of the commit being gathered. */
uint64_t ids_mark(const struct ids *i);
void ids_rewind(struct ids *i, uint64_t mark);

#endif
