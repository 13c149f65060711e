/* SPDX-License-Identifier: ISC */
/*
 * Configuration: a text is taken whole or not at all.
 */
#include "conf.h"
#include "conf_topic.h"

#include "test.h"

static struct conf_error error;

/* eve is 1000, the group web 33; there are no others. */
static bool
user(const char *name, uid_t *out)
{
	*out = 1000;
	return strcmp(name, "eve") == 0;
}

static bool
group(const char *name, gid_t *out)
{
	*out = 33;
	return strcmp(name, "web") == 0;
}

static const struct who_names some_names = { user, group };

static enum mess_err
read_conf(const char *text, struct conf *out)
{
	size_t len = strlen(text);
	char *copy = test_copy(text, len);
	enum mess_err err = conf_read(copy, len, &some_names, out, &error);

	free(copy);
	return err;
}

static bool
is(const char *have, const char *want)
{
	return want == NULL ? have == NULL : have != NULL && strcmp(have, want) == 0;
}

TEST("conf: nothing said is the defaults")
{
	static const char *const texts[] = { "", "\n", "# only a comment\n", "\n \t\n#x\n  # y\n" };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct conf c;

		CHECK(read_conf(texts[i], &c) == MESS_OK);
		CHECK(c.spool == NULL && c.socket == NULL && c.user == NULL && c.sandbox);
		conf_free(&c);
	}
}

TEST("conf: every directive, with blanks and comments around it")
{
	struct conf c;

	CHECK(read_conf("# mess.conf\n\n  spool   /var/spool/mess # here\nsocket\t/run/mess/mess.sock\t\n"
	    "user mess\nsandbox no\n", &c) == MESS_OK);

	CHECK(is(c.spool, "/var/spool/mess") && is(c.socket, "/run/mess/mess.sock"));
	CHECK(is(c.user, "mess") && !c.sandbox);
	conf_free(&c);
	CHECK(c.spool == NULL);
}

