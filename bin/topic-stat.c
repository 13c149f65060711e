/* SPDX-License-Identifier: ISC */
/*
 * mess-topic stat: the counts.  As the engine's lines into a pipe, as a table
 * on a terminal, as JSON, as Prometheus reads them.
 */
#include "topic-stat.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "term.h"

/* ---- JSON ---- */

/* Members that are there even when an engine does not say them. */
static const char *const always_topic[] = { "published", "present", "bytes", "depth", "refused",
	"expired", "purged", "dropped", "dead", "commit-p50-us", "commit-p99-us", NULL };
static const char *const always_sub[] = { "pending", "leased", "delayed", "dead", "redelivered",
	"consumers", NULL };

/* commit-p50-us is commit_p50_us, so that jq needs no quotes. */
static void
json_key(const char *key)
{
	putchar('"');
	for (; *key != '\0'; key++)
		putchar(*key == '-' ? '_' : *key);
	fputs("\":", stdout);
}

static void
json_text_or_null(const char *value)
{
	if (strcmp(value, "-") == 0)
		fputs("null", stdout);
	else
		lines_json_string(value);
}

/* `owner UID LOGIN` is two members; `-` is nobody. */
static void
json_owner(const char *value)
{
	const char *space = strchr(value, ' ');

	if (space == NULL) {
		fputs(",\"uid\":null,\"owner\":", stdout);
		json_text_or_null(value);
		return;
	}
	printf(",\"uid\":%.*s,\"owner\":", (int)(space - value), value);
	json_text_or_null(space + 1);
}

static void
json_line(const struct counts_line *l, double when, const struct counts *c)
{
	if (strcmp(l->key, "owner") == 0) {
		json_owner(l->value);
		return;
	}
	putchar(',');
	if (strcmp(l->key, "oldest") == 0) {
		printf("\"oldest_age\":%.3f", counts_age(c, "oldest", when));
		return;
	}
	json_key(l->key);
	if (strcmp(l->key, "held-by") == 0 || strcmp(l->key, "match") == 0 || strcmp(l->key, "share") == 0)
		json_text_or_null(l->value);
	else
		lines_json_value(l->value);
}

static void
json_counts(const char *kind, const struct counts *c, const char *const *always, double when)
{
	printf("{\"%s\":", kind);
	lines_json_string(c->name);
	for (size_t i = 0; i < c->lines; i++)
		json_line(&c->line[i], when, c);
	for (; *always != NULL; always++)
		if (counts_get(c, *always) == NULL) {
			putchar(',');
			json_key(*always);
			putchar('0');
		}
}

static void
json_subs(const struct counts_topic *t, double when)
{
	putchar('[');
	for (size_t k = 0; k < t->subs; k++) {
		if (k > 0)
			putchar(',');
		json_counts("name", &t->sub[k], always_sub, when);
		if (counts_get(&t->sub[k], "owner") == NULL)
			fputs(",\"owner\":null", stdout);
		putchar('}');
	}
	putchar(']');
}

void
stat_json_subs(const struct counts_all *all)
{
	json_subs(&all->topics[0], all->when);
	putchar('\n');
}

void
stat_json(const struct counts_all *all)
{
	putchar('[');
	for (size_t i = 0; i < all->count; i++) {
		const struct counts_topic *t = &all->topics[i];

		if (i > 0)
			putchar(',');
		json_counts("topic", &t->own, always_topic, all->when);
		if (counts_get(&t->own, "oldest") == NULL)
			fputs(",\"oldest_age\":0", stdout);
		fputs(",\"subscriptions\":", stdout);
		json_subs(t, all->when);
		putchar('}');
	}
	puts("]");
}

/* ---- the verb ---- */

static enum stat_form
form_of(const struct topic_call *c)
{
	bool prometheus = call_has(c, OPT_PROMETHEUS);

	if (prometheus && call_has(c, OPT_JSON))
		call_usage("stat: only one of --json and --prometheus");
	if (prometheus && call_has(c, OPT_WATCH))
		call_usage("stat: --prometheus is one look; it does not --watch");
	if (prometheus)
		return STAT_PROMETHEUS;
	if (call_has(c, OPT_JSON))
		return STAT_JSON;
	return term_is_human(c->value[OPT_COLOR], STDOUT_FILENO) ? STAT_TABLE : STAT_LINES;
}

int
stat_look(struct mess *m, const struct topic_call *c, struct buf *text, struct counts_all *out)
{
	enum mess_err err;
	int status;

	buf_reset(text, STAT_TEXT_MAX);
	if ((status = counts_gather(m, c->args, c->count, text)) != EX_OK)
		return status;
	err = counts_read(text, out);
	return err == MESS_OK ? EX_OK : cli_fail(err, "stat");
}

int
stat_look_at(struct mess *m, const char *topic, struct buf *text, struct counts_all *out)
{
	AUTO_FREE char *lines = NULL;
	enum mess_err err;

	if ((err = mess_topic_stat(m, topic, &lines)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(topic));
	if ((err = buf_append(text, lines, strlen(lines) + 1)) != MESS_OK ||
	    (err = counts_read(text, out)) != MESS_OK)
		return cli_fail(err, "%s", topic);
	if (out->count == 1)
		return EX_OK;
	counts_free(out);
	return cli_fail(MESS_PROTOCOL, "%s: mess-deliverd said nothing of it", topic);
}

int
verb_stat(struct mess *m, const struct topic_call *c)
{
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	struct counts_all all;
	enum stat_form form;
	int status;

	if (call_has(c, OPT_SECURITY))
		return stat_security(m, c);
	if (!term_is_when(c->value[OPT_COLOR]))
		call_usage("--color=%s: always, auto or never", cli_cut(c->value[OPT_COLOR]));
	form = form_of(c);
	if (call_has(c, OPT_WATCH))
		return stat_watch(m, c, form);
	if ((status = stat_look(m, c, &text, &all)) != EX_OK)
		return status;
	if (form == STAT_JSON)
		stat_json(&all);
	else if (form == STAT_PROMETHEUS)
		stat_prometheus(&all);
	else if (form == STAT_LINES)
		fputs(buf_data(&text), stdout);
	else
		status = stat_table(&all, NULL, &(struct stat_look){
			.colour = term_colour(c->value[OPT_COLOR], STDOUT_FILENO) });
	counts_free(&all);
	return status;
}
