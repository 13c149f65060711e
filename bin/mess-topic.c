/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: make, look, change.  A table of verbs; each does one thing.
 *
 * What the engine says about topics is `key value` lines.  They go out as
 * they are into a pipe, as a table on a terminal, as JSON with --json.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "cli.h"

#define TEXT_MAX ((size_t)256 << 20)

static const struct cli_text text = {
	"mess-topic [-qv] " CLI_WHERE_USAGE
	" create TOPIC | delete TOPIC | list [PATTERN] | show TOPIC | stat [TOPIC...] [--json]",
	"Make, remove and look at topics.\n\n"
	"  create TOPIC         make a topic\n"
	"  delete TOPIC         remove a topic and all its messages\n"
	"  list [PATTERN]       names of topics; * is one label, a last ** one or more\n"
	"  show TOPIC           its owner, its subscriptions\n"
	"  stat [TOPIC...]      its counts: published, present, waiting\n\n"
	"      --json           list, show, stat: as JSON\n"
	CLI_WHERE_HELP
};

struct options {
	struct cli_where where;
	bool json;
	int verbose;
};

struct verb {
	const char *name;
	int min, max;		/* operands */
	bool json;
	int (*run)(struct mess *m, const struct options *o, char **args, int count);
};

/* ---- key value lines ---- */

/* The next line of a text; false at its end.  Words are borrowed, and ended in place. */
static bool
next_line(char **at, char **key, char **value)
{
	char *line = *at, *nl, *space;

	if (*line == '\0')
		return false;
	if ((nl = strchr(line, '\n')) != NULL)
		*nl = '\0';
	*at = nl != NULL ? nl + 1 : line + strlen(line);
	space = strchr(line, ' ');
	if (space != NULL)
		*space = '\0';
	*key = line;
	*value = space != NULL ? space + 1 : line + strlen(line);
	return true;
}

static void
json_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static bool
is_number(const char *s)
{
	uint64_t n;

	return cli_number(s, 0, UINT64_MAX, &n) && (s[0] != '0' || s[1] == '\0');
}

static void
json_value(const char *s)
{
	if (is_number(s))
		fputs(s, stdout);
	else
		json_string(s);
}

static void
json_member(const char *key, const char *value)
{
	json_string(key);
	putchar(':');
	json_value(value);
}

/* Seconds since a time as the engine writes it; 0 for none. */
static double
age(const char *since)
{
	struct timespec now;
	double then = strtod(since, NULL), seconds;

	if (then <= 0 || clock_gettime(CLOCK_REALTIME, &now) == -1)
		return 0;
	seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - then;
	return seconds > 0 ? seconds : 0;
}

/* ---- verbs ---- */

static int
run_create(struct mess *m, const struct options *o, char **args, int count)
{
	enum mess_err err = mess_topic_create(m, args[0]);

	(void)o, (void)count;
	return err == MESS_OK ? EX_OK : cli_fail_mess(m, err, "%s", cli_cut(args[0]));
}

static int
run_delete(struct mess *m, const struct options *o, char **args, int count)
{
	enum mess_err err = mess_topic_delete(m, args[0]);

	(void)o, (void)count;
	return err == MESS_OK ? EX_OK : cli_fail_mess(m, err, "%s", cli_cut(args[0]));
}

