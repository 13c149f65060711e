/* SPDX-License-Identifier: ISC */
/*
 * A byte buffer that grows to a stated maximum: the only growing buffer.
 * Bytes are appended at the end and consumed from the front.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

struct buf {
	char *mem;
	size_t head;	/* first byte not consumed */
	size_t tail;	/* end of the bytes held */
	size_t cap;
	size_t max;	/* most bytes it may hold */
};

#define BUF_INIT(limit) { .max = (limit) }
#define AUTO_BUF __attribute__((cleanup(buf_free)))

void buf_free(struct buf *b);

/* Room for n more bytes at the end; MESS_TOOBIG past the maximum. */
NODISCARD enum mess_err buf_reserve(struct buf *b, size_t n);
NODISCARD enum mess_err buf_append(struct buf *b, const void *data, size_t n);
NODISCARD enum mess_err buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
NODISCARD enum mess_err buf_vprintf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Forget n bytes from the front; an emptied buffer keeps its memory. */
void buf_consume(struct buf *b, size_t n);
/* Forget all, and give memory above keep bytes back. */
void buf_reset(struct buf *b, size_t keep);

static inline char *
buf_data(const struct buf *b)
{
	return b->mem + b->head;
}

static inline size_t
buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

/* After buf_reserve: where to write, and that n bytes were written there. */
static inline char *
buf_end(const struct buf *b)
{
	return b->mem + b->tail;
}

static inline void
buf_grew(struct buf *b, size_t n)
{
	b->tail += n;
}

/* Forget the last n bytes. */
static inline void
buf_shrink(struct buf *b, size_t n)
{
	b->tail -= n;
}

#endif
