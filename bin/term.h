/* SPDX-License-Identifier: ISC */
/*
 * What a terminal is shown: whether there is one, colours, a table whose
 * columns line up.
 */
#ifndef TERM_H
#define TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Values of --color; NULL is auto. */
bool term_is_when(const char *when);
/* Is this for people: a terminal, or --color=always? */
bool term_is_human(const char *when, int fd);
/* Colours: not with NO_COLOR, not where TERM is dumb or unset. */
bool term_colour(const char *when, int fd);
/* Does the terminal know how to move its cursor? */
bool term_moves(int fd);
/* Its size; 0 where it does not say. */
void term_size(int fd, unsigned *columns, unsigned *rows);

enum term_style {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_DIM,
	TERM_RED,
	TERM_YELLOW,
	TERM_STYLES,
};

/*
 * A table: cells come left to right, row by row.  The first and the last
 * column stand left, numbers between them right.
 */
struct term_table {
	unsigned columns;
	size_t count;
	struct term_cell *cells;
	struct buf text;
	bool failed;		/* no memory */
};

struct term_cell {
	size_t at;		/* of its text in the table's */
	size_t len;
	unsigned width;		/* columns that it takes */
	enum term_style style;
};

void term_table_init(struct term_table *t, unsigned columns);
void term_table_free(struct term_table *t);
/* Text of others is escaped. */
void term_table_cell(struct term_table *t, enum term_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* How it is written; 0 columns or rows: all of it. */
struct term_print {
	bool colour;
	const char *line_end;
	unsigned columns, rows;
};
/* To stdout; false without memory. */
bool term_table_print(const struct term_table *t, const struct term_print *how);

/* Short forms for people: 42s 7m 3h 12d, 850us 12ms 1.2s, 12.3M. */
#define TERM_SHORT 16
const char *term_age(double seconds, char out[TERM_SHORT]);
const char *term_micro(unsigned long long us, char out[TERM_SHORT]);
const char *term_bytes(unsigned long long bytes, char out[TERM_SHORT]);

#endif