TEST("conf: anything not understood refuses the whole, with its line and why")
{
	static const struct {
		const char *text;
		unsigned line;
	} cases[] = {
		{ "spol /x", 1 },
		{ "spool /x\n\nspools /y\n", 3 },
		{ "spool", 1 },
		{ "spool   ", 1 },
		{ "spool # /x", 1 },
		{ "spool x", 1 },
		{ "socket run/mess.sock", 1 },
		{ "spool /x\nspool /x\n", 2 },
		{ "user a\nuser a", 2 },
		{ "sandbox yes", 1 },
		{ "sandbox", 1 },
		{ "sandbox now", 1 },
		{ "SPOOL /x", 1 },
		{ "spool=/x", 1 },
		{ "\n\n\nx", 4 },
		{ "user mess\nspool /x", 2 }, /* it may be half a line */
		{ "admin\n", 1 },
		{ "admin nobody-here\n", 1 },
		{ "admin eve,,@web\n", 1 },
		{ "admin eve @web\n", 1 },
		{ "allow\n", 1 },
		{ "allow publish eve\n", 1 },
		{ "allow publish eve on\n", 1 },
		{ "allow publish eve on a b\n", 1 },
		{ "allow publish eve to a\n", 1 },
		{ "allow read eve on a\n", 1 },
		{ "allow publish, eve on a\n", 1 },
		{ "allow publish @eve on a\n", 1 },
		{ "allow publish web on a\n", 1 },
		{ "allow publish ** on a\n", 1 },
		{ "allow publish key: on a\n", 1 },
		{ "allow publish key:A on a\n", 1 },
		{ "allow publish %u on a\n", 1 },
		{ "allow publish eve on A\n", 1 },
		{ "allow publish eve on **.a\n", 1 },
		{ "allow publish eve on a.\n", 1 },
		{ "deny publish eve on ../a\n", 1 },
		{ "Allow publish eve on a\n", 1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct conf c;

		if (!CHECK(read_conf(cases[i].text, &c) == MESS_CONFIG) ||
		    !CHECK(error.line == cases[i].line && error.why[0] != '\0'))
			printf("# %s\n", cases[i].text);
	}
}

TEST("conf: rules are read as they are written, and keep their line")
{
	static const char text[] = "spool /x\nadmin @web\nadmin eve\n# who\nallow publish,subscribe eve,@web,key:k,* on a.*\n"
	    "\tdeny  admin\teve  on  **   # not her\n";
	static const char *const again[] = { "allow publish,subscribe *,@web,eve,key:k on a.*", "deny admin eve on **" };
	struct conf c;

	CHECK(read_conf(text, &c) == MESS_OK);
	CHECK(c.admins.count == 2 && c.admins.who[0].kind == WHO_GROUP && c.admins.who[0].id == 33);
	CHECK(c.admins.who[1].kind == WHO_USER && c.admins.who[1].id == 1000);
	CHECK(c.rule_count == 2 && c.rules[0].line == 5 && c.rules[1].line == 6);
	for (size_t i = 0; i < c.rule_count; i++) {
		AUTO_BUF struct buf b = BUF_INIT(CONF_TEXT_MAX);

		CHECK(rule_write(&c.rules[i], &b) == MESS_OK);
		CHECK(buf_len(&b) == strlen(again[i]) && memcmp(buf_data(&b), again[i], buf_len(&b)) == 0);
	}
	conf_free(&c);
}

TEST("conf: a NUL byte hides nothing behind it")
{
	static const char text[] = "spool /x\0/y\nuser mess\n";
	struct conf c;

	CHECK(conf_read(text, sizeof text - 1, &some_names, &c, &error) == MESS_CONFIG && error.line == 1);
}

TEST("conf: any bytes are an answer, never a crash or a leak")
{
	static const char letters[] = "spool socket user sandbox allow deny on ,@*eve no /x#\n\t \r\0";

	for (int round = 0; round < 20000; round++) {
		size_t len = test_random() % 40;
		struct conf c = { 0 };
		char text[40];
		char *copy;

		for (size_t i = 0; i < len; i++)
			text[i] = letters[test_random() % sizeof letters];
		copy = test_copy(text, len);
		if (conf_read(copy, len, &some_names, &c, &error) == MESS_OK)
			conf_free(&c);
		else
			CHECK((error.line > 0 || len == 0) && error.why[0] != '\0');
		free(copy);
	}
}

/* --- a topic's file ------------------------------------------------------- */

static const struct conf_topic topic = {
	.uid = 1000, .login = "eve", .incarnation = "00112233445566778899aabbccddeeff",
	.created_sec = 1700000000, .created_nsec = 5,
};

static enum mess_err
read_topic(const char *text, size_t len, struct conf_topic *out)
{
	char *copy = test_copy(text, len);
	enum mess_err err = conf_read_topic(copy, len, out);

	free(copy);
	return err;
}

static bool
same_topic(const struct conf_topic *a, const struct conf_topic *b)
{
	return a->uid == b->uid && strcmp(a->login, b->login) == 0 &&
	    strcmp(a->incarnation, b->incarnation) == 0 && a->created_sec == b->created_sec &&
	    a->created_nsec == b->created_nsec;
}

TEST("conf: a topic's file is read as it was written, at its limits too")
{
	struct conf_topic largest = { .uid = UINT32_MAX, .created_sec = UINT64_MAX,
		.created_nsec = 999999999 }, none = { .login = "-" };
	const struct conf_topic *const all[] = { &topic, &largest, &none };

	memset(largest.login, 'x', CONF_LOGIN_MAX);
	memset(largest.incarnation, 'f', 32);
	memset(none.incarnation, '0', 32);
	for (size_t i = 0; i < 3; i++) {
		AUTO_BUF struct buf b = BUF_INIT(CONF_TEXT_MAX);
		struct conf_topic again;

		CHECK(conf_write_topic(all[i], &b) == MESS_OK);
		CHECK(read_topic(buf_data(&b), buf_len(&b), &again) == MESS_OK);
		CHECK(same_topic(all[i], &again));
	}
}

TEST("conf: a topic's file cut anywhere, or with a byte more, is refused")
{
	AUTO_BUF struct buf b = BUF_INIT(CONF_TEXT_MAX);
	struct conf_topic again;

	CHECK(conf_write_topic(&topic, &b) == MESS_OK);

	for (size_t n = 0; n < buf_len(&b); n++)
		CHECK(read_topic(buf_data(&b), n, &again) == MESS_CORRUPT);
	CHECK(buf_append(&b, "\n", 1) == MESS_OK);
	CHECK(read_topic(buf_data(&b), buf_len(&b), &again) == MESS_CORRUPT);
}

TEST("conf: a topic's file with any byte changed is refused or means what it says")
{
	AUTO_BUF struct buf b = BUF_INIT(CONF_TEXT_MAX);

	CHECK(conf_write_topic(&topic, &b) == MESS_OK);

	for (size_t i = 0; i < buf_len(&b); i++)
		for (int c = 0; c < 256; c++) {
			AUTO_BUF struct buf out = BUF_INIT(CONF_TEXT_MAX);
			char was = buf_data(&b)[i];
			struct conf_topic again;

			buf_data(&b)[i] = (char)c;
			if (read_topic(buf_data(&b), buf_len(&b), &again) == MESS_OK) {
				CHECK(conf_write_topic(&again, &out) == MESS_OK);
				CHECK(buf_len(&out) == buf_len(&b) &&
				    memcmp(buf_data(&out), buf_data(&b), buf_len(&b)) == 0);
				CHECK((char)c == was || !same_topic(&again, &topic));
			}
			buf_data(&b)[i] = was;
		}
}

static const char identity[] =
    "messtopic1\nowner 1 eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n";

TEST("conf: a topic's settings are read as they were written, each alone and all together")
{
	static const char *const lines[] = { "max-age 1\n", "max-bytes 65536\n", "max-messages 9\n",
		"max-size 9223372036854775807\n", "keep 3162240000\n", "max-attempts 65535\n",
		"full drop-oldest\n", "paused in\n", "describe orders: from \xc3\xa9t\xc3\xa9, all\n" };
	AUTO_BUF struct buf all = BUF_INIT(CONF_TEXT_MAX);
	struct conf_topic t;

	CHECK(buf_printf(&all, "%s", identity) == MESS_OK);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		AUTO_BUF struct buf one = BUF_INIT(CONF_TEXT_MAX), again = BUF_INIT(CONF_TEXT_MAX);

		CHECK(buf_printf(&all, "%s", lines[i]) == MESS_OK);
		CHECK(buf_printf(&one, "%s%s", identity, lines[i]) == MESS_OK);
		CHECK(read_topic(buf_data(&one), buf_len(&one), &t) == MESS_OK);
		CHECK(conf_write_settings(&t, &again) == MESS_OK);
		CHECK(buf_len(&again) == strlen(lines[i]) &&
		    memcmp(buf_data(&again), lines[i], buf_len(&again)) == 0);
	}

	CHECK(read_topic(buf_data(&all), buf_len(&all), &t) == MESS_OK);
	CHECK(t.max_age == 1 && t.max_bytes == 65536 && t.max_messages == 9);
	CHECK(t.max_size == INT64_MAX && t.keep == 3162240000 && t.max_attempts == 65535);
	CHECK(t.full_drop && t.paused_in && !t.paused_out);
	CHECK(strcmp(t.describe, "orders: from \xc3\xa9t\xc3\xa9, all") == 0);
}

