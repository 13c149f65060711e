/* SPDX-License-Identifier: ISC */
/*
 * Publishing: one message, a batch that is stored whole or not at all, one
 * large body that streams into a file of its own.
 */
#include "request.h"

#include <stdio.h>

static bool
may_publish(struct session *s, const char *name)
{
	struct request_topic f = { .name = name, .right = ACL_PUBLISH, .make = true };

	if (s->aborted) {
		session_error(s, MESS_ABORTED, "%s; say RESUME", mess_strerror(MESS_ABORTED));
		return false;
	}
	if (s->pub_topic != NULL && !s->pub_topic->gone && strcmp(s->pub_topic->name, name) == 0)
		return true;
	topic_release(s->host->topics, s->pub_topic);
	s->pub_topic = NULL;
	if (request_find_topic(s, &f, &s->pub_topic) == MESS_OK)
		return true;
	s->aborted = true;
	return false;
}

static void
publish_failed(struct session *s, enum mess_err err, const char *why)
{
	session_error(s, err, "%s", why != NULL ? why : mess_strerror(err));
	s->aborted = true; /* what came after must not overtake its repeat */
}

/* The topic's limits, and its pause; *why names what is in the way. */
static enum mess_err
admit(struct session *s, const struct retention_load *load, const char **why)
{
	static char text[RETENTION_WHY];
	enum mess_err err = retention_admit(s->pub_topic, load, text);

	if (err != MESS_OK)
		*why = text;
	return err;
}

void
request_pub(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct mess_message msg = { .headers = item->payload, .headers_len = r->headers_len,
		.body = item->payload + r->headers_len, .body_len = r->body_len };
	struct retention_load load = { .count = 1, .bytes = r->headers_len + r->body_len,
		.largest = r->body_len };
	const char *why = NULL;
	enum mess_err err;
	uint64_t seq;

	if (!may_publish(s, r->topic))
		return;
	if ((err = record_headers_check(msg.headers, msg.headers_len, false, &why)) != MESS_OK ||
	    (err = admit(s, &load, &why)) != MESS_OK ||
	    (err = log_append(s->pub_topic->log, &s->peer, &msg, &seq)) != MESS_OK) {
		publish_failed(s, err, why);
		return;
	}
	retention_stored(s->pub_topic);
	session_ok_durable(s, "%llu", (unsigned long long)seq);
}

/* The next message of a batch; MESS_USAGE when the batch is not what its line said. */
static enum mess_err
next_item(const char **data, size_t *left, struct mess_message *msg, const char **why)
{
	uint64_t headers_len, body_len;
	enum mess_err err;
	size_t used;

	if ((err = protocol_read_item(*data, *left, &headers_len, &body_len, &used)) != MESS_OK ||
	    headers_len > *left - used || body_len > *left - used - headers_len) {
		*why = "the batch is not COUNT messages in BYTES bytes";
		return MESS_USAGE;
	}
	*msg = (struct mess_message){ .headers = *data + used, .headers_len = headers_len,
		.body = *data + used + headers_len, .body_len = body_len };
	*data += used + headers_len + body_len;
	*left -= used + headers_len + body_len;
	if (body_len > MESS_INLINE_MAX) {
		*why = "a body in a batch is at most 262144 bytes";
		return MESS_TOOBIG;
	}
	return record_headers_check(msg->headers, msg->headers_len, false, why);
}

static enum mess_err
append_batch(struct session *s, const struct input_item *item, uint64_t *last, const char **why)
{
	struct log *l = s->pub_topic->log;
	const char *data = item->payload;
	size_t left = item->payload_len;
	struct retention_load all = { .count = item->request.count, .bytes = left };
	struct mess_message msg;
	struct log_mark mark;
	enum mess_err err;

	if ((err = admit(s, &all, why)) != MESS_OK ||
	    (err = log_begin(l, item->request.count, left, &mark)) != MESS_OK)
		return err;
	for (uint64_t i = 0; i < item->request.count && err == MESS_OK; i++)
		if ((err = next_item(&data, &left, &msg, why)) == MESS_OK &&
		    (err = admit(s, &(struct retention_load){ .largest = msg.body_len }, why)) == MESS_OK)
			err = log_append(l, &s->peer, &msg, last);
	if (err == MESS_OK && left > 0) {
		*why = "the batch is not COUNT messages in BYTES bytes";
		err = MESS_USAGE;
	}
	if (err != MESS_OK)
		log_rewind(l, &mark);
	else
		retention_stored(s->pub_topic);
	return err;
}

