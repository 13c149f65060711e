/* SPDX-License-Identifier: ISC */
/*
 * The reference model: what each number of each subscription is, as a
 * plain array of states.
 */
#include "model.h"

#include "base/loop.h"

#define TOGETHER_MS 10		/* what is due together goes out together */

const char *const sub_names[SUBS] = { "default", "alone", "some", "pat", "multi", "kid" };
static const char *const main_names[MAINS] = { "orders", "logs.a", "logs.b", "logs.c" };

/* --- names -------------------------------------------------------------- */

bool
is_dead_topic(int t)
{
	return t >= MAINS;
}

int
topic_by_name(const char *name, size_t len)
{
	for (int t = 0; t < TOPICS; t++)
		if (strlen(w.topics[t].name) == len && memcmp(w.topics[t].name, name, len) == 0)
			return t;
	return -1;
}

int
sub_by_name(const char *name, size_t len)
{
	for (int s = 0; s < SUBS; s++)
		if (strlen(sub_names[s]) == len && memcmp(sub_names[s], name, len) == 0)
			return s;
	return -1;
}

struct sub *
sub_of(int t, int s)
{
	return &w.topics[t].subs[s];
}

/* --- beginning and end -------------------------------------------------- */

void
ref_begin(void)
{
	for (int t = 0; t < TOPICS; t++) {
		struct topic_ref *topic = &w.topics[t];

		(void)snprintf(topic->name, sizeof topic->name, "%s%s", main_names[t % MAINS],
		    is_dead_topic(t) ? ".dead" : ""); /* fits */
		for (int s = 0; s < SUBS; s++) {
			topic->subs[s].topic = t;
			topic->subs[s].name = s;
		}
	}
}

void
ref_end(void)
{
	for (int t = 0; t < TOPICS; t++) {
		free(w.topics[t].msgs);
		free(w.topics[t].maybe);
		for (int s = 0; s < SUBS; s++)
			free(w.topics[t].subs[s].nums);
	}
}

/* --- numbers ------------------------------------------------------------ */

struct num *
num_of(struct sub *s, uint64_t n)
{
	if (n == 0 || n > w.topics[s->topic].published)
		wrong("%s: there is no number %llu", w.topics[s->topic].name, (unsigned long long)n);
	return &s->nums[n];
}

static bool
is_wanted(const struct sub *s, const struct msg *m)
{
	if (m->to != -1)
		return m->to == s->name;
	return s->name != S_SOME || is_dead_topic(s->topic) || text_kind(m->id) == 0;
}

/* Nobody has it, and it may wait for the time that it says. */
void
ref_anew(struct sub *s, uint64_t n)
{
	const struct msg *m = &w.topics[s->topic].msgs[n];
	struct num *x = &s->nums[n];

	ref_ready(x);
	if (m->due <= loop_now() || x->unwanted)
		return;
	x->what = NUM_WAITING;
	x->own = true;
	x->due_lo = x->due_hi = m->due;
}

static void
begin_num(struct sub *s, uint64_t n)
{
	s->nums[n] = (struct num){ .unwanted = !is_wanted(s, &w.topics[s->topic].msgs[n]) };
	ref_anew(s, n);
}

/* What is moved says no times. */
static void
set_times(struct msg *m)
{
	const struct times *at = &w.times[m->id];

	m->due = m->expires = 0;
	if (m->to != -1 || m->sub != -1)
		return;
	m->due = at->due != 0 ? clock_boot_at(at->due) : 0;
	m->expires = at->expires != 0 ? clock_boot_at(at->expires) : 0;
}

/* The next number has this message. */
void
ref_publish(int t, const struct msg *m)
{
	struct topic_ref *topic = &w.topics[t];
	uint64_t n = ++topic->published;

	topic->exists = true;
	topic->msgs = grow(topic->msgs, n, &topic->cap, n + 1, sizeof *topic->msgs);
	topic->msgs[n] = *m;
	set_times(&topic->msgs[n]);
	for (int s = 0; s < SUBS; s++) {
		struct sub *sub = &topic->subs[s];

		if (!sub->exists)
			continue;
		sub->nums = grow(sub->nums, n, &sub->cap, n + 1, sizeof *sub->nums);
		begin_num(sub, n);
	}
}

