/* SPDX-License-Identifier: ISC */
/*
 * The random program: bursts of requests on one connection at a time, and
 * what happens to processes.
 */
#include "model.h"

#include <signal.h>
#include <unistd.h>

#include "base/loop.h"

#define LOOK_EVERY 50		/* bursts */

/* Who consumes what; a client that is not connected comes back in its turn. */
struct role {
	const char *pattern;
	int sub;
	unsigned max_attempts;
	int topics[3];		/* -1 ends them */
};
static const struct role roles[] = {
	[1] = { NULL, S_DEFAULT, 3, { 0, -1 } },
	[2] = { NULL, S_DEFAULT, 3, { 0, -1 } },
	[3] = { NULL, S_DEFAULT, 2, { 0, -1 } },
	[4] = { NULL, S_ALONE, 3, { 0, -1 } },
	[5] = { NULL, S_SOME, 2, { 0, -1 } },
	[6] = { NULL, S_ALONE, 0, { 1, -1 } },
	[7] = { NULL, S_ALONE, 4, { 2, -1 } },
	[8] = { "logs.*", S_PAT, 3, { -1 } },
	[9] = { "logs.*", S_PAT, 3, { -1 } },
	[10] = { NULL, S_MULTI, 3, { 0, 1, -1 } },
	[11] = { NULL, S_DEFAULT, 0, { 0 + MAINS, -1 } },
	[12] = { NULL, S_DEFAULT, 0, { 1 + MAINS, -1 } },
};
#define ROLES ((int)(sizeof roles / sizeof roles[0]))

/* --- coming and going --------------------------------------------------- */

static void
say_sub(int client, const char *topic, const struct role *r)
{
	AUTO_BUF struct buf options = BUF_INIT(256);

	if (r->max_attempts > 0 && buf_printf(&options, "Max-Attempts: %u\n", r->max_attempts) != MESS_OK)
		abort();
	if (r->sub == S_SOME && buf_printf(&options, "Match: Kind=a*\n") != MESS_OK)
		abort();
	if (buf_len(&options) > 0)
		wire_say(client, "SUB %s %s %zu\n", topic, sub_names[r->sub], buf_len(&options));
	else
		wire_say(client, "SUB %s %s\n", topic, sub_names[r->sub]);
	wire_bytes(client, buf_data(&options), buf_len(&options));
}

/* A STAT tells where those begin that are made by it. */
void
play_come(int client)
{
	const struct role *r = &roles[client];

	if (r->pattern == NULL && is_dead_topic(r->topics[0]) && !w.topics[r->topics[0]].exists)
		return;
	if (!wire_connect(client))
		wrong("the engine does not answer");
	w.clients[client].max_attempts = r->max_attempts;
	if (r->pattern != NULL) {
		(void)play_ask(client, V_SUB, -1, r->sub);
		say_sub(client, r->pattern, r);
	}
	for (int i = 0; r->topics[i] != -1; i++) {
		(void)play_ask(client, V_SUB, r->topics[i], r->sub);
		say_sub(client, topic_name(r->topics[i]), r);
	}
	for (int t = 0; t < MAINS; t++)
		if (w.topics[t].exists)
			play_stat(client, t);
	flush_and_wait(client);
	if (w.clients[client].joins == 0) {
		wire_close(client);
		ref_drop_client(client, true);
	}
}

/* Its process is killed: the connection ends without a word. */
static void
go(int client)
{
	note("%d: killed", client);
	wire_close(client);
	ref_drop_client(client, false);
}

/* --- what is done to subscriptions -------------------------------------- */

/* A time that runs out just now would make it unclear what comes first. */
static bool
is_calm(const struct sub *s)
{
	uint64_t soon = loop_now() + 15;

	for (uint64_t n = s->low; s->exists && n <= w.topics[s->topic].published; n++)
		if ((s->nums[n].what == NUM_WAITING || s->nums[n].what == NUM_HELD) && s->nums[n].due_lo < soon)
			return false;
	return true;
}

