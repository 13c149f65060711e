/* SPDX-License-Identifier: ISC */
/*
 * Subscription Manager: handing out and settling.
 *
 * In memory a subscription is its place and its consumers' leases.  A
 * number below the floor or in place.settled is settled; one in
 * place.attempts was tried or waits; one in a lease is in a consumer's
 * hands; all others below place.next are on their way out of there; those
 * from place.next on were never handed out.  Only the place is on disk:
 * what a crash finds leased is not settled, and goes out again.
 */
#include "subscription.h"

#include "base/loop.h"

#define AGAIN_MS 1000	/* until what found no room in the place is looked at again */

/* --- the place in the commit -------------------------------------------- */

/* Room in the commit being gathered, before anything is changed. */
enum mess_err
subscription_join(struct subscription *s)
{
	struct store *store = log_store(s->topic->log);
	enum mess_err err;

	if (store_is_sick(store))
		return MESS_SICK;
	if (s->part.joined)
		return MESS_OK;
	/* Here, where its failing is one request's: in the commit it would make the spool sick. */
	if ((err = subscription_open(s)) != MESS_OK)
		return err;
	s->part.most = PLACE_SIZE + 512;
	if ((err = store_room(store, s->part.most)) != MESS_OK)
		return err;
	store_join(store, &s->part);
	return MESS_OK;
}

/* --- what is ready ------------------------------------------------------ */

/* Skips what is settled or known above the floor: a restart and a seek find such numbers at next. */
static void
skip_known(struct subscription *s)
{
	struct place *p = &s->place;
	const struct attempt *a;
	const struct range *r;
	bool moved = true;

	if (p->next < p->floor)
		p->next = p->floor;
	while (moved) {
		moved = false;
		if ((r = ranges_from(&p->settled, p->next)) != NULL && r->lo <= p->next) {
			p->next = r->hi + 1;
			moved = true;
		}
		if ((a = attempts_of(&p->attempts, p->next)) != NULL) {
			p->next = a->hi + 1;
			moved = true;
		}
	}
}

/* The end of the run at next that is neither settled nor known. */
static uint64_t
unknown_until(const struct subscription *s, uint64_t last)
{
	const struct attempt *a = attempts_from(&s->place.attempts, s->place.next);
	const struct range *r = ranges_from(&s->place.settled, s->place.next);

	if (r != NULL && r->lo <= last)
		last = r->lo - 1;
	if (a != NULL && a->lo <= last)
		last = a->lo - 1;
	return last;
}

bool
subscription_is_full(const struct subscription *s)
{
	return place_must(&s->place) >= PLACE_RANGES_MAX - 4 || s->place.attempts.count >= 2 * PLACE_RANGES_MAX;
}

static bool
next_ready(struct subscription *s, struct handout *out)
{
	uint64_t end = log_durable(s->topic->log);
	const struct attempt *a;

	(void)attempts_expire(&s->place.attempts, loop_now()); /* what became ready is looked at next */
	if ((a = attempts_ready(&s->place.attempts)) != NULL) {
		*out = (struct handout){ { a->lo, a->hi }, a->count };
		return true;
	}
	/* What was tried may always be tried again: only new numbers need room in the place. */
	if (subscription_is_full(s))
		return false;
	skip_known(s);
	if (s->place.next >= end)
		return false;
	*out = (struct handout){ { s->place.next, unknown_until(s, end - 1) }, 0 };
	return true;
}

bool
subscription_ready(struct subscription *s, uint64_t max, struct handout *out)
{
	if (max == 0 || s->gone || !next_ready(s, out))
		return false;
	if (out->run.hi - out->run.lo >= max)
		out->run.hi = out->run.lo + max - 1;
	return true;
}

bool
subscription_has_ready(struct subscription *s)
{
	struct handout h;

	return subscription_ready(s, 1, &h);
}

uint64_t
subscription_next_due(const struct subscription *s)
{
	return attempts_next_due(&s->place.attempts);
}

void
subscription_count(const struct subscription *s, struct subscription_counts *out)
{
	const struct attempts *set = &s->place.attempts;
	uint64_t end = log_durable(s->topic->log), all = end > s->place.floor ? end - s->place.floor : 0;
	uint64_t now = loop_now(); /* nobody may have looked since something became due */
	struct lease *lease;

	*out = (struct subscription_counts){ .pending = all - ranges_total(&s->place.settled),
		.leased = attempts_total(set, ATTEMPT_HELD, now), .delayed = attempts_total(set, ATTEMPT_WAITING, now) };
	TAILQ_FOREACH(lease, &s->leases, link)
		out->leased += ranges_total(&lease->held);
	out->waiting = out->pending - out->leased - out->delayed;
}

