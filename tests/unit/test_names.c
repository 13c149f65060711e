/* SPDX-License-Identifier: ISC */
/*
 * Names: the grammar of mess(7), its limits, and what patterns match.
 */
#include "names.h"

#include "test.h"

typedef enum mess_err check_fn(const char *name, const char **why);

/* Every refusal says why, no acceptance does, and why may be NULL. */
static bool
check_is(check_fn *fn, const char *name, enum mess_err expected)
{
	char *copy = test_copy(name, strlen(name) + 1);
	const char *why = NULL;
	enum mess_err err = fn(copy, &why), again = fn(copy, NULL);

	free(copy);
	if (err != expected)
		printf("# \"%s\" is %d, not %d\n", name, err, expected);
	return err == expected && again == err && (why != NULL) == (err != MESS_OK);
}

static bool
valid(check_fn *fn, const char *name)
{
	return check_is(fn, name, MESS_OK);
}

static bool
refused(check_fn *fn, const char *name)
{
	return check_is(fn, name, MESS_BADNAME);
}

/* count labels of x, of len bytes in all with their dots; only the last is longer than fits evenly. */
static const char *
labels(size_t count, size_t len, const char *tail)
{
	static char name[512];
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		size_t left = count - i;
		size_t n = (len - at - (left - 1)) / left;

		memset(name + at, 'x', n);
		at += n;
		name[at++] = '.';
	}
	strcpy(name + at - 1, tail);
	return name;
}

TEST("names: ordinary topic names are valid")
{
	CHECK(valid(name_check_topic, "orders"));
	CHECK(valid(name_check_topic, "a"));
	CHECK(valid(name_check_topic, "0"));
	CHECK(valid(name_check_topic, "user.joe.build-log"));
	CHECK(valid(name_check_topic, "a-b_c.9-_9"));
}

TEST("names: every byte but a-z 0-9 - _ . is refused in a name")
{
	for (int c = 1; c < 256; c++) {
		const char name[] = { 'a', (char)c, 'b', '\0' };
		bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

		CHECK(check_is(name_check_sub, name, good ? MESS_OK : MESS_BADNAME));
		CHECK(check_is(name_check_topic, name, good || c == '.' ? MESS_OK : MESS_BADNAME));
	}
}

TEST("names: nothing that a path could misread is a name")
{
	CHECK(refused(name_check_topic, ""));
	CHECK(refused(name_check_topic, "."));
	CHECK(refused(name_check_topic, ".."));
	CHECK(refused(name_check_topic, ".lock"));
	CHECK(refused(name_check_topic, "a."));
	CHECK(refused(name_check_topic, "a..b"));
	CHECK(refused(name_check_topic, "a/b"));
	CHECK(refused(name_check_topic, "../a"));
	CHECK(refused(name_check_sub, ""));
	CHECK(refused(name_check_sub, "."));
	CHECK(refused(name_check_sub, "a.b"));
}

TEST("names: a label starts and ends with a letter or digit")
{
	CHECK(refused(name_check_topic, "-a"));
	CHECK(refused(name_check_topic, "a-"));
	CHECK(refused(name_check_topic, "_"));
	CHECK(refused(name_check_topic, "a.b-.c"));
	CHECK(refused(name_check_topic, "a._b.c"));
	CHECK(refused(name_check_sub, "-"));
	CHECK(valid(name_check_sub, "a-_-b"));
}

TEST("names: a label has 62, 63, but not 64 bytes")
{
	CHECK(valid(name_check_sub, labels(1, 62, "")));
	CHECK(valid(name_check_sub, labels(1, 63, "")));
	CHECK(refused(name_check_sub, labels(1, 64, "")));
	CHECK(valid(name_check_topic, labels(1, 63, ".y")));
	CHECK(refused(name_check_topic, labels(1, 64, ".y")));
	CHECK(refused(name_check_topic, labels(1, 300, "")));
}

TEST("names: a topic has 6, 7, but not 8 labels")
{
	CHECK(valid(name_check_topic, "a.b.c.d.e.f"));
	CHECK(valid(name_check_topic, "a.b.c.d.e.f.g"));
	CHECK(refused(name_check_topic, "a.b.c.d.e.f.g.h"));
	CHECK(refused(name_check_topic, "a.b.c.d.e.f.g.h.i.j"));
}

TEST("names: a topic has 194, 195, but not 196 bytes")
{
	CHECK(strlen(labels(7, 195, "")) == 195);
	CHECK(valid(name_check_topic, labels(7, 194, "")));
	CHECK(valid(name_check_topic, labels(7, 195, "")));
	CHECK(refused(name_check_topic, labels(7, 196, "")));
	CHECK(valid(name_check_topic, labels(4, 195, "")));
	CHECK(refused(name_check_topic, labels(4, 196, "")));
}

