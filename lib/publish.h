/* SPDX-License-Identifier: ISC */
/*
 * A message, and what its publisher asked for, into a topic.
 *
 * Promise: what is to be published once is stored once, as long as its id
 * is known (ids.h); message and id are in one commit.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "instruct.h"
#include "topic.h"

/* A message's instructions, and the headers that are stored for it where it has any. */
struct publish_ask {
	bool asked;
	struct instruct said;		/* borrowed from the message's headers */
	char block[RECORD_BLOCK_MAX];	/* what msg->headers then points to */
};

/* Check headers as they came from a caller; those to be stored come into msg. */
NODISCARD enum mess_err publish_check(struct publish_ask *a, struct mess_message *msg,
    const char **why);
/*
 * The same for a message that was acknowledged before: what of the engine's
 * headers is no valid instruction is dropped, not refused.  msg->headers
 * may be changed in place.
 */
NODISCARD enum mess_err publish_accept(struct publish_ask *a, struct mess_message *msg);
/* The headers that are stored for a message, as an ask: what publish_check had read. */
void publish_recall(struct publish_ask *a, const char *headers, size_t len);

enum publish_fate {
	PUBLISH_STORED,
	PUBLISH_DUPLICATE,	/* seq is the first of its id */
	PUBLISH_QUEUED,		/* seq, of the same key, still waits */
};

struct publish_result {
	enum publish_fate fate;
	uint64_t seq;
};

/* Is there anything that keeps it from being stored?  PUBLISH_STORED: no. */
NODISCARD enum mess_err publish_known(struct topic *t, uint32_t uid, const struct publish_ask *a,
    struct publish_result *out);

/*
 * Several messages in one commit, or none: make room for count messages of
 * bytes bytes, of which asks have ids; then publish_add each, or publish_rewind
 * all since.
 */
struct publish_batch {
	uint64_t count, bytes;
	size_t asks;
};
struct publish_mark {
	struct log_mark log;
	uint64_t ids;
	bool has_ids;
};
NODISCARD enum mess_err publish_begin(struct topic *t, const struct publish_batch *batch,
    struct publish_mark *out);
NODISCARD enum mess_err publish_add(struct topic *t, const struct mess_peer *from,
    const struct publish_ask *a, const struct mess_message *msg, struct publish_result *out);
/* The same of one that publish_known said nothing keeps from being stored. */
NODISCARD enum mess_err publish_store(struct topic *t, const struct mess_peer *from,
    const struct publish_ask *a, const struct mess_message *msg, struct publish_result *out);
void publish_rewind(struct topic *t, const struct publish_mark *mark);

/*
 * One message that publish_known let pass; one with a body that streamed in
 * (log_append_body), which is asked here.
 */
NODISCARD enum mess_err publish_message(struct topic *t, const struct mess_peer *from,
    const struct publish_ask *a, const struct mess_message *msg, struct publish_result *out);
NODISCARD enum mess_err publish_body(struct topic *t, const struct mess_peer *from,
    const struct publish_ask *a, struct body *b, struct publish_result *out);

#endif
