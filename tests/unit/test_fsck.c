/* SPDX-License-Identifier: ISC */
/* The account: what holds and what does not. */
#include "fsck.h"

#include "test.h"

static char why[256];

static bool
topic_holds(const struct fsck_topic *t)
{
	return fsck_topic_holds(t, why, sizeof why);
}

static bool
sub_holds(const struct fsck_topic *t, const struct fsck_sub *s)
{
	return fsck_sub_holds(t, s, why, sizeof why);
}

static const struct fsck_topic good = { .published = 100, .first = 41, .present = 60, .settled = 10,
	.expired = 5, .purged = 20, .dropped = 5 };

TEST("topic: published is present and freed, and what is freed is below the first")
{
	struct fsck_topic t = { .first = 1 };

	CHECK(topic_holds(&t));
	t = good;
	CHECK(topic_holds(&t));
	t.first = 42;
	CHECK(!topic_holds(&t) && strstr(why, "41 numbers are below the first kept") != NULL);
	t = good;
	t.present = 59;
	CHECK(!topic_holds(&t) && strcmp(why, "100 were published, but 59 present + 40 freed = 99") == 0);
	t = good;
	t.dropped = 6;
	CHECK(!topic_holds(&t));
	t = good;
	t.first = 0;
	CHECK(!topic_holds(&t));
}

TEST("subscription: each of its numbers is settled, waiting, leased or delayed")
{
	const struct fsck_sub fits = { .start = 1, .floor = 51, .settled = 60, .pending = 40, .waiting = 30,
		.leased = 7, .delayed = 3 };
	struct fsck_sub s = fits;

	CHECK(sub_holds(&good, &s));
	s.waiting = 29;
	CHECK(!sub_holds(&good, &s) && strstr(why, "40 are pending") != NULL);
	s = fits;
	s.settled = 61;
	CHECK(!sub_holds(&good, &s) && strcmp(why, "100 numbers are its, but 61 settled + 40 pending = 101") == 0);
	s = fits;
	s.start = -9; /* it was told to read ten again */
	CHECK(!sub_holds(&good, &s));
	s.settled = 70;
	CHECK(sub_holds(&good, &s));
}

TEST("subscription: its floor is within what is kept")
{
	struct fsck_sub s = { .start = 101, .floor = 101 };

	CHECK(sub_holds(&good, &s));
	s.floor = 102;
	CHECK(!sub_holds(&good, &s));
	s.floor = 40;
	CHECK(!sub_holds(&good, &s));
	s.floor = 41;
	CHECK(sub_holds(&good, &s));
}
