/* SPDX-License-Identifier: ISC */
/*
 * Subscriptions: every message to somebody, in order, until it is settled;
 * the place survives.
 */
#include "subscription.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/loop.h"
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

	/* Once: what it settles from now on stays settled. */
	attach(&b, 0);
	CHECK(take(&b, 0, 4));
	ack(&b, 0, 1, 4);
	storage_commit(&b.g);
	reopen(&b);
	CHECK(b.g.said == 1 && !ready(b.sub, 9, &r));
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

/* --- how else a lease ends ----------------------------------------------------------- */

/* Each number from start on is exactly one of settled, leased, delayed and waiting. */
static bool
account_holds(const struct subscription *s)
{
	const struct place *p = &s->place;
	struct subscription_counts c = counts(s);
	uint64_t settled = 0, above = ranges_total(&p->settled), end = log_durable(s->topic->log);

	for (int i = 0; i < PLACE_COUNTS; i++)
		settled += p->counts[i];
	return settled == p->floor - p->start + above && c.leased + c.delayed + c.waiting == c.pending &&
	    settled + c.pending == end - p->start;
}

/* Ten messages, of which consumer 0 has the first six. */
static void
begin_leased(struct bench *b)
{
	begin(b);
	publish(b, 10);
	attach(b, 0);
	attach(b, 1);
	CHECK(take(b, 0, 6));
}

static void
wait_until(uint64_t due)
{
	while (loop_now() < due)
		(void)usleep(1000); /* time is what is waited for */
}

TEST("subscription: what is given back waits, and comes again as it was; what failed is counted")
{
	struct range back = { 2, 3 }, failed = { 5, 5 };
	struct handout h;
	struct bench b;
	uint64_t due;

	begin_leased(&b);
	due = loop_now() + 500; /* long enough for what is looked at before */
	CHECK(subscription_defer(b.sub, &b.leased[0], &back, due, false) == MESS_OK);
	CHECK(subscription_defer(b.sub, &b.leased[0], &failed, due, true) == MESS_OK);
	CHECK(counts(b.sub).leased == 3 && counts(b.sub).delayed == 3 && counts(b.sub).waiting == 4);
	CHECK(account_holds(b.sub) && !lease_has(&b.leased[0], 2, 2) && subscription_next_due(b.sub) == due);

	/* What waits holds nothing back. */
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 7);
	wait_until(due);
	CHECK(counts(b.sub).delayed == 0 && counts(b.sub).waiting == 7);
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 2 && h.run.hi == 3 && h.tries == 0);
	CHECK(subscription_lease(b.sub, &b.leased[1], &h) == MESS_OK);
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 5 && h.run.hi == 5 && h.tries == 1);
	CHECK(account_holds(b.sub));
	end(&b);
}

TEST("subscription: numbers that were tried differently often stay so when they come back together")
{
	struct range two = { 2, 2 }, all = { 1, 6 };
	struct handout h;
	struct bench b;

	begin_leased(&b);
	CHECK(subscription_defer(b.sub, &b.leased[0], &two, 0, true) == MESS_OK);
	CHECK(subscription_ready(b.sub, 1, &h) && h.run.lo == 2);
	CHECK(subscription_lease(b.sub, &b.leased[0], &h) == MESS_OK);

	CHECK(subscription_defer(b.sub, &b.leased[0], &all, 0, true) == MESS_OK);

	CHECK(subscription_tries(b.sub, 1) == 1 && subscription_tries(b.sub, 2) == 2 && subscription_tries(b.sub, 3) == 1);
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 1 && h.run.hi == 1);
	CHECK(account_holds(b.sub));
	end(&b);
}

TEST("subscription: what waits, and how often it was tried, survive a reopening")
{
	struct range later = { 2, 3 };
	uint64_t due = loop_now() + 3600 * 1000;
	struct bench b;

	begin_leased(&b);
	CHECK(subscription_defer(b.sub, &b.leased[0], &later, due, true) == MESS_OK);
	storage_commit(&b.g);
	reopen(&b);

	CHECK(counts(b.sub).delayed == 2 && subscription_tries(b.sub, 2) == 1 && account_holds(b.sub));
	CHECK(subscription_next_due(b.sub) + 1000 > due && subscription_next_due(b.sub) < due + 1000);
	end(&b);
}

