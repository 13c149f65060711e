/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: make topics.
 */
#include <sysexits.h>

#include "topic-verb.h"

int
verb_create(struct mess *m, const struct topic_call *c)
{
	const char *topic = c->args[0];
	enum mess_err err = mess_topic_create(m, topic, NULL);

	return err == MESS_OK ? EX_OK : cli_fail_mess(m, err, "%s", cli_cut(topic));
}
