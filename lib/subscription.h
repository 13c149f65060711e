/* SPDX-License-Identifier: ISC */
/*
 * SUBSCRIPTION MANAGER: who reads a topic, and how far they got.
 *
 * Promise: every subscription sees every message at least once, in order;
 * its place survives.  Each number is exactly one of settled, leased, given
 * back or not yet handed out.
 */
#ifndef SUBSCRIPTION_H
#define SUBSCRIPTION_H

#include "place.h"
#include "topic.h"

struct subscription {
	char name[NAME_LABEL_MAX + 1];
	struct topic *topic;		/* held by who uses the subscription */
	struct place place;
	uint64_t next;			/* first number never handed out since the start */
	struct ranges back;		/* below next: handed out and not settled, free again */
	uint64_t leased;		/* numbers in consumers' hands */
	unsigned consumers;
	struct journal_file *file;	/* open while there are consumers */
	struct store_part part;
	TAILQ_ENTRY(subscription) link;
};

/* The topic's subscriptions, in order of name; the topic is in use. */
struct subscriptions;
NODISCARD enum mess_err subscriptions_of(struct topic *t, struct subscriptions **out);
struct subscription *subscriptions_first(struct subscriptions *s);
unsigned subscriptions_count(const struct subscriptions *s);
struct subscription *subscription_find(struct subscriptions *s, const char *name);
/* Make one, from the oldest message kept; durable. */
NODISCARD enum mess_err subscription_make(struct topic *t, const char *name, uid_t owner,
    struct subscription **out);

/* One more, one fewer consumer. */
NODISCARD enum mess_err subscription_attach(struct subscription *s);
/* What the consumer holds goes out again at once. */
void subscription_detach(struct subscription *s, struct ranges *leased);

/* The lowest run of numbers that is ready, at most max of them; false if none is. */
bool subscription_ready(struct subscription *s, uint64_t max, struct range *out);
/* So much is settled out of order that nothing is handed out until the floor moves. */
bool subscription_is_full(const struct subscription *s);
/* How many are ready, leased ones not counted. */
uint64_t subscription_ready_count(const struct subscription *s);
/* Not settled, whoever has them: what stat calls pending. */
uint64_t subscription_pending(const struct subscription *s);

/* Hand out a run that subscription_ready told; leased is the consumer's. */
NODISCARD enum mess_err subscription_lease(struct subscription *s, struct ranges *leased,
    const struct range *run);

/*
 * Settle what the consumer holds, in the commit being gathered.  MESS_USAGE
 * when it does not hold all of it, MESS_LIMIT when the place has no room for
 * more that is out of order: nothing is then changed.
 */
NODISCARD enum mess_err subscription_ack(struct subscription *s, struct ranges *leased,
    const struct range *run);
/* Settle what nobody can be given. */
NODISCARD enum mess_err subscription_damaged(struct subscription *s, const struct range *run);

#endif
