/* SPDX-License-Identifier: ISC */
/*
 * Publishing with instructions.
 *
 * A topic's ring of ids is opened when the first message asks for it.  Room
 * for message and id is made together, before either: a commit between the
 * two could make the one durable and forget the other.
 */
#include "publish.h"

#include "body.h"
#include "expiry.h"
#include "ids.h"
#include "subscription.h"

static bool
has_ids(const struct publish_ask *a)
{
	return a->asked && (a->said.id.at != NULL || a->said.key.at != NULL);
}

/* --- headers ------------------------------------------------------------ */

enum mess_err
publish_check(struct publish_ask *a, struct mess_message *msg, const char **why)
{
	const char *rest = msg->headers;
	size_t len = msg->headers_len;
	enum mess_err err;
	size_t n;

	a->asked = instruct_begins(rest, len);
	if (!a->asked)
		return record_headers_check(rest, len, false, why);
	if ((err = instruct_read(rest, len, &a->said, why)) != MESS_OK)
		return err;
	rest += a->said.len;
	len -= a->said.len;
	if ((err = record_headers_check(rest, len, false, why)) != MESS_OK)
		return err;
	n = instruct_write(&a->said, a->block);
	if (len > 0)
		memcpy(a->block + n, rest, len);
	msg->headers = a->block;
	msg->headers_len = n + len;
	return MESS_OK;
}

enum mess_err
publish_accept(struct publish_ask *a, struct mess_message *msg)
{
	char *headers = (char *)(uintptr_t)msg->headers;
	size_t len = msg->headers_len, n;

	a->asked = instruct_begins(headers, len) &&
	    instruct_read(headers, len, &a->said, NULL) == MESS_OK;
	if (a->asked) {
		headers += a->said.len;
		len -= a->said.len;
	}
	msg->headers = headers;
	msg->headers_len = len = record_headers_strip(headers, len);
	if (record_headers_check(headers, len, false, NULL) != MESS_OK)
		return MESS_BADDATA;
	if (!a->asked)
		return MESS_OK;
	n = instruct_write(&a->said, a->block);
	if (len > 0)
		memcpy(a->block + n, headers, len);
	msg->headers = a->block;
	msg->headers_len = n + len;
	return MESS_OK;
}

void
publish_recall(struct publish_ask *a, const char *headers, size_t len)
{
	struct record_header h;

	a->asked = false;
	a->said = (struct instruct){ .len = 0 };
	while (record_next_header(&headers, &len, &h)) {
		struct instruct_text text = { h.value, h.value_len };

		if (record_header_is(&h, "Mess-Id"))
			a->said.id = text;
		else if (record_header_is(&h, "Mess-Key"))
			a->said.key = text;
		else if (!record_header_is(&h, "Mess-Due") && !record_header_is(&h, "Mess-Expires"))
			break; /* the engine's come first, in this order */
		a->asked = true;
	}
}

/* --- ids ---------------------------------------------------------------- */

static enum mess_err
ids_of(struct topic *t, struct ids **out)
{
	enum mess_err err;

	if (t->ids == NULL &&
	    (err = ids_open(log_store(t->log), t->dir, log_name(t->log), &t->ids)) != MESS_OK)
		return err;
	*out = t->ids;
	return MESS_OK;
}

static struct ids_key
key_of(enum ids_kind kind, uint32_t uid, const struct instruct_text *text)
{
	return (struct ids_key){ .kind = kind, .uid = uid, .key = text->at, .len = text->len };
}

enum mess_err
publish_known(struct topic *t, uint32_t uid, const struct publish_ask *a,
    struct publish_result *out)
{
	const struct instruct *said = &a->said;
	struct ids_key id = key_of(IDS_ID, uid, &said->id), key = key_of(IDS_KEY, uid, &said->key);
	struct ids *ids;
	enum mess_err err;

