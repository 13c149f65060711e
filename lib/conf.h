/* SPDX-License-Identifier: ISC */
/*
 * mess.conf: text -> struct.  Pure: numbers of users and groups come from
 * functions that are given.
 */
#ifndef CONF_H
#define CONF_H

#include "limit_rule.h"
#include "rule.h"

#define CONF_TEXT_MAX ((size_t)64 * 1024)

/* Strings are allocated, NULL when not given. */
struct conf {
	char *spool;
	char *socket;
	char *user;
	bool sandbox;
	struct who_list admins;
	struct rule *rules;
	size_t rule_count;
	struct limit_rule *limits;
	size_t limit_count;
};
void conf_free(struct conf *c);

/*
 * Read mess.conf.  MESS_CONFIG with the line's number and the reason: a
 * file is taken whole or not at all.
 */
struct conf_error {
	unsigned line;
	char why[WHO_WHY];
};
NODISCARD enum mess_err conf_read(const char *text, size_t len, const struct who_names *names,
    struct conf *out, struct conf_error *error);

#endif
