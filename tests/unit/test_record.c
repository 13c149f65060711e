/* SPDX-License-Identifier: ISC */
/*
 * Records: what was written is read, and nothing else is.
 */
#include "record.h"

#include <inttypes.h>

#include "base/buf.h"
#include "test.h"

#define BUF_MAX (RECORD_MAX * 2)

/* Append a record to b; lengths and sum of r are set. */
static void
write_record(struct buf *b, struct record *r, const char *headers, const void *body, size_t body_len)
{
	char line[RECORD_LINE_MAX];
	uint64_t sum = record_payload_sum(headers, strlen(headers), body, body_len);
	size_t len;

	r->headers_len = (uint32_t)strlen(headers);
	r->body_len = body_len;
	len = record_write_line(r, sum, line);
	if (buf_append(b, line, len) != MESS_OK ||
	    buf_append(b, headers, strlen(headers)) != MESS_OK ||
	    buf_append(b, "\n", 1) != MESS_OK ||
	    buf_append(b, body, r->apart ? 0 : body_len) != MESS_OK ||
	    buf_append(b, "\n", 1) != MESS_OK)
		abort();
}

static bool
same(const struct record *a, const struct record *b)
{
	return a->seq == b->seq && a->sec == b->sec && a->nsec == b->nsec && a->uid == b->uid &&
	    a->gid == b->gid && a->pid == b->pid && a->headers_len == b->headers_len &&
	    a->body_len == b->body_len && a->sum == b->sum && a->apart == b->apart;
}

/* record_read of a copy of exactly len bytes. */
static enum mess_err
read_copy(const char *data, size_t len, struct record *out, size_t *record_len)
{
	char *copy = test_copy(data, len);
	enum mess_err err = record_read(copy, len, out, record_len);

	free(copy);
	return err;
}

static enum mess_err
read_line(const char *line)
{
	char *copy = test_copy(line, strlen(line));
	struct record r;
	enum mess_err err = record_read_line(copy, strlen(line), &r);

	free(copy);
	return err;
}

static struct record
sample(void)
{
	return (struct record){ .seq = 17, .sec = 1763690000, .nsec = 42, .uid = 1000,
		.gid = 100, .pid = 4711 };
}

TEST("record: the text is that of mess-spool(5)")
{
	static const char expected[] =
	    "mess1 17 1763690000.000000042 1000 100 4711 12 5 db82f44155165c2d\n"
	    "Subject: hi\n"
	    "\n"
	    "hello\n";
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	struct record r = sample();

	write_record(&b, &r, "Subject: hi\n", "hello", 5);

	if (!CHECK(buf_len(&b) == strlen(expected)) ||
	    !CHECK(memcmp(buf_data(&b), expected, buf_len(&b)) == 0))
		printf("# %.*s\n", (int)buf_len(&b), buf_data(&b));
}

TEST("record: an empty message is read back")
{
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	struct record r = { 0 }, got;
	size_t len;

	write_record(&b, &r, "", "", 0);

	CHECK(read_copy(buf_data(&b), buf_len(&b), &got, &len) == MESS_OK);
	CHECK(len == buf_len(&b) && same(&r, &got));
}

TEST("record: the largest numbers are read back, within RECORD_LINE_MAX")
{
	struct record r = { .seq = UINT64_MAX, .sec = UINT64_MAX, .nsec = 999999999, .uid = UINT32_MAX,
		.gid = UINT32_MAX, .pid = INT32_MAX, .headers_len = RECORD_BLOCK_MAX,
		.body_len = RECORD_BODY_MAX };
	char line[RECORD_LINE_MAX];
	struct record got;
	size_t len = record_write_line(&r, UINT64_MAX, line);

	CHECK(len < RECORD_LINE_MAX);
	CHECK(record_read_line(line, len, &got) == MESS_OK);
	CHECK(same(&r, &got));
	CHECK(record_rest_len(&got) == RECORD_BLOCK_MAX + RECORD_BODY_MAX + 2);
	CHECK(record_sum_holds(&got, UINT64_MAX));
	CHECK(!record_sum_holds(&got, 0));
}