/* A subscription that was just made has nothing below from, and all from there on. */
void
ref_sub_begins(struct sub *s, uint64_t from)
{
	uint64_t published = w.topics[s->topic].published;

	s->exists = true;
	s->fresh = false;
	s->start = (int64_t)from;
	s->low = from;
	s->acked = s->dead = s->purged = 0;
	s->nums = grow(s->nums, 0, &s->cap, published + 1, sizeof *s->nums);
	for (uint64_t n = 1; n <= published; n++) {
		begin_num(s, n);
		if (n < from)
			s->nums[n].what = NUM_SETTLED;
	}
}

static void
raise_low(struct sub *s)
{
	while (s->low <= w.topics[s->topic].published && s->nums[s->low].what == NUM_SETTLED)
		s->low++;
}

/* It must not come any more. */
bool
ref_is_over(const struct sub *s, uint64_t n)
{
	uint64_t expires = w.topics[s->topic].msgs[n].expires;

	return expires != 0 && expires <= loop_now();
}

/* Whoever looks for what is ready passes over it for good; what only waits may be looked at early. */
bool
ref_may_pass(const struct sub *s, uint64_t n)
{
	const struct num *x = &s->nums[n];

	if (x->unwanted)
		return x->what != NUM_SETTLED;
	if (!ref_is_over(s, n) || x->what == NUM_SETTLED || x->what == NUM_LEASED)
		return false;
	return x->what == NUM_READY || x->own || x->due_lo <= loop_now();
}

/* The floor, if nothing that is unwanted or has expired was passed over. */
uint64_t
ref_floor_lo(struct sub *s)
{
	raise_low(s);
	return s->low;
}

/* The floor, if all of it was. */
uint64_t
ref_floor_hi(struct sub *s)
{
	uint64_t n = ref_floor_lo(s);

	while (n <= w.topics[s->topic].published && (s->nums[n].what == NUM_SETTLED || ref_may_pass(s, n)))
		n++;
	return n;
}

/* The first number that the topic has, by its subscriptions. */
void
ref_first(int t, uint64_t *lo, uint64_t *hi)
{
	uint64_t n;

	*lo = *hi = UINT64_MAX;
	for (int s = 0; s < SUBS; s++) {
		if (!sub_of(t, s)->exists || sub_of(t, s)->fresh)
			continue;
		if ((n = ref_floor_lo(sub_of(t, s))) < *lo)
			*lo = n;
		if ((n = ref_floor_hi(sub_of(t, s))) < *hi)
			*hi = n;
	}
}

uint64_t
ref_backlog(int t)
{
	uint64_t most = 0, n;

	for (int s = 0; s < SUBS; s++)
		if (sub_of(t, s)->exists && !sub_of(t, s)->fresh &&
		    (n = w.topics[t].published + 1 - ref_floor_hi(sub_of(t, s))) > most)
			most = n;
	return most;
}

/* --- changes of a number ------------------------------------------------ */

/* Tries that are not known to be on disk yet. */
void
ref_tries(struct num *x, uint32_t min, uint32_t max)
{
	if (x->changed <= w.durable)
		x->safe = x->min;
	if (min < x->safe)
		x->safe = min;
	x->min = min;
	x->max = max;
	x->changed = ++w.stamp;
}

void
ref_ready(struct num *x)
{
	x->what = NUM_READY;
	x->since = w.drains;
	x->owner = -1;
	x->token = 0;
	x->own = false;
}

void
ref_settle(struct sub *s, uint64_t n, enum place_count why)
{
	struct num *x = num_of(s, n);

	if (x->what == NUM_SETTLED)
		wrong("%s/%s: the model settles %llu twice", w.topics[s->topic].name, sub_names[s->name],
		    (unsigned long long)n);
	x->what = NUM_SETTLED;
	x->maybe = MAYBE_NOTHING;
	s->acked += why == PLACE_ACKED;
	s->dead += why == PLACE_DEAD;
}

