/* SPDX-License-Identifier: ISC */
/*
 * A subscription's place on disk: how far it got.  A file of fixed size,
 * sub/NAME, whose block goes through the journal; mess-spool(5) has the
 * bytes.
 */
#ifndef PLACE_H
#define PLACE_H

#include "base/ranges.h"
#include "journal.h"

#define PLACE_SIZE ((size_t)64 * 1024)
#define PLACE_RANGES_MAX 2000	/* settled ranges above the floor; then nothing new is handed out */

struct place {
	uint64_t id;		/* random, tells it from an earlier one of the name */
	uint32_t owner;		/* uid that made it */
	uint64_t floor;		/* all below is settled */
	uint64_t acked;		/* how many, since it was made */
	uint64_t redelivered;
	uint64_t damaged;
	struct ranges settled;	/* above the floor */
};

void place_free(struct place *p);

/* Make sub/NAME in the topic's directory, synced, sub/ too. */
NODISCARD enum mess_err place_make(int topic_dir, const char *sub, const struct place *p);
/* MESS_NOSUB when there is none. */
NODISCARD enum mess_err place_open_file(int topic_dir, const char *sub, int *out);
/* MESS_CORRUPT when the block does not check. */
NODISCARD enum mess_err place_read(int fd, struct place *out);
/* For recovery: does the file have this id?  Right also where the block is torn. */
bool place_is(int fd, uint64_t id);

size_t place_len(const struct place *p);
void place_write(const struct place *p, char *out);

#endif
