/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: what cannot be taken back.  Nothing is ever asked: a person at
 * a terminal says --yes, and --dry-run says what would go.
 */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "topic-stat.h"

bool
call_is_dry(const struct topic_call *c, const char *verb)
{
	if (call_has(c, OPT_DRY_RUN))
		return true;
	if (!call_has(c, OPT_YES) && isatty(STDIN_FILENO))
		call_usage("%s: this cannot be taken back: say --yes, or --dry-run to see what would go", verb);
	return false;
}

/* `would delete orders: 17 messages, 2 subscriptions (default, nightly)` */
static void
print_topic(const struct counts_topic *t)
{
	unsigned long long present = counts_number(&t->own, "present");

	printf("would delete %s: %llu message%s, %zu subscription%s", t->own.name, present,
	    present == 1 ? "" : "s", t->subs, t->subs == 1 ? "" : "s");
	for (size_t i = 0; i < t->subs; i++)
		printf("%s%s", i == 0 ? " (" : ", ", t->sub[i].name);
	puts(t->subs > 0 ? ")" : "");
}

static int
dry_delete(struct mess *m, const char *topic)
{
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	struct counts_all all;
	int status;

	if ((status = stat_look_at(m, topic, &text, &all)) != EX_OK)
		return status;
	print_topic(&all.topics[0]);
	counts_free(&all);
	return EX_OK;
}

int
verb_delete(struct mess *m, const struct topic_call *c)
{
	const char *topic = c->args[0];
	enum mess_err err;

	if (call_is_dry(c, "delete"))
		return dry_delete(m, topic);
	err = mess_topic_delete(m, topic);
	return err == MESS_OK ? EX_OK : cli_fail_mess(m, err, "%s", cli_cut(topic));
}
