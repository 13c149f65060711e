/* SPDX-License-Identifier: ISC */
/*
 * The account of mess-spool(5), checked: every number of a topic, and every
 * number of each subscription, is exactly one thing.
 */
#ifndef FSCK_H
#define FSCK_H

#include "base/err.h"

struct fsck_topic {
	uint64_t published, first, present;
	uint64_t settled, expired, purged, dropped;
};

struct fsck_sub {
	int64_t start;		/* moves back when it is told to read again: may be below 1 */
	uint64_t floor;
	uint64_t settled;	/* by any reason */
	uint64_t pending, waiting, leased, delayed;
};

/* The rule that does not hold, with its numbers, in why; true and why untouched when all do. */
bool fsck_topic_holds(const struct fsck_topic *t, char *why, size_t size);
bool fsck_sub_holds(const struct fsck_topic *t, const struct fsck_sub *s, char *why, size_t size);

/* Told of each thing that is wrong: sub is NULL for the topic itself. */
struct fsck_finding {
	const char *topic, *sub;
	const char *what;
	bool mended;
};

struct fsck {
	bool repair;
	void (*found)(void *arg, const struct fsck_finding *f);
	void (*said)(void *arg, const char *line);	/* the storage's words for an administrator */
	void *arg;
	unsigned topics, subs;		/* so many were looked at */
};

/*
 * Check a spool that the caller holds locked, so that no engine serves it.
 * It is recovered first and swept, as by an engine that starts.  With repair
 * a damaged place is written anew, as the engine would begin it again.
 */
NODISCARD enum mess_err fsck_spool(int spool, struct fsck *f);

#endif
