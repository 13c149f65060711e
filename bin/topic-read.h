/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: all that is present of a topic, in order; what is damaged is
 * named.
 */
#ifndef TOPIC_READ_H
#define TOPIC_READ_H

#include "topic-verb.h"

/*
 * Called for each message; the body of a large one is read with
 * mess_body_read by whoever wants it, else it is read to its end by the
 * caller, so that its sum is known.
 */
typedef enum mess_err (*topic_read_fn)(void *arg, struct mess *m, const struct mess_received *msg);

struct topic_read {
	const char *topic;
	topic_read_fn message;	/* NULL: only look whether they are whole */
	void *arg;
	uint64_t whole;		/* so many are */
	uint64_t damaged;
};

/*
 * On a connection that consumes nothing yet.  EX_OK; EX_DATAERR when some
 * are damaged: each was named; or the exit status of what was said.
 */
int topic_read(struct mess *m, struct topic_read *r);

#endif
