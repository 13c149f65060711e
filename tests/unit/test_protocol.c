/* SPDX-License-Identifier: ISC */
/*
 * The protocol: every request and reply of mess-protocol(7), and that
 * nothing else is one.
 */
#include "protocol.h"

#include "test.h"

/* Read a copy of exactly that size, which is then gone; ranges point into line. */
static enum mess_err
read_bytes(const char *line, size_t len, struct request *out)
{
	char *copy = test_copy(line, len);
	const char *why = NULL;
	enum mess_err err = protocol_read_request(copy, len, out, &why);

	if ((why != NULL) != (err != MESS_OK))
		err = MESS_BUG;
	if (out->ranges != NULL)
		out->ranges = line + (out->ranges - copy);
	free(copy);
	return err;
}

static enum mess_err
request(const char *line, struct request *out)
{
	return read_bytes(line, strlen(line), out);
}

static enum mess_err
judge(const char *line)
{
	struct request r;

	return request(line, &r);
}

static bool
is(const char *line, enum request_verb verb, struct request *out)
{
	return request(line, out) == MESS_OK && out->verb == verb;
}

TEST("request: HELLO")
{
	struct request r;

	CHECK(is("HELLO 1", REQ_HELLO, &r) && r.version == 1);
	CHECK(is("HELLO 2", REQ_HELLO, &r) && r.version == 2);
}

TEST("request: PUB, PUBS, STREAM, RESUME")
{
	struct request r;

	CHECK(is("PUB orders 12 34", REQ_PUB, &r));
	CHECK(strcmp(r.topic, "orders") == 0 && r.headers_len == 12 && r.body_len == 34);
	CHECK(is("PUBS orders 5 600", REQ_PUBS, &r));
	CHECK(strcmp(r.topic, "orders") == 0 && r.count == 5 && r.body_len == 600 && r.headers_len == 0);
	CHECK(is("STREAM a.b 0", REQ_STREAM, &r));
	CHECK(strcmp(r.topic, "a.b") == 0 && r.headers_len == 0);
	CHECK(is("RESUME", REQ_RESUME, &r));
}

TEST("request: SUB, TAIL, PEEK, READ")
{
	struct request r;

	CHECK(is("SUB orders nightly", REQ_SUB, &r));
	CHECK(strcmp(r.topic, "orders") == 0 && strcmp(r.sub, "nightly") == 0);
	CHECK(is("TAIL orders", REQ_TAIL, &r) && strcmp(r.topic, "orders") == 0);
	CHECK(is("PEEK orders default", REQ_PEEK, &r) && strcmp(r.sub, "default") == 0);
	CHECK(is("READ orders 3 9", REQ_READ, &r) && r.seq == 3 && r.last == 9);
	CHECK(judge("READ orders 3") == MESS_PROTOCOL);
}

TEST("request: SUB and TAIL take patterns, SUB options; options of no bytes are left out")
{
	struct request r;

	CHECK(is("SUB orders.* nightly 17", REQ_SUB, &r));
	CHECK(strcmp(r.topic, "orders.*") == 0 && r.options_len == 17);
	CHECK(is("TAIL logs.**", REQ_TAIL, &r) && strcmp(r.topic, "logs.**") == 0);
	CHECK(is("CREATE orders 17", REQ_CREATE, &r) && r.options_len == 17);
	CHECK(is("CREATE orders", REQ_CREATE, &r) && r.options_len == 0);
	CHECK(judge("SUB orders nightly 0") == MESS_PROTOCOL);
	CHECK(judge("CREATE orders 0") == MESS_PROTOCOL);
	CHECK(judge("SET orders 8192") == MESS_OK);
	CHECK(judge("SET orders 9217") == MESS_TOOBIG);
}

TEST("request: what settles one message names it by number")
{
	struct request r;

	CHECK(is("NACK orders 7 9-12", REQ_NACK, &r) && r.ranges_len == 6);
	CHECK(is("RETRY orders 7 30", REQ_RETRY, &r) && r.seq == 7 && r.options_len == 30);
	CHECK(is("DEAD orders 8 0", REQ_DEAD, &r) && r.seq == 8 && r.options_len == 0);
	CHECK(is("HOLD orders 9 300000", REQ_HOLD, &r) && r.seq == 9 && r.ms == 300000);
	CHECK(is("SETTLE nack orders nightly 9 0123456789abcdef 0", REQ_SETTLE, &r));
	CHECK(r.how == SETTLE_NACK && r.token == 0x0123456789abcdef && strcmp(r.sub, "nightly") == 0);
	CHECK(judge("SETTLE eat orders nightly 9 0123456789abcdef 0") == MESS_PROTOCOL);
	CHECK(judge("SETTLE ack orders nightly 9 0123456789ABCDEF 0") == MESS_PROTOCOL);
	CHECK(judge("SETTLE ack orders nightly 9 123456789abcdef 0") == MESS_PROTOCOL);
}