/* --- leases by time -------------------------------------------------------------------- */

static struct attempt
hold_for(uint64_t ms)
{
	return (struct attempt){ .due = loop_now() + ms, .token = 4711, .uid = 1000 };
}

TEST("subscription: a hold survives its consumer and a reopening, for who has its token")
{
	struct attempt hold = hold_for(3600 * 1000);
	struct bench b;

	begin_leased(&b);
	CHECK(subscription_hold(b.sub, &b.leased[0], 4, &hold) == MESS_OK);
	CHECK(!lease_has(&b.leased[0], 4, 4) && counts(b.sub).leased == 6 && account_holds(b.sub));
	storage_commit(&b.g);
	reopen(&b);

	CHECK(counts(b.sub).leased == 1 && counts(b.sub).waiting == 9 && account_holds(b.sub));
	CHECK(subscription_held(b.sub, 4, 4711, 1000) == MESS_OK);
	CHECK(subscription_held(b.sub, 4, 4712, 1000) == MESS_NOSUB);
	CHECK(subscription_held(b.sub, 4, 4711, 1001) == MESS_NOSUB);
	CHECK(subscription_held(b.sub, 5, 4711, 1000) == MESS_NOSUB);
	end(&b);
}

TEST("subscription: what is held is settled once, or put off, and its token is then over")
{
	struct attempt hold = hold_for(3600 * 1000);
	struct bench b;

	begin_leased(&b);
	CHECK(subscription_hold(b.sub, &b.leased[0], 4, &hold) == MESS_OK);
	CHECK(subscription_hold(b.sub, &b.leased[0], 5, &hold) == MESS_OK);

	CHECK(subscription_settle(b.sub, 4, PLACE_ACKED) == MESS_OK);
	CHECK(subscription_put_off(b.sub, 5, loop_now() + 60000, true) == MESS_OK);

	CHECK(subscription_held(b.sub, 4, 4711, 1000) == MESS_NOSUB);
	CHECK(subscription_held(b.sub, 5, 4711, 1000) == MESS_NOSUB);
	CHECK(b.sub->place.counts[PLACE_ACKED] == 1 && subscription_tries(b.sub, 5) == 1);
	CHECK(counts(b.sub).leased == 4 && counts(b.sub).delayed == 1 && account_holds(b.sub));
	end(&b);
}

TEST("subscription: a hold that is over is ready, was a try, and counts as waiting before anybody looks")
{
	struct attempt hold = hold_for(10);
	struct handout h;
	struct bench b;

	begin_leased(&b);
	CHECK(subscription_hold(b.sub, &b.leased[0], 1, &hold) == MESS_OK);
	wait_until(hold.due);

	CHECK(counts(b.sub).leased == 5 && counts(b.sub).waiting == 5 && account_holds(b.sub));
	CHECK(subscription_held(b.sub, 1, 4711, 1000) == MESS_NOSUB);
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 1 && h.run.hi == 1 && h.tries == 1);
	end(&b);
}

/* --- moving it ------------------------------------------------------------------------- */

/* An ack that is answered OK, and does nothing. */
static bool
is_void(struct bench *b, int c, uint64_t seq)
{
	uint64_t acked = b->sub->place.counts[PLACE_ACKED];
	struct range one = { seq, seq };

	return lease_has(&b->leased[c], seq, seq) && !lease_holds(&b->leased[c], seq) &&
	    settle(b->sub, &b->leased[c], &one) == MESS_OK && b->sub->place.counts[PLACE_ACKED] == acked;
}

