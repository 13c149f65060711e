/* SPDX-License-Identifier: ISC */
/*
 * What is kept, charged to its owner.
 */
#include "quota.h"

#include <bsd/string.h>

#include "dead.h"
#include "retention.h"

#define SURVEY_MS 20
#define YIELD_MS 1000	/* between two looks at all that one user keeps */
#define YIELD_PART 16	/* of what a topic keeps goes at least */
#define SURVEY_TOPICS 32	/* at a time */

struct quota {
	struct limits *limits;
	struct topics *topics;
	struct loop *loop;
	struct loop_timer timer;
	char after[NAME_TOPIC_MAX + 1];	/* the survey is at */
};

/* What is charged for a topic. */
struct quota_charge {
	struct limits_user *owner;
	uint64_t messages, bytes;
	bool counted;			/* as a topic: letters are the engine's */
};

/* --- charging ----------------------------------------------------------- */

static struct limits_user *
owner_of(struct quota *q, const struct subscription *s)
{
	uid_t uid;

	return subscription_is_own(s, &uid) ? limits_hold_uid(q->limits, uid) : NULL;
}

void
quota_subscribed(struct quota *q, const struct subscription *s)
{
	struct limits_user *u = owner_of(q, s);

	if (u == NULL)
		return;
	limits_recharge(u, LIMITED_SUBSCRIPTIONS, 0, 1);
	limits_release(u);
}

void
quota_unsubscribed(struct quota *q, const struct subscription *s)
{
	struct limits_user *u = owner_of(q, s);

	if (u == NULL)
		return;
	limits_refund(u, LIMITED_SUBSCRIPTIONS, 1);
	limits_release(u);
}

/* The first time that a topic is met: it, and its users' subscriptions. */
static struct quota_charge *
begin(struct quota *q, struct topic *t)
{
	struct quota_charge *c = calloc(1, sizeof *c);
	struct subscriptions *set;
	struct subscription *s;

	if (c == NULL || (c->owner = limits_hold_uid(q->limits, t->conf.uid)) == NULL) {
		free(c);
		return NULL; /* without memory it is counted the next time */
	}
	if ((c->counted = !dead_is_topic(t->name)))
		limits_recharge(c->owner, LIMITED_TOPICS, 0, 1);
	if (subscriptions_of(t, &set) == MESS_OK)
		TAILQ_FOREACH(s, &set->list, link)
			quota_subscribed(q, s);
	return t->charge = c;
}

void
quota_changed(struct quota *q, struct topic *t)
{
	uint64_t messages = log_next(t->log) - log_first(t->log), bytes = log_bytes(t->log);
	struct quota_charge *c = t->charge != NULL ? t->charge : begin(q, t);

	if (c == NULL)
		return;
	limits_recharge(c->owner, LIMITED_SPOOL_MESSAGES, c->messages, messages);
	limits_recharge(c->owner, LIMITED_SPOOL_BYTES, c->bytes, bytes);
	c->messages = messages;
	c->bytes = bytes;
}

void
quota_gone(struct quota *q, struct topic *t)
{
	struct quota_charge *c = t->charge;
	struct subscriptions *set;
	struct subscription *s;

	if (c == NULL)
		return;
	limits_refund(c->owner, LIMITED_SPOOL_MESSAGES, c->messages);
	limits_refund(c->owner, LIMITED_SPOOL_BYTES, c->bytes);
	limits_refund(c->owner, LIMITED_TOPICS, c->counted);
	if (subscriptions_of(t, &set) == MESS_OK)
		TAILQ_FOREACH(s, &set->list, link)
			quota_unsubscribed(q, s);
	limits_release(c->owner);
	free(c);
	t->charge = NULL;
}

/* --- asking ------------------------------------------------------------- */

bool
quota_has_room(struct quota *q, struct topic *t, uint64_t messages, uint64_t bytes, char *why)
{
	enum limit_name over = LIMITED_SPOOL_MESSAGES;

	quota_changed(q, t);
	if (t->charge == NULL)
		return true;
	if (limits_has_room(t->charge->owner, LIMITED_SPOOL_MESSAGES, messages)) {
		over = LIMITED_SPOOL_BYTES;
		if (limits_has_room(t->charge->owner, LIMITED_SPOOL_BYTES, bytes))
			return true;
	}
	(void)limits_text(t->charge->owner, over, why);
	return false;
}

