/* SPDX-License-Identifier: ISC */
/*
 * Replies to what settles messages, and what a kill leaves without a reply.
 */
#include "judge.h"

#include "base/loop.h"
#include "limit.h"

/* --- settling ----------------------------------------------------------- */

static bool
holds(const struct judged *j, uint64_t n)
{
	const struct sub *s = judged_sub_asked(j);

	return s->exists && n <= w.topics[s->topic].published && client_consumes(j->c, s->topic, s->name) &&
	    s->nums[n].what == NUM_LEASED && s->nums[n].owner == j->client;
}

static bool
has(const struct judged *j, uint64_t n)
{
	return holds(j, n) || voided_has(j->c, j->a->topic, j->a->sub, n);
}

static bool
has_all(const struct judged *j)
{
	for (int i = 0; i < j->a->ranges; i++)
		for (uint64_t n = j->a->r[i].lo; n <= j->a->r[i].hi; n++)
			if (!has(j, n))
				return false;
	return true;
}

static void
wait_until(struct num *x, uint64_t from, uint64_t to)
{
	x->what = NUM_WAITING;
	x->due_lo = from;
	x->due_hi = to;
	x->own = false;
	x->owner = -1;
	x->token = 0;
}

static void
settle_one(const struct judged *j, uint64_t n)
{
	struct sub *s = judged_sub_asked(j);

	/* Of two copies the first answer is for the one that was taken away. */
	if (voided_has(j->c, s->topic, s->name, n))
		voided_take(j->c, s->topic, s->name, n);
	else if (holds(j, n) && j->a->verb == V_ACK)
		ref_settle(s, n, PLACE_ACKED);
	else if (holds(j, n))
		wait_until(num_of(s, n), j->a->sent + 1000, loop_now() + 1000);
}

/* ACK and NACK: all or nothing. */
void
judge_settle(const struct judged *j)
{
	if (!has_all(j)) {
		judged_want_error(j, "usage");
		return;
	}
	if (w.crowded && judged_is_error(j, "limit"))
		return;
	judged_want_ok(j);
	for (int i = 0; i < j->a->ranges; i++)
		for (uint64_t n = j->a->r[i].lo; n <= j->a->r[i].hi; n++)
			settle_one(j, n);
	judged_durable();
}

/* --- failures ----------------------------------------------------------- */

static void
add_letter(struct sub *s, uint64_t n, const struct why *y, unsigned attempts)
{
	const struct msg *from = &w.topics[s->topic].msgs[n];
	struct msg m = { .id = from->id, .to = -1, .sub = s->name, .attempts = attempts, .why = *y };
	int t = s->topic + MAINS;

	if (w.ending) {
		maybe_letter(s->topic, s->name, n, y, attempts, true);
		ref_settle(s, n, PLACE_DEAD);
		return;
	}
	m.first_seq = from->to != -1 ? from->first_seq : n;
	m.first_sec = from->to != -1 ? from->first_sec : from->sec;
	m.first_nsec = from->to != -1 ? from->first_nsec : from->nsec;
	if (!w.topics[t].exists) {
		w.topics[t].exists = true;
		ref_sub_begins(sub_of(t, S_DEFAULT), 1);
	}
	ref_publish(t, &m);
	ref_settle(s, n, PLACE_DEAD);
}

/* "later MS" of the tries-th try: doubled each time, a quarter more or less. */
static void
judge_later(const struct judged *j, struct num *x)
{
	uint32_t tries = x->min + 1;
	uint64_t ms = judged_number(j, 0), mid = (uint64_t)1000 << (tries - 1 < 12 ? tries - 1 : 12);

	if (!judged_says(j, "later "))
		judged_refuse(j, "later");
	if (mid > 3600000)
		mid = 3600000;
	if (ms < mid - mid / 4 || ms > mid + mid / 4)
		wrong("client %d: after try %u it comes in %llu ms, not in %llu", j->client, tries,
		    (unsigned long long)ms, (unsigned long long)mid);
	ref_tries(x, tries, tries);
	wait_until(x, j->a->sent + ms, loop_now() + ms);
}

/* RETRY, DEAD, and SETTLE's; the number is the first of the ranges, its tries are known. */
static void
judge_failed(const struct judged *j, bool give_up, unsigned most)
{
	struct sub *s = judged_sub_asked(j);
	uint64_t n = j->a->r[0].lo;
	struct num *x = num_of(s, n);

	judged_want_ok(j);
	if (is_dead_topic(s->topic) || (!give_up && x->min + 1 < most)) {
		judge_later(j, x);
		judged_durable();
		return;
	}
	if (!judged_says(j, "dead"))
		judged_refuse(j, "dead");
	add_letter(s, n, &j->a->why, x->min + 1);
	judged_durable();
}

