/* SPDX-License-Identifier: ISC */
/*
 * Publishing: one message, a batch that is stored whole or not at all, one
 * large body that streams into a file of its own.
 */
#include "request.h"

#include <stdio.h>

#include "publish.h"

static bool
may_publish(struct session *s, const char *name)
{
	struct request_topic f = { .name = name, .right = ACL_PUBLISH, .make = true };

	if (s->aborted) {
		session_error(s, MESS_ABORTED, "%s; say RESUME", mess_strerror(MESS_ABORTED));
		return false;
	}
	if (s->pub_topic != NULL && !s->pub_topic->gone && strcmp(s->pub_topic->name, name) == 0 &&
	    s->pub_generation == s->host->acl.generation)
		return true;
	topic_release(s->host->topics, s->pub_topic);
	s->pub_topic = NULL;
	s->pub_generation = s->host->acl.generation;
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
	static char text[RETENTION_WHY > LIMITS_TEXT ? RETENTION_WHY : LIMITS_TEXT];
	enum mess_err err = retention_admit(s->pub_topic, load, text);

	if (err == MESS_OK && s->host->quota != NULL && load->count > 0 &&
	    !quota_has_room(s->host->quota, s->pub_topic, load->count, load->bytes, text) &&
	    !quota_yield(s->host->quota, s->pub_topic, load->count, load->bytes, text))
		err = MESS_LIMIT;
	if (err != MESS_OK)
		*why = text;
	return err;
}

/* What its user may publish in a second. */
static enum mess_err
spend(struct session *s, uint64_t messages, uint64_t bytes, const char **why)
{
	static char text[LIMITS_TEXT];
	enum limit_name over = LIMITED_MESSAGES;

	if (limits_spend(s->user, LIMITED_MESSAGES, messages)) {
		over = LIMITED_BYTES;
		if (limits_spend(s->user, LIMITED_BYTES, bytes))
			return MESS_OK;
	}
	*why = limits_text(s->user, over, text);
	return MESS_LIMIT;
}

static void
stored(struct session *s)
{
	retention_stored(s->pub_topic);
	if (s->host->quota != NULL)
		quota_changed(s->host->quota, s->pub_topic);
}

/* A duplicate, too, is answered when the first is durable. */
static void
published(struct session *s, const struct publish_result *done)
{
	static const char *const words[] = { [PUBLISH_STORED] = "", [PUBLISH_DUPLICATE] = " duplicate",
		[PUBLISH_QUEUED] = " queued" };

	if (done->fate == PUBLISH_STORED)
		stored(s);
	if (done->fate == PUBLISH_DUPLICATE)
		log_note(s->pub_topic->log, LOG_DUPLICATES, 1);
	session_ok_durable(s, "%llu%s", (unsigned long long)done->seq, words[done->fate]);
}

void
request_pub(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct mess_message msg = { .headers = item->payload, .headers_len = r->headers_len,
		.body = item->payload + r->headers_len, .body_len = r->body_len };
	struct retention_load load = { .count = 1, .bytes = r->headers_len + r->body_len,
		.largest = r->body_len };
	struct publish_result done;
	struct publish_ask ask;
	const char *why = NULL;
	enum mess_err err;

	if (!may_publish(s, r->topic))
		return;
	/* What is there already needs no room. */
	if ((err = publish_check(&ask, &msg, &why)) == MESS_OK &&
	    (err = publish_known(s->pub_topic, s->who.peer.uid, &ask, &done)) == MESS_OK &&
	    done.fate == PUBLISH_STORED && (err = request_has_disk(s, load.bytes, &why)) == MESS_OK &&
	    (err = admit(s, &load, &why)) == MESS_OK &&
	    (err = spend(s, 1, load.bytes, &why)) == MESS_OK)
		err = publish_message(s->pub_topic, &s->who.peer, &ask, &msg, &done);
	if (err != MESS_OK)
		publish_failed(s, err, why);
	else
		published(s, &done);
}

/* What is left of a batch, and what became of its messages. */
struct batch {
	const char *data;
	size_t left;
	uint64_t first, last;		/* numbers of what was stored; 0: nothing */
	uint64_t duplicates, queued;
	size_t asks;			/* of its messages with instructions; 0: not counted yet */
};

