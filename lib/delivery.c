/* SPDX-License-Identifier: ISC */
/*
 * Delivery Service.
 *
 * There is no queue: a consumer is a credit, and a place in the log of each
 * of its topics.  When more becomes durable or due, when a consumer takes,
 * settles or goes, or a socket has room again, the topic's flow is woken,
 * and delivery_run sends each consumer the next run of records as they
 * stand on disk.
 */
#include "delivery.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/fs.h"
#include "body.h"
#include "sift.h"

#define RUN_BYTES ((size_t)256 * 1024)		/* of one MSG frame, unless one record is longer */
#define TURN_BYTES ((size_t)512 * 1024)		/* to one consumer before the others' turn */
#define DUE_MS 10				/* what is due together goes out together */

/* A consumer's part in one topic. */
struct member {
	struct consumer *consumer;
	struct flow *flow;
	struct subscription *sub;
	struct lease lease;
	uint64_t pos;			/* tail, peek, read: next number */
	uint64_t last;			/* read: durable since before it began */
	struct log_cursor cursor;
	TAILQ_ENTRY(member) link, flow_link;
};

struct consumer {
	enum consumer_kind kind;
	struct delivery *delivery;
	struct output *output;
	void (*touched)(void *arg);
	void *arg;
	uint64_t credit;
	bool now;
	TAILQ_HEAD(, member) members;
};

/* The consumers of one topic. */
struct flow {
	struct delivery *delivery;
	struct topic *topic;
	TAILQ_HEAD(, member) members;
	bool woken;
	uint64_t due;			/* when something that waits is ready, by loop_now() */
	TAILQ_ENTRY(flow) link, woken_link;
};

struct delivery {
	struct topics *topics;
	struct loop *loop;
	struct log_reader *reader;
	struct loop_timer timer;
	TAILQ_HEAD(, flow) flows;
	TAILQ_HEAD(flow_list, flow) woken;
};

static void due(void *arg);

enum mess_err
delivery_new(struct topics *topics, struct loop *loop, struct delivery **out)
{
	struct delivery *d = calloc(1, sizeof *d);
	enum mess_err err;

	if (d == NULL)
		return MESS_LIMIT;
	d->topics = topics;
	d->loop = loop;
	d->timer = (struct loop_timer){ .fire = due, .arg = d };
	TAILQ_INIT(&d->flows);
	TAILQ_INIT(&d->woken);
	if ((err = log_reader_new(&d->reader)) != MESS_OK) {
		free(d);
		return err;
	}
	*out = d;
	return MESS_OK;
}

void
delivery_free(struct delivery *d)
{
	if (d == NULL)
		return;
	loop_timer_clear(d->loop, &d->timer);
	log_reader_free(d->reader);
	free(d);
}

struct log_reader *
delivery_reader(const struct delivery *d)
{
	return d->reader;
}

void
delivery_rest(struct delivery *d)
{
	log_reader_rest(d->reader);
}

/* --- flows -------------------------------------------------------------- */

static void
wake(struct flow *f)
{
	if (f->woken)
		return;
	f->woken = true;
	TAILQ_INSERT_TAIL(&f->delivery->woken, f, woken_link);
}

static void
log_grew(void *arg)
{
	wake(arg);
}

static enum mess_err
flow_of(struct delivery *d, struct topic *topic, struct flow **out)
{
	struct flow *f = topic->flow;

	if (f == NULL) {
		if ((f = calloc(1, sizeof *f)) == NULL)
			return MESS_LIMIT;
		f->delivery = d;
		f->topic = topic;
		f->due = UINT64_MAX;
		TAILQ_INIT(&f->members);
		TAILQ_INSERT_TAIL(&d->flows, f, link);
		topic->flow = f;
		log_on_durable(topic->log, log_grew, f);
	}
	*out = f;
	return MESS_OK;
}

static void
flow_leave(struct flow *f, struct member *m)
{
	if (m != NULL)
		TAILQ_REMOVE(&f->members, m, flow_link);
	if (!TAILQ_EMPTY(&f->members)) {
		wake(f);
		return;
	}
	if (f->woken)
		TAILQ_REMOVE(&f->delivery->woken, f, woken_link);
	TAILQ_REMOVE(&f->delivery->flows, f, link);
	log_on_durable(f->topic->log, NULL, NULL);
	f->topic->flow = NULL;
	free(f);
}

void
delivery_topic_changed(struct delivery *d, struct topic *topic)
{
	(void)d;
	if (topic->flow != NULL)
		wake(topic->flow);
}

