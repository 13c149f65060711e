/* SPDX-License-Identifier: ISC */
/*
 * A log from inside: for log.c (state, opening), log_append.c (segments,
 * appending) and log_free.c (freeing, bytes) only.
 */
#ifndef LOG_PRIVATE_H
#define LOG_PRIVATE_H

#include "log.h"

/* A segment's file.  bytes is 0 for the last one: it is used as far as tail_off. */
struct log_file {
	uint64_t first, bytes;
};

/* A body in a file of its own: 16 bytes here for 256 KiB and more there. */
struct log_body {
	uint64_t seq, bytes;
};

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
	struct log_file *files;		/* of the segments, ascending; the last is the tail */
	size_t segments, segments_cap;
	size_t low;			/* the file that holds `first', or would */
	uint64_t full_bytes;		/* of the files from low on, without the tail */
	struct log_body *body_list;	/* of kept messages, ascending, from body_head on */
	size_t body_head, body_end, body_cap;
	uint64_t body_bytes;
	uint64_t segment_cap;		/* segments are made no larger, 0: SEGMENT_MAX */
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
	bool bodies;			/* there may be files of them in cur/ */
	bool free_wanted;		/* the commit being gathered frees files */
	bool sweep_set;
	uint64_t sweep_below;		/* what the first number was when it was set */
	struct journal_after sweep;
};

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t log_clock(void);
/* One more segment at the end of the list. */
NODISCARD enum mess_err log_add_segment(struct log *l, uint64_t first);

/* log_append.c: begin a segment although the tail has room; what was there can go. */
NODISCARD enum mess_err log_roll(struct log *l);

/* log_free.c */
/* Room for one more body in the list, before its message is appended. */
NODISCARD enum mess_err log_have_body(struct log *l);
void log_add_body(struct log *l, uint64_t seq, uint64_t bytes);
/* Those of messages from next on, which were taken back, go. */
void log_rewind_bodies(struct log *l, uint64_t next);
/* The files and their bytes are known: from now on they are kept up to date. */
void log_count_bytes(struct log *l);
/* After a commit that freed files, or at opening. */
void log_set_sweep(struct log *l);

#endif