TEST("names: .dead fits behind every name, and not behind a longer one")
{
	CHECK(strlen(labels(7, 195, ".dead")) == 200);
	CHECK(valid(name_check_topic, labels(7, 194, ".dead")));
	CHECK(valid(name_check_topic, labels(7, 195, ".dead")));
	CHECK(refused(name_check_topic, labels(7, 196, ".dead")));
	CHECK(valid(name_check_topic, "a.b.c.d.e.f.g.dead"));
	CHECK(refused(name_check_topic, "a.b.c.d.e.f.g.h.dead"));
	CHECK(refused(name_check_topic, "a.b.c.d.e.f.g.undead"));
	CHECK(refused(name_check_topic, labels(7, 196, ".ded")));
}

TEST("names: the engine's names are names, but not for a new topic")
{
	static const char *const engines[] = { "mess", "mess.audit", "user", "dead", "orders.dead" };

	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
		CHECK(valid(name_check_topic, engines[i]));
		CHECK(refused(name_check_new_topic, engines[i]));
	}
	CHECK(valid(name_check_new_topic, "orders"));
	CHECK(valid(name_check_new_topic, "user.joe.x"));
	CHECK(valid(name_check_new_topic, "messy"));
	CHECK(valid(name_check_new_topic, "a.mess"));
	CHECK(valid(name_check_new_topic, "users"));
	CHECK(valid(name_check_new_topic, "dead.letters"));
	CHECK(refused(name_check_new_topic, "A"));
}

TEST("names: * is any label of a pattern and ** only the last")
{
	CHECK(valid(name_check_pattern, "orders"));
	CHECK(valid(name_check_pattern, "*"));
	CHECK(valid(name_check_pattern, "**"));
	CHECK(valid(name_check_pattern, "*.a.*"));
	CHECK(valid(name_check_pattern, "a.**"));
	CHECK(valid(name_check_pattern, "*.**"));
	CHECK(valid(name_check_pattern, "*.dead"));
	CHECK(refused(name_check_pattern, ""));
	CHECK(refused(name_check_pattern, "**.a"));
	CHECK(refused(name_check_pattern, "a.**.b"));
	CHECK(refused(name_check_pattern, "a*"));
	CHECK(refused(name_check_pattern, "***"));
	CHECK(refused(name_check_pattern, "*."));
	CHECK(refused(name_check_pattern, "*.*.*.*.*.*.*.*"));
	CHECK(refused(name_check_topic, "*"));
	CHECK(refused(name_check_topic, "a.**"));
	CHECK(refused(name_check_sub, "*"));
}

TEST("names: a name matches itself, and * one label")
{
	CHECK(name_match("a.b", "a.b"));
	CHECK(!name_match("a.b", "a"));
	CHECK(!name_match("a", "a.b"));
	CHECK(!name_match("a.b", "a.c"));
	CHECK(!name_match("a", "ab"));
	CHECK(name_match("*", "a"));
	CHECK(!name_match("*", "a.b"));
	CHECK(name_match("a.*.c", "a.b.c"));
	CHECK(!name_match("a.*.c", "a.b.d"));
	CHECK(!name_match("a.*", "a"));
}

TEST("names: ** matches one label or more")
{
	CHECK(name_match("**", "a"));
	CHECK(name_match("**", "a.b.c"));
	CHECK(name_match("a.**", "a.b"));
	CHECK(name_match("a.**", "a.b.c.d"));
	CHECK(!name_match("a.**", "a"));
	CHECK(!name_match("a.**", "b.c"));
	CHECK(name_match("*.**", "a.b"));
	CHECK(!name_match("*.**", "a"));
}

TEST("names: no wildcard stands for a first mess or user or a last dead")
{
	CHECK(!name_match("*", "mess"));
	CHECK(!name_match("**", "mess.audit"));
	CHECK(!name_match("*.*", "mess.audit"));
	CHECK(!name_match("*", "user"));
	CHECK(!name_match("**", "user.joe.x"));
	CHECK(!name_match("*.**", "user.joe.x"));
	CHECK(!name_match("*.*.x", "user.joe.x"));
	CHECK(!name_match("*", "dead"));
	CHECK(!name_match("**", "a.dead"));
	CHECK(!name_match("a.*", "a.dead"));
	CHECK(!name_match("a.**", "a.b.dead"));
	CHECK(!name_match("user.**", "user.joe.dead"));
}

TEST("names: a pattern that spells mess, user or dead matches it")
{
	CHECK(name_match("mess.*", "mess.audit"));
	CHECK(name_match("user.*.x", "user.joe.x"));
	CHECK(name_match("user.**", "user.joe.x"));
	CHECK(name_match("*.dead", "a.dead"));
	CHECK(name_match("a.*.dead", "a.b.dead"));
	CHECK(!name_match("*.dead", "user.dead"));
	CHECK(name_match("a.*", "a.mess"));
	CHECK(name_match("*.b", "dead.b"));
	CHECK(name_match("a.**", "a.user.dead.b"));
}

