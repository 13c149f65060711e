/* SPDX-License-Identifier: ISC */
/*
 * Audit: what a line is made of, and how many there are.
 */
#include "audit.h"
#include "flood.h"
#include "test.h"

static uint64_t clock_ms;
static char last[AUDIT_LINE_MAX];
static unsigned said;

static uint64_t
now(void)
{
	return clock_ms;
}

static void
say(void *arg, const char *line)
{
	(void)arg;
	said++;
	(void)snprintf(last, sizeof last, "%s", line);
}

static struct audit *
start(void)
{
	struct audit_setup setup = { .owner = 6100, .now = now, .say = say };
	struct audit *a;

	clock_ms = 1000000;
	said = 0;
	last[0] = '\0';
	CHECK(audit_new(&setup, &a) == MESS_OK);
	return a;
}

static const char *const keys[] = { "event", "uid", "gid", "pid", "login", "action", "object", "sub",
	"result", "rule", "detail" };
#define KEYS (sizeof keys / sizeof keys[0])

/* A line is these keys in this order, one space between, values of printable ASCII without = or quotes. */
static bool
is_line(const char *line)
{
	for (size_t i = 0; i < KEYS; i++) {
		size_t n = strlen(keys[i]);

		if (strncmp(line, keys[i], n) != 0 || line[n] != '=')
			return false;
		line += n + 1;
		n = strcspn(line, " =\"'`");
		for (size_t c = 0; c < n; c++)
			if (line[c] < 33 || line[c] > 126)
				return false;
		if (n == 0 || line[n] != (i + 1 < KEYS ? ' ' : '\0'))
			return false;
		line += n + 1;
	}
	return true;
}

static struct principal
user(uid_t uid)
{
	return (struct principal){ .peer = { .uid = uid, .gid = uid, .pid = 77 } };
}

TEST("a line has all its keys, and - for what there is not")
{
	struct audit *a = start();

	audit(a, &(struct audit_event){ .event = "engine", .action = "stop" });
	CHECK(strcmp(last, "event=engine uid=- gid=- pid=- login=- action=stop object=- sub=- result=- "
	    "rule=- detail=-") == 0);
	audit_free(a);
	audit(NULL, &(struct audit_event){ .event = "engine" });
}

TEST("no value ends a line or makes a key")
{
	static const char *const hostile[] = { "a\nevent=engine uid=0", "x uid=0", "\033[2J", "a=b", "\"q\" 'r' `s`",
		"\\", "\\\\\n", "\r", "\t", "\177", "\200\377", "\303\251", "-", " ", "\\040" };
	struct principal who = user(4000000001U);
	struct audit *a = start();

	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		audit(a, &(struct audit_event){ .event = "denied", .who = &who, .action = hostile[i],
			.object = hostile[i], .sub = hostile[i], .result = hostile[i], .rule = hostile[i],
			.detail = hostile[i] });
		CHECK(is_line(last));
	}
	audit_free(a);
}

TEST("every byte in every place, and the longest line")
{
	char text[300];
	struct principal who = user(1);
	struct audit *a = start();

	for (int c = 1; c < 256; c++) {
		memset(text, c, sizeof text);
		text[sizeof text - 1] = '\0';
		audit(a, &(struct audit_event){ .event = "denied", .who = &who, .object = text, .sub = text,
			.rule = text, .detail = text });
		CHECK(is_line(last));
		CHECK(strlen(last) < AUDIT_LINE_MAX);
		clock_ms += 100;
	}
	CHECK(said == 255);
	CHECK(strstr(last, "... ") != NULL);
	audit_free(a);
}

TEST("an escaped value is the value again")
{
	struct audit *a = start();

	audit(a, &(struct audit_event){ .event = "x", .object = "a b\\\n=" });
	CHECK(strstr(last, " object=a\\040b\\134\\012\\075 ") != NULL);
	audit_free(a);
}

