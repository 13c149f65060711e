/* SPDX-License-Identifier: ISC */
/*
 * Retention: what goes by age and by a purge.
 *
 * What goes by time goes by one timer, set for the moment at which the oldest
 * message of some topic is due; a topic's messages are in order of time, so
 * nothing is ever looked at one by one.
 *
 * Whoever had not settled what goes settles it with the reason before the
 * first number rises: the other order could let a commit between the two
 * forget the reason.
 */
#include "retention.h"

#include <stdio.h>
#include <time.h>

#include "expiry.h"
#include "limit.h"
#include "log_read.h"

#define AGAIN_MS 1000		/* between two looks at a topic */
#define ROUND 32		/* topics in a turn */
#define DAY_MS ((uint64_t)24 * 3600 * 1000)
#define HOLD_MS ((uint64_t)3600 * 1000)	/* nothing is freed by age after the clock jumped */
#define SWEEP_MS 100	/* until it is looked again: publishers who are refused come back */
#define SWEEP_BYTES ((size_t)1024 * 1024) /* of what has expired, before a publish is refused */

struct retention {
	struct retention_setup setup;
	struct log_reader *reader;
	struct loop_timer timer;
	struct retention_clock clock;	/* when it was last looked at */
	uint64_t hold_until;		/* the clock is not to be trusted before; 0: it is */
	TAILQ_HEAD(, topic) timed;	/* have a time at which to look at them */
};

/* --- when to look ------------------------------------------------------- */

static bool
frees_by_time(const struct topic *t)
{
	return t->conf.max_age != 0 || t->conf.keep != 0;
}

static void
set_timer(struct retention *r, uint64_t due)
{
	uint64_t now = loop_now(), in = due > now ? due - now : 0;

	/* A clock that is set is noticed at the rescan. */
	if (in > LIMIT_RESCAN_MS)
		in = LIMIT_RESCAN_MS;
	if (!r->timer.set || now + in < r->timer.due)
		loop_timer_set(r->setup.loop, &r->timer, in);
}

static void
set_due(struct retention *r, struct topic *t, uint64_t due)
{
	if (t->retain_due == 0 && due != 0)
		TAILQ_INSERT_TAIL(&r->timed, t, retain_link);
	else if (t->retain_due != 0 && due == 0)
		TAILQ_REMOVE(&r->timed, t, retain_link);
	t->retain_due = due;
	if (due != 0)
		set_timer(r, due);
}

/* Soon, but not more often than is good under load. */
static void
look_soon(struct retention *r, struct topic *t)
{
	uint64_t now = loop_now();

	if (t->retain_due == 0 && frees_by_time(t))
		set_due(r, t, t->looked_ms + AGAIN_MS > now ? t->looked_ms + AGAIN_MS : now);
}

/* --- freeing ------------------------------------------------------------ */

enum mess_err
retention_lose(struct topic *t, uint64_t n, enum log_count why)
{
	static const enum place_count as[] = { [LOG_EXPIRED] = PLACE_EXPIRED,
		[LOG_PURGED] = PLACE_PURGED, [LOG_DROPPED] = PLACE_DROPPED };
	enum mess_err err;

	if (n <= log_first(t->log))
		return MESS_OK;
	/* Numbers that are not durable yet are nobody's to settle. */
	if (n > log_durable(t->log) && (err = store_commit(log_store(t->log))) != MESS_OK)
		return err;
	if ((err = subscriptions_forget(t, n, as[why])) != MESS_OK ||
	    (err = log_free_below(t->log, n, why)) != MESS_OK)
		return err;
	if (t->retention == NULL)
		return MESS_OK;
	retention_room(t);
	if (t->retention->setup.less != NULL)
		t->retention->setup.less(t->retention->setup.arg, t);
	if (t->retention->setup.lost != NULL)
		t->retention->setup.lost(t->retention->setup.arg, t);
	return MESS_OK;
}

enum mess_err
retention_purge(struct retention *r, struct topic *t, const struct retention_time *before,
    uint64_t *count)
{
	uint64_t first = log_first(t->log), n = log_next(t->log);
	enum mess_err err;

	if (!before->all && (err = log_seek_time(t->log, r->reader, before->sec, before->nsec,
	    &n)) != MESS_OK)
		return err;
	if ((err = retention_lose(t, n, LOG_PURGED)) != MESS_OK)
		return err;
	log_free_tail(t->log);
	log_reader_rest(r->reader);
	*count = n > first ? n - first : 0;
	return MESS_OK;
}