/* --- what waits --------------------------------------------------------- */

static void
set_timer(struct delivery *d, uint64_t at)
{
	uint64_t now = loop_now(), in = at > now ? at - now : 0;

	if (d->timer.set && d->timer.due <= at)
		return;
	loop_timer_set(d->loop, &d->timer, in < DUE_MS ? DUE_MS : in);
}

static void
due(void *arg)
{
	uint64_t now = loop_now(), next = UINT64_MAX;
	struct delivery *d = arg;
	struct flow *f;

	TAILQ_FOREACH(f, &d->flows, link)
		if (f->due <= now)
			wake(f);
		else if (f->due < next)
			next = f->due;
	if (next != UINT64_MAX)
		set_timer(d, next);
}

/*
 * What it could be handed now it was.  One that asks for nothing, or has no
 * room, is woken when that changes: a timer for it would fire for ever.
 */
static bool
waits_for_time(const struct member *m)
{
	return m->sub != NULL && m->consumer->kind == CONSUMER_SUB && m->consumer->credit > 0 &&
	    output_has_room(m->consumer->output) && !m->flow->topic->conf.paused_out;
}

/* After its consumers were served: what is left waits for its time. */
static void
look_ahead(struct flow *f)
{
	struct member *m;
	uint64_t at;

	f->due = UINT64_MAX;
	TAILQ_FOREACH(m, &f->members, flow_link)
		if (waits_for_time(m) && (at = subscription_next_due(m->sub)) < f->due)
			f->due = at;
	if (f->due != UINT64_MAX)
		set_timer(f->delivery, f->due);
}

/* --- consumers ---------------------------------------------------------- */

enum mess_err
consumer_new(struct delivery *d, const struct consumer_setup *setup, struct consumer **out)
{
	struct consumer *c = calloc(1, sizeof *c);

	if (c == NULL)
		return MESS_LIMIT;
	*c = (struct consumer){ .kind = setup->kind, .delivery = d, .output = setup->output,
		.touched = setup->touched, .arg = setup->arg };
	TAILQ_INIT(&c->members);
	*out = c;
	return MESS_OK;
}

static void
leave(struct member *m)
{
	struct topic *topic = m->flow->topic;

	if (m->consumer->kind == CONSUMER_SUB)
		subscription_detach(m->sub, &m->lease);
	log_cursor_drop(&m->cursor);
	TAILQ_REMOVE(&m->consumer->members, m, link);
	flow_leave(m->flow, m);
	topic_release(m->consumer->delivery->topics, topic);
	free(m);
}

void
consumer_free(struct consumer *c)
{
	struct member *m;

	if (c == NULL)
		return;
	while ((m = TAILQ_FIRST(&c->members)) != NULL)
		leave(m);
	free(c);
}

enum consumer_kind
consumer_kind(const struct consumer *c)
{
	return c->kind;
}

static struct member *
member_of(const struct consumer *c, const char *topic)
{
	struct member *m;

	TAILQ_FOREACH(m, &c->members, link)
		if (strcmp(m->flow->topic->name, topic) == 0)
			return m;
	return NULL;
}

/* Where it begins, and a read ends. */
static void
set_place(struct member *m, const struct consumer_topic *t)
{
	struct log *l = t->topic->log;

	m->pos = log_first(l);
	m->last = log_durable(l) - 1;
	switch (m->consumer->kind) {
	case CONSUMER_TAIL:
		m->pos = log_durable(l);
		break;
	case CONSUMER_READ:
		if (t->lo > m->pos)
			m->pos = t->lo;
		if (t->hi < m->last)
			m->last = t->hi;
		break;
	case CONSUMER_SUB:
	case CONSUMER_PEEK:
		if (t->sub != NULL)
			m->pos = t->sub->place.floor;
		break;
	}
}

enum mess_err
consumer_join(struct consumer *c, struct consumer_topic *t)
{
	struct member *m;
	enum mess_err err;

	if (member_of(c, t->topic->name) != NULL)
		return MESS_EXISTS;
	if ((m = calloc(1, sizeof *m)) == NULL)
		return MESS_LIMIT;
	m->consumer = c;
	m->sub = t->sub;
	set_place(m, t);
	if ((err = flow_of(c->delivery, t->topic, &m->flow)) != MESS_OK) {
		free(m);
		return err;
	}
	if (c->kind == CONSUMER_SUB && (err = subscription_attach(t->sub, &m->lease)) != MESS_OK) {
		flow_leave(m->flow, NULL);
		free(m);
		return err;
	}
	TAILQ_INSERT_TAIL(&m->flow->members, m, flow_link);
	TAILQ_INSERT_TAIL(&c->members, m, link);
	t->lo = m->pos;
	t->hi = m->last;
	if (c->credit > 0)
		wake(m->flow);
	return MESS_OK;
}

