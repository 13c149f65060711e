/* SPDX-License-Identifier: ISC */
/*
 * mess-topic stat: the forms that counts are shown in.
 */
#ifndef TOPIC_STAT_H
#define TOPIC_STAT_H

#include "topic-counts.h"

#define STAT_TEXT_MAX ((size_t)256 << 20)	/* bytes of all that one look says */

enum stat_form {
	STAT_LINES,		/* as the engine says them */
	STAT_TABLE,
	STAT_JSON,
	STAT_PROMETHEUS,
};

/* How a table is shown; 0 columns or rows: as many as there are. */
struct stat_look {
	bool colour;
	const char *line_end;	/* NULL: a newline */
	unsigned columns, rows;
};

/* Ask, and read what is said; EX_OK, or the exit status of what was reported. */
int stat_look(struct mess *m, const struct topic_call *c, struct buf *text, struct counts_all *out);

/* The same of one topic. */
int stat_look_at(struct mess *m, const char *topic, struct buf *text, struct counts_all *out);

/* To stdout.  With the look before this one, before, a table has rates. */
void stat_json(const struct counts_all *all);
void stat_json_subs(const struct counts_all *all);	/* the subscriptions of the first topic */
void stat_prometheus(const struct counts_all *all);
int stat_table(const struct counts_all *all, const struct counts_all *before,
    const struct stat_look *look);

/* topic-security.c: what confines the engine, instead of counts. */
int stat_security(struct mess *m, const struct topic_call *c);

/* Once a second, until a signal. */
int stat_watch(struct mess *m, const struct topic_call *c, enum stat_form form);

#endif