TEST("subscription: a release takes back what consumers have and what is held, each counted as a try")
{
	struct attempt hold = hold_for(3600 * 1000);
	struct range three = { 3, 3 };
	uint64_t count = 0;
	struct handout h;
	struct bench b;

	begin_leased(&b);
	CHECK(subscription_hold(b.sub, &b.leased[0], 4, &hold) == MESS_OK);
	CHECK(settle(b.sub, &b.leased[0], &three) == MESS_OK);

	CHECK(subscription_release(b.sub, &count) == MESS_OK && count == 5);

	CHECK(counts(b.sub).waiting == 9 && counts(b.sub).leased == 0 && account_holds(b.sub));
	CHECK(subscription_held(b.sub, 4, 4711, 1000) == MESS_NOSUB && subscription_tries(b.sub, 4) == 1);
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 1 && h.run.hi == 2 && h.tries == 1);
	CHECK(is_void(&b, 0, 1) && !lease_has(&b.leased[0], 1, 1) && is_void(&b, 0, 6));
	/* Handed to it once more it is its to settle; of 2 the old copy is answered first. */
	CHECK(subscription_lease(b.sub, &b.leased[0], &h) == MESS_OK);
	CHECK(settle(b.sub, &b.leased[0], &h.run) == MESS_OK && b.sub->place.floor == 2);
	CHECK(settle(b.sub, &b.leased[0], &(struct range){ 2, 2 }) == MESS_OK && b.sub->place.floor == 4);
	CHECK(account_holds(b.sub));
	end(&b);
}

TEST("subscription: a seek ahead skips what was not settled, and what was in hand is void")
{
	struct attempt hold = hold_for(3600 * 1000);
	struct range three = { 3, 3 };
	struct handout h;
	struct bench b;

	begin_leased(&b);
	CHECK(subscription_hold(b.sub, &b.leased[0], 2, &hold) == MESS_OK);
	CHECK(settle(b.sub, &b.leased[0], &three) == MESS_OK);

	CHECK(subscription_seek(b.sub, 9) == MESS_OK);

	CHECK(b.sub->place.counts[PLACE_SKIPPED] == 7 && b.sub->place.counts[PLACE_ACKED] == 1);
	CHECK(b.sub->place.floor == 9 && b.sub->place.start == 1 && account_holds(b.sub));
	CHECK(is_void(&b, 0, 1) && subscription_held(b.sub, 2, 4711, 1000) == MESS_NOSUB);
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 9 && h.run.hi == 10);
	CHECK(log_first(storage_log(&b.g)) == 9);
	end(&b);
}

TEST("subscription: a seek back brings again what was settled, as if never tried; counts stay")
{
	struct range all = { 1, 6 }, failed = { 5, 5 };
	struct subscription *slow;
	struct handout h;
	struct bench b;

	begin(&b);
	CHECK(make(&b, "slow", 1000, &slow) == MESS_OK);
	publish(&b, 10);
	attach(&b, 0);
	CHECK(take(&b, 0, 6));
	CHECK(subscription_defer(b.sub, &b.leased[0], &failed, 0, true) == MESS_OK);
	CHECK(settle(b.sub, &b.leased[0], &(struct range){ 1, 4 }) == MESS_OK);

	CHECK(subscription_seek(b.sub, 2) == MESS_OK);

	CHECK(b.sub->place.counts[PLACE_ACKED] == 4 && (int64_t)b.sub->place.start == -2);
	CHECK(counts(b.sub).waiting == 9 && account_holds(b.sub) && account_holds(slow));
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 2 && h.run.hi == 10 && h.tries == 0);
	CHECK(is_void(&b, 0, 6) && !lease_has(&b.leased[0], all.lo, all.lo));
	storage_commit(&b.g);
	reopen(&b);
	CHECK(b.g.said == 0 && (int64_t)b.sub->place.start == -2 && account_holds(b.sub));
	end(&b);
}

TEST("subscription: what is purged is settled for everybody, once, and void in whoever's hands")
{
	struct range three = { 3, 3 };
	struct subscription *slow;
	struct bench b;

	begin(&b);
	CHECK(make(&b, "slow", 1000, &slow) == MESS_OK);
	publish(&b, 10);
	attach(&b, 0);
	CHECK(take(&b, 0, 8));
	CHECK(settle(b.sub, &b.leased[0], &three) == MESS_OK);

	CHECK(subscriptions_forget(b.g.topic, 6, PLACE_PURGED) == MESS_OK);

	CHECK(b.sub->place.counts[PLACE_PURGED] == 4 && slow->place.counts[PLACE_PURGED] == 5);
	CHECK(b.sub->place.floor == 6 && counts(b.sub).leased == 3 && counts(b.sub).waiting == 2);
	CHECK(account_holds(b.sub) && account_holds(slow));
	CHECK(is_void(&b, 0, 1) && is_void(&b, 0, 5) && lease_holds(&b.leased[0], 6));
	/* Once more it finds nothing. */
	CHECK(subscriptions_forget(b.g.topic, 6, PLACE_EXPIRED) == MESS_OK);
	CHECK(b.sub->place.counts[PLACE_EXPIRED] == 0 && account_holds(b.sub));
	end(&b);
}

