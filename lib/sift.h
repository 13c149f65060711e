/* SPDX-License-Identifier: ISC */
/*
 * Which of the messages that were read are for a subscription, now: what is
 * delayed, expired, for another subscription, or not matched is not.
 */
#ifndef SIFT_H
#define SIFT_H

#include "log_read.h"
#include "subscription.h"

enum verdict {
	SIFT_SEND,
	SIFT_WAIT,	/* until due */
	SIFT_EXPIRED,
	SIFT_SKIP,	/* another subscription's, or not matched */
};

/* The first messages of a run, as many as have the same verdict. */
struct sifted {
	enum verdict verdict;
	uint64_t last;		/* number of the last of them */
	size_t len;		/* their bytes */
	uint64_t due;		/* the earliest, by loop_now() */
};

/* Has one of a message's headers a value that a "Header=GLOB" matches? */
bool sift_matches(const char *match, const char *headers, size_t len);
void sift(const struct subscription *s, const struct log_run *run, struct sifted *out);
/* Has the first message of a run expired? */
bool sift_is_over(const struct log_run *run);
/* Letters: SIFT_SEND what a subscription of that user's own gave up, SIFT_SKIP the others. */
void sift_letters(uint32_t owner, const struct log_run *run, struct sifted *out);

#endif
