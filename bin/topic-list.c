/* SPDX-License-Identifier: ISC */
/*
 * mess-topic list and show: what topics there are, and what one is.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/fd.h"
#include "topic-verb.h"

int
verb_list(struct mess *m, const struct topic_call *c)
{
	const char *pattern = c->count > 0 ? c->args[0] : NULL;
	AUTO_FREE char *names = NULL;
	char *at, *name, *rest;
	enum mess_err err;
	bool first = true;

	if ((err = mess_topic_list(m, pattern, &names)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", pattern != NULL ? cli_cut(pattern) : "");
	if (!call_has(c, OPT_JSON)) {
		fputs(names, stdout);
		return EX_OK;
	}
	putchar('[');
	for (at = names; lines_next(&at, &name, &rest); first = false) {
		if (!first)
			putchar(',');
		lines_json_string(name);
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
		lines_json_member("uid", value);
		printf(",\"owner\":");
		lines_json_string(rest + 1);
	} else if (strcmp(key, "created") == 0 && *rest == '.' && gmtime_r(&sec, &tm) != NULL &&
	    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm) > 0) {
		printf("\"created\":\"%s%sZ\"", when, rest);
	} else {
		lines_json_string(key);
		putchar(':');
		lines_json_string(value);
	}
}

static void
show_json(char *lines)
{
	char *key, *value;
	bool first = true, subscriptions = false;

	putchar('{');
	for (char *at = lines; lines_next(&at, &key, &value); first = false) {
		if (strcmp(key, "subscription") == 0) {
			printf("%s", subscriptions ? "," : first ? "\"subscriptions\":[" : ",\"subscriptions\":[");
			subscriptions = true;
			lines_json_string(value);
			continue;
		}
		if (!first)
			putchar(',');
		show_json_member(key, value);
	}
	puts(subscriptions ? "]}" : ",\"subscriptions\":[]}");
}

int
verb_show(struct mess *m, const struct topic_call *c)
{
	AUTO_FREE char *lines = NULL;
	enum mess_err err;

	if ((err = mess_topic_show(m, c->args[0], &lines)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(c->args[0]));
	if (call_has(c, OPT_JSON))
		show_json(lines);
	else
		fputs(lines, stdout);
	return EX_OK;
}
