/* SPDX-License-Identifier: ISC */
/*
 * A handler: one process that works on one message.
 *
 * Promise: it gets the body on its standard input, its argv as given, only
 * descriptors 0 to 2, default signals and a process group of its own.  Its
 * exit status decides, by the table of mess-sub(1), unless we ended it.
 * Nothing here waits; nobody is reaped or killed who was not started here.
 */
#ifndef HANDLER_H
#define HANDLER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mess.h"

#define HANDLER_FDS 3
#define HANDLER_KILL_MS 5000	/* from TERM to KILL */
#define HANDLER_OUTPUT 4096	/* of stderr that is kept, and of that when escaped */

struct handler;

enum handler_verdict {
	HANDLER_ACK,
	HANDLER_LATER,
	HANDLER_BACK,
	HANDLER_DEAD,
};

/* How it ended. */
struct handler_end {
	enum handler_verdict verdict;
	char reason[64];
	char status[32];
	char output[HANDLER_OUTPUT + 1];	/* the end of its stderr, vis(3)-escaped */
};

struct handler_setup {
	char *const *argv;
	char *const *env;
	uint64_t now;		/* milliseconds of the clock that all times here are of */
	uint64_t timeout_ms;	/* 0: none */
	const char *timeout;	/* the same in words */
};

/* 0, or what exec or fork said: then there was no handler. */
int handler_start(const struct handler_setup *setup, struct handler **out);
/* Ended, or never to be waited for: what is open is closed. */
void handler_free(struct handler *h);

/* Bytes for its standard input, copied; no more come after the last.  MESS_LIMIT without memory. */
MESS_NODISCARD enum mess_err handler_feed(struct handler *h, const char *data, size_t len, bool last);
/* It took all that it was fed, or takes no more. */
bool handler_is_hungry(const struct handler *h);

/* What to poll for: HANDLER_FDS entries; and until when at most, by the clock of now. */
void handler_polls(const struct handler *h, struct pollfd *fds);
uint64_t handler_due(const struct handler *h);
/* Go on with what poll found and what is due.  True once it ended: see handler_end. */
bool handler_turn(struct handler *h, const struct pollfd *fds, uint64_t now);

/* End it: TERM to its group now, KILL later.  The message is given back. */
void handler_stop(struct handler *h, uint64_t now);
/* KILL to its group. */
void handler_kill(struct handler *h);

/* Of one that ended. */
void handler_judge(const struct handler *h, struct handler_end *out);

#endif
