/* SPDX-License-Identifier: ISC */
/*
 * The log of one topic: its messages in order of number, in segments.
 *
 * Promise: numbers rise by one and are never used again; a message that
 * log_append took is whole and durable once store_commit said so, or was
 * never there.
 */
#ifndef LOG_H
#define LOG_H

#include "base/sock.h"
#include "segment.h"
#include "store.h"

struct log;
struct body;

/* The first four: why numbers were freed, the account of mess-spool(5). */
enum log_count {
	LOG_SETTLED,
	LOG_EXPIRED,
	LOG_PURGED,
	LOG_DROPPED,
	LOG_DAMAGED,
	LOG_REFUSED,		/* publishes that a limit or a pause refused: no numbers */
	LOG_DUPLICATES,		/* publishes of an id that was there */
	LOG_COUNTS,
};

/*
 * Make a topic's files in dir (private, empty): tmp new cur sub, state and
 * the first segment.  All synced, dir too.
 */
NODISCARD enum mess_err log_create(int dir, const struct journal_name *name);

/* name: topic and incarnation.  dir is borrowed for the log's life. */
NODISCARD enum mess_err log_open(struct store *s, int dir, const struct journal_name *name,
    struct log **out);
/* What was appended must have been committed; waits for the helper. */
void log_close(struct log *l);

/*
 * For recovery: is this the topic's incarnation, and the file of an entry.
 * MESS_CORRUPT: it is another, or none; any other error may pass.
 */
NODISCARD enum mess_err log_check_incarnation(int dir, const unsigned char *id);
NODISCARD enum mess_err log_open_file(int dir, const struct journal_name *name, int *out);

/*
 * Append one message (a checked one, body at most MESS_INLINE_MAX) to the
 * commit being gathered; *seq is its number once that is durable.
 */
NODISCARD enum mess_err log_append(struct log *l, const struct mess_peer *from,
    const struct mess_message *msg, uint64_t *seq);
/* The same for a body that streamed into a file (body.h); above MESS_INLINE_MAX it stays one. */
NODISCARD enum mess_err log_append_body(struct log *l, const struct mess_peer *from,
    struct body *b, uint64_t *seq);

/*
 * All or nothing: make room for bytes of bodies and headers in count
 * messages, append them; log_rewind takes back what came since the mark.
 */
struct log_mark {
	struct journal_mark journal;
	uint64_t next, tail_off, block, sec;
	uint32_t nsec;
	size_t segments;
};
NODISCARD enum mess_err log_begin(struct log *l, size_t count, size_t bytes, struct log_mark *out);
void log_rewind(struct log *l, const struct log_mark *mark);

uint64_t log_first(const struct log *l);	/* first number kept */
uint64_t log_next(const struct log *l);		/* number of the next message */
uint64_t log_durable(const struct log *l);	/* numbers below are durable and may be read */
uint64_t log_end(const struct log *l);		/* end of the durable bytes in the last segment */
const struct journal_name *log_name(const struct log *l);
struct store *log_store(const struct log *l);
int log_dir(const struct log *l);
int log_cur(const struct log *l);

/* Called after a commit that made more of the log durable. */
void log_on_durable(struct log *l, void (*fn)(void *arg), void *arg);

/*
 * Nobody is to read what is below n any more, by the commit being gathered:
 * its files go after the next checkpoint.
 */
NODISCARD enum mess_err log_free_below(struct log *l, uint64_t n, enum log_count why);
/* After everything was freed: the last file can go too, and what was made ahead. */
void log_free_tail(struct log *l);
/*
 * The least first number that gives bytes back: behind the oldest file, or
 * the oldest body that has one of its own; always below log_next().
 */
uint64_t log_next_loss(const struct log *l);

void log_count(struct log *l, enum log_count what, uint64_t n);
/* The same without a commit of its own: a crash may forget it. */
void log_note(struct log *l, enum log_count what, uint64_t n);
uint64_t log_counted(const struct log *l, enum log_count what);

/* Nothing of it waits for a commit, a checkpoint or the helper: it may be closed and opened again. */
bool log_is_idle(const struct log *l);

/*
 * Bytes of the files that hold messages kept, as far as they are used; what
 * the commit being gathered changes is in it.
 */
uint64_t log_bytes(const struct log *l);
/* Segments made from now on are small enough that max_bytes (0: no limit) is some eight of them. */
void log_limit_segments(struct log *l, uint64_t max_bytes);

/* The segment that holds seq, or the one after where that is missing; MESS_CORRUPT when none. */
NODISCARD enum mess_err log_segment(struct log *l, uint64_t seq, struct segment **out);
/* First number of the segment after this one; log_durable() for the last. */
uint64_t log_segment_end(const struct log *l, const struct segment *s);
bool log_is_tail(const struct log *l, const struct segment *s);

#endif