/* --- order -------------------------------------------------------------- */

/* Ready for so long that whatever was sent since had to come after it. */
static bool
was_ready(const struct sub *s, uint64_t n)
{
	const struct num *x = &s->nums[n];

	/* In a full place what comes first is not what is new. */
	if (w.crowded || ref_may_pass(s, n))
		return false;
	if (x->what == NUM_READY)
		return x->since < w.drains;
	return false;
}

/* Nothing below lo was left behind. */
void
ref_check_order(int t, int s, uint64_t lo, const char *what)
{
	struct sub *sub = sub_of(t, s);

	for (uint64_t n = ref_floor_lo(sub); n < lo; n++)
		if (was_ready(sub, n))
			wrong("%s/%s: %s although %llu was ready before", w.topics[t].name, sub_names[s],
			    what, (unsigned long long)n);
}

/* --- handing out -------------------------------------------------------- */

/* May it be sent now, and as which attempt? */
static void
check_hand_out(const char *name, const struct num *x, uint64_t seq, uint64_t attempt)
{
	unsigned long long n = seq, a = attempt;
	uint64_t now = loop_now();
	uint32_t more = x->what == NUM_HELD;

	if (x->unwanted)
		wrong("%s: %llu came, which it does not want", name, n);
	if (x->what == NUM_SETTLED)
		wrong("%s: %llu came again, which was settled", name, n);
	if (x->what == NUM_LEASED)
		wrong("%s: %llu came, which client %d has", name, n, x->owner);
	if ((x->what == NUM_WAITING || x->what == NUM_HELD) && now < x->due_lo)
		wrong("%s: %llu came %llu ms before it is due", name, n,
		    (unsigned long long)(x->due_lo - now));
	/* With a token that nobody knows it may have been held or not. */
	if (attempt < x->min + more + 1 || attempt > x->max + more + 1)
		wrong("%s: %llu came as attempt %llu, not %u to %u", name, n, a, x->min + more + 1,
		    x->max + more + 1);
}

void
ref_hand_out(int client, int t, uint64_t seq, uint64_t attempt)
{
	struct client *c = &w.clients[client];
	struct sub *sub;
	struct num *x;
	char name[96];
	int s = -1;

	for (int i = 0; i < c->joins; i++)
		if (c->joined[i].topic == t)
			s = c->joined[i].sub;
	if (s == -1)
		wrong("client %d was sent %llu of %s, which it did not ask for", client,
		    (unsigned long long)seq, w.topics[t].name);
	if (c->credit == 0)
		wrong("client %d was sent %llu of %s, and more than it asked for", client,
		    (unsigned long long)seq, w.topics[t].name);
	c->credit--;
	sub = sub_of(t, s);
	x = num_of(sub, seq);
	(void)snprintf(name, sizeof name, "%s/%s", w.topics[t].name, sub_names[s]); /* for people */
	check_hand_out(name, x, seq, attempt);
	if (ref_is_over(sub, seq))
		wrong("%s: %llu came %llu ms after it expired", name, (unsigned long long)seq,
		    (unsigned long long)(loop_now() - w.topics[t].msgs[seq].expires));
	ref_tries(x, (uint32_t)attempt - 1, (uint32_t)attempt - 1);
	x->what = NUM_LEASED;
	x->owner = (int16_t)client;
	x->maybe = MAYBE_NOTHING;
	x->token = 0;
	x->own = false;
}

/* --- time --------------------------------------------------------------- */

static void
tick_sub(struct sub *s, uint64_t now)
{
	for (uint64_t n = ref_floor_lo(s); n <= w.topics[s->topic].published; n++) {
		struct num *x = &s->nums[n];

		if ((x->what != NUM_WAITING && x->what != NUM_HELD) || x->due_hi + TOGETHER_MS > now)
			continue;
		if (x->what == NUM_HELD)
			ref_tries(x, x->min + 1, x->max + 1);
		ref_ready(x);
	}
}