struct subscription *
consumer_sub(const struct consumer *c, const char *topic, struct lease **lease)
{
	struct member *m = c->kind == CONSUMER_SUB ? member_of(c, topic) : NULL;

	if (m == NULL)
		return NULL;
	*lease = &m->lease;
	return m->sub;
}

bool
consumer_is_done(const struct consumer *c)
{
	return c->credit == 0;
}

/* Nothing is ready, and it did not want to wait. */
static void
say_end(struct consumer *c)
{
	output_text(c->output, "END\n", 4);
	c->credit = 0;
	c->now = false;
	c->touched(c->arg);
}

void
consumer_take(struct consumer *c, uint64_t n, bool now)
{
	struct member *m;

	if (__builtin_add_overflow(c->credit, n, &c->credit))
		c->credit = UINT64_MAX;
	c->now = now || c->kind == CONSUMER_PEEK || c->kind == CONSUMER_READ;
	TAILQ_FOREACH(m, &c->members, link)
		wake(m->flow);
	if (c->now && TAILQ_EMPTY(&c->members))
		say_end(c);
}

void
consumer_resume(struct consumer *c)
{
	struct member *m;

	if (c->credit == 0)
		return;
	TAILQ_FOREACH(m, &c->members, link)
		wake(m->flow);
}

bool
delivery_oldest(struct delivery *d, struct topic *topic, uint64_t *sec, uint32_t *nsec)
{
	uint64_t first = log_first(topic->log);
	struct log_cursor cursor = { 0 };
	struct record rec;
	struct log_run run;
	bool found;

	found = first < log_durable(topic->log) &&
	    log_read(d->reader, topic->log, &cursor, first, first, RUN_BYTES, &run) == MESS_OK &&
	    !run.damaged && record_read_line(run.data,
	    (size_t)((const char *)memchr(run.data, '\n', run.len) + 1 - run.data), &rec) == MESS_OK;
	log_cursor_drop(&cursor);
	if (!found)
		return false;
	*sec = rec.sec;
	*nsec = rec.nsec;
	return true;
}

/* One that has other topics goes on with those; to the others the end of all is told. */
static void
lose(struct member *m)
{
	struct consumer *c = m->consumer;

	leave(m);
	if (!TAILQ_EMPTY(&c->members))
		return;
	c->credit = 0;
	c->output->broken = true;
	c->touched(c->arg);
}

/* sub NULL: all of the topic's. */
static void
lose_all(struct topic *topic, const struct subscription *sub)
{
	struct member *m, *next;

	if (topic->flow == NULL)
		return;
	for (m = TAILQ_FIRST(&topic->flow->members); m != NULL; m = next) {
		next = TAILQ_NEXT(m, flow_link);
		if (sub == NULL || m->sub == sub)
			lose(m); /* the last one takes the flow with it */
	}
}

void
delivery_topic_gone(struct delivery *d, struct topic *topic)
{
	(void)d;
	lose_all(topic, NULL);
}

void
delivery_sub_gone(struct delivery *d, struct subscription *sub)
{
	(void)d;
	lose_all(sub->topic, sub);
}

/* --- what is next ------------------------------------------------------- */

/* Consumers of one subscription share what is ready, so that the first does not get it all. */
static uint64_t
share(const struct member *m)
{
	struct subscription_counts counts;
	uint64_t part, n = m->sub->consumers;

	if (n == 1)
		return m->consumer->credit;
	subscription_count(m->sub, &counts);
	/* At least one: what has become due since is counted as delayed still. */
	part = counts.waiting > n ? (counts.waiting + n - 1) / n : 1;
	return part > m->consumer->credit ? m->consumer->credit : part;
}

