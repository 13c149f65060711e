/* SPDX-License-Identifier: ISC */
/*
 * mess-sub -F: what may stand in it, and what it becomes.
 */
#include "test.h"

#include "../../bin/sub.h"

/* The parts as one string: text as it is, %x for the others. */
static bool
reads(const char *text, const char *want)
{
	const char *why;
	struct format *f = format_read(text, &why);
	char is[256] = "";
	size_t n = 0;

	for (size_t i = 0; f != NULL && i < f->count; i++) {
		const struct format_part *p = &f->parts[i];

		if (p->kind == '=')
			n += (size_t)snprintf(is + n, sizeof is - n, "[%.*s]", (int)p->len, p->text);
		else
			n += (size_t)snprintf(is + n, sizeof is - n, "%%%c%.*s", p->kind, (int)p->len,
			    p->text != NULL ? p->text : "");
	}
	format_free(f);
	return strcmp(is, want) == 0 && (want[0] != '\0' || f != NULL || text[0] != '\0');
}

static bool
refuses(const char *text)
{
	const char *why = NULL;
	struct format *f = format_read(text, &why);
	bool refused = f == NULL && why != NULL;

	format_free(f);
	return refused;
}

TEST("text and parts")
{
	CHECK(reads("plain", "[plain]"));
	CHECK(reads("%t %s", "%t[ ]%s"));
	CHECK(reads("%T%u%U%a%b", "%T%u%U%a%b"));
	CHECK(reads("a%h{X-Color}b%h{L}", "[a]%hX-Color[b]%hL"));
	CHECK(reads("", ""));
}

TEST("a percent sign, newline, tab and backslash are text")
{
	CHECK(reads("100%%", "[100%]"));
	CHECK(reads("a\\nb\\t\\\\", "[a\nb\t\\]"));
	CHECK(reads("%%t", "[%t]"));
}

TEST("a NUL is text of one byte")
{
	const char *why;
	struct format *f = format_read("a\\0b", &why);

	CHECK(f != NULL && f->count == 1 && f->parts[0].len == 3 && memcmp(f->parts[0].text, "a\0b", 3) == 0);
	format_free(f);
}

TEST("where the body is")
{
	const char *why;
	struct format *with = format_read("%s: %b\\n", &why), *without = format_read("%s", &why);

	CHECK(with != NULL && with->body == 2 && with->count == 4);
	CHECK(without != NULL && without->body == without->count);
	format_free(with);
	format_free(without);
}

TEST("what means nothing is refused")
{
	CHECK(refuses("%"));
	CHECK(refuses("%x"));
	CHECK(refuses("%h"));
	CHECK(refuses("%hX"));
	CHECK(refuses("%h{"));
	CHECK(refuses("%h{}"));
	CHECK(refuses("%b%b"));
	CHECK(refuses("\\"));
	CHECK(refuses("\\x"));
}
