/* SPDX-License-Identifier: ISC */
/*
 * libmess: consuming.
 *
 * Records are checked and handed out where they were received.  Acks are
 * gathered into ranges and go out when there is nothing to read, many on a
 * line; their replies are read on the way.
 */
#include "client.h"

#include <bsd/string.h>
#include <stdio.h>

#include "base/fd.h"

#define ACKS_FLYING 32		/* above this acks are gathered on, not sent */
#define RANGE_MAX 42		/* " LO-HI" of two 64-bit numbers */

/* ---- attaching ---- */

/*
 * Acks in doubt were done when it is the same subscription and they were for
 * messages below the first that it has not settled.
 */
static void
attached(struct mess *m, enum client_mode mode, const char *topic, const char *name)
{
	struct client_consumer *c = &m->sub;
	bool same = mode == CONSUME_SUB && strcmp(topic, c->topic) == 0 && strcmp(name, c->name) == 0;

	if (c->ack_doubt > 0 && !same)
		c->ack_doubt = UINT64_MAX; /* nothing can come that would settle them */
	else if (m->call.number[0] > c->ack_doubt)
		c->ack_doubt = 0;
	c->mode = mode;
	c->err = MESS_OK;
	c->ack_top = 0;
	(void)strlcpy(c->topic, topic, sizeof c->topic); /* checked: they fit */
	(void)strlcpy(c->name, name, sizeof c->name);
}

static enum mess_err
attach(struct mess *m, enum client_mode mode, const char *verb, const char *topic, const char *name)
{
	const char *why;
	enum mess_err err;

	if (m->sub.mode != CONSUME_NOT)
		return client_fail(m, MESS_USAGE, "this connection consumes %s already", m->sub.topic);
	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	if (name != NULL && (err = name_check_sub(name, &why)) != MESS_OK)
		return client_fail(m, err, "subscription %.60s: %s", name, why);
	if ((err = client_say(m, PENDING_CALL, "%s %s%s%s\n", verb, topic, name != NULL ? " " : "",
		name != NULL ? name : "")) != MESS_OK)
		return err;
	if ((err = client_finish_call(m)) != MESS_OK)
		return err;
	attached(m, mode, topic, name != NULL ? name : "");
	return MESS_OK;
}

enum mess_err
mess_subscribe(struct mess *m, const char *topic, const char *name)
{
	return attach(m, CONSUME_SUB, "SUB", topic, name);
}

enum mess_err
mess_tail(struct mess *m, const char *topic)
{
	return attach(m, CONSUME_TAIL, "TAIL", topic, NULL);
}

enum mess_err
mess_peek(struct mess *m, const char *topic, const char *name)
{
	return attach(m, CONSUME_PEEK, "PEEK", topic, name);
}

enum mess_err
mess_read(struct mess *m, const char *topic, uint64_t lo, uint64_t hi, struct mess_range *out)
{
	enum mess_err err;

	if (m->sub.mode != CONSUME_NOT)
		return client_fail(m, MESS_USAGE, "this connection consumes %s already", m->sub.topic);
	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	if (hi > INT64_MAX)
		hi = INT64_MAX;
	if ((err = client_say(m, PENDING_CALL, "READ %s %llu %llu\n", topic, (unsigned long long)lo,
		(unsigned long long)hi)) != MESS_OK || (err = client_finish_call(m)) != MESS_OK)
		return err;
	*out = (struct mess_range){ m->call.number[0], m->call.number[1] };
	attached(m, CONSUME_PEEK, topic, "");
	return MESS_OK;
}

static enum mess_err
not_consuming(struct mess *m)
{
	return client_fail(m, MESS_USAGE, "this connection consumes nothing");
}

enum mess_err
mess_take(struct mess *m, uint64_t n, bool now)
{
	enum mess_err err;

	if (m->sub.mode == CONSUME_NOT)
		return not_consuming(m);
	if (n > PROTOCOL_TAKE_MAX)
		n = PROTOCOL_TAKE_MAX;
	if ((err = client_say(m, PENDING_TAKE, "TAKE %llu%s\n", (unsigned long long)n,
		now ? " now" : "")) != MESS_OK)
		return err;
	return client_push(m);
}

