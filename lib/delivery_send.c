/* SPDX-License-Identifier: ISC */
/*
 * Handing out: what is next for a consumer, read from the log where it
 * stands, sifted, and sent as it stands on disk.
 */
#include "delivery_private.h"

#include "body.h"
#include "sift.h"

#define TURN_BYTES ((size_t)512 * 1024)		/* to one consumer before the others' turn */

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
	/* At least one: something may have become due since it was counted. */
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
	enum mess_err err;
	int fd;

	if ((err = body_open(log_cur(l), run->first, run->record.body_len, &fd)) != MESS_OK)
		return err;
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
		if (err == MESS_CORRUPT)
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

	if (m->letters)
		sift_letters(m->owner, run, &s);
	else
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
		if (m->consumer->kind == CONSUMER_PEEK)
			break;
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
	    want->run.hi, DELIVERY_RUN_BYTES, &run)) != MESS_OK)
		return err;
	numbers = (struct range){ run.first, run.last };
	if (run.damaged)
		return pass_over(m, &numbers, PLACE_DAMAGED);
	*sent = run.len;
	if (m->letters || (m->sub != NULL && (run.special || m->sub->place.match[0] != '\0')))
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
			delivery_wake(m->flow);
			return;
		}
	delivery_say_end(c);
}

void
delivery_pump(struct member *m)
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
			delivery_wake(m->flow);
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
