/* SPDX-License-Identifier: ISC */
/*
 * libmess: publishing a stream.
 *
 * A stream fills one batch while up to CLIENT_BATCHES are in flight.  A
 * batch is stored whole or not at all; when one is refused those behind it
 * come back aborted.  Its messages are then sent again one at a time: the
 * engine stores them up to the one it has something against, and that is
 * exactly what mess_durable and mess_detail then say.
 */
#include "client.h"

#include <bsd/string.h>

#include "maildir.h"

/* One message of the largest size fits. */
#define BATCH_MAX (MESS_INLINE_MAX + PROTOCOL_HEADERS_MAX + 64)
#define FILE_BATCH ((size_t)1 << 20)	/* of a .rec file: few syncs, little memory */
#define ITEM_LINE_MAX 42		/* "HLEN BLEN\n" of two 64-bit numbers */

_Static_assert(FILE_BATCH + RECORD_MAX <= RECORD_FILE_MAX, "a batch fits a .rec file");

static struct client_batch *
batch(struct client_stream *s, unsigned k)
{
	return &s->fill[(s->first + k) % (CLIENT_BATCHES + 1)];
}

static void
batch_empty(struct client_batch *b)
{
	buf_reset(&b->data, b->data.max + 1); /* its memory is for the next */
	b->count = 0;
}

void
mess_on_durable(struct mess *m, void (*fn)(void *arg, uint64_t seq), void *arg)
{
	m->stream.on_durable = fn;
	m->stream.arg = arg;
}

uint64_t
mess_durable(const struct mess *m)
{
	return m->stream.durable;
}

/* first 0: taken in without an engine, so without numbers. */
static void
stored(struct client_stream *s, uint64_t count, uint64_t first)
{
	s->durable += count;
	if (s->on_durable == NULL)
		return;
	for (uint64_t i = 0; i < count; i++)
		s->on_durable(s->arg, first == 0 ? 0 : first + i);
}

static enum mess_err
batch_reply(struct mess *m, const struct reply *r)
{
	struct client_stream *s = &m->stream;
	uint64_t first, duplicates;

	if (r->kind == REPLY_ERR) {
		if (s->refused++ == 0)
			s->reason = client_published(m, client_refusal(m, r));
		return MESS_OK;
	}
	if (s->refused > 0 || s->flying == 0 || !protocol_reply_number(r, 0, &first))
		return client_fail(m, MESS_PROTOCOL, "mess-deliverd stored what it was to refuse");
	/* Which of them were there before it does not say. */
	if (protocol_reply_number(r, 2, &duplicates))
		first = 0;
	stored(s, batch(s, 0)->count, first);
	batch_empty(batch(s, 0));
	s->first = (s->first + 1) % (CLIENT_BATCHES + 1);
	s->flying--;
	return MESS_OK;
}

static enum mess_err
single_reply(struct mess *m, const struct reply *r)
{
	struct client_stream *s = &m->stream;
	uint64_t seq;

	s->singles--;
	if (r->kind == REPLY_ERR) {
		if (s->err == MESS_OK)
			s->err = client_published(m, client_refusal(m, r));
		return MESS_OK;
	}
	if (s->err != MESS_OK || !protocol_reply_number(r, 0, &seq))
		return client_fail(m, MESS_PROTOCOL, "mess-deliverd stored what it was to refuse");
	stored(s, 1, seq);
	return MESS_OK;
}

enum mess_err
client_stream_reply(struct mess *m, enum client_pending pending, const struct reply *r)
{
	return pending == PENDING_BATCH ? batch_reply(m, r) : single_reply(m, r);
}

/* The connection is gone: what was in flight is not known to be stored. */
void
client_stream_lost(struct mess *m)
{
	struct client_stream *s = &m->stream;

	if (s->flying > 0 || s->singles > 0) {
		s->err = MESS_NODAEMON;
		/* Without a greeting the engine had read nothing. */
		m->in_doubt |= m->greeted;
	}
	for (; s->flying > 0; s->flying--) {
		batch_empty(batch(s, 0));
		s->first = (s->first + 1) % (CLIENT_BATCHES + 1);
	}
	s->refused = s->singles = 0;
}

void
client_stream_free(struct mess *m)
{
	for (size_t i = 0; i < CLIENT_BATCHES + 1; i++)
		buf_free(&m->stream.fill[i].data);
}

static enum mess_err
batch_send(struct mess *m, struct client_batch *b)
{
	enum mess_err err;

	if ((err = client_say(m, PENDING_BATCH, "PUBS %s %llu %zu\n", m->stream.topic,
		(unsigned long long)b->count, buf_len(&b->data))) != MESS_OK)
		return err;
	if ((err = client_add(m, buf_data(&b->data), buf_len(&b->data))) != MESS_OK)
		return err;
	return client_push(m);
}

