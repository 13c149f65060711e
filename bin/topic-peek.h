/* SPDX-License-Identifier: ISC */
/*
 * mess-topic peek: one look, and how a message is shown to people.
 */
#ifndef TOPIC_PEEK_H
#define TOPIC_PEEK_H

#include "base/buf.h"
#include "json-write.h"
#include "topic-verb.h"

enum peek_form {
	PEEK_BODY,
	PEEK_RECORDS,
	PEEK_JSON,
	PEEK_TEXT,
};

struct peek {
	struct mess *m;
	enum peek_form form;
	const char *match;	/* Name=GLOB, or NULL */
	uint64_t left;		/* to be shown yet */
	uint64_t shown;
	bool verbose;		/* all of a body */
	bool colour;
	struct buf out;
};

/* The message for people: heading, headers, body, all of it safe to look at. */
NODISCARD enum mess_err peek_text(struct peek *p, const struct mess_received *msg);

#endif
