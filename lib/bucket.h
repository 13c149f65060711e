/* SPDX-License-Identifier: ISC */
/*
 * A rate: a bucket that holds a second's worth fills with time, and what is
 * done is taken out.  Pure; times are the caller's, in milliseconds.
 *
 * Promise: in any time no more passes than the rate allows, and one bucket;
 * no time is lost by looking often, and a time that goes back fills nothing.
 */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	int64_t left;		/* below 0: what was taken in one go is made up for */
	int parts;		/* thousandths of one more */
	uint64_t filled_ms;	/* 0: never, and then it is full */
};

/* What there is by now, of most, which is also what comes in a second. */
int64_t bucket_fill(struct bucket *b, int64_t most, uint64_t now);
/* Take n, if they are there; more than it holds are taken from a full one, and owed. */
bool bucket_spend(struct bucket *b, int64_t most, uint64_t now, uint64_t n);
/* Take n, which were had already; at most one bucketful is owed for them. */
void bucket_owe(struct bucket *b, int64_t most, uint64_t now, uint64_t n);

#endif
