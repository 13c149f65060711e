/* SPDX-License-Identifier: ISC */
/*
 * mess-topic wait --empty: until every subscription has settled all, or
 * until the time is over.
 */
#include <sysexits.h>
#include <time.h>

#include "topic-stat.h"

#define EXIT_WAITED 124
#define EVERY_MS 200

static uint64_t
clock_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What is not settled, is not; without a subscription nobody can settle what is there. */
static uint64_t
unsettled(const struct counts_topic *t)
{
	return t->subs > 0 ? counts_sum(t, "pending") : counts_number(&t->own, "present");
}

static int
look(struct mess *m, const char *topic, uint64_t *left)
{
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	struct counts_all all;
	int status;

	if ((status = stat_look_at(m, topic, &text, &all)) != EX_OK)
		return status;
	*left = unsettled(&all.topics[0]);
	counts_free(&all);
	return EX_OK;
}

static void
sleep_ms(uint64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL); /* cut short: we look a little early */
}

int
verb_wait(struct mess *m, const struct topic_call *c)
{
	uint64_t until = UINT64_MAX, now = clock_ms(), ms, left;
	int status;

	if (!call_has(c, OPT_EMPTY))
		call_usage("wait: for what? there is --empty");
	if (call_has(c, OPT_WAIT)) {
		if (!cli_duration(c->value[OPT_WAIT], &ms))
			call_usage("wait: -W %s: a duration, as 90, 90s, 5m, 2h, 7d", cli_cut(c->value[OPT_WAIT]));
		if (__builtin_add_overflow(now, ms, &until))
			until = UINT64_MAX; /* for ever */
	}
	for (;;) {
		if ((status = look(m, c->args[0], &left)) != EX_OK || left == 0)
			return status;
		if ((now = clock_ms()) >= until)
			return EXIT_WAITED;
		sleep_ms(until - now < EVERY_MS ? until - now : EVERY_MS);
	}
}