/* --- what is read and not handed out --------------------------------------------------- */

TEST("subscription: what is not for it is skipped, but not what somebody has")
{
	struct range run = { 1, 10 };
	struct bench b;

	begin(&b);
	publish(&b, 10);
	attach(&b, 0);
	CHECK(take(&b, 0, 3));

	CHECK(subscription_pass(b.sub, &run, PLACE_SKIPPED) == MESS_OK);

	CHECK(b.sub->place.counts[PLACE_SKIPPED] == 7 && counts(b.sub).leased == 3 && account_holds(b.sub));
	ack(&b, 0, 1, 3);
	CHECK(b.sub->place.floor == 11 && account_holds(b.sub));
	end(&b);
}

TEST("subscription: what is not due waits, uncounted, and holds nothing back")
{
	struct range run = { 1, 4 };
	uint64_t due = loop_now() + 3600 * 1000;
	struct handout h;
	struct bench b;

	begin(&b);
	publish(&b, 10);
	attach(&b, 0);

	CHECK(subscription_wait(b.sub, &run, due) == MESS_OK);

	CHECK(counts(b.sub).delayed == 4 && counts(b.sub).waiting == 6 && account_holds(b.sub));
	CHECK(subscription_ready(b.sub, 99, &h) && h.run.lo == 5 && h.run.hi == 10 && h.tries == 0);
	CHECK(subscription_tries(b.sub, 1) == 0 && subscription_next_due(b.sub) == due);
	end(&b);
}

TEST("subscription: the only one that begins late lets what lies before it go")
{
	struct subscription_setup setup = { .name = "late", .owner = 1000, .from = 5, .match = "" };
	struct subscription *late;
	struct lease lease = { 0 };
	struct handout h;
	struct bench b;

	begin(&b);
	CHECK(subscription_remove(b.sub) == MESS_OK);
	publish(&b, 10);
	CHECK(log_first(storage_log(&b.g)) == 1);

	CHECK(subscription_make(b.g.topic, &setup, &late) == MESS_OK);
	CHECK(subscription_attach(late, &lease) == MESS_OK && subscription_ready(late, 3, &h));
	CHECK(subscription_lease(late, &lease, &h) == MESS_OK);
	CHECK(settle(late, &lease, &h.run) == MESS_OK);
	storage_commit(&b.g);

	CHECK(log_first(storage_log(&b.g)) == 8 && account_holds(late));
	subscription_detach(late, &lease);
	end(&b);
}

/* --- the place's room ----------------------------------------------------------- */

/* Takes all, and settles every second one: more ranges than a place has room for. */
static void
fill_place(struct bench *b, uint64_t count)
{
	struct range one;
	struct handout h;

	publish(b, (int)count);
	attach(b, 0);
	while (subscription_ready(b->sub, UINT64_MAX, &h))
		CHECK(subscription_lease(b->sub, &b->leased[0], &h) == MESS_OK);
	for (uint64_t n = 2; n <= count; n += 2) {
		one = (struct range){ n, n };
		if (settle(b->sub, &b->leased[0], &one) != MESS_OK)
			break;
	}
}

static bool
place_fits(const struct subscription *s)
{
	return place_must(&s->place) < PLACE_RANGES_MAX && place_len(&s->place) <= PLACE_SIZE;
}

TEST("subscription: what is passed by never makes a place larger than its file")
{
	struct bench b;

	begin(&b);
	fill_place(&b, 6000);
	detach(&b, 0);
	for (uint64_t n = 4001; n <= 6000; n += 2)
		CHECK(subscription_pass(b.sub, &(struct range){ n, n }, PLACE_EXPIRED) == MESS_OK);
	CHECK(place_fits(b.sub) && account_holds(b.sub));
	storage_commit(&b.g);

	reopen(&b);
	CHECK(b.g.said == 0 && place_fits(b.sub) && account_holds(b.sub));
	end(&b);
}