	*out = (struct publish_result){ .fate = PUBLISH_STORED };
	if (!has_ids(a))
		return MESS_OK;
	if ((err = ids_of(t, &ids)) != MESS_OK)
		return err;
	if (id.key != NULL && ids_find(ids, &id, &out->seq))
		out->fate = PUBLISH_DUPLICATE;
	else if (key.key != NULL && ids_find(ids, &key, &out->seq) && subscriptions_want(t, out->seq) &&
	    !expiry_is_over(t, out->seq))
		out->fate = PUBLISH_QUEUED;
	return MESS_OK;
}

/* Its message is in the commit being gathered; they were joined. */
static void
remember(struct topic *t, uint32_t uid, const struct publish_ask *a, uint64_t seq)
{
	struct ids_key id = key_of(IDS_ID, uid, &a->said.id), key = key_of(IDS_KEY, uid, &a->said.key);

	if (!has_ids(a))
		return;
	if (id.key != NULL)
		ids_add(t->ids, &id, seq);
	if (key.key != NULL)
		ids_add(t->ids, &key, seq);
}

/* --- storing ------------------------------------------------------------ */

enum mess_err
publish_begin(struct topic *t, const struct publish_batch *batch, struct publish_mark *out)
{
	size_t ids = 2 * batch->asks, room = batch->asks > 0 ? ids_room(ids) : 0;
	struct ids *i = NULL;
	enum mess_err err;

	out->has_ids = batch->asks > 0;
	if (out->has_ids && ((err = ids_of(t, &i)) != MESS_OK || (err = ids_make_way(i, ids)) != MESS_OK))
		return err;
	if (out->has_ids && ids_is_crowded(i, ids) && (err = store_commit(log_store(t->log))) != MESS_OK)
		return err;
	if ((err = log_begin(t->log, batch->count, batch->bytes + room, &out->log)) != MESS_OK)
		return err;
	if (!out->has_ids)
		return MESS_OK;
	out->ids = ids_mark(i);
	return ids_join(i, ids);
}

void
publish_rewind(struct topic *t, const struct publish_mark *mark)
{
	log_rewind(t->log, &mark->log);
	if (mark->has_ids)
		ids_rewind(t->ids, mark->ids);
}

enum mess_err
publish_store(struct topic *t, const struct mess_peer *from, const struct publish_ask *a,
    const struct mess_message *msg, struct publish_result *out)
{
	enum mess_err err;

	out->fate = PUBLISH_STORED;
	if ((err = log_append(t->log, from, msg, &out->seq)) == MESS_OK)
		remember(t, from->uid, a, out->seq);
	return err;
}

enum mess_err
publish_add(struct topic *t, const struct mess_peer *from, const struct publish_ask *a,
    const struct mess_message *msg, struct publish_result *out)
{
	enum mess_err err;

	if ((err = publish_known(t, from->uid, a, out)) != MESS_OK || out->fate != PUBLISH_STORED)
		return err;
	return publish_store(t, from, a, msg, out);
}

enum mess_err
publish_message(struct topic *t, const struct mess_peer *from, const struct publish_ask *a,
    const struct mess_message *msg, struct publish_result *out)
{
	struct publish_batch one = { .count = 1, .bytes = msg->headers_len + msg->body_len, .asks = 1 };
	struct publish_mark mark;
	enum mess_err err;

	if (has_ids(a) && (err = publish_begin(t, &one, &mark)) != MESS_OK)
		return err;
	return publish_store(t, from, a, msg, out);
}

enum mess_err
publish_body(struct topic *t, const struct mess_peer *from, const struct publish_ask *a,
    struct body *b, struct publish_result *out)
{
	struct publish_batch one = { .count = 1, .bytes = RECORD_MAX, .asks = 1 };
	struct publish_mark mark;
	enum mess_err err;

	if ((err = publish_known(t, from->uid, a, out)) != MESS_OK || out->fate != PUBLISH_STORED)
		return err;
	if (has_ids(a) && (err = publish_begin(t, &one, &mark)) != MESS_OK)
		return err;
	if ((err = log_append_body(t->log, from, b, &out->seq)) == MESS_OK)
		remember(t, from->uid, a, out->seq);
	return err;
}