/* The clock was moved: what is due for so long that the engine's timer has run out is ready. */
void
ref_tick(void)
{
	for (int t = 0; t < TOPICS; t++)
		for (int s = 0; s < SUBS; s++)
			if (sub_of(t, s)->exists && !sub_of(t, s)->fresh)
				tick_sub(sub_of(t, s), loop_now());
}

/* --- consumers ---------------------------------------------------------- */

bool
client_consumes(const struct client *c, int t, int s)
{
	for (int i = 0; i < c->joins; i++)
		if (c->joined[i].topic == t && c->joined[i].sub == s)
			return true;
	return false;
}

bool
voided_has(const struct client *c, int t, int s, uint64_t n)
{
	for (size_t i = 0; i < c->voided_count; i++)
		if (c->voided[i].seq == n && c->voided[i].topic == t && c->voided[i].sub == s)
			return true;
	return false;
}

void
voided_take(struct client *c, int t, int s, uint64_t n)
{
	for (size_t i = 0; i < c->voided_count; i++)
		if (c->voided[i].seq == n && c->voided[i].topic == t && c->voided[i].sub == s) {
			c->voided[i] = c->voided[--c->voided_count];
			return;
		}
}

/* Whoever has it has it no more, and is not told. */
void
ref_void(struct sub *s, uint64_t n)
{
	struct num *x = num_of(s, n);
	struct client *c;

	if (x->what != NUM_LEASED)
		return;
	c = &w.clients[x->owner];
	if (voided_has(c, s->topic, s->name, n))
		return;
	c->voided = grow(c->voided, c->voided_count, &c->voided_cap, c->voided_count + 1, sizeof *c->voided);
	c->voided[c->voided_count++] = (struct voided){ s->topic, s->name, n };
}

/* Something is ready that it would be sent. */
bool
ref_has_ready(const struct client *c)
{
	for (int i = 0; i < c->joins; i++) {
		struct sub *s = sub_of(c->joined[i].topic, c->joined[i].sub);

		for (uint64_t n = ref_floor_lo(s); n <= w.topics[s->topic].published; n++)
			if (s->nums[n].what == NUM_READY && !ref_may_pass(s, n))
				return true;
	}
	return false;
}

static bool
is_asked_for(const struct sub *s)
{
	for (int i = 0; i < CLIENTS; i++)
		if (w.clients[i].fd != -1 && w.clients[i].credit > 0 &&
		    client_consumes(&w.clients[i], s->topic, s->name))
			return true;
	return false;
}

/* May something be on its way to a consumer, because its time came? */
bool
ref_doubt(const struct sub *s)
{
	uint64_t now = loop_now() + 2;

	if (!s->exists || s->fresh || !is_asked_for(s))
		return false;
	for (uint64_t n = s->low; n <= w.topics[s->topic].published; n++)
		if ((s->nums[n].what == NUM_WAITING || s->nums[n].what == NUM_HELD) &&
		    s->nums[n].due_lo <= now)
			return true;
	return false;
}

/* What a consumer that goes had; unless seen, more may have been on its way to it. */
static void
drop_from(struct sub *s, int client, bool seen)
{
	uint64_t now = loop_now() + 2;

	for (uint64_t n = ref_floor_lo(s); n <= w.topics[s->topic].published; n++) {
		struct num *x = &s->nums[n];

		if (x->what == NUM_LEASED && x->owner == client) {
			ref_tries(x, x->min + 1, x->max + 1);
			ref_ready(x);
		} else if (!seen && !x->unwanted && (x->what == NUM_READY ||
		    ((x->what == NUM_WAITING || x->what == NUM_HELD) && x->due_lo <= now)))
			ref_tries(x, x->min, x->max + 1);
	}
}

void
ref_drop_client(int client, bool seen)
{
	struct client *c = &w.clients[client];

	for (int i = 0; i < c->joins; i++)
		if (sub_of(c->joined[i].topic, c->joined[i].sub)->exists)
			drop_from(sub_of(c->joined[i].topic, c->joined[i].sub), client, seen || c->credit == 0);
	c->joins = 0;
	c->credit = 0;
	c->now = c->pattern = false;
	c->voided_count = 0;
}
