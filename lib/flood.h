/* SPDX-License-Identifier: ISC */
/*
 * How much of one kind is let through: a token bucket for each uid and
 * word.  Pure; times are the caller's, in milliseconds that only rise.
 *
 * Promise: a bounded table, and an exact count of what was held back.
 */
#ifndef FLOOD_H
#define FLOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FLOOD_BURST 100		/* at once */
#define FLOOD_RATE 10		/* a second, after that */
#define FLOOD_SLOTS 256		/* others share one bucket */
#define FLOOD_TRUSTED 64	/* of them for those who are trusted: nobody else fills these */
#define FLOOD_QUIET 10		/* tokens that are there again: it is over */
#define FLOOD_REPORT_MS 60000	/* one that goes on is told of so often */

/* word is a literal; it is kept. */
struct flood_key {
	const char *word;
	uid_t uid;
	bool trusted;
};

struct flood_bucket {
	struct flood_key key;		/* word NULL: a free one, or the shared one */
	uint64_t tokens;		/* in thousandths */
	uint64_t at;			/* when it had them */
	uint64_t held;			/* how many were held back */
	uint64_t since;			/* when the first of them was */
};

struct flood {
	struct flood_bucket buckets[FLOOD_SLOTS + 1];	/* the last is shared */
	unsigned holding;		/* buckets that hold something back */
};
void flood_init(struct flood *f);

/* May one more pass?  If not it was counted. */
bool flood_pass(struct flood *f, const struct flood_key *key, uint64_t now);
/* It passed, and was lost all the same. */
void flood_lost(struct flood *f, const struct flood_key *key, uint64_t n, uint64_t now);

/* The next of which there is something to tell now, and how many; all: whether or not it is over. */
bool flood_told(struct flood *f, uint64_t now, bool all, struct flood_key *key, uint64_t *count);

#endif
