/* SPDX-License-Identifier: ISC */
/*
 * Instructions of a publisher to the engine: the lines that begin a
 * message's headers and say what is to be done with it.  Pure.
 *
 *   Mess-Ask-Due: SEC.NNNNNNNNN       deliver it not before
 *   Mess-Ask-Expires: SEC.NNNNNNNNN   nor from then on
 *   Mess-Ask-Id: KEY                  publish it once
 *   Mess-Ask-Key: KEY                 publish it only while no other of this key waits
 *
 * They are not stored; Mess-Due, Mess-Expires, Mess-Id and Mess-Key are,
 * first in the record's headers, in this order.
 */
#ifndef INSTRUCT_H
#define INSTRUCT_H

#include <string.h>

#include "record.h"

#define INSTRUCT_MAX 1024	/* bytes of all of them */
#define INSTRUCT_PREFIX "Mess-Ask-"

struct instruct_text {
	const char *at;		/* borrowed, not ended; NULL: not asked for */
	size_t len;
};

struct instruct {
	struct instruct_text due, expires, id, key;
	size_t len;		/* bytes of the block that they are */
};

/* Does a block of headers begin with one? */
static inline bool
instruct_begins(const char *headers, size_t len)
{
	return len >= sizeof INSTRUCT_PREFIX - 1 &&
	    memcmp(headers, INSTRUCT_PREFIX, sizeof INSTRUCT_PREFIX - 1) == 0;
}

/*
 * The instructions that begin a block; none is MESS_OK.  What follows them
 * is for record_headers_check.  MESS_BADDATA, with a static line in *why
 * (may be NULL), for one that is not known, said twice, or not valid.
 */
NODISCARD enum mess_err instruct_read(const char *headers, size_t len, struct instruct *out,
    const char **why);

/* The headers that a record has for them, at most INSTRUCT_MAX bytes; returns the length. */
size_t instruct_write(const struct instruct *i, char *out);

#endif
