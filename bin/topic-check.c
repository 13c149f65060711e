/* SPDX-License-Identifier: ISC */
/*
 * mess-topic check: a monitor's plug-in.  One line on stdout, what is
 * measured behind a |; 0 is good, 1 a warning, 2 critical, 3 unknown.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "topic-counts.h"

#define TEXT_MAX ((size_t)16 << 20)

enum { GOOD, WARNING, CRITICAL, UNKNOWN };

static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* More than warn is a warning, more than crit critical; HUGE_VAL: never. */
struct limits {
	double warn, crit;
};

struct measure {
	const char *label, *unit;
	enum topic_option option;
	bool duration;
	double value;
	struct limits limits;
};

static double
limit(const struct measure *m, const char *text)
{
	uint64_t n;

	if (text[0] == '\0')
		return HUGE_VAL;
	if (m->duration ? cli_duration(text, &n) : cli_number(text, 0, UINT64_MAX, &n))
		return m->duration ? (double)n / 1000 : (double)n;
	call_usage("check: --%s %s: W,C, two %s, either left out", m->label, cli_cut(text),
	    m->duration ? "durations as 90s, 5m, 2h" : "numbers");
}

static void
read_limits(struct measure *m, const char *text)
{
	AUTO_FREE char *warn = NULL;
	const char *comma;

	m->limits = (struct limits){ HUGE_VAL, HUGE_VAL };
	if (text == NULL)
		return;
	comma = strchr(text, ',');
	warn = comma != NULL ? strndup(text, (size_t)(comma - text)) : NULL;
	if (warn == NULL)
		call_usage("check: --%s %s: W,C: two limits with a comma between", m->label, cli_cut(text));
	m->limits = (struct limits){ limit(m, warn), limit(m, comma + 1) };
	if (m->limits.warn > m->limits.crit && m->limits.warn != HUGE_VAL)
		call_usage("check: --%s %s: the warning comes after the critical limit", m->label,
		    cli_cut(text));
}

static int
judge(const struct measure *m)
{
	return m->value > m->limits.crit ? CRITICAL : m->value > m->limits.warn ? WARNING : GOOD;
}

/* What a limit that is none looks like behind the |: nothing. */
static void
print_limit(double limit)
{
	if (limit != HUGE_VAL)
		printf("%.0f", limit);
	putchar(';');
}

static void
print(const char *topic, const struct measure *m, size_t count, int state)
{
	printf("MESS %s: %s: ", words[state], topic);
	for (size_t i = 0; i < count; i++) {
		printf("%s%s %.0f%s", i > 0 ? ", " : "", m[i].label, m[i].value, m[i].unit);
		if (judge(&m[i]) != GOOD)
			printf(" (limit %.0f%s)", judge(&m[i]) == CRITICAL ? m[i].limits.crit : m[i].limits.warn,
			    m[i].unit);
	}
	fputs(" |", stdout);
	for (size_t i = 0; i < count; i++) {
		printf(" %s=%.0f%s;", m[i].label, m[i].value, m[i].unit);
		print_limit(m[i].limits.warn);
		print_limit(m[i].limits.crit);
		putchar('0');
	}
	putchar('\n');
}

static int
look(struct mess *m, const char *topic, struct measure *measures)
{
	AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
	AUTO_FREE char *lines = NULL;
	struct counts_all all;
	enum mess_err err;

	if ((err = mess_topic_stat(m, topic, &lines)) == MESS_OK &&
	    (err = buf_append(&text, lines, strlen(lines) + 1)) == MESS_OK)
		err = counts_read(&text, &all);
	if (err != MESS_OK) {
		printf("MESS UNKNOWN: %s: %s\n", cli_cut(topic),
		    mess_detail(m)[0] != '\0' ? mess_detail(m) : mess_strerror(err));
		return UNKNOWN;
	}
	if (all.count == 1) {
		measures[0].value = (double)counts_number(&all.topics[0].own, "depth");
		measures[1].value = counts_age(&all.topics[0].own, "oldest", all.when);
		measures[2].value = (double)counts_number(&all.topics[0].own, "dead");
	}
	counts_free(&all);
	return GOOD;
}

int
verb_check(struct mess *m, const struct topic_call *c)
{
	struct measure measures[] = {
		{ .label = "depth", .unit = "", .option = OPT_DEPTH },
		{ .label = "age", .unit = "s", .option = OPT_AGE, .duration = true },
		{ .label = "dead", .unit = "", .option = OPT_DEAD },
	};
	const size_t count = sizeof measures / sizeof measures[0];
	int state;

	if (call_has(c, OPT_USER))
		return topic_check_user(m, c);
	if (c->count > 1)
		call_usage("check: one operand too many: %s", cli_cut(c->args[1]));
	for (size_t i = 0; i < count; i++)
		read_limits(&measures[i], c->value[measures[i].option]);
	if ((state = look(m, c->args[0], measures)) == UNKNOWN)
		return state;
	for (size_t i = 0; i < count; i++)
		if (judge(&measures[i]) > state)
			state = judge(&measures[i]);
	print(c->args[0], measures, count, state);
	return state;
}
