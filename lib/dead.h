/* SPDX-License-Identifier: ISC */
/*
 * Dead letters: what was given up goes into NAME.dead, and comes back from
 * there.
 *
 * Promise: a message is in its topic unsettled or in NAME.dead, never in
 * both and never in neither: the letter and the settling are one commit.
 */
#ifndef DEAD_H
#define DEAD_H

#include "delivery.h"

/* Who makes NAME.dead, and reads. */
struct dead_host {
	struct topics *topics;
	struct log_reader *reader;
	void (*made)(void *arg, struct topic *t);	/* it was made */
	void *arg;
};

#define DEAD_TEXT_MAX 4096

/* Why; values as headers have them, borrowed, not ended. */
struct dead_text {
	const char *at;
	size_t len;
};
struct dead_why {
	struct dead_text reason, status, stderr_tail;
	uint32_t attempts;
};

/* A topic's NAME.dead; NULL if it has none, or is one. */
struct topic *dead_topic(struct topics *topics, const char *name);

/* Is it a topic of dead letters?  Nothing dies there. */
bool dead_is_topic(const char *name);

/*
 * Into NAME.dead, in the commit being gathered: seq is in lease's hands
 * (lease_holds), or, with lease NULL, held by a token that was checked.
 */
NODISCARD enum mess_err dead_letter(const struct dead_host *h, struct subscription *s,
    struct lease *lease, uint64_t seq, const struct dead_why *why);

/*
 * Back to the subscriptions that failed them: those of NAME.dead that its
 * subscription `default' has not settled and nobody holds.  out->moved of
 * them, each whole in a commit; out->stay are of subscriptions that do not
 * exist, the first of out->stays_of.
 */
struct dead_redriven {
	uint64_t moved, stay;
	char stays_of[NAME_SUB_MAX + 1];
};
struct dead_filter {
	const char *sub;		/* "" for all */
	uint64_t from, to;		/* numbers in NAME.dead */
	const char *match;		/* "Header=GLOB", "" for all */
	bool own_only;			/* only what this user's own subscriptions gave up */
	uid_t owner;
};
NODISCARD enum mess_err dead_redrive(const struct dead_host *h, struct topic *topic,
    const struct dead_filter *filter, struct dead_redriven *out);

/* How many letters wait in NAME.dead. */
uint64_t dead_waiting(struct topics *topics, const struct topic *topic);

#endif
