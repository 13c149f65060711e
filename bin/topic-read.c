/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: all that is present of a topic, in order.
 *
 * The engine and libmess check every record; one that is damaged does not
 * come, or its body ends with MESS_CORRUPT.  So a number that is missing is
 * damaged, unless it was freed while we read.
 */
#include "topic-read.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/fd.h"

/* Numbers that did not come, from lo to hi; named when we know that they are not just gone. */
struct gap {
	uint64_t lo, hi;
};
#define GAPS 4096	/* more are counted, not named one by one */

struct reading {
	struct mess *m;
	struct topic_read *r;
	uint64_t next;		/* the number that should come */
	struct gap gaps[GAPS];
	size_t count;
};

static void
add_gap(struct reading *g, uint64_t lo, uint64_t hi)
{
	struct gap *last = g->count > 0 ? &g->gaps[g->count - 1] : NULL;

	if (lo > hi)
		return;
	if (last != NULL && (last->hi + 1 == lo || g->count == GAPS))
		last->hi = hi;
	else
		g->gaps[g->count++] = (struct gap){ lo, hi };
}

/* The rest of a body that nobody read: its sum decides. */
static enum mess_err
read_rest(struct mess *m)
{
	static char piece[64 * 1024];
	enum mess_err err;
	size_t got;

	do
		err = mess_body_read(m, piece, sizeof piece, &got);
	while (err == MESS_OK && got > 0);
	return err;
}

static enum mess_err
take(struct reading *g, const struct mess_received *msg)
{
	uint64_t seq = msg->seq;
	enum mess_err err;

	if (seq > g->next)
		add_gap(g, g->next, seq - 1);
	g->next = seq + 1;
	if (g->r->message != NULL)
		err = g->r->message(g->r->arg, g->m, msg);
	else
		err = msg->body == NULL ? read_rest(g->m) : MESS_OK;
	if (err == MESS_CORRUPT)
		add_gap(g, seq, seq);
	else if (err == MESS_OK)
		g->r->whole++;
	return err;
}

/* The first number that is still kept; 0 when the engine does not say. */
static uint64_t
first_kept(struct mess *m, const char *topic)
{
	AUTO_FREE char *lines = NULL;
	char *key, *value;
	uint64_t first = 0;

	if (mess_topic_stat(m, topic, &lines) != MESS_OK)
		return 0;
	for (char *at = lines; first == 0 && lines_next(&at, &key, &value);)
		if (strcmp(key, "first") == 0 && !cli_number(value, 1, INT64_MAX, &first))
			return 0;
	return first;
}

static int
name_gaps(const struct reading *g)
{
	uint64_t first = g->count > 0 ? first_kept(g->m, g->r->topic) : 0;

	for (size_t i = 0; i < g->count; i++) {
		unsigned long long hi = g->gaps[i].hi, lo = g->gaps[i].lo > first ? g->gaps[i].lo : first;

		if (lo > hi)
			continue;
		g->r->damaged += hi - lo + 1;
		if (lo == hi)
			cli_warn("%s: message %llu is damaged", g->r->topic, lo);
		else
			cli_warn("%s: messages %llu to %llu are damaged", g->r->topic, lo, hi);
	}
	return g->r->damaged > 0 ? EX_DATAERR : EX_OK;
}

int
topic_read(struct mess *m, struct topic_read *r)
{
	struct reading g = { .m = m, .r = r };
	struct mess_received msg;
	struct mess_range have;
	enum mess_event event = MESS_EVENT_NONE;
	enum mess_err err;

	if ((err = mess_read(m, r->topic, 1, INT64_MAX, &have)) != MESS_OK ||
	    (err = mess_take(m, UINT64_MAX, true)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(r->topic));
	g.next = have.lo;
	while (event != MESS_EVENT_END) {
		if ((err = mess_next(m, -1, &event, &msg)) == MESS_OK && event == MESS_EVENT_MESSAGE)
			err = take(&g, &msg);
		if (err == MESS_OK && event == MESS_EVENT_GONE)
			(void)mess_gone(m, &err); /* the one topic that it reads */
		/* A record that does not check leaves its number out. */
		if (ferror(stdout) != 0)
			return EX_IOERR; /* said when it is flushed */
		if (err != MESS_OK && err != MESS_CORRUPT)
			return cli_fail_mess(m, err, "%s", r->topic);
	}
	if (have.lo <= have.hi)
		add_gap(&g, g.next, have.hi);
	return name_gaps(&g);
}