/* --- time --------------------------------------------------------------- */

/* The first number that came less than so many seconds ago. */
static enum mess_err
younger(struct retention *r, const struct topic *t, uint64_t seconds, uint64_t *out)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with a known clock */
	if ((uint64_t)now.tv_sec < seconds) {
		*out = log_first(t->log);
		return MESS_OK;
	}
	return log_seek_time(t->log, r->reader, (uint64_t)now.tv_sec - seconds, (uint32_t)now.tv_nsec, out);
}

/* All below it is settled by every subscription; without one nothing is. */
static enum mess_err
settled_below(struct topic *t, uint64_t *out)
{
	struct subscriptions *set;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	*out = TAILQ_EMPTY(&set->list) ? 0 : subscriptions_floor(t);
	return MESS_OK;
}

static enum mess_err
free_by_time(struct retention *r, struct topic *t, uint64_t *settled)
{
	bool was_empty = log_first(t->log) == log_durable(t->log);
	enum mess_err err;
	uint64_t n;

	if (t->conf.max_age != 0 && ((err = younger(r, t, t->conf.max_age, &n)) != MESS_OK ||
	    (err = retention_lose(t, n, LOG_EXPIRED)) != MESS_OK))
		return err;
	if ((err = settled_below(t, settled)) != MESS_OK)
		return err;
	if (*settled > log_first(t->log)) {
		if ((err = younger(r, t, t->conf.keep, &n)) != MESS_OK ||
		    (err = log_free_below(t->log, n < *settled ? n : *settled, LOG_SETTLED)) != MESS_OK)
			return err;
		retention_room(t);
	}
	if (!was_empty)
		log_free_tail(t->log);
	return MESS_OK;
}

/* When the oldest message is due, in milliseconds of loop_now; 0 for never. */
static uint64_t
next_due(struct retention *r, const struct topic *t, uint64_t settled)
{
	uint64_t sec, age = t->conf.max_age, now = loop_now(), at;
	struct timespec wall;
	uint32_t nsec;

	if (settled > log_first(t->log) && (age == 0 || t->conf.keep < age))
		age = t->conf.keep;
	if (age == 0 || log_oldest_time(t->log, r->reader, &sec, &nsec) != MESS_OK)
		return 0;
	(void)clock_gettime(CLOCK_REALTIME, &wall); /* cannot fail with a known clock */
	/* A millisecond more: at the very moment it is not older yet. */
	at = (sec + age) * 1000 + nsec / 1000000 + 1;
	sec = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
	at = at > sec ? now + at - sec : now;
	return at < now + AGAIN_MS ? now + AGAIN_MS : at;
}

static void
look(struct retention *r, struct topic *t)
{
	uint64_t settled = 0;
	enum mess_err err;

	t->looked_ms = loop_now();
	set_due(r, t, 0);
	if (topic_look(r->setup.topics, t) != MESS_OK || !frees_by_time(t) ||
	    topic_use(r->setup.topics, t) != MESS_OK)
		return;
	err = free_by_time(r, t, &settled);
	if (err == MESS_OK)
		set_due(r, t, next_due(r, t, settled));
	else if (err != MESS_SICK) {
		store_say(log_store(t->log), "%s: messages that are due cannot be freed now: %s", t->name,
		    mess_strerror(err));
		set_due(r, t, loop_now() + LIMIT_RESCAN_MS);
	}
	topic_release(r->setup.topics, t);
}

bool
retention_clock_jumped(const struct retention_clock *then, const struct retention_clock *now)
{
	return now->wall > then->wall + (now->boot - then->boot) + DAY_MS;
}

static struct retention_clock
read_clock(void)
{
	struct timespec wall;

	(void)clock_gettime(CLOCK_REALTIME, &wall); /* cannot fail with a known clock */
	return (struct retention_clock){ .boot = loop_now(),
		.wall = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000 };
}

/*
 * A clock that is set a day or more ahead would expire everything at once.
 * An hour is time to set it back; after that it is believed.
 */
static bool
clock_is_trusted(struct retention *r)
{
	struct retention_clock now = read_clock();

	if (retention_clock_jumped(&r->clock, &now)) {
		r->hold_until = now.boot + HOLD_MS;
		store_say(topics_store(r->setup.topics), "the clock jumped ahead by %llu hours: "
		    "nothing is freed by age for an hour",
		    (unsigned long long)((now.wall - r->clock.wall) / (3600 * 1000)));
	}
	r->clock = now;
	return now.boot >= r->hold_until;
}

