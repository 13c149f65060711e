/* SPDX-License-Identifier: ISC */
/*
 * Ranges: the same set as a bitmap would be, always sorted and apart.
 */
#include "base/ranges.h"
#include "test.h"

#define N 200

static bool
is_sorted(const struct ranges *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->r[i].lo > set->r[i].hi ||
		    (i > 0 && set->r[i].lo <= set->r[i - 1].hi + 1))
			return false;
	return true;
}

static bool
is_model(const struct ranges *set, const bool *model)
{
	uint64_t total = 0;

	for (uint64_t n = 0; n < N; n++) {
		const struct range *r = ranges_from(set, n);
		uint64_t next = n;

		while (next < N && !model[next])
			next++;
		total += model[n];
		if (ranges_contain(set, n, n) != model[n] || (r == NULL) != (next == N) ||
		    (r != NULL && (r->lo > n ? r->lo : n) != next))
			return false;
	}
	return ranges_total(set) == total;
}

static bool
model_contains(const bool *model, uint64_t lo, uint64_t hi)
{
	for (uint64_t n = lo; n <= hi; n++)
		if (!model[n])
			return false;
	return true;
}

TEST("ranges: random additions and removals are those of a bitmap")
{
	for (int round = 0; round < 40; round++) {
		uint64_t longest = 1 + test_random() % 40;
		struct ranges set = { 0 };
		bool model[N] = { false };

		for (int step = 0; step < 300; step++) {
			uint64_t lo = test_random() % N, len = test_random() % longest;
			uint64_t hi = lo + len < N ? lo + len : N - 1;
			bool add = test_random() % 2 == 0;

			CHECK(ranges_contain(&set, lo, hi) == model_contains(model, lo, hi));
			CHECK((add ? ranges_add(&set, lo, hi) : ranges_remove(&set, lo, hi)) == MESS_OK);
			for (uint64_t n = lo; n <= hi; n++)
				model[n] = add;
			if (!CHECK(is_sorted(&set)) || !CHECK(is_model(&set, model))) {
				printf("# round %d step %d\n", round, step);
				break;
			}
		}
		ranges_free(&set);
	}
}

TEST("ranges: an empty set has nothing")
{
	struct ranges set = { 0 };

	CHECK(!ranges_contain(&set, 0, 0) && ranges_from(&set, 0) == NULL && ranges_total(&set) == 0);
	CHECK(ranges_remove(&set, 0, UINT64_MAX) == MESS_OK && set.count == 0);
	ranges_free(&set);
	ranges_free(&set);
}

TEST("ranges: numbers in order are one range, whatever their count")
{
	struct ranges set = { 0 };

	for (uint64_t n = 1; n <= 10000; n++)
		CHECK(ranges_add(&set, n, n) == MESS_OK && set.count == 1);
	CHECK(set.r[0].lo == 1 && set.r[0].hi == 10000);

	for (uint64_t n = 20000; n > 10001; n--)
		CHECK(ranges_add(&set, n, n) == MESS_OK && set.count == 2);
	CHECK(ranges_add(&set, 10001, 10001) == MESS_OK && set.count == 1);
	ranges_free(&set);
}

TEST("ranges: the first and the last number there are can be in it and leave it")
{
	struct ranges set = { 0 };

	CHECK(ranges_add(&set, UINT64_MAX, UINT64_MAX) == MESS_OK);
	CHECK(ranges_add(&set, 0, 0) == MESS_OK && set.count == 2);
	CHECK(ranges_contain(&set, UINT64_MAX, UINT64_MAX) && ranges_contain(&set, 0, 0));
	CHECK(ranges_from(&set, 1)->lo == UINT64_MAX);
	CHECK(ranges_add(&set, UINT64_MAX - 1, UINT64_MAX - 1) == MESS_OK && set.count == 2);
	CHECK(ranges_add(&set, 1, UINT64_MAX - 2) == MESS_OK && set.count == 1);

	CHECK(ranges_remove(&set, UINT64_MAX, UINT64_MAX) == MESS_OK);
	CHECK(ranges_remove(&set, 0, 0) == MESS_OK);

	CHECK(set.count == 1 && set.r[0].lo == 1 && set.r[0].hi == UINT64_MAX - 1);
	ranges_free(&set);
}

TEST("ranges: a removal in the middle makes two, one over all makes none")
{
	struct ranges set = { 0 };

	CHECK(ranges_add(&set, 10, 20) == MESS_OK && ranges_add(&set, 30, 40) == MESS_OK);

	CHECK(ranges_remove(&set, 15, 15) == MESS_OK && set.count == 3 && ranges_total(&set) == 21);
	CHECK(!ranges_contain(&set, 14, 16) && ranges_contain(&set, 16, 20));
	CHECK(ranges_remove(&set, 18, 32) == MESS_OK && set.count == 3);
	CHECK(ranges_remove(&set, 0, UINT64_MAX) == MESS_OK && set.count == 0);
	ranges_free(&set);
}