TEST("request: SEEK's position and PURGE's time have one spelling")
{
	static const char *const wrong[] = { "SEEK a b newest", "SEEK a b -", "SEEK a b @", "SEEK a b @1",
		"SEEK a b @1.5", "SEEK a b 01", "SEEK a b --1", "SEEK a b +1", "PURGE a @1.000000000",
		"PURGE a 1", "PURGE a 1.0", "PURGE a 1.0000000001" };
	struct request r;

	CHECK(is("SEEK a b oldest", REQ_SEEK, &r) && r.position.kind == POS_OLDEST);
	CHECK(is("SEEK a b now", REQ_SEEK, &r) && r.position.kind == POS_NOW);
	CHECK(is("SEEK a b 17", REQ_SEEK, &r) && r.position.kind == POS_NUMBER && r.position.n == 17);
	CHECK(is("SEEK a b -17", REQ_SEEK, &r) && r.position.kind == POS_LAST && r.position.n == 17);
	CHECK(is("SEEK a b @17.000000005", REQ_SEEK, &r));
	CHECK(r.position.kind == POS_TIME && r.position.n == 17 && r.position.nsec == 5);
	CHECK(is("PURGE a", REQ_PURGE, &r) && !r.has_position);
	CHECK(is("PURGE a 17.000000005", REQ_PURGE, &r) && r.has_position && r.position.nsec == 5);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!CHECK(judge(wrong[i]) == MESS_PROTOCOL))
			printf("# %s\n", wrong[i]);
}

TEST("options: lines of a name, a colon, a space and a value")
{
	static const char good[] = "From: -10\nMatch: Color=r*\n";
	const char *at = good;
	size_t len = sizeof good - 1;
	struct protocol_option o;
	enum mess_err err;
	uint64_t n;

	CHECK(protocol_next_option(&at, &len, &o, &err) && protocol_option_is(&o, "From"));
	CHECK(o.value_len == 3 && !protocol_option_number(&o, &n));
	CHECK(protocol_next_option(&at, &len, &o, &err) && protocol_option_is(&o, "Match"));
	CHECK(!protocol_next_option(&at, &len, &o, &err) && err == MESS_OK);
	for (const char *const *w = (const char *const[]){ "From", "From: 1", "From 1\n", ": 1\n", "From:1\n",
	    "\n", NULL }; *w != NULL; w++) {
		at = *w;
		len = strlen(at);
		CHECK(!protocol_next_option(&at, &len, &o, &err) && err == MESS_USAGE);
	}
}

TEST("request: TAKE, with now or without")
{
	struct request r;

	CHECK(is("TAKE 1", REQ_TAKE, &r) && r.count == 1 && !r.now);
	CHECK(is("TAKE 9223372036854775807 now", REQ_TAKE, &r));
	CHECK(r.count == PROTOCOL_TAKE_MAX && r.now);
	CHECK(judge("TAKE 9223372036854775808") == MESS_PROTOCOL);
	CHECK(judge("TAKE 1 later") == MESS_PROTOCOL);
	CHECK(judge("TAKE 1 now now") == MESS_PROTOCOL);
	CHECK(judge("TAKE now") == MESS_PROTOCOL);
}

TEST("request: CREATE, DELETE, SHOW")
{
	struct request r;

	CHECK(is("CREATE orders", REQ_CREATE, &r) && strcmp(r.topic, "orders") == 0);
	CHECK(is("DELETE orders", REQ_DELETE, &r) && strcmp(r.topic, "orders") == 0);
	CHECK(is("SHOW orders.dead", REQ_SHOW, &r) && strcmp(r.topic, "orders.dead") == 0);
}