static void
fire(void *arg)
{
	struct retention *r = arg;
	uint64_t now = loop_now(), least = UINT64_MAX;
	struct topic *t, *next;
	int looked = 0;

	if (!clock_is_trusted(r)) {
		set_timer(r, r->hold_until);
		return;
	}
	for (t = TAILQ_FIRST(&r->timed); t != NULL && looked < ROUND; t = next) {
		next = TAILQ_NEXT(t, retain_link);
		if (t->retain_due <= now) {
			look(r, t);
			looked++;
		}
	}
	TAILQ_FOREACH(t, &r->timed, retain_link)
		if (t->retain_due < least)
			least = t->retain_due;
	if (least != UINT64_MAX)
		set_timer(r, least);
	log_reader_rest(r->reader);
}

/* --- what topics tell --------------------------------------------------- */

static void
apply(const struct retention *r, struct topic *t)
{
	const struct conf_topic *c = &t->conf;

	t->max_bytes = c->max_bytes != 0 ? c->max_bytes : r->setup.max_bytes;
	t->limited = t->max_bytes != 0 || c->max_messages != 0 || c->max_size != 0 || c->paused_in ||
	    frees_by_time(t);
	log_limit_segments(t->log, t->max_bytes);
}

static void
opened(void *arg, struct topic *t)
{
	struct retention *r = arg;

	t->retention = r;
	apply(r, t);
}

static void
settled(void *arg, struct topic *t)
{
	struct retention *r = arg;

	if (r->setup.less != NULL)
		r->setup.less(r->setup.arg, t);
	retention_room(t);
	if (t->conf.keep != 0)
		look_soon(arg, t);
}

void
retention_has_age(struct topic *t)
{
	if (t->retain_due == 0 && t->conf.max_age != 0 && t->retention != NULL)
		set_due(t->retention, t, loop_now() + t->conf.max_age * 1000 + 1);
}

void
retention_sweep(struct topic *t)
{
	uint64_t now = loop_now();

	if (t->retention == NULL || (t->swept_ms != 0 && now - t->swept_ms < SWEEP_MS))
		return;
	t->swept_ms = now;
	expiry_sweep(t, t->retention->reader, SWEEP_BYTES);
}

const struct retention_setup *
retention_setup_of(const struct topic *t)
{
	return t->retention != NULL ? &t->retention->setup : NULL;
}

enum mess_err
retention_kept_from(struct topic *t, uint64_t *out)
{
	enum mess_err err;

	if (t->conf.keep == 0 || t->retention == NULL) {
		*out = UINT64_MAX;
		return MESS_OK;
	}
	err = younger(t->retention, t, t->conf.keep, out);
	log_reader_rest(t->retention->reader);
	return err;
}

void
retention_changed(struct retention *r, struct topic *t)
{
	apply(r, t);
	t->looked_ms = 0;
	set_due(r, t, 0);
	look_soon(r, t);
	retention_room(t);
	retention_stored(t); /* a lower limit holds for what is there */
}

void
retention_remove(struct retention *r, struct topic *t)
{
	set_due(r, t, 0);
	t->retention = NULL;
}

void
retention_room(struct topic *t)
{
	struct retention *r = t->retention;

	if (!t->intake_waits || r == NULL)
		return;
	t->intake_waits = false;
	r->setup.room(r->setup.arg, t);
}

enum mess_err
retention_new(const struct retention_setup *setup, struct retention **out)
{
	struct retention *r = calloc(1, sizeof *r);
	struct topic_hooks hooks = { .opened = opened, .settled = settled, .arg = r };
	enum mess_err err;
	struct topic *t;

	if (r == NULL)
		return MESS_LIMIT;
	r->setup = *setup;
	r->timer = (struct loop_timer){ .fire = fire, .arg = r };
	r->clock = read_clock();
	TAILQ_INIT(&r->timed);
	if ((err = log_reader_new(&r->reader)) != MESS_OK) {
		free(r);
		return err;
	}
	topics_hook(setup->topics, &hooks);
	for (t = topics_after(setup->topics, ""); t != NULL; t = topics_after(setup->topics, t->name))
		if (topic_look(setup->topics, t) == MESS_OK)
			look_soon(r, t);
	*out = r;
	return MESS_OK;
}

void
retention_free(struct retention *r)
{
	struct topic_hooks none = { 0 };

	if (r == NULL)
		return;
	topics_hook(r->setup.topics, &none);
	loop_timer_clear(r->setup.loop, &r->timer);
	log_reader_free(r->reader);
	free(r);
}