static void
seek(int t, int s)
{
	static const char *const words[] = { [SEEK_OLDEST] = "oldest", [SEEK_NOW] = "now" };
	struct ask *a;

	if (!is_calm(sub_of(t, s)))
		return;
	play_stat(CONTROL, t);
	a = play_ask(CONTROL, V_SEEK, t, s);
	a->how = (int)below(4);
	a->n = a->how == SEEK_NUMBER ? 1 + below(w.topics[t].published + 2) : 1 + below(20);
	if (a->how == SEEK_OLDEST || a->how == SEEK_NOW)
		wire_say(CONTROL, "SEEK %s %s %s\n", topic_name(t), sub_names[s], words[a->how]);
	else
		wire_say(CONTROL, "SEEK %s %s %s%llu\n", topic_name(t), sub_names[s],
		    a->how == SEEK_LAST ? "-" : "", (unsigned long long)a->n);
	play_stat(CONTROL, t);
}

static void
purge(int t)
{
	for (int s = 0; s < SUBS; s++)
		if (!is_calm(sub_of(t, s)))
			return;
	play_stat(CONTROL, t);
	(void)play_ask(CONTROL, V_PURGE, t, 0);
	wire_say(CONTROL, "PURGE %s\n", topic_name(t));
	play_stat(CONTROL, t);
}

static void
release(int t, int s)
{
	if (!is_calm(sub_of(t, s)))
		return;
	(void)play_ask(CONTROL, V_RELEASE, t, s);
	wire_say(CONTROL, "RELEASE %s %s\n", topic_name(t), sub_names[s]);
}

static void
redrive(int t)
{
	AUTO_BUF struct buf options = BUF_INIT(256);
	struct ask *a;

	if (ref_backlog(t) > 2 * BACKLOG)
		return;
	a = play_ask(CONTROL, V_REDRIVE, t, chance(30) ? (int)below(SUBS) : -1);
	a->r[0] = (struct range){ 0, UINT64_MAX };
	if (chance(30)) {
		a->r[0].lo = 1 + below(w.topics[t + MAINS].published + 1);
		a->r[0].hi = a->r[0].lo + below(20);
		if (buf_printf(&options, "From: %llu\nTo: %llu\n", (unsigned long long)a->r[0].lo,
		    (unsigned long long)a->r[0].hi) != MESS_OK)
			abort();
	}
	if (a->sub != -1 && buf_printf(&options, "Subscription: %s\n", sub_names[a->sub]) != MESS_OK)
		abort();
	wire_say(CONTROL, "REDRIVE %s %zu\n", topic_name(t), buf_len(&options));
	wire_bytes(CONTROL, buf_data(&options), buf_len(&options));
}

static void
remove_sub(int t, int s)
{
	/* Who has other topics, or a pattern, goes on, unless something is in its hands, or on its way there. */
	for (int i = 1; i < CLIENTS; i++)
		if (w.clients[i].fd != -1 && i != KID && client_consumes(&w.clients[i], t, s) &&
		    (w.clients[i].joins > 1 || w.clients[i].pattern))
			go(i);
	(void)play_ask(CONTROL, V_SUBRM, t, s);
	wire_say(CONTROL, "SUBRM %s %s\n", topic_name(t), sub_names[s]);
}

static void
add_sub(int t, int s)
{
	static const char *const from[] = { "", "From: oldest\n", "From: now\n", "From: -5\n", "From: 3\n" };
	const char *options = from[below(5)], *match = s == S_SOME ? "Match: Kind=a*\n" : "";

	(void)play_ask(CONTROL, V_SUBADD, t, s);
	wire_say(CONTROL, "SUBADD %s %s %zu\n", topic_name(t), sub_names[s], strlen(options) + strlen(match));
	wire_bytes(CONTROL, options, strlen(options));
	wire_bytes(CONTROL, match, strlen(match));
	play_stat(CONTROL, t);
}