TEST("request: LIST takes a pattern, STAT a topic or *, and a name to go on after")
{
	struct request r;

	CHECK(is("LIST **", REQ_LIST, &r) && strcmp(r.topic, "**") == 0 && r.after[0] == '\0');
	CHECK(is("LIST a.* a.b", REQ_LIST, &r) && strcmp(r.after, "a.b") == 0);
	CHECK(is("SECURITY", REQ_SECURITY, &r));
	CHECK(is("STAT orders", REQ_STAT, &r) && strcmp(r.topic, "orders") == 0);
	CHECK(is("STAT *", REQ_STAT, &r) && strcmp(r.topic, "*") == 0 && r.after[0] == '\0');
	CHECK(is("STAT * orders", REQ_STAT, &r) && strcmp(r.after, "orders") == 0);
	CHECK(judge("STAT orders other") == MESS_PROTOCOL);
	CHECK(judge("STAT **") == MESS_BADNAME);
	CHECK(judge("STAT a.*") == MESS_BADNAME);
	CHECK(judge("LIST a.** a.*") == MESS_BADNAME);
}

TEST("request: a request leaves nothing of the one before")
{
	struct request r;

	CHECK(is("PUB orders 12 34", REQ_PUB, &r));
	CHECK(is("TAKE 7 now", REQ_TAKE, &r));
	CHECK(r.topic[0] == '\0' && r.headers_len == 0 && r.body_len == 0);
	CHECK(is("SUB orders nightly", REQ_SUB, &r));
	CHECK(r.count == 0 && !r.now && r.ranges == NULL);
	CHECK(is("LIST ** orders", REQ_LIST, &r));
	CHECK(r.sub[0] == '\0');
	CHECK(is("LIST **", REQ_LIST, &r));
	CHECK(r.after[0] == '\0');
}

TEST("request: ACK's ranges are handed out in their order")
{
	struct request r;
	uint64_t lo, hi;

	CHECK(is("ACK orders 7 9-12 13-13 18446744073709551615", REQ_ACK, &r));
	CHECK(strcmp(r.topic, "orders") == 0);
	CHECK(protocol_next_range(&r.ranges, &r.ranges_len, &lo, &hi) && lo == 7 && hi == 7);
	CHECK(protocol_next_range(&r.ranges, &r.ranges_len, &lo, &hi) && lo == 9 && hi == 12);
	CHECK(protocol_next_range(&r.ranges, &r.ranges_len, &lo, &hi) && lo == 13 && hi == 13);
	CHECK(protocol_next_range(&r.ranges, &r.ranges_len, &lo, &hi) && lo == UINT64_MAX && hi == lo);
	CHECK(!protocol_next_range(&r.ranges, &r.ranges_len, &lo, &hi));
	CHECK(!protocol_next_range(&r.ranges, &r.ranges_len, &lo, &hi));
}

TEST("request: a malformed range is refused")
{
	static const char *const wrong[] = { "ACK orders", "ACK orders ", "ACK orders 1 ", "ACK orders 1  2",
		"ACK orders -1", "ACK orders 1-", "ACK orders 2-1", "ACK orders 1-2-3", "ACK orders 01",
		"ACK orders 1-02", "ACK orders x", "ACK orders 1,2", "ACK orders 1 x", "ACK orders 1- 2",
		"ACK orders 18446744073709551616", "ACK orders 1-18446744073709551616" };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!CHECK(judge(wrong[i]) == MESS_PROTOCOL))
			printf("# %s\n", wrong[i]);
}

/* One of each, in their longest form. */
static const char *const all[] = { "HELLO 1", "PUB orders 12 34", "PUBS orders 5 600", "STREAM orders 7",
	"RESUME", "SUB orders nightly", "TAIL orders", "PEEK orders nightly",
	"READ orders 1 2", "TAKE 5 now",
	"ACK orders 7 9-12", "NACK orders 7 9-12", "RETRY orders 7 0", "DEAD orders 7 20",
	"HOLD orders 7 300000", "SETTLE retry orders nightly 7 0123456789abcdef 0", "SUBADD orders nightly 0",
	"SUBRM orders nightly", "SEEK orders nightly @1795228800.012345678", "RELEASE orders nightly",
	"REDRIVE orders 0", "CREATE orders 12", "SET orders 12", "PURGE orders 1.000000000",
	"DELETE orders", "LIST a.** a.b", "SHOW orders", "STAT * a" };
#define ALL (sizeof all / sizeof all[0])

