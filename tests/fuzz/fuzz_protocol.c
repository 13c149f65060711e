/* SPDX-License-Identifier: ISC */
/*
 * Requests, replies, items and chunks from any bytes.  Oracle: what is read
 * is written again from its struct, byte for byte, so that no line means
 * what another says.
 */
#include "protocol.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

static void
append(struct buf *b, const char *text, size_t len)
{
	require(buf_append(b, text, len) == MESS_OK);
}

#define PRINT(b, ...) require(buf_printf(b, __VA_ARGS__) == MESS_OK)

static void
print_ranges(struct buf *b, const struct request *r)
{
	const char *ranges = r->ranges;
	size_t len = r->ranges_len;
	uint64_t lo, hi;

	while (len > 0) {
		const char *at = ranges;

		require(protocol_next_range(&ranges, &len, &lo, &hi) && lo <= hi);
		/* N and N-N mean the same; all else has one spelling. */
		if (memchr(at, '-', (size_t)(ranges - at)) != NULL)
			PRINT(b, " %" PRIu64 "-%" PRIu64, lo, hi);
		else
			PRINT(b, " %" PRIu64, lo);
	}
	require(!protocol_next_range(&ranges, &len, &lo, &hi));
}

static void
print_page(struct buf *b, const char *verb, const struct request *r)
{
	PRINT(b, "%s %s%s%s", verb, r->topic, r->after[0] == '\0' ? "" : " ", r->after);
}

static void
print_options(struct buf *b, const struct request *r)
{
	if (r->options_len > 0)
		PRINT(b, " %" PRIu64, r->options_len);
}

static void
print_position(struct buf *b, const struct position *p)
{
	switch (p->kind) {
	case POS_OLDEST:
		PRINT(b, " oldest");
		break;
	case POS_NOW:
		PRINT(b, " now");
		break;
	case POS_NUMBER:
		PRINT(b, " %" PRIu64, p->n);
		break;
	case POS_LAST:
		PRINT(b, " -%" PRIu64, p->n);
		break;
	case POS_TIME:
		PRINT(b, " @%" PRIu64 ".%09" PRIu32, p->n, p->nsec);
		break;
	default:
		abort();
	}
}

/* Requests about one message or one subscription. */
static void
print_settling(struct buf *b, const struct request *r)
{
	static const char *const how[] = { "ack", "nack", "retry", "dead" };

	switch (r->verb) {
	case REQ_RETRY:
	case REQ_DEAD:
		PRINT(b, "%s %s %" PRIu64 " %" PRIu64, r->verb == REQ_DEAD ? "DEAD" : "RETRY", r->topic,
		    r->seq, r->options_len);
		break;
	case REQ_HOLD:
		PRINT(b, "HOLD %s %" PRIu64 " %" PRIu64, r->topic, r->seq, r->ms);
		break;
	case REQ_SETTLE:
		PRINT(b, "SETTLE %s %s %s %" PRIu64 " %016" PRIx64 " %" PRIu64, how[r->how], r->topic, r->sub,
		    r->seq, r->token, r->options_len);
		break;
	case REQ_SUBADD:
		PRINT(b, "SUBADD %s %s %" PRIu64, r->topic, r->sub, r->options_len);
		break;
	case REQ_SUBRM:
		PRINT(b, "SUBRM %s %s", r->topic, r->sub);
		break;
	case REQ_SEEK:
		PRINT(b, "SEEK %s %s", r->topic, r->sub);
		print_position(b, &r->position);
		break;
	case REQ_RELEASE:
		PRINT(b, "RELEASE %s %s", r->topic, r->sub);
		break;
	case REQ_REDRIVE:
		PRINT(b, "REDRIVE %s %" PRIu64, r->topic, r->options_len);
		break;
	default:
		abort();
	}
}

static void
print_request(struct buf *b, const struct request *r)
{
	switch (r->verb) {
	case REQ_HELLO:
		PRINT(b, "HELLO %" PRIu64, r->version);
		break;
	case REQ_PUB:
		PRINT(b, "PUB %s %" PRIu64 " %" PRIu64, r->topic, r->headers_len, r->body_len);
		break;
	case REQ_PUBS:
		PRINT(b, "PUBS %s %" PRIu64 " %" PRIu64, r->topic, r->count, r->body_len);
		break;
	case REQ_STREAM:
		PRINT(b, "STREAM %s %" PRIu64, r->topic, r->headers_len);
		break;
	case REQ_RESUME:
		PRINT(b, "RESUME");
		break;
	case REQ_SUB:
		PRINT(b, "SUB %s %s", r->topic, r->sub);
		print_options(b, r);
		break;
	case REQ_TAIL:
		PRINT(b, "TAIL %s", r->topic);
		break;
	case REQ_READ:
		PRINT(b, "READ %s %" PRIu64 " %" PRIu64, r->topic, r->seq, r->last);
		break;
	case REQ_PEEK:
		PRINT(b, "PEEK %s %s", r->topic, r->sub);
		break;
	case REQ_TAKE:
		PRINT(b, "TAKE %" PRIu64 "%s", r->count, r->now ? " now" : "");
		break;
	case REQ_ACK:
	case REQ_NACK:
		PRINT(b, "%s %s", r->verb == REQ_ACK ? "ACK" : "NACK", r->topic);
		print_ranges(b, r);
		break;
	case REQ_CREATE:
		PRINT(b, "CREATE %s", r->topic);
		print_options(b, r);
		break;
	case REQ_SET:
		PRINT(b, "SET %s %" PRIu64, r->topic, r->options_len);
		break;
	case REQ_PURGE:
		PRINT(b, "PURGE %s", r->topic);
		if (r->has_position)
			PRINT(b, " %" PRIu64 ".%09" PRIu32, r->position.n, r->position.nsec);
		break;
	case REQ_DELETE:
		PRINT(b, "DELETE %s", r->topic);
		break;
	case REQ_LIST:
		print_page(b, "LIST", r);
		break;
	case REQ_SHOW:
		PRINT(b, "SHOW %s", r->topic);
		break;
	case REQ_STAT:
		print_page(b, "STAT", r);
		break;
	case REQ_SECURITY:
		PRINT(b, "%s", "SECURITY");
		break;
	default:
		print_settling(b, r);
	}
}

