/* SPDX-License-Identifier: ISC */
/*
 * Bodies that say of themselves whether they are whole: KEY, a space, the
 * length, and, where that leaves room, a space and letters.
 */
#include <stdlib.h>
#include <string.h>

#include "crash.h"

static char
letter(const char *key, size_t i)
{
	return (char)('a' + (i * 7 + i / 26 + (size_t)key[0] + (size_t)key[strlen(key) - 1]) % 26);
}

static size_t
head(const char *key, size_t len, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%s %zu", key, len);
}

void
text_write(const char *key, size_t len, FILE *to)
{
	char text[128];
	size_t n = head(key, len, text, sizeof text);

	(void)fputs(text, to); /* the caller looks at the stream's state */
	for (size_t i = n; i < len; i++)
		(void)putc(i == n ? ' ' : letter(key, i), to); /* likewise */
}

bool
text_is_whole(const char *body, size_t len, char *key, size_t size)
{
	const char *space = memchr(body, ' ', len < size ? len : size);
	char text[128];
	size_t n, want;

	if (space == NULL || space == body)
		return false;
	memcpy(key, body, (size_t)(space - body));
	key[space - body] = '\0';
	want = strtoull(space + 1, NULL, 10); /* a file of it ends with a zero, see look.c */
	n = head(key, want, text, sizeof text);
	if (n >= sizeof text || n > len || memcmp(body, text, n) != 0 || len != (want > n ? want : n))
		return false;
	for (size_t i = n; i < len; i++)
		if (body[i] != (i == n ? ' ' : letter(key, i)))
			return false;
	return true;
}
