/* SPDX-License-Identifier: ISC */
/*
 * What a terminal is shown.
 */
#include "term.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/fd.h"
#include "cli.h"

#define TABLE_MAX ((size_t)64 << 20)

/* ---- is there a terminal ---- */

bool
term_is_when(const char *when)
{
	return when == NULL || strcmp(when, "always") == 0 || strcmp(when, "auto") == 0 ||
	    strcmp(when, "never") == 0;
}

static bool
is_always(const char *when)
{
	return when != NULL && strcmp(when, "always") == 0;
}

bool
term_is_human(const char *when, int fd)
{
	return is_always(when) || isatty(fd);
}

bool
term_moves(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

bool
term_colour(const char *when, int fd)
{
	const char *no = getenv("NO_COLOR");

	if (is_always(when))
		return true;
	if (when != NULL && strcmp(when, "never") == 0)
		return false;
	return term_moves(fd) && (no == NULL || no[0] == '\0');
}

void
term_size(int fd, unsigned *columns, unsigned *rows)
{
	struct winsize size = { 0 };

	if (ioctl(fd, TIOCGWINSZ, &size) == -1)
		size = (struct winsize){ 0 };
	*columns = size.ws_col;
	*rows = size.ws_row;
}

/* ---- a table ---- */

void
term_table_init(struct term_table *t, unsigned columns)
{
	*t = (struct term_table){ .columns = columns, .text = BUF_INIT(TABLE_MAX) };
}

void
term_table_free(struct term_table *t)
{
	free(t->cells);
	buf_free(&t->text);
}

/* Columns that a text takes; what the locale does not know counts as bytes. */
static unsigned
width_of(const char *text, size_t len)
{
	mbstate_t state = { 0 };
	unsigned width = 0;
	wchar_t wide;

	for (size_t i = 0, n; i < len; i += n) {
		n = mbrtowc(&wide, text + i, len - i, &state);
		if (n == 0 || n > len - i)
			return (unsigned)len;
		width += wcwidth(wide) > 0 ? (unsigned)wcwidth(wide) : 0;
	}
	return width;
}

static bool
add_cell(struct term_table *t, const struct term_cell *cell)
{
	struct term_cell *more;

	if ((t->count & (t->count - 1)) == 0) { /* full at powers of two */
		more = reallocarray(t->cells, t->count == 0 ? 1 : 2 * t->count, sizeof *more);
		if (more == NULL)
			return false;
		t->cells = more;
	}
	t->cells[t->count++] = *cell;
	return true;
}

void
term_table_cell(struct term_table *t, enum term_style style, const char *fmt, ...)
{
	struct term_cell cell = { .at = buf_len(&t->text), .style = style };
	AUTO_FREE char *raw = NULL;
	va_list ap;
	size_t len;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&raw, fmt, ap);
	va_end(ap);
	if (n == -1) {
		raw = NULL;
		t->failed = true;
		return;
	}
	len = (size_t)n;
	if (buf_reserve(&t->text, 4 * len + 1) != MESS_OK) {
		t->failed = true;
		return;
	}
	cell.len = cli_escape(buf_end(&t->text), raw, len);
	cell.width = width_of(buf_end(&t->text), cell.len);
	buf_grew(&t->text, cell.len);
	t->failed |= !add_cell(t, &cell);
}

static const char *const style_on[TERM_STYLES] = {
	[TERM_PLAIN] = "",
	[TERM_BOLD] = "\033[1m",
	[TERM_DIM] = "\033[2m",
	[TERM_RED] = "\033[31m",
	[TERM_YELLOW] = "\033[33m",
};

/* What a terminal's line has room for; what is too long is cut, never wrapped. */
struct line {
	unsigned left;
};

static void
pad(struct line *l, unsigned n)
{
	for (; n > 0 && l->left > 0; n--, l->left--)
		putchar(' ');
}

static void
put_cell(struct line *l, const struct term_table *t, const struct term_cell *cell, bool colour)
{
	const char *text = buf_data(&t->text) + cell->at;
	size_t len = cell->len;
	unsigned width = cell->width;

	while (width > l->left) { /* by characters, from the end */
		while (len > 0 && ((unsigned char)text[--len] & 0xc0) == 0x80)
			;
		width = width_of(text, len);
	}
	if (len == 0)
		return;
	l->left -= width;
	if (colour && cell->style != TERM_PLAIN)
		printf("%s%.*s\033[0m", style_on[cell->style], (int)len, text);
	else
		printf("%.*s", (int)len, text);
}

static void
put_row(const struct term_table *t, size_t row, const unsigned *widths, const struct term_print *how)
{
	struct line l = { how->columns > 0 ? how->columns : UINT32_MAX };
	const struct term_cell *cell = t->cells + row * t->columns;
	unsigned behind = 0;	/* spaces that the next cell needs before it */

	for (unsigned i = 0; i < t->columns; i++, cell++) {
		unsigned more = widths[i] - cell->width;
		bool left = i == 0 || i + 1 == t->columns;

		behind += (i > 0 ? 2 : 0) + (left ? 0 : more);
		if (cell->len > 0) {
			pad(&l, behind);
			put_cell(&l, t, cell, how->colour);
			behind = 0;
		}
		behind += left ? more : 0;
	}
	fputs(how->line_end != NULL ? how->line_end : "\n", stdout);
}

bool
term_table_print(const struct term_table *t, const struct term_print *how)
{
	AUTO_FREE unsigned *widths = calloc(t->columns, sizeof *widths);
	size_t rows = t->count / t->columns, shown = rows;

	if (t->failed || widths == NULL)
		return false;
	for (size_t i = 0; i < rows * t->columns; i++)
		if (t->cells[i].width > widths[i % t->columns])
			widths[i % t->columns] = t->cells[i].width;
	if (how->rows > 0 && rows > how->rows)
		shown = how->rows - 1;
	for (size_t i = 0; i < shown; i++)
		put_row(t, i, widths, how);
	if (shown < rows)
		printf("and %zu more%s", rows - shown, how->line_end != NULL ? how->line_end : "\n");
	return true;
}

/* ---- short forms ---- */

const char *
term_age(double seconds, char out[TERM_SHORT])
{
	static const struct { double size; char unit; } units[] = {
		{ 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' },
	};
	size_t i = 0;

	while (i < 3 && seconds < 2 * units[i].size)
		i++;
	(void)snprintf(out, TERM_SHORT, "%.0f%c", seconds / units[i].size, units[i].unit); /* fits */
	return out;
}

const char *
term_micro(unsigned long long us, char out[TERM_SHORT])
{
	/* All three fit. */
	if (us < 1000)
		(void)snprintf(out, TERM_SHORT, "%lluus", us);
	else if (us < 1000000)
		(void)snprintf(out, TERM_SHORT, "%.*fms", us < 10000, (double)us / 1e3);
	else
		(void)snprintf(out, TERM_SHORT, "%.1fs", (double)us / 1e6);
	return out;
}

const char *
term_bytes(unsigned long long bytes, char out[TERM_SHORT])
{
	static const char units[] = "KMGTPE";
	double size = (double)bytes;
	int i = -1;

	while (size >= 1024 && units[i + 1] != '\0') {
		size /= 1024;
		i++;
	}
	if (i < 0)
		(void)snprintf(out, TERM_SHORT, "%llu", bytes); /* fits, as below */
	else
		(void)snprintf(out, TERM_SHORT, "%.*f%c", size < 9.95 && size != (int)size, size, units[i]);
	return out;
}
