/* SPDX-License-Identifier: ISC */
/*
 * A topic's own list: who was granted what.  Immutable and shared, so that
 * a topic's settings are copied cheaply; changing makes another.  Pure.
 */
#ifndef GRANTS_H
#define GRANTS_H

#include "who.h"

#define GRANTS_MAX 64

struct grant {
	struct who who;
	unsigned rights;	/* bits: publish, subscribe, admin */
};
/* Sorted, nobody twice.  NULL is a list that grants nothing. */
struct grants {
	unsigned refs;
	size_t count;
	struct grant g[];
};

struct grants *grants_ref(struct grants *g);
void grants_unref(struct grants *g);

/* add and remove for each right of a set; MESS_LIMIT above GRANTS_MAX.  *out is a new reference. */
NODISCARD enum mess_err grants_add(const struct grants *g, unsigned rights, const struct who_list *who,
    struct grants **out);
NODISCARD enum mess_err grants_remove(const struct grants *g, unsigned rights, const struct who_list *who,
    struct grants **out);
/* A list of nobody, which is not NULL. */
NODISCARD enum mess_err grants_nobody(struct grants **out);
/* Nobody has this right any more. */
NODISCARD enum mess_err grants_clear(const struct grants *g, enum acl_right right, struct grants **out);

/* One right as a list of words, "" for nobody; with numbers as in the topic's file. */
NODISCARD enum mess_err grants_write(const struct grants *g, enum acl_right right, bool numbers,
    struct buf *out);
/* Adds what a line of the topic's file grants (its value); MESS_CORRUPT when it is none. */
NODISCARD enum mess_err grants_read(struct grants **g, enum acl_right right, const char *text);

#endif