#define LINE(seq, time, uid, gid, pid, hlen, blen) \
	"mess1 " seq " " time " " uid " " gid " " pid " " hlen " " blen " 0123456789abcdef\n"

TEST("record: a number at its limit is read, one above is refused")
{
	CHECK(read_line(LINE("1", "2.000000003", "4", "5", "6", "7", "8")) == MESS_OK);
	CHECK(read_line(LINE("18446744073709551615", "2.000000003", "4", "5", "6", "7", "8")) == MESS_OK);
	CHECK(read_line(LINE("18446744073709551616", "2.000000003", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("99999999999999999999", "2.000000003", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "18446744073709551616.000000003", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.999999999", "4", "5", "6", "7", "8")) == MESS_OK);
	CHECK(read_line(LINE("1", "2.0", "4294967295", "4294967295", "2147483647", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.000000000", "4294967295", "5", "6", "7", "8")) == MESS_OK);
	CHECK(read_line(LINE("1", "2.000000000", "4294967296", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.000000000", "4", "4294967295", "6", "7", "8")) == MESS_OK);
	CHECK(read_line(LINE("1", "2.000000000", "4", "4294967296", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.000000000", "4", "5", "2147483647", "7", "8")) == MESS_OK);
	CHECK(read_line(LINE("1", "2.000000000", "4", "5", "2147483648", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.000000000", "4", "5", "6", "8191", "8")) == MESS_OK);
	CHECK(read_line(LINE("1", "2.000000000", "4", "5", "6", "16384", "8")) == MESS_OK);
	CHECK(read_line(LINE("1", "2.000000000", "4", "5", "6", "16385", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.000000000", "4", "5", "6", "7", "9223372036854775807")) == MESS_OK);
	CHECK(read_line(LINE("1", "2.000000000", "4", "5", "6", "7", "9223372036854775808")) == MESS_BADDATA);
}

TEST("record: a number has one spelling")
{
	static const char *const wrong[] = { "", "00", "01", "+1", "-1", " 1", "1 ", "0x1", "1e3", "1.",
		"a", "\t1", "1\r" };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char line[200];
		static const char *const forms[] = {
			"mess1 %s 2.000000003 4 5 6 7 8 0123456789abcdef\n",
			"mess1 1 %s.000000003 4 5 6 7 8 0123456789abcdef\n",
			"mess1 1 2.000000003 %s 5 6 7 8 0123456789abcdef\n",
			"mess1 1 2.000000003 4 %s 6 7 8 0123456789abcdef\n",
			"mess1 1 2.000000003 4 5 %s 7 8 0123456789abcdef\n",
			"mess1 1 2.000000003 4 5 6 %s 8 0123456789abcdef\n",
			"mess1 1 2.000000003 4 5 6 7 %s 0123456789abcdef\n",
		};

		for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
			const char *hole = strchr(forms[k], '%');

			(void)snprintf(line, sizeof line, "%.*s%s%s", (int)(hole - forms[k]), forms[k],
			    wrong[i], hole + 2);
			if (!CHECK(read_line(line) == MESS_BADDATA))
				printf("# %s", line);
		}
	}
}

TEST("record: time has nine digits behind its dot, the sum 16 lower-case ones")
{
	CHECK(read_line(LINE("1", "2.00000000", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.0000000000", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2,000000000", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line(LINE("1", "2.00000000-", "4", "5", "6", "7", "8")) == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789ABCDEF\n") == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789abcde\n") == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789abcdeff\n") == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789abcdeg\n") == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789abcdef") == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789abcdef \n") == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789abcdef\n\n") == MESS_BADDATA);
	CHECK(read_line("mess1 1 2.000000003 4 5 6 7 8 0123456789abcdef\r\n") == MESS_BADDATA);
}

TEST("record: an unknown kind is refused, and body1 for what fits inline")
{
	CHECK(read_line("mess2 1 2.000000003 4 5 6 7 8 0123456789abcdef\n") == MESS_BADDATA);
	CHECK(read_line("Mess1 1 2.000000003 4 5 6 7 8 0123456789abcdef\n") == MESS_BADDATA);
	CHECK(read_line(" mess1 1 2.000000003 4 5 6 7 8 0123456789abcdef\n") == MESS_BADDATA);
	CHECK(read_line("mess1  1 2.000000003 4 5 6 7 8 0123456789abcdef\n") == MESS_BADDATA);
	CHECK(read_line("\n") == MESS_BADDATA);
	CHECK(read_line("") == MESS_BADDATA);
	CHECK(read_line("body1 1 2.000000003 4 5 6 7 262143 0123456789abcdef\n") == MESS_BADDATA);
	CHECK(read_line("body1 1 2.000000003 4 5 6 7 262144 0123456789abcdef\n") == MESS_BADDATA);
	CHECK(read_line("body1 1 2.000000003 4 5 6 7 262145 0123456789abcdef\n") == MESS_OK);
}

/* Headers and bodies that stand for all: none, text, all bytes, a forged record. */
static void
each_message(void (*fn)(const struct buf *text, const struct record *r))
{
	static const char *const headers[] = { "", "A: b\n", "Subject: gr\303\274\303\237e\nA: \n" };
	static const char forged[] = "\n\nmess1 1 2.000000003 4 5 6 0 1 0123456789abcdef\n\nx\n";
	char all[256];
	const struct {
		const char *data;
		size_t len;
	} bodies[] = { { "", 0 }, { "\n", 1 }, { "hello", 5 }, { all, sizeof all }, { forged, sizeof forged } };

	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	for (size_t h = 0; h < sizeof headers / sizeof headers[0]; h++)
		for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
			AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
			struct record r = sample();

			write_record(&b, &r, headers[h], bodies[i].data, bodies[i].len);
			fn(&b, &r);
		}
}

static void
reads_back(const struct buf *text, const struct record *r)
{
	struct record got;
	size_t len;

	CHECK(read_copy(buf_data(text), buf_len(text), &got, &len) == MESS_OK);
	CHECK(len == buf_len(text) && same(r, &got));
}

TEST("record: any bytes may be a body, a forged record among them")
{
	each_message(reads_back);
}

static void
needs_every_byte(const struct buf *text, const struct record *r)
{
	const char *data = buf_data(text);
	size_t line = buf_len(text) - record_rest_len(r);
	struct record got;
	size_t len;

	for (size_t cut = 0; cut < buf_len(text); cut++)
		CHECK(read_copy(data, cut, &got, &len) == MESS_TOOBIG);
	for (size_t cut = 0; cut < line; cut++)
		CHECK(record_read_line(data, cut, &got) == MESS_BADDATA);
}

TEST("record: cut anywhere, it is never read")
{
	each_message(needs_every_byte);
}

/*
 * Eight bits of every byte.  Behind the line the lengths hold, so that the
 * next record is found: MESS_CORRUPT with the true length.
 */
static void
shows_every_change(const struct buf *text, const struct record *r)
{
	size_t line = buf_len(text) - record_rest_len(r);

	for (size_t i = 0; i < buf_len(text); i++)
		for (int bit = 0; bit < 8; bit++) {
			char *copy = test_copy(buf_data(text), buf_len(text));
			struct record got;
			size_t len = 0;
			enum mess_err err;

			copy[i] = (char)(copy[i] ^ 1 << bit);
			err = record_read(copy, buf_len(text), &got, &len);
			CHECK(err == MESS_TOOBIG || err == MESS_BADDATA || err == MESS_CORRUPT);
			CHECK(i < line || (err == MESS_CORRUPT && len == buf_len(text)));
			CHECK(i >= 6 || err == MESS_BADDATA);
			free(copy);
		}
}

TEST("record: a changed bit is never overlooked")
{
	each_message(shows_every_change);
}

TEST("record: when neither sum nor last newline holds, its end is not known")
{
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	struct record r = sample(), got;
	size_t len;

	write_record(&b, &r, "A: b\n", "hello", 5);
	buf_data(&b)[buf_len(&b) - 3] ^= 1;
	buf_data(&b)[buf_len(&b) - 1] ^= 1;

	CHECK(record_read(buf_data(&b), buf_len(&b), &got, &len) == MESS_BADDATA);
}

TEST("record: a sum over something else than the empty line does not make it one")
{
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	struct record_summer *s = record_summer_new();
	char line[RECORD_LINE_MAX];
	struct record r = sample(), got;
	size_t len;

	record_summer_add(s, "Xhello", 6);
	r.body_len = 5;
	len = record_write_line(&r, record_summer_end(s), line);
	CHECK(buf_append(&b, line, len) == MESS_OK && buf_append(&b, "Xhello\n", 7) == MESS_OK);

	CHECK(record_read(buf_data(&b), buf_len(&b), &got, &len) == MESS_CORRUPT);
	record_summer_free(s);
}

TEST("record: results are written only with MESS_OK and MESS_CORRUPT")
{
	struct record got = { .seq = 4711 };
	size_t len = 4711;

	CHECK(record_read("mess1 1", 7, &got, &len) == MESS_TOOBIG);
	CHECK(record_read("mess1 1\n", 8, &got, &len) == MESS_BADDATA);
	CHECK(record_read("\n\n\n", 3, &got, &len) == MESS_BADDATA);
	CHECK(record_read("", 0, &got, &len) == MESS_TOOBIG);
	CHECK(record_read_line("mess1 1\n", 8, &got) == MESS_BADDATA);
	CHECK(got.seq == 4711 && len == 4711);
}

TEST("record: without a newline in RECORD_LINE_MAX bytes it is none")
{
	char data[RECORD_LINE_MAX];
	struct record got;
	size_t len;

	memset(data, '1', sizeof data);
	CHECK(read_copy(data, RECORD_LINE_MAX - 1, &got, &len) == MESS_TOOBIG);
	CHECK(read_copy(data, RECORD_LINE_MAX, &got, &len) == MESS_BADDATA);
}

TEST("record: records follow each other without anything between")
{
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	size_t at = 0, len;
	struct record got;

	for (uint64_t seq = 1; seq <= 100; seq++) {
		struct record r = { .seq = seq };

		write_record(&b, &r, "", "mess1 ", seq % 7);
	}
	for (uint64_t seq = 1; seq <= 100; seq++) {
		CHECK(record_read(buf_data(&b) + at, buf_len(&b) - at, &got, &len) == MESS_OK);
		CHECK(got.seq == seq);
		at += len;
	}
	CHECK(at == buf_len(&b));
}

TEST("record: of body1 the sum is that of the mess1 record with its body")
{
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	static char body[MESS_INLINE_MAX + 1];
	size_t body_len = sizeof body, len;
	struct record apart = sample(), whole = sample(), got;

	apart.apart = true;
	write_record(&b, &whole, "A: b\n", body, body_len);
	buf_reset(&b, BUF_MAX);
	write_record(&b, &apart, "A: b\n", body, body_len);

	CHECK(memcmp(buf_data(&b), "body1 17 ", 9) == 0);
	CHECK(apart.sum == whole.sum);
	CHECK(record_rest_len(&apart) == 7 && record_rest_len(&whole) == 7 + body_len);
	CHECK(read_copy(buf_data(&b), buf_len(&b), &got, &len) == MESS_OK);
	CHECK(len == buf_len(&b) && same(&apart, &got));
	CHECK(record_sum_holds(&got, record_payload_sum("A: b\n", 5, body, body_len)));
	body[body_len - 1] = 1;
	CHECK(!record_sum_holds(&got, record_payload_sum("A: b\n", 5, body, body_len)));
}

TEST("record: of body1 every cut, and a change to what is there, is seen")
{
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	static const char body[MESS_INLINE_MAX + 1];
	struct record r = sample(), got;
	uint64_t sum;
	size_t len;

	r.apart = true;
	sum = record_payload_sum("A: b\n", 5, body, MESS_INLINE_MAX + 1);
	write_record(&b, &r, "A: b\n", body, MESS_INLINE_MAX + 1);

	for (size_t i = 0; i < buf_len(&b); i++) {
		char *copy = test_copy(buf_data(&b), buf_len(&b));

		CHECK(read_copy(copy, i, &got, &len) == MESS_TOOBIG);
		copy[i] ^= 1;
		/* The headers are summed with the body, by who has it. */
		if (record_read(copy, buf_len(&b), &got, &len) == MESS_OK)
			CHECK(!record_sum_holds(&got, sum) ||
			    (i >= len - 7 && i < len - 2));
		free(copy);
	}
}

TEST("record: the sum in one call, of parts and of the contiguous payload agree")
{
	static const size_t lens[] = { 0, 1, 2, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 255, 256, 257,
		511, 512, 1022, 1023, 1024, 1025, 4096, 8192 };
	const size_t count = sizeof lens / sizeof lens[0];
	static char payload[8192 * 2 + 1];

	for (size_t i = 0; i < count * count; i++) {
		size_t h = lens[i / count], n = lens[i % count];
		struct record_summer *whole = record_summer_new(), *bytes = record_summer_new();
		char *headers, *body;
		uint64_t sum;

		for (size_t k = 0; k < h + 1 + n; k++)
			payload[k] = (char)test_random();
		payload[h] = '\n';
		headers = test_copy(payload, h);
		body = test_copy(payload + h + 1, n);
		sum = record_payload_sum(headers, h, body, n);
		record_summer_add(whole, payload, h + 1 + n);
		for (size_t k = 0; k < h + 1 + n; k++)
			record_summer_add(bytes, payload + k, 1);
		CHECK(record_summer_end(whole) == sum);
		CHECK(record_summer_end(bytes) == sum);
		CHECK(record_summer_end(bytes) == sum); /* asking changes nothing */
		record_summer_free(whole);
		record_summer_free(bytes);
		free(headers);
		free(body);
	}
	record_summer_free(NULL);
	CHECK(record_payload_sum(NULL, 0, NULL, 0) == record_payload_sum("", 0, "", 0));
}

/* Numbers of every length, not only long ones. */
static uint64_t
random_number(void)
{
	uint64_t n = test_random();

	return n >> test_random() % 64;
}

static struct record
random_record(void)
{
	return (struct record){ .seq = random_number(), .sec = random_number(),
		.nsec = (uint32_t)(random_number() % 1000000000), .uid = (uint32_t)random_number(),
		.gid = (uint32_t)random_number(), .pid = (uint32_t)(random_number() & INT32_MAX) };
}

TEST("record: random records are read back, and their lines are printf's")
{
	static char body[2000];
	char expected[RECORD_LINE_MAX];

	for (int i = 0; i < 20000; i++) {
		AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
		struct record r = random_record(), got;
		size_t n = test_random() % sizeof body, len;
		int line;

		for (size_t k = 0; k < n; k++)
			body[k] = (char)test_random();
		write_record(&b, &r, i % 2 == 0 ? "" : "A: b\nLonger: value\n", body, n);
		line = snprintf(expected, sizeof expected, "mess1 %" PRIu64 " %" PRIu64 ".%09" PRIu32
		    " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu64 " %016" PRIx64 "\n",
		    r.seq, r.sec, r.nsec, r.uid, r.gid, r.pid, r.headers_len, r.body_len, r.sum);
		if (!CHECK(read_copy(buf_data(&b), buf_len(&b), &got, &len) == MESS_OK) ||
		    !CHECK(len == buf_len(&b) && same(&r, &got)) ||
		    !CHECK(memcmp(buf_data(&b), expected, (size_t)line) == 0))
			return;
	}
}

TEST("record: the largest record that a segment holds is RECORD_MAX at most")
{
	AUTO_BUF struct buf b = BUF_INIT(BUF_MAX);
	static char headers[RECORD_BLOCK_MAX + 1], body[MESS_INLINE_MAX];
	struct record r = { .seq = UINT64_MAX, .sec = UINT64_MAX, .uid = UINT32_MAX,
		.gid = UINT32_MAX, .pid = INT32_MAX }, got;
	size_t len;

	memset(headers, 'x', RECORD_BLOCK_MAX);
	write_record(&b, &r, headers, body, MESS_INLINE_MAX);
	CHECK(buf_len(&b) <= RECORD_MAX);
	CHECK(read_copy(buf_data(&b), buf_len(&b), &got, &len) == MESS_OK);
}

/* --- headers --- */

static enum mess_err
header_as(const char *line, size_t len, bool engine)
{
	char *copy = test_copy(line, len);
	const char *why = NULL;
	enum mess_err err = record_header_check(copy, len, engine, &why);

	if ((why != NULL) != (err != MESS_OK) || record_header_check(copy, len, engine, NULL) != err)
		err = MESS_BUG;
	free(copy);
	return err;
}

static enum mess_err
header(const char *line)
{
	return header_as(line, strlen(line), false);
}

static enum mess_err
block(const char *headers, size_t len)
{
	char *copy = test_copy(headers, len);
	const char *why = NULL;
	enum mess_err err = record_headers_check(copy, len, false, &why);

	if ((why != NULL) != (err != MESS_OK) || record_headers_check(copy, len, false, NULL) != err)
		err = MESS_BUG;
	free(copy);
	return err;
}

TEST("headers: a name, a colon, a space and a value, perhaps empty")
{
	CHECK(header("Subject: hello") == MESS_OK);
	CHECK(header("X-9-: a: b") == MESS_OK);
	CHECK(header("a: ") == MESS_OK);
	CHECK(header("a:  two ") == MESS_OK);
	CHECK(header("") == MESS_BADDATA);
	CHECK(header("a") == MESS_BADDATA);
	CHECK(header("a:") == MESS_BADDATA);
	CHECK(header("a:b") == MESS_BADDATA);
	CHECK(header("a b") == MESS_BADDATA);
	CHECK(header(": b") == MESS_BADDATA);
	CHECK(header(" a: b") == MESS_BADDATA);
	CHECK(header("a : b") == MESS_BADDATA);
	CHECK(header("9a: b") == MESS_BADDATA);
	CHECK(header("-a: b") == MESS_BADDATA);
	CHECK(header("a_b: c") == MESS_BADDATA);
	CHECK(header("gr\303\274n: c") == MESS_BADDATA);
}

TEST("headers: a name has 63, 64, but not 65 bytes")
{
	for (size_t n = 63; n <= 65; n++) {
		char line[80];

		memset(line, 'a', n);
		memcpy(line + n, ": v", 4);
		CHECK(header(line) == (n <= 64 ? MESS_OK : MESS_BADDATA));
	}
}

TEST("headers: names that start with Mess-, in any case, are the engine's")
{
	CHECK(header("Mess-Id: 1") == MESS_BADDATA);
	CHECK(header("mess-id: 1") == MESS_BADDATA);
	CHECK(header("MESS-: 1") == MESS_BADDATA);
	CHECK(header("Mess: 1") == MESS_OK);
	CHECK(header("Message-Id: 1") == MESS_OK);
	CHECK(header("X-Mess-Id: 1") == MESS_OK);
	CHECK(header_as("Mess-Id: 1", 10, true) == MESS_OK);
}

/* The code point in n bytes, whether or not that is its proper length. */
static size_t
encode(uint32_t c, size_t n, char *out)
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	if (n == 1) {
		out[0] = (char)c;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[n] | c);
	return n;
}

static size_t
proper_len(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

TEST("headers: every code point but controls and surrogates is text, in its one encoding")
{
	char line[8] = "a: ";

	for (uint32_t c = 0; c < 0x200000; c++) {
		bool text = c >= ' ' && (c < 0x7f || c > 0x9f) && (c < 0xd800 || c > 0xdfff) &&
		    c <= 0x10ffff;

		for (size_t n = proper_len(c); n <= 4; n++) {
			size_t len = 3 + encode(c, n, line + 3);

			if (!CHECK((record_header_check(line, len, false, NULL) == MESS_OK) ==
			    (text && n == proper_len(c)))) {
				printf("# U+%04X in %zu bytes\n", (unsigned)c, n);
				return;
			}
		}
	}
}

TEST("headers: a character that is cut, or not begun, is not text")
{
	static const char *const wrong[] = { "\303", "\342\202", "\360\237\230", "\303(", "\342(\254",
		"\342\202(", "\200", "\277", "\370\210\200\200\200", "\376", "\377", "ok \303\274\303" };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char line[20];

		(void)snprintf(line, sizeof line, "a: %s", wrong[i]);
		CHECK(header(line) == MESS_BADDATA);
	}
	CHECK(header_as("a: \0", 4, false) == MESS_BADDATA);
	CHECK(header_as("a: b\nc: d", 9, false) == MESS_BADDATA);
}

TEST("headers: a block is lines, each ended by a newline")
{
	CHECK(block("", 0) == MESS_OK);
	CHECK(block("a: b\n", 5) == MESS_OK);
	CHECK(block("a: b\na: b\n", 10) == MESS_OK);
	CHECK(block("a: b", 4) == MESS_BADDATA);
	CHECK(block("\n", 1) == MESS_BADDATA);
	CHECK(block("a: b\n\n", 6) == MESS_BADDATA);
	CHECK(block("a: b\nc\n", 7) == MESS_BADDATA);
	CHECK(block("a: b\r\n", 6) == MESS_BADDATA);
	CHECK(block("a: b\nMess-X: c\n", 15) == MESS_BADDATA);
}

TEST("headers: a block has 63, 64, but not 65 lines")
{
	char headers[65 * 5];

	for (size_t i = 0; i < 65; i++)
		memcpy(headers + i * 5, "a: b\n", 5);
	CHECK(block(headers, 63 * 5) == MESS_OK);
	CHECK(block(headers, 64 * 5) == MESS_OK);
	CHECK(block(headers, 65 * 5) == MESS_TOOBIG);
}

TEST("headers: a block has 8191, 8192, but not 8193 bytes")
{
	for (size_t len = 8191; len <= 8193; len++) {
		char headers[8193];
		enum mess_err expected = len <= 8192 ? MESS_OK : MESS_TOOBIG;

		memset(headers, 'v', len);
		memcpy(headers, "a: ", 3);
		headers[len - 1] = '\n';
		CHECK(block(headers, len) == expected);
		CHECK(header_as(headers, len - 1, false) == expected);
	}
}

static bool
strips_to(const char *headers, const char *expected)
{
	char *copy = test_copy(headers, strlen(headers));
	size_t len = record_headers_strip(copy, strlen(headers));
	bool good = len == strlen(expected) && memcmp(copy, expected, len) == 0;

	free(copy);
	return good;
}

TEST("headers: the engine's are stripped, the others stay in order")
{
	CHECK(strips_to("", ""));
	CHECK(strips_to("a: b\nc: d\n", "a: b\nc: d\n"));
	CHECK(strips_to("Mess-A: b\n", ""));
	CHECK(strips_to("Mess-A: b\na: b\nmess-c: Mess-\nMess: d\nMESS-E: f\n", "a: b\nMess: d\n"));
	CHECK(strips_to("a: Mess-\nMess-", "a: Mess-\n"));
	CHECK(strips_to("Mess", "Mess"));
}