void
request_pubs(struct session *s, const struct input_item *item)
{
	const char *why = NULL;
	enum mess_err err;
	uint64_t last = 0;

	if (!may_publish(s, item->request.topic))
		return;
	if ((err = append_batch(s, item, &last, &why)) != MESS_OK)
		publish_failed(s, err, why);
	else
		session_ok_durable(s, "%llu %llu", (unsigned long long)(last - item->request.count + 1),
		    (unsigned long long)last);
}

/* --- one large body ----------------------------------------------------- */

static void
stream_failed(struct session *s, enum mess_err err, const char *why)
{
	body_free(s->body);
	s->body = NULL;
	s->refuse_chunks = true;
	publish_failed(s, err, why);
}

void
request_stream(struct session *s, const struct input_item *item)
{
	struct retention_load load = { .count = 1, .bytes = item->payload_len };
	const char *why = NULL;
	enum mess_err err;

	s->refuse_chunks = true;
	if (!may_publish(s, item->request.topic))
		return;
	if (store_is_sick(s->host->store))
		err = MESS_SICK;
	else if ((err = record_headers_check(item->payload, item->payload_len, false, &why)) == MESS_OK &&
	    (err = admit(s, &load, &why)) == MESS_OK)
		err = body_new(s->pub_topic->dir, store_work(s->host->store), item->payload,
		    item->payload_len, &s->body);
	if (err != MESS_OK)
		publish_failed(s, err, why);
	else
		s->refuse_chunks = false;
}

void
request_chunk(struct session *s, const char *data, size_t len)
{
	struct retention_load load = { .count = 1 };
	const char *limit = NULL;
	char why[96];
	enum mess_err err;

	if (s->refuse_chunks || len == 0)
		return;
	load.bytes = load.largest = body_len(s->body) + len;
	if (load.largest > s->host->body_max) {
		(void)snprintf(why, sizeof why, "a body is at most %llu bytes; this one has more",
		    (unsigned long long)s->host->body_max); /* fits by its size */
		stream_failed(s, MESS_TOOBIG, why);
	} else if ((err = admit(s, &load, &limit)) != MESS_OK)
		stream_failed(s, err, limit);
	else if ((err = body_write(s->body, data, len)) != MESS_OK)
		stream_failed(s, err, NULL);
}

static void
body_synced(void *arg, enum mess_err err)
{
	struct session *s = arg;
	struct retention_load load = { .count = 1, .bytes = body_len(s->body) };
	const char *why = NULL;
	uint64_t seq = 0;

	s->syncing = false;
	if (err == MESS_OK && s->pub_topic->gone)
		err = MESS_NOTOPIC;
	/* Others may have filled the topic meanwhile. */
	if (err == MESS_OK)
		err = admit(s, &load, &why);
	if (err == MESS_OK &&
	    (err = log_append_body(s->pub_topic->log, &s->peer, s->body, &seq)) == MESS_OK)
		retention_stored(s->pub_topic);
	body_free(s->body);
	s->body = NULL;
	if (err != MESS_OK)
		publish_failed(s, err, why);
	else
		session_ok_durable(s, "%llu", (unsigned long long)seq);
	session_synced(s);
}

void
request_chunks_end(struct session *s)
{
	if (s->refuse_chunks) {
		s->refuse_chunks = false;
		return;
	}
	s->syncing = true;
	body_sync(s->body, body_synced, s);
}
