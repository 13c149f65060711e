/* SPDX-License-Identifier: ISC */
/*
 * A log from inside: for log.c (state, opening, freeing) and log_append.c
 * (segments, appending) only.
 */
#ifndef LOG_PRIVATE_H
#define LOG_PRIVATE_H

#include "log.h"

#define LOG_READY ".ready"	/* in cur/: the next segment, made ahead */

struct log {
	struct store *store;
	struct journal_name name;
	int dir, cur;
	struct journal_file *state;
	uint64_t first, next, durable;
	uint64_t first_durable;		/* first, as a power cut would find it */
	uint64_t sec;			/* time of the last message: never goes back */
	uint32_t nsec;
	uint64_t counts[LOG_COUNTS];
	uint64_t *firsts;		/* of the segments, ascending; the last is the tail */
	size_t segments, segments_cap;
	struct segment *tail;
	uint64_t tail_off, durable_off;	/* tail_off 0: its first line is still to be put */
	uint64_t block;			/* index block of the last record, + 1 */
	struct segment *recent;		/* last one opened for reading */
	struct store_part part;
	void (*on_durable)(void *arg);
	void *on_durable_arg;
	struct work_job ready_job;	/* makes READY */
	uint64_t ready_size;		/* 0: there is none */
	uint64_t making_size;
	enum mess_err ready_err;
	uint64_t ready_failed_ms;
	uint64_t rolled_ms;
	bool bodies;			/* there may be some in cur/ */
	bool free_wanted;		/* the commit being gathered frees files */
	bool sweep_set;
	uint64_t sweep_below;		/* what the first number was when it was set */
	struct journal_after sweep;
};

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t log_clock(void);
/* One more segment at the end of the list. */
NODISCARD enum mess_err log_add_segment(struct log *l, uint64_t first);

#endif
