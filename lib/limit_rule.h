/* SPDX-License-Identifier: ISC */
/*
 * What is limited per user, and a site's rule about it: `limit WHO,... NAME
 * VALUE ...'.  Pure.
 */
#ifndef LIMIT_RULE_H
#define LIMIT_RULE_H

#include "who.h"

enum limit_name {
	LIMITED_CONNECTIONS,	/* at once */
	LIMITED_CONNECTS,	/* a second */
	LIMITED_REQUESTS,	/* a second */
	LIMITED_MESSAGES,	/* a second, published */
	LIMITED_BYTES,		/* a second, published */
	LIMITED_SPOOL_BYTES,	/* kept, in the user's topics */
	LIMITED_SPOOL_MESSAGES,	/* likewise */
	LIMITED_TOPICS,		/* owned */
	LIMITED_SUBSCRIPTIONS,	/* the user's own */
	LIMITED_MEMORY,		/* of the engine's, in bytes */
	LIMITED_NAMES,
};

#define LIMIT_NONE UINT64_MAX

/* Once: the word in mess.conf, what it counts, for people, and its default in a system spool. */
struct limit_kind {
	const char *word, *unit;
	uint64_t value;
	bool size, rate;
};
extern const struct limit_kind limit_kinds[LIMITED_NAMES];

struct limit_rule {
	unsigned line;
	struct who_list who;
	bool set[LIMITED_NAMES];
	uint64_t value[LIMITED_NAMES];
};
void limit_rule_free(struct limit_rule *r);

/* What stands behind `limit'; MESS_BADDATA with the reason in why (WHO_WHY bytes). */
NODISCARD enum mess_err limit_rule_read(const char *text, size_t len, const struct who_names *names,
    struct limit_rule *out, char *why);
NODISCARD enum mess_err limit_rule_write(const struct limit_rule *r, struct buf *out);

#endif
