/* SPDX-License-Identifier: ISC */
/*
 * Delivery Service.
 *
 * There is no queue: a consumer is a place in the log and a credit.  When
 * more becomes durable, when a consumer takes, acks or goes, or a socket
 * has room again, its topic's flow is woken, and delivery_run sends each
 * consumer the next run of records as they stand on disk.
 */
#include "delivery.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/fs.h"
#include "body.h"
#include "log_read.h"

#define RUN_BYTES ((size_t)256 * 1024)		/* of one MSG frame, unless one record is longer */
#define TURN_BYTES ((size_t)512 * 1024)		/* to one consumer before the others' turn */

struct consumer {
	enum consumer_kind kind;
	struct delivery *delivery;
	struct flow *flow;
	struct subscription *sub;
	struct output *output;
	void (*touched)(void *arg);
	void *arg;
	uint64_t credit;
	bool now;
	uint64_t pos;			/* tail, peek, read: next number */
	uint64_t last;			/* read: durable since before it began */
	struct ranges leased;
	struct log_cursor cursor;
	TAILQ_ENTRY(consumer) link;
};

/* The consumers of one topic. */
struct flow {
	struct delivery *delivery;
	struct topic *topic;
	TAILQ_HEAD(, consumer) consumers;
	bool woken;
	TAILQ_ENTRY(flow) link;
};

struct delivery {
	struct topics *topics;
	struct log_reader *reader;
	TAILQ_HEAD(flow_list, flow) woken;
};

enum mess_err
delivery_new(struct topics *topics, struct delivery **out)
{
	struct delivery *d = calloc(1, sizeof *d);
	enum mess_err err;

	if (d == NULL)
		return MESS_LIMIT;
	d->topics = topics;
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
	log_reader_free(d->reader);
	free(d);
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
	TAILQ_INSERT_TAIL(&f->delivery->woken, f, link);
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
		TAILQ_INIT(&f->consumers);
		topic->flow = f;
		log_on_durable(topic->log, log_grew, f);
	}
	*out = f;
	return MESS_OK;
}

static void
flow_leave(struct flow *f, struct consumer *c)
{
	TAILQ_REMOVE(&f->consumers, c, link);
	if (!TAILQ_EMPTY(&f->consumers)) {
		wake(f);
		return;
	}
	if (f->woken)
		TAILQ_REMOVE(&f->delivery->woken, f, link);
	log_on_durable(f->topic->log, NULL, NULL);
	f->topic->flow = NULL;
	free(f);
}

/* --- consumers ---------------------------------------------------------- */

enum mess_err
consumer_new(struct delivery *d, const struct consumer_setup *setup, struct consumer **out)
{
	struct consumer *c = calloc(1, sizeof *c);
	enum mess_err err;

	if (c == NULL)
		return MESS_LIMIT;
	*c = (struct consumer){ .kind = setup->kind, .delivery = d, .sub = setup->sub,
		.output = setup->output, .touched = setup->touched, .arg = setup->arg };
	c->last = log_durable(setup->topic->log) - 1;
	if (setup->hi < c->last)
		c->last = setup->hi;
	if (setup->kind == CONSUMER_TAIL)
		c->pos = log_durable(setup->topic->log);
	else if (setup->kind == CONSUMER_READ)
		c->pos = setup->lo > log_first(setup->topic->log) ? setup->lo : log_first(setup->topic->log);
	else
		c->pos = setup->sub != NULL ? setup->sub->place.floor : log_first(setup->topic->log);
	if (setup->kind == CONSUMER_SUB && (err = subscription_attach(setup->sub)) != MESS_OK) {
		free(c);
		return err;
	}
	if ((err = flow_of(d, setup->topic, &c->flow)) != MESS_OK) {
		if (setup->kind == CONSUMER_SUB)
			subscription_detach(setup->sub, &c->leased);
		free(c);
		return err;
	}
	TAILQ_INSERT_TAIL(&c->flow->consumers, c, link);
	*out = c;
	return MESS_OK;
}

