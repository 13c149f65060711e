/* SPDX-License-Identifier: ISC */
/*
 * Retention: a topic's limits.
 *
 * They are looked at when something is stored: a comparison or two.  At a
 * limit the oldest go, where the topic says so; else publishers are refused,
 * but not because of what only users' own subscriptions hold, that anybody
 * may make and forget.
 */
#include "retention.h"

#include <stdio.h>

#define YIELD_PART 16			/* of what may be kept goes at least */
#define EPISODE_MS ((uint64_t)10 * 60 * 1000)	/* without a drop, and the next one is said again */

/* As it will stand in the log, about: a record's first line and two newlines beside it. */
static uint64_t
stored_bytes(const struct retention_load *load)
{
	return load->bytes + load->count * 100;
}

static uint64_t
kept(const struct topic *t)
{
	return log_next(t->log) - log_first(t->log);
}

static enum mess_err
too_large(const struct topic *t, const struct retention_load *load, char *why)
{
	unsigned long long size = load->largest;

	if (t->conf.max_size != 0 && size > t->conf.max_size)
		(void)snprintf(why, RETENTION_WHY, "too large: max-size of this topic is %llu bytes, "
		    "the body has %llu", (unsigned long long)t->conf.max_size, size); /* fits by its size */
	else if (t->max_bytes != 0 && size > t->max_bytes)
		(void)snprintf(why, RETENTION_WHY, "too large: max-bytes of this topic is %llu, "
		    "the body has %llu", (unsigned long long)t->max_bytes, size); /* likewise */
	else
		return MESS_OK;
	return MESS_TOOBIG;
}

static enum mess_err
full(const struct topic *t, const struct retention_load *load, char *why)
{
	uint64_t messages = t->conf.max_messages, bytes = stored_bytes(load);

	if (messages != 0 && kept(t) + load->count > messages)
		(void)snprintf(why, RETENTION_WHY, "full: max-messages is %llu, %llu are kept, %llu more would come",
		    (unsigned long long)messages, (unsigned long long)kept(t),
		    (unsigned long long)load->count); /* fits by its size */
	else if (t->max_bytes != 0 && log_bytes(t->log) + bytes > t->max_bytes)
		(void)snprintf(why, RETENTION_WHY, "full: max-bytes is %llu, %llu are kept, %llu more would come",
		    (unsigned long long)t->max_bytes, (unsigned long long)log_bytes(t->log),
		    (unsigned long long)bytes); /* likewise */
	else
		return MESS_OK;
	return MESS_FULL;
}

/* --- who gives way ------------------------------------------------------ */

