/* SPDX-License-Identifier: ISC */
/*
 * A message as programs and people see it: its headers one by one, a pattern
 * on them, its time, the same as JSON.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <time.h>

#include "base/buf.h"

/* One line of a header block; borrowed, not ended. */
struct message_header {
	const char *name, *value;
	size_t name_len, value_len;
};

/* The next of a block that the library or mess_header_check found good; false at its end. */
bool message_next_header(const char **at, size_t *len, struct message_header *out);
bool message_header_is(const struct message_header *h, const char *name);
/* The first of that name; false when there is none. */
bool message_find_header(const struct mess_received *msg, const char *name, struct message_header *out);

/* Is `Name=GLOB` what one of the headers has?  Names in any case.  NULL is what all have. */
bool message_matches(const struct mess_received *msg, const char *match);
/* Is it `Name=GLOB` at all? */
bool message_match_check(const char *match);

/* 2026-11-21T05:33:57.670758191Z, or without the fraction. */
#define MESSAGE_TIME_MAX sizeof "-999999999999-12-31T23:59:59.999999999Z"
const char *message_time(uint64_t sec, const uint32_t *nsec, char out[MESSAGE_TIME_MAX]);

/* The login of a uid, or NULL; borrowed until the next call. */
const char *message_user(uint32_t uid);

/*
 * The members of its JSON object but the body, from `"topic":` on, without
 * the braces; attempt and subscription (NULL: none) only when it was taken.
 * Then `,"body":"..."` or `,"body64":"..."` of a body in memory.
 */
struct message_taken {
	const char *subscription;
};
NODISCARD enum mess_err message_json(struct buf *b, const struct mess_received *msg,
    const struct message_taken *taken);
NODISCARD enum mess_err message_json_body(struct buf *b, const char *body, size_t len);

#endif
