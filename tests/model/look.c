/* SPDX-License-Identifier: ISC */
/*
 * The account: what STAT, PEEK and READ say, beside the model.
 */
#include "model.h"

#include "base/loop.h"

#define LOOK (CLIENTS - 2)	/* the client that looks */

/* A letter of the engine's last moments: what got a reply was written, where among the others is not known. */
struct letter {
	int topic, sub;
	uint64_t seq;
	struct why why;
	unsigned attempts;
	bool sure, found;
};
static struct letter *letters;
static size_t letters_count, letters_cap;

/* --- reading STAT ------------------------------------------------------- */

struct field {
	const char *word;
	uint64_t *to;
};

static void
set_field(const struct field *f, size_t count, const char *word, size_t len, const char *value)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(f[i].word) == len && memcmp(f[i].word, word, len) == 0)
			*f[i].to = strtoull(value, NULL, 10);
}

static void
set_topic(struct topic_stat *s, const char *word, size_t len, const char *value)
{
	const struct field fields[] = { { "published", &s->published }, { "first", &s->first },
		{ "present", &s->present }, { "depth", &s->depth }, { "damaged", &s->damaged },
		{ "settled", &s->settled }, { "expired", &s->expired }, { "purged", &s->purged },
		{ "dropped", &s->dropped }, { "dead", &s->dead } };

	set_field(fields, sizeof fields / sizeof fields[0], word, len, value);
}

static void
set_sub(struct sub_stat *s, const char *word, size_t len, const char *value)
{
	uint64_t start = (uint64_t)s->start;
	const struct field fields[] = { { "start", &start }, { "floor", &s->floor }, { "pending", &s->pending },
		{ "waiting", &s->waiting }, { "leased", &s->leased }, { "delayed", &s->delayed },
		{ "acked", &s->acked }, { "dead", &s->dead }, { "expired", &s->expired },
		{ "purged", &s->purged }, { "dropped", &s->dropped }, { "damaged", &s->damaged },
		{ "skipped", &s->skipped }, { "redelivered", &s->redelivered },
		{ "consumers", &s->consumers }, { "full", &s->full } };

	if (len == 5 && memcmp(word, "start", 5) == 0)
		start = (uint64_t)strtoll(value, NULL, 10);
	else
		set_field(fields, sizeof fields / sizeof fields[0], word, len, value);
	s->start = (int64_t)start;
}

void
look_read_stat(const char *text, size_t len)
{
	const char *end = text + len, *nl, *space;
	struct topic_stat *topic = NULL;
	struct sub_stat *sub = NULL;
	int i;

	for (; text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		space = memchr(text, ' ', (size_t)(nl - text));
		if (strncmp(text, "topic ", 6) == 0) {
			if ((i = topic_by_name(text + 6, (size_t)(nl - text - 6))) == -1)
				wrong("STAT has a topic %.*s", (int)(nl - text - 6), text + 6);
			topic = &w.stat[i];
			*topic = (struct topic_stat){ .there = true };
		} else if (strncmp(text, "subscription ", 13) == 0) {
			if ((i = sub_by_name(text + 13, (size_t)(nl - text - 13))) == -1)
				wrong("STAT has a subscription %.*s", (int)(nl - text - 13), text + 13);
			sub = &topic->subs[i];
			sub->there = true;
		} else if (sub != NULL)
			set_sub(sub, text, (size_t)(space - text), space + 1);
		else
			set_topic(topic, text, (size_t)(space - text), space + 1);
	}
}

/* --- the account -------------------------------------------------------- */

/* What the model says of a number of things: between lo and hi. */
static void
want(const char *where, const char *word, uint64_t is, uint64_t lo, uint64_t hi)
{
	if (is < lo || is > hi)
		wrong("%s: %s is %llu, not %llu to %llu", where, word, (unsigned long long)is,
		    (unsigned long long)lo, (unsigned long long)hi);
}

/* The model's numbers by what they are; those whose time may have come are none for sure. */
struct tally {
	uint64_t wanted, unwanted, leased, delayed, open;
};