/* --- who gives way ------------------------------------------------------ */

bool
quota_yields(struct quota *q, const struct subscription *s)
{
	struct limits_user *u;
	bool admin;
	uid_t uid;

	if (!subscription_is_own(s, &uid) || uid == s->topic->conf.uid ||
	    (u = limits_hold_uid(q->limits, uid)) == NULL)
		return false;
	admin = limits_is_admin(u);
	limits_release(u);
	return !admin;
}

struct wanted {
	struct limits_user *owner;
	uint64_t messages, bytes;
};

/* Of this topic: below which number the oldest have to go. */
static uint64_t
below_for(void *arg, struct topic *t)
{
	const struct wanted *w = arg;
	uint64_t first = log_first(t->log), next = log_next(t->log), least;

	if (limits_has_room(w->owner, LIMITED_SPOOL_MESSAGES, w->messages) &&
	    limits_has_room(w->owner, LIMITED_SPOOL_BYTES, w->bytes))
		return 0;
	if (next - first <= 1)
		return next;
	if (!limits_has_room(w->owner, LIMITED_SPOOL_BYTES, w->bytes))
		return log_next_loss(t->log);
	/* A part, or each publish would move every place. */
	least = (next - first) / YIELD_PART;
	return first + (w->messages > least ? w->messages < next - first ? w->messages : next - first :
	    least > 0 ? least : 1);
}

/* The topic's owner may have what fills it elsewhere: that is looked at once in a while. */
bool
quota_yield(struct quota *q, struct topic *t, uint64_t messages, uint64_t bytes, const char *why)
{
	struct wanted w = { .messages = messages, .bytes = bytes };
	struct retention_need need = { .below = below_for, .arg = &w, .limit = why };
	struct topic *other;
	bool enough;

	if (t->charge == NULL)
		return false;
	w.owner = t->charge->owner;
	enough = retention_yield(t, &need);
	if (enough || !limits_is_due(w.owner, YIELD_MS))
		return enough;
	for (other = topics_after(q->topics, ""); other != NULL && !enough;
	    other = topics_after(q->topics, other->name)) {
		if (other->charge == NULL || other->charge->owner != w.owner || topic_use(q->topics, other) != MESS_OK)
			continue;
		enough = retention_yield(other, &need);
		topic_release(q->topics, other);
	}
	return enough;
}

bool
quota_may_subscribe(struct quota *q, struct topic *t, struct limits_user *u, char *why)
{
	quota_changed(q, t);
	if (limits_has_room(u, LIMITED_SUBSCRIPTIONS, 1))
		return true;
	(void)limits_text(u, LIMITED_SUBSCRIPTIONS, why);
	return false;
}

/* --- what is there at the start ----------------------------------------- */

static void
survey(void *arg)
{
	struct quota *q = arg;
	struct topic *t;

	for (int i = 0; i < SURVEY_TOPICS; i++) {
		if ((t = topics_after(q->topics, q->after)) == NULL)
			return;
		(void)strlcpy(q->after, t->name, sizeof q->after); /* the same size */
		if (t->charge != NULL || topic_use(q->topics, t) != MESS_OK)
			continue; /* one that cannot be used was said, and holds what nobody can add to */
		quota_changed(q, t);
		topic_release(q->topics, t);
	}
	loop_timer_set(q->loop, &q->timer, SURVEY_MS);
}

enum mess_err
quota_new(struct limits *limits, struct topics *topics, struct loop *loop, struct quota **out)
{
	struct quota *q = calloc(1, sizeof *q);

	if (q == NULL)
		return MESS_LIMIT;
	*q = (struct quota){ .limits = limits, .topics = topics, .loop = loop };
	q->timer = (struct loop_timer){ .fire = survey, .arg = q };
	loop_timer_set(loop, &q->timer, SURVEY_MS);
	*out = q;
	return MESS_OK;
}

void
quota_free(struct quota *q)
{
	struct topic *t;

	if (q == NULL)
		return;
	loop_timer_clear(q->loop, &q->timer);
	for (t = topics_after(q->topics, ""); t != NULL; t = topics_after(q->topics, t->name)) {
		if (t->charge != NULL)
			limits_release(t->charge->owner);
		free(t->charge);
		t->charge = NULL;
	}
	free(q);
}
