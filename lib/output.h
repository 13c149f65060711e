/* SPDX-License-Identifier: ISC */
/*
 * What goes back to a caller: replies, and ranges of files.
 *
 * Promise: never blocks, and holds no message: what the socket had no room
 * for is remembered as a place in a file, not as bytes.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "base/buf.h"
#include "journal.h"
#include "limit.h"

struct output {
	int fd;			/* borrowed */
	struct buf text;
	size_t before;		/* of text goes before the range, the rest after */
	struct journal_file *file;	/* the range: held while it is not out */
	uint64_t off, left;
	bool broken;		/* the peer is gone */
};

void output_init(struct output *o, int fd);
void output_free(struct output *o);

/* A reply line, newline included in fmt; broken when memory for it is refused. */
void output_printf(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void output_text(struct output *o, const void *data, size_t len);

/* Whether another run may be begun: nothing of the last one is left. */
bool output_has_room(const struct output *o);
/* Nothing is left to send. */
bool output_is_empty(const struct output *o);

/* Records in memory that also stand in file at off: sent now as far as the socket takes them. */
void output_run(struct output *o, const void *data, size_t len, struct journal_file *file,
    uint64_t off);
/* len bytes of a file at off. */
void output_range(struct output *o, struct journal_file *file, uint64_t off, uint64_t len);

/* Send what the socket takes. */
void output_flush(struct output *o);

#endif
