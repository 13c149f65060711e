/* SPDX-License-Identifier: ISC */
/*
 * mess-topic redrive: dead letters go back to the subscriptions that gave
 * them up.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/fd.h"
#include "topic-verb.h"

/* mailout and mailout.dead mean the same letters. */
static char *
without_dead(const char *topic)
{
	size_t len = strlen(topic);
	bool dead = len > 5 && strcmp(topic + len - 5, ".dead") == 0;

	return strndup(topic, dead ? len - 5 : len);
}

int
verb_redrive(struct mess *m, const struct topic_call *c)
{
	struct mess_redrive which = { .name = c->value[OPT_SUBSCRIPTION], .match = call_header("redrive", c) };
	AUTO_FREE char *topic = without_dead(c->args[0]);
	enum mess_err err;
	uint64_t count;

	if (topic == NULL)
		return cli_fail(MESS_LIMIT, "redrive");
	if (c->count > 1)
		call_range("redrive", c->args[1], &which.range);
	if ((err = mess_redrive(m, topic, &which, &count)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(c->args[0]));
	if (c->verbose > 0)
		cli_warn("%s: %llu redriven", topic, (unsigned long long)count);
	if (count == 0 && which.range.lo > 0 && which.range.lo == which.range.hi) {
		cli_warn("%s: no such letter waits in %s.dead: %llu", topic, topic,
		    (unsigned long long)which.range.lo);
		return EX_NOINPUT;
	}
	return EX_OK;
}
