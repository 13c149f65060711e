/* SPDX-License-Identifier: ISC */
/*
 * Attempts: the same as an array with a place for each number would be.
 */
#include "attempts.h"
#include "test.h"

#define N 120
#define NEVER UINT64_MAX

/* What the array has of a number; known is false where nothing is. */
struct known {
	bool known;
	struct attempt a;
};

static struct attempt
waiting(uint64_t lo, uint64_t hi, uint32_t count, uint64_t due)
{
	return (struct attempt){ .lo = lo, .hi = hi, .count = count, .state = ATTEMPT_WAITING, .due = due };
}

static bool
has_time(const struct attempt *a)
{
	return a->state == ATTEMPT_WAITING || a->state == ATTEMPT_HELD;
}

/* --- against an array --------------------------------------------------- */

static bool
is_sorted(const struct attempts *set)
{
	size_t ready = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (set->a[i].lo > set->a[i].hi || (i > 0 && set->a[i].lo <= set->a[i - 1].hi) ||
		    (set->a[i].state == ATTEMPT_HELD && set->a[i].lo != set->a[i].hi))
			return false;
		ready += set->a[i].state == ATTEMPT_READY;
	}
	return ready == set->ready;
}

/* One that says its own time may be looked at earlier, others are exact. */
static bool
is_same(const struct attempt *is, struct known *want)
{
	const struct attempt *a = &want->a;

	if ((is != NULL) != want->known)
		return false;
	if (is == NULL)
		return true;
	if (is->state != a->state || is->count != a->count || is->token != a->token ||
	    is->uid != a->uid || is->again != a->again || is->due > a->due || (!a->again && is->due != a->due))
		return false;
	want->a.due = is->due;
	return true;
}

static bool
is_model(struct attempts *set, struct known *model)
{
	uint64_t due = NEVER, first = NEVER, total[4] = { 0 };

	for (uint64_t n = 0; n < N; n++) {
		const struct attempt *a = attempts_of(set, n), *from = attempts_from(set, n);

		if (!is_same(a, &model[n]) || (a != NULL && from != a))
			return false;
		if (a == NULL)
			continue;
		total[a->state]++;
		if (has_time(a) && a->due < due)
			due = a->due;
		if (a->state == ATTEMPT_READY && first == NEVER)
			first = n;
	}
	for (int state = 0; state < 4; state++)
		if (attempts_total(set, (enum attempt_state)state, 0) != total[state])
			return false;
	if (set->held != total[ATTEMPT_HELD] || attempts_next_due(set) > due)
		return false;
	return (attempts_ready(set) == NULL ? NEVER : attempts_ready(set)->lo) == first;
}

/* Times from 1 on: what is due at 0 would be ready in a total at 0. */
static struct attempt
any_attempt(void)
{
	struct attempt a = { .lo = test_random() % N, .count = (uint32_t)(test_random() % 3),
		.state = (enum attempt_state)(test_random() % 4) };

	a.hi = a.lo + test_random() % 8;
	if (a.hi >= N)
		a.hi = N - 1;
	if (has_time(&a))
		a.due = 1 + test_random() % 5000;
	if (a.state == ATTEMPT_HELD) {
		a.hi = a.lo;
		a.token = test_random();
		a.uid = (uint32_t)(test_random() % 3);
	} else if (a.state == ATTEMPT_WAITING && a.count == 0)
		a.again = test_random() % 2 == 0;
	return a;
}

static void
expire(struct attempts *set, struct known *model, uint64_t now)
{
	bool any = false;

	for (uint64_t n = 0; n < N; n++) {
		struct attempt *a = &model[n].a;

		if (!model[n].known || !has_time(a) || a->due > now)
			continue;
		any = true;
		*a = (struct attempt){ .count = a->count + (a->state == ATTEMPT_HELD), .state = ATTEMPT_READY };
	}
	CHECK(attempts_expire(set, now) == any);
}

static void
step(struct attempts *set, struct known *model)
{
	struct attempt a = any_attempt();

	switch (test_random() % 8) {
	case 0:
		expire(set, model, test_random() % 4000);
		return;
	case 1:
	case 2:
		CHECK(attempts_clear(set, a.lo, a.hi) == MESS_OK);
		for (uint64_t n = a.lo; n <= a.hi; n++)
			model[n].known = false;
		return;
	default:
		CHECK(attempts_put(set, &a) == MESS_OK);
		for (uint64_t n = a.lo; n <= a.hi; n++)
			model[n] = (struct known){ true, a };
	}
}

TEST("attempts: whatever is put, cleared and due, each number is what an array says")
{
	for (int round = 0; round < 60; round++) {
		struct known model[N] = { 0 };
		struct attempts set = { 0 };

		for (int i = 0; i < 400; i++) {
			step(&set, model);
			if (!CHECK(is_sorted(&set)) || !CHECK(is_model(&set, model))) {
				printf("# round %d step %d\n", round, i);
				break;
			}
		}
		attempts_free(&set);
	}
}

