/* SPDX-License-Identifier: ISC */
/*
 * A subscription's place on disk: how far it got.  A file of fixed size,
 * sub/NAME, whose block goes through the journal; mess-spool(5) has the
 * bytes.
 */
#ifndef PLACE_H
#define PLACE_H

#include "attempts.h"
#include "base/ranges.h"
#include "grants.h"
#include "journal.h"

#define PLACE_SIZE ((size_t)64 * 1024)
/*
 * Ranges above the floor on disk.  What is settled and what is held by a
 * token must be among them, so those never become more; tries are written
 * as far as there is room.
 */
#define PLACE_RANGES_MAX 2000
#define PLACE_MATCH_MAX 512	/* bytes of --match */
#define PLACE_SHARE_MAX 480	/* bytes of --share, with numbers */

/* How a number was settled: the account of mess-spool(5). */
enum place_count {
	PLACE_ACKED,
	PLACE_DEAD,
	PLACE_EXPIRED,
	PLACE_PURGED,
	PLACE_DROPPED,
	PLACE_DAMAGED,
	PLACE_SKIPPED,
	PLACE_COUNTS,
};

struct place {
	uint64_t id;		/* random, tells it from an earlier one of the name */
	uint32_t owner;		/* uid that made it */
	uint64_t start;		/* floor less all that was settled below it: the account's other side */
	uint64_t floor;		/* all below is settled */
	uint64_t next;		/* all at and above was never handed out */
	uint64_t counts[PLACE_COUNTS];
	uint64_t redelivered;
	struct ranges settled;	/* above the floor */
	struct attempts attempts;	/* above the floor */
	char match[PLACE_MATCH_MAX + 1];	/* "Header=GLOB", or "" for all; never changes */
	struct grants *share;	/* who takes from it, owned; NULL: all who may subscribe; never changes */
};

void place_free(struct place *p);

/* Make sub/NAME in the topic's directory, synced, sub/ too. */
NODISCARD enum mess_err place_make(int topic_dir, const char *sub, const struct place *p);
/* The same in the place of one that is there and that no live entry of the journal names. */
NODISCARD enum mess_err place_replace(int topic_dir, const char *sub, const struct place *p);
/* MESS_NOSUB when there is none. */
NODISCARD enum mess_err place_open_file(int topic_dir, const char *sub, int *out);
/*
 * MESS_CORRUPT when a block does not check; what its match then is, if that
 * does, is in out, and who takes from it: nobody where that cannot be read.
 */
NODISCARD enum mess_err place_read(int fd, struct place *out);
/*
 * A removed one keeps its file, sub/.gone-ID, for as long as the journal
 * may name it: durable when this returns MESS_OK, its name without sub/ in
 * gone (PLACE_GONE_LEN bytes).
 */
#define PLACE_GONE_LEN 32
NODISCARD enum mess_err place_remove(int topic_dir, const char *sub, uint64_t id, char *gone);
bool place_name_is_gone(const char *name);
/* For recovery: was one with this id removed? */
bool place_was_removed(int topic_dir, uint64_t id);

/*
 * raise: the floor goes over what is settled above it without a gap.
 * forget: settle for a reason what is not settled below that number.
 */
NODISCARD enum mess_err place_raise(struct place *p);
NODISCARD enum mess_err place_forget(struct place *p, uint64_t below, enum place_count why);

/*
 * For recovery: does the file have this id?  MESS_CORRUPT: another, or none;
 * right also where the block is torn.  Any other error may pass.
 */
NODISCARD enum mess_err place_check_id(int fd, uint64_t id);

/* Ranges that must be on disk. */
size_t place_must(const struct place *p);

/* Of the block that changes. */
size_t place_len(const struct place *p);
void place_write(const struct place *p, char *out);

#endif
