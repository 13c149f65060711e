/* SPDX-License-Identifier: ISC */
/*
 * The crowd: thousands of messages, every second one due in hours, some
 * expiring meanwhile.  What is ready is acked, so that a place has to hold
 * more gaps than it has room for; the engine is killed and stopped, and the
 * clock moves.  In the end each came, once it was due, or was counted.
 */
#include "model.h"

#include <signal.h>

#define CROWD 6000
#define BATCH 50
#define HOUR_MS ((uint64_t)3600 * 1000)
#define NS_OF_MS ((uint64_t)1000000)
#define ROUNDS 200		/* until all is settled: each time what is full has less in it */

static const int takers[] = { 4, 5 };	/* one takes everything, one by a pattern */
#define TAKERS ((int)(sizeof takers / sizeof takers[0]))

static struct times
some_times(uint64_t i)
{
	uint64_t now = clock_wall(), hours = 3 * HOUR_MS * NS_OF_MS;
	struct times t = { 0 };

	if (i % 2 == 0)
		t.due = now + HOUR_MS * NS_OF_MS + below(hours);
	if (chance(10))
		t.expires = now + below(2 * hours);
	return t;
}

static void
publish_crowd(void)
{
	for (uint64_t i = 0; i < CROWD; i += BATCH) {
		uint64_t first = w.ids;

		for (uint64_t k = i; k < i + BATCH; k++) {
			uint64_t id = text_new_id();

			w.times[id] = some_times(k);
		}
		play_publish_batch(CONTROL, 0, first, BATCH);
		flush_and_wait(CONTROL);
	}
}

/* What it has is acked in any order; some wait once more. */
static void
take_and_settle(int client)
{
	const struct sub *s = sub_of(0, w.clients[client].joined[0].sub);
	uint64_t asked = 0;

	play_take(client, 100000, true);
	flush_and_wait(client);
	quiet();
	for (uint64_t n = w.topics[0].published; n >= s->low; n--) {
		if (s->nums[n].what != NUM_LEASED || s->nums[n].owner != client)
			continue;
		if (chance(2))
			play_nack(client, 0, s->name, n);
		else
			play_ack(client, 0, s->name, n);
		if (++asked % BATCH == 0)
			flush_and_wait(client);
	}
	flush_and_wait(client);
}

static void
everybody(void)
{
	for (int i = 0; i < TAKERS; i++) {
		if (w.clients[takers[i]].fd == -1)
			play_come(takers[i]);
		take_and_settle(takers[i]);
	}
	look_at_all();
}

static bool
is_all_settled(void)
{
	for (int i = 0; i < TAKERS; i++)
		if (ref_floor_hi(sub_of(0, w.clients[takers[i]].joined[0].sub)) <= w.topics[0].published)
			return false;
	return true;
}

void
crowd_play(void)
{
	unsigned was_full = 0;

	w.crowded = true;
	play_begin();
	for (int i = 0; i < TAKERS; i++)
		play_come(takers[i]);
	publish_crowd();
	for (int i = 0; i < 6; i++) {
		everybody();
		was_full += w.stat[0].subs[S_ALONE].full > 0;
		play_restart(i % 2 == 0 ? SIGKILL : SIGTERM);
		everybody();
		pass_time(below(HOUR_MS));
	}
	pass_time(6 * HOUR_MS);
	for (int i = 0; i < ROUNDS && !is_all_settled(); i++) {
		everybody();
		pass_time(2000);
	}
	if (!is_all_settled())
		wrong("what waited never came: alone is at %llu, some at %llu of %llu",
		    (unsigned long long)ref_floor_hi(sub_of(0, S_ALONE)),
		    (unsigned long long)ref_floor_hi(sub_of(0, S_SOME)),
		    (unsigned long long)w.topics[0].published);
	if (was_full == 0)
		wrong("no place was full: this tested nothing");
	engine_end(SIGTERM);
}
