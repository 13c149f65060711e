/* SPDX-License-Identifier: ISC */
/*
 * A rate.
 */
#include "bucket.h"

#define HOUR_MS ((uint64_t)3600 * 1000)

int64_t
bucket_fill(struct bucket *b, int64_t most, uint64_t now)
{
	uint64_t passed = now > b->filled_ms ? now - b->filled_ms : 0;
	int64_t more, parts;

	if (b->filled_ms == 0) {
		*b = (struct bucket){ .left = most, .filled_ms = now };
		return most;
	}
	if (passed == 0)
		return b->left;
	/* Longer than an hour is an hour: nothing is owed that long. */
	passed = passed < HOUR_MS ? passed : HOUR_MS;
	parts = most % 1000 * (int64_t)passed + b->parts;
	if (__builtin_mul_overflow(most / 1000, (int64_t)passed, &more) ||
	    __builtin_add_overflow(more, parts / 1000, &more))
		more = INT64_MAX;
	b->parts = (int)(parts % 1000);
	b->left = more < most - b->left ? b->left + more : most;
	b->filled_ms = now;
	return b->left;
}

bool
bucket_spend(struct bucket *b, int64_t most, uint64_t now, uint64_t n)
{
	int64_t left = bucket_fill(b, most, now);

	if (left <= 0 || (n > (uint64_t)left && left < most))
		return false;
	b->left -= n < INT64_MAX / 4 ? (int64_t)n : INT64_MAX / 4;
	return true;
}

void
bucket_owe(struct bucket *b, int64_t most, uint64_t now, uint64_t n)
{
	(void)bucket_fill(b, most, now); /* what is left counts when it is spent */
	b->left -= n < (uint64_t)most ? (int64_t)n : most;
}