TEST("conf: a topic's list is read as it was written, with its numbers")
{
	static const char *const lists[] = { "publish *\n", "publish @web=33,eve=1000\n",
		"publish eve=1000\nsubscribe *,@web=33,eve=1000,key:k\nadmin eve=1000\n" },
	    *const bad[] = { "publish \n", "publish eve\n", "publish eve=\n", "publish eve=x\n", "publish eve=-1\n",
		"publish eve=01\n", "publish eve=4294967296\n", "publish eve=1,eve=1\n", "publish eve=1,bob=2\n",
		"publish eve=1,*\n", "publish *=1\n", "publish key:k=1\n", "subscribe *\npublish *\n", "create *\n",
		"publish eve=1,\n", "publish eve=1\npublish bob=2\n", "admin eve=1\npublish eve=2\n" };
	char text[1024];
	struct conf_topic t;

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		AUTO_BUF struct buf again = BUF_INIT(CONF_TEXT_MAX);
		int n = snprintf(text, sizeof text, "%s%s", identity, lists[i]);

		if (!CHECK(read_topic(text, (size_t)n, &t) == MESS_OK)) {
			printf("# %s", lists[i]);
			continue;
		}
		CHECK(conf_write_grants(&t, true, &again) == MESS_OK);
		CHECK(buf_len(&again) == strlen(lists[i]) && memcmp(buf_data(&again), lists[i], buf_len(&again)) == 0);
		conf_topic_free(&t);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int n = snprintf(text, sizeof text, "%s%s", identity, bad[i]);

		if (!CHECK(read_topic(text, (size_t)n, &t) == MESS_CORRUPT)) {
			printf("# %s", bad[i]);
			conf_topic_free(&t);
		}
	}
}

