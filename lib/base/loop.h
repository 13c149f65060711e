/* SPDX-License-Identifier: ISC */
/*
 * The event loop: epoll over descriptors, one timer list, signals and the
 * helper thread's results as descriptors too.
 *
 * Promise: a handler may remove any source, its own included; nothing is
 * freed while a turn still has events for it.  After all events of a turn
 * the turn function runs once.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "err.h"

struct loop;

/* A descriptor watched by the loop; embedded in its owner. */
struct loop_source {
	int fd;
	uint32_t events;	/* EPOLLIN, EPOLLOUT: what is waited for now */
	void (*ready)(void *arg, uint32_t events);
	void *arg;
	bool watched;
};

/* Calls back once, at a time of loop_now; embedded in its owner. */
struct loop_timer {
	uint64_t due;
	void (*fire)(void *arg);
	void *arg;
	bool set;
	TAILQ_ENTRY(loop_timer) link;
};

NODISCARD enum mess_err loop_new(struct loop **out);
void loop_free(struct loop *l);

NODISCARD enum mess_err loop_add(struct loop *l, struct loop_source *s);
/* Change what is waited for; 0 for nothing but errors. */
NODISCARD enum mess_err loop_change(struct loop *l, struct loop_source *s, uint32_t events);
void loop_remove(struct loop *l, struct loop_source *s);

/* Milliseconds of CLOCK_BOOTTIME: never steps, counts sleep. */
uint64_t loop_now(void);
/* Microseconds of the same clock. */
uint64_t loop_now_us(void);
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t in_ms);
void loop_timer_clear(struct loop *l, struct loop_timer *t);

/* Run turns until loop_stop; after each turn's events, turn(arg); true asks for another turn at once. */
NODISCARD enum mess_err loop_run(struct loop *l, bool (*turn)(void *arg), void *arg);
void loop_stop(struct loop *l);

/* Block the signals of set and return a descriptor that delivers them. */
NODISCARD enum mess_err loop_signals(const int *signals, size_t count, int *out);

#endif
