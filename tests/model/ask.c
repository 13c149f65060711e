/* SPDX-License-Identifier: ISC */
/*
 * Requests of publishers and consumers, chosen at random.
 */
#include "model.h"

/* --- choosing ----------------------------------------------------------- */

struct ask *
play_ask(int client, enum verb verb, int t, int s)
{
	struct ask *a = wire_ask(client, verb);

	a->topic = t;
	a->sub = s;
	w.steps++;
	return a;
}

const char *
topic_name(int t)
{
	return w.topics[t].name;
}

/* One that a client has, or had; 0 for none. */
uint64_t
pick_held(int client, int t, int s)
{
	struct sub *sub = sub_of(t, s);
	uint64_t n = ref_floor_lo(sub), found = 0, seen = 0;

	for (; n <= w.topics[t].published; n++)
		if (sub->nums[n].what == NUM_LEASED && sub->nums[n].owner == client && below(++seen) == 0)
			found = n;
	return found;
}

void
play_stat(int client, int t)
{
	struct ask *a = play_ask(client, V_STAT, t, 0);

	a->now = false;
	wire_say(client, "STAT %s\n", topic_name(t));
}

void
flush_and_wait(int client)
{
	if (!wire_flush(client))
		wrong("client %d: the engine closed the connection", client);
	wire_wait(client);
}

/* --- publishing --------------------------------------------------------- */

static void
say_message(int client, uint64_t id)
{
	char *body;
	size_t len = text_body(id, &body);

	wire_bytes(client, text_kind(id) == 0 ? "Kind: a\n" : "Kind: b\n", 8);
	wire_bytes(client, body, len);
	text_body_free(body);
}

static size_t
body_size(uint64_t id)
{
	char *body;
	size_t len = text_body(id, &body);

	text_body_free(body);
	return len;
}

static void
say_stream(int client, int t, uint64_t id)
{
	char *body;
	size_t len = text_body(id, &body);

	wire_say(client, "STREAM %s 8\n", topic_name(t));
	wire_bytes(client, text_kind(id) == 0 ? "Kind: a\n" : "Kind: b\n", 8);
	wire_say(client, "%zu\n", len);
	wire_bytes(client, body, len);
	wire_say(client, "0\n");
	text_body_free(body);
}

void
play_publish_one(int client, int t)
{
	uint64_t id = w.ids++;
	struct ask *a = play_ask(client, V_PUB, t, 0);

	a->n = id;
	if (body_size(id) > MESS_INLINE_MAX) {
		say_stream(client, t, id);
		return;
	}
	wire_say(client, "PUB %s 8 %zu\n", topic_name(t), body_size(id));
	say_message(client, id);
}

static void
publish_batch(int client, int t)
{
	struct ask *a = play_ask(client, V_PUBS, t, 0);
	uint64_t count = 2 + below(10);
	size_t bytes = 0;
	char line[48];

	a->n = w.ids;
	a->count = 0;
	for (uint64_t i = 0; i < count && body_size(w.ids + i) <= MESS_INLINE_MAX; i++, a->count++)
		bytes += (size_t)snprintf(line, sizeof line, "8 %zu\n", body_size(w.ids + i)) + 8 +
		    body_size(w.ids + i);
	if (a->count == 0) {
		/* A large one comes next: alone. */
		w.clients[client].end--;
		play_publish_one(client, t);
		return;
	}
	count = a->count;
	w.steps += count - 1;
	wire_say(client, "PUBS %s %llu %zu\n", topic_name(t), (unsigned long long)count, bytes);
	for (uint64_t i = 0; i < count; i++, w.ids++) {
		size_t n = (size_t)snprintf(line, sizeof line, "8 %zu\n", body_size(w.ids));

		wire_bytes(client, line, n);
		say_message(client, w.ids);
	}
}

void
play_publish(int client)
{
	int t = (int)below(MAINS - (w.steps < w.of / 3)); /* the last one is made later */

	if (ref_backlog(t) > BACKLOG)
		return;
	if (chance(30))
		publish_batch(client, t);
	else
		play_publish_one(client, t);
}

/* --- what consumers ask for --------------------------------------------- */

void
play_take(int client, uint64_t n, bool now)
{
	struct ask *a = play_ask(client, V_TAKE, 0, 0);

	a->n = n;
	a->now = now;
	wire_say(client, "TAKE %llu%s\n", (unsigned long long)n, now ? " now" : "");
}