TEST("request: a space too many, a word too many, an unknown verb are refused")
{
	char line[100];

	for (size_t i = 0; i < ALL; i++) {
		CHECK(judge(all[i]) == MESS_OK);
		(void)snprintf(line, sizeof line, "%s ", all[i]);
		CHECK(judge(line) == MESS_PROTOCOL);
		(void)snprintf(line, sizeof line, " %s", all[i]);
		CHECK(judge(line) == MESS_PROTOCOL);
		(void)snprintf(line, sizeof line, "%s x", all[i]);
		CHECK(judge(line) == MESS_PROTOCOL);
		(void)snprintf(line, sizeof line, "%s\r", all[i]);
		CHECK(judge(line) != MESS_OK);
		(void)snprintf(line, sizeof line, "X%s", all[i]);
		CHECK(judge(line) == MESS_PROTOCOL);
		for (const char *space = strchr(all[i], ' '); space != NULL; space = strchr(space + 1, ' ')) {
			(void)snprintf(line, sizeof line, "%.*s %s", (int)(space - all[i]), all[i], space);
			CHECK(judge(line) == MESS_PROTOCOL);
			(void)snprintf(line, sizeof line, "%.*s\t%s", (int)(space - all[i]), all[i], space + 1);
			CHECK(judge(line) != MESS_OK);
		}
	}
	CHECK(judge("") == MESS_PROTOCOL);
	CHECK(judge(" ") == MESS_PROTOCOL);
	CHECK(judge("pub orders 1 2") == MESS_PROTOCOL);
	CHECK(judge("QUIT") == MESS_PROTOCOL);
}

static size_t
words(const char *line, size_t len)
{
	size_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += line[i] == ' ';
	return n;
}

/* Words that a request needs; in the order of all. */
static const size_t needed[] = { 2, 4, 4, 3, 1, 3, 2, 3, 4, 2, 3, 3, 4, 4, 4, 7, 4, 3, 4, 3, 3, 2, 3, 2,
	2, 2, 2, 2 };
_Static_assert(sizeof needed / sizeof needed[0] == ALL, "one for each");

TEST("request: cut anywhere, it is refused while a word is missing or empty")
{
	struct request r;

	for (size_t i = 0; i < ALL; i++)
		for (size_t cut = 0; cut < strlen(all[i]); cut++) {
			enum mess_err err = read_bytes(all[i], cut, &r);

			if (cut == 0 || all[i][cut - 1] == ' ' || words(all[i], cut) < needed[i])
				CHECK(err == MESS_PROTOCOL);
		}
}

TEST("request: a number has one spelling and is at most 2^63-1")
{
	static const char *const wrong[] = { "00", "01", "+1", "-1", "0x1", "1k", "a", "1.0",
		"9223372036854775808", "18446744073709551616", "99999999999999999999999999" };
	static const char *const forms[] = { "HELLO ", "PUB a 1 ", "PUBS a 1 ", "STREAM a ", "TAKE " };
	char line[100];

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
			(void)snprintf(line, sizeof line, "%s%s", forms[i], wrong[k]);
			if (!CHECK(judge(line) == MESS_PROTOCOL))
				printf("# %s\n", line);
		}
}

TEST("request: headers have 9215, 9216 (8192 and instructions), but not 9217 bytes")
{
	struct request r;

	CHECK(judge("PUB a 9215 0") == MESS_OK);
	CHECK(judge("PUB a 9216 0") == MESS_OK);
	CHECK(request("PUB a 9217 7", &r) == MESS_TOOBIG && r.headers_len == 9217 && r.body_len == 7);
	CHECK(judge("STREAM a 9216") == MESS_OK);
	CHECK(request("STREAM a 9217", &r) == MESS_TOOBIG && r.headers_len == 9217);
}

TEST("request: a body has 262143, 262144, but not 262145 bytes")
{
	struct request r;

	CHECK(judge("PUB a 0 262143") == MESS_OK);
	CHECK(judge("PUB a 0 262144") == MESS_OK);
	CHECK(request("PUB a 5 262145", &r) == MESS_TOOBIG && r.headers_len == 5 && r.body_len == 262145);
	CHECK(request("PUB a 0 9223372036854775807", &r) == MESS_TOOBIG && r.body_len == INT64_MAX);
}

