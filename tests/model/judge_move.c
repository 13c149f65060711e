/* SPDX-License-Identifier: ISC */
/*
 * Replies to what moves a subscription, or messages between topics.
 */
#include "judge.h"

#include "base/loop.h"

/* --- moving ------------------------------------------------------------- */

/* Something may be on its way that was sent before, or after: nobody waits for it. */
static void
drop_doubtful(const struct sub *s)
{
	for (int i = 1; i < CLIENTS; i++)
		if (w.clients[i].fd != -1 && i != KID && client_consumes(&w.clients[i], s->topic, s->name)) {
			note("%d: dropped, in doubt", i);
			wire_close(i);
			ref_drop_client(i, false);
		}
}

static uint64_t
place_asked(const struct judged *j)
{
	uint64_t first = w.stat[j->a->topic].first, next = w.topics[j->a->topic].published + 1;

	switch (j->a->how) {
	case SEEK_OLDEST:
		return first;
	case SEEK_NOW:
		return next;
	case SEEK_NUMBER:
		return j->a->n < first ? first : j->a->n > next ? next : j->a->n;
	default:
		return j->a->n < next - first ? next - j->a->n : first;
	}
}

/* A STAT was asked for just before it, and just after it. */
void
judge_seek(const struct judged *j)
{
	struct sub *s = judged_sub_asked(j);
	uint64_t to, published = w.topics[s->topic].published;
	bool doubt = ref_doubt(s);

	if (!s->exists) {
		judged_want_error(j, "nosub");
		return;
	}
	judged_want_ok(j);
	to = place_asked(j);
	for (uint64_t n = 1; n <= published; n++) {
		struct num *x = &s->nums[n];

		ref_void(s, n);
		if (n < to) {
			x->what = NUM_SETTLED;
			continue;
		}
		x->maybe = MAYBE_NOTHING;
		ref_tries(x, 0, 0);
		ref_anew(s, n);
	}
	s->low = to;
	s->start = INT64_MIN; /* the STAT behind it says */
	s->expired = w.stat[s->topic].subs[s->name].expired;
	judged_durable();
	if (doubt)
		drop_doubtful(s);
}

void
judge_purge(const struct judged *j)
{
	struct topic_ref *topic = &w.topics[j->a->topic];
	bool doubt[SUBS];

	judged_want_number(j, 0, topic->published + 1 - w.stat[j->a->topic].first);
	topic->purged += judged_number(j, 0);
	for (int i = 0; i < SUBS; i++) {
		struct sub *s = &topic->subs[i];

		doubt[i] = ref_doubt(s);
		if (!s->exists || s->fresh)
			continue;
		s->purged += w.stat[j->a->topic].subs[i].pending;
		s->expired = w.stat[j->a->topic].subs[i].expired;
		for (uint64_t n = s->low; n <= topic->published; n++) {
			ref_void(s, n);
			s->nums[n].what = NUM_SETTLED;
		}
	}
	judged_durable();
	for (int i = 0; i < SUBS; i++)
		if (doubt[i])
			drop_doubtful(&topic->subs[i]);
}

void
judge_release(const struct judged *j)
{
	struct sub *s = judged_sub_asked(j);
	uint64_t least = 0, most = 0, now = loop_now() + 2;
	bool doubt = ref_doubt(s);

	if (!s->exists) {
		judged_want_error(j, "nosub");
		return;
	}
	for (uint64_t n = s->low; n <= w.topics[s->topic].published; n++) {
		struct num *x = &s->nums[n];
		bool over = (x->what == NUM_HELD || x->what == NUM_WAITING) && x->due_lo <= now;

		if (x->what != NUM_LEASED && x->what != NUM_HELD) {
			most += over && doubt;
			continue;
		}
		least += !over;
		most++;
		ref_void(s, n);
		ref_tries(x, x->min + 1, x->max + 1 + (over && doubt));
		ref_ready(x);
	}
	if (judged_number(j, 0) < least || judged_number(j, 0) > most)
		wrong("released %llu, not %llu to %llu", (unsigned long long)judged_number(j, 0),
		    (unsigned long long)least, (unsigned long long)most);
	judged_durable();
	if (doubt)
		drop_doubtful(s);
}

/* A letter that goes back; its sub is the one asked for, or any. */
static bool
goes_back(const struct judged *j, uint64_t n)
{
	int t = j->a->topic;
	const struct num *x = num_of(sub_of(t + MAINS, S_DEFAULT), n);
	const struct msg *m = &w.topics[t + MAINS].msgs[n];

	return (x->what == NUM_READY || x->what == NUM_WAITING) && n >= j->a->r[0].lo && n <= j->a->r[0].hi &&
	    (j->a->sub == -1 || j->a->sub == m->sub) && sub_of(t, m->sub)->exists;
}

void
judge_redrive(const struct judged *j)
{
	int t = j->a->topic;
	struct sub *dead = sub_of(t + MAINS, S_DEFAULT);
	uint64_t moved = 0;

	for (uint64_t n = dead->low; dead->exists && n <= w.topics[t + MAINS].published; n++) {
		struct msg m;

		if (!goes_back(j, n))
			continue;
		m = w.topics[t + MAINS].msgs[n];
		m.to = m.sub;
		m.sub = -1;
		m.sec = 0;
		ref_publish(t, &m);
		ref_settle(dead, n, PLACE_ACKED);
		moved++;
	}
	judged_want_number(j, 0, moved);
	judged_durable();
}
