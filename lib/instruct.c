/* SPDX-License-Identifier: ISC */
/*
 * Instructions of a publisher.
 */
#include "instruct.h"

#include <stdint.h>

#define NSEC_DIGITS 9

/* In the order in which they are stored: who delivers looks for the first two. */
static const struct known {
	const char *asked, *stored;
	size_t offset;
	bool is_time;
} known[] = {
	{ INSTRUCT_PREFIX "Due", "Mess-Due", offsetof(struct instruct, due), true },
	{ INSTRUCT_PREFIX "Expires", "Mess-Expires", offsetof(struct instruct, expires), true },
	{ INSTRUCT_PREFIX "Id", "Mess-Id", offsetof(struct instruct, id), false },
	{ INSTRUCT_PREFIX "Key", "Mess-Key", offsetof(struct instruct, key), false },
};

#define KNOWN (sizeof known / sizeof known[0])

static enum mess_err
refuse(const char **why, const char *rule)
{
	if (why != NULL)
		*why = rule;
	return MESS_BADDATA;
}

static const struct known *
find(const struct record_header *h)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (record_header_is(h, known[i].asked))
			return &known[i];
	return NULL;
}

/* SECONDS.NANOSECONDS as a record's line has it. */
static bool
is_time(const char *at, size_t len)
{
	const char *end = at + len;
	uint64_t sec;

	if (!record_read_number(&at, end, &sec) || sec > INT64_MAX || end - at != 1 + NSEC_DIGITS ||
	    *at++ != '.')
		return false;
	for (; at < end; at++)
		if (*at < '0' || *at > '9')
			return false;
	return true;
}

static enum mess_err
take(const struct record_header *h, struct instruct *out, const char **why)
{
	const struct known *k = find(h);
	struct instruct_text *text;

	if (k == NULL)
		return refuse(why, "an instruction is Mess-Ask-Due, -Expires, -Id or -Key");
	text = (struct instruct_text *)(void *)((char *)out + k->offset);
	if (text->at != NULL)
		return refuse(why, "an instruction is given once");
	if (k->is_time && !is_time(h->value, h->value_len))
		return refuse(why, "a time is SECONDS.NANOSECONDS");
	if (!k->is_time && (h->value_len == 0 || h->value_len > RECORD_KEY_MAX))
		return refuse(why, "a key is 1 to 255 bytes");
	*text = (struct instruct_text){ h->value, h->value_len };
	return MESS_OK;
}

enum mess_err
instruct_read(const char *headers, size_t len, struct instruct *out, const char **why)
{
	struct instruct i = { .len = 0 };
	struct record_header h;
	enum mess_err err;

	while (instruct_begins(headers, len)) {
		if (!record_next_header(&headers, &len, &h) ||
		    record_header_check(h.line, h.line_len - 1, true, NULL) != MESS_OK)
			return refuse(why, "an instruction is a name, a colon, a space, "
			    "UTF-8 without control characters and a newline");
		if ((err = take(&h, &i, why)) != MESS_OK)
			return err;
		i.len += h.line_len;
	}
	*out = i;
	return MESS_OK;
}

size_t
instruct_write(const struct instruct *i, char *out)
{
	char *at = out;

	for (size_t k = 0; k < KNOWN; k++) {
		const struct instruct_text *text =
		    (const void *)((const char *)i + known[k].offset);

		if (text->at == NULL)
			continue;
		at = mempcpy(at, known[k].stored, strlen(known[k].stored));
		at = mempcpy(at, ": ", 2);
		at = mempcpy(at, text->at, text->len);
		*at++ = '\n';
	}
	return (size_t)(at - out);
}
