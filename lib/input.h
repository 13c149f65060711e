/* SPDX-License-Identifier: ISC */
/*
 * INPUT HANDLER: bytes from a caller become a checked request or one clear
 * error.
 *
 * Promise: memory per caller is bounded by the longest request (a batch),
 * whatever arrives and however it is cut; what has no place yet costs
 * nothing while the caller is idle.
 */
#ifndef INPUT_H
#define INPUT_H

#include "protocol.h"

struct input {
	struct buf held;	/* an unfinished request; empty when idle */
	const char *data;	/* what is being read: held's bytes or the caller's piece */
	size_t len;
	bool in_held;
	bool hello;		/* was said */
	bool chunks;		/* a STREAM's body is coming */
	uint64_t chunk_left;	/* of the chunk being read */
	uint64_t skip_left;	/* of a refused request's bytes */
};

enum input_kind {
	INPUT_MORE,		/* nothing whole is left */
	INPUT_REQUEST,		/* request, payload */
	INPUT_REFUSED,		/* request understood and refused: err, why */
	INPUT_CHUNK,		/* payload: the next bytes of a STREAM's body */
	INPUT_CHUNKS_END,
	INPUT_BROKEN,		/* err, why; nothing after it can be understood */
};

struct input_item {
	enum input_kind kind;
	struct request request;
	const char *payload;	/* borrowed until the next call */
	size_t payload_len;
	enum mess_err err;
	const char *why;	/* static */
};

void input_init(struct input *in);
void input_free(struct input *in);

/*
 * A piece of bytes, borrowed until input_end; then items until INPUT_MORE,
 * or as many as the caller wants; then input_end keeps what is left.
 */
NODISCARD enum mess_err input_begin(struct input *in, const char *data, size_t len);
void input_next(struct input *in, struct input_item *out);
NODISCARD enum mess_err input_end(struct input *in);

/* Bytes are held that input_next has not looked at since the last INPUT_MORE. */
bool input_is_idle(const struct input *in);

#endif