TEST("subscription: a hold is refused where it would not survive a reopening, and pushed out by nothing")
{
	struct attempt hold = { .token = 7, .uid = 1000, .due = loop_now() + 60000 };
	struct bench b;

	begin(&b);
	publish(&b, 1);
	attach(&b, 1);
	CHECK(take(&b, 1, 1) && subscription_hold(b.sub, &b.leased[1], 1, &hold) == MESS_OK);
	fill_place(&b, 5000);
	CHECK(subscription_hold(b.sub, &b.leased[0], 4999, &hold) == MESS_LIMIT);
	storage_commit(&b.g);

	reopen(&b);
	CHECK(subscription_held(b.sub, 1, 7, 1000) == MESS_OK);
	CHECK(subscription_held(b.sub, 4999, 7, 1000) == MESS_NOSUB && account_holds(b.sub));
	end(&b);
}

TEST("subscription: several acks fit together, or it is said before the first")
{
	size_t more = 0;
	struct bench b;

	begin(&b);
	fill_place(&b, 5000);
	CHECK(!subscription_has_room(b.sub, &b.leased[0], &(struct range){ 4999, 4999 }, &more));
	/* What touches settled ones needs no more ranges. */
	more = 0;
	CHECK(subscription_has_room(b.sub, &b.leased[0], &(struct range){ 3, 3 }, &more) && more == 0);
	CHECK(subscription_has_room(b.sub, &b.leased[0], &(struct range){ 1, 1 }, &more) && more == 0);
	end(&b);
}

TEST("subscription: of two copies in one consumer's hands the first answer is the old one's")
{
	struct range one = { 1, 1 }, both = { 1, 2 };
	struct handout h;
	uint64_t count;
	struct bench b;

	begin(&b);
	publish(&b, 2);
	attach(&b, 0);
	CHECK(take(&b, 0, 2) && subscription_release(b.sub, &count) == MESS_OK && count == 2);
	CHECK(subscription_ready(b.sub, 2, &h) && h.run.lo == 1 && h.run.hi == 2);
	CHECK(subscription_lease(b.sub, &b.leased[0], &h) == MESS_OK);

	CHECK(settle(b.sub, &b.leased[0], &one) == MESS_OK && b.sub->place.floor == 1);
	CHECK(lease_holds(&b.leased[0], 1));
	CHECK(settle(b.sub, &b.leased[0], &both) == MESS_OK && b.sub->place.floor == 2);
	CHECK(lease_holds(&b.leased[0], 2) && !lease_holds(&b.leased[0], 1));
	CHECK(settle(b.sub, &b.leased[0], &(struct range){ 2, 2 }) == MESS_OK && b.sub->place.floor == 3);
	CHECK(account_holds(b.sub));
	end(&b);
}

TEST("subscription: one that is made beside what is only gathered begins with what is durable")
{
	struct subscription_setup setup = { .name = "late", .owner = 1000, .match = "" };
	struct subscription *late;
	struct bench b;

	begin(&b);
	(void)storage_append(&b.g, 3);
	setup.from = log_next(storage_log(&b.g));
	CHECK(subscription_make(b.g.topic, &setup, &late) == MESS_OK);
	CHECK(late->place.floor <= log_durable(storage_log(&b.g)));
	end(&b);
}

TEST("subscription: without a descriptor for its place one request fails, and the spool is not sick")
{
	struct rlimit was, none;
	struct bench b;
	int next;

	begin(&b);
	publish(&b, 3);
	next = dup(b.g.spool.dir);
	CHECK(next != -1 && getrlimit(RLIMIT_NOFILE, &was) == 0);
	(void)close(next);
	none = (struct rlimit){ (rlim_t)next, was.rlim_max };
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK(subscription_seek(b.sub, 2) != MESS_OK);
	CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
	storage_commit(&b.g);
	CHECK(!store_is_sick(log_store(storage_log(&b.g))) && subscription_seek(b.sub, 2) == MESS_OK);
	end(&b);
}
