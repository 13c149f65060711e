/* SPDX-License-Identifier: ISC */
/*
 * JSON as it is written: strings and base64 into a buffer.  Pure.
 */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include <stdbool.h>

#include "base/buf.h"

/* Is it UTF-8 from its first byte to its last: what a JSON string can hold? */
bool json_is_text(const char *data, size_t len);

/*
 * A string with its quotes.  Control characters, those above 127 included,
 * are escaped, so that a terminal has nothing to obey; what is no UTF-8
 * becomes U+FFFD, a byte each.
 */
NODISCARD enum mess_err json_put_string(struct buf *b, const char *data, size_t len);

/* Base64 without quotes; in pieces, when each but the last has a multiple of 3 bytes. */
NODISCARD enum mess_err json_put_base64(struct buf *b, const void *data, size_t len);

#endif