/* The next message of a batch; MESS_USAGE when the batch is not what its line said. */
static enum mess_err
next_item(struct batch *b, struct mess_message *msg, const char **why)
{
	uint64_t headers_len, body_len;
	enum mess_err err;
	size_t used;

	if ((err = protocol_read_item(b->data, b->left, &headers_len, &body_len, &used)) != MESS_OK ||
	    headers_len > b->left - used || body_len > b->left - used - headers_len) {
		*why = "the batch is not COUNT messages in BYTES bytes";
		return MESS_USAGE;
	}
	*msg = (struct mess_message){ .headers = b->data + used, .headers_len = headers_len,
		.body = b->data + used + headers_len, .body_len = body_len };
	b->data += used + headers_len + body_len;
	b->left -= used + headers_len + body_len;
	if (body_len > MESS_INLINE_MAX) {
		*why = "a body in a batch is at most 262144 bytes";
		return MESS_TOOBIG;
	}
	return MESS_OK;
}

/* MESS_BUSY: it has instructions, and room for what they need was not made. */
static enum mess_err
append_next(struct session *s, struct batch *b, const char **why)
{
	struct publish_result done;
	struct mess_message msg;
	struct publish_ask ask;
	enum mess_err err;

	if ((err = next_item(b, &msg, why)) != MESS_OK ||
	    (err = publish_check(&ask, &msg, why)) != MESS_OK)
		return err;
	if (ask.asked && b->asks == 0)
		return MESS_BUSY;
	if ((err = publish_known(s->pub_topic, s->who.peer.uid, &ask, &done)) != MESS_OK)
		return err;
	b->duplicates += done.fate == PUBLISH_DUPLICATE;
	b->queued += done.fate == PUBLISH_QUEUED;
	if (done.fate != PUBLISH_STORED)
		return MESS_OK;
	if ((err = admit(s, &(struct retention_load){ .largest = msg.body_len }, why)) != MESS_OK ||
	    (err = publish_store(s->pub_topic, &s->who.peer, &ask, &msg, &done)) != MESS_OK)
		return err;
	b->first = b->first == 0 ? done.seq : b->first;
	b->last = done.seq;
	return MESS_OK;
}

/* Messages of a batch that have instructions. */
static size_t
count_asks(struct batch b)
{
	struct mess_message msg;
	const char *why;
	size_t n = 0;

	while (b.left > 0 && next_item(&b, &msg, &why) == MESS_OK)
		n += instruct_begins(msg.headers, msg.headers_len);
	return n;
}

/* What is there already needs no room. */
static void
spare(struct session *s, struct batch b, struct retention_load *load)
{
	struct publish_result done;
	struct mess_message msg;
	struct publish_ask ask;
	const char *why;

	while (load->count > 0 && b.left > 0 && next_item(&b, &msg, &why) == MESS_OK) {
		size_t len = msg.headers_len + msg.body_len;

		if (!instruct_begins(msg.headers, msg.headers_len) ||
		    publish_check(&ask, &msg, &why) != MESS_OK ||
		    publish_known(s->pub_topic, s->who.peer.uid, &ask, &done) != MESS_OK ||
		    done.fate == PUBLISH_STORED)
			continue; /* an error is met again */
		load->count--;
		load->bytes -= len;
	}
}

/* All of it or nothing. */
static enum mess_err
append_all(struct session *s, uint64_t count, struct batch *b, const char **why)
{
	struct publish_batch all = { .count = count, .bytes = b->left, .asks = b->asks };
	struct retention_load load = { .count = all.count, .bytes = all.bytes };
	struct publish_mark mark;
	enum mess_err err;

	if (all.asks > 0 && s->pub_topic->limited)
		spare(s, *b, &load);
	if (load.count > 0 && ((err = request_has_disk(s, load.bytes, why)) != MESS_OK ||
	    (err = admit(s, &load, why)) != MESS_OK ||
	    (err = spend(s, load.count, load.bytes, why)) != MESS_OK))
		return err;
	if ((err = publish_begin(s->pub_topic, &all, &mark)) == MESS_TOOBIG)
		*why = "a batch and what is stored beside it is at most 4194304 bytes";
	if (err != MESS_OK)
		return err;
	for (uint64_t i = 0; i < all.count && err == MESS_OK; i++)
		err = append_next(s, b, why);
	if (err == MESS_OK && b->left > 0) {
		*why = "the batch is not COUNT messages in BYTES bytes";
		err = MESS_USAGE;
	}
	if (err != MESS_OK)
		publish_rewind(s->pub_topic, &mark);
	return err;
}

