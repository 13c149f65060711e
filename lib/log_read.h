/* SPDX-License-Identifier: ISC */
/*
 * Reading a log: runs of records in order, as they stand on disk.
 *
 * Promise: what is handed out checked; what does not is told as damage
 * with the numbers it costs, and reading goes on behind it.  Nothing is
 * kept per reader but a place, so a backlog and a slow reader cost nothing.
 */
#ifndef LOG_READ_H
#define LOG_READ_H

#include "log.h"
#include "record.h"

/* Memory that readings share. */
struct log_reader;
NODISCARD enum mess_err log_reader_new(struct log_reader **out);
void log_reader_free(struct log_reader *r);
/* Give memory back; called when there is nothing to do. */
void log_reader_rest(struct log_reader *r);

/* Where a reader is; zero is nowhere yet.  Holds its segment. */
struct log_cursor {
	struct segment *segment;
	uint64_t seq, off;
};
void log_cursor_drop(struct log_cursor *c);

struct log_run {
	uint64_t first, last;		/* numbers */
	const char *data;		/* the records; borrowed until the next log_read */
	size_t len;
	struct segment *segment;	/* where they stand: borrowed from the cursor */
	uint64_t off;
	bool apart;			/* one record whose body is in a file of its own */
	struct record record;		/* of it */
	size_t line_len;		/* of its first line */
	bool special;			/* a header of the engine says of one when, or for whom, it is */
	bool damaged;			/* none of first to last can be handed out; data is NULL */
};

/*
 * The longest run of records from `from` to at most `last` (durable) that
 * fits max_bytes, at least one.  The cursor moves behind it.
 */
NODISCARD enum mess_err log_read(struct log_reader *r, struct log *l, struct log_cursor *c,
    uint64_t from, uint64_t last, size_t max_bytes, struct log_run *out);

/*
 * The first number kept whose message came at that time or after, the next
 * number when none did.  Damage on the way counts with what lies behind it.
 */
NODISCARD enum mess_err log_seek_time(struct log *l, struct log_reader *r, uint64_t sec,
    uint32_t nsec, uint64_t *out);
/* When the oldest message came that is kept and can be read; MESS_NOTOPIC when there is none. */
NODISCARD enum mess_err log_oldest_time(struct log *l, struct log_reader *r, uint64_t *sec,
    uint32_t *nsec);

/* The first line of a mess1 record for one whose body is apart; its length. */
size_t log_run_line(const struct log_run *run, char *out);

#endif