/* ---- frames as one run of bytes: first what was stashed, then what arrives ---- */

/* Keep, up to a limit, what is in the way of a reply. */
enum mess_err
client_consumer_stash(struct mess *m)
{
	struct client_consumer *c = &m->sub;
	size_t n = buf_len(&m->in);

	if (n > c->frame_left)
		n = (size_t)c->frame_left;
	if (!c->dropped && buf_append(&c->stash, buf_data(&m->in), n) != MESS_OK)
		c->dropped = true;
	buf_consume(&m->in, n);
	c->frame_left -= n;
	return MESS_OK;
}

void
client_consumer_lost(struct mess *m)
{
	struct client_consumer *c = &m->sub;

	if ((c->ack_hi > 0 || c->acks_flying > 0 || buf_len(&c->acks) > 0) && c->ack_top > c->ack_doubt)
		c->ack_doubt = c->ack_top;
	c->mode = CONSUME_NOT;
	c->dropped = c->ended = false;
	c->frame_left = c->body_left = 0;
	c->ack_lo = c->ack_hi = 0;
	c->acks_flying = 0;
	buf_reset(&c->stash, 0);
	buf_reset(&c->acks, PROTOCOL_LINE_MAX);
	record_summer_free(TAKE(c->sum, NULL));
}

static const char *
bytes_at(const struct mess *m, size_t *len)
{
	if (buf_len(&m->sub.stash) > 0) {
		*len = buf_len(&m->sub.stash);
		return buf_data(&m->sub.stash);
	}
	*len = buf_len(&m->in);
	if (*len > m->sub.frame_left)
		*len = (size_t)m->sub.frame_left;
	return *len > 0 ? buf_data(&m->in) : "";
}

/* The bytes stay where they are until more are received. */
static void
bytes_taken(struct mess *m, size_t n)
{
	if (buf_len(&m->sub.stash) > 0) {
		buf_consume(&m->sub.stash, n);
		return;
	}
	buf_consume(&m->in, n);
	m->sub.frame_left -= n;
}

/* Can more bytes of what is being read still come? */
static bool
more_to_come(const struct mess *m, size_t have)
{
	if (buf_len(&m->sub.stash) > 0)
		return m->sub.frame_left > 0 && !m->sub.dropped;
	return have < m->sub.frame_left;
}

/* The stash ends within a record: what arrived of the rest joins it, so that the pieces stay in order. */
static bool
stash_more(struct mess *m)
{
	if (buf_len(&m->sub.stash) == 0 || m->sub.frame_left == 0 || buf_len(&m->in) == 0)
		return false;
	return client_consumer_stash(m) == MESS_OK;
}

static enum mess_err
broken_frame(struct mess *m)
{
	bool dropped = m->sub.dropped;

	client_disconnect(m);
	if (dropped)
		return client_fail(m, MESS_LIMIT, "more messages arrived while acks were waited for "
		    "than fit into memory; they come again on a new connection");
	return client_fail(m, MESS_PROTOCOL, "mess-deliverd sent a message that does not read");
}

static enum mess_err
damaged(struct mess *m, uint64_t seq)
{
	return client_fail(m, MESS_CORRUPT, "message %llu of %s is damaged", (unsigned long long)seq,
	    m->sub.topic);
}

/* ---- messages ---- */

static void
tell(const struct mess *m, const struct record *r, const char *record, size_t record_len,
    struct mess_received *out)
{
	const char *headers = (const char *)memchr(record, '\n', record_len) + 1;
	bool large = r->body_len > MESS_INLINE_MAX;

