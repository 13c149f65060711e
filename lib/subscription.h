/* SPDX-License-Identifier: ISC */
/*
 * SUBSCRIPTION MANAGER: who reads a topic, and how far they got.
 *
 * Promise: every subscription sees every message at least once, in order of
 * number among those that are ready; its place survives.  Each number is
 * exactly one of settled (by a reason), leased, delayed or waiting.
 */
#ifndef SUBSCRIPTION_H
#define SUBSCRIPTION_H

#include "place.h"
#include "topic.h"

/* What one consumer has of one subscription. */
struct lease {
	struct ranges held;
	struct ranges voided;	/* was held, and is not its to settle any more: its acks mean nothing */
	TAILQ_ENTRY(lease) link;
};

struct subscription {
	char name[NAME_SUB_MAX + 1];	/* NAME, the topic's, or UID.NAME, a user's own */
	struct topic *topic;		/* held by who uses the subscription */
	struct place place;
	TAILQ_HEAD(, lease) leases;	/* of its consumers */
	unsigned consumers;
	struct journal_file *file;	/* open while there are consumers, or something to commit */
	struct store_part part;
	bool damaged;			/* its file: made anew when it is needed */
	bool gone;			/* removed: its consumers let go */
	uint64_t yielded_ms;		/* when it last gave up messages at a limit */
	TAILQ_ENTRY(subscription) link;
};

/* subscription_list.c: the topic's subscriptions, in order of name; the topic is in use. */
struct subscriptions {
	TAILQ_HEAD(, subscription) list;
	unsigned count;
};
NODISCARD enum mess_err subscriptions_of(struct topic *t, struct subscriptions **out);
struct subscription *subscription_find(struct subscriptions *s, const char *name);
/* The name of a user's own, NAME_SUB_MAX + 1 bytes. */
void subscription_own_name(uid_t uid, const char *label, char *out);
/* A user's own, and whose; false: the topic's. */
bool subscription_is_own(const struct subscription *s, uid_t *owner);
const char *subscription_label(const struct subscription *s);

/* Make one; durable.  from: the first number it gets; match: "" for all; share is not taken. */
struct subscription_setup {
	const char *name;
	uid_t owner;
	uint64_t from;
	const char *match;
	struct grants *share;	/* who takes from it; NULL: all who may subscribe */
};
NODISCARD enum mess_err subscription_make(struct topic *t, const struct subscription_setup *setup,
    struct subscription **out);
/* Remove one without consumers; what is gathered is committed first; durable. */
NODISCARD enum mess_err subscription_remove(struct subscription *s);

/* Some subscription has not settled it; where there is none, it is present. */
bool subscriptions_want(struct topic *t, uint64_t seq);
/* Somebody has it in hand, for some subscription. */
bool subscriptions_have(struct topic *t, uint64_t seq);
/* All below is settled by every subscription. */
uint64_t subscriptions_floor(struct topic *t);

/* One more, one fewer consumer.  What it held goes out again at once, counted as a try. */
NODISCARD enum mess_err subscription_attach(struct subscription *s, struct lease *lease);
void subscription_detach(struct subscription *s, struct lease *lease);

/* A run of numbers that may be handed out together. */
struct handout {
	struct range run;
	uint32_t tries;		/* before this one */
};

/* The lowest run that is ready, at most max of them; false if none is. */
bool subscription_ready(struct subscription *s, uint64_t max, struct handout *out);
/* Something is ready now. */
bool subscription_has_ready(struct subscription *s);
/* So much above the floor is settled or tried that nothing is handed out until the floor moves. */
bool subscription_is_full(const struct subscription *s);
/* When something that waits is ready, by loop_now(); UINT64_MAX for never. */
uint64_t subscription_next_due(const struct subscription *s);

/* Numbers by what they are; pending is all three. */
struct subscription_counts {
	uint64_t pending, waiting, leased, delayed;
};
void subscription_count(const struct subscription *s, struct subscription_counts *out);