TEST("conf: settings that are unknown, out of range, out of order or twice refuse the file")
{
	static const char *const lines[] = { "max-age 0\n", "max-age\n", "max-age x\n", "max-age 01\n",
		"max-age 99999999999\n", "max-bytes 65535\n", "max-attempts 65536\n", "max-agee 3\n",
		"keep 1\nmax-age 1\n", "keep 1\nkeep 1\n", "full reject\n", "full\n", "paused no\n",
		"paused\n", "describe \n", "describe\n", "colour red\n", "\n", "keep 1" };
	char text[1024];
	struct conf_topic t;

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		int n = snprintf(text, sizeof text, "%s%s", identity, lines[i]);

		CHECK(read_topic(text, (size_t)n, &t) == MESS_CORRUPT);
	}
	memcpy(text, identity, sizeof identity);
	memcpy(text + sizeof identity - 1, "describe ", 9);
	memset(text + sizeof identity + 8, 'x', CONF_DESCRIBE_MAX + 1);
	text[sizeof identity + 8 + CONF_DESCRIBE_MAX] = '\n';
	CHECK(read_topic(text, sizeof identity + 9 + CONF_DESCRIBE_MAX, &t) == MESS_OK);
	text[sizeof identity + 8 + CONF_DESCRIBE_MAX] = 'x';
	text[sizeof identity + 9 + CONF_DESCRIBE_MAX] = '\n';
	CHECK(read_topic(text, sizeof identity + 10 + CONF_DESCRIBE_MAX, &t) == MESS_CORRUPT);
}

TEST("conf: other spellings of a topic's file are refused")
{
	static const char *const texts[] = {
		"messtopic1\nowner 01 eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n",
		"messtopic1\nowner 4294967296 eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n",
		"messtopic1\nowner -1 eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n",
		"messtopic1\nowner 1  eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n",
		"messtopic1\nowner 1 eve \nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n",
		"messtopic1\nowner 1 eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.0\n",
		"messtopic2\nowner 1 eve\nincarnation 00112233445566778899aabbccddeeff\ncreated 1.000000000\n",
	};
	struct conf_topic out;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		CHECK(read_topic(texts[i], strlen(texts[i]), &out) == MESS_CORRUPT);
}
