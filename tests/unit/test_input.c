/* SPDX-License-Identifier: ISC */
/*
 * Input Handler: the same requests however the bytes are cut, and never
 * more memory than the longest request.
 */
#include "input.h"

#include "test.h"

/* --- items as one text, in which the cutting of chunks does not show -------- */

struct told {
	struct buf text;
	bool in_chunks;
	bool broken;
};

static void
tell(struct told *t, const struct input_item *i)
{
	static const char *const kinds[] = { "more", "request", "refused", "chunk", "end", "broken" };
	const struct request *r = &i->request;

	if (i->kind == INPUT_CHUNK) {
		CHECK(buf_append(&t->text, i->payload, i->payload_len) == MESS_OK);
		t->in_chunks = true;
		return;
	}
	CHECK(buf_printf(&t->text, "\n%s", kinds[i->kind]) == MESS_OK);
	t->in_chunks = false;
	if (i->kind == INPUT_REQUEST || i->kind == INPUT_REFUSED)
		CHECK(buf_printf(&t->text, " %d %s %s %llu %llu %llu %d", r->verb, r->topic, r->sub,
		    (unsigned long long)r->headers_len, (unsigned long long)r->body_len,
		    (unsigned long long)r->count, i->err) == MESS_OK);
	if (i->kind == INPUT_REQUEST && r->verb == REQ_ACK) {
		const char *ranges = r->ranges;
		size_t len = r->ranges_len;
		uint64_t lo, hi;

		while (protocol_next_range(&ranges, &len, &lo, &hi))
			CHECK(buf_printf(&t->text, " %llu-%llu", (unsigned long long)lo,
			    (unsigned long long)hi) == MESS_OK);
	}
	if (i->kind == INPUT_REQUEST && i->payload_len > 0)
		CHECK(buf_printf(&t->text, " [%.*s]", (int)i->payload_len, i->payload) == MESS_OK);
	if (i->kind == INPUT_BROKEN || i->kind == INPUT_REFUSED)
		CHECK(i->err != MESS_OK && i->why != NULL);
	t->broken = i->kind == INPUT_BROKEN;
}

/* One piece of bytes, in memory of exactly its size. */
static void
feed(struct input *in, struct told *t, const char *data, size_t len)
{
	char *copy = test_copy(data, len);
	struct input_item item;

	CHECK(input_begin(in, copy, len) == MESS_OK);
	for (;;) {
		input_next(in, &item);
		if (item.kind == INPUT_MORE)
			break;
		tell(t, &item);
		if (t->broken)
			break;
	}
	CHECK(input_end(in) == MESS_OK);
	free(copy);
}

static struct told
read_cut(const char *data, size_t len, const size_t *cuts, size_t count)
{
	struct told t = { .text = BUF_INIT((size_t)1 << 20) };
	struct input in;
	size_t at = 0;

	input_init(&in);
	for (size_t i = 0; i <= count && !t.broken; i++) {
		size_t end = i < count ? cuts[i] : len;

		feed(&in, &t, data + at, end - at);
		at = end;
	}
	input_free(&in);
	return t;
}

static bool
same(const struct told *a, const struct told *b)
{
	return buf_len(&a->text) == buf_len(&b->text) &&
	    memcmp(buf_data(&a->text), buf_data(&b->text), buf_len(&a->text)) == 0;
}

static const char session[] =
    "HELLO 1\n"
    "PUB orders 6 5\nA: bc\nhello"
    "PUB orders 0 0\n"
    "PUBS orders 2 10\n0 1\nx0 1\ny"
    "PUB Bad!name 3 4\nA:\nPUB "	/* refused: its bytes look like a request */
    "STAT *\n"
    "STREAM orders 6\nA: bc\n4\nSTAT2\n\n\n0\n"
    "STREAM bad..name 3\nabc5\nHELLO1\nx0\n"
    "PUB orders 9500 3\n";	/* refused: too many headers; they follow */

