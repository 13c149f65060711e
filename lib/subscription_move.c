/* SPDX-License-Identifier: ISC */
/*
 * Moving a subscription: what was purged or expired is forgotten, a seek
 * begins elsewhere, a release takes back what consumers hold.
 *
 * A consumer is not told.  What it holds of the numbers moved is void: they
 * are not its to settle any more, and its ack of them is answered OK and
 * does nothing.
 */
#include "subscription.h"

#include "base/loop.h"

/* Numbers lo to hi leave all consumers' hands. */
static enum mess_err
void_leases(struct subscription *s, uint64_t lo, uint64_t hi)
{
	struct range left, part;
	struct lease *lease;
	const struct range *r;
	enum mess_err err;

	TAILQ_FOREACH(lease, &s->leases, link)
		for (left = (struct range){ lo, hi };
		    (r = ranges_from(&lease->held, left.lo)) != NULL && r->lo <= hi;) {
			part.lo = r->lo > lo ? r->lo : lo;
			part.hi = r->hi < hi ? r->hi : hi;
			if ((err = ranges_add(&lease->voided, part.lo, part.hi)) != MESS_OK ||
			    (err = ranges_remove(&lease->held, part.lo, part.hi)) != MESS_OK)
				return err;
			if (part.hi == UINT64_MAX)
				break;
			left.lo = part.hi + 1;
		}
	return MESS_OK;
}

static enum mess_err
forget(struct subscription *s, uint64_t below, enum place_count why)
{
	enum mess_err err;

	if (s->place.floor >= below)
		return MESS_OK;
	if ((err = subscription_join(s)) != MESS_OK || (err = void_leases(s, 0, below - 1)) != MESS_OK)
		return err;
	return place_forget(&s->place, below, why);
}

enum mess_err
subscriptions_forget(struct topic *t, uint64_t below, enum place_count why)
{
	struct subscriptions *set;
	struct subscription *s;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	TAILQ_FOREACH(s, &set->list, link)
		if ((err = forget(s, below, why)) != MESS_OK)
			return err;
	return MESS_OK;
}

/*
 * Counts never go back: start takes up the difference, so that what was
 * settled is still floor less start, and what is above the floor.
 */
enum mess_err
subscription_seek(struct subscription *s, uint64_t n)
{
	struct place *p = &s->place;
	uint64_t settled = 0;
	enum mess_err err;

	if ((err = subscription_join(s)) != MESS_OK || (err = void_leases(s, 0, UINT64_MAX)) != MESS_OK)
		return err;
	if ((err = place_forget(p, n, PLACE_SKIPPED)) != MESS_OK)
		return err;
	for (int i = 0; i < PLACE_COUNTS; i++)
		settled += p->counts[i];
	ranges_free(&p->settled);
	attempts_free(&p->attempts);
	p->floor = p->next = n;
	p->start = n - settled;
	return subscription_free_settled(s->topic);
}

enum mess_err
subscription_release(struct subscription *s, uint64_t *count)
{
	struct subscription_counts counts;
	struct attempts *set = &s->place.attempts;
	struct lease *lease;
	enum mess_err err;

	subscription_count(s, &counts);
	if ((err = subscription_join(s)) != MESS_OK)
		return err;
	TAILQ_FOREACH(lease, &s->leases, link)
		while (lease->held.count > 0) {
			struct range r = lease->held.r[0];

			if ((err = subscription_take_back(s, lease, &r)) != MESS_OK ||
			    (err = ranges_add(&lease->voided, r.lo, r.hi)) != MESS_OK)
				return err;
		}
	attempts_end_holds(set, loop_now());
	*count = counts.leased;
	return MESS_OK;
}
