/* SPDX-License-Identifier: ISC */
/*
 * libmess: frames to messages, and large bodies.
 *
 * Records are checked and handed out where they were received.
 */
#include "client.h"

#include "base/fd.h"

/* ---- frames as one run of bytes: first what was stashed, then what arrives ---- */

enum mess_err
client_consumer_frame(struct mess *m, const struct reply *r)
{
	struct client_consumer *c = &m->sub;
	struct client_topic *t;
	enum mess_err err;

	/* Of a pattern: one that nobody named. */
	if ((err = client_topic_at(m, r->topic, &t)) != MESS_OK)
		return err;
	t->left = false; /* made anew, of a pattern */
	c->frame = (struct client_frame){ .topic = t, .attempt = r->attempt, .left = r->bytes };
	c->frame_stashed = false;
	return MESS_OK;
}

/* In the stash a frame is its description, then its bytes; of the first one it is in stashed. */
static enum mess_err
stash_frame(struct client_consumer *c)
{
	if (c->frame_stashed)
		return MESS_OK;
	c->frame_stashed = true;
	if (buf_len(&c->stash) > 0)
		return buf_append(&c->stash, &c->frame, sizeof c->frame);
	c->stashed = c->frame;
	return MESS_OK;
}

/* Keep, up to a limit, what is in the way of a reply. */
enum mess_err
client_consumer_stash(struct mess *m)
{
	struct client_consumer *c = &m->sub;
	size_t n = buf_len(&m->in);

	if (n > c->frame.left)
		n = (size_t)c->frame.left;
	if (!c->dropped && (stash_frame(c) != MESS_OK ||
	    buf_append(&c->stash, buf_data(&m->in), n) != MESS_OK))
		c->dropped = true;
	buf_consume(&m->in, n);
	c->frame.left -= n;
	return MESS_OK;
}

void
client_consumer_lost(struct mess *m)
{
	struct client_consumer *c = &m->sub;

	client_settles_lost(m);
	c->mode = CONSUME_NOT;
	c->dropped = c->ended = false;
	c->frame = c->stashed = (struct client_frame){ 0 };
	c->frame_stashed = false;
	c->body_left = 0;
	buf_reset(&c->stash, 0);
	record_summer_free(TAKE(c->sum, NULL));
}

/* The frame that the next bytes are of. */
static const struct client_frame *
frame_at(const struct mess *m)
{
	return buf_len(&m->sub.stash) > 0 ? &m->sub.stashed : &m->sub.frame;
}

static const char *
bytes_at(const struct mess *m, size_t *len)
{
	const struct buf *from = buf_len(&m->sub.stash) > 0 ? &m->sub.stash : &m->in;
	uint64_t left = frame_at(m)->left;

	*len = buf_len(from);
	if (*len > left)
		*len = (size_t)left;
	return *len > 0 ? buf_data(from) : "";
}

/* The bytes stay where they are until more are received. */
static void
bytes_taken(struct mess *m, size_t n)
{
	struct client_consumer *c = &m->sub;

	if (buf_len(&c->stash) == 0) {
		buf_consume(&m->in, n);
		c->frame.left -= n;
		return;
	}
	buf_consume(&c->stash, n);
	c->stashed.left -= n;
	if (buf_len(&c->stash) == 0) {
		c->frame_stashed = false; /* its rest is read from where it arrives */
	} else if (c->stashed.left == 0) {
		memcpy(&c->stashed, buf_data(&c->stash), sizeof c->stashed);
		buf_consume(&c->stash, sizeof c->stashed);
	}
}

/* Can more bytes of what is being read still come? */
static bool
more_to_come(const struct mess *m, size_t have)
{
	if (buf_len(&m->sub.stash) > 0)
		return have < m->sub.stashed.left && m->sub.frame.left > 0 && !m->sub.dropped;
	return have < m->sub.frame.left;
}

/* The stash ends within a record: what arrived of the rest joins it, so that the pieces stay in order. */
static bool
stash_more(struct mess *m)
{
	if (buf_len(&m->sub.stash) == 0 || buf_len(&m->sub.stash) >= m->sub.stashed.left ||
	    m->sub.frame.left == 0 || buf_len(&m->in) == 0)
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
	    m->sub.at.topic->topic);
}

/* ---- messages ---- */

static void
tell(const struct mess *m, const struct record *r, const char *record, size_t record_len,
    struct mess_received *out)
{
	const char *headers = (const char *)memchr(record, '\n', record_len) + 1;
	bool large = r->body_len > MESS_INLINE_MAX;

	*out = (struct mess_received){
		.topic = m->sub.at.topic->topic,
		.seq = r->seq,
		.time_sec = r->sec,
		.time_nsec = r->nsec,
		.uid = r->uid,
		.gid = r->gid,
		.pid = r->pid,
		.attempt = m->sub.at.attempt,
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
	m->sub.at = *frame_at(m);
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
	if (buf_len(&c->stash) == 0 && c->gone) {
		c->gone = false;
		*event = MESS_EVENT_GONE;
		return MESS_OK;
	}
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
		return client_consumes_nothing(m);
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
	if (buf_len(&m->sub.stash) > 0 && len < m->sub.stashed.left) /* mess_next joins them */
		behind = buf_len(&m->in) < m->sub.frame.left ? buf_len(&m->in) : (size_t)m->sub.frame.left;
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