static void
count(struct sub *s, struct tally *out)
{
	uint64_t now = loop_now() + 2;

	*out = (struct tally){ 0 };
	for (uint64_t n = ref_floor_lo(s); n <= w.topics[s->topic].published; n++) {
		const struct num *x = &s->nums[n];
		bool timed = x->what == NUM_WAITING || x->what == NUM_HELD, pass = ref_may_pass(s, n);

		if (x->what == NUM_SETTLED)
			continue;
		out->wanted += !pass;
		out->unwanted += pass;
		out->leased += x->what == NUM_LEASED || (x->what == NUM_HELD && x->due_lo > now);
		/* Whether a message itself says that it waits is known when it was looked at. */
		out->delayed += x->what == NUM_WAITING && !x->own && x->due_lo > now;
		out->open += (timed && (x->own || x->due_lo <= now)) || (w.crowded && pass);
	}
}

/* All that has expired is counted when it is passed over: what is below the floor was. */
static void
check_expired(struct sub *s, const char *where, const struct sub_stat *st)
{
	uint64_t lo = s->expired, hi = s->expired;

	for (uint64_t n = ref_floor_lo(s); n <= w.topics[s->topic].published; n++) {
		const struct num *x = &s->nums[n];

		if (!ref_is_over(s, n) || !ref_may_pass(s, n))
			continue;
		hi++;
		lo += !x->unwanted && n < st->floor;
	}
	want(where, "expired", st->expired, lo, hi);
}

static uint64_t
consumers(const struct sub *s)
{
	uint64_t n = 0;

	for (int i = 0; i < CLIENTS; i++)
		n += w.clients[i].fd != -1 && client_consumes(&w.clients[i], s->topic, s->name);
	return n;
}

static void
check_sub(struct sub *s, const char *where)
{
	struct topic_stat *ts = &w.stat[s->topic];
	struct sub_stat *st = &ts->subs[s->name];
	uint64_t sum = st->acked + st->dead + st->expired + st->purged + st->dropped + st->damaged + st->skipped;
	struct tally n;

	count(s, &n);
	want(where, "floor", st->floor, ref_floor_lo(s), ref_floor_hi(s));
	want(where, "pending", st->pending, n.wanted, n.wanted + n.unwanted);
	want(where, "leased", st->leased, n.leased, n.leased + n.open);
	want(where, "delayed", st->delayed, n.delayed, n.delayed + n.open);
	want(where, "acked", st->acked, s->acked, s->acked);
	want(where, "dead", st->dead, s->dead, s->dead);
	want(where, "purged", st->purged, s->purged, s->purged);
	check_expired(s, where, st);
	want(where, "dropped and damaged", st->dropped + st->damaged, 0, 0);
	want(where, "waiting and leased and delayed", st->waiting + st->leased + st->delayed, st->pending,
	    st->pending);
	if (s->start == INT64_MIN)
		s->start = st->start;
	if (st->start != s->start)
		wrong("%s: start is %lld, not %lld", where, (long long)st->start, (long long)s->start);
	if ((int64_t)(sum + st->pending) != (int64_t)(ts->published + 1) - st->start)
		wrong("%s: settled are %llu, pending %llu, start %lld, published %llu", where,
		    (unsigned long long)sum, (unsigned long long)st->pending, (long long)st->start,
		    (unsigned long long)ts->published);
	want(where, "consumers", st->consumers, consumers(s), consumers(s));
	want(where, "full", st->full, 0, w.crowded);
}