void
consumer_free(struct consumer *c)
{
	struct topic *topic;

	if (c == NULL)
		return;
	topic = c->flow->topic;
	if (c->kind == CONSUMER_SUB)
		subscription_detach(c->sub, &c->leased);
	log_cursor_drop(&c->cursor);
	flow_leave(c->flow, c);
	topic_release(c->delivery->topics, topic);
	free(c);
}

const struct topic *
consumer_topic(const struct consumer *c)
{
	return c->flow->topic;
}

uint64_t
consumer_start(const struct consumer *c)
{
	return c->pos;
}

uint64_t
consumer_last(const struct consumer *c)
{
	return c->last;
}

bool
consumer_is_done(const struct consumer *c)
{
	return c->credit == 0;
}

void
consumer_take(struct consumer *c, uint64_t n, bool now)
{
	if (__builtin_add_overflow(c->credit, n, &c->credit))
		c->credit = UINT64_MAX;
	c->now = now || c->kind == CONSUMER_PEEK || c->kind == CONSUMER_READ;
	wake(c->flow);
}

bool
consumer_holds(const struct consumer *c, uint64_t lo, uint64_t hi)
{
	return ranges_contain(&c->leased, lo, hi);
}

enum mess_err
consumer_ack(struct consumer *c, uint64_t lo, uint64_t hi)
{
	struct range run = { lo, hi };

	if (c->kind != CONSUMER_SUB)
		return MESS_USAGE;
	/* A full place hands out nothing until acks make room in it. */
	if (subscription_is_full(c->sub))
		wake(c->flow);
	return subscription_ack(c->sub, &c->leased, &run);
}

