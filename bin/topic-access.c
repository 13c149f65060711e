/* SPDX-License-Identifier: ISC */
/*
 * mess-topic grant, revoke, check --user: a topic's list, and who may.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/fd.h"
#include "topic-verb.h"

#define LINE_MAX_LEN ((size_t)8192)

static int
change(struct mess *m, const struct topic_call *c, const char *word)
{
	AUTO_BUF struct buf line = BUF_INIT(LINE_MAX_LEN);
	enum mess_err err;

	if (strpbrk(c->args[1], " \n") != NULL || strpbrk(c->args[2], " \n") != NULL)
		call_usage("a right and who has it are words, with commas between: %s", cli_cut(c->args[2]));
	if (buf_printf(&line, "%s: %s %s\n", word, c->args[1], c->args[2]) != MESS_OK ||
	    buf_append(&line, "", 1) != MESS_OK)
		call_usage("the list is too long");
	if ((err = mess_topic_set(m, c->args[0], buf_data(&line))) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(c->args[0]));
	return EX_OK;
}

int
verb_grant(struct mess *m, const struct topic_call *c)
{
	return change(m, c, "Grant");
}

int
verb_revoke(struct mess *m, const struct topic_call *c)
{
	return change(m, c, "Revoke");
}

int
topic_check_user(struct mess *m, const struct topic_call *c)
{
	AUTO_FREE char *why = NULL;
	enum mess_err err;
	bool may = false;

	if (c->count < 2)
		call_usage("check --user: which right? publish, subscribe, admin or create");
	if ((err = mess_topic_may(m, c->args[0], c->args[1], c->value[OPT_USER], &may, &why)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(c->args[0]));
	if (c->verbose >= 0)
		fputs(why, stdout);
	return may ? EX_OK : 1;
}
