/* SPDX-License-Identifier: ISC */
/*
 * Attempts, as a sorted array: there are few, because a place has room for
 * few.
 */
#include "attempts.h"

#include <stdlib.h>
#include <string.h>

#define NEAR_MS 1000	/* due times of messages to be looked at again that are kept together */

void
attempts_free(struct attempts *set)
{
	free(set->a);
	*set = (struct attempts){ 0 };
}

/* Index of the first whose hi is at or above n. */
static size_t
find(const struct attempts *set, uint64_t n)
{
	size_t lo = 0, hi = set->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->a[mid].hi < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum mess_err
room(struct attempts *set, size_t more)
{
	size_t cap = set->cap == 0 ? 4 : set->cap;
	struct attempt *a;

	if (set->count + more <= set->cap)
		return MESS_OK;
	while (cap < set->count + more)
		cap *= 2;
	if ((a = reallocarray(set->a, cap, sizeof *a)) == NULL)
		return MESS_LIMIT;
	set->a = a;
	set->cap = cap;
	return MESS_OK;
}

static bool
has_time(const struct attempt *a)
{
	return a->state == ATTEMPT_WAITING || a->state == ATTEMPT_HELD;
}

/* The counts and bounds with one more. */
static void
count_in(struct attempts *set, const struct attempt *a)
{
	set->held += a->state == ATTEMPT_HELD;
	if (has_time(a) && a->due < set->due_from)
		set->due_from = a->due;
	if (a->state != ATTEMPT_READY)
		return;
	set->ready++;
	if (a->lo < set->ready_from)
		set->ready_from = a->lo;
}

static void
splice(struct attempts *set, size_t i, size_t count, const struct attempt *with, size_t n)
{
	if (set->count == 0)
		set->ready_from = set->due_from = UINT64_MAX;
	for (size_t k = i; k < i + count; k++) {
		set->ready -= set->a[k].state == ATTEMPT_READY;
		set->held -= set->a[k].state == ATTEMPT_HELD;
	}
	memmove(set->a + i + n, set->a + i + count, (set->count - i - count) * sizeof *set->a);
	memcpy(set->a + i, with, n * sizeof *with);
	set->count = set->count - count + n;
	for (size_t k = i; k < i + n; k++)
		count_in(set, &set->a[k]);
}

/* Cut numbers out; *at is where they were.  Room for two more was made. */
static void
cut(struct attempts *set, uint64_t lo, uint64_t hi, size_t *at)
{
	struct attempt left[2];
	size_t i = find(set, lo), end = i, n = 0;

	while (end < set->count && set->a[end].lo <= hi)
		end++;
	*at = i;
	if (end == i)
		return;
	if (set->a[i].lo < lo) {
		left[n] = set->a[i];
		left[n++].hi = lo - 1;
		*at = i + 1;
	}
	if (set->a[end - 1].hi > hi) {
		left[n] = set->a[end - 1];
		left[n++].lo = hi + 1;
	}
	splice(set, i, end - i, left, n);
}

/*
 * May b, which follows a, be one with it?  Messages that say their own time
 * may be, with the earlier one: when that comes they are looked at again,
 * and those that are not due wait on.  What a consumer gave back would come
 * too early.
 */
static bool
joins(const struct attempts *set, const struct attempt *a, const struct attempt *b)
{
	uint64_t apart = a->due > b->due ? a->due - b->due : b->due - a->due;

	if (a->hi + 1 != b->lo || a->state != b->state || a->count != b->count ||
	    a->again != b->again || a->state == ATTEMPT_HELD)
		return false;
	if (a->state != ATTEMPT_WAITING || apart == 0)
		return true;
	return a->again && (apart <= NEAR_MS || set->count > ATTEMPTS_COARSE);
}

static void
join(struct attempts *set, size_t i)
{
	struct attempt one;

	if (i + 1 >= set->count || !joins(set, &set->a[i], &set->a[i + 1]))
		return;
	one = set->a[i];
	one.hi = set->a[i + 1].hi;
	if (set->a[i + 1].due < one.due)
		one.due = set->a[i + 1].due;
	splice(set, i, 2, &one, 1);
}

enum mess_err
attempts_put(struct attempts *set, const struct attempt *a)
{
	enum mess_err err;
	size_t i;

	if ((err = room(set, 2)) != MESS_OK)
		return err;
	cut(set, a->lo, a->hi, &i);
	splice(set, i, 0, a, 1);
	join(set, i);
	if (i > 0)
		join(set, i - 1);
	return MESS_OK;
}

enum mess_err
attempts_clear(struct attempts *set, uint64_t lo, uint64_t hi)
{
	enum mess_err err;
	size_t at;

	if (set->count == 0)
		return MESS_OK;
	if ((err = room(set, 2)) != MESS_OK)
		return err;
	cut(set, lo, hi, &at);
	return MESS_OK;
}

const struct attempt *
attempts_from(const struct attempts *set, uint64_t n)
{
	size_t i = find(set, n);

	return i < set->count ? &set->a[i] : NULL;
}

const struct attempt *
attempts_of(const struct attempts *set, uint64_t n)
{
	const struct attempt *a = attempts_from(set, n);

	return a != NULL && a->lo <= n ? a : NULL;
}

const struct attempt *
attempts_ready(struct attempts *set)
{
	if (set->ready == 0)
		return NULL;
	for (size_t i = find(set, set->ready_from); i < set->count; i++)
		if (set->a[i].state == ATTEMPT_READY) {
			set->ready_from = set->a[i].lo;
			return &set->a[i];
		}
	return NULL;
}

uint64_t
attempts_total(const struct attempts *set, enum attempt_state state, uint64_t now)
{
	uint64_t total = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct attempt *a = &set->a[i];

		if ((has_time(a) && a->due <= now ? ATTEMPT_READY : a->state) == state)
			total += a->hi - a->lo + 1;
	}
	return total;
}

bool
attempts_expire(struct attempts *set, uint64_t now)
{
	bool any = false;

	if (set->count == 0 || now < set->due_from)
		return false;
	set->due_from = UINT64_MAX;
	for (size_t i = 0; i < set->count; i++) {
		struct attempt *a = &set->a[i];

		if (has_time(a) && a->due > now && a->due < set->due_from)
			set->due_from = a->due;
		if (!has_time(a) || a->due > now)
			continue;
		a->count += a->state == ATTEMPT_HELD;
		set->held -= a->state == ATTEMPT_HELD;
		a->state = ATTEMPT_READY;
		a->due = a->token = 0;
		a->uid = 0;
		a->again = false;
		set->ready++;
		if (a->lo < set->ready_from)
			set->ready_from = a->lo;
		any = true;
	}
	return any;
}

void
attempts_end_holds(struct attempts *set, uint64_t now)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->a[i].state == ATTEMPT_HELD)
			set->a[i].due = 0;
	set->due_from = 0;
	(void)attempts_expire(set, now); /* they are what becomes ready */
}

uint64_t
attempts_next_due(const struct attempts *set)
{
	return set->count == 0 ? UINT64_MAX : set->due_from;
}
