/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: the engine's counts, read from its lines.
 */
#include "topic-counts.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/fd.h"

/* ---- asking ---- */

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
keep(void *name)
{
	(void)name; /* names belong to who lists them */
}

/* Topics named so far, so that one that two operands name is shown once. */
struct seen {
	void *tree;
};

static void
seen_free(struct seen *s)
{
	tdestroy(s->tree, keep);
}

/* True when it is new; false also without memory, which the next step meets again. */
static bool
seen_add(struct seen *s, const char *name)
{
	const void *const *at;

	if (tfind(name, &s->tree, compare) != NULL)
		return false;
	at = tsearch(name, &s->tree, compare);
	return at != NULL;
}

/* One topic; one that went since it was listed is left out. */
static int
add_topic(struct mess *m, const char *topic, bool listed, struct buf *out)
{
	AUTO_FREE char *lines = NULL;
	enum mess_err err = mess_topic_stat(m, topic, &lines);

	if (err == MESS_NOTOPIC && listed)
		return EX_OK;
	if (err == MESS_CANCELLED)
		return COUNTS_CANCELLED;
	if (err != MESS_OK)
		return cli_fail_mess(m, err, "%s", topic != NULL ? cli_cut(topic) : "");
	err = buf_append(out, lines, strlen(lines));
	return err == MESS_OK ? EX_OK : cli_fail(err, "stat");
}

static int
add_pattern(struct mess *m, const char *pattern, char **names, struct seen *seen, struct buf *out)
{
	char *key, *value;
	enum mess_err err;
	int status = EX_OK;

	if ((err = mess_topic_list(m, pattern, names)) == MESS_CANCELLED)
		return COUNTS_CANCELLED;
	if (err != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(pattern));
	for (char *at = *names; status == EX_OK && lines_next(&at, &key, &value);)
		if (seen_add(seen, key))
			status = add_topic(m, key, true, out);
	return status;
}

int
counts_gather(struct mess *m, char **topics, int count, struct buf *out)
{
	struct seen seen = { NULL };
	AUTO_FREE char **lists = calloc((size_t)count + 1, sizeof *lists);
	enum mess_err err;
	int status = EX_OK;

	if (lists == NULL)
		return cli_fail(MESS_LIMIT, "stat");
	if (count == 0)
		status = add_topic(m, NULL, false, out);
	for (int i = 0; status == EX_OK && i < count; i++)
		if (strchr(topics[i], '*') != NULL)
			status = add_pattern(m, topics[i], &lists[i], &seen, out);
		else if (seen_add(&seen, topics[i]))
			status = add_topic(m, topics[i], false, out);
	seen_free(&seen);
	for (int i = 0; i < count; i++)
		free(lists[i]);
	if (status == EX_OK && (err = buf_append(out, "", 1)) != MESS_OK)
		status = cli_fail(err, "stat");
	return status;
}

/* ---- reading ---- */

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n + 1;
}

/* A line belongs to what was named last. */
static void
read_lines(struct counts_all *all)
{
	struct counts_line *line = all->lines;
	struct counts_topic *topic = NULL;
	struct counts *sub = all->subs, *to = NULL;
	char *key, *value;

	for (char *at = all->text; lines_next(&at, &key, &value);) {
		if (strcmp(key, "topic") == 0) {
			topic = &all->topics[all->count++];
			*topic = (struct counts_topic){ .own = { value, line, 0 }, .sub = sub };
			to = &topic->own;
		} else if (topic != NULL && strcmp(key, "subscription") == 0) {
			*sub = (struct counts){ value, line, 0 };
			to = sub++;
			topic->subs++;
		} else if (to != NULL) {
			*line++ = (struct counts_line){ key, value };
			to->lines++;
		}
	}
}

enum mess_err
counts_read(struct buf *text, struct counts_all *out)
{
	size_t n = count_lines(buf_data(text));
	struct timespec now = { 0 };

	*out = (struct counts_all){ .text = strdup(buf_data(text)) };
	out->lines = calloc(n, sizeof *out->lines);
	out->subs = calloc(n, sizeof *out->subs);
	out->topics = calloc(n, sizeof *out->topics);
	if (out->text == NULL || out->lines == NULL || out->subs == NULL || out->topics == NULL) {
		counts_free(out);
		return MESS_LIMIT;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
	out->when = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	read_lines(out);
	return MESS_OK;
}

void
counts_free(struct counts_all *all)
{
	free(all->text);
	free(all->lines);
	free(all->subs);
	free(all->topics);
	*all = (struct counts_all){ .text = NULL };
}

/* ---- looking up ---- */

const char *
counts_get(const struct counts *c, const char *key)
{
	for (size_t i = 0; i < c->lines; i++)
		if (strcmp(c->line[i].key, key) == 0)
			return c->line[i].value;
	return NULL;
}

uint64_t
counts_number(const struct counts *c, const char *key)
{
	const char *value = counts_get(c, key);
	uint64_t n;

	return value != NULL && cli_number(value, 0, UINT64_MAX, &n) ? n : 0;
}

uint64_t
counts_sum(const struct counts_topic *t, const char *key)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->subs; i++)
		sum += counts_number(&t->sub[i], key);
	return sum;
}

double
counts_age(const struct counts *c, const char *key, double when)
{
	const char *value = counts_get(c, key);
	double then = value != NULL ? strtod(value, NULL) : 0;

	return then > 0 && when > then ? when - then : 0;
}
