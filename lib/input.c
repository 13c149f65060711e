/* SPDX-License-Identifier: ISC */
/*
 * Input Handler.  Lines and counted bytes; nothing is ever searched for
 * inside counted bytes.
 */
#include "input.h"

#define HELD_MAX (PROTOCOL_LINE_MAX + PROTOCOL_BATCH_MAX + (size_t)512 * 1024)

void
input_init(struct input *in)
{
	*in = (struct input){ .held = BUF_INIT(HELD_MAX) };
}

void
input_free(struct input *in)
{
	buf_free(&in->held);
}

enum mess_err
input_begin(struct input *in, const char *data, size_t len)
{
	enum mess_err err;

	in->in_held = buf_len(&in->held) > 0;
	if (!in->in_held) {
		in->data = data;
		in->len = len;
		return MESS_OK;
	}
	if ((err = buf_append(&in->held, data, len)) != MESS_OK)
		return err;
	in->data = buf_data(&in->held);
	in->len = buf_len(&in->held);
	return MESS_OK;
}

enum mess_err
input_end(struct input *in)
{
	enum mess_err err = MESS_OK;

	if (in->in_held)
		buf_consume(&in->held, buf_len(&in->held) - in->len);
	else if (in->len > 0)
		err = buf_append(&in->held, in->data, in->len);
	if (buf_len(&in->held) == 0)
		buf_reset(&in->held, 0);
	in->data = NULL;
	in->len = 0;
	return err;
}

bool
input_is_idle(const struct input *in)
{
	return buf_len(&in->held) == 0 && !in->chunks && in->skip_left == 0;
}

static void
take(struct input *in, size_t n)
{
	in->data += n;
	in->len -= n;
}

static void
broken(struct input_item *out, enum mess_err err, const char *why)
{
	out->kind = INPUT_BROKEN;
	out->err = err;
	out->why = why;
}

/* A whole line without its newline; NULL when there is none yet or the item says why not. */
static const char *
whole_line(struct input *in, size_t *len, struct input_item *out)
{
	size_t most = in->len < PROTOCOL_LINE_MAX ? in->len : PROTOCOL_LINE_MAX;
	const char *nl = most == 0 ? NULL : memchr(in->data, '\n', most);

	if (nl != NULL) {
		*len = (size_t)(nl - in->data);
		return in->data;
	}
	if (most == PROTOCOL_LINE_MAX)
		broken(out, MESS_PROTOCOL, "a line is at most 4096 bytes");
	else
		out->kind = INPUT_MORE;
	return NULL;
}

/* Bytes that follow the line of a request. */
static uint64_t
counted(const struct request *r)
{
	switch (r->verb) {
	case REQ_PUB:
		return r->headers_len + r->body_len;
	case REQ_PUBS:
		return r->body_len;
	case REQ_STREAM:
		return r->headers_len;
	default:
		return r->options_len;
	}
}

static void
refused(struct input *in, struct input_item *out, enum mess_err err)
{
	out->kind = INPUT_REFUSED;
	out->err = err;
	in->skip_left = counted(&out->request);
	in->chunks = out->request.verb == REQ_STREAM;
	in->chunk_left = 0;
}

static void
next_request(struct input *in, struct input_item *out)
{
	struct request *r = &out->request;
	enum mess_err err;
	const char *line;
	uint64_t need;
	size_t len;

	if ((line = whole_line(in, &len, out)) == NULL)
		return;
	err = protocol_read_request(line, len, r, &out->why);
	if (err == MESS_PROTOCOL || err == MESS_USAGE) {
		broken(out, err, out->why);
		return;
	}
	if (in->hello == (r->verb == REQ_HELLO)) {
		broken(out, MESS_PROTOCOL, "HELLO comes first, and once");
		return;
	}
	if (err != MESS_OK) {
		take(in, len + 1);
		refused(in, out, err);
		return;
	}
	need = counted(r);
	if (in->len - (len + 1) < need) {
		out->kind = INPUT_MORE;
		return;
	}
	out->kind = INPUT_REQUEST;
	out->payload = line + len + 1;
	out->payload_len = (size_t)need;
	take(in, len + 1 + (size_t)need);
	in->hello = true;
	in->chunks = r->verb == REQ_STREAM;
	in->chunk_left = 0;
}

static void
chunk_line(struct input *in, struct input_item *out)
{
	const char *line;
	uint64_t chunk;
	size_t len;

	if ((line = whole_line(in, &len, out)) == NULL)
		return;
	if (protocol_read_chunk(line, len, &chunk) != MESS_OK) {
		broken(out, MESS_PROTOCOL, "a chunk begins with its length, 0 to 1048576");
		return;
	}
	take(in, len + 1);
	in->chunk_left = chunk;
	out->kind = INPUT_CHUNK; /* of no bytes yet */
	if (chunk == 0) {
		in->chunks = false;
		out->kind = INPUT_CHUNKS_END;
	}
}

static void
chunk_bytes(struct input *in, struct input_item *out)
{
	size_t n = in->len < in->chunk_left ? in->len : (size_t)in->chunk_left;

	if (n == 0) {
		out->kind = INPUT_MORE;
		return;
	}
	out->kind = INPUT_CHUNK;
	out->payload = in->data;
	out->payload_len = n;
	in->chunk_left -= n;
	take(in, n);
}

void
input_next(struct input *in, struct input_item *out)
{
	size_t n;

	out->payload = NULL;
	out->payload_len = 0;
	out->err = MESS_OK;
	out->why = NULL;
	if (in->skip_left > 0) {
		n = in->len < in->skip_left ? in->len : (size_t)in->skip_left;
		in->skip_left -= n;
		take(in, n);
		if (in->skip_left > 0) {
			out->kind = INPUT_MORE;
			return;
		}
	}
	if (!in->chunks)
		next_request(in, out);
	else if (in->chunk_left > 0)
		chunk_bytes(in, out);
	else
		chunk_line(in, out);
}
