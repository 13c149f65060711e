/* SPDX-License-Identifier: ISC */
/*
 * How far a long stream got, on a terminal: one line that is written over,
 * and gone at the end.
 */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "pub.h"

#define FIRST_MS 1000		/* what is over before is not told of */
#define EVERY_MS 250

static uint64_t
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
pub_progress_init(struct pub *p)
{
	const char *term = getenv("TERM");

	p->progress.on = p->o->verbose >= 0 && p->o->form != FORM_WHOLE && isatty(STDERR_FILENO) &&
	    term != NULL && strcmp(term, "dumb") != 0;
	p->progress.began = p->progress.on ? now() : 0;
}

static void
show(struct pub *p, uint64_t at)
{
	static const char units[] = " KMGT";
	double seconds = (double)(at - p->progress.began) / 1000, bytes = (double)p->progress.bytes;
	size_t unit = 0;

	for (; bytes >= 10000 && unit + 2 < sizeof units; unit++)
		bytes /= 1024;
	(void)fprintf(stderr, "\r%" PRIu64 " messages, %.0f %cB, %.0f/s, %" PRIu64 " durable\033[K",
	    p->taken, bytes, units[unit], (double)p->taken / seconds, pub_durable(p));
	p->progress.shown = true;
}

void
pub_progress(struct pub *p)
{
	uint64_t at;

	if (!p->progress.on)
		return;
	at = now();
	if (at - p->progress.began < FIRST_MS || at - p->progress.last < EVERY_MS)
		return;
	p->progress.last = at;
	show(p, at);
}

void
pub_progress_end(struct pub *p)
{
	if (p->progress.shown)
		(void)fputs("\r\033[K", stderr);
	p->progress.shown = false;
}