/* Few batches have instructions: they are counted when the first is met, or where they save room. */
static enum mess_err
append_batch(struct session *s, const struct input_item *item, struct batch *b, const char **why)
{
	struct batch again = *b;
	enum mess_err err;

	b->asks = s->pub_topic->limited ? count_asks(*b) : 0;
	if ((err = append_all(s, item->request.count, b, why)) != MESS_BUSY)
		return err;
	again.asks = count_asks(again);
	*b = again;
	return append_all(s, item->request.count, b, why);
}

void
request_pubs(struct session *s, const struct input_item *item)
{
	struct batch b = { .data = item->payload, .left = item->payload_len };
	const char *why = NULL;
	enum mess_err err;

	if (!may_publish(s, item->request.topic))
		return;
	if ((err = append_batch(s, item, &b, &why)) != MESS_OK) {
		publish_failed(s, err, why);
		return;
	}
	if (b.last != 0)
		stored(s);
	if (b.duplicates > 0)
		log_note(s->pub_topic->log, LOG_DUPLICATES, b.duplicates);
	if (b.duplicates + b.queued > 0)
		session_ok_durable(s, "%llu %llu duplicates %llu", (unsigned long long)b.first,
		    (unsigned long long)b.last, (unsigned long long)(b.duplicates + b.queued));
	else
		session_ok_durable(s, "%llu %llu", (unsigned long long)b.first, (unsigned long long)b.last);
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
	struct mess_message msg = { .headers = item->payload, .headers_len = item->payload_len };
	struct retention_load load = { .count = 1, .bytes = item->payload_len };
	struct publish_ask ask;
	const char *why = NULL;
	enum mess_err err;

	s->refuse_chunks = true;
	if (!may_publish(s, item->request.topic))
		return;
	if (store_is_sick(s->host->store))
		err = MESS_SICK;
	else if ((err = publish_check(&ask, &msg, &why)) == MESS_OK &&
	    (err = admit(s, &load, &why)) == MESS_OK &&
	    (err = spend(s, 1, load.bytes, &why)) == MESS_OK)
		err = body_new(s->pub_topic->dir, store_work(s->host->store), msg.headers,
		    msg.headers_len, &s->body);
	if (err != MESS_OK)
		publish_failed(s, err, why);
	else
		s->refuse_chunks = false;
}

void
request_chunk(struct session *s, const char *data, size_t len)
{
	struct retention_load load = { .count = 0 };
	const char *limit = NULL;
	char why[96];
	enum mess_err err;

	if (s->refuse_chunks || len == 0)
		return;
	/* Whether there is room is asked when it is whole. */
	load.largest = body_len(s->body) + len;
	if (load.largest > s->host->body_max) {
		(void)snprintf(why, sizeof why, "a body is at most %llu bytes; this one has more",
		    (unsigned long long)s->host->body_max); /* fits by its size */
		stream_failed(s, MESS_TOOBIG, why);
	} else if ((err = admit(s, &load, &limit)) != MESS_OK ||
	    (err = request_has_disk(s, len, &limit)) != MESS_OK)
		stream_failed(s, err, limit);
	else if ((err = body_write(s->body, data, len)) != MESS_OK)
		stream_failed(s, err, NULL);
	else
		limits_owe(s->user, LIMITED_BYTES, len);
}

/* Its headers are those to be stored: what they say of ids is what was asked. */
static enum mess_err
append_body(struct session *s, struct publish_result *done, const char **why)
{
	struct retention_load load = { .count = 1, .bytes = body_len(s->body) };
	struct publish_ask ask;
	const char *headers;
	enum mess_err err;
	size_t len;

	/* Rules may have changed while it streamed in. */
	if (s->pub_topic->gone || !request_may(s, ACL_PUBLISH, s->pub_topic)) {
		request_rule_of(s, ACL_PUBLISH, s->pub_topic);
		return MESS_NOTOPIC;
	}
	headers = body_headers(s->body, &len);
	publish_recall(&ask, headers, len);
	/* Others may have filled the topic meanwhile. */
	if ((err = admit(s, &load, why)) != MESS_OK)
		return err;
	return publish_body(s->pub_topic, &s->who.peer, &ask, s->body, done);
}

static void
body_synced(void *arg, enum mess_err err)
{
	struct session *s = arg;
	struct publish_result done;
	const char *why = NULL;

	s->syncing = false;
	request_goes_on(s, REQ_STREAM);
	if (err == MESS_OK)
		err = append_body(s, &done, &why);
	body_free(s->body);
	s->body = NULL;
	if (err != MESS_OK)
		publish_failed(s, err, why);
	else
		published(s, &done);
	request_ends(s);
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
