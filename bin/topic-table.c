/* SPDX-License-Identifier: ISC */
/*
 * mess-topic stat on a terminal: a table, a topic's line before those of its
 * subscriptions.
 */
#include <string.h>

#include "term.h"
#include "topic-stat.h"

static const char *const heads[] = { "TOPIC", "DEPTH", "LEASED", "DELAYED", "DEAD", "AGAIN", "OLDEST",
	"REFUSED", "P99", "BYTES" };
#define HEADS (sizeof heads / sizeof heads[0])
#define RATES 2		/* in and out, where there is a look before this one */

struct table {
	struct term_table t;
	const struct counts_all *all, *before;
};

/* ---- rates ---- */

static const struct counts_topic *
topic_before(const struct table *t, size_t i)
{
	const struct counts_all *b = t->before;
	const char *name = t->all->topics[i].own.name;

	if (b == NULL)
		return NULL;
	/* Mostly it stands where it stood. */
	if (i < b->count && strcmp(b->topics[i].own.name, name) == 0)
		return &b->topics[i];
	for (size_t k = 0; k < b->count; k++)
		if (strcmp(b->topics[k].own.name, name) == 0)
			return &b->topics[k];
	return NULL;
}

static const struct counts *
sub_before(const struct counts_topic *before, const char *name)
{
	for (size_t i = 0; before != NULL && i < before->subs; i++)
		if (strcmp(before->sub[i].name, name) == 0)
			return &before->sub[i];
	return NULL;
}

/* Per second since the look before; a topic made again begins at 0. */
static void
rate_cell(struct table *t, bool known, uint64_t now, uint64_t then)
{
	double seconds = t->before != NULL ? t->all->when - t->before->when : 0;

	if (known && seconds > 0 && now >= then)
		term_table_cell(&t->t, TERM_PLAIN, "%.0f", (double)(now - then) / seconds);
	else
		term_table_cell(&t->t, TERM_PLAIN, "%s", "");
}

static uint64_t
settled(const struct counts *c)
{
	return counts_number(c, "acked") + counts_number(c, "dead");
}

static uint64_t
all_settled(const struct counts_topic *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->subs; i++)
		sum += settled(&t->sub[i]);
	return sum;
}

/* ---- cells ---- */

/* A number; one that asks for somebody has its colour, a zero none. */
static void
number_cell(struct table *t, uint64_t n, enum term_style style)
{
	term_table_cell(&t->t, n > 0 ? style : TERM_DIM, "%llu", (unsigned long long)n);
}

static void
oldest_cell(struct table *t, const struct counts *c)
{
	double age = counts_age(c, "oldest", t->all->when);
	char text[TERM_SHORT];

	term_table_cell(&t->t, TERM_PLAIN, "%s", age > 0 ? term_age(age, text) : "");
}

static void
micro_cell(struct table *t, const struct counts *c)
{
	uint64_t us = counts_number(c, "commit-p99-us");
	char text[TERM_SHORT];

	term_table_cell(&t->t, TERM_PLAIN, "%s", us > 0 ? term_micro(us, text) : "");
}

/* Nine tenths of a limit are worth a colour. */
static void
bytes_cell(struct table *t, const struct counts *c)
{
	uint64_t bytes = counts_number(c, "bytes"), max = counts_number(c, "max-bytes");
	char text[TERM_SHORT], limit[TERM_SHORT];

	if (max == 0)
		term_table_cell(&t->t, TERM_PLAIN, "%s", term_bytes(bytes, text));
	else
		term_table_cell(&t->t, bytes / 9 >= max / 10 ? TERM_YELLOW : TERM_PLAIN, "%s/%s",
		    term_bytes(bytes, text), term_bytes(max, limit));
}

static void
empty_cells(struct table *t, unsigned n)
{
	while (n-- > 0)
		term_table_cell(&t->t, TERM_PLAIN, "%s", "");
}

static bool
is_said(const char *value)
{
	return value != NULL && strcmp(value, "-") != 0 && strcmp(value, "no") != 0;
}