/* One that is held, by its token, or a token that nobody has. */
static void
settle_held(int t, int s)
{
	static const char *const how[] = { "ack", "nack", "retry", "dead" };
	AUTO_BUF struct buf why = BUF_INIT(1024);
	struct sub *sub = sub_of(t, s);
	uint64_t found = 0, seen = 0;
	struct ask *a;

	for (uint64_t n = sub->low; n <= w.topics[t].published; n++)
		if (sub->nums[n].token != 0 && below(++seen) == 0)
			found = n;
	if (found == 0 && !chance(5))
		return;
	a = play_ask(CONTROL, V_SETTLE, t, s);
	a->how = (int)below(4);
	a->r[0].lo = found == 0 ? 1 : found;
	a->n = found == 0 ? 1 + rnd() / 2 : sub->nums[found].token;
	if (a->how >= 2)
		a->why = some_why();
	text_why(&a->why, &why);
	wire_say(CONTROL, "SETTLE %s %s %s %llu %016llx %zu\n", how[a->how], topic_name(t), sub_names[s],
	    (unsigned long long)a->r[0].lo, (unsigned long long)a->n, buf_len(&why));
	wire_bytes(CONTROL, buf_data(&why), buf_len(&why));
}

static int
some_topic(void)
{
	int t = (int)below(MAINS);

	return w.topics[t].exists ? t : 0;
}

static void
administer(void)
{
	int t = some_topic(), s = (int)below(SUBS);
	bool exists = sub_of(t, s)->exists;

	switch (below(60)) {
	case 0:
		seek(t, s);
		return;
	case 1:
		if (chance(15))
			purge(chance(80) || !w.topics[t + MAINS].exists ? t : t + MAINS);
		return;
	case 2:
	case 3:
		release(t, s);
		return;
	case 4:
		redrive(t);
		return;
	case 5:
		if (chance(15))
			remove_sub(t, s);
		return;
	case 6:
		if (!exists && s != S_PAT)
			add_sub(t, s);
		return;
	default:
		if (exists && chance(60))
			settle_held(t, s);
		else
			play_publish(CONTROL);
	}
}

/* --- what happens to the engine ----------------------------------------- */

/* A burst that may be cut short: its requests are those that leave no doubt afterwards. */
static void
burst_in_flight(void)
{
	w.flying = true;
	for (uint64_t i = 0, n = below(4); i < n; i++) {
		int client = 1 + (int)below(ROLES - 1);
		const struct client *c = &w.clients[client];

		if (c->fd == -1 || c->joins == 0)
			continue;
		for (uint64_t k = 0; k < 4; k++) {
			int m = (int)below((uint64_t)c->joins);

			if (w.crowded)
				play_ack_some(client, c->joined[m].topic, c->joined[m].sub);
			else
				play_settle_some(client, c->joined[m].topic, c->joined[m].sub);
		}
		(void)wire_flush(client); /* what it did is seen later */
	}
	if (chance(60)) {
		play_publish(CONTROL);
		play_publish(CONTROL);
		(void)wire_flush(CONTROL); /* likewise */
	}
	w.flying = false;
}

/*
 * What it said before its end counts; what it did not say may have been
 * done or not.  Who publishes comes first: a message may have been sent to
 * its consumers, and the word that it is durable not.
 */
static void
last_words(bool killed)
{
	w.ending = true;
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &w.clients[i];

		if (c->fd == -1)
			continue;
		while (wire_read(i))
			(void)usleep(1000); /* its end is on its way */
		for (size_t k = c->first; k < c->end; k++)
			judge_unanswered(i, &c->asks[k]);
	}
	w.ending = false;
	for (int i = 0; i < CLIENTS; i++) {
		wire_close(i);
		ref_drop_client(i, !killed);
	}
}

void
play_restart(int sig)
{
	bool killed = sig == SIGKILL;

	quiet();
	if (chance(70))
		burst_in_flight();
	if (chance(70))
		(void)usleep((useconds_t)below(400)); /* anywhere in what it does */
	note("engine: %s", killed ? "KILL" : "TERM");
	engine_end(sig);
	last_words(killed);
	engine_start();
	look_after_crash(killed);
	w.counts[killed ? 62 : 63]++;
}

/* --- time --------------------------------------------------------------- */