static enum mess_err
batch(uint64_t count, uint64_t bytes, struct request *out)
{
	char line[100];

	(void)snprintf(line, sizeof line, "PUBS a %llu %llu", (unsigned long long)count,
	    (unsigned long long)bytes);
	return request(line, out);
}

TEST("request: a batch has one message or more, within its limits")
{
	struct request r;

	CHECK(batch(0, 0, &r) == MESS_PROTOCOL);
	CHECK(batch(1, 4, &r) == MESS_OK);
	CHECK(batch(PROTOCOL_BATCH_COUNT - 1, PROTOCOL_BATCH_MAX - 1, &r) == MESS_OK);
	CHECK(batch(PROTOCOL_BATCH_COUNT, PROTOCOL_BATCH_MAX, &r) == MESS_OK);
	CHECK(r.count == PROTOCOL_BATCH_COUNT && r.body_len == PROTOCOL_BATCH_MAX);
	CHECK(batch(PROTOCOL_BATCH_COUNT + 1, 700, &r) == MESS_TOOBIG && r.body_len == 700);
	CHECK(batch(1, PROTOCOL_BATCH_MAX + 1, &r) == MESS_TOOBIG && r.body_len == PROTOCOL_BATCH_MAX + 1);
}

TEST("request: with a bad name the counted bytes are known")
{
	struct request r;

	CHECK(request("PUB A 12 34", &r) == MESS_BADNAME && r.headers_len == 12 && r.body_len == 34);
	CHECK(request("PUB a..b 9217 34", &r) == MESS_BADNAME && r.headers_len == 9217 && r.body_len == 34);
	CHECK(request("PUBS A 5 600", &r) == MESS_BADNAME && r.body_len == 600);
	CHECK(request("STREAM A 5", &r) == MESS_BADNAME && r.headers_len == 5);
	CHECK(request("PUB A x 34", &r) == MESS_PROTOCOL);
	CHECK(request("PUB A 12", &r) == MESS_PROTOCOL);
	CHECK(request("PUB A 12 34 56", &r) == MESS_PROTOCOL);
	CHECK(request("PUBS A 0 600", &r) == MESS_PROTOCOL);
	CHECK(request("SUB A B", &r) == MESS_BADNAME);
	CHECK(request("SUB a B", &r) == MESS_BADNAME);
	CHECK(request("SUB A b c", &r) == MESS_PROTOCOL);
}

TEST("request: a name with a NUL, or one too long to hold, is refused")
{
	char line[400] = "TAIL ";
	struct request r;

	CHECK(read_bytes("TAIL a\0b", 8, &r) == MESS_BADNAME);
	CHECK(read_bytes("SUB a b\0", 8, &r) == MESS_BADNAME);
	CHECK(read_bytes("TAIL\0a", 6, &r) == MESS_PROTOCOL);
	for (size_t n = 60; n < 300; n++) {
		memset(line + 5, 'x', n);
		line[5 + n] = '\0';
		CHECK(judge(line) == (n <= 63 ? MESS_OK : MESS_BADNAME));
	}
	memcpy(line, "SUB a ", 6);
	for (size_t n = 60; n < 300; n++) {
		memset(line + 6, 'x', n);
		line[6 + n] = '\0';
		CHECK(judge(line) == (n <= 63 ? MESS_OK : MESS_BADNAME));
	}
}

TEST("request: a line has 4094, 4095 bytes and a newline, but not more")
{
	for (size_t len = 4094; len <= 4096; len++) {
		char line[4097] = "ACK a";
		size_t at = 5;

		while (at + 2 <= len) {
			line[at++] = ' ';
			line[at++] = '7';
		}
		while (at < len)
			line[at++] = '7';
		line[at] = '\0';
		CHECK(judge(line) == (len <= 4095 ? MESS_OK : MESS_PROTOCOL));
	}
}

TEST("request: why may be NULL")
{
	struct request r;

	CHECK(protocol_read_request("PUB A 1 2", 9, &r, NULL) == MESS_BADNAME);
	CHECK(protocol_read_request("x", 1, &r, NULL) == MESS_PROTOCOL);
	CHECK(protocol_read_request("RESUME", 6, &r, NULL) == MESS_OK);
}

/* --- items and chunks --- */

static enum mess_err
item(const char *text, size_t len, uint64_t *headers, uint64_t *body, size_t *used)
{
	char *copy = test_copy(text, len);
	enum mess_err err = protocol_read_item(copy, len, headers, body, used);

	free(copy);
	return err;
}

