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

/* What became of one that has expired could not be seen after a kill. */
static bool
may_pick(const struct sub *s, uint64_t n, int client)
{
	return s->nums[n].what == NUM_LEASED && s->nums[n].owner == client && !(w.flying && ref_is_over(s, n));
}

/* One that a client has, or had; 0 for none. */
uint64_t
pick_held(int client, int t, int s)
{
	struct sub *sub = sub_of(t, s);
	uint64_t n = ref_floor_lo(sub), found = 0, seen = 0;

	for (; n <= w.topics[t].published; n++)
		if (may_pick(sub, n, client) && below(++seen) == 0)
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

/* One message as it is published: "HLEN BLEN\n", headers and body. */
static void
add_message(uint64_t id, const char *verb, struct buf *out)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_HEADERS_MAX);
	char *body;
	size_t len = text_body(id, &body);

	text_asked(id, &headers);
	if (buf_printf(out, "%s%zu %zu\n", verb, buf_len(&headers), len) != MESS_OK ||
	    buf_append(out, buf_data(&headers), buf_len(&headers)) != MESS_OK ||
	    buf_append(out, body, len) != MESS_OK)
		abort();
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
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_HEADERS_MAX);
	char *body;
	size_t len = text_body(id, &body);

	text_asked(id, &headers);
	wire_say(client, "STREAM %s %zu\n", topic_name(t), buf_len(&headers));
	wire_bytes(client, buf_data(&headers), buf_len(&headers));
	wire_say(client, "%zu\n", len);
	wire_bytes(client, body, len);
	wire_say(client, "0\n");
	text_body_free(body);
}

static void
publish_id(int client, int t, uint64_t id)
{
	AUTO_BUF struct buf text = BUF_INIT(RECORD_MAX);
	struct ask *a = play_ask(client, V_PUB, t, 0);
	char verb[64];

	a->n = id;
	if (body_size(id) > MESS_INLINE_MAX) {
		say_stream(client, t, id);
		return;
	}
	(void)snprintf(verb, sizeof verb, "PUB %s ", topic_name(t)); /* fits */
	add_message(id, verb, &text);
	note("%d> %s(%llu)", client, verb, (unsigned long long)id);
	wire_bytes(client, buf_data(&text), buf_len(&text));
}

void
play_publish_one(int client, int t)
{
	publish_id(client, t, text_new_id());
}

/* Those of these ids that come before a large one; it comes alone. */
void
play_publish_batch(int client, int t, uint64_t first, uint64_t count)
{
	AUTO_BUF struct buf text = BUF_INIT(RECORD_MAX);
	uint64_t id = first;
	struct ask *a;

	for (; id < first + count && body_size(id) <= MESS_INLINE_MAX; id++)
		add_message(id, "", &text);
	if (id > first) {
		a = play_ask(client, V_PUBS, t, 0);
		a->n = first;
		a->count = id - first;
		w.steps += a->count - 1;
		wire_say(client, "PUBS %s %llu %zu\n", topic_name(t), (unsigned long long)a->count,
		    buf_len(&text));
		wire_bytes(client, buf_data(&text), buf_len(&text));
	}
	for (; id < first + count; id++)
		publish_id(client, t, id);
}

static void
publish_batch(int client, int t)
{
	uint64_t count = 2 + below(10), first = w.ids;

	for (uint64_t i = 0; i < count; i++)
		(void)text_new_id();
	play_publish_batch(client, t, first, count);
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

void
play_nack(int client, int t, int s, uint64_t n)
{
	struct ask *a = play_ask(client, V_NACK, t, s);

	a->ranges = 1;
	a->r[0] = (struct range){ n, n };
	wire_say(client, "NACK %s %llu\n", topic_name(t), (unsigned long long)n);
}

/* A number that it does not have, or does: then it is not one of those that may_pick leaves out. */
static uint64_t
none_held(int t)
{
	return w.flying ? w.topics[t].published + 1 : 1 + below(w.topics[t].published + 2);
}

/* From one that it has on, those that it has. */
static struct range
run_held(int client, int t, int s, uint64_t lo)
{
	struct sub *sub = sub_of(t, s);
	uint64_t hi = lo;

	while (chance(70) && hi < w.topics[t].published && sub->exists &&
	    may_pick(sub, hi + 1, client))
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
		n = none_held(t); /* refused, but for what is void */
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
	a->r[0].lo = n == 0 ? none_held(t) : n;
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

void
play_ack_some(int client, int t, int s)
{
	settle(client, V_ACK, t, s);
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
