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

/* Those that stay: why, and what to do. */
static int
tell_stay(const char *topic, const struct mess_redriven *done)
{
	AUTO_FREE char *how = NULL;

	/* Somebody's own is made by nobody else. */
	if ((strchr(done->name, '/') != NULL ? asprintf(&how, "mess-sub -s %s %s, by its owner",
	    strchr(done->name, '/') + 1, topic) : asprintf(&how, "mess-topic sub add %s %s now", topic,
	    done->name)) == -1)
		return cli_fail(MESS_LIMIT, "redrive");
	cli_warn("%s: %llu letter%s in %s.dead: subscription %s does not exist: make it again (%s) and redrive",
	    topic, (unsigned long long)done->stay, done->stay == 1 ? " stays" : "s stay", topic, done->name, how);
	return EX_NOINPUT;
}

int
verb_redrive(struct mess *m, const struct topic_call *c)
{
	struct mess_redrive which = { .name = c->value[OPT_SUBSCRIPTION], .match = call_header("redrive", c) };
	AUTO_FREE char *topic = without_dead(c->args[0]);
	enum mess_err err;
	struct mess_redriven done;

	if (topic == NULL)
		return cli_fail(MESS_LIMIT, "redrive");
	if (c->count > 1)
		call_range("redrive", c->args[1], &which.range);
	if ((err = mess_redrive(m, topic, &which, &done)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(c->args[0]));
	if (c->verbose > 0)
		cli_warn("%s: %llu redriven", topic, (unsigned long long)done.count);
	if (done.stay > 0)
		return tell_stay(topic, &done);
	if (done.count == 0 && which.range.lo > 0 && which.range.lo == which.range.hi) {
		cli_warn("%s: no such letter waits in %s.dead: %llu", topic, topic,
		    (unsigned long long)which.range.lo);
		return EX_NOINPUT;
	}
	return EX_OK;
}