	*out = (struct mess_received){
		.topic = m->sub.topic,
		.seq = r->seq,
		.time_sec = r->sec,
		.time_nsec = r->nsec,
		.uid = r->uid,
		.gid = r->gid,
		.pid = r->pid,
		.headers = headers,
		.headers_len = r->headers_len,
		.body = large ? NULL : headers + r->headers_len + 1,
		.body_len = r->body_len,
		.record = record,
		.record_len = record_len,
	};
}

/*
 * A record that is not here as a whole: MESS_TOOBIG when it only needs more
 * bytes, MESS_OK when it is a large one whose headers are here.
 */
static enum mess_err
large_record(struct mess *m, const char *data, size_t len, struct mess_received *out)
{
	struct client_consumer *c = &m->sub;
	const char *nl = memchr(data, '\n', len < RECORD_LINE_MAX ? len : RECORD_LINE_MAX);
	size_t line, before;

	if (nl == NULL)
		return len < RECORD_LINE_MAX ? MESS_TOOBIG : MESS_BADDATA;
	line = (size_t)(nl - data) + 1;
	if (record_read_line(data, line, &c->large) != MESS_OK || c->large.apart)
		return MESS_BADDATA;
	before = line + c->large.headers_len + 1;
	if (c->large.body_len <= MESS_INLINE_MAX || len < before)
		return MESS_TOOBIG;
	if ((c->sum = record_summer_new()) == NULL)
		return MESS_LIMIT;
	record_summer_add(c->sum, data + line, c->large.headers_len + 1);
	c->body_left = c->large.body_len;
	bytes_taken(m, before);
	tell(m, &c->large, data, before, out);
	return MESS_OK;
}

/* One message out of what has arrived: MESS_TOOBIG when there is none yet. */
static enum mess_err
next_record(struct mess *m, struct mess_received *out)
{
	struct record r;
	size_t len, record_len;
	const char *data = bytes_at(m, &len);
	enum mess_err err;

	if (len == 0)
		return m->sub.dropped ? broken_frame(m) : MESS_TOOBIG;
	switch (err = record_read(data, len, &r, &record_len)) {
	case MESS_OK:
		bytes_taken(m, record_len);
		tell(m, &r, data, record_len, out);
		return MESS_OK;
	case MESS_CORRUPT:
		bytes_taken(m, record_len);
		return damaged(m, r.seq);
	case MESS_TOOBIG:
		err = large_record(m, data, len, out);
		if (err == MESS_TOOBIG && stash_more(m))
			return next_record(m, out);
		break;
	default:
		break;
	}
	if (err == MESS_OK || (err == MESS_TOOBIG && more_to_come(m, len)))
		return err;
	if (err == MESS_LIMIT)
		return client_fail(m, err, "%s", mess_strerror(err));
	return broken_frame(m);
}

/* Lines in front of the next frame. */
static enum mess_err
read_lines(struct mess *m)
{
	enum mess_err err;
	bool did;

	do
		err = client_step(m, &did);
	while (err == MESS_OK && did);
	return err;
}

static enum mess_err
arrived(struct mess *m, enum mess_event *event, struct mess_received *out)
{
	struct client_consumer *c = &m->sub;
	enum mess_err err;

	*event = MESS_EVENT_NONE;
	if ((err = read_lines(m)) != MESS_OK)
		return err;
	if (c->err != MESS_OK)
		return TAKE(c->err, MESS_OK);
	if (buf_len(&c->stash) == 0 && c->ended) {
		c->ended = false;
		*event = MESS_EVENT_END;
		return MESS_OK;
	}
	if ((err = next_record(m, out)) == MESS_TOOBIG)
		return MESS_OK;
	if (err != MESS_OK)
		return err;
	*event = MESS_EVENT_MESSAGE;
	/* So that mess_ready sees a frame and not the line before it. */
	return c->body_left > 0 ? MESS_OK : read_lines(m);
}