/* The session's text, with a refusal for its size in it; its length. */
static size_t
make_session(char *out)
{
	size_t n = sizeof session - 1;

	memcpy(out, session, n);
	memset(out + n, 'P', 9503);
	n += 9503;
	n += (size_t)sprintf(out + n, "ACK orders 1 5-9 12\nSUB orders nightly\nTAKE 5 now\nLIST **\n");
	return n;
}

TEST("input: a session is what was sent")
{
	char *text = malloc(20000);
	size_t len = make_session(text);
	struct told t = read_cut(text, len, NULL, 0);

	CHECK(buf_append(&t.text, "", 1) == MESS_OK);
	CHECK(strcmp(buf_data(&t.text),
	    "\nrequest 0   0 0 0 0"
	    "\nrequest 1 orders  6 5 0 0 [A: bc\nhello]"
	    "\nrequest 1 orders  0 0 0 0"
	    "\nrequest 2 orders  0 10 2 0 [0 1\nx0 1\ny]"
	    "\nrefused 1 Bad!name  3 4 0 2"
	    "\nrequest 27 *  0 0 0 0"
	    "\nrequest 3 orders  6 0 0 0 [A: bc\n]"
	    "STAT\n\n" "\nend"
	    "\nrefused 3 bad..name  3 0 0 2"
	    "HELLOx" "\nend"
	    "\nrefused 1 orders  9500 3 0 4"
	    "\nrequest 10 orders  0 0 0 0 1-1 5-9 12-12"
	    "\nrequest 5 orders nightly 0 0 0 0"
	    "\nrequest 9   0 0 5 0"
	    "\nrequest 25 **  0 0 0 0") == 0);
	CHECK(!t.broken);
	if (test_failed_expr != NULL)
		printf("# %s\n", buf_data(&t.text));
	buf_free(&t.text);
	free(text);
}

TEST("input: cut at any byte, a session is the same")
{
	char *text = malloc(20000);
	size_t len = make_session(text);
	struct told whole = read_cut(text, len, NULL, 0);

	for (size_t i = 0; i <= len; i++) {
		struct told t = read_cut(text, len, &i, 1);

		if (!CHECK(same(&t, &whole)))
			printf("# cut at %zu\n", i);
		buf_free(&t.text);
	}
	buf_free(&whole.text);
	free(text);
}

TEST("input: byte by byte, and in pieces of any size, a session is the same")
{
	size_t cuts[20000];
	char *text = malloc(20000);
	size_t len = make_session(text);
	struct told whole = read_cut(text, len, NULL, 0), t;

	for (size_t round = 0; round < 200; round++) {
		size_t count = 0;

		for (size_t at = 0; at < len; count++) {
			at += round == 0 ? 1 : 1 + test_random() % (round * 8);
			cuts[count] = at < len ? at : len;
		}
		t = read_cut(text, len, cuts, count);
		CHECK(same(&t, &whole));
		buf_free(&t.text);
	}
	buf_free(&whole.text);
	free(text);
}

/* --- limits ------------------------------------------------------------------- */

/* What comes of this line, with payload bytes behind it, and a STAT behind those. */
static void
after_line(const char *line, size_t payload, enum input_kind *kind, enum mess_err *err, bool *goes_on)
{
	size_t len = strlen(line);
	char *text = malloc(len + payload + 16);
	struct input_item item;
	struct input in;

	memcpy(text, line, len);
	memset(text + len, 'x', payload);
	memcpy(text + len + payload, "STAT *\n", 7);
	input_init(&in);
	in.hello = true;
	CHECK(input_begin(&in, text, len + payload + 7) == MESS_OK);
	input_next(&in, &item);
	*kind = item.kind;
	*err = item.err;
	if (item.kind != INPUT_BROKEN) {
		input_next(&in, &item);
		*goes_on = item.kind == INPUT_REQUEST && item.request.verb == REQ_STAT;
	} else
		*goes_on = false;
	CHECK(input_end(&in) == MESS_OK);
	input_free(&in);
	free(text);
}

