/* SPDX-License-Identifier: ISC */
/*
 * mess-pub --records: what mess-sub --records wrote.  Headers and body
 * count, the sum must hold, and the engine writes a fresh envelope.
 */
#include <string.h>

#include "pub.h"

/* The headers of a record without the engine's. */
static enum mess_err
own_headers(struct pub *p, const char *headers, size_t len, struct buf *out)
{
	enum mess_err err;

	if ((err = buf_append(out, headers, len)) != MESS_OK)
		return pub_bad_input(p, err, "%s", mess_strerror(err));
	if (len > 0)
		out->tail = out->head + record_headers_strip(buf_data(out), len);
	return MESS_OK;
}

static enum mess_err
damaged_record(struct pub *p)
{
	return pub_bad_input(p, MESS_BADDATA, "its sum does not hold: the record is damaged");
}

static enum mess_err
send_record(struct pub *p, const struct record *r, size_t record_len)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_BLOCK_MAX + RECORD_HEADERS_MAX);
	const char *at = buf_data(&p->in) + record_len - (size_t)record_rest_len(r);
	struct pub_message msg;
	enum mess_err err;

	if ((err = own_headers(p, at, r->headers_len, &headers)) != MESS_OK)
		return err;
	msg = (struct pub_message){
		.headers = buf_len(&headers) > 0 ? buf_data(&headers) : NULL,
		.headers_len = buf_len(&headers),
		.body = at + r->headers_len + 1,
		.body_len = (size_t)r->body_len,
		.raw = buf_data(&p->in),
		.raw_len = record_len,
	};
	err = pub_send(p, &msg);
	buf_consume(&p->in, record_len);
	return err;
}

/* The body as it is read, and the newline after it; the sum decides before the end. */
static enum mess_err
stream_record_body(struct pub *p, const struct record *r, struct record_summer *sum)
{
	uint64_t left = r->body_len;
	enum mess_err err;

	while (left > 0 || buf_len(&p->in) == 0) {
		size_t n = buf_len(&p->in);

		if (n > left)
			n = (size_t)left;
		if (n > 0) {
			record_summer_add(sum, buf_data(&p->in), n);
			if ((err = pub_write(p, buf_data(&p->in), n)) != MESS_OK)
				return err;
			buf_consume(&p->in, n);
			left -= n;
			continue;
		}
		if (p->eof)
			return pub_bad_input(p, MESS_BADDATA, "the input ends within the record");
		if ((err = pub_read_more(p)) != MESS_OK)
			return err;
	}
	if (*buf_data(&p->in) != '\n' || !record_sum_holds(r, record_summer_end(sum)))
		return damaged_record(p);
	buf_consume(&p->in, 1);
	return pub_finish(p, "\n", 1);
}

static enum mess_err
stream_record(struct pub *p, const struct record *r, size_t line)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_BLOCK_MAX + RECORD_HEADERS_MAX);
	size_t before = line + r->headers_len + 1;
	struct pub_message msg = { .raw = buf_data(&p->in), .raw_len = before };
	struct record_summer *sum;
	enum mess_err err;

	if ((err = own_headers(p, buf_data(&p->in) + line, r->headers_len, &headers)) != MESS_OK)
		return err;
	msg.headers = buf_len(&headers) > 0 ? buf_data(&headers) : NULL;
	msg.headers_len = buf_len(&headers);
	if ((err = pub_begin(p, &msg)) != MESS_OK)
		return err;
	if ((sum = record_summer_new()) == NULL)
		return pub_bad_input(p, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
	record_summer_add(sum, buf_data(&p->in) + line, r->headers_len + 1);
	buf_consume(&p->in, before);
	err = stream_record_body(p, r, sum);
	record_summer_free(sum);
	return err;
}

/* The record at the front needs more than is there: read on, or stream it when it is large. */
static enum mess_err
longer_record(struct pub *p)
{
	size_t have = buf_len(&p->in);
	const char *data = have > 0 ? buf_data(&p->in) : "";
	const char *nl = memchr(data, '\n', have);
	size_t line = nl != NULL ? (size_t)(nl - data) + 1 : 0;
	struct record r;

	if (line > 0 && record_read_line(data, line, &r) == MESS_OK && r.body_len > MESS_INLINE_MAX &&
	    have > line + r.headers_len)
		return stream_record(p, &r, line);
	if (p->eof)
		return pub_bad_input(p, MESS_BADDATA, "the input ends within the record");
	return pub_read_more(p);
}

enum mess_err
pub_records(struct pub *p)
{
	enum mess_err err;
	struct record r;
	size_t len;

	for (;;) {
		if (buf_len(&p->in) == 0) {
			if (p->eof)
				return MESS_OK;
			if ((err = pub_read_more(p)) != MESS_OK)
				return err;
			continue;
		}
		err = record_read(buf_data(&p->in), buf_len(&p->in), &r, &len);
		if (err == MESS_CORRUPT)
			return damaged_record(p);
		if (err == MESS_BADDATA || (err == MESS_OK && r.apart))
			return pub_bad_input(p, MESS_BADDATA, "this is no record of mess-sub --records");
		err = err == MESS_OK ? send_record(p, &r, len) : longer_record(p);
		if (err != MESS_OK)
			return err;
	}
}
