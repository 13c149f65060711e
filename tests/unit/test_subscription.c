/* SPDX-License-Identifier: ISC */
/*
 * Subscriptions: every message to somebody, in order, until it is settled;
 * the place survives.
 */
#include "subscription.h"

#include "storage.h"

#define N 400		/* numbers of the model */
#define CONSUMERS 3

/* --- the model: what each number is ------------------------------------------ */

enum state { READY, LEASED, SETTLED };

struct model {
	enum state state[N + 1];
	int holder[N + 1];
};

struct bench {
	struct storage g;
	struct subscriptions *subs;
	struct subscription *sub;
	struct lease leased[CONSUMERS];
	bool attached[CONSUMERS];
	struct model m;
};

static struct subscription_counts
counts(const struct subscription *s)
{
	struct subscription_counts c;

	subscription_count(s, &c);
	return c;
}

static bool
ready(struct subscription *s, uint64_t max, struct range *out)
{
	struct handout h;

	if (!subscription_ready(s, max, &h))
		return false;
	*out = h.run;
	return true;
}

static enum mess_err
lease(struct subscription *s, struct lease *l, const struct range *run)
{
	struct handout h = { *run, subscription_tries(s, run->lo) };

	return subscription_lease(s, l, &h);
}

/* As request_settle does it. */
static enum mess_err
settle(struct subscription *s, struct lease *l, const struct range *run)
{
	return lease_has(l, run->lo, run->hi) ? subscription_ack(s, l, run, PLACE_ACKED) : MESS_USAGE;
}

static enum mess_err
make(struct bench *b, const char *name, uid_t owner, struct subscription **out)
{
	struct subscription_setup setup = { .name = name, .owner = owner,
		.from = log_first(storage_log(&b->g)), .match = "" };

	return subscription_make(b->g.topic, &setup, out);
}

static void
attach(struct bench *b, int c)
{
	CHECK(subscription_attach(b->sub, &b->leased[c]) == MESS_OK);
	b->attached[c] = true;
}

static void
detach(struct bench *b, int c)
{
	subscription_detach(b->sub, &b->leased[c]);
	b->attached[c] = false;
	for (uint64_t n = 1; n <= N; n++)
		if (b->m.state[n] == LEASED && b->m.holder[n] == c)
			b->m.state[n] = READY;
}

static void
detach_all(struct bench *b)
{
	for (int c = 0; c < CONSUMERS; c++)
		if (b->attached[c])
			detach(b, c);
}

static void
begin(struct bench *b)
{
	*b = (struct bench){ 0 };
	storage_begin(&b->g);
	CHECK(make(b, "nightly", 1000, &b->sub) == MESS_OK);
	CHECK(subscriptions_of(b->g.topic, &b->subs) == MESS_OK);
}

static void
find_sub(struct bench *b)
{
	CHECK(subscriptions_of(b->g.topic, &b->subs) == MESS_OK);
	b->sub = subscription_find(b->subs, "nightly");
	if (!CHECK(b->sub != NULL))
		abort();
}

static void
reopen(struct bench *b)
{
	detach_all(b);
	storage_reopen(&b->g);
	find_sub(b);
}

static void
end(struct bench *b)
{
	detach_all(b);
	storage_end(&b->g);
}

static void
publish(struct bench *b, int count)
{
	for (int i = 0; i < count; i++)
		(void)storage_append(&b->g, 3);
	storage_commit(&b->g);
}

/* Take at most max for consumer c; the model says that it must be the lowest ready run. */
static bool
take(struct bench *b, int c, uint64_t max)
{
	uint64_t end_at = log_durable(storage_log(&b->g)), lo = 1;
	struct range r;
	bool any;

	while (lo < end_at && b->m.state[lo] != READY)
		lo++;
	any = ready(b->sub, max, &r);
	if (!CHECK(any == (lo < end_at)) || !any)
		return false;
	CHECK(r.lo == lo && r.hi >= r.lo && r.hi - r.lo < max && r.hi < end_at);
	for (uint64_t n = r.lo; n <= r.hi; n++) {
		CHECK(b->m.state[n] == READY);
		b->m.state[n] = LEASED;
		b->m.holder[n] = c;
	}
	CHECK(lease(b->sub, &b->leased[c], &r) == MESS_OK);
	return true;
}

static bool
holds(const struct bench *b, int c, uint64_t lo, uint64_t hi)
{
	for (uint64_t n = lo; n <= hi; n++)
		if (b->m.state[n] != LEASED || b->m.holder[n] != c)
			return false;
	return true;
}

