/* SPDX-License-Identifier: ISC */
/*
 * mess-topic stat --security: what confines the engine, as it says itself.
 */
#include <stdio.h>
#include <sysexits.h>

#include "base/fd.h"
#include "topic-stat.h"

static void
print_json(char *lines)
{
	char *key, *value;
	char before = '{';

	while (lines_next(&lines, &key, &value)) {
		putchar(before);
		lines_json_member(key, value);
		before = ',';
	}
	puts(before == '{' ? "{}" : "}");
}

int
stat_security(struct mess *m, const struct topic_call *c)
{
	AUTO_FREE char *lines = NULL;
	enum mess_err err;

	call_only(c, "stat", "--security", OPT_BIT(OPT_SECURITY) | OPT_BIT(OPT_JSON));
	if (c->count > 0)
		call_usage("stat: --security is about the engine: it takes no topic");
	if ((err = mess_security(m, &lines)) != MESS_OK)
		return cli_fail_mess(m, err, "stat --security");
	if (call_has(c, OPT_JSON))
		print_json(lines);
	else
		fputs(lines, stdout);
	return EX_OK;
}
