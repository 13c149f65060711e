/* SPDX-License-Identifier: ISC */
/*
 * Records from any bytes.  Oracles: what is read is written again byte for
 * byte; record_read and record_read_line agree; a shorter input is never
 * whole; what is left of checked headers without the engine's is valid for
 * anybody.
 */
#include "instruct.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void *
copy_of(const void *data, size_t size)
{
	void *copy = malloc(size == 0 ? 1 : size);

	require(copy != NULL);
	memcpy(copy, data, size);
	return copy;
}

/* The payload that makes the sum is not needed: any of the right sum will do. */
static void
check_line(const char *line, size_t len, const struct record *r)
{
	char again[RECORD_LINE_MAX];
	struct record copy = *r;
	size_t n = record_write_line(&copy, 0, again);

	require(n == len);
	require(memcmp(again, line, len - 17) == 0); /* without its sum */
}

static void
check_record(const char *data, size_t len, const struct record *r, bool whole)
{
	size_t line_len = len - record_rest_len(r);
	const char *headers = data + line_len, *body = headers + r->headers_len + 1;
	struct record line, again = *r;
	char text[RECORD_LINE_MAX];
	size_t shorter;

	require(record_read_line(data, line_len, &line) == MESS_OK);
	require(memcmp(&line.sum, &r->sum, sizeof line.sum) == 0 && line.seq == r->seq);
	require(record_read(data, len - 1, &line, &shorter) == MESS_TOOBIG);
	if (!whole || r->apart)
		return;
	require(headers[r->headers_len] == '\n' && data[len - 1] == '\n');
	require(record_write_line(&again,
	    record_payload_sum(headers, r->headers_len, body, r->body_len), text) == line_len);
	require(memcmp(text, data, line_len) == 0);
	require(record_sum_holds(r, record_payload_sum(headers, r->headers_len, body, r->body_len)));
}

static void
fuzz_record(const char *data, size_t size)
{
	struct record r;
	size_t len;
	enum mess_err err = record_read(data, size, &r, &len);

	switch (err) {
	case MESS_OK:
	case MESS_CORRUPT:
		require(len <= size);
		check_record(data, len, &r, err == MESS_OK);
		break;
	case MESS_TOOBIG:
	case MESS_BADDATA:
		break;
	default:
		abort();
	}
}

static void
fuzz_line(const char *data, size_t size)
{
	const char *newline = memchr(data, '\n', size);
	size_t len = newline == NULL ? size : (size_t)(newline + 1 - data);
	struct record r;

	if (record_read_line(data, len, &r) == MESS_OK)
		check_line(data, len, &r);
}

static void
fuzz_headers(char *data, size_t size)
{
	const char *why = NULL;
	enum mess_err err = record_headers_check(data, size, true, &why);
	size_t left;

	require((err == MESS_OK) == (why == NULL));
	if (record_headers_check(data, size, false, NULL) == MESS_OK)
		require(err == MESS_OK && record_headers_strip(data, size) == size);
	left = record_headers_strip(data, size);
	require(left <= size && record_headers_strip(data, left) == left);
	if (err == MESS_OK)
		require(record_headers_check(data, left, false, NULL) == MESS_OK);
}

static void
fuzz_instructions(const char *data, size_t size)
{
	char out[INSTRUCT_MAX];
	const char *why = NULL;
	struct instruct i;
	enum mess_err err = instruct_read(data, size, &i, &why);
	size_t n;

	require((err == MESS_OK) == (why == NULL));
	if (err != MESS_OK)
		return;
	require(i.len <= size && (i.len > 0) == instruct_begins(data, size));
	require(!instruct_begins(data + i.len, size - i.len));
	n = instruct_write(&i, out);
	require(n <= sizeof out && n <= i.len);
	require(record_headers_check(out, n, true, NULL) == MESS_OK);
}

/*
 * A fuzzer does not guess sums: put the right one into a line, so that what
 * lies behind it is reached.
 */
static void
fuzz_repaired(char *data, size_t size)
{
	char line[RECORD_LINE_MAX];
	struct record r;
	size_t len;

	if (record_read(data, size, &r, &len) != MESS_CORRUPT || r.apart)
		return;
	size = len;
	len -= record_rest_len(&r);
	if (data[len + r.headers_len] != '\n')
		return;
	require(record_write_line(&r, record_payload_sum(data + len, r.headers_len,
	    data + len + r.headers_len + 1, r.body_len), line) == len);
	memcpy(data, line, len);
	require(record_read(data, size, &r, &len) == (data[size - 1] == '\n' ? MESS_OK : MESS_CORRUPT));
	check_record(data, size, &r, data[size - 1] == '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = copy_of(data, size);

	fuzz_record(copy, size);
	fuzz_line(copy, size);
	fuzz_repaired(copy, size);
	memcpy(copy, data, size);
	fuzz_instructions(copy, size);
	fuzz_headers(copy, size);
	free(copy);
	return 0;
}