/* What was not read of a large body. */
static enum mess_err
skip_body(struct mess *m)
{
	static _Thread_local char piece[16 * 1024];
	enum mess_err err = MESS_OK;
	size_t got;

	while (m->sub.sum != NULL && (err = mess_body_read(m, piece, sizeof piece, &got)) == MESS_OK)
		if (got == 0)
			break;
	/* Who did not read it does not ask whether it is whole. */
	return err == MESS_CORRUPT ? MESS_OK : err;
}

enum mess_err
mess_next(struct mess *m, int timeout_ms, enum mess_event *event, struct mess_received *out)
{
	uint64_t until = 0;
	enum mess_err err;
	bool moved;

	if (m->sub.mode == CONSUME_NOT)
		return not_consuming(m);
	if ((err = skip_body(m)) != MESS_OK)
		return err;
	for (;;) {
		if ((err = arrived(m, event, out)) != MESS_OK || *event != MESS_EVENT_NONE)
			return err;
		if ((err = mess_ack_flush(m)) != MESS_OK)
			return err;
		if (timeout_ms > 0 && until == 0)
			until = client_clock() + (uint64_t)timeout_ms;
		if ((err = client_turn(m, timeout_ms, &moved)) != MESS_OK)
			return err;
		if (!moved)
			return MESS_OK;
		if (timeout_ms > 0)
			timeout_ms = until > client_clock() ? (int)(until - client_clock()) : 0;
	}
}

bool
mess_ready(const struct mess *m)
{
	struct record r;
	size_t len, line, behind = 0;
	const char *data = bytes_at(m, &len), *nl;

	if (m->sub.ended || m->sub.err != MESS_OK)
		return true;
	if (buf_len(&m->sub.stash) > 0) /* mess_next joins them */
		behind = buf_len(&m->in) < m->sub.frame_left ? buf_len(&m->in) : (size_t)m->sub.frame_left;
	nl = memchr(data, '\n', len < RECORD_LINE_MAX ? len : RECORD_LINE_MAX);
	if (nl == NULL)
		return behind > 0;
	line = (size_t)(nl - data) + 1;
	len += behind;
	if (record_read_line(data, line, &r) != MESS_OK)
		return true; /* mess_next will say so */
	if (r.body_len > MESS_INLINE_MAX)
		return len > line + r.headers_len;
	return len - line >= record_rest_len(&r);
}

/* ---- large bodies ---- */