/* --- stories ------------------------------------------------------------ */

TEST("attempts: an empty set has nothing, waits for nothing, and may be freed twice")
{
	struct attempts set = { 0 };

	CHECK(attempts_from(&set, 0) == NULL && attempts_ready(&set) == NULL);
	CHECK(attempts_next_due(&set) == NEVER && !attempts_expire(&set, NEVER));
	CHECK(attempts_clear(&set, 0, NEVER) == MESS_OK && set.count == 0);
	attempts_free(&set);
	attempts_free(&set);
}

TEST("attempts: neighbours that are alike are one, and come apart again")
{
	struct attempt a = { .lo = 1, .hi = 4, .count = 1 }, b = { .lo = 5, .hi = 9, .count = 1 };
	struct attempt other = { .lo = 3, .hi = 3, .count = 2 };
	struct attempts set = { 0 };

	CHECK(attempts_put(&set, &b) == MESS_OK && attempts_put(&set, &a) == MESS_OK);
	CHECK(set.count == 1 && attempts_of(&set, 9)->lo == 1);

	CHECK(attempts_put(&set, &other) == MESS_OK);
	CHECK(set.count == 3 && attempts_of(&set, 3)->count == 2 && attempts_of(&set, 4)->lo == 4);
	other.count = 1;
	CHECK(attempts_put(&set, &other) == MESS_OK && set.count == 1);
	attempts_free(&set);
}

TEST("attempts: what was given back a little later comes a little later")
{
	struct attempt a = waiting(1, 1, 0, 1000), b = waiting(2, 2, 0, 1900);
	struct attempts set = { 0 };

	CHECK(attempts_put(&set, &a) == MESS_OK && attempts_put(&set, &b) == MESS_OK);
	CHECK(attempts_expire(&set, 1000));

	CHECK(attempts_of(&set, 1)->state == ATTEMPT_READY && attempts_of(&set, 2)->state == ATTEMPT_WAITING);
	CHECK(attempts_next_due(&set) == 1900);
	attempts_free(&set);
}

TEST("attempts: messages that say their own time are kept together, with the earliest")
{
	struct attempt a = waiting(1, 1, 0, 2900), b = waiting(2, 2, 0, 2000), late = waiting(3, 3, 0, 4000);
	struct attempts set = { 0 };

	a.again = b.again = late.again = true;
	CHECK(attempts_put(&set, &a) == MESS_OK && attempts_put(&set, &b) == MESS_OK);
	CHECK(attempts_put(&set, &late) == MESS_OK);

	CHECK(set.count == 2 && attempts_of(&set, 1)->due == 2000 && attempts_of(&set, 3)->due == 4000);
	attempts_free(&set);
}

TEST("attempts: however many say their own times, they are some thousand at most")
{
	struct attempts set = { 0 };

	for (uint64_t n = 1; n <= 5000; n++) {
		struct attempt a = waiting(n, n, 0, n * 5000);

		a.again = true;
		CHECK(attempts_put(&set, &a) == MESS_OK);
	}

	CHECK(set.count <= ATTEMPTS_COARSE + 2 && attempts_total(&set, ATTEMPT_WAITING, 0) == 5000);
	CHECK(attempts_next_due(&set) == 5000);
	attempts_free(&set);
}

TEST("attempts: what is due counts as ready before anybody has looked")
{
	struct attempt a = waiting(1, 3, 1, 1000);
	struct attempt held = { .lo = 7, .hi = 7, .state = ATTEMPT_HELD, .due = 2000, .token = 5, .uid = 6 };
	struct attempts set = { 0 };

	CHECK(attempts_put(&set, &a) == MESS_OK && attempts_put(&set, &held) == MESS_OK);

	CHECK(attempts_total(&set, ATTEMPT_WAITING, 999) == 3 && attempts_total(&set, ATTEMPT_READY, 999) == 0);
	CHECK(attempts_total(&set, ATTEMPT_WAITING, 1000) == 0 && attempts_total(&set, ATTEMPT_READY, 1000) == 3);
	CHECK(attempts_total(&set, ATTEMPT_HELD, 1999) == 1 && attempts_total(&set, ATTEMPT_READY, 2000) == 4);
	attempts_free(&set);
}

TEST("attempts: a hold that is over was a try, and its token is nobody's")
{
	struct attempt held = { .lo = 7, .hi = 7, .count = 1, .state = ATTEMPT_HELD, .due = 2000, .token = 5,
		.uid = 6 };
	struct attempts set = { 0 };

	CHECK(attempts_put(&set, &held) == MESS_OK && attempts_expire(&set, 2000));

	CHECK(attempts_ready(&set)->lo == 7 && attempts_ready(&set)->count == 2);
	CHECK(attempts_ready(&set)->token == 0 && attempts_ready(&set)->uid == 0);
	attempts_free(&set);
}
