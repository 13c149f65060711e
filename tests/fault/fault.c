/* SPDX-License-Identifier: ISC */
/*
 * Every position: for each story, each call of the C library that the
 * engine makes in it fails once, in one of the ways that it may; and the
 * engine is killed there.  A short test tries a share of the calls, others
 * each time; TEST_SEED repeats one.
 *
 *	MESS_FAULT_ALL=1	every way of every call, for minutes
 *	MESS_FAULT_STORY=NAME	only that one
 *	MESS_FAULT_AT=CALL:N	only that call, such as openat:7
 */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "test.h"

enum mode { ONCE, KILLED };

/* Which call: the Nth of that function. */
struct position {
	unsigned function;
	uint32_t at;
};

static uint64_t seed;
static unsigned tried;

static void
run(const struct story *s, struct position p, uint32_t how, enum mode mode)
{
	memset(told, 0, sizeof told);
	memset(page, 0, sizeof *page);
	rig_clean();
	s->prepare();
	rig_forget_said();
	page->function = p.function;
	page->how = how;
	page->kill = mode == KILLED;
	page->at = p.at;
	s->play();
	tried += page->failed;
}

/* A number for that position, the same whatever else is tried. */
static uint64_t
draw(const struct story *s, struct position p, enum mode mode)
{
	uint64_t z = seed + ((uint64_t)p.function << 40 | (uint64_t)mode << 32 | p.at) * 0x9e3779b97f4a7c15;

	z += (uint64_t)(s - stories) * 0xd1b54a32d192ed03;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool
is_asked_for(struct position p)
{
	const char *only = getenv("MESS_FAULT_AT");
	char name[64];

	(void)snprintf(name, sizeof name, "%s:%u", rig_function(p.function), p.at); /* fits */
	return only == NULL || strcmp(only, name) == 0;
}

static void
try_call(const struct story *s, struct position p, enum mode mode)
{
	bool all = getenv("MESS_FAULT_ALL") != NULL;
	unsigned ways = mode == KILLED ? 1 : rig_ways(p.function);
	uint64_t number = draw(s, p, mode);

	if (!is_asked_for(p))
		return;
	if (!all && getenv("MESS_FAULT_AT") == NULL && number % s->steps[mode] != 0)
		return;
	for (unsigned k = 0; k < (all ? ways : 1) && !rig_stopped; k++)
		run(s, p, (uint32_t)(number >> 32) % ways + k, mode);
}

static void
play_story(const struct story *s, enum mode mode)
{
	static const char *const names[] = { "failed", "were the last" };
	uint32_t calls[FAULT_COUNT], count = 0;
	uint64_t begun = loop_now();

	tried = 0;
	run(s, (struct position){ 0, 0 }, 0, ONCE);
	for (unsigned f = 0; f < FAULT_COUNT; f++)
		count += calls[f] = page->calls[f];
	for (unsigned f = 0; f < FAULT_COUNT; f++)
		for (uint32_t n = 1; n <= calls[f]; n++)
			try_call(s, (struct position){ f, n }, mode);
	printf("# %s: of %u calls %u %s; %llu ms\n", s->name, count, tried, names[mode],
	    (unsigned long long)(loop_now() - begun));
	/* A test that tried nothing shows nothing. */
	CHECK(tried > 0 || getenv("MESS_FAULT_AT") != NULL);
}

static void
play(enum mode mode)
{
	const char *only = getenv("MESS_FAULT_STORY");

	if (seed == 0)
		seed = test_random();
	wrongs = 0;
	rig_begin();
	for (const struct story *s = stories; s->name != NULL; s++)
		if (only == NULL || strcmp(only, s->name) == 0)
			play_story(s, mode);
	rig_end();
	CHECK(wrongs == 0);
	CHECK(!rig_stopped);
}

TEST("fault: what was acknowledged is there, whatever call failed")
{
	play(ONCE);
}

TEST("fault: what was acknowledged is there, wherever the engine was killed")
{
	play(KILLED);
}
