/* SPDX-License-Identifier: ISC */
/*
 * A site's rule: `allow RIGHT,... WHO,... on PATTERN', or deny.  Pure.
 */
#ifndef RULE_H
#define RULE_H

#include "names.h"
#include "who.h"

struct rule {
	unsigned line;		/* of mess.conf */
	bool deny;
	unsigned rights;	/* bits */
	struct who_list who;
	char pattern[NAME_TOPIC_MAX + 1];
};
void rule_free(struct rule *r);

/* What stands behind `allow' or `deny'; MESS_BADDATA with the reason in why (WHO_WHY bytes). */
NODISCARD enum mess_err rule_read(const char *text, size_t len, const struct who_names *names,
    struct rule *out, char *why);
/* As it is written in mess.conf. */
NODISCARD enum mess_err rule_write(const struct rule *r, struct buf *out);

/*
 * Of two patterns that match one name, which says more: label by label from
 * the left a word before `*', and `*' before `**'.  Negative: a does; 0:
 * they are the same.
 */
int rule_compare_patterns(const char *a, const char *b);

#endif
