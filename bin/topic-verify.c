/* SPDX-License-Identifier: ISC */
/*
 * mess-topic verify: read every record that is kept, name each that is
 * damaged.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/fd.h"
#include "topic-read.h"

/* A connection reads one topic: each has its own. */
static int
verify(const struct topic_call *c, const char *topic)
{
	struct topic_read r = { .topic = topic };
	struct mess *m = cli_open(&c->where);
	int status = topic_read(m, &r);

	if (c->verbose > 0 && (status == EX_OK || status == EX_DATAERR))
		cli_warn("%s: %llu message%s whole, %llu damaged", topic, (unsigned long long)r.whole,
		    r.whole == 1 ? " is" : "s are", (unsigned long long)r.damaged);
	mess_close(m);
	return status;
}

/* What is worse than damage is not hidden by it. */
static int
worse(int a, int b)
{
	return a == EX_OK || (a == EX_DATAERR && b != EX_OK) ? b : a;
}

static int
verify_pattern(struct mess *m, const struct topic_call *c, const char *pattern)
{
	AUTO_FREE char *names = NULL;
	char *name, *rest;
	enum mess_err err;
	int status = EX_OK;

	if ((err = mess_topic_list(m, pattern, &names)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", pattern != NULL ? cli_cut(pattern) : "");
	for (char *at = names; lines_next(&at, &name, &rest);)
		status = worse(status, verify(c, name));
	return status;
}

int
verb_verify(struct mess *m, const struct topic_call *c)
{
	int status = EX_OK;

	if (c->count == 0)
		return verify_pattern(m, c, NULL);
	for (int i = 0; i < c->count; i++)
		if (strchr(c->args[i], '*') != NULL)
			status = worse(status, verify_pattern(m, c, c->args[i]));
		else
			status = worse(status, verify(c, c->args[i]));
	return status;
}