/* For a subscription that nobody made yet, nothing is settled. */
static bool
unsettled_from(struct member *m, struct range *out)
{
	static const struct ranges nothing;
	const struct ranges *settled = m->sub != NULL ? &m->sub->place.settled : &nothing;
	uint64_t end = log_durable(m->flow->topic->log);
	uint64_t floor = m->sub != NULL ? m->sub->place.floor : log_first(m->flow->topic->log);
	const struct range *r;

	if (m->pos < floor)
		m->pos = floor;
	while ((r = ranges_from(settled, m->pos)) != NULL && r->lo <= m->pos)
		m->pos = r->hi + 1;
	if (m->pos >= end)
		return false;
	*out = (struct range){ m->pos, r != NULL && r->lo < end ? r->lo - 1 : end - 1 };
	return true;
}

static bool
seen_from(struct member *m, uint64_t end, struct range *out)
{
	const struct log *l = m->flow->topic->log;

	if (m->pos < log_first(l))
		m->pos = log_first(l);
	if (m->pos >= end)
		return false;
	*out = (struct range){ m->pos, end - 1 };
	return true;
}

static bool
ready(struct member *m, struct handout *out)
{
	uint64_t max = m->consumer->credit;

	out->tries = 0;
	switch (m->consumer->kind) {
	case CONSUMER_SUB:
		return !m->flow->topic->conf.paused_out && subscription_ready(m->sub, share(m), out);
	case CONSUMER_PEEK:
		if (!unsettled_from(m, &out->run))
			return false;
		break;
	case CONSUMER_TAIL:
		if (!seen_from(m, log_durable(m->flow->topic->log), &out->run))
			return false;
		break;
	case CONSUMER_READ:
		if (!seen_from(m, m->last + 1, &out->run))
			return false;
		break;
	}
	if (out->run.hi - out->run.lo >= max)
		out->run.hi = out->run.lo + max - 1;
	return true;
}

/* --- handing out -------------------------------------------------------- */

/* These numbers cannot be handed out by anybody, ever. */
static enum mess_err
pass_over(struct member *m, const struct range *run, enum place_count why)
{
	m->pos = run->hi + 1;
	if (m->consumer->kind != CONSUMER_SUB)
		return MESS_OK;
	return subscription_pass(m->sub, run, why);
}

static enum mess_err
handed_out(struct member *m, const struct handout *h)
{
	m->pos = h->run.hi + 1;
	m->consumer->credit -= h->run.hi - h->run.lo + 1;
	return m->consumer->kind == CONSUMER_SUB ? subscription_lease(m->sub, &m->lease, h) : MESS_OK;
}

static void
send_head(struct member *m, uint64_t count, uint64_t bytes, uint32_t tries)
{
	output_printf(m->consumer->output, "MSG %s %llu %llu %lu\n", m->flow->topic->name,
	    (unsigned long long)count, (unsigned long long)bytes, (unsigned long)tries + 1);
}

static enum mess_err
open_body(const struct member *m, const struct log_run *run, struct journal_file **out)
{
	struct log *l = m->flow->topic->log;
	char name[SEGMENT_NAME_LEN + 8];
	enum mess_err err;
	struct stat st;
	int fd;

	segment_name(run->first, BODY_SUFFIX, name);
	if ((err = fs_open_file(log_cur(l), name, O_RDONLY, &fd)) != MESS_OK)
		return err;
	if (fstat(fd, &st) == -1 || (uint64_t)st.st_size != run->record.body_len) {
		fd_close(&fd);
		return MESS_CORRUPT;
	}
	return (*out = journal_file_new(fd, log_name(l))) == NULL ? MESS_LIMIT : MESS_OK;
}

/* A body apart: the record's text up to it, a range of its file, the last newline. */
static enum mess_err
send_apart(struct member *m, const struct log_run *run, uint32_t tries)
{
	size_t before = run->line_len + run->record.headers_len + 1;
	struct output *o = m->consumer->output;
	struct journal_file *file;
	char line[RECORD_LINE_MAX];
	enum mess_err err;

	if ((err = open_body(m, run, &file)) != MESS_OK)
		return err;
	send_head(m, 1, before + run->record.body_len + 1, tries);
	output_text(o, line, log_run_line(run, line));
	output_text(o, run->data + run->line_len, before - run->line_len);
	output_range(o, file, 0, run->record.body_len);
	output_text(o, "\n", 1);
	journal_file_unref(file);
	return MESS_OK;
}

static enum mess_err
lost_body(struct member *m, const struct log_run *run, const struct range *numbers)
{
	store_say(log_store(m->flow->topic->log), "%s: message %llu: its body is missing or damaged",
	    m->flow->topic->name, (unsigned long long)run->first);
	return pass_over(m, numbers, PLACE_DAMAGED);
}

