/* SPDX-License-Identifier: ISC */
/*
 * Settling: what a consumer has, or holds by a token, is acked, given back,
 * tried again later or given up.
 */
#include <bsd/stdlib.h>
#include <string.h>

#include "dead.h"
#include "request.h"

#define NACK_MS 1000			/* until what was given back comes again */
#define BACKOFF_MS ((uint64_t)1000)	/* after the first try; doubled each time */
#define BACKOFF_MAX_MS ((uint64_t)3600 * 1000)
#define NO_LETTER_MS ((uint64_t)60 * 1000) /* until another try when NAME.dead takes nothing */

/* --- settling what the consumer has ------------------------------------- */

/* What is to be settled, or the error was replied. */
static bool
find_lease(struct session *s, const char *topic, struct subscription **sub, struct lease **lease)
{
	if (s->consumer != NULL && (*sub = consumer_sub(s->consumer, topic, lease)) != NULL)
		return true;
	session_error(s, MESS_USAGE, "settling needs SUB of its topic before it");
	return false;
}

static void
not_held(struct session *s, uint64_t lo, uint64_t hi)
{
	session_error(s, MESS_USAGE, "%llu-%llu: not in this consumer's hands", (unsigned long long)lo,
	    (unsigned long long)hi);
}

static enum mess_err
settle_ranges(const struct request *r, struct subscription *sub, struct lease *lease, bool ack)
{
	const char *ranges = r->ranges;
	size_t len = r->ranges_len;
	enum mess_err err = MESS_OK;
	struct range run;

	while (err == MESS_OK && protocol_next_range(&ranges, &len, &run.lo, &run.hi))
		err = ack ? subscription_ack(sub, lease, &run, PLACE_ACKED) :
		    subscription_defer(sub, lease, &run, loop_now() + NACK_MS, false);
	return err;
}

/* ACK and NACK: all of it or nothing: first look, then settle. */
void
request_settle(struct session *s, const struct request *r)
{
	const char *ranges = r->ranges;
	size_t len = r->ranges_len;
	struct subscription *sub;
	struct lease *lease;
	enum mess_err err;
	struct range run;
	size_t more = 0;

	if (!find_lease(s, r->topic, &sub, &lease))
		return;
	while (protocol_next_range(&ranges, &len, &run.lo, &run.hi)) {
		if (!lease_has(lease, run.lo, run.hi)) {
			not_held(s, run.lo, run.hi);
			return;
		}
		if (r->verb == REQ_ACK && !subscription_has_room(sub, lease, &run, &more)) {
			session_error(s, MESS_LIMIT, "the place of this subscription is full: settle what comes first");
			return;
		}
	}
	/* A full place hands out nothing until acks make room in it; what is put off has its time. */
	if (r->verb == REQ_NACK || subscription_is_full(sub))
		delivery_topic_changed(s->host->delivery, sub->topic);
	if ((err = settle_ranges(r, sub, lease, r->verb == REQ_ACK)) != MESS_OK)
		session_error(s, err, "%s", mess_strerror(err));
	else
		session_ok_durable(s, "%s", "");
}

/* --- failures ----------------------------------------------------------- */

static const char *
take_why(void *arg, const struct protocol_option *o)
{
	struct dead_why *why = arg;
	struct dead_text text = { o->value, o->value_len };

	if (o->value_len > DEAD_TEXT_MAX)
		return "at most 4096 bytes";
	if (record_header_check(o->name, o->name_len + 2 + o->value_len, true, NULL) != MESS_OK)
		return "not UTF-8 without control characters";
	if (protocol_option_is(o, "Reason"))
		why->reason = text;
	else if (protocol_option_is(o, "Status"))
		why->status = text;
	else if (protocol_option_is(o, "Stderr"))
		why->stderr_tail = text;
	else
		return "no such option";
	return NULL;
}

/* Doubled each time, and up to a quarter more or less, so that what failed together comes apart. */
static uint64_t
backoff(uint32_t tries)
{
	uint64_t ms = BACKOFF_MS << (tries - 1 < 12 ? tries - 1 : 12);

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	return ms - ms / 4 + arc4random_uniform((uint32_t)(ms / 2 + 1));
}

static void
dead_made(void *arg, struct topic *t)
{
	request_topic_made(arg, t);
}

struct dead_host
request_dead_host(struct session *s)
{
	return (struct dead_host){ .topics = s->host->topics, .reader = delivery_reader(s->host->delivery),
		.made = dead_made, .arg = s->host };
}

/* One message that failed: in a lease's hands, or held by a token (lease NULL). */
struct failed {
	struct subscription *sub;
	struct lease *lease;
	uint64_t seq;
	bool give_up;
	struct dead_why why;
};

static enum mess_err
put_off(const struct failed *f, uint64_t ms, bool counted)
{
	struct range run = { f->seq, f->seq };

	return f->lease != NULL ? subscription_defer(f->sub, f->lease, &run, loop_now() + ms, counted) :
	    subscription_put_off(f->sub, f->seq, loop_now() + ms, counted);
}

static void
later(struct session *s, const struct failed *f, uint64_t ms, bool counted)
{
	enum mess_err err = put_off(f, ms, counted);

	delivery_topic_changed(s->host->delivery, f->sub->topic);
	if (err != MESS_OK)
		session_error(s, err, "%s", mess_strerror(err));
	else
		session_ok_durable(s, "later %llu", (unsigned long long)ms);
}

