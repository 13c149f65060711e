/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: the engine's `key value` lines, and the same as JSON.
 */
#include <stdio.h>
#include <string.h>

#include "topic-verb.h"

bool
lines_next(char **at, char **key, char **value)
{
	char *line = *at, *nl, *space;

	if (*line == '\0')
		return false;
	if ((nl = strchr(line, '\n')) != NULL)
		*nl = '\0';
	*at = nl != NULL ? nl + 1 : line + strlen(line);
	space = strchr(line, ' ');
	if (space != NULL)
		*space = '\0';
	*key = line;
	*value = space != NULL ? space + 1 : line + strlen(line);
	return true;
}

void
lines_json_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static bool
is_number(const char *s)
{
	uint64_t n;

	s += s[0] == '-'; /* a subscription's start, after a seek back */
	return cli_number(s, 0, UINT64_MAX, &n) && (s[0] != '0' || s[1] == '\0');
}

void
lines_json_value(const char *s)
{
	if (is_number(s))
		fputs(s, stdout);
	else
		lines_json_string(s);
}

void
lines_json_member(const char *key, const char *value)
{
	lines_json_string(key);
	putchar(':');
	lines_json_value(value);
}
