/* SPDX-License-Identifier: ISC */
/*
 * Retention: how much a topic takes, and how long it keeps it.
 *
 * Promise: no limit is exceeded by more than one commit; nothing is freed
 * that a subscription has not settled but for max-age, a purge, or a limit
 * of a topic that drops its oldest; and each number freed is counted for
 * the one reason it went.
 */
#ifndef RETENTION_H
#define RETENTION_H

#include "base/loop.h"
#include "subscription.h"

struct retention;

struct retention_setup {
	struct loop *loop;
	struct topics *topics;
	uint64_t max_bytes;		/* of a topic that says nothing; 0: no limit */
	void (*room)(void *arg, struct topic *t); /* what waited in its new/ may be tried again */
	void (*less)(void *arg, struct topic *t); /* less is kept */
	void (*lost)(void *arg, struct topic *t); /* messages went, and with them what full places held */
	/* Does a subscription give up its oldest before a publisher is refused?  NULL: none does. */
	bool (*yields)(void *arg, const struct subscription *s);
	/* One did, because of that limit; said once, then again when that is long ago. */
	void (*yielded)(void *arg, const struct subscription *s, const char *limit);
	void *arg;
};
/* Looks soon at every topic that frees by time. */
NODISCARD enum mess_err retention_new(const struct retention_setup *setup, struct retention **out);
void retention_free(struct retention *r);
/*
 * What two clocks said at one moment, in milliseconds: the time of day, which
 * somebody may set, and that since boot, which only goes on.
 */
struct retention_clock {
	uint64_t wall, boot;
};
/* Did the time of day go more than a day further than time did? */
bool retention_clock_jumped(const struct retention_clock *then, const struct retention_clock *now);

/* The topic is deleted. */
void retention_remove(struct retention *r, struct topic *t);
/* Its settings changed. */
void retention_changed(struct retention *r, struct topic *t);

/* What a publish would add. */
struct retention_load {
	uint64_t count;		/* of messages */
	uint64_t bytes;		/* of headers and bodies */
	uint64_t largest;	/* body */
};

/*
 * May it be stored now?  MESS_TOOBIG, MESS_PAUSED, MESS_FULL: counted, and
 * why (RETENTION_WHY bytes) names the limit and the value.
 */
#define RETENTION_WHY 160
NODISCARD enum mess_err retention_admit(struct topic *t, const struct retention_load *load, char *why);
/*
 * The same for what was acknowledged to somebody before: it waits, or it
 * comes in; alone: nothing else does with it.
 */
bool retention_has_room(struct topic *t, const struct retention_load *load, bool alone);
/* It was stored: the oldest go where the topic drops them; what fails is tried again with the next. */
void retention_stored(struct topic *t);

/* Something of it was freed, or its pause is over. */
void retention_room(struct topic *t);

/*
 * What only own subscriptions hold that give way goes, oldest first, counted
 * as dropped, until below(arg) tells 0 for the first number that is to be kept;
 * false when that is not reached.
 */
struct retention_need {
	uint64_t (*below)(void *arg, struct topic *t);
	void *arg;
	const char *limit;	/* in words */
};
NODISCARD bool retention_yield(struct topic *t, const struct retention_need *need);

/* Free all messages, or those before a time; *count of them, in the commit being gathered. */
struct retention_time {
	bool all;
	uint64_t sec;
	uint32_t nsec;
};
NODISCARD enum mess_err retention_purge(struct retention *r, struct topic *t,
    const struct retention_time *before, uint64_t *count);

/* Between the retention*.c files: all below n goes, for a reason, in the commit being gathered. */
NODISCARD enum mess_err retention_lose(struct topic *t, uint64_t n, enum log_count why);
/* What has expired goes, some of it. */
void retention_sweep(struct topic *t);
/* Something was stored that gets old. */
void retention_has_age(struct topic *t);
/* The first number that the topic's keep holds, whoever has settled it; UINT64_MAX for none. */
NODISCARD enum mess_err retention_kept_from(struct topic *t, uint64_t *out);
/* NULL: nobody retains. */
const struct retention_setup *retention_setup_of(const struct topic *t);

#endif
