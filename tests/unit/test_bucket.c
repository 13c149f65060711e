/* SPDX-License-Identifier: ISC */
/*
 * Buckets: what passes in a time, whatever the clock does.
 */
#include "bucket.h"
#include "test.h"

/* How many of one pass at a time. */
static uint64_t
spend_all(struct bucket *b, int64_t most, uint64_t now)
{
	uint64_t n = 0;

	while (n < 100000 && bucket_spend(b, most, now, 1))
		n++;
	return n;
}

TEST("bucket: a second's worth at once, and then as time goes")
{
	struct bucket b = { 0 };

	CHECK(spend_all(&b, 100, 5000) == 100);
	CHECK(spend_all(&b, 100, 5000) == 0);
	CHECK(spend_all(&b, 100, 5009) == 0);
	CHECK(spend_all(&b, 100, 5010) == 1);
	CHECK(spend_all(&b, 100, 5510) == 50);
	CHECK(spend_all(&b, 100, 500000) == 100);
}

TEST("bucket: looking often loses no time, at any rate")
{
	static const int64_t rates[] = { 1, 3, 7, 999, 1000, 1001, 1500, 123457 };

	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		struct bucket b = { 0 };
		uint64_t passed = 0, want = (uint64_t)rates[i] * 20;

		CHECK(bucket_spend(&b, rates[i], 1000, (uint64_t)rates[i]));
		for (uint64_t now = 1000; now <= 21000; now++)
			while (bucket_spend(&b, rates[i], now, 1))
				passed++;
		if (!CHECK(passed == want))
			printf("# %lld a second: %llu of %llu\n", (long long)rates[i], (unsigned long long)passed,
			    (unsigned long long)want);
	}
}

TEST("bucket: a clock that goes back fills nothing, one that jumps ahead fills it once")
{
	struct bucket b = { 0 };

	CHECK(spend_all(&b, 10, 100000) == 10);
	CHECK(spend_all(&b, 10, 50000) == 0);
	CHECK(spend_all(&b, 10, 99999) == 0);
	CHECK(spend_all(&b, 10, 100100) == 1);
	CHECK(spend_all(&b, 10, UINT64_MAX - 1) == 10);
	CHECK(spend_all(&b, 10, UINT64_MAX) == 0);
}

TEST("bucket: more than it holds passes a full one, and is made up for")
{
	struct bucket b = { 0 };

	CHECK(bucket_spend(&b, 100, 1000, 1000));
	CHECK(!bucket_spend(&b, 100, 9999, 1) && bucket_fill(&b, 100, 9999) <= 0);
	CHECK(bucket_spend(&b, 100, 10010, 1));
	CHECK(!bucket_spend(&b, 100, 10500, 1000));
	CHECK(bucket_fill(&b, 100, 11010) == 100);
	CHECK(bucket_spend(&b, 100, 11010, UINT64_MAX));
	CHECK(!bucket_spend(&b, 100, 12000, 1));
}

TEST("bucket: what was had is owed, one bucketful at most")
{
	struct bucket b = { 0 };

	bucket_owe(&b, 100, 1000, UINT64_MAX);
	CHECK(bucket_fill(&b, 100, 1000) == 0);
	bucket_owe(&b, 100, 1000, 1000000);
	CHECK(bucket_fill(&b, 100, 1000) == -100);
	CHECK(!bucket_spend(&b, 100, 2000, 1) && bucket_spend(&b, 100, 2010, 1));
}

TEST("bucket: a rate of none lets nothing pass, the largest everything")
{
	struct bucket none = { 0 }, all = { 0 };

	CHECK(!bucket_spend(&none, 0, 1000, 1) && !bucket_spend(&none, 0, 1000000, 1));
	for (uint64_t now = 1; now < 20; now++)
		CHECK(bucket_spend(&all, INT64_MAX / 2, now * 7200000, INT64_MAX / 4));
}