static bool
singles_back(const struct mess *m)
{
	return m->stream.singles == 0;
}

/* Message by message until one is refused, which becomes the stream's error. */
static enum mess_err
send_singly(struct mess *m, const struct client_batch *b)
{
	struct client_stream *s = &m->stream;
	const char *p = buf_data(&b->data);
	size_t left = buf_len(&b->data), line;
	uint64_t headers_len, body_len;
	enum mess_err err;

	while (left > 0 && s->err == MESS_OK) {
		if ((err = protocol_read_item(p, left, &headers_len, &body_len, &line)) != MESS_OK)
			return client_fail(m, MESS_BUG, "a batch does not read back");
		p += line;
		if ((err = client_say(m, PENDING_SINGLE, "PUB %s %llu %llu\n", s->topic,
			(unsigned long long)headers_len, (unsigned long long)body_len)) != MESS_OK)
			return err;
		s->singles++;
		if ((err = client_add(m, p, headers_len + body_len)) != MESS_OK)
			return err;
		p += headers_len + body_len;
		left -= line + headers_len + body_len;
	}
	return client_await(m, singles_back);
}

static bool
batches_back(const struct mess *m)
{
	return m->stream.refused == m->stream.flying;
}

/* Send the oldest batch, which was refused, singly, and those behind it as they are. */
static enum mess_err
try_again(struct mess *m)
{
	struct client_stream *s = &m->stream;
	enum mess_err err;

	if ((err = client_await(m, batches_back)) != MESS_OK)
		return err;
	m->aborting = true;
	s->refused = 0;
	if (batch(s, 0)->count == 1)
		return s->reason;
	if ((err = client_resume(m)) != MESS_OK || (err = send_singly(m, batch(s, 0))) != MESS_OK)
		return err;
	m->aborting = s->err != MESS_OK;
	if (s->err != MESS_OK)
		return s->err;

	batch_empty(batch(s, 0));
	s->first = (s->first + 1) % (CLIENT_BATCHES + 1);
	s->flying--;
	for (unsigned k = 0; k < s->flying; k++)
		if ((err = batch_send(m, batch(s, k))) != MESS_OK)
			return err;
	return MESS_OK;
}

/* Nothing of the stream is in flight any more, and its error stays until mess_wait. */
static enum mess_err
stream_failed(struct mess *m, enum mess_err err)
{
	struct client_stream *s = &m->stream;
	bool aborting = m->aborting;

	/* Anything still on its way would be taken for another request's reply. */
	if (m->fd != -1 && m->pending_count > 0)
		client_disconnect(m);
	s->flying = s->refused = s->singles = 0;
	for (size_t i = 0; i < CLIENT_BATCHES + 1; i++)
		batch_empty(&s->fill[i]);
	s->err = err;
	m->aborting = aborting && m->fd != -1;
	return err;
}

static bool
flight_has_room(const struct mess *m)
{
	return m->stream.refused > 0 || m->stream.flying < CLIENT_BATCHES;
}

static bool
flight_is_over(const struct mess *m)
{
	return m->stream.refused > 0 || m->stream.flying == 0;
}

/* Wait until `over`, dealing with refusals on the way. */
static enum mess_err
settle(struct mess *m, bool (*over)(const struct mess *))
{
	struct client_stream *s = &m->stream;
	enum mess_err err = MESS_OK;

	while (err == MESS_OK && (s->refused > 0 || !over(m)))
		err = s->refused > 0 ? try_again(m) : client_await(m, over);
	return err;
}

static enum mess_err
flush_to_engine(struct mess *m)
{
	struct client_stream *s = &m->stream;
	enum mess_err err;

	if ((err = settle(m, flight_has_room)) != MESS_OK || (err = client_resume(m)) != MESS_OK)
		return err;
	if ((err = batch_send(m, batch(s, s->flying))) != MESS_OK)
		return err;
	s->flying++;
	return MESS_OK;
}

static enum mess_err
flush_to_file(struct mess *m)
{
	struct client_batch *b = batch(&m->stream, 0);
	enum mess_err err;

	if ((err = maildir_put(m->spool_dir, m->stream.topic, MAILDIR_RECORDS, buf_data(&b->data),
		buf_len(&b->data))) != MESS_OK)
		return client_published(m, client_direct_failed(m, err));
	stored(&m->stream, b->count, 0);
	batch_empty(b);
	return MESS_OK;
}

static enum mess_err
flush_batch(struct mess *m)
{
	struct client_stream *s = &m->stream;
	enum mess_err err;

	if (batch(s, s->flying)->count == 0)
		return MESS_OK;
	err = s->direct ? flush_to_file(m) : flush_to_engine(m);
	return err == MESS_OK ? MESS_OK : stream_failed(m, err);
}