/* A letter of it would call whole what is not. */
static void
settle_damaged(struct session *s, const struct failed *f)
{
	struct range run = { f->seq, f->seq };
	enum mess_err err;

	store_say(s->host->store, "%s: message %llu is dead, and damaged: there is no letter of it",
	    f->sub->topic->name, (unsigned long long)f->seq);
	err = f->lease != NULL ? subscription_ack(f->sub, f->lease, &run, PLACE_DAMAGED) :
	    subscription_settle(f->sub, f->seq, PLACE_DAMAGED);
	delivery_topic_changed(s->host->delivery, f->sub->topic);
	if (err != MESS_OK)
		session_error(s, err, "%s", mess_strerror(err));
	else
		session_ok_durable(s, "dead");
}

/* When NAME.dead takes nothing the message is not lost: it waits. */
static void
give_up(struct session *s, const struct failed *f)
{
	struct dead_host host = request_dead_host(s);
	enum mess_err err = dead_letter(&host, f->sub, f->lease, f->seq, &f->why);

	if (err == MESS_SICK || err == MESS_NOSUB) {
		session_error(s, err, "%s", mess_strerror(err));
		return;
	}
	if (err == MESS_OK) {
		/* It may have made room in a full place. */
		delivery_topic_changed(s->host->delivery, f->sub->topic);
		session_ok_durable(s, "dead");
		return;
	}
	if (err == MESS_CORRUPT) {
		settle_damaged(s, f);
		return;
	}
	store_say(s->host->store, "%s: message %llu is dead, but %s.dead does not take it: %s; it waits",
	    f->sub->topic->name, (unsigned long long)f->seq, f->sub->topic->name, mess_strerror(err));
	later(s, f, NO_LETTER_MS, false);
}

static void
fail(struct session *s, struct failed *f)
{
	static const char too_often[] = "tried too often";
	uint64_t most = s->max_attempts;

	if (most == 0)
		most = f->sub->topic->conf.max_attempts;
	if (most == 0)
		most = LIMIT_ATTEMPTS;
	f->why.attempts = subscription_tries(f->sub, f->seq) + 1;
	if (f->why.reason.len == 0)
		f->why.reason = (struct dead_text){ too_often, sizeof too_often - 1 };
	if (!dead_is_topic(f->sub->topic->name) && (f->give_up || f->why.attempts >= most))
		give_up(s, f);
	else
		later(s, f, backoff(f->why.attempts), true);
}

void
request_fail(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct failed f = { .seq = r->seq, .give_up = r->verb == REQ_DEAD };

	if (!request_read_options(s, item, take_why, &f.why) || !find_lease(s, r->topic, &f.sub, &f.lease))
		return;
	if (!lease_has(f.lease, r->seq, r->seq))
		not_held(s, r->seq, r->seq);
	else if (!lease_drop_void(f.lease, r->seq) && lease_holds(f.lease, r->seq))
		fail(s, &f);
	else
		session_ok(s, "later 0"); /* somebody moved the subscription: it is not this consumer's any more */
}

/* --- leases by time ----------------------------------------------------- */

void
request_hold(struct session *s, const struct request *r)
{
	struct attempt hold = { .uid = s->who.peer.uid,
		.token = ((uint64_t)arc4random() << 32) | arc4random() };
	struct subscription *sub;
	struct lease *lease;
	enum mess_err err;

	if (!find_lease(s, r->topic, &sub, &lease))
		return;
	if (!lease_holds(lease, r->seq)) {
		not_held(s, r->seq, r->seq);
		return;
	}
	if (r->ms > LIMIT_HOLD_MS) {
		session_error(s, MESS_USAGE, "a message is held for at most 30 days");
		return;
	}
	hold.due = loop_now() + r->ms;
	delivery_topic_changed(s->host->delivery, sub->topic);
	if ((err = subscription_hold(sub, lease, r->seq, &hold)) != MESS_OK)
		session_error(s, err, "%s", mess_strerror(err));
	else
		session_ok_durable(s, "%016llx", (unsigned long long)hold.token);
}

static void
end_hold(struct session *s, const struct request *r, struct failed *f)
{
	enum mess_err err = MESS_OK;

	switch (r->how) {
	case SETTLE_ACK:
		err = subscription_settle(f->sub, r->seq, PLACE_ACKED);
		break;
	case SETTLE_NACK:
		err = put_off(f, NACK_MS, false);
		break;
	case SETTLE_RETRY:
	case SETTLE_DEAD:
		f->give_up = r->how == SETTLE_DEAD;
		fail(s, f);
		return;
	}
	delivery_topic_changed(s->host->delivery, f->sub->topic);
	if (err != MESS_OK)
		session_error(s, err, "%s", mess_strerror(err));
	else
		session_ok_durable(s, "%s", "");
}

void
request_settle_held(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct request_topic f = { .name = r->topic, .right = ACL_SUBSCRIBE };
	struct failed held = { .seq = r->seq };
	struct topic *t;

	if (!request_read_options(s, item, take_why, &held.why) || request_find_topic(s, &f, &t) != MESS_OK)
		return;
	if (request_find_sub(s, t, r->sub, &held.sub) != MESS_OK ||
	    subscription_held(held.sub, r->seq, r->token, s->who.peer.uid) != MESS_OK)
		session_error(s, MESS_NOSUB, "no such lease, or it is over");
	else
		end_hold(s, r, &held);
	topic_release(s->host->topics, t);
}