static int
run_list(struct mess *m, const struct options *o, char **args, int count)
{
	const char *pattern = count > 0 ? args[0] : NULL;
	AUTO_FREE char *names = NULL;
	char *at, *name, *rest;
	enum mess_err err;
	bool first = true;

	if ((err = mess_topic_list(m, pattern, &names)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", pattern != NULL ? cli_cut(pattern) : "list");
	if (!o->json) {
		fputs(names, stdout);
		return EX_OK;
	}
	putchar('[');
	for (at = names; next_line(&at, &name, &rest); first = false) {
		if (!first)
			putchar(',');
		json_string(name);
	}
	puts("]");
	return EX_OK;
}

/* `owner UID LOGIN` is two members, `created` a time for people and programs. */
static void
show_json_member(const char *key, char *value)
{
	char when[sizeof "9999-12-31T23:59:59"];
	char *rest = value + strcspn(value, " .");
	time_t sec = (time_t)strtoll(value, NULL, 10);
	struct tm tm;

	if (strcmp(key, "owner") == 0 && *rest == ' ') {
		*rest = '\0';
		json_member("uid", value);
		printf(",\"owner\":");
		json_string(rest + 1);
	} else if (strcmp(key, "created") == 0 && *rest == '.' && gmtime_r(&sec, &tm) != NULL &&
	    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm) > 0) {
		printf("\"created\":\"%s%sZ\"", when, rest);
	} else {
		json_string(key);
		putchar(':');
		json_string(value);
	}
}

static void
show_json(char *lines)
{
	char *key, *value;
	bool first = true, subscriptions = false;

	putchar('{');
	for (char *at = lines; next_line(&at, &key, &value); first = false) {
		if (strcmp(key, "subscription") == 0) {
			printf("%s", subscriptions ? "," : first ? "\"subscriptions\":[" : ",\"subscriptions\":[");
			subscriptions = true;
			json_string(value);
			continue;
		}
		if (!first)
			putchar(',');
		show_json_member(key, value);
	}
	puts(subscriptions ? "]}" : ",\"subscriptions\":[]}");
}

static int
run_show(struct mess *m, const struct options *o, char **args, int count)
{
	AUTO_FREE char *lines = NULL;
	enum mess_err err;

	(void)count;
	if ((err = mess_topic_show(m, args[0], &lines)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(args[0]));
	if (o->json)
		show_json(lines);
	else
		fputs(lines, stdout);
	return EX_OK;
}

/* A topic's members, then an array of its subscriptions, each of the same kind. */
static void
stat_json(char *lines)
{
	char *key, *value;
	bool topic = false, subscription = false;

	putchar('[');
	for (char *at = lines; next_line(&at, &key, &value);) {
		if (strcmp(key, "topic") == 0) {
			printf("%s{", !topic ? "" : subscription ? "}]}," : ",\"subscriptions\":[]},");
			topic = true;
			subscription = false;
			json_string("topic");
			putchar(':');
			json_string(value);
		} else if (strcmp(key, "subscription") == 0) {
			printf("%s{\"name\":", subscription ? "}," : ",\"subscriptions\":[");
			subscription = true;
			json_string(value);
		} else if (strcmp(key, "oldest") == 0) {
			printf(",\"oldest_age\":%.3f", age(value));
		} else {
			putchar(',');
			json_member(key, value);
		}
	}
	puts(!topic ? "]" : subscription ? "}]}]" : ",\"subscriptions\":[]}]");
}

/* One line of the table, filled as its keys come. */
struct row {
	const char *name;
	bool subscription;
	const char *cell[5];
	double age;
};

static const char *const topic_keys[] = { "published", "present", "depth", "bytes", "damaged" };
static const char *const sub_keys[] = { "acked", "leased", "pending", "redelivered", "consumers" };

#define CELLS (sizeof topic_keys / sizeof topic_keys[0])

/* 42s, 7m, 3h, 12d: what a person wants to know of an age. */
static void
print_age(double seconds)
{
	static const struct { double size; char unit; } units[] = {
		{ 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' },
	};
	size_t i = 0;

	while (i < 3 && seconds < 2 * units[i].size)
		i++;
	printf(" %8.0f%c", seconds / units[i].size, units[i].unit);
}

static void
print_row(const struct row *r)
{
	if (r->name == NULL)
		return;
	printf("%s%-*s", r->subscription ? "  " : "", r->subscription ? 13 : 15, r->name);
	for (size_t i = 0; i < CELLS; i++)
		printf(" %10s", r->cell[i] != NULL ? r->cell[i] : "-");
	if (!r->subscription && r->age > 0)
		print_age(r->age);
	putchar('\n');
}

static void
stat_table(char *lines)
{
	struct row row = { .name = NULL };
	char *key, *value;

	printf("%-15s %10s %10s %10s %10s %10s %9s\n", "TOPIC", "PUBLISHED", "PRESENT", "DEPTH", "BYTES",
	    "DAMAGED", "OLDEST");
	printf("  %-13s %10s %10s %10s %10s %10s\n", "SUBSCRIPTION", "ACKED", "LEASED", "PENDING",
	    "AGAIN", "CONSUMERS");
	for (char *at = lines; next_line(&at, &key, &value);) {
		bool sub = strcmp(key, "subscription") == 0;

		if (sub || strcmp(key, "topic") == 0) {
			print_row(&row);
			row = (struct row){ .name = value, .subscription = sub };
		} else if (strcmp(key, "oldest") == 0) {
			row.age = age(value);
		}
		for (size_t i = 0; i < CELLS; i++)
			if (strcmp(key, row.subscription ? sub_keys[i] : topic_keys[i]) == 0)
				row.cell[i] = value;
	}
	print_row(&row);
}

/* All of them, before a byte is printed: an error leaves stdout empty. */
static int
gather(struct mess *m, char **args, int count, struct buf *all)
{
	enum mess_err err;

	for (int i = 0; i == 0 || i < count; i++) {
		const char *topic = count > 0 ? args[i] : NULL;
		AUTO_FREE char *lines = NULL;

		if ((err = mess_topic_stat(m, topic, &lines)) != MESS_OK)
			return cli_fail_mess(m, err, "%s", topic != NULL ? cli_cut(topic) : "stat");
		if ((err = buf_append(all, lines, strlen(lines))) != MESS_OK)
			return cli_fail(err, "stat");
	}
	return (err = buf_append(all, "", 1)) == MESS_OK ? EX_OK : cli_fail(err, "stat");
}

static int
run_stat(struct mess *m, const struct options *o, char **args, int count)
{
	AUTO_BUF struct buf all = BUF_INIT(TEXT_MAX);
	int status;

	if ((status = gather(m, args, count, &all)) != EX_OK)
		return status;
	if (o->json)
		stat_json(buf_data(&all));
	else if (isatty(STDOUT_FILENO))
		stat_table(buf_data(&all));
	else
		fputs(buf_data(&all), stdout);
	return EX_OK;
}

static const struct verb verbs[] = {
	{ "create", 1, 1, false, run_create },
	{ "delete", 1, 1, false, run_delete },
	{ "list", 0, 1, true, run_list },
	{ "show", 1, 1, true, run_show },
	{ "stat", 0, 1 << 16, true, run_stat },
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	cli_usage(&text, "%s: no such verb; there are create, delete, list, show, stat",
	    cli_cut(name));
}

static void
read_options(int argc, char *argv[], struct options *o)
{
	enum { JSON = CLI_OPTION_OWN };
	static const struct option longs[] = {
		{ "json", no_argument, NULL, JSON },
		CLI_LONG_OPTIONS
	};
	int c;

	while ((c = cli_getopt(argc, argv, "qv", longs, &text)) != -1) {
		switch (c) {
		case 'q':
			o->verbose--;
			break;
		case 'v':
			o->verbose++;
			break;
		case JSON:
			o->json = true;
			break;
		default:
			cli_option(&o->where, c, optarg, &text);
		}
	}
}

int
main(int argc, char *argv[])
{
	struct options o = { .json = false };
	const struct verb *verb;
	struct mess *m;
	int count, status;

	cli_init(argv);
	read_options(argc, argv, &o);
	if (optind == argc)
		cli_usage(&text, "which verb? there are create, delete, list, show, stat");
	verb = find_verb(argv[optind++]);
	count = argc - optind;
	if (count < verb->min)
		cli_usage(&text, "%s: which topic?", verb->name);
	if (count > verb->max)
		cli_usage(&text, "%s: one operand too many: %s", verb->name,
		    cli_cut(argv[optind + verb->max]));
	for (int i = 0; i < count; i++)
		if (argv[optind + i][0] == '\0')
			cli_usage(&text, "%s: a topic's name is not empty", verb->name);
	if (o.json && !verb->json)
		cli_usage(&text, "%s: --json is for list, show and stat", verb->name);

	m = cli_open(&o.where);
	status = verb->run(m, &o, argv + optind, count);
	mess_close(m);
	if (status == EX_OK)
		status = cli_flush_stdout();
	return status;
}
