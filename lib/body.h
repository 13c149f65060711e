/* SPDX-License-Identifier: ISC */
/*
 * A large body on its way in: a file of its own, made with bounded memory.
 *
 * Promise: the file is whole and synced before it gets its name in cur/,
 * and has it durably before its record is committed; a body that is not
 * finished leaves nothing.
 */
#ifndef BODY_H
#define BODY_H

#include "base/work.h"
#include "segment.h"

/* "NUMBER.body" in cur/. */
#define BODY_SUFFIX ".body"

struct body;

/* A file in tmp/ of the topic's directory; headers are copied. */
NODISCARD enum mess_err body_new(int topic_dir, struct work *work, const char *headers,
    size_t headers_len, struct body **out);
/* Safe at any time before body_name: removes the file; waits for a sync under way. */
void body_free(struct body *b);

NODISCARD enum mess_err body_write(struct body *b, const void *data, size_t len);
uint64_t body_len(const struct body *b);
/* Read back a body of at most MESS_INLINE_MAX: it is stored like any small one. */
NODISCARD enum mess_err body_read(const struct body *b, void *to);

/*
 * Sync beside the loop; then done(arg, err), unless body_free comes first.
 * MESS_SICK is not meant by an error: nothing was promised yet.
 */
void body_sync(struct body *b, void (*done)(void *arg, enum mess_err err), void *arg);
/* The same at once. */
NODISCARD enum mess_err body_sync_now(struct body *b);

/* Move to cur/ as seq's body, durably.  For log_append_body. */
NODISCARD enum mess_err body_name(struct body *b, int cur, uint64_t seq);
uint64_t body_payload_sum(const struct body *b);
const char *body_headers(const struct body *b, size_t *len);

/*
 * The body of message seq, so long, for reading.  MESS_CORRUPT: there is
 * none, or another; what else fails may pass, and costs no message.
 */
NODISCARD enum mess_err body_open(int cur, uint64_t seq, uint64_t len, int *out);

/* Remove what engines before this one, and publishers 36 hours ago, left unfinished in tmp/. */
NODISCARD enum mess_err body_sweep(int topic_dir);
/* Remove the bodies of messages below first from cur/. */
void body_sweep_below(int cur, uint64_t first);

#endif
