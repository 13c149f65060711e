/* SPDX-License-Identifier: ISC */
/*
 * The message record: text <-> struct.  Pure: no descriptors, no memory of
 * its own, no clock.
 *
 *   mess1 SEQ TIME UID GID PID HLEN BLEN SUM\n
 *   Name: value\n ...     HLEN bytes
 *   \n
 *   body\n                BLEN bytes
 *
 * SUM is the XXH3-64, in 16 hex digits, of the line's bytes before it,
 * seeded with the XXH3-64 of headers, newline and body.  The payload comes
 * first, so that it can be summed while it streams in and before the
 * message has a number.
 *
 * In a segment a body above MESS_INLINE_MAX is a file of its own; then the
 * first word is body1, the body part is empty, and SUM is that of the mess1
 * record a reader is given.
 */
#ifndef RECORD_H
#define RECORD_H

#include "base/err.h"

#define RECORD_LINE_MAX 192	/* longest first line with its newline */
#define RECORD_HEADERS_MAX 8192	/* of a caller */
#define RECORD_BLOCK_MAX 16384	/* headers of a record, those of the engine with them */
#define RECORD_KEY_MAX 255	/* bytes of a key of --id, --unless-queued */
#define RECORD_BODY_MAX ((uint64_t)INT64_MAX)	/* so that sums of lengths do not overflow */
#define RECORD_HEADERS_COUNT 64
#define RECORD_HEADER_NAME_MAX 64
/* Longest record that a segment holds: line, headers, inline body, two newlines. */
#define RECORD_MAX (RECORD_LINE_MAX + RECORD_BLOCK_MAX + MESS_INLINE_MAX + 2)

struct record {
	uint64_t seq;
	uint64_t sec;
	uint32_t nsec;
	uint32_t uid, gid, pid;
	uint32_t headers_len;
	uint64_t body_len;
	uint64_t sum;
	bool apart;		/* body1: the body is in a file of its own */
};

/*
 * A number as records and lines of the protocol have it: decimal, no sign,
 * no leading zero, at most 2^64-1.  On true *at is behind its last digit.
 */
static inline bool
record_read_number(const char **at, const char *end, uint64_t *out)
{
	const char *p = *at;
	uint64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return false;
	if (p == *at || (**at == '0' && p - *at > 1))
		return false;
	*at = p;
	*out = n;
	return true;
}

/*
 * A file of records in new/: all of it must fit one commit, whatever the
 * envelopes that the engine writes.
 */
#define RECORD_FILE_MAX ((size_t)2 * 1024 * 1024)
#define RECORD_FILE_COUNT 8192

/* Bytes after the line: headers, newline, body (unless apart), newline. */
uint64_t record_rest_len(const struct record *r);

/*
 * The sum of headers, newline and body, in one call or in pieces (which the
 * caller adds, that newline included).  record_summer_new returns NULL when
 * there is no memory.
 */
uint64_t record_payload_sum(const void *headers, size_t headers_len, const void *body, size_t body_len);
struct record_summer;
struct record_summer *record_summer_new(void);
void record_summer_free(struct record_summer *s);
void record_summer_add(struct record_summer *s, const void *data, size_t len);
uint64_t record_summer_end(const struct record_summer *s);

/*
 * Write the line for r into out (RECORD_LINE_MAX bytes), its newline
 * included; r->sum is set from payload_sum.  Returns the length.
 */
size_t record_write_line(struct record *r, uint64_t payload_sum, char *out);

/*
 * Read a line of len bytes, its newline included.  MESS_BADDATA unless
 * every byte is as record_write_line would have written it (canonical
 * numbers, known kind, lengths within the limits).
 */
NODISCARD enum mess_err record_read_line(const char *line, size_t len, struct record *out);

/* Does SUM hold for the line and a payload with this sum?  Also for body1. */
bool record_sum_holds(const struct record *r, uint64_t payload_sum);

/*
 * One whole record at the front of len bytes: MESS_OK with its length,
 * MESS_TOOBIG when more bytes are needed than there are (but the line, if
 * whole, was good), MESS_BADDATA when it is none, MESS_CORRUPT when either
 * its sum or its last newline is wrong but the other says that its lengths
 * are right: *out and *record_len are then written too.  SUM of a body1
 * record is for who has its body: record_sum_holds.
 */
NODISCARD enum mess_err record_read(const char *data, size_t len, struct record *out, size_t *record_len);

/*
 * One header line without its newline; names that start with Mess-, in any
 * case, only when engine is set.  MESS_BADDATA or, past a limit, MESS_TOOBIG
 * and a static line that says which rule is broken in *why (may be NULL).
 */
NODISCARD enum mess_err record_header_check(const char *line, size_t len, bool engine, const char **why);
/* A block of them, newlines included. */
NODISCARD enum mess_err record_headers_check(const char *headers, size_t len, bool engine, const char **why);
/* The next header of a checked block; false at its end.  Borrowed, not ended. */
struct record_header {
	const char *line, *name, *value;
	size_t line_len, name_len, value_len;	/* of the line with its newline */
};
bool record_next_header(const char **headers, size_t *len, struct record_header *out);
bool record_header_is(const struct record_header *h, const char *name);
/* Remove the Mess- headers from a block in place; returns the new length. */
size_t record_headers_strip(char *headers, size_t len);

#endif
