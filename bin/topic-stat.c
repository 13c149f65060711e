/* SPDX-License-Identifier: ISC */
/*
 * mess-topic stat: the counts, as the engine's lines into a pipe, as a table
 * on a terminal, as JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "topic-verb.h"

#define TEXT_MAX ((size_t)256 << 20)

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

/* A topic's members, then an array of its subscriptions, each of the same kind. */
static void
stat_json(char *lines)
{
	char *key, *value;
	bool topic = false, subscription = false;

	putchar('[');
	for (char *at = lines; lines_next(&at, &key, &value);) {
		if (strcmp(key, "topic") == 0) {
			printf("%s{", !topic ? "" : subscription ? "}]}," : ",\"subscriptions\":[]},");
			topic = true;
			subscription = false;
			lines_json_string("topic");
			putchar(':');
			lines_json_string(value);
		} else if (strcmp(key, "subscription") == 0) {
			printf("%s{\"name\":", subscription ? "}," : ",\"subscriptions\":[");
			subscription = true;
			lines_json_string(value);
		} else if (strcmp(key, "oldest") == 0) {
			printf(",\"oldest_age\":%.3f", age(value));
		} else {
			putchar(',');
			lines_json_member(key, value);
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
	for (char *at = lines; lines_next(&at, &key, &value);) {
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

int
verb_stat(struct mess *m, const struct topic_call *c)
{
	AUTO_BUF struct buf all = BUF_INIT(TEXT_MAX);
	int status;

	if ((status = gather(m, c->args, c->count, &all)) != EX_OK)
		return status;
	if (call_has(c, OPT_JSON))
		stat_json(buf_data(&all));
	else if (isatty(STDOUT_FILENO))
		stat_table(buf_data(&all));
	else
		fputs(buf_data(&all), stdout);
	return EX_OK;
}