/* --- leases ------------------------------------------------------------- */

enum mess_err
subscription_lease(struct subscription *s, struct lease *lease, const struct handout *h)
{
	struct attempt out = { .lo = h->run.lo, .hi = h->run.hi, .count = h->tries, .state = ATTEMPT_OUT };
	enum mess_err err;

	if ((err = ranges_add(&lease->held, h->run.lo, h->run.hi)) != MESS_OK)
		return err;
	/* With the next commit, so that after a crash it is known to have been tried. */
	ERR_IGNORE(subscription_join(s)); /* a sick spool hands out what is durable */
	if (h->run.lo >= s->place.next) {
		s->place.next = h->run.hi + 1;
		return MESS_OK;
	}
	s->place.redelivered += h->tries > 0 ? h->run.hi - h->run.lo + 1 : 0;
	/* Untried ones that waited need not be known any more. */
	if (h->tries == 0)
		return attempts_clear(&s->place.attempts, h->run.lo, h->run.hi);
	return attempts_put(&s->place.attempts, &out);
}

bool
lease_holds(const struct lease *lease, uint64_t seq)
{
	return ranges_contain(&lease->held, seq, seq);
}

bool
lease_has(const struct lease *lease, uint64_t lo, uint64_t hi)
{
	const struct range *r;

	if (ranges_contain(&lease->held, lo, hi))
		return true;
	if (lease->voided.count == 0)
		return false;
	for (uint64_t n = lo; n <= hi; n = r->hi + 1) {
		if (((r = ranges_from(&lease->held, n)) == NULL || r->lo > n) &&
		    ((r = ranges_from(&lease->voided, n)) == NULL || r->lo > n))
			return false;
		if (r->hi == UINT64_MAX)
			return true;
	}
	return true;
}

uint32_t
subscription_tries(const struct subscription *s, uint64_t seq)
{
	const struct attempt *a = attempts_of(&s->place.attempts, seq);

	return a != NULL ? a->count : 0;
}