static void
ack(struct bench *b, int c, uint64_t lo, uint64_t hi)
{
	bool may = holds(b, c, lo, hi);
	struct range r = { lo, hi };

	CHECK(settle(b->sub, &b->leased[c], &r) == (may ? MESS_OK : MESS_USAGE));
	for (uint64_t n = lo; may && n <= hi; n++)
		b->m.state[n] = SETTLED;
}

/* Counters and place, as the model has them. */
static bool
agrees(struct bench *b)
{
	uint64_t next = log_durable(storage_log(&b->g)), count[3] = { 0 }, floor = 1;

	for (uint64_t n = 1; n < next; n++)
		count[b->m.state[n]]++;
	while (floor < next && b->m.state[floor] == SETTLED)
		floor++;
	if (counts(b->sub).waiting == count[READY] && counts(b->sub).leased == count[LEASED] &&
	    counts(b->sub).pending == count[READY] + count[LEASED] &&
	    b->sub->place.floor == floor && log_first(storage_log(&b->g)) == floor)
		return true;
	printf("# ready %llu of %llu, leased %llu of %llu, pending %llu, floor %llu of %llu\n",
	    (unsigned long long)counts(b->sub).waiting, (unsigned long long)count[READY],
	    (unsigned long long)counts(b->sub).leased, (unsigned long long)count[LEASED],
	    (unsigned long long)counts(b->sub).pending,
	    (unsigned long long)b->sub->place.floor, (unsigned long long)floor);
	return false;
}

static void
step(struct bench *b)
{
	int c = (int)(test_random() % CONSUMERS);
	uint64_t next = log_durable(storage_log(&b->g)), lo = 1 + test_random() % next;
	uint64_t hi = lo + test_random() % 4;

	switch (test_random() % 10) {
	case 0:
		if (next + 5 <= N)
			publish(b, 1 + (int)(test_random() % 5));
		break;
	case 1:
		if (b->attached[c] && test_random() % 4 == 0)
			detach(b, c);
		break;
	case 2:
	case 3:
	case 4:
		if (!b->attached[c])
			attach(b, c);
		(void)take(b, c, 1 + test_random() % 6);
		break;
	case 5:
		storage_commit(&b->g);
		break;
	default:
		if (b->attached[c])
			ack(b, c, lo, hi < N ? hi : N);
	}
}

TEST("subscription: any takes, acks and goings of consumers are those of a simple model")
{
	for (int round = 0; round < 8; round++) {
		struct bench b;

		begin(&b);
		for (int i = 0; i < 1500; i++) {
			step(&b);
			if (!CHECK(agrees(&b))) {
				printf("# round %d step %d\n", round, i);
				break;
			}
		}
		end(&b);
	}
}

TEST("subscription: what the model says was settled is settled after a reopening, and nothing else")
{
	for (int round = 0; round < 6; round++) {
		struct bench b;

		begin(&b);
		for (int i = 0; i < 600; i++) {
			step(&b);
			if (i % 60 == 59)
				reopen(&b);
		}
		/* All that is left comes, each once, in order. */
		attach(&b, 0);
		while (take(&b, 0, 7))
			;
		for (uint64_t n = 1; n < log_durable(storage_log(&b.g)); n++)
			CHECK(b.m.state[n] == SETTLED || holds(&b, 0, n, n));
		end(&b);
	}
}

/* --- stories -------------------------------------------------------------------- */

TEST("subscription: it begins at the oldest message kept, and every one sees all")
{
	struct subscription *other;
	struct bench b;
	struct range r;

	begin(&b);
	publish(&b, 5);
	CHECK(make(&b, "hourly", 1001, &other) == MESS_OK);

	CHECK(ready(b.sub, 100, &r) && r.lo == 1 && r.hi == 5);
	CHECK(ready(other, 100, &r) && r.lo == 1 && r.hi == 5);
	CHECK(b.subs->count == 2 && TAILQ_FIRST(&b.subs->list) == other);
	CHECK(!ready(b.sub, 0, &r));
	end(&b);
}

TEST("subscription: settled out of order stays settled over a reopening, and is counted so")
{
	struct bench b;

	begin(&b);
	publish(&b, 6);
	attach(&b, 0);
	CHECK(take(&b, 0, 6));
	ack(&b, 0, 2, 3);
	ack(&b, 0, 5, 5);
	reopen(&b);

	CHECK(b.sub->place.floor == 1 && b.sub->place.counts[PLACE_ACKED] == 3 && b.sub->place.settled.count == 2);
	CHECK(counts(b.sub).pending == 3);
	attach(&b, 1);
	for (int i = 0; i < 3; i++)
		CHECK(take(&b, 1, 100));
	CHECK(holds(&b, 1, 1, 1) && holds(&b, 1, 4, 4) && holds(&b, 1, 6, 6) && agrees(&b));
	end(&b);
}

