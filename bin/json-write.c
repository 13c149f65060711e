/* SPDX-License-Identifier: ISC */
/*
 * JSON as it is written.
 *
 * Promise: whatever bytes come in, what comes out is one JSON string in
 * ASCII and UTF-8, on one line.
 */
#include "json-write.h"

#include <stdint.h>

#define ESCAPED_MOST 6	/* \u00ff, for one byte */

/* The length of the character at the front of len bytes, and which it is; 0 for none. */
static size_t
character(const unsigned char *at, size_t len, uint32_t *out)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 :
	    at[0] < 0xf8 ? 4 : 0;
	uint32_t c;

	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? at[0] : at[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (at[i] & 0x3f);
	}
	if (c < lowest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return n;
}

bool
json_is_text(const char *data, size_t len)
{
	const unsigned char *at = (const unsigned char *)data;
	uint32_t c;
	size_t n;

	for (size_t i = 0; i < len; i += n)
		if ((n = character(at + i, len - i, &c)) == 0)
			return false;
	return true;
}

static char *
put_escape(char *to, uint32_t c)
{
	static const char hex[] = "0123456789abcdef";

	*to++ = '\\';
	switch (c) {
	case '"':
	case '\\':
		*to++ = (char)c;
		return to;
	case '\n':
		*to++ = 'n';
		return to;
	case '\r':
		*to++ = 'r';
		return to;
	case '\t':
		*to++ = 't';
		return to;
	default:
		to = mempcpy(to, "u00", 3);
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
		return to;
	}
}

static bool
is_plain(uint32_t c)
{
	return c >= 0x20 && c != '"' && c != '\\' && (c < 0x7f || c > 0x9f);
}

enum mess_err
json_put_string(struct buf *b, const char *data, size_t len)
{
	const unsigned char *at = (const unsigned char *)data;
	enum mess_err err;
	uint32_t c = 0;
	char *to;

	if ((err = buf_reserve(b, ESCAPED_MOST * len + 2)) != MESS_OK)
		return err;
	to = buf_end(b);
	*to++ = '"';
	for (size_t i = 0, n; i < len; i += n) {
		if ((n = character(at + i, len - i, &c)) == 0) {
			to = mempcpy(to, "\xef\xbf\xbd", 3);
			n = 1;
		} else if (is_plain(c)) {
			to = mempcpy(to, at + i, n);
		} else {
			to = put_escape(to, c);
		}
	}
	*to++ = '"';
	buf_grew(b, (size_t)(to - buf_end(b)));
	return MESS_OK;
}

enum mess_err
json_put_base64(struct buf *b, const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *at = data;
	enum mess_err err;
	char *to;

	if ((err = buf_reserve(b, (len + 2) / 3 * 4)) != MESS_OK)
		return err;
	to = buf_end(b);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t c = (uint32_t)at[i] << 16;

		c |= i + 1 < len ? (uint32_t)at[i + 1] << 8 : 0;
		c |= i + 2 < len ? at[i + 2] : 0;
		*to++ = digits[c >> 18];
		*to++ = digits[c >> 12 & 63];
		*to++ = i + 1 < len ? digits[c >> 6 & 63] : '=';
		*to++ = i + 2 < len ? digits[c & 63] : '=';
	}
	buf_grew(b, (size_t)(to - buf_end(b)));
	return MESS_OK;
}