/* What no number says: paused, held back, damaged. */
static void
topic_notes(struct table *t, const struct counts *c)
{
	const char *paused = counts_get(c, "paused"), *held = counts_get(c, "held-by");
	uint64_t damaged = counts_number(c, "damaged");
	AUTO_BUF struct buf notes = BUF_INIT(4096);
	enum mess_err err = MESS_OK;

	if (is_said(paused))
		err = buf_printf(&notes, "paused %s  ", strcmp(paused, "both") == 0 ? "in and out" : paused);
	if (err == MESS_OK && is_said(held) && counts_number(c, "present") > 0)
		err = buf_printf(&notes, "held by %s  ", held);
	if (err == MESS_OK && damaged > 0)
		err = buf_printf(&notes, "%llu damaged  ", (unsigned long long)damaged);
	t->t.failed |= err != MESS_OK;
	term_table_cell(&t->t, damaged > 0 ? TERM_RED : is_said(paused) ? TERM_YELLOW : TERM_PLAIN, "%.*s",
	    buf_len(&notes) > 2 ? (int)buf_len(&notes) - 2 : 0, buf_len(&notes) > 2 ? buf_data(&notes) : "");
}

static void
sub_notes(struct table *t, const struct counts *c)
{
	unsigned long long consumers = counts_number(c, "consumers");
	bool full = counts_number(c, "full") != 0;

	if (full)
		term_table_cell(&t->t, TERM_YELLOW, "its place is full");
	else if (consumers > 0)
		term_table_cell(&t->t, TERM_DIM, "%llu consumer%s", consumers, consumers == 1 ? "" : "s");
	else
		empty_cells(t, 1);
}

/* ---- rows ---- */

static void
topic_row(struct table *t, size_t i)
{
	const struct counts_topic *topic = &t->all->topics[i], *before = topic_before(t, i);
	const struct counts *c = &topic->own;

	term_table_cell(&t->t, TERM_BOLD, "%s", c->name);
	number_cell(t, counts_number(c, "depth"), TERM_PLAIN);
	number_cell(t, counts_sum(topic, "leased"), TERM_PLAIN);
	number_cell(t, counts_sum(topic, "delayed"), TERM_PLAIN);
	number_cell(t, counts_number(c, "dead"), TERM_RED);
	number_cell(t, counts_sum(topic, "redelivered"), TERM_PLAIN);
	oldest_cell(t, c);
	number_cell(t, counts_number(c, "refused"), TERM_YELLOW);
	micro_cell(t, c);
	bytes_cell(t, c);
	if (t->before != NULL) {
		rate_cell(t, before != NULL, counts_number(c, "published"),
		    before != NULL ? counts_number(&before->own, "published") : 0);
		rate_cell(t, before != NULL, all_settled(topic), before != NULL ? all_settled(before) : 0);
	}
	topic_notes(t, c);
}

static void
sub_row(struct table *t, const struct counts *c, const struct counts *before)
{
	term_table_cell(&t->t, TERM_PLAIN, "  %s", c->name);
	number_cell(t, counts_number(c, "pending"), TERM_PLAIN);
	number_cell(t, counts_number(c, "leased"), TERM_PLAIN);
	number_cell(t, counts_number(c, "delayed"), TERM_PLAIN);
	number_cell(t, counts_number(c, "dead"), TERM_PLAIN);
	number_cell(t, counts_number(c, "redelivered"), TERM_PLAIN);
	empty_cells(t, HEADS - 6);
	if (t->before != NULL) {
		empty_cells(t, 1);
		rate_cell(t, before != NULL, settled(c), before != NULL ? settled(before) : 0);
	}
	sub_notes(t, c);
}

static void
head_row(struct table *t)
{
	for (size_t i = 0; i < HEADS; i++)
		term_table_cell(&t->t, TERM_DIM, "%s", heads[i]);
	if (t->before != NULL) {
		term_table_cell(&t->t, TERM_DIM, "IN/S");
		term_table_cell(&t->t, TERM_DIM, "OUT/S");
	}
	empty_cells(t, 1);
}

int
stat_table(const struct counts_all *all, const struct counts_all *before,
    const struct stat_look *look)
{
	struct table t = { .all = all, .before = before };
	bool printed;

	term_table_init(&t.t, HEADS + (before != NULL ? RATES : 0) + 1);
	head_row(&t);
	for (size_t i = 0; i < all->count; i++) {
		const struct counts_topic *topic = &all->topics[i];

		topic_row(&t, i);
		for (size_t k = 0; k < topic->subs; k++)
			sub_row(&t, &topic->sub[k], sub_before(topic_before(&t, i), topic->sub[k].name));
	}
	printed = term_table_print(&t.t, &(struct term_print){ .colour = look->colour,
		.line_end = look->line_end, .columns = look->columns, .rows = look->rows });
	term_table_free(&t.t);
	return printed ? 0 : cli_fail(MESS_LIMIT, "stat");
}
