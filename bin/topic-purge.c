/* SPDX-License-Identifier: ISC */
/*
 * mess-topic purge: a topic's messages go, the topic stays.
 */
#include <stdio.h>
#include <sysexits.h>

#include "cli-time.h"
#include "topic-stat.h"

static int
dry_purge(struct mess *m, const char *topic, const char *before)
{
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	unsigned long long present;
	struct counts_all all;
	int status;

	if ((status = stat_look_at(m, topic, &text, &all)) != EX_OK)
		return status;
	present = counts_number(&all.topics[0].own, "present");
	if (before != NULL)
		printf("would purge %s: what came before %s of %llu message%s\n", topic, before, present,
		    present == 1 ? "" : "s");
	else
		printf("would purge %s: %llu message%s\n", topic, present, present == 1 ? "" : "s");
	counts_free(&all);
	return EX_OK;
}

int
verb_purge(struct mess *m, const struct topic_call *c)
{
	const char *topic = c->args[0], *text = c->value[OPT_BEFORE];
	struct mess_time before;
	enum mess_err err;
	uint64_t count;

	if (text != NULL && !cli_time(text, &before.sec, &before.nsec))
		call_usage("--before: a time like 2026-11-21T05:33:57Z or @1795239237; not %s", cli_cut(text));
	if (call_is_dry(c, "purge"))
		return dry_purge(m, topic, text);
	if ((err = mess_topic_purge(m, topic, text != NULL ? &before : NULL, &count)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(topic));
	if (c->verbose > 0)
		cli_warn("%s: %llu message%s went", cli_cut(topic), (unsigned long long)count,
		    count == 1 ? "" : "s");
	return EX_OK;
}
