/* SPDX-License-Identifier: ISC */
/*
 * Retention: the clock.  What is freed when is in tests/keep.bats.
 */
#include "retention.h"

#include "test.h"

#define HOUR ((uint64_t)3600 * 1000)

TEST("retention: a clock that goes on as time does, or is set by less than a day, did not jump")
{
	static const struct retention_clock then = { .wall = 1795228800000, .boot = 5000 };
	static const struct retention_clock fine[] = {
		{ 1795228800000, 5000 },
		{ 1795228800000 + 600000, 605000 },
		{ 1795228800000 + 24 * HOUR, 5000 },
		{ 1795228800000 + 1000 * HOUR, 5000 + 1000 * HOUR },
		{ 1795228800000 + 1024 * HOUR, 5000 + 1000 * HOUR },
		{ 1795228800000 - 1000 * HOUR, 6000 },
		{ 0, 6000 },
	};

	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
		CHECK(!retention_clock_jumped(&then, &fine[i]));
}

TEST("retention: a clock that is set more than a day ahead jumped, also after a long sleep")
{
	static const struct retention_clock then = { .wall = 1795228800000, .boot = 5000 };
	static const struct retention_clock jumped[] = {
		{ 1795228800000 + 24 * HOUR + 1, 5000 },
		{ 1795228800000 + 100000 * HOUR, 605000 },
		{ 1795228800000 + 1025 * HOUR, 5000 + 1000 * HOUR },
	};

	for (size_t i = 0; i < sizeof jumped / sizeof jumped[0]; i++)
		CHECK(retention_clock_jumped(&then, &jumped[i]));
}