TEST("input: bodies, headers and batches at their limits, one less and one more")
{
	static const struct {
		const char *before, *behind;
		size_t limit, beside;
	} cases[] = {
		{ "PUB orders 0 ", "", MESS_INLINE_MAX, 0 },
		{ "PUB orders ", " 5", PROTOCOL_HEADERS_MAX, 5 },
		{ "PUBS orders 3 ", "", PROTOCOL_BATCH_MAX, 0 },
		{ "PUBS orders ", " 7", PROTOCOL_BATCH_COUNT, 7 },
	};

	for (size_t i = 0; i < 4; i++)
		for (size_t n = cases[i].limit - 1; n <= cases[i].limit + 1; n++) {
			bool fits = n <= cases[i].limit, goes_on;
			size_t payload = i == 3 ? 7 : n + cases[i].beside;
			enum input_kind kind;
			enum mess_err err;
			char line[64];

			(void)snprintf(line, sizeof line, "%s%zu%s\n", cases[i].before, n, cases[i].behind);
			after_line(line, payload, &kind, &err, &goes_on);
			if (!CHECK(kind == (fits ? INPUT_REQUEST : INPUT_REFUSED)) ||
			    !CHECK(err == (fits ? MESS_OK : MESS_TOOBIG)) || !CHECK(goes_on))
				printf("# %s", line);
		}
}

TEST("input: a line of 4096 bytes with its newline is read, a longer one ends the reading")
{
	for (size_t len = PROTOCOL_LINE_MAX - 1; len <= PROTOCOL_LINE_MAX + 1; len++) {
		char line[PROTOCOL_LINE_MAX + 2] = "ACK orders";
		enum input_kind kind;
		enum mess_err err;
		bool goes_on;

		size_t n = strlen(line);

		while (n + 2 < len)
			n += (size_t)sprintf(line + n, len - n > 4 ? " 1" : len - n == 4 ? " 12" : " 1");
		line[n++] = '\n';
		line[n] = '\0';
		CHECK(n == len);
		after_line(line, 0, &kind, &err, &goes_on);
		CHECK((kind == INPUT_REQUEST && goes_on) == (len <= PROTOCOL_LINE_MAX));
		CHECK(len <= PROTOCOL_LINE_MAX || (kind == INPUT_BROKEN && err == MESS_PROTOCOL));
	}
}

TEST("input: a line without end is refused as soon as it is too long")
{
	struct input_item item;
	struct input in;
	char bytes[64];

	memset(bytes, 'A', sizeof bytes);
	input_init(&in);
	for (size_t n = 0;; n += sizeof bytes) {
		CHECK(input_begin(&in, bytes, sizeof bytes) == MESS_OK);
		input_next(&in, &item);
		CHECK(input_end(&in) == MESS_OK);
		if (item.kind != INPUT_MORE) {
			CHECK(item.kind == INPUT_BROKEN && n + sizeof bytes == PROTOCOL_LINE_MAX);
			break;
		}
		if (!CHECK(n < PROTOCOL_LINE_MAX))
			break;
	}
	input_free(&in);
}

TEST("input: chunks at their limit, one less and one more")
{
	for (size_t n = PROTOCOL_CHUNK_MAX - 1; n <= PROTOCOL_CHUNK_MAX + 1; n++) {
		struct input_item item;
		struct input in;
		char line[32];

		input_init(&in);
		in.hello = in.chunks = true;
		(void)snprintf(line, sizeof line, "%zu\n", n);
		CHECK(input_begin(&in, line, strlen(line)) == MESS_OK);
		input_next(&in, &item);
		CHECK(item.kind == (n <= PROTOCOL_CHUNK_MAX ? INPUT_CHUNK : INPUT_BROKEN));
		CHECK(input_end(&in) == MESS_OK);
		input_free(&in);
	}
}

/* --- hostile ---------------------------------------------------------------------- */

