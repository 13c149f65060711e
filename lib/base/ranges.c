/* SPDX-License-Identifier: ISC */
/*
 * Sets of numbers as sorted ranges: a place above its floor, the leases of
 * a consumer.  In order of number they are one range, whatever their size.
 */
#include "ranges.h"

#include <stdlib.h>
#include <string.h>

void
ranges_free(struct ranges *set)
{
	free(set->r);
	*set = (struct ranges){ 0 };
}

/* Index of the first range whose hi is at or above n. */
static size_t
find(const struct ranges *set, uint64_t n)
{
	size_t lo = 0, hi = set->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->r[mid].hi < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum mess_err
room(struct ranges *set, size_t more)
{
	size_t cap = set->cap == 0 ? 4 : set->cap;
	struct range *r;

	if (set->count + more <= set->cap)
		return MESS_OK;
	while (cap < set->count + more)
		cap *= 2;
	if ((r = reallocarray(set->r, cap, sizeof *r)) == NULL)
		return MESS_LIMIT;
	set->r = r;
	set->cap = cap;
	return MESS_OK;
}

/* Replace count ranges at i by those of with. */
static void
splice(struct ranges *set, size_t i, size_t count, const struct range *with, size_t n)
{
	memmove(set->r + i + n, set->r + i + count, (set->count - i - count) * sizeof *set->r);
	memcpy(set->r + i, with, n * sizeof *with);
	set->count = set->count - count + n;
}

enum mess_err
ranges_add(struct ranges *set, uint64_t lo, uint64_t hi)
{
	struct range merged = { lo, hi };
	enum mess_err err;
	size_t i, end;

	if ((err = room(set, 1)) != MESS_OK)
		return err;
	/* Neighbours that touch are merged, so that order costs one range. */
	i = find(set, lo == 0 ? 0 : lo - 1);
	for (end = i; end < set->count && (hi == UINT64_MAX || set->r[end].lo <= hi + 1); end++) {
		if (set->r[end].lo < merged.lo)
			merged.lo = set->r[end].lo;
		if (set->r[end].hi > merged.hi)
			merged.hi = set->r[end].hi;
	}
	splice(set, i, end - i, &merged, 1);
	return MESS_OK;
}

enum mess_err
ranges_remove(struct ranges *set, uint64_t lo, uint64_t hi)
{
	struct range left[2];
	enum mess_err err;
	size_t i, end, n = 0;

	if ((err = room(set, 1)) != MESS_OK)
		return err;
	i = find(set, lo);
	for (end = i; end < set->count && set->r[end].lo <= hi; end++)
		;
	if (end == i)
		return MESS_OK;
	if (set->r[i].lo < lo)
		left[n++] = (struct range){ set->r[i].lo, lo - 1 };
	if (set->r[end - 1].hi > hi)
		left[n++] = (struct range){ hi + 1, set->r[end - 1].hi };
	splice(set, i, end - i, left, n);
	return MESS_OK;
}

bool
ranges_contain(const struct ranges *set, uint64_t lo, uint64_t hi)
{
	size_t i = find(set, lo);

	return i < set->count && set->r[i].lo <= lo && set->r[i].hi >= hi;
}

const struct range *
ranges_from(const struct ranges *set, uint64_t n)
{
	size_t i = find(set, n);

	return i < set->count ? &set->r[i] : NULL;
}

uint64_t
ranges_total(const struct ranges *set)
{
	uint64_t total = 0;

	for (size_t i = 0; i < set->count; i++)
		total += set->r[i].hi - set->r[i].lo + 1;
	return total;
}