static enum mess_err
judge_item(const char *text)
{
	uint64_t headers, body;
	size_t used;

	return item(text, strlen(text), &headers, &body, &used);
}

TEST("item: two lengths and a newline, whatever follows")
{
	uint64_t headers, body;
	size_t used;

	CHECK(item("12 345\nxyz", 10, &headers, &body, &used) == MESS_OK);
	CHECK(headers == 12 && body == 345 && used == 7);
	CHECK(item("0 0\n", 4, &headers, &body, &used) == MESS_OK);
	CHECK(headers == 0 && body == 0 && used == 4);
	CHECK(judge_item("8192 262144\n") == MESS_OK);
	CHECK(judge_item("9217 262144\n") == MESS_TOOBIG);
	CHECK(judge_item("8192 262145\n") == MESS_TOOBIG);
}

TEST("item: cut anywhere or spelled otherwise it is refused")
{
	static const char *const wrong[] = { "1  2\n", " 1 2\n", "1 2 \n", "1 2\r\n", "01 2\n", "1 02\n", "-1 2\n",
		"1 +2\n", "1\n", "\n", "1 2 3\n", "1\t2\n", "18446744073709551616 0\n" };
	uint64_t headers = 4711, body = 4711;
	size_t used = 4711;

	for (size_t cut = 0; cut < 7; cut++)
		CHECK(item("12 345\n", cut, &headers, &body, &used) == MESS_PROTOCOL);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK(judge_item(wrong[i]) == MESS_PROTOCOL);
	CHECK(headers == 4711 && body == 4711 && used == 4711);
}

static enum mess_err
chunk(const char *line, uint64_t *out)
{
	char *copy = test_copy(line, strlen(line));
	enum mess_err err = protocol_read_chunk(copy, strlen(line), out);

	free(copy);
	return err;
}

TEST("chunk: a length from 0 to 1048576")
{
	static const char *const wrong[] = { "", "00", "01", " 1", "1 ", "+1", "-1", "x", "1\n",
		"9223372036854775808", "99999999999999999999" };
	uint64_t n;

	CHECK(chunk("0", &n) == MESS_OK && n == 0);
	CHECK(chunk("1048575", &n) == MESS_OK && n == 1048575);
	CHECK(chunk("1048576", &n) == MESS_OK && n == 1048576);
	CHECK(chunk("1048577", &n) == MESS_TOOBIG && n == 1048576);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK(chunk(wrong[i], &n) == MESS_PROTOCOL);
}

/* --- replies --- */

/* The text points into line, as the reader had it. */
static enum mess_err
reply_bytes(const char *line, size_t len, struct reply *out)
{
	char *copy = test_copy(line, len);
	enum mess_err err = protocol_read_reply(copy, len, out);

	if (err == MESS_OK)
		out->text = line + (out->text - copy);
	free(copy);
	return err;
}

static enum mess_err
reply(const char *line, struct reply *out)
{
	return reply_bytes(line, strlen(line), out);
}

static bool
text_is(const struct reply *r, const char *text)
{
	return r->text_len == strlen(text) && memcmp(r->text, text, r->text_len) == 0;
}

TEST("reply: OK with words or without")
{
	struct reply r;
	uint64_t n;

	CHECK(reply("OK", &r) == MESS_OK && r.kind == REPLY_OK && text_is(&r, ""));
	CHECK(!protocol_reply_number(&r, 0, &n));
	CHECK(reply("OK 17 42", &r) == MESS_OK && text_is(&r, "17 42"));
	CHECK(protocol_reply_number(&r, 0, &n) && n == 17);
	CHECK(protocol_reply_number(&r, 1, &n) && n == 42);
	CHECK(!protocol_reply_number(&r, 2, &n) && n == 42);
}

TEST("reply: numbers are counted among the words")
{
	struct reply r;
	uint64_t n;

	CHECK(reply("OK mess 1 personal 9223372036854775807", &r) == MESS_OK);
	CHECK(protocol_reply_number(&r, 0, &n) && n == 1);
	CHECK(protocol_reply_number(&r, 1, &n) && n == INT64_MAX);
	CHECK(!protocol_reply_number(&r, 2, &n));
	CHECK(reply("OK 01 -1 1x 7", &r) == MESS_OK);
	CHECK(protocol_reply_number(&r, 0, &n) && n == 7);
	CHECK(!protocol_reply_number(&r, 1, &n));
}