static enum mess_err
stream_begin(struct mess *m, const char *topic)
{
	struct client_stream *s = &m->stream;
	enum mess_err err;
	bool direct;

	if (s->open)
		return client_fail(m, MESS_USAGE, "a stream to %s is open: one topic a stream", s->topic);
	if ((err = client_reach(m, topic, &direct)) != MESS_OK)
		return err;
	s->open = true;
	s->direct = direct;
	s->err = MESS_OK;
	s->durable = 0;
	m->in_doubt = false;
	(void)strlcpy(s->topic, topic, sizeof s->topic); /* checked: it fits */
	for (size_t i = 0; i < CLIENT_BATCHES + 1; i++)
		s->fill[i].data.max = direct ? FILE_BATCH + RECORD_MAX : BATCH_MAX;
	return MESS_OK;
}

static size_t
put_number(char *out, uint64_t n, char end)
{
	char digits[20];
	size_t len = 0;

	do
		digits[len++] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	for (size_t i = 0; i < len; i++)
		out[i] = digits[len - 1 - i];
	out[len] = end;
	return len + 1;
}

static enum mess_err
append_item(struct buf *b, const struct mess_message *msg)
{
	char *p;

	if (buf_reserve(b, ITEM_LINE_MAX + msg->headers_len + msg->body_len) != MESS_OK)
		return MESS_LIMIT;
	p = buf_end(b);
	p += put_number(p, msg->headers_len, ' ');
	p += put_number(p, msg->body_len, '\n');
	if (msg->headers_len > 0)
		p = mempcpy(p, msg->headers, msg->headers_len);
	if (msg->body_len > 0)
		p = mempcpy(p, msg->body, msg->body_len);
	buf_grew(b, (size_t)(p - buf_end(b)));
	return MESS_OK;
}

/* Would the message make the batch larger than a batch is? */
static bool
batch_is_full(const struct client_stream *s, const struct client_batch *b, size_t more)
{
	if (b->count == 0)
		return false;
	if (s->direct)
		return b->count == RECORD_FILE_COUNT || buf_len(&b->data) + more > FILE_BATCH;
	return b->count == CLIENT_BATCH_COUNT || buf_len(&b->data) + ITEM_LINE_MAX + more > MESS_INLINE_MAX;
}

enum mess_err
mess_queue(struct mess *m, const char *topic, const struct mess_message *msg)
{
	struct client_stream *s = &m->stream;
	struct client_batch *b;
	enum mess_err err;

	if (!s->open || strcmp(s->topic, topic) != 0)
		if ((err = stream_begin(m, topic)) != MESS_OK)
			return err;
	if (s->err != MESS_OK)
		return s->err;
	if ((err = client_check_message(m, msg)) != MESS_OK)
		return err;
	if (batch_is_full(s, batch(s, s->flying), msg->headers_len + msg->body_len) &&
	    (err = flush_batch(m)) != MESS_OK)
		return err;
	b = batch(s, s->flying);
	err = s->direct ? client_append_record(&b->data, msg) : append_item(&b->data, msg);
	if (err != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	b->count++;
	return MESS_OK;
}

static bool
all_sent(const struct mess *m)
{
	return m->stream.refused > 0 || m->fd == -1 || client_unsent(m) == 0;
}

/* Send it all, and take note of the replies that have arrived. */
static enum mess_err
flush_connection(struct mess *m)
{
	enum mess_err err;

	if ((err = client_push(m)) != MESS_OK || (err = settle(m, all_sent)) != MESS_OK)
		return err;
	if ((err = client_collect(m)) != MESS_OK)
		return err;
	return m->stream.refused > 0 ? settle(m, flight_has_room) : MESS_OK;
}

enum mess_err
mess_flush(struct mess *m)
{
	enum mess_err err;

	if (m->stream.err != MESS_OK)
		return m->stream.err;
	if ((err = flush_batch(m)) != MESS_OK)
		return err;
	if (m->stream.direct || m->fd == -1)
		return MESS_OK;
	err = flush_connection(m);
	return err == MESS_OK ? MESS_OK : stream_failed(m, err);
}

enum mess_err
mess_wait(struct mess *m)
{
	struct client_stream *s = &m->stream;
	enum mess_err err = s->err;

	if (!s->open)
		return MESS_OK;
	if (err == MESS_OK)
		err = flush_batch(m);
	if (err == MESS_OK && (err = settle(m, flight_is_over)) != MESS_OK)
		(void)stream_failed(m, err); /* returned below */
	/* The connection may have been lost, and with it a batch, where nothing else failed. */
	if (err == MESS_OK)
		err = s->err;
	s->open = s->direct = false;
	s->err = MESS_OK;
	return err;
}
