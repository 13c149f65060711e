/* SPDX-License-Identifier: ISC */
/*
 * mess-sub -F: what was given, as parts.  Pure.
 */
#include <string.h>

#include "base/fd.h"
#include "sub.h"

void
format_free(struct format *f)
{
	if (f == NULL)
		return;
	free(f->parts);
	free(f->text);
	free(f);
}

/* \n, \t, \0 and \\ at at; the byte it is in *out. */
static bool
read_escape(const char *at, char *out)
{
	static const char letters[] = "nt0\\", bytes[] = "\n\t\0\\";
	const char *found = at[1] != '\0' ? strchr(letters, at[1]) : NULL;

	if (found == NULL)
		return false;
	*out = bytes[found - letters];
	return true;
}

static void
add(struct format *f, char kind, const char *text, size_t len)
{
	struct format_part *last = f->count > 0 ? &f->parts[f->count - 1] : NULL;

	/* Text that follows text in f->text is one. */
	if (kind == '=' && last != NULL && last->kind == '=') {
		last->len += len;
		return;
	}
	f->parts[f->count++] = (struct format_part){ kind, text, len };
}

/* What follows a %: how many characters of it, 0 for what is wrong. */
static size_t
read_percent(struct format *f, const char *at, const char **why)
{
	const char *close;

	if (at[1] == '\0' || strchr("tsTuUahb%", at[1]) == NULL) {
		*why = "after % stands one of t s T u U a h b %";
		return 0;
	}
	if (at[1] == 'h') {
		close = at[2] == '{' ? strchr(at, '}') : NULL;
		if (close == NULL || close == at + 3) {
			*why = "%h needs the header's name: %h{Name}";
			return 0;
		}
		add(f, 'h', at + 3, (size_t)(close - at) - 3);
		return (size_t)(close - at) + 1;
	}
	if (at[1] == 'b' && f->body != SIZE_MAX) {
		*why = "%b once at most";
		return 0;
	}
	if (at[1] == 'b')
		f->body = f->count;
	add(f, at[1], NULL, 0);
	return 2;
}

static bool
read_parts(struct format *f, const char *text, const char **why)
{
	char *to = f->text;

	for (size_t n; *text != '\0'; text += n) {
		n = 1;
		if (text[0] == '%' && text[1] != '%') {
			if ((n = read_percent(f, text, why)) == 0)
				return false;
			continue;
		}
		*to = *text;
		if (text[0] == '%') {
			n = 2;
		} else if (text[0] == '\\') {
			*why = "after \\ stands one of n t 0 \\";
			if (!read_escape(text, to))
				return false;
			n = 2;
		}
		add(f, '=', to++, 1);
	}
	return true;
}

struct format *
format_read(const char *text, const char **why)
{
	struct format *f = calloc(1, sizeof *f);
	size_t most = strlen(text) + 1;

	*why = "out of memory";
	if (f == NULL)
		return NULL;
	f->body = SIZE_MAX;
	f->parts = calloc(most, sizeof *f->parts);
	f->text = malloc(most);
	if (f->parts == NULL || f->text == NULL || !read_parts(f, text, why)) {
		format_free(f);
		return NULL;
	}
	if (f->body == SIZE_MAX)
		f->body = f->count;
	return f;
}