/* All below only own subscriptions of those want who give way, and nothing else keeps it; 0: nothing is. */
static enum mess_err
only_theirs(struct topic *t, const struct retention_setup *setup, uint64_t *out)
{
	uint64_t first = log_first(t->log), least = log_next(t->log), kept_from;
	struct subscriptions *set;
	struct subscription *s;
	bool some = false;
	enum mess_err err;

	*out = 0;
	if ((err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	TAILQ_FOREACH(s, &set->list, link) {
		if (s->place.floor >= least)
			continue;
		if (setup->yields(setup->arg, s)) {
			some = true;
			continue;
		}
		least = s->place.floor;
		if (least <= first)
			return MESS_OK;
	}
	if (!some || (err = retention_kept_from(t, &kept_from)) != MESS_OK)
		return err;
	*out = least < kept_from ? least : kept_from;
	return MESS_OK;
}

/* Once each in an episode; the counts tell the rest. */
static void
tell(struct topic *t, const struct retention_setup *setup, uint64_t n, const char *limit)
{
	uint64_t now = loop_now();
	struct subscription *s;

	TAILQ_FOREACH(s, &t->subs->list, link) {
		if (s->place.floor >= n)
			continue;
		if (s->yielded_ms == 0 || now - s->yielded_ms > EPISODE_MS)
			setup->yielded(setup->arg, s, limit);
		s->yielded_ms = now;
	}
}

bool
retention_yield(struct topic *t, const struct retention_need *need)
{
	const struct retention_setup *setup = retention_setup_of(t);
	uint64_t end, n;

	if (setup == NULL || setup->yields == NULL)
		return false;
	while ((n = need->below(need->arg, t)) > 0) {
		if (n <= log_first(t->log) || only_theirs(t, setup, &end) != MESS_OK ||
		    end <= log_first(t->log))
			return false;
		n = n < end ? n : end;
		tell(t, setup, n, need->limit);
		if (retention_lose(t, n, LOG_DROPPED) != MESS_OK || log_first(t->log) < n)
			return false;
	}
	return true;
}

/*
 * Of a load that there could be room for: below which number the oldest have
 * to go.  A part more than that, or each publish would move every place.
 */
static uint64_t
below_for(void *arg, struct topic *t)
{
	const struct retention_load *load = arg;
	uint64_t messages = t->conf.max_messages, bytes = stored_bytes(load), left;

	if (messages != 0 && kept(t) + load->count > messages) {
		left = messages - load->count;
		return log_next(t->log) - (left - left / YIELD_PART);
	}
	if (t->max_bytes != 0 && log_bytes(t->log) + bytes > t->max_bytes && kept(t) > 0)
		return kept(t) > 1 ? log_next_loss(t->log) : log_next(t->log);
	return 0;
}

/* Before anybody is refused, what has expired, and what nobody but forgotten subscriptions holds, has gone. */
static enum mess_err
room(struct topic *t, const struct retention_load *load, char *why)
{
	uint64_t messages = t->conf.max_messages;
	struct retention_load wanted = *load;
	struct retention_need need = { .below = below_for, .arg = &wanted, .limit = why };
	enum mess_err err = full(t, load, why);

	if (err == MESS_OK)
		return err;
	retention_sweep(t);
	if ((err = full(t, load, why)) == MESS_OK || (messages != 0 && load->count > messages) ||
	    (t->max_bytes != 0 && stored_bytes(load) > t->max_bytes))
		return err;
	return retention_yield(t, &need) ? full(t, load, why) : err;
}

/* --- asking ------------------------------------------------------------- */

enum mess_err
retention_admit(struct topic *t, const struct retention_load *load, char *why)
{
	enum mess_err err = MESS_OK;

	if (!t->limited)
		return MESS_OK;
	if (t->conf.paused_in) {
		(void)snprintf(why, RETENTION_WHY, "paused: it takes no messages now"); /* fits by its size */
		err = MESS_PAUSED;
	}
	if (err == MESS_OK)
		err = too_large(t, load, why);
	/* Making room commits: not in the middle of a batch, nor for a body that may never be whole. */
	if (err == MESS_OK && !t->conf.full_drop && load->count > 0)
		err = room(t, load, why);
	if (err != MESS_OK)
		log_note(t->log, LOG_REFUSED, load->count == 0 ? 1 : load->count);
	return err;
}

/* Into an empty topic anything comes that was acknowledged: it could wait for ever. */
bool
retention_has_room(struct topic *t, const struct retention_load *load, bool alone)
{
	char why[RETENTION_WHY];

	if (t->conf.paused_in)
		return false;
	return !t->limited || t->conf.full_drop || (alone && kept(t) == 0) ||
	    room(t, load, why) == MESS_OK;
}

/* Said once: the count tells the rest. */
static enum mess_err
drop(struct topic *t, uint64_t n, const char *limit, uint64_t value)
{
	uint64_t now = loop_now();

	if (t->dropped_ms == 0 || now - t->dropped_ms > EPISODE_MS)
		store_say(log_store(t->log), "%s: %s %llu is reached: the oldest messages are dropped",
		    t->name, limit, (unsigned long long)value);
	t->dropped_ms = now;
	return retention_lose(t, n, LOG_DROPPED);
}

void
retention_stored(struct topic *t)
{
	uint64_t messages = t->conf.max_messages;
	enum mess_err err = MESS_OK;

	if (!t->limited)
		return;
	retention_has_age(t);
	if (!t->conf.full_drop)
		return;
	if (messages != 0 && kept(t) > messages)
		err = drop(t, log_next(t->log) - messages, "max-messages", messages);
	while (err == MESS_OK && t->max_bytes != 0 && log_bytes(t->log) > t->max_bytes && kept(t) > 1)
		err = drop(t, log_next_loss(t->log), "max-bytes", t->max_bytes);
}
