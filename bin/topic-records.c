/* SPDX-License-Identifier: ISC */
/*
 * mess-topic import: records.  Headers and bodies are taken, the engine's
 * own headers are not, and the engine writes a new envelope.
 */
#include <string.h>

#include "base/fd.h"
#include "topic-import.h"

static enum mess_err
damaged(struct import *i)
{
	return import_bad(i, MESS_BADDATA, "its sum does not hold: the record is damaged");
}

/* A copy without the engine's headers. */
static enum mess_err
own_headers(struct import *i, const char *headers, size_t len, struct buf *out)
{
	enum mess_err err;

	if (len == 0)
		return MESS_OK;
	if ((err = buf_append(out, headers, len)) != MESS_OK)
		return import_bad(i, err, "%s", mess_strerror(err));
	out->tail = out->head + record_headers_strip(buf_data(out), len);
	return MESS_OK;
}

static enum mess_err
small_record(struct import *i, const struct record *r, size_t record_len)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_MAX);
	const char *at = buf_data(&i->in) + record_len - (size_t)record_rest_len(r);
	struct mess_message msg;
	enum mess_err err;

	if ((err = own_headers(i, at, r->headers_len, &headers)) != MESS_OK)
		return err;
	msg = (struct mess_message){
		.headers = buf_len(&headers) > 0 ? buf_data(&headers) : NULL,
		.headers_len = buf_len(&headers),
		.body = at + r->headers_len + 1,
		.body_len = (size_t)r->body_len,
	};
	if ((err = import_message(i, &msg)) == MESS_OK)
		buf_consume(&i->in, record_len);
	return err;
}

/* The newline after the body; then the sum decides, before anything is stored. */
static enum mess_err
large_end(struct import *i, const struct record *r, struct record_summer *sum)
{
	enum mess_err err;

	if (buf_len(&i->in) == 0 && !i->eof && (err = import_more(i)) != MESS_OK)
		return err;
	if (buf_len(&i->in) == 0)
		return import_bad(i, MESS_BADDATA, "the input ends within it");
	if (*buf_data(&i->in) != '\n' || !record_sum_holds(r, record_summer_end(sum)))
		return damaged(i);
	buf_consume(&i->in, 1);
	return import_end(i);
}

static enum mess_err
large_record(struct import *i, const struct record *r, size_t line)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_MAX);
	struct record_summer *sum;
	enum mess_err err;

	if ((err = own_headers(i, buf_data(&i->in) + line, r->headers_len, &headers)) != MESS_OK ||
	    (err = import_begin(i, buf_len(&headers) > 0 ? buf_data(&headers) : "", buf_len(&headers))) != MESS_OK)
		return err;
	if ((sum = record_summer_new()) == NULL)
		return import_bad(i, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
	record_summer_add(sum, buf_data(&i->in) + line, r->headers_len + 1);
	buf_consume(&i->in, line + r->headers_len + 1);
	if ((err = import_body(i, r->body_len, sum)) == MESS_OK)
		err = large_end(i, r, sum);
	record_summer_free(sum);
	return err;
}

/* The record at the front needs more than is there: read on, or stream it when it is large. */
static enum mess_err
longer_record(struct import *i)
{
	size_t have = buf_len(&i->in);
	const char *nl = memchr(buf_data(&i->in), '\n', have);
	size_t line = nl != NULL ? (size_t)(nl - buf_data(&i->in)) + 1 : 0;
	struct record r;

	if (line > 0 && record_read_line(buf_data(&i->in), line, &r) == MESS_OK &&
	    r.body_len > MESS_INLINE_MAX && have > line + r.headers_len)
		return large_record(i, &r, line);
	if (i->eof)
		return import_bad(i, MESS_BADDATA, "the input ends within it");
	return import_more(i);
}

enum mess_err
import_records(struct import *i)
{
	enum mess_err err;
	struct record r;
	size_t len;

	for (;;) {
		if (buf_len(&i->in) == 0) {
			if (i->eof)
				return MESS_OK;
			if ((err = import_more(i)) != MESS_OK)
				return err;
			continue;
		}
		err = record_read(buf_data(&i->in), buf_len(&i->in), &r, &len);
		if (err == MESS_CORRUPT)
			return damaged(i);
		if (err == MESS_BADDATA || (err == MESS_OK && r.apart))
			return import_bad(i, MESS_BADDATA, "this is no record");
		err = err == MESS_OK ? small_record(i, &r, len) : longer_record(i);
		if (err != MESS_OK)
			return err;
	}
}