static void
take(int client)
{
	/* Dead letters are moved by others, too: nobody waits for them. */
	bool now = chance(50) || is_dead_topic(w.clients[client].joined[0].topic);

	play_take(client, 1 + below(chance(10) ? 200 : 12), now);
}

void
play_ack(int client, int t, int s, uint64_t n)
{
	struct ask *a = play_ask(client, V_ACK, t, s);

	a->ranges = 1;
	a->r[0] = (struct range){ n, n };
	wire_say(client, "ACK %s %llu\n", topic_name(t), (unsigned long long)n);
}

/* From one that it has on, those that it has. */
static struct range
run_held(int client, int t, int s, uint64_t lo)
{
	struct sub *sub = sub_of(t, s);
	uint64_t hi = lo;

	while (chance(70) && hi < w.topics[t].published && sub->exists &&
	    sub->nums[hi + 1].what == NUM_LEASED && sub->nums[hi + 1].owner == client)
		hi++;
	return (struct range){ lo, hi };
}

static void
settle(int client, enum verb verb, int t, int s)
{
	AUTO_BUF struct buf line = BUF_INIT(256);
	uint64_t n = pick_held(client, t, s);
	struct ask *a = play_ask(client, verb, t, s);

	if (n == 0)
		n = 1 + below(w.topics[t].published + 2); /* refused, but for what is void */
	a->ranges = 1 + (int)below(2);
	for (int i = 0; i < a->ranges; i++, n = pick_held(client, t, s)) {
		struct range *r = &a->r[i];

		*r = run_held(client, t, s, n == 0 ? a->r[0].lo : n);
		if (buf_printf(&line, r->lo == r->hi ? " %llu" : " %llu-%llu", (unsigned long long)r->lo,
		    (unsigned long long)r->hi) != MESS_OK)
			abort();
	}
	wire_say(client, "%s %s%.*s\n", verb == V_ACK ? "ACK" : "NACK", topic_name(t), (int)buf_len(&line),
	    buf_data(&line));
}

struct why
some_why(void)
{
	struct why y = { 0 };

	if (chance(50))
		y = (struct why){ 1 + (unsigned)below(1000), 1 + (unsigned)below(255),
			chance(50) ? 1 + (unsigned)below(1000) : 0 };
	return y;
}

static void
fail(int client, enum verb verb, int t, int s)
{
	AUTO_BUF struct buf why = BUF_INIT(1024);
	uint64_t n = pick_held(client, t, s);
	struct ask *a;

	if (n == 0 && !chance(5))
		return;
	a = play_ask(client, verb, t, s);
	a->why = some_why();
	a->r[0].lo = n == 0 ? 1 + below(w.topics[t].published + 2) : n;
	text_why(&a->why, &why);
	wire_say(client, "%s %s %llu %zu\n", verb == V_RETRY ? "RETRY" : "DEAD", topic_name(t),
	    (unsigned long long)a->r[0].lo, buf_len(&why));
	wire_bytes(client, buf_data(&why), buf_len(&why));
}

static void
hold(int client, int t, int s)
{
	uint64_t n = pick_held(client, t, s);
	struct ask *a;

	if (n == 0 || is_dead_topic(t))
		return;
	a = play_ask(client, V_HOLD, t, s);
	a->r[0].lo = n;
	a->n = chance(50) ? 20 + below(300) : 1000 + below(4000);
	wire_say(client, "HOLD %s %llu %llu\n", topic_name(t), (unsigned long long)n,
	    (unsigned long long)a->n);
}

/* Requests that a kill may leave without a reply. */
void
play_settle_some(int client, int t, int s)
{
	switch (below(20)) {
	case 0:
	case 1:
		settle(client, V_NACK, t, s);
		return;
	case 2:
	case 3:
		fail(client, V_RETRY, t, s);
		return;
	case 4:
		fail(client, V_DEAD, t, s);
		return;
	case 5:
		hold(client, t, s);
		return;
	default:
		settle(client, V_ACK, t, s);
	}
}

void
play_consume(int client)
{
	const struct client *c = &w.clients[client];
	uint64_t n = 1 + below(5);

	for (uint64_t i = 0; i < n; i++) {
		int k = (int)below((uint64_t)c->joins);

		if (chance(30) && c->credit < 300)
			take(client);
		else if (chance(8))
			play_publish(client);
		else
			play_settle_some(client, c->joined[k].topic, c->joined[k].sub);
	}
}
