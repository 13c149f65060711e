/* SPDX-License-Identifier: ISC */
/*
 * What is known of single messages of a subscription that are not settled:
 * how often they were tried, and what they wait for.  Pure.
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum attempt_state {
	ATTEMPT_READY,		/* may be handed out (again) */
	ATTEMPT_WAITING,	/* until due */
	ATTEMPT_OUT,		/* in a consumer's hands, as long as its connection lives */
	ATTEMPT_HELD,		/* in the hands of who has the token, until due */
};

/* Numbers lo to hi; a held one is alone. */
struct attempt {
	uint64_t lo, hi;
	uint32_t count;		/* times that they were tried and not settled */
	enum attempt_state state;
	uint64_t due;		/* milliseconds of loop_now() */
	bool again;		/* due is when to look at it again: the message itself says its time */
	uint64_t token;
	uint32_t uid;		/* who holds it */
};

/* Sorted, without overlap. */
struct attempts {
	struct attempt *a;
	size_t count, cap;
	size_t ready, held;	/* how many are ATTEMPT_READY, ATTEMPT_HELD */
	uint64_t ready_from;	/* no number below is ready */
	uint64_t due_from;	/* nothing is due before */
};

/* Above this many, what is to be looked at again is kept together, with the earliest due time. */
#define ATTEMPTS_COARSE 1000
/* More are not begun by who gives messages back: each costs its share of every look. */
#define ATTEMPTS_MOST 16384

void attempts_free(struct attempts *set);
/* Replaces what is known of its numbers; MESS_LIMIT without memory, the set is then as it was. */
NODISCARD enum mess_err attempts_put(struct attempts *set, const struct attempt *a);
NODISCARD enum mess_err attempts_clear(struct attempts *set, uint64_t lo, uint64_t hi);

/* The first that has a number at or above n; NULL if none. */
const struct attempt *attempts_from(const struct attempts *set, uint64_t n);
/* The one that has n. */
const struct attempt *attempts_of(const struct attempts *set, uint64_t n);
/* The lowest that is ready. */
const struct attempt *attempts_ready(struct attempts *set);
/* Numbers in a state; what is due by now is ready. */
uint64_t attempts_total(const struct attempts *set, enum attempt_state state, uint64_t now);

/* What is due by now becomes ready; a hold that is over was a try.  True when something did. */
bool attempts_expire(struct attempts *set, uint64_t now);
/* All holds are over: they were tries. */
void attempts_end_holds(struct attempts *set, uint64_t now);
/* When to look next: nothing is due before; UINT64_MAX for never. */
uint64_t attempts_next_due(const struct attempts *set);

#endif
