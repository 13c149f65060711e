/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: the engine's counts, read from its lines.  A line that this
 * program does not know is kept, one that is missing counts as 0: an engine
 * may be older or newer than we.
 */
#ifndef TOPIC_COUNTS_H
#define TOPIC_COUNTS_H

#include "base/buf.h"
#include "topic-verb.h"

struct counts_line {
	const char *key, *value;
};

/* The lines of one topic, or of one subscription, behind its name. */
struct counts {
	const char *name;
	const struct counts_line *line;
	size_t lines;
};

struct counts_topic {
	struct counts own;
	const struct counts *sub;
	size_t subs;
};

/* All that one look showed; to be freed with counts_free. */
struct counts_all {
	char *text;
	struct counts_line *lines;
	struct counts *subs;
	struct counts_topic *topics;
	size_t count;
	double when;		/* seconds since 1970 */
};

/*
 * What STAT says of the topics, each once, in their order; all without any.
 * An operand with a * is a pattern.  EX_OK, or the exit status of what was
 * said; COUNTS_CANCELLED, and nothing said, when mess_cancel_on ended it.
 */
#define COUNTS_CANCELLED (-1)
int counts_gather(struct mess *m, char **topics, int count, struct buf *out);

/* Takes the bytes of text, which end in a NUL; MESS_LIMIT without memory. */
NODISCARD enum mess_err counts_read(struct buf *text, struct counts_all *out);
void counts_free(struct counts_all *all);

/* A line's value; NULL, or 0, when there is none. */
const char *counts_get(const struct counts *c, const char *key);
uint64_t counts_number(const struct counts *c, const char *key);
/* A sum over the topic's subscriptions. */
uint64_t counts_sum(const struct counts_topic *t, const char *key);
/* Seconds from the time that a line has to when the look was taken; 0 for none. */
double counts_age(const struct counts *c, const char *key, double when);

#endif