/* Hand out a run that subscription_ready told. */
NODISCARD enum mess_err subscription_lease(struct subscription *s, struct lease *lease,
    const struct handout *h);
/* Are all of these in its hands, or were they until somebody moved the subscription? */
bool lease_has(const struct lease *lease, uint64_t lo, uint64_t hi);
/* Is this one? */
bool lease_holds(const struct lease *lease, uint64_t seq);
/* Is an answer about it for a copy that was taken away?  Then that is answered. */
bool lease_drop_void(struct lease *lease, uint64_t seq);

/*
 * What a consumer has (lease_has) ends, in the commit being gathered; what
 * is void does nothing.  ack: settled; MESS_LIMIT when the place has no room
 * for more that is out of order: nothing is then changed.  defer: ready
 * again at due, counted as a try or not; MESS_LIMIT when too much was given
 * back apart from each other.  Before several acks: subscription_has_room
 * adds the ranges that one more would begin to *ranges, false when there is
 * no room for them.
 */
bool subscription_has_room(const struct subscription *s, const struct lease *lease,
    const struct range *run, size_t *ranges);
NODISCARD enum mess_err subscription_ack(struct subscription *s, struct lease *lease,
    const struct range *run, enum place_count how);
NODISCARD enum mess_err subscription_defer(struct subscription *s, struct lease *lease,
    const struct range *run, uint64_t due, bool counted);
/* How often it was tried before the time that is under way. */
uint32_t subscription_tries(const struct subscription *s, uint64_t seq);

/*
 * A lease by time: durable with the commit, good across restarts.
 * subscription_held finds it: MESS_NOSUB when there is none, or it is over.
 */
NODISCARD enum mess_err subscription_hold(struct subscription *s, struct lease *lease, uint64_t seq,
    const struct attempt *hold);
NODISCARD enum mess_err subscription_held(struct subscription *s, uint64_t seq, uint64_t token,
    uint32_t uid);

/*
 * What nobody holds, of a run that was read: settle it for a reason, or let
 * it wait until due.  A number that a consumer holds was read before, and
 * is that consumer's.  A sick spool settles nothing; what lies behind is
 * still handed out.
 */
NODISCARD enum mess_err subscription_pass(struct subscription *s, const struct range *run,
    enum place_count why);
NODISCARD enum mess_err subscription_wait(struct subscription *s, const struct range *run, uint64_t due);
/* Settle or defer one that is in nobody's hands, or held by a token that was checked. */
NODISCARD enum mess_err subscription_settle(struct subscription *s, uint64_t seq, enum place_count how);
NODISCARD enum mess_err subscription_put_off(struct subscription *s, uint64_t seq, uint64_t due,
    bool counted);

/*
 * subscription_move.c.  In the commit being gathered; consumers' leases of
 * what is moved are void.
 */
/* Every subscription settles what it had not below that number. */
NODISCARD enum mess_err subscriptions_forget(struct topic *t, uint64_t below, enum place_count why);
/* Begin at n; what lies before it counts as it was, or as skipped. */
NODISCARD enum mess_err subscription_seek(struct subscription *s, uint64_t n);
/* All leases end, those by time too; ready at once, counted as a try.  *count of them. */
NODISCARD enum mess_err subscription_release(struct subscription *s, uint64_t *count);

/* Between the subscription*.c files: room and a part in the commit being gathered. */
NODISCARD enum mess_err subscription_join(struct subscription *s);
/* Its file, until nobody consumes and the commit is over. */
NODISCARD enum mess_err subscription_open(struct subscription *s);
/* A run that a consumer holds is ready again, counted as a try. */
NODISCARD enum mess_err subscription_take_back(struct subscription *s, struct lease *lease,
    const struct range *run);
/* The floor rises to n, if it is lower, and over what is settled without a gap. */
NODISCARD enum mess_err subscription_raise(struct subscription *s, uint64_t n);
/* What all have settled may go. */
NODISCARD enum mess_err subscription_free_settled(struct topic *t);

#endif
