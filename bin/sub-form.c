/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: what is written of a message.
 *
 * A large body comes in pieces, so every form is three parts: what is
 * before the body, the body, what is after it.
 */
#include <strings.h>

#include "json-write.h"
#include "message.h"
#include "sub.h"

/* ---- --json ---- */

enum stop
form_json(struct sub *s, const struct mess_received *msg)
{
	const struct message_taken taken = { s->o->mode == MODE_TAIL ? NULL : s->o->name };
	enum mess_err err;

	if ((err = buf_append(&s->out, "{", 1)) != MESS_OK ||
	    (err = message_json(&s->out, msg, &taken)) != MESS_OK)
		return sub_put_failed(s, err);
	/* What is not all here cannot be looked at first. */
	if (msg->body == NULL)
		err = buf_append(&s->out, ",\"body64\":\"", 11);
	else
		err = message_json_body(&s->out, msg->body, (size_t)msg->body_len);
	return err == MESS_OK ? GO_ON : sub_put_failed(s, err);
}

enum stop
form_json_end(struct sub *s, const char *lease)
{
	enum mess_err err = MESS_OK;

	if (lease != NULL)
		err = buf_printf(&s->out, ",\"lease\":\"%s\"", lease);
	if (err == MESS_OK)
		err = buf_append(&s->out, "}", 1);
	return err == MESS_OK ? GO_ON : sub_put_failed(s, err);
}

/* ---- -F ---- */

static enum stop
put_number(struct sub *s, uint64_t n)
{
	enum mess_err err = buf_printf(&s->out, "%llu", (unsigned long long)n);

	return err == MESS_OK ? GO_ON : sub_put_failed(s, err);
}

/* Repeated values are joined by newlines. */
static enum stop
put_header(struct sub *s, const struct mess_received *msg, const struct format_part *part)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len;
	enum stop stop = GO_ON;
	bool first = true;
	struct message_header h;

	while (stop == GO_ON && message_next_header(&at, &len, &h)) {
		if (h.name_len != part->len || strncasecmp(h.name, part->text, h.name_len) != 0)
			continue;
		if (!first)
			stop = sub_put(s, "\n", 1, false);
		if (stop == GO_ON)
			stop = sub_put(s, h.value, h.value_len, true);
		first = false;
	}
	return stop;
}

static enum stop
put_part(struct sub *s, const struct mess_received *msg, const struct format_part *part)
{
	const char *user;
	char when[MESSAGE_TIME_MAX];

	switch (part->kind) {
	case '=':
		return sub_put(s, part->text, part->len, false);
	case 't':
		return sub_put(s, msg->topic, strlen(msg->topic), false);
	case 's':
		return put_number(s, msg->seq);
	case 'T':
		(void)message_time(msg->time_sec, &msg->time_nsec, when);
		return sub_put(s, when, strlen(when), false);
	case 'u':
		return put_number(s, msg->uid);
	case 'U':
		if ((user = message_user(msg->uid)) == NULL)
			return put_number(s, msg->uid);
		return sub_put(s, user, strlen(user), true);
	case 'a':
		return put_number(s, msg->attempt);
	case 'h':
		return put_header(s, msg, part);
	default:
		return sub_put(s, msg->body, (size_t)msg->body_len, true);
	}
}

static enum stop
put_parts(struct sub *s, const struct mess_received *msg, size_t from, size_t to)
{
	enum stop stop = GO_ON;

	for (size_t i = from; i < to && stop == GO_ON; i++)
		stop = put_part(s, msg, &s->o->format->parts[i]);
	return stop;
}

/* ---- all forms ---- */

/* What ends a body of the given form. */
static enum stop
put_end(struct sub *s)
{
	switch (s->o->form) {
	case FORM_LINE:
		return sub_put(s, "\n", 1, false);
	case FORM_NUL:
		return sub_put(s, s->escape ? "\n" : "", 1, false);
	case FORM_BODY:
		return s->escape ? sub_put(s, "\n", 1, false) : GO_ON;
	default:
		return GO_ON;
	}
}

enum stop
form_message(struct sub *s, const struct mess_received *msg)
{
	enum stop stop;

	switch (s->o->form) {
	case FORM_RECORD:
		return sub_put(s, msg->record, msg->record_len, true);
	case FORM_JSON:
		if ((stop = form_json(s, msg)) != GO_ON || (stop = form_json_end(s, NULL)) != GO_ON)
			return stop;
		return sub_put(s, "\n", 1, false);
	case FORM_FORMAT:
		return put_parts(s, msg, 0, s->o->format->count);
	default:
		if ((stop = sub_put(s, msg->body, (size_t)msg->body_len, true)) != GO_ON)
			return stop;
		return put_end(s);
	}
}

/* What -F has behind %b is written now, while the envelope is at hand, and kept. */
static enum stop
keep_after(struct sub *s, const struct mess_received *msg)
{
	const struct format *f = s->o->format;
	size_t before = buf_len(&s->out), n;
	enum mess_err err;
	enum stop stop;

	buf_reset(&s->after, 0);
	if (f->body == f->count)
		return GO_ON;
	if ((stop = put_parts(s, msg, f->body + 1, f->count)) != GO_ON)
		return stop;
	n = buf_len(&s->out) - before;
	if (n > 0 && (err = buf_append(&s->after, buf_data(&s->out) + before, n)) != MESS_OK)
		return sub_put_failed(s, err);
	buf_shrink(&s->out, n);
	return GO_ON;
}

enum stop
form_before(struct sub *s, const struct mess_received *msg)
{
	enum stop stop;

	switch (s->o->form) {
	case FORM_RECORD:
		return sub_put(s, msg->record, msg->record_len, true);
	case FORM_JSON:
		return form_json(s, msg);
	case FORM_FORMAT:
		stop = put_parts(s, msg, 0, s->o->format->body);
		return stop == GO_ON ? keep_after(s, msg) : stop;
	default:
		return GO_ON;
	}
}

size_t
form_unfinished(const struct sub *s, const char *data, size_t len)
{
	if (s->o->form == FORM_JSON)
		return len % 3;
	return s->escape ? cli_unfinished(data, len) : 0;
}

enum stop
form_piece(struct sub *s, const char *data, size_t len)
{
	enum mess_err err;

	if (s->o->form == FORM_FORMAT && s->o->format->body == s->o->format->count)
		return GO_ON; /* no %b */
	if (s->o->form != FORM_JSON)
		return sub_put(s, data, len, true);
	err = json_put_base64(&s->out, data, len);
	return err == MESS_OK ? GO_ON : sub_put_failed(s, err);
}

enum stop
form_json_body_end(struct sub *s)
{
	return sub_put(s, "\"", 1, false);
}

enum stop
form_after(struct sub *s)
{
	enum stop stop;

	switch (s->o->form) {
	case FORM_RECORD:
		return sub_put(s, "\n", 1, false);
	case FORM_JSON:
		if ((stop = form_json_body_end(s)) != GO_ON || (stop = form_json_end(s, NULL)) != GO_ON)
			return stop;
		return sub_put(s, "\n", 1, false);
	case FORM_FORMAT:
		return buf_len(&s->after) > 0 ?
		    sub_put(s, buf_data(&s->after), buf_len(&s->after), false) : GO_ON;
	default:
		return put_end(s);
	}
}