/* Bytes of the body that are here, waiting for some. */
static enum mess_err
body_bytes(struct mess *m, const char **data, size_t *len)
{
	enum mess_err err;
	bool moved;

	while ((*data = bytes_at(m, len), *len == 0)) {
		if (!more_to_come(m, 0))
			return broken_frame(m);
		if ((err = client_turn(m, -1, &moved)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}

/* The newline after the body, then the verdict. */
static enum mess_err
body_over(struct mess *m)
{
	struct client_consumer *c = &m->sub;
	const char *data;
	enum mess_err err;
	size_t len;
	bool whole;

	if ((err = body_bytes(m, &data, &len)) != MESS_OK)
		return err;
	whole = *data == '\n' && record_sum_holds(&c->large, record_summer_end(c->sum));
	bytes_taken(m, 1);
	record_summer_free(TAKE(c->sum, NULL));
	if ((err = read_lines(m)) != MESS_OK)
		return err;
	return whole ? MESS_OK : damaged(m, c->large.seq);
}

enum mess_err
mess_body_read(struct mess *m, void *buf, size_t size, size_t *got)
{
	struct client_consumer *c = &m->sub;
	const char *data;
	enum mess_err err;
	size_t len;

	if (c->sum == NULL)
		return client_fail(m, MESS_USAGE, "no body is to be read");
	if (c->body_left == 0) {
		if ((err = body_over(m)) == MESS_OK)
			*got = 0;
		return err;
	}
	if ((err = body_bytes(m, &data, &len)) != MESS_OK)
		return err;
	if (len > c->body_left)
		len = (size_t)c->body_left;
	if (len > size)
		len = size;
	memcpy(buf, data, len);
	record_summer_add(c->sum, data, len);
	bytes_taken(m, len);
	c->body_left -= len;
	*got = len;
	return MESS_OK;
}

/* ---- acks ---- */

static enum mess_err
send_acks(struct mess *m)
{
	struct client_consumer *c = &m->sub;
	enum mess_err err;

	if (buf_len(&c->acks) == 0)
		return MESS_OK;
	if ((err = client_say(m, PENDING_ACK, "ACK %s%.*s\n", c->topic, (int)buf_len(&c->acks),
		buf_data(&c->acks))) != MESS_OK)
		return err;
	c->acks_flying++;
	buf_reset(&c->acks, PROTOCOL_LINE_MAX + 1);
	return MESS_OK;
}

/* The open range joins the finished ones. */
static enum mess_err
close_range_of_acks(struct mess *m)
{
	struct client_consumer *c = &m->sub;
	size_t most = PROTOCOL_LINE_MAX - sizeof "ACK " - strlen(c->topic) - RANGE_MAX;
	enum mess_err err;

	if (c->ack_hi == 0)
		return MESS_OK;
	if (buf_len(&c->acks) > most && (err = send_acks(m)) != MESS_OK)
		return err;
	if (c->ack_lo == c->ack_hi)
		err = buf_printf(&c->acks, " %llu", (unsigned long long)c->ack_lo);
	else
		err = buf_printf(&c->acks, " %llu-%llu", (unsigned long long)c->ack_lo,
		    (unsigned long long)c->ack_hi);
	if (err != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	c->ack_lo = c->ack_hi = 0;
	return MESS_OK;
}

enum mess_err
mess_ack(struct mess *m, uint64_t lo, uint64_t hi)
{
	struct client_consumer *c = &m->sub;
	enum mess_err err;

	if (c->mode != CONSUME_SUB)
		return client_fail(m, MESS_USAGE, "only a subscription's messages are acked");
	if (lo == 0 || lo > hi)
		return client_fail(m, MESS_USAGE, "%llu-%llu is no range", (unsigned long long)lo,
		    (unsigned long long)hi);
	if (hi > c->ack_top)
		c->ack_top = hi;
	/* Messages come in order: what was in doubt below this one was settled, or came again. */
	if (hi >= c->ack_doubt)
		c->ack_doubt = 0;
	if (c->ack_hi != 0 && lo == c->ack_hi + 1) {
		c->ack_hi = hi;
		return MESS_OK;
	}
	if ((err = close_range_of_acks(m)) != MESS_OK)
		return err;
	c->ack_lo = lo;
	c->ack_hi = hi;
	return MESS_OK;
}

/* With many in flight there is no hurry: a longer range is the cheaper one. */
enum mess_err
mess_ack_flush(struct mess *m)
{
	enum mess_err err;

	if (m->sub.mode != CONSUME_SUB)
		return MESS_OK;
	if (m->sub.acks_flying < ACKS_FLYING)
		if ((err = close_range_of_acks(m)) != MESS_OK || (err = send_acks(m)) != MESS_OK)
			return err;
	return client_push(m);
}

static bool
acks_back(const struct mess *m)
{
	return m->sub.acks_flying == 0 || m->sub.err != MESS_OK;
}

static enum mess_err
wait_for_acks(struct mess *m)
{
	enum mess_err err;

	if (m->sub.mode != CONSUME_SUB)
		return MESS_OK;
	if ((err = close_range_of_acks(m)) != MESS_OK || (err = send_acks(m)) != MESS_OK)
		return err;
	if ((err = client_await(m, acks_back)) != MESS_OK)
		return err;
	return TAKE(m->sub.err, MESS_OK);
}

enum mess_err
mess_ack_wait(struct mess *m)
{
	enum mess_err err = wait_for_acks(m);

	if (TAKE(m->sub.ack_doubt, 0) == 0 || err != MESS_OK)
		return err;
	return client_fail(m, MESS_NODAEMON, "mess-deliverd went away before it answered them");
}