/* Numbers come back: each as often tried as it was, and once more when that counts. */
static enum mess_err
come_back(struct subscription *s, const struct range *run, const struct attempt *as, bool counted)
{
	struct attempts *set = &s->place.attempts;
	struct attempt back = *as;
	const struct attempt *a;
	enum mess_err err;

	for (uint64_t n = run->lo; n <= run->hi; n = back.hi + 1) {
		a = attempts_from(set, n);
		back.lo = n;
		back.hi = a == NULL || a->lo > run->hi ? run->hi : a->lo > n ? a->lo - 1 :
		    a->hi < run->hi ? a->hi : run->hi;
		back.count = (a != NULL && a->lo <= n ? a->count : 0) + counted;
		if ((err = attempts_put(set, &back)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}

void
subscription_detach(struct subscription *s, struct lease *lease)
{
	static const struct attempt ready = { .state = ATTEMPT_READY };

	TAILQ_REMOVE(&s->leases, lease, link);
	/* Joined or not, they go out again at once; a sick spool counts them in memory. */
	if (lease->held.count > 0 && !s->gone)
		ERR_IGNORE(subscription_join(s));
	for (size_t i = 0; i < lease->held.count; i++)
		/* Without memory for it: everything from there goes out again, once more. */
		if (come_back(s, &lease->held.r[i], &ready, true) != MESS_OK &&
		    lease->held.r[i].lo < s->place.next)
			s->place.next = lease->held.r[i].lo;
	ranges_free(&lease->held);
	ranges_free(&lease->voided);
	s->consumers--;
}

/* --- settling ----------------------------------------------------------- */

/* The floor only rises, and takes with it what was settled above it without a gap. */
enum mess_err
subscription_raise(struct subscription *s, uint64_t n)
{
	struct place *p = &s->place;
	bool held_back = p->floor <= log_first(s->topic->log);
	enum mess_err err;

	if (n > p->floor)
		p->floor = n;
	if ((err = place_raise(p)) != MESS_OK)
		return err;
	/* Only one of those that hold the oldest messages can let go of them. */
	return held_back ? subscription_free_settled(s->topic) : MESS_OK;
}

/* Numbers above the floor, not settled yet; the subscription takes part in the commit. */
static enum mess_err
settle(struct subscription *s, const struct range *run, enum place_count how)
{
	struct place *p = &s->place;
	enum mess_err err;

	if ((err = attempts_clear(&p->attempts, run->lo, run->hi)) != MESS_OK)
		return err;
	if (run->lo > p->floor)
		err = ranges_add(&p->settled, run->lo, run->hi);
	else
		err = subscription_raise(s, run->hi + 1);
	if (err == MESS_OK)
		p->counts[how] += run->hi - run->lo + 1;
	return err;
}

/* Settled, do these numbers become one with what is settled already? */
static bool
touches_settled(const struct subscription *s, const struct range *run)
{
	const struct ranges *set = &s->place.settled;

	return run->lo <= s->place.floor || ranges_contain(set, run->lo - 1, run->lo - 1) ||
	    ranges_contain(set, run->hi + 1, run->hi + 1);
}

/* The place is full: what comes first must be settled first. */
static bool
has_room(const struct subscription *s, size_t ranges)
{
	return ranges == 0 || place_must(&s->place) + ranges < PLACE_RANGES_MAX;
}

/* The next part of run that the consumer holds; false when none is left. */
static bool
held_part(const struct lease *lease, const struct range *run, struct range *out)
{
	const struct range *r = ranges_from(&lease->held, run->lo);

	if (run->lo > run->hi || r == NULL || r->lo > run->hi)
		return false;
	out->lo = r->lo > run->lo ? r->lo : run->lo;
	out->hi = r->hi < run->hi ? r->hi : run->hi;
	return true;
}

/*
 * The next part of run whose answer is for what the consumer holds.  A
 * number that was taken away and handed out again to the same consumer is
 * answered twice, and the first answer is the old copy's.
 */
static bool
answered_part(const struct lease *lease, const struct range *run, struct range *out)
{
	struct range left = *run;
	const struct range *v;

	while (held_part(lease, &left, out)) {
		if ((v = ranges_from(&lease->voided, out->lo)) == NULL || v->lo > out->hi)
			return true;
		if (v->lo > out->lo) {
			out->hi = v->lo - 1;
			return true;
		}
		if (v->hi >= run->hi)
			return false;
		left.lo = v->hi + 1;
	}
	return false;
}

bool
lease_drop_void(struct lease *lease, uint64_t seq)
{
	return ranges_contain(&lease->voided, seq, seq) && ranges_remove(&lease->voided, seq, seq) == MESS_OK;
}

bool
subscription_has_room(const struct subscription *s, const struct lease *lease, const struct range *run,
    size_t *ranges)
{
	struct range left = *run, part;

	for (; answered_part(lease, &left, &part); left.lo = part.hi + 1)
		*ranges += !touches_settled(s, &part);
	return has_room(s, *ranges);
}

enum mess_err
subscription_ack(struct subscription *s, struct lease *lease, const struct range *run,
    enum place_count how)
{
	struct range left = *run, part;
	enum mess_err err;

	for (; answered_part(lease, &left, &part); left.lo = part.hi + 1) {
		if (!has_room(s, !touches_settled(s, &part)))
			return MESS_LIMIT;
		if ((err = subscription_join(s)) != MESS_OK ||
		    (err = ranges_remove(&lease->held, part.lo, part.hi)) != MESS_OK ||
		    (err = settle(s, &part, how)) != MESS_OK)
			return err;
	}
	return ranges_remove(&lease->voided, run->lo, run->hi);
}

enum mess_err
subscription_defer(struct subscription *s, struct lease *lease, const struct range *run, uint64_t due,
    bool counted)
{
	struct attempt wait = { .state = due > loop_now() ? ATTEMPT_WAITING : ATTEMPT_READY, .due = due };
	struct range left = *run, part;
	enum mess_err err;

	for (; answered_part(lease, &left, &part); left.lo = part.hi + 1) {
		if (s->place.attempts.count >= ATTEMPTS_MOST)
			return MESS_LIMIT;
		if ((err = subscription_join(s)) != MESS_OK ||
		    (err = ranges_remove(&lease->held, part.lo, part.hi)) != MESS_OK ||
		    (err = come_back(s, &part, &wait, counted)) != MESS_OK)
			return err;
	}
	return ranges_remove(&lease->voided, run->lo, run->hi);
}

enum mess_err
subscription_take_back(struct subscription *s, struct lease *lease, const struct range *run)
{
	static const struct attempt ready = { .state = ATTEMPT_READY };
	enum mess_err err;

	if ((err = ranges_remove(&lease->held, run->lo, run->hi)) != MESS_OK)
		return err;
	return come_back(s, run, &ready, true);
}

/* --- leases by time ----------------------------------------------------- */

enum mess_err
subscription_hold(struct subscription *s, struct lease *lease, uint64_t seq, const struct attempt *hold)
{
	struct attempt held = *hold;
	enum mess_err err;

	held.lo = held.hi = seq;
	held.state = ATTEMPT_HELD;
	held.count = subscription_tries(s, seq);
	if (!has_room(s, 1))
		return MESS_LIMIT; /* it would not be good across a restart */
	if ((err = subscription_join(s)) != MESS_OK || (err = attempts_put(&s->place.attempts, &held)) != MESS_OK)
		return err;
	return ranges_remove(&lease->held, seq, seq);
}

enum mess_err
subscription_held(struct subscription *s, uint64_t seq, uint64_t token, uint32_t uid)
{
	const struct attempt *a;

	(void)attempts_expire(&s->place.attempts, loop_now()); /* those that are over */
	a = attempts_of(&s->place.attempts, seq);
	return a != NULL && a->state == ATTEMPT_HELD && a->token == token && a->uid == uid ?
	    MESS_OK : MESS_NOSUB;
}

enum mess_err
subscription_settle(struct subscription *s, uint64_t seq, enum place_count how)
{
	struct range run = { seq, seq };
	enum mess_err err;

	if (!has_room(s, !touches_settled(s, &run)))
		return MESS_LIMIT;
	return (err = subscription_join(s)) != MESS_OK ? err : settle(s, &run, how);
}

enum mess_err
subscription_put_off(struct subscription *s, uint64_t seq, uint64_t due, bool counted)
{
	struct attempt wait = { .state = ATTEMPT_WAITING, .due = due };
	struct range run = { seq, seq };
	enum mess_err err;

	return (err = subscription_join(s)) != MESS_OK ? err : come_back(s, &run, &wait, counted);
}

/* --- what was read and is not handed out -------------------------------- */

/*
 * The next part of run, from its lo on, that nobody holds: ready to be
 * tried, or never handed out.  *out is never larger than one such part.
 */
static bool
free_part(struct subscription *s, const struct range *run, struct range *out)
{
	const struct attempt *a = attempts_from(&s->place.attempts, run->lo);

	skip_known(s);
	for (; a != NULL && a->lo <= run->hi; a = attempts_from(&s->place.attempts, a->hi + 1))
		if (a->state == ATTEMPT_READY) {
			*out = (struct range){ a->lo > run->lo ? a->lo : run->lo,
				a->hi < run->hi ? a->hi : run->hi };
			return true;
		}
	if (s->place.next < run->lo || s->place.next > run->hi)
		return false;
	*out = (struct range){ s->place.next, unknown_until(s, run->hi) };
	return true;
}

/* Without room in the place it is looked at again: settled, it would push out what is. */
static enum mess_err
pass_part(struct subscription *s, const struct range *part, enum place_count why, bool may_settle)
{
	struct attempt later = { .state = ATTEMPT_WAITING, .due = loop_now() + AGAIN_MS, .again = true };

	if (part->lo == s->place.next)
		s->place.next = part->hi + 1;
	if (!may_settle)
		return attempts_clear(&s->place.attempts, part->lo, part->hi);
	if (!has_room(s, !touches_settled(s, part)))
		return come_back(s, part, &later, false);
	return settle(s, part, why);
}

enum mess_err
subscription_pass(struct subscription *s, const struct range *run, enum place_count why)
{
	enum mess_err err = subscription_join(s);
	bool may_settle = err == MESS_OK;
	struct range part;

	if (err != MESS_OK && err != MESS_SICK)
		return err;
	while (free_part(s, run, &part))
		if ((err = pass_part(s, &part, why, may_settle)) != MESS_OK)
			return err;
	return MESS_OK;
}

enum mess_err
subscription_wait(struct subscription *s, const struct range *run, uint64_t due)
{
	struct attempt wait = { .state = ATTEMPT_WAITING, .due = due, .again = true };
	struct range part;
	enum mess_err err;

	/* In memory only, until something else commits the place: the message says when it is due. */
	while (free_part(s, run, &part)) {
		if (part.lo == s->place.next)
			s->place.next = part.hi + 1;
		if ((err = come_back(s, &part, &wait, false)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}
