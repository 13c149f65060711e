/* SPDX-License-Identifier: ISC */
/*
 * A byte buffer with a limit.  Promise: it never holds more than its
 * maximum, and a failed call leaves it as it was.
 */
#include "buf.h"

#include <stdint.h>
#include <stdio.h>

void
buf_free(struct buf *b)
{
	free(b->mem);
	*b = (struct buf)BUF_INIT(b->max);
}

static size_t
grown(size_t cap, size_t need, size_t max)
{
	if (cap < 256)
		cap = 256;
	while (cap < need)
		cap *= 2;
	/* One byte above max, so that vprintf's NUL always has a place. */
	return cap > max + 1 ? max + 1 : cap;
}

enum mess_err
buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b);
	size_t need, cap;
	char *mem;

	if (__builtin_add_overflow(len, n, &need) || need > b->max)
		return MESS_TOOBIG;
	if (b->cap - b->tail > n)
		return MESS_OK;
	if (b->head > 0) {
		memmove(b->mem, b->mem + b->head, len);
		b->head = 0;
		b->tail = len;
		if (b->cap - b->tail > n)
			return MESS_OK;
	}
	cap = grown(b->cap, need + 1, b->max);
	if ((mem = realloc(b->mem, cap)) == NULL)
		return MESS_LIMIT;
	b->mem = mem;
	b->cap = cap;
	return MESS_OK;
}

enum mess_err
buf_append(struct buf *b, const void *data, size_t n)
{
	enum mess_err err;

	if (n == 0)
		return MESS_OK;
	if ((err = buf_reserve(b, n)) != MESS_OK)
		return err;
	memcpy(buf_end(b), data, n);
	buf_grew(b, n);
	return MESS_OK;
}

enum mess_err
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	enum mess_err err;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return MESS_BUG;
	if ((err = buf_reserve(b, (size_t)n)) != MESS_OK)
		return err;
	(void)vsnprintf(buf_end(b), (size_t)n + 1, fmt, ap); /* length known from above */
	buf_grew(b, (size_t)n);
	return MESS_OK;
}

enum mess_err
buf_printf(struct buf *b, const char *fmt, ...)
{
	enum mess_err err;
	va_list ap;

	va_start(ap, fmt);
	err = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return err;
}

void
buf_consume(struct buf *b, size_t n)
{
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

void
buf_reset(struct buf *b, size_t keep)
{
	b->head = b->tail = 0;
	if (b->cap > keep)
		buf_free(b);
}
