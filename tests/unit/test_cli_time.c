/* SPDX-License-Identifier: ISC */
/* Moments on the command line. */
#include "../../bin/cli-time.h"

#include <string.h>

#include "test.h"

static bool
is(const char *text, uint64_t sec, uint32_t nsec)
{
	uint64_t s;
	uint32_t ns;

	return cli_time(text, &s, &ns) && s == sec && ns == nsec;
}

TEST("time: RFC 3339, with zones and fractions")
{
	CHECK(is("1970-01-01T00:00:00Z", 0, 0));
	CHECK(is("2026-11-21T05:33:57Z", 1795239237, 0));
	CHECK(is("2026-11-21t05:33:57z", 1795239237, 0));
	CHECK(is("2026-11-21 05:33:57Z", 1795239237, 0));
	CHECK(is("2026-11-21T06:33:57+01:00", 1795239237, 0));
	CHECK(is("2026-11-21T00:03:57-05:30", 1795239237, 0));
	CHECK(is("2026-11-21T05:33:57.5Z", 1795239237, 500000000));
	CHECK(is("2026-11-21T05:33:57.1234567899Z", 1795239237, 123456789));
	CHECK(is("2026-11-21", 1795219200, 0));
	CHECK(is("2000-02-29T00:00:00Z", 951782400, 0));
	CHECK(is("2024-02-29T23:59:60Z", 1709251200, 0));
	CHECK(is("1970-01-01T01:00:00+01:00", 0, 0));
	CHECK(is("9999-12-31T23:59:59Z", 253402300799, 0));
}

TEST("time: seconds since 1970")
{
	CHECK(is("@0", 0, 0));
	CHECK(is("@1795239237", 1795239237, 0));
	CHECK(is("@1795239237.000000001", 1795239237, 1));
	CHECK(is("@253402300799", 253402300799, 0)); /* the year 9999 ends */
}

TEST("time: what is none is refused")
{
	static const char *const wrong[] = { "", "@", "@-1", "@x", "@1.", "@1 ", "@253402300800", "@9223372036854775807",
		"2026", "2026-13-01", "2026-00-01", "2026-01-00", "2026-02-29", "1900-02-29", "2026-04-31",
		"2026-11-21T", "2026-11-21T05:33Z", "2026-11-21T05:33:57", "2026-11-21T05:33:57.Z",
		"2026-11-21T24:00:00Z", "2026-11-21T05:60:00Z", "2026-11-21T05:33:61Z",
		"2026-11-21T05:33:57+24:00", "2026-11-21T05:33:57+0100", "2026-11-21T05:33:57Zx",
		" 2026-11-21", "26-11-21", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "now" };
	uint64_t s;
	uint32_t ns;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!CHECK(!cli_time(wrong[i], &s, &ns)))
			printf("# %s\n", wrong[i]);
}

static bool
position_is(const char *text, const char *want)
{
	char out[CLI_POSITION_MAX];

	return cli_position(text, out) && strcmp(out, want) == 0;
}

TEST("position: as the protocol has it")
{
	char out[CLI_POSITION_MAX];

	CHECK(position_is("oldest", "oldest"));
	CHECK(position_is("now", "now"));
	CHECK(position_is("17", "17"));
	CHECK(position_is("-10", "-10"));
	CHECK(position_is("@5", "@5.000000000"));
	CHECK(position_is("2026-11-21T05:33:57.25Z", "@1795239237.250000000"));
	CHECK(!cli_position("", out) && !cli_position("-", out) && !cli_position("--1", out));
	CHECK(!cli_position("newest", out) && !cli_position("1x", out));
	CHECK(!cli_position("9223372036854775808", out));
}