void
judge_fail(const struct judged *j)
{
	uint64_t n = j->a->r[0].lo;

	if (voided_has(j->c, j->a->topic, j->a->sub, n)) {
		voided_take(j->c, j->a->topic, j->a->sub, n);
		if (!judged_says(j, "later 0"))
			judged_refuse(j, "later 0");
	} else if (holds(j, n))
		judge_failed(j, j->a->verb == V_DEAD,
		    j->c->max_attempts > 0 ? j->c->max_attempts : LIMIT_ATTEMPTS);
	else
		judged_want_error(j, "usage");
}

/* --- leases by time ----------------------------------------------------- */

void
judge_hold(const struct judged *j)
{
	struct num *x;

	if (!holds(j, j->a->r[0].lo)) {
		judged_want_error(j, "usage");
		return;
	}
	judged_want_ok(j);
	x = num_of(judged_sub_asked(j), j->a->r[0].lo);
	wait_until(x, j->a->sent + j->a->n, loop_now() + j->a->n);
	x->what = NUM_HELD;
	x->token = strtoull(j->words, NULL, 16);
	if (j->len != 16 || x->token == 0)
		judged_refuse(j, "a token");
	judged_durable();
}

/* Held, with that token, for sure or perhaps. */
void
judge_held(const struct judged *j)
{
	struct sub *s = judged_sub_asked(j);
	uint64_t n = j->a->r[0].lo;
	struct num *x = s->exists && n <= w.topics[s->topic].published ? &s->nums[n] : NULL;
	bool held = x != NULL && x->what == NUM_HELD && x->token == j->a->n;

	if (judged_is_error(j, "nosub")) {
		/* An end of its time is looked at when somebody comes: then it is ready. */
		if (held && loop_now() < x->due_lo)
			judged_refuse(j, "OK: it is held");
		return;
	}
	judged_want_ok(j);
	if (!held)
		judged_refuse(j, "nosub");
	if (j->a->sent >= x->due_hi)
		judged_refuse(j, "nosub: its time is over");
	switch (j->a->how) {
	case SETTLE_ACK:
		ref_settle(s, n, PLACE_ACKED);
		break;
	case SETTLE_NACK:
		wait_until(x, j->a->sent + 1000, loop_now() + 1000);
		break;
	default:
		judge_failed(j, j->a->how == SETTLE_DEAD, LIMIT_ATTEMPTS);
	}
	judged_durable();
}

/* --- requests without a reply ------------------------------------------- */

/* It is settled, or comes again by then, after one try more or not. */
static void
perhaps(struct sub *s, uint64_t n, enum maybe maybe, uint64_t ms)
{
	struct num *x = num_of(s, n);

	x->maybe |= (uint8_t)maybe;
	ref_tries(x, x->min, x->max + 1);
	wait_until(x, 0, loop_now() + ms);
}

static void
perhaps_failed(const struct judged *j, bool may_die)
{
	struct sub *s = judged_sub_asked(j);
	uint64_t n = j->a->r[0].lo;
	const struct num *x = num_of(s, n);

	may_die &= !is_dead_topic(s->topic);
	if (may_die)
		maybe_letter(s->topic, s->name, n, &j->a->why, x->min + 1, false);
	perhaps(s, n, may_die ? MAYBE_DEAD : MAYBE_NOTHING, (uint64_t)1250 << (x->min < 12 ? x->min : 12));
}

static void
perhaps_settled(const struct judged *j)
{
	for (int i = 0; i < j->a->ranges; i++)
		for (uint64_t n = j->a->r[i].lo; n <= j->a->r[i].hi; n++)
			if (holds(j, n))
				perhaps(judged_sub_asked(j), n, j->a->verb == V_ACK ? MAYBE_ACKED : MAYBE_NOTHING, 1000);
}

static void
perhaps_published(const struct ask *a)
{
	struct topic_ref *topic = &w.topics[a->topic];

	for (uint64_t i = 0; i < (a->verb == V_PUB ? 1 : a->count); i++) {
		topic->maybe = grow(topic->maybe, topic->maybe_count, &topic->maybe_cap,
		    topic->maybe_count + 1, sizeof *topic->maybe);
		topic->maybe[topic->maybe_count++] = a->n + i;
	}
}

/* The engine was killed before it said what became of this. */
void
judge_unanswered(int client, const struct ask *a)
{
	struct judged j = { .client = client, .c = &w.clients[client], .a = a, .words = "" };
	unsigned most = j.c->max_attempts > 0 ? j.c->max_attempts : LIMIT_ATTEMPTS;

	switch (a->verb) {
	case V_PUB:
	case V_PUBS:
		perhaps_published(a);
		return;
	case V_ACK:
	case V_NACK:
		if (has_all(&j))
			perhaps_settled(&j);
		return;
	case V_RETRY:
	case V_DEAD:
		if (holds(&j, a->r[0].lo))
			perhaps_failed(&j, a->verb == V_DEAD ||
			    num_of(judged_sub_asked(&j), a->r[0].lo)->min + 1 >= most);
		return;
	case V_HOLD:
		if (holds(&j, a->r[0].lo))
			perhaps(judged_sub_asked(&j), a->r[0].lo, MAYBE_NOTHING, a->n);
		return;
	default:
		return;
	}
}