static enum mess_err
send_run(struct member *m, const struct log_run *run, uint32_t tries)
{
	struct handout h = { { run->first, run->last }, tries };
	enum mess_err err;

	if (run->apart) {
		err = send_apart(m, run, tries);
		if (err == MESS_CORRUPT || err == MESS_SYSTEM)
			return lost_body(m, run, &h.run);
		if (err != MESS_OK)
			return err;
	} else {
		send_head(m, run->last - run->first + 1, run->len, tries);
		output_run(m->consumer->output, run->data, run->len, run->segment->file, run->off);
	}
	return handed_out(m, &h);
}

/* Only the first messages of the run that are alike; the others are read again. */
static enum mess_err
send_sifted(struct member *m, struct log_run *run, uint32_t tries)
{
	struct range numbers;
	struct sifted s;

	sift(m->sub, run, &s);
	numbers = (struct range){ run->first, s.last };
	if (s.last < run->last) {
		m->cursor.seq = s.last + 1;
		m->cursor.off = run->off + s.len;
		run->last = s.last;
		run->len = s.len;
	}
	switch (s.verdict) {
	case SIFT_WAIT:
		return subscription_wait(m->sub, &numbers, s.due);
	case SIFT_EXPIRED:
		return pass_over(m, &numbers, PLACE_EXPIRED);
	case SIFT_SKIP:
		return pass_over(m, &numbers, PLACE_SKIPPED);
	case SIFT_SEND:
		break;
	}
	return send_run(m, run, tries);
}

/* One run to one consumer; *sent is its length. */
static enum mess_err
hand_out(struct member *m, const struct handout *want, size_t *sent)
{
	struct range numbers;
	struct log_run run;
	enum mess_err err;

	*sent = 0;
	if ((err = log_read(m->consumer->delivery->reader, m->flow->topic->log, &m->cursor, want->run.lo,
	    want->run.hi, RUN_BYTES, &run)) != MESS_OK)
		return err;
	numbers = (struct range){ run.first, run.last };
	if (run.damaged)
		return pass_over(m, &numbers, PLACE_DAMAGED);
	*sent = run.len;
	if (m->consumer->kind == CONSUMER_SUB && (run.special || m->sub->place.match[0] != '\0'))
		return send_sifted(m, &run, want->tries);
	return send_run(m, &run, want->tries);
}

/* Nothing is ready here; is there anywhere else? */
static void
end_if_all_is_out(struct consumer *c)
{
	struct handout h;
	struct member *m;

	TAILQ_FOREACH(m, &c->members, link)
		if (ready(m, &h)) {
			wake(m->flow);
			return;
		}
	say_end(c);
}

static void
pump(struct member *m)
{
	struct consumer *c = m->consumer;
	size_t budget = TURN_BYTES, sent;
	struct handout want;
	enum mess_err err;

	while (c->credit > 0 && output_has_room(c->output)) {
		if (!ready(m, &want)) {
			if (c->now)
				end_if_all_is_out(c);
			return;
		}
		if (budget == 0) {
			wake(m->flow);
			return;
		}
		c->touched(c->arg);
		if ((err = hand_out(m, &want, &sent)) != MESS_OK) {
			store_say(log_store(m->flow->topic->log), "%s: cannot be read: %s",
			    m->flow->topic->name, mess_strerror(err));
			c->output->broken = true;
			return;
		}
		budget = sent < budget ? budget - sent : 0;
	}
}

/* The one that was first is last next time, so that few messages go round. */
static void
run_flow(struct flow *f)
{
	struct member *m;

	TAILQ_FOREACH(m, &f->members, flow_link)
		pump(m);
	look_ahead(f);
	if ((m = TAILQ_FIRST(&f->members)) != NULL) {
		TAILQ_REMOVE(&f->members, m, flow_link);
		TAILQ_INSERT_TAIL(&f->members, m, flow_link);
	}
}

bool
delivery_run(struct delivery *d)
{
	struct flow *f, *last = TAILQ_LAST(&d->woken, flow_list);

	/* Those woken meanwhile have their turn after the next commit. */
	while ((f = TAILQ_FIRST(&d->woken)) != NULL) {
		TAILQ_REMOVE(&d->woken, f, woken_link);
		f->woken = false;
		run_flow(f);
		if (f == last)
			break;
	}
	return delivery_has_work(d);
}

bool
delivery_has_work(const struct delivery *d)
{
	return !TAILQ_EMPTY(&d->woken);
}