TEST("reply: ERR has an error's word and a text")
{
	struct reply r;

	CHECK(reply("ERR notopic no topic \"order\": did you mean \"orders\"?", &r) == MESS_OK);
	CHECK(r.kind == REPLY_ERR && r.err == MESS_NOTOPIC);
	CHECK(text_is(&r, "no topic \"order\": did you mean \"orders\"?"));
	CHECK(reply("ERR aborted", &r) == MESS_OK && r.err == MESS_ABORTED && text_is(&r, ""));
	CHECK(reply("ERR novelty of another version", &r) == MESS_OK);
	CHECK(r.kind == REPLY_ERR && r.err == MESS_PROTOCOL && text_is(&r, "of another version"));
}

TEST("reply: every error's word leads back")
{
	for (int err = MESS_USAGE; err <= MESS_CONFIG; err++) {
		char line[100];
		struct reply r;

		(void)snprintf(line, sizeof line, "ERR %s why", err_word((enum mess_err)err));
		CHECK(reply(line, &r) == MESS_OK && r.err == (enum mess_err)err);
	}
}

TEST("reply: MSG has a topic, a count and bytes; END has nothing")
{
	struct reply r;

	CHECK(reply("MSG orders 3 4096 2", &r) == MESS_OK && r.kind == REPLY_MSG);
	CHECK(strcmp(r.topic, "orders") == 0 && r.count == 3 && r.bytes == 4096 && r.attempt == 2);
	CHECK(reply("END", &r) == MESS_OK && r.kind == REPLY_END);
}

TEST("reply: GONE has a topic, an error and a line for people")
{
	struct reply r;

	CHECK(reply("GONE orders notopic the topic was deleted", &r) == MESS_OK && r.kind == REPLY_GONE);
	CHECK(strcmp(r.topic, "orders") == 0 && r.err == MESS_NOTOPIC);
	CHECK(r.text_len == strlen("the topic was deleted") && memcmp(r.text, "the topic was deleted", r.text_len) == 0);
	CHECK(reply("GONE orders newer", &r) == MESS_OK && r.err == MESS_PROTOCOL && r.text_len == 0);
}

TEST("reply: anything else is none")
{
	static const char *const wrong[] = { "", " ", "ok", "OK ", " OK", "OKAY", "ERR", "ERR ", "ERR usage ",
		"ERR  usage x", "END ", "END x", "MSG", "MSG orders", "MSG orders 1", "MSG orders 1 ",
		"MSG orders 1 2", "MSG orders 1 2 3 4", "MSG orders 0 0 1", "MSG orders 01 2 1",
		"MSG orders 1 -2 1", "MSG orders 1 2 0", "MSG ORDERS 1 2 1", "MSG a..b 1 2 1",
		"MSG  orders 1 2 1", "GONE", "GONE orders", "GONE orders ", "GONE a..b notopic x", "GONE orders  x",
		"MSG orders 1  2 1", "MSG orders 1 9223372036854775808 1" };
	struct reply r = { .count = 4711 };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!CHECK(reply(wrong[i], &r) == MESS_PROTOCOL))
			printf("# %s\n", wrong[i]);
	CHECK(r.count == 4711);
}

TEST("reply: cut anywhere, it is none while a word is missing or empty")
{
	static const struct {
		const char *line;
		size_t needed;
	} replies[] = { { "OK 17 42", 1 }, { "ERR notopic no topic", 2 }, { "MSG orders 3 4096 1", 5 }, { "END", 1 },
	    { "GONE orders nosub it went", 3 } };
	struct reply r;

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
		for (size_t cut = 0; cut < strlen(replies[i].line); cut++) {
			const char *line = replies[i].line;
			enum mess_err err = reply_bytes(line, cut, &r);

			if (cut < 2 || words(line, cut) < replies[i].needed)
				CHECK(err == MESS_PROTOCOL);
		}
}

TEST("reply: a line has 4095 bytes and a newline, but not more")
{
	char line[4097] = "OK ";
	struct reply r;

	memset(line + 3, 'x', 4093);
	CHECK(reply(line, &r) == MESS_PROTOCOL);
	line[4095] = '\0';
	CHECK(reply(line, &r) == MESS_OK && r.text_len == 4092);
}