TEST("lines wait in order until they are taken")
{
	struct audit *a = start();
	size_t len;

	CHECK(audit_is_idle(a) && audit_next(a, &len) == NULL);
	audit(a, &(struct audit_event){ .event = "one" });
	audit(a, &(struct audit_event){ .event = "two", .change = true, .said = true });
	CHECK(said == 1);
	CHECK(audit_has_change(a));
	CHECK(strncmp(audit_next(a, &len), "event=one ", 10) == 0 && len == strlen(last) + 1);
	audit_taken(a);
	CHECK(strncmp(audit_next(a, &len), "event=two ", 10) == 0);
	audit_taken(a);
	CHECK(audit_is_idle(a) && !audit_has_change(a));
	audit_free(a);
}

/* How many lines wait, and the sum of what they say was suppressed. */
static unsigned
drain(struct audit *a, uint64_t *suppressed)
{
	const char *line, *at;
	unsigned n = 0;
	size_t len;

	while ((line = audit_next(a, &len)) != NULL) {
		if ((at = memmem(line, len, " suppressed=", 12)) != NULL)
			*suppressed += strtoull(at + 12, NULL, 10);
		else
			n++;
		audit_taken(a);
	}
	return n;
}

TEST("a flood is a hundred lines, ten a second, and the exact number of the others")
{
	struct principal who = user(6104), other = user(6101);
	struct audit *a = start();
	uint64_t suppressed = 0;
	unsigned n;

	for (int i = 0; i < 50000; i++) {
		audit(a, &(struct audit_event){ .event = "denied", .who = &who });
		if (i % 10 == 0)
			clock_ms++;
	}
	audit(a, &(struct audit_event){ .event = "denied", .who = &other });
	audit(a, &(struct audit_event){ .event = "session", .who = &who });
	audit_tell(a, false);
	n = drain(a, &suppressed);
	CHECK(n == 100 + 50 + 2);
	CHECK(suppressed == 0); /* it goes on, for all one knows */
	clock_ms += 1000;
	audit_tell(a, false);
	CHECK(drain(a, &suppressed) == 0);
	CHECK(suppressed == 50000 - 150);
	CHECK(audit_is_idle(a));
	audit_free(a);
}

TEST("a flood that goes on is told of each minute, and at the end")
{
	struct principal who = user(6104);
	struct audit *a = start();
	uint64_t suppressed = 0, last_sum;
	unsigned n = 0;

	for (int i = 0; i < 200000; i++) {
		audit(a, &(struct audit_event){ .event = "denied", .who = &who });
		if (++clock_ms % 1000 == 0)
			audit_tell(a, false);
		n += drain(a, &suppressed);
	}
	CHECK(suppressed > 150000);
	last_sum = suppressed;
	audit_tell(a, true);
	n += drain(a, &suppressed);
	CHECK(suppressed > last_sum);
	CHECK(n + suppressed == 200000);
	audit_free(a);
}

TEST("more uids than there are buckets share one, and crowd nobody out who is trusted")
{
	struct principal who, root = user(0);
	struct audit *a = start();
	uint64_t suppressed = 0;
	unsigned n = 0;

	for (int i = 0; i < 200; i++)
		for (uid_t uid = 100000; uid < 101000; uid++) {
			who = user(uid);
			audit(a, &(struct audit_event){ .event = "denied", .who = &who });
			n += drain(a, &suppressed);
		}
	said = 0;
	audit(a, &(struct audit_event){ .event = "topic", .who = &root, .action = "delete" });
	CHECK(said == 1);
	audit_tell(a, true);
	n += drain(a, &suppressed);
	CHECK(n - 1 + suppressed == 200 * 1000);
	audit_free(a);
}

TEST("what cannot wait is counted")
{
	struct principal who = user(6104);
	struct audit *a = start();
	uint64_t suppressed = 0;
	char text[AUDIT_VALUE_MAX];
	unsigned n;

	memset(text, '\n', sizeof text);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < 2000; i++) {
		audit(a, &(struct audit_event){ .event = "denied", .who = &who, .object = text, .rule = text,
			.detail = text });
		clock_ms += 100;
	}
	audit_tell(a, true);
	n = drain(a, &suppressed);
	CHECK(n < 2000);
	audit_tell(a, true);
	n += drain(a, &suppressed);
	CHECK(n + suppressed == 2000);
	audit_free(a);
}