static void
require_same(const struct buf *b, const char *line, size_t len)
{
	require(buf_len(b) == len && memcmp(buf_data(b), line, len) == 0);
}

/* What an engine may rely on, whatever was said. */
static void
check_request(const struct request *r)
{
	require(r->headers_len <= PROTOCOL_HEADERS_MAX);
	require(r->verb != REQ_PUB || r->body_len <= MESS_INLINE_MAX);
	require(r->verb != REQ_PUBS || r->body_len <= PROTOCOL_BATCH_MAX);
	require(r->verb != REQ_PUBS || (r->count > 0 && r->count <= PROTOCOL_BATCH_COUNT));
	require(r->count <= PROTOCOL_TAKE_MAX);
	require(r->options_len <= PROTOCOL_OPTIONS_MAX);
}

static void
fuzz_request(const char *line, size_t len)
{
	AUTO_BUF struct buf b = BUF_INIT(PROTOCOL_LINE_MAX);
	const char *why = NULL;
	struct request r;

	switch (protocol_read_request(line, len, &r, &why)) {
	case MESS_OK:
		print_request(&b, &r);
		require_same(&b, line, len);
		check_request(&r);
		break;
	case MESS_BADNAME:
		require(why != NULL && r.headers_len <= INT64_MAX && r.body_len <= INT64_MAX);
		break;
	case MESS_TOOBIG:
		require(why != NULL);
		print_request(&b, &r);
		require_same(&b, line, len);
		break;
	case MESS_PROTOCOL:
		require(why != NULL);
		break;
	default:
		abort();
	}
}

static void
print_reply(struct buf *b, const struct reply *r, const char *line)
{
	switch (r->kind) {
	case REPLY_OK:
		PRINT(b, "OK%s", r->text_len == 0 ? "" : " ");
		break;
	case REPLY_ERR:
		/* An unknown word is not kept: it is taken from the line. */
		if (r->err != MESS_PROTOCOL)
			PRINT(b, "ERR %s%s", err_word(r->err), r->text_len == 0 ? "" : " ");
		else
			append(b, line, (size_t)(r->text - line));
		break;
	case REPLY_MSG:
		PRINT(b, "MSG %s %" PRIu64 " %" PRIu64 " %" PRIu64, r->topic, r->count, r->bytes, r->attempt);
		break;
	case REPLY_END:
		PRINT(b, "END");
		break;
	case REPLY_GONE:
		/* An unknown word is not kept: it is taken from the line. */
		append(b, line, (size_t)(r->text - line));
		break;
	default:
		abort();
	}
	append(b, r->text, r->text_len);
}

static void
fuzz_reply(const char *line, size_t len)
{
	AUTO_BUF struct buf b = BUF_INIT(PROTOCOL_LINE_MAX);
	struct reply r;
	uint64_t n;

	if (protocol_read_reply(line, len, &r) != MESS_OK)
		return;
	print_reply(&b, &r, line);
	require_same(&b, line, len);
	for (unsigned k = 0; protocol_reply_number(&r, k, &n); k++)
		require(n <= INT64_MAX);
}

static void
fuzz_counts(const char *data, size_t size)
{
	AUTO_BUF struct buf b = BUF_INIT(PROTOCOL_LINE_MAX);
	uint64_t headers, body, chunk;
	size_t used;

	if (protocol_read_item(data, size, &headers, &body, &used) == MESS_OK) {
		require(used <= size);
		PRINT(&b, "%" PRIu64 " %" PRIu64 "\n", headers, body);
		require_same(&b, data, used);
	}
	buf_reset(&b, PROTOCOL_LINE_MAX);
	if (protocol_read_chunk(data, size, &chunk) == MESS_OK) {
		require(chunk <= PROTOCOL_CHUNK_MAX);
		PRINT(&b, "%" PRIu64, chunk);
		require_same(&b, data, size);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size == 0 ? 1 : size);

	require(copy != NULL);
	memcpy(copy, data, size);
	fuzz_request(copy, size);
	fuzz_reply(copy, size);
	fuzz_counts(copy, size);
	free(copy);
	return 0;
}