static void
check_topic(int t)
{
	const struct topic_ref *topic = &w.topics[t];
	const struct topic_stat *st = &w.stat[t];
	uint64_t lo, hi, depth = 0;
	bool any = false;

	want(topic->name, "published", st->published, topic->published, topic->published);
	want(topic->name, "present", st->present, st->published + 1 - st->first, st->published + 1 - st->first);
	want(topic->name, "settled, expired, purged and dropped",
	    st->settled + st->expired + st->purged + st->dropped, st->first - 1, st->first - 1);
	want(topic->name, "purged", st->purged, topic->purged, topic->purged);
	want(topic->name, "damaged, expired and dropped", st->damaged + st->expired + st->dropped, 0, 0);
	for (int s = 0; s < SUBS; s++) {
		any |= st->subs[s].there;
		if (st->subs[s].pending > depth)
			depth = st->subs[s].pending;
	}
	want(topic->name, "depth", st->depth, any ? depth : st->present, any ? depth : st->present);
	ref_first(t, &lo, &hi);
	if (any)
		want(topic->name, "first", st->first, lo, hi);
}

static void
check_dead(int t)
{
	struct sub *s = sub_of(t + MAINS, S_DEFAULT);
	struct tally n = { 0 };

	if (s->exists)
		count(s, &n);
	want(w.topics[t].name, "dead", w.stat[t].dead, n.wanted, n.wanted);
}

/* STAT was just read; the model says what it must be. */
void
look_check(int t)
{
	char where[96];

	for (int s = 0; s < SUBS; s++) {
		struct sub *sub = sub_of(t, s);
		const struct sub_stat *st = &w.stat[t].subs[s];

		if (sub->exists != st->there)
			wrong("%s: STAT has subscription %s %d", w.topics[t].name, sub_names[s], st->there);
		if (!sub->exists)
			continue;
		(void)snprintf(where, sizeof where, "%s/%s", w.topics[t].name, sub_names[s]); /* for people */
		if (sub->fresh) {
			/* Not at its floor: this STAT may have passed over what has expired. */
			want(where, "floor", st->floor, w.stat[t].first, w.topics[t].published + 1);
			want(where, "start", (uint64_t)st->start, 1, st->floor);
			ref_sub_begins(sub, (uint64_t)st->start);
		}
		check_sub(sub, where);
	}
	check_topic(t);
	if (!is_dead_topic(t))
		check_dead(t);
}

static void
ask_stat(int client, int t, bool only_read)
{
	struct ask *a = wire_ask(client, V_STAT);

	a->topic = t;
	a->now = only_read;
	wire_say(client, "STAT %s\n", w.topics[t].name);
}

void
look_at_all(void)
{
	for (int t = 0; t < TOPICS; t++)
		if (w.topics[t].exists)
			ask_stat(CONTROL, t, false);
	if (!wire_flush(CONTROL))
		wrong("the engine is gone");
	wire_wait(CONTROL);
}

/* --- PEEK and READ ------------------------------------------------------ */

static void
look_begin(void)
{
	if (!wire_connect(LOOK))
		wrong("the engine does not answer");
	w.clients[LOOK].looks = true;
	w.clients[LOOK].ended = false;
}

static void
look_take(void)
{
	(void)wire_ask(LOOK, V_SYNC);
	wire_say(LOOK, "TAKE 1000000000\n");
	if (!wire_flush(LOOK))
		wrong("the engine is gone");
	wire_wait(LOOK);
}

static void
lost(struct sub *s, uint64_t n)
{
	static const char *const whats[] = { "ready", "leased", "waiting", "held", "settled" };
	const struct sub_stat *st = &w.stat[s->topic].subs[s->name];
	const struct num *x = &s->nums[n];

	wrong("%s/%s: %llu is lost: it was %s%s, until %lld ms, expires in %lld ms; acked %llu, not %llu, "
	    "dead %llu, not %llu, expired %llu", w.topics[s->topic].name, sub_names[s->name],
	    (unsigned long long)n, whats[x->what], x->own ? " for itself" : "",
	    (long long)(x->due_hi - loop_now()), (long long)(w.topics[s->topic].msgs[n].expires - loop_now()),
	    (unsigned long long)st->acked, (unsigned long long)s->acked, (unsigned long long)st->dead,
	    (unsigned long long)s->dead, (unsigned long long)st->expired);
}

