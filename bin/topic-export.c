/* SPDX-License-Identifier: ISC */
/*
 * mess-topic export: all that is present of a topic, as records on stdout,
 * byte for byte as they are stored.
 */
#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

#include "topic-read.h"

#define PIECE ((size_t)256 * 1024)

/* What stdout did not take is told once, at the end: until then nothing more is written. */
static enum mess_err
put(const void *data, size_t len)
{
	return fwrite(data, 1, len, stdout) == len ? MESS_OK : MESS_IO;
}

static enum mess_err
export_message(void *arg, struct mess *m, const struct mess_received *msg)
{
	static char piece[PIECE];
	enum mess_err err;
	size_t got;

	(void)arg;
	if ((err = put(msg->record, msg->record_len)) != MESS_OK || msg->body != NULL)
		return err;
	do {
		if ((err = mess_body_read(m, piece, sizeof piece, &got)) != MESS_OK ||
		    (err = put(piece, got)) != MESS_OK)
			return err;
	} while (got > 0);
	return put("\n", 1);
}

int
verb_export(struct mess *m, const struct topic_call *c)
{
	struct topic_read r = { .topic = c->args[0], .message = export_message };

	(void)setvbuf(stdout, NULL, _IOFBF, PIECE); /* else it is slower, no more */
	return topic_read(m, &r);
}