/* Everybody has what was ready before; then, what is ready now. */
void
pass_time(uint64_t ms)
{
	clock_move(ms);
	note("the clock: %llu ms", (unsigned long long)ms);
	ref_tick();
	quiet();
}

/* To the very moment at which one is due, or expires. */
static void
pass_to_one(int t)
{
	uint64_t n = w.topics[t].published - below(w.topics[t].published), now = loop_now();
	const struct msg *m = &w.topics[t].msgs[n];

	for (int i = 0; i < 50 && n < w.topics[t].published; i++, m = &w.topics[t].msgs[++n])
		if (m->due > now || m->expires > now)
			break;
	if (m->expires > now && m->expires < now + 10000)
		pass_time(m->expires - now);
	else if (m->due > now && m->due < now + 10000)
		pass_time(m->due - now);
}

static void
pass_some_time(void)
{
	if (chance(10))
		pass_to_one(some_topic());
	else if (chance(30))
		pass_time(1 + below(50));
	else if (chance(5))
		pass_time(below(2000));
	else if (below(200) == 0)
		pass_time(below(60000));
	else if (below(2000) == 0)
		pass_time(below(7200000));
}

/* --- the round ---------------------------------------------------------- */

static void
step(void)
{
	int client = 1 + (int)below(ROLES - 1);

	if (chance(25)) {
		administer();
		flush_and_wait(CONTROL);
	} else if (w.clients[client].fd == -1) {
		play_come(client);
	} else if (chance(3)) {
		go(client);
		w.counts[60]++;
	} else {
		play_consume(client);
		flush_and_wait(client);
	}
	quiet();
	if (chance(1) && chance(40))
		play_restart(chance(50) ? SIGKILL : SIGTERM);
	if (chance(1)) {
		kid_play();
		w.counts[61]++;
	}
	pass_some_time();
}

/* All that a consumer has is acked. */
void
play_ack_all(int client)
{
	const struct client *c = &w.clients[client];
	uint64_t n;

	for (int i = 0; i < c->joins; i++)
		while ((n = pick_held(client, c->joined[i].topic, c->joined[i].sub)) != 0) {
			play_ack(client, c->joined[i].topic, c->joined[i].sub, n);
			flush_and_wait(client);
		}
}

/* Everybody takes what is ready, and acks it. */
static void
take_all(void)
{
	for (int i = 1; i < ROLES; i++) {
		if (w.clients[i].fd == -1)
			play_come(i);
		if (w.clients[i].fd == -1)
			continue;
		play_take(i, 100000, true);
		flush_and_wait(i);
		quiet();
	}
	for (int i = 1; i < ROLES; i++)
		play_ack_all(i);
	look_at_all();
}

/* All that waited for its time came, and was settled. */
static void
nothing_is_left(int client)
{
	const struct client *c = &w.clients[client];

	for (int i = 0; i < c->joins; i++) {
		struct sub *s = sub_of(c->joined[i].topic, c->joined[i].sub);

		if (ref_floor_hi(s) <= w.topics[s->topic].published)
			wrong("%s/%s: %llu never came", w.topics[s->topic].name, sub_names[s->name],
			    (unsigned long long)ref_floor_hi(s));
	}
}

/* What waits or is held is still there; then its time comes. */
static void
finish(void)
{
	take_all();
	play_restart(SIGKILL);
	play_restart(SIGTERM);
	pass_time((uint64_t)48 * 3600 * 1000);
	take_all();
	for (int i = 1; i < ROLES; i++)
		nothing_is_left(i);
}

void
play_begin(void)
{
	ref_begin();
	engine_start();
	for (int t = 0; t < MAINS - 1; t++)
		play_publish_one(CONTROL, t);
	flush_and_wait(CONTROL);
}

void
play(uint64_t steps)
{
	w.of = steps;
	play_begin();
	for (int i = 1; i < ROLES; i++)
		play_come(i);
	add_sub(0, S_KID);
	flush_and_wait(CONTROL);
	for (uint64_t i = 0; w.steps < steps; i++) {
		step();
		if (i % LOOK_EVERY == 0)
			look_at_all();
	}
	finish();
	engine_end(SIGTERM);
}