/* What became of a number is known now: the subscription shows it as unsettled, or not. */
static void
resolve(struct sub *s, uint64_t n, bool there)
{
	const char *topic = w.topics[s->topic].name, *name = sub_names[s->name];
	struct num *x = &s->nums[n];
	struct letter *l = NULL;

	if (there && x->what == NUM_SETTLED)
		wrong("%s/%s: %llu was settled, and is there again", topic, name, (unsigned long long)n);
	if (x->what == NUM_SETTLED || x->unwanted)
		return;
	for (size_t i = 0; i < letters_count; i++)
		if (letters[i].found && letters[i].topic == s->topic && letters[i].sub == s->name &&
		    letters[i].seq == n)
			l = &letters[i];
	if (l == NULL && ref_is_over(s, n))
		return; /* what has expired is not shown, whoever has it */
	if (there && l != NULL)
		wrong("%s/%s: %llu is dead, and is there still", topic, name, (unsigned long long)n);
	if (!there && l != NULL)
		ref_settle(s, n, PLACE_DEAD);
	else if (!there && (x->maybe & MAYBE_ACKED) != 0)
		ref_settle(s, n, PLACE_ACKED);
	else if (!there)
		lost(s, n);
	x->maybe = MAYBE_NOTHING;
}

void
look_uncertain(struct sub *s)
{
	struct ranges *seen = &w.clients[LOOK].seen;

	look_begin();
	(void)wire_ask(LOOK, V_PEEK);
	wire_say(LOOK, "PEEK %s %s\n", w.topics[s->topic].name, sub_names[s->name]);
	look_take();
	for (uint64_t n = 1; n <= w.topics[s->topic].published; n++)
		resolve(s, n, ranges_contain(seen, n, n));
	wire_close(LOOK);
}

/* --- after a crash ------------------------------------------------------ */

void
maybe_letter(int t, int s, uint64_t seq, const struct why *y, unsigned attempts, bool sure)
{
	letters = grow(letters, letters_count, &letters_cap, letters_count + 1, sizeof *letters);
	letters[letters_count++] = (struct letter){ t, s, seq, *y, attempts, sure, false };
}

static bool
header_is(const struct record_header *h, const char *name, const char *value)
{
	return record_header_is(h, name) && h->value_len == strlen(value) &&
	    memcmp(h->value, value, h->value_len) == 0;
}

static uint64_t
first_seq(const struct letter *l)
{
	const struct msg *m = &w.topics[l->topic].msgs[l->seq];

	return m->to != -1 ? m->first_seq : l->seq;
}

/* Which of those that may be is this letter? */
static struct letter *
find_letter(int t, const char *headers, size_t headers_len)
{
	for (size_t i = 0; i < letters_count; i++) {
		struct letter *l = &letters[i];
		const char *at = headers;
		size_t len = headers_len;
		struct record_header h;
		char seq[24];
		int same = 0;

		(void)snprintf(seq, sizeof seq, "%llu", (unsigned long long)first_seq(l)); /* fits */
		while (l->topic == t - MAINS && !l->found && record_next_header(&at, &len, &h))
			same += header_is(&h, "Mess-Original-Seq", seq) ||
			    header_is(&h, "Mess-Dead-Subscription", sub_names[l->sub]);
		if (same == 2)
			return l;
	}
	return NULL;
}