TEST("subscription: ready are those that can be handed out, also behind a reopening")
{
	struct bench b;

	begin(&b);
	publish(&b, 6);
	attach(&b, 0);
	CHECK(take(&b, 0, 6));
	ack(&b, 0, 2, 3);
	reopen(&b);

	CHECK(counts(b.sub).waiting == 4);
	end(&b);
}

TEST("subscription: what a consumer does not hold it cannot settle, and nothing changes")
{
	struct bench b;

	begin(&b);
	publish(&b, 9);
	attach(&b, 0);
	attach(&b, 1);
	CHECK(take(&b, 0, 3) && take(&b, 1, 3));

	ack(&b, 0, 4, 4);
	ack(&b, 0, 3, 4);
	ack(&b, 0, 0, 1);
	ack(&b, 0, 7, 7);
	ack(&b, 1, 1, 9);
	CHECK(agrees(&b) && b.sub->place.counts[PLACE_ACKED] == 0);
	ack(&b, 0, 1, 3);
	ack(&b, 0, 1, 3);

	CHECK(agrees(&b) && b.sub->place.counts[PLACE_ACKED] == 3);
	end(&b);
}

TEST("subscription: what a consumer held goes out again first, counted")
{
	struct bench b;

	begin(&b);
	publish(&b, 9);
	attach(&b, 0);
	attach(&b, 1);
	CHECK(take(&b, 0, 3) && take(&b, 1, 3));
	ack(&b, 0, 2, 2);

	detach(&b, 0);

	CHECK(take(&b, 1, 9) && take(&b, 1, 9) && take(&b, 1, 9) && !take(&b, 1, 9));
	CHECK(holds(&b, 1, 1, 1) && holds(&b, 1, 3, 9) && b.sub->place.redelivered == 2);
	end(&b);
}

TEST("subscription: what all have settled is freed, what one has not is kept")
{
	struct subscription *slow;
	struct bench b;

	begin(&b);
	CHECK(make(&b, "slow", 1001, &slow) == MESS_OK);
	publish(&b, 9);
	attach(&b, 0);
	CHECK(take(&b, 0, 9));
	ack(&b, 0, 1, 9);
	storage_commit(&b.g);

	CHECK(b.sub->place.floor == 10 && log_first(storage_log(&b.g)) == 1);
	CHECK(counts(slow).pending == 9);
	end(&b);
}

TEST("subscription: a place that is damaged begins again, loudly, and loses nothing")
{
	struct bench b;
	struct range r;

	begin(&b);
	publish(&b, 4);
	storage_close(&b.g);
	file_flip(b.g.spool.dir, "orders/sub/nightly", 30, 1);
	storage_open(&b.g);

	find_sub(&b);

	CHECK(b.g.said == 1 && ready(b.sub, 9, &r) && r.lo == 1 && r.hi == 4);
	end(&b);
}

static void
ack_and_crash(void *arg)
{
	struct bench *b = arg;

	storage_open(&b->g);
	find_sub(b);
	attach(b, 0);
	CHECK(take(b, 0, 6));
	ack(b, 0, 2, 2);
	ack(b, 0, 4, 5);
	storage_commit(&b->g);
	ack(b, 0, 1, 1);
}

TEST("subscription: after a crash what was committed is settled, what was not goes out again")
{
	static const char zero[4096];
	struct bench b;
	struct range r;

	begin(&b);
	publish(&b, 6);
	storage_close(&b.g);
	crash(ack_and_crash, &b);
	/* The block did not reach its file but for what tells whose it is. */
	file_write_at(b.g.spool.dir, "orders/sub/nightly", zero, sizeof zero - 16, 16);

	storage_open(&b.g);
	find_sub(&b);

	CHECK(b.g.said == 0 && b.sub->place.floor == 1 && b.sub->place.counts[PLACE_ACKED] == 3);
	CHECK(counts(b.sub).pending == 3 && ready(b.sub, 9, &r) && r.hi == 1);
	end(&b);
}

/* --- the place's limit ------------------------------------------------------------- */