TEST("names: distance counts edits, up to 3")
{
	CHECK(name_distance("orders", "orders") == 0);
	CHECK(name_distance("", "") == 0);
	CHECK(name_distance("order", "orders") == 1);
	CHECK(name_distance("orders", "rders") == 1);
	CHECK(name_distance("orders", "ordirs") == 1);
	CHECK(name_distance("ordres", "orders") == 2);
	CHECK(name_distance("kitten", "sitting") == 3);
	CHECK(name_distance("abcdef", "uvwxyz") == 3);
	CHECK(name_distance("", "ab") == 2);
	CHECK(name_distance("", "abcdef") == 3);
}

/* The textbook's table, against which the shortcut is held. */
static unsigned
distance_by_table(const char *a, const char *b)
{
	unsigned row[16][16];
	size_t m = strlen(a), n = strlen(b);

	for (size_t i = 0; i <= m; i++)
		for (size_t j = 0; j <= n; j++) {
			unsigned least = (unsigned)(i + j);

			if (i > 0 && row[i - 1][j] + 1 < least)
				least = row[i - 1][j] + 1;
			if (j > 0 && row[i][j - 1] + 1 < least)
				least = row[i][j - 1] + 1;
			if (i > 0 && j > 0 && row[i - 1][j - 1] + (a[i - 1] != b[j - 1]) < least)
				least = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			row[i][j] = least;
		}
	return row[m][n] < 3 ? row[m][n] : 3;
}

static void
random_word(char *out, size_t max)
{
	size_t n = test_random() % max;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)('a' + test_random() % 3);
	out[n] = '\0';
}

TEST("names: distance agrees with the textbook, both ways round")
{
	char a[12], b[12];

	for (int i = 0; i < 50000; i++) {
		random_word(a, sizeof a);
		random_word(b, sizeof b);
		if (!CHECK(name_distance(a, b) == distance_by_table(a, b)) ||
		    !CHECK(name_distance(a, b) == name_distance(b, a))) {
			printf("# \"%s\" \"%s\"\n", a, b);
			return;
		}
	}
}

/* What may be written as a topic may be a pattern, and then means itself alone. */
TEST("names: a random string is a pattern when it is a name, and matches itself")
{
	static const char alphabet[] = "ab.-*_d";
	char name[10];

	for (int i = 0; i < 200000; i++) {
		size_t n = test_random() % (sizeof name - 1);

		for (size_t k = 0; k < n; k++)
			name[k] = alphabet[test_random() % (sizeof alphabet - 1)];
		name[n] = '\0';
		if (name_check_topic(name, NULL) != MESS_OK)
			continue;
		if (!CHECK(valid(name_check_pattern, name)) || !CHECK(name_match(name, name)))
			return;
	}
}

TEST("names: what may be taken for each other")
{
	static const struct {
		const char *a, *b;
		bool alike;
	} cases[] = {
		{ "orders", "0rders", true }, { "orders", "orders", false }, { "bill1ng", "billing", true },
		{ "bil1ing", "bilIing", false }, { "logs.web", "logs-web", true }, { "logs_web", "logs-web", true },
		{ "orders", "orderss", true }, { "orders", "oorderrs", true }, { "orders", "order", true },
		{ "orders", "ordres", true }, { "orders", "ordars", true }, { "orders", "roders", true },
		{ "modern", "modem", true }, { "vvork", "work", true }, { "turn", "tum", true },
		/* Numbers, and short labels, are meant. */
		{ "worker1", "worker2", false }, { "worker1", "worker11", false }, { "worker", "worker1", false },
		{ "logs.a", "logs.b", false }, { "a", "b", false }, { "x.eu", "x.us", false }, { "in", "inn", true },
		{ "orders", "orders.dead", false }, { "orders", "horde", false }, { "orders.eu", "orders", false },
		{ "a.orders", "a.order", true }, { "a.b.c", "a-b-c", true }, { "web.logs", "web.blogs", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (!CHECK(name_is_alike(cases[i].a, cases[i].b) == cases[i].alike) ||
		    !CHECK(name_is_alike(cases[i].b, cases[i].a) == cases[i].alike))
			printf("# \"%s\" \"%s\"\n", cases[i].a, cases[i].b);
}

TEST("names: the longest are compared, too, and both ways round")
{
	char a[NAME_TOPIC_MAX + 1], b[NAME_TOPIC_MAX + 1];

	for (int i = 0; i < 20000; i++) {
		size_t n = 1 + test_random() % NAME_TOPIC_MAX;

		for (size_t k = 0; k < n; k++)
			a[k] = b[k] = "ornvil01-_."[test_random() % 11];
		a[n] = b[n] = '\0';
		b[test_random() % n] = "ornvil01-_."[test_random() % 11];
		if (!CHECK(name_is_alike(a, b) == name_is_alike(b, a)) || !CHECK(!name_is_alike(a, a)))
			return;
	}
}