/* A number that the model does not have: of a request that got no reply. */
void
look_learn(int t, uint64_t seq, const char *headers, size_t len)
{
	struct topic_ref *topic = &w.topics[t];
	struct msg m = { .to = -1, .sub = -1 };
	const struct msg *from;
	struct letter *l;

	/* Those before it may not be due: they were published in this order. */
	while (!is_dead_topic(t) && topic->published + 1 < seq && topic->maybe_count > 0) {
		m.id = topic->maybe[0];
		memmove(topic->maybe, topic->maybe + 1, --topic->maybe_count * sizeof *topic->maybe);
		ref_publish(t, &m);
	}
	if (seq != topic->published + 1)
		wrong("%s: %llu is there, and %llu is not", topic->name, (unsigned long long)seq,
		    (unsigned long long)topic->published + 1);
	if (!is_dead_topic(t)) {
		if (topic->maybe_count == 0)
			wrong("%s: nobody published %llu", topic->name, (unsigned long long)seq);
		m.id = topic->maybe[0];
		memmove(topic->maybe, topic->maybe + 1, --topic->maybe_count * sizeof *topic->maybe);
	} else {
		if ((l = find_letter(t, headers, len)) == NULL)
			wrong("%s: nobody gave up %llu", topic->name, (unsigned long long)seq);
		l->found = true;
		from = &w.topics[l->topic].msgs[l->seq];
		m = (struct msg){ .id = from->id, .to = -1, .sub = l->sub, .attempts = l->attempts,
			.why = l->why, .first_seq = first_seq(l),
			.first_sec = from->to != -1 ? from->first_sec : from->sec,
			.first_nsec = from->to != -1 ? from->first_nsec : from->nsec };
	}
	ref_publish(t, &m);
}

static void
learn_topic(int t)
{
	struct topic_ref *topic = &w.topics[t];
	const struct topic_stat *st = &w.stat[t];

	if (st->published < topic->published)
		wrong("%s: %llu were published, %llu are lost", topic->name,
		    (unsigned long long)topic->published,
		    (unsigned long long)(topic->published - st->published));
	if (!topic->exists && st->there && st->subs[S_DEFAULT].there)
		ref_sub_begins(sub_of(t, S_DEFAULT), 1);
	topic->exists |= st->there;
	if (st->published > topic->published) {
		look_begin();
		(void)wire_ask(LOOK, V_READ);
		wire_say(LOOK, "READ %s %llu %llu\n", topic->name, (unsigned long long)topic->published + 1,
		    (unsigned long long)st->published);
		look_take();
		wire_close(LOOK);
	}
	want(topic->name, "published", topic->published, st->published, st->published);
	topic->maybe_count = 0;
}

/* A kill takes what was not committed; of what a full place has no room for the tries are not known. */
static void
crashed_num(struct num *x, bool killed)
{
	if (killed && x->changed > w.durable)
		x->min = x->safe;
	if (!w.crowded || x->what == NUM_SETTLED)
		return;
	if (x->what == NUM_WAITING && !x->own)
		x->due_lo = 0;
	x->min = x->safe = 0;
	if (x->max == 0)
		x->max = 1;
}

static void
letters_are_found(void)
{
	for (size_t i = 0; i < letters_count; i++)
		if (letters[i].sure && !letters[i].found)
			wrong("%s/%s: the letter of %llu is lost", w.topics[letters[i].topic].name,
			    sub_names[letters[i].sub], (unsigned long long)letters[i].seq);
}

static void
each_sub(void (*fn)(struct sub *s, bool arg), bool arg)
{
	for (int t = 0; t < TOPICS; t++)
		for (int s = 0; s < SUBS; s++)
			if (sub_of(t, s)->exists)
				fn(sub_of(t, s), arg);
}

static void
crashed_sub(struct sub *s, bool killed)
{
	for (uint64_t n = ref_floor_lo(s); n <= w.topics[s->topic].published; n++)
		crashed_num(&s->nums[n], killed);
}

static void
uncertain_sub(struct sub *s, bool arg)
{
	(void)arg;
	look_uncertain(s);
}

/* The engine serves again, and nobody is connected but who administers. */
void
look_after_crash(bool killed)
{
	each_sub(crashed_sub, killed);
	w.durable = w.stamp;
	memset(w.stat, 0, sizeof w.stat);
	for (int t = 0; t < TOPICS; t++)
		if (w.topics[t].exists || is_dead_topic(t))
			ask_stat(CONTROL, t, true);
	if (!wire_flush(CONTROL))
		wrong("the engine is gone");
	wire_wait(CONTROL);
	for (int t = 0; t < TOPICS; t++)
		learn_topic(t);
	letters_are_found();
	each_sub(uncertain_sub, false);
	letters_count = 0;
	look_at_all();
}