TEST("input: HELLO comes first, and once; what is no request ends the reading")
{
	static const char *const texts[] = { "STAT *\n", "PUB orders 0 0\n", "\n", "GET / HTTP/1.1\r\n",
		"HELLO 1\nHELLO 1\n", "HELLO 1\nPUB orders 0\n", "HELLO 1\nPUB orders 1 -1\n",
		"HELLO 1\nPUB orders 0 18446744073709551615\n", "HELLO 1\nSTREAM orders 0\nx\n",
		"HELLO 1\nSTREAM orders 0\n01\n", "HELLO 1\nPUBS orders 0 0\n", "HELLO 1\n STAT *\n" };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct told t = read_cut(texts[i], strlen(texts[i]), NULL, 0);

		if (!CHECK(t.broken))
			printf("# %s\n", texts[i]);
		buf_free(&t.text);
	}
}

TEST("input: the bytes of a refused request are skipped without being kept, however many")
{
	static char bytes[256 * 1024];
	static const char line[] = "HELLO 1\nPUB Bad 0 9223372036854775807\n";
	struct input_item item;
	struct input in;

	memset(bytes, '\n', sizeof bytes);
	input_init(&in);
	CHECK(input_begin(&in, line, sizeof line - 1) == MESS_OK);
	input_next(&in, &item);
	input_next(&in, &item);
	CHECK(item.kind == INPUT_REFUSED && item.err == MESS_BADNAME);
	CHECK(input_end(&in) == MESS_OK);

	for (int i = 0; i < 100; i++) {
		CHECK(input_begin(&in, bytes, sizeof bytes) == MESS_OK);
		input_next(&in, &item);
		CHECK(item.kind == INPUT_MORE && input_end(&in) == MESS_OK);
		CHECK(buf_len(&in.held) == 0 && in.held.cap == 0 && !input_is_idle(&in));
	}
	input_free(&in);
}

TEST("input: memory is bounded by the longest request and empty when idle")
{
	static char bytes[64 * 1024];
	char line[64];
	struct input_item item;
	struct input in;
	size_t sent = 0;

	input_init(&in);
	CHECK(input_is_idle(&in));
	(void)snprintf(line, sizeof line, "HELLO 1\nPUBS orders 2 %zu\n", PROTOCOL_BATCH_MAX);
	CHECK(input_begin(&in, line, strlen(line)) == MESS_OK);
	input_next(&in, &item);
	input_next(&in, &item);
	CHECK(item.kind == INPUT_MORE && input_end(&in) == MESS_OK && !input_is_idle(&in));
	while (item.kind == INPUT_MORE && sent < (size_t)8 << 20) {
		size_t n = PROTOCOL_BATCH_MAX - sent < sizeof bytes ? PROTOCOL_BATCH_MAX - sent : sizeof bytes;

		CHECK(input_begin(&in, bytes, n) == MESS_OK);
		input_next(&in, &item);
		CHECK(in.held.cap <= (size_t)8 * 1024 * 1024);
		CHECK(item.kind != INPUT_REQUEST || item.payload_len == PROTOCOL_BATCH_MAX);
		CHECK(input_end(&in) == MESS_OK);
		sent += n;
	}
	CHECK(item.kind == INPUT_REQUEST && sent == PROTOCOL_BATCH_MAX);
	CHECK(input_is_idle(&in) && in.held.cap == 0);
	input_free(&in);
}

TEST("input: any bytes, cut anyhow, are the same answer")
{
	static const char letters[] = "HELLO 1\nPUB o 0123\nPUBS STREAM STAT *\n0\n";

	for (int round = 0; round < 20000; round++) {
		size_t len = 8 + test_random() % 60, cut = test_random() % len;
		struct told whole, t;
		char text[80] = "HELLO 1\n";

		for (size_t i = 8; i < len; i++)
			text[i] = letters[test_random() % (sizeof letters - 1)];
		whole = read_cut(text, len, NULL, 0);
		t = read_cut(text, len, &cut, 1);
		if (!CHECK(same(&t, &whole)))
			printf("# %.*s\n", (int)len, text);
		buf_free(&t.text);
		buf_free(&whole.text);
	}
}