void
consumer_resume(struct consumer *c)
{
	if (c->credit > 0)
		wake(c->flow);
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

void
delivery_topic_gone(struct delivery *d, struct topic *topic)
{
	struct consumer *c;

	(void)d;
	if (topic->flow == NULL)
		return;
	TAILQ_FOREACH(c, &topic->flow->consumers, link) {
		c->credit = 0;
		c->output->broken = true;
		c->touched(c->arg);
	}
}

/* --- handing out -------------------------------------------------------- */

/* Consumers of one subscription share what is ready, so that the first does not get it all. */
static uint64_t
share(const struct consumer *c)
{
	uint64_t ready = subscription_ready_count(c->sub), n = c->sub->consumers;
	uint64_t part = (ready + n - 1) / n;

	return n == 1 || part > c->credit ? c->credit : part;
}

/* For a subscription that nobody made yet, nothing is settled. */
static bool
unsettled_from(struct consumer *c, struct range *out)
{
	static const struct ranges nothing;
	const struct ranges *settled = c->sub != NULL ? &c->sub->place.settled : &nothing;
	uint64_t end = log_durable(c->flow->topic->log);
	uint64_t floor = c->sub != NULL ? c->sub->place.floor : log_first(c->flow->topic->log);
	const struct range *r;

	if (c->pos < floor)
		c->pos = floor;
	while ((r = ranges_from(settled, c->pos)) != NULL && r->lo <= c->pos)
		c->pos = r->hi + 1;
	if (c->pos >= end)
		return false;
	*out = (struct range){ c->pos, r != NULL && r->lo < end ? r->lo - 1 : end - 1 };
	return true;
}

static bool
ready(struct consumer *c, struct range *out)
{
	uint64_t end = log_durable(c->flow->topic->log), max = c->credit;

	switch (c->kind) {
	case CONSUMER_SUB:
		return subscription_ready(c->sub, share(c), out);
	case CONSUMER_PEEK:
		if (!unsettled_from(c, out))
			return false;
		break;
	case CONSUMER_READ:
		end = c->last + 1;
		/* FALLTHROUGH */
	case CONSUMER_TAIL:
		if (c->pos < log_first(c->flow->topic->log))
			c->pos = log_first(c->flow->topic->log);
		if (c->pos >= end)
			return false;
		*out = (struct range){ c->pos, end - 1 };
		break;
	}
	if (out->hi - out->lo >= max)
		out->hi = out->lo + max - 1;
	return true;
}

/* These numbers cannot be handed out by anybody, ever. */
static enum mess_err
pass_over(struct consumer *c, const struct range *run)
{
	c->pos = run->hi + 1;
	if (c->kind != CONSUMER_SUB)
		return MESS_OK;
	return subscription_damaged(c->sub, run);
}

static enum mess_err
handed_out(struct consumer *c, const struct range *run)
{
	c->pos = run->hi + 1;
	c->credit -= run->hi - run->lo + 1;
	return c->kind == CONSUMER_SUB ? subscription_lease(c->sub, &c->leased, run) : MESS_OK;
}

static void
send_run(struct consumer *c, const struct log_run *run)
{
	output_printf(c->output, "MSG %s %llu %zu 1\n", c->flow->topic->name,
	    (unsigned long long)(run->last - run->first + 1), run->len);
	output_run(c->output, run->data, run->len, run->segment->file, run->off);
}

static enum mess_err
open_body(const struct consumer *c, const struct log_run *run, struct journal_file **out)
{
	struct log *l = c->flow->topic->log;
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
send_apart(struct consumer *c, const struct log_run *run)
{
	size_t before = run->line_len + run->record.headers_len + 1;
	struct journal_file *file;
	char line[RECORD_LINE_MAX];
	enum mess_err err;

	if ((err = open_body(c, run, &file)) != MESS_OK)
		return err;
	output_printf(c->output, "MSG %s 1 %llu 1\n", c->flow->topic->name,
	    (unsigned long long)(before + run->record.body_len + 1));
	output_text(c->output, line, log_run_line(run, line));
	output_text(c->output, run->data + run->line_len, before - run->line_len);
	output_range(c->output, file, 0, run->record.body_len);
	output_text(c->output, "\n", 1);
	journal_file_unref(file);
	return MESS_OK;
}

static enum mess_err
lost_body(struct consumer *c, const struct log_run *run, const struct range *numbers)
{
	store_say(log_store(c->flow->topic->log), "%s: message %llu: its body is missing or damaged",
	    c->flow->topic->name, (unsigned long long)run->first);
	return pass_over(c, numbers);
}

/* One run to one consumer; *sent is its length. */
static enum mess_err
hand_out(struct consumer *c, const struct range *want, size_t *sent)
{
	struct range numbers;
	struct log_run run;
	enum mess_err err;

	*sent = 0;
	if ((err = log_read(c->delivery->reader, c->flow->topic->log, &c->cursor, want->lo, want->hi,
	    RUN_BYTES, &run)) != MESS_OK)
		return err;
	numbers = (struct range){ run.first, run.last };
	if (run.damaged)
		return pass_over(c, &numbers);
	if (!run.apart)
		send_run(c, &run);
	else if ((err = send_apart(c, &run)) == MESS_CORRUPT || err == MESS_SYSTEM)
		return lost_body(c, &run, &numbers);
	else if (err != MESS_OK)
		return err;
	*sent = run.len;
	return handed_out(c, &numbers);
}

static void
pump(struct consumer *c)
{
	size_t budget = TURN_BYTES, sent;
	struct range want;
	enum mess_err err;

	while (c->credit > 0 && output_has_room(c->output)) {
		if (!ready(c, &want)) {
			if (!c->now)
				return;
			output_text(c->output, "END\n", 4);
			c->credit = 0;
			c->now = false;
			c->touched(c->arg);
			return;
		}
		if (budget == 0) {
			wake(c->flow);
			return;
		}
		c->touched(c->arg);
		if ((err = hand_out(c, &want, &sent)) != MESS_OK) {
			store_say(log_store(c->flow->topic->log), "%s: cannot be read: %s",
			    c->flow->topic->name, mess_strerror(err));
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
	struct consumer *c;

	TAILQ_FOREACH(c, &f->consumers, link)
		pump(c);
	if ((c = TAILQ_FIRST(&f->consumers)) != NULL) {
		TAILQ_REMOVE(&f->consumers, c, link);
		TAILQ_INSERT_TAIL(&f->consumers, c, link);
	}
}

bool
delivery_run(struct delivery *d)
{
	struct flow *f, *last = TAILQ_LAST(&d->woken, flow_list);

	/* Those woken meanwhile have their turn after the next commit. */
	while ((f = TAILQ_FIRST(&d->woken)) != NULL) {
		TAILQ_REMOVE(&d->woken, f, link);
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