TEST("subscription: a place that is full hands out nothing until its floor moves")
{
	struct range r, one;
	struct bench b;

	begin(&b);
	publish(&b, 2 * PLACE_RANGES_MAX + 100);
	attach(&b, 0);
	/* One at a time, each second one settled. */
	for (uint64_t n = 1; ready(b.sub, 1, &r); n++) {
		CHECK(r.lo == n && lease(b.sub, &b.leased[0], &r) == MESS_OK);
		if (n % 2 == 0)
			CHECK(settle(b.sub, &b.leased[0], &r) == MESS_OK);
	}
	CHECK(subscription_is_full(b.sub) && b.sub->place.settled.count < PLACE_RANGES_MAX);

	one = (struct range){ 1, 1 };
	CHECK(settle(b.sub, &b.leased[0], &one) == MESS_OK);
	CHECK(!subscription_is_full(b.sub) && ready(b.sub, 1, &r));
	storage_commit(&b.g);
	reopen(&b);
	CHECK(b.g.said == 0 && b.sub->place.floor == 3);
	end(&b);
}

TEST("subscription: whatever is acked of many leased ones, the place fits its file and is read again")
{
	struct range r;
	struct bench b;
	struct stat st;
	uint64_t acked = 0;

	begin(&b);
	publish(&b, 2 * PLACE_RANGES_MAX + 500);
	attach(&b, 0);
	CHECK(ready(b.sub, 100000, &r));
	CHECK(lease(b.sub, &b.leased[0], &r) == MESS_OK);

	/* An ack may be refused, not lost. */
	for (uint64_t n = 2; n <= r.hi; n += 2) {
		struct range one = { n, n };

		acked += settle(b.sub, &b.leased[0], &one) == MESS_OK;
	}
	CHECK(store_commit(b.g.store) == MESS_OK);

	CHECK(b.sub->place.settled.count <= PLACE_RANGES_MAX && place_len(&b.sub->place) <= PLACE_SIZE);
	CHECK(fstatat(b.g.spool.dir, "orders/sub/nightly", &st, 0) == 0);
	CHECK((size_t)st.st_size == PLACE_SIZE);
	reopen(&b);
	CHECK(b.g.said == 0 && b.sub->place.counts[PLACE_ACKED] == acked);
	CHECK(ranges_total(&b.sub->place.settled) == acked);
	end(&b);
}

/* --- damage ---------------------------------------------------------------------------- */

TEST("subscription: what is damaged is settled, counted, and holds nothing back")
{
	struct range lost = { 3, 5 };
	struct bench b;

	begin(&b);
	publish(&b, 9);
	attach(&b, 0);
	CHECK(take(&b, 0, 2));

	CHECK(subscription_pass(b.sub, &lost, PLACE_DAMAGED) == MESS_OK);
	for (uint64_t n = 3; n <= 5; n++)
		b.m.state[n] = SETTLED;

	CHECK(agrees(&b) && b.sub->place.counts[PLACE_DAMAGED] == 3);
	CHECK(take(&b, 0, 9) && holds(&b, 0, 6, 9));
	ack(&b, 0, 1, 2);
	ack(&b, 0, 6, 9);
	CHECK(agrees(&b) && b.sub->place.floor == 10);
	end(&b);
}

TEST("subscription: damage over what is settled already leaves no trace of it below the floor")
{
	struct range lost = { 1, 5 };
	struct bench b;

	begin(&b);
	publish(&b, 12);
	attach(&b, 0);
	CHECK(take(&b, 0, 12));
	ack(&b, 0, 3, 4);
	reopen(&b);
	attach(&b, 0);

	/* An envelope's loss takes all that follows, also what was settled out of order. */
	CHECK(subscription_pass(b.sub, &lost, PLACE_DAMAGED) == MESS_OK);
	for (uint64_t n = 1; n <= 5; n++)
		b.m.state[n] = SETTLED;

	CHECK(b.sub->place.floor == 6 && b.sub->place.settled.count == 0);
	CHECK(counts(b.sub).pending == 7 && b.sub->place.counts[PLACE_DAMAGED] == 3);
	CHECK(take(&b, 0, 9));
	ack(&b, 0, 8, 9);
	ack(&b, 0, 6, 7);
	CHECK(b.sub->place.floor == 10);
	end(&b);
}

TEST("subscription: damage over what another consumer holds never moves the floor back")
{
	struct range lost = { 1, 9 }, held = { 3, 4 };
	struct bench b;

	begin(&b);
	publish(&b, 12);
	attach(&b, 0);
	attach(&b, 1);
	CHECK(take(&b, 0, 2) && take(&b, 1, 2));
	detach(&b, 0); /* 1 and 2 are ready again, 3 and 4 are held */

	CHECK(subscription_pass(b.sub, &lost, PLACE_DAMAGED) == MESS_OK);
	CHECK(b.sub->place.floor == 3 || b.sub->place.floor == 10);
	CHECK(settle(b.sub, &b.leased[1], &held) == MESS_OK);

	CHECK(b.sub->place.floor == 10);
	end(&b);
}
