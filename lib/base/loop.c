/* SPDX-License-Identifier: ISC */
/*
 * The event loop.  One epoll descriptor; timers are a short sorted list,
 * because an engine has a handful of them.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>

#include "fd.h"

#define BATCH 1024	/* those who always have something must not hide those who have it now */

struct loop {
	int epoll;
	bool stopped;
	struct epoll_event events[BATCH];
	int count;
	TAILQ_HEAD(timer_list, loop_timer) timers;
};

enum mess_err
loop_new(struct loop **out)
{
	struct loop *l = calloc(1, sizeof *l);

	if (l == NULL)
		return MESS_LIMIT;
	TAILQ_INIT(&l->timers);
	if ((l->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1) {
		free(l);
		return err_from_errno();
	}
	*out = l;
	return MESS_OK;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	fd_close(&l->epoll);
	free(l);
}

enum mess_err
loop_add(struct loop *l, struct loop_source *s)
{
	struct epoll_event ev = { .events = s->events, .data.ptr = s };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &ev) == -1)
		return err_from_errno();
	s->watched = true;
	return MESS_OK;
}

enum mess_err
loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (s->events == events)
		return MESS_OK;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &ev) == -1)
		return err_from_errno();
	s->events = events;
	return MESS_OK;
}

/* Events of this turn that are still to come are forgotten too: their owner may be gone. */
void
loop_remove(struct loop *l, struct loop_source *s)
{
	if (!s->watched)
		return;
	s->watched = false;
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL); /* was added; cannot fail */
	for (int i = 0; i < l->count; i++)
		if (l->events[i].data.ptr == s)
			l->events[i].data.ptr = NULL;
}

uint64_t
loop_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_BOOTTIME, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
loop_now(void)
{
	return loop_now_us() / 1000;
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t in_ms)
{
	struct loop_timer *other;

	loop_timer_clear(l, t);
	t->due = loop_now() + in_ms;
	t->set = true;
	/* From the end: most are set for later than those before. */
	TAILQ_FOREACH_REVERSE(other, &l->timers, timer_list, link)
		if (other->due <= t->due) {
			TAILQ_INSERT_AFTER(&l->timers, other, t, link);
			return;
		}
	TAILQ_INSERT_HEAD(&l->timers, t, link);
}

void
loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	if (!t->set)
		return;
	TAILQ_REMOVE(&l->timers, t, link);
	t->set = false;
}

static void
run_timers(struct loop *l)
{
	struct loop_timer *t;
	uint64_t now;

	if (TAILQ_EMPTY(&l->timers))
		return;
	now = loop_now();
	while ((t = TAILQ_FIRST(&l->timers)) != NULL && t->due <= now) {
		loop_timer_clear(l, t);
		t->fire(t->arg);
	}
}

static int
timeout(const struct loop *l)
{
	const struct loop_timer *t = TAILQ_FIRST(&l->timers);
	uint64_t now;

	if (t == NULL)
		return -1;
	now = loop_now();
	if (t->due <= now)
		return 0;
	return t->due - now > 1000000000 ? 1000000000 : (int)(t->due - now);
}

enum mess_err
loop_run(struct loop *l, bool (*turn)(void *arg), void *arg)
{
	bool again = false;

	while (!l->stopped) {
		l->count = epoll_wait(l->epoll, l->events, BATCH, again ? 0 : timeout(l));
		if (l->count == -1 && errno != EINTR)
			return err_from_errno();
		for (int i = 0; i < l->count; i++) {
			struct loop_source *s = l->events[i].data.ptr;

			if (s != NULL)
				s->ready(s->arg, l->events[i].events);
		}
		l->count = 0;
		run_timers(l);
		again = turn(arg);
	}
	return MESS_OK;
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

enum mess_err
loop_signals(const int *signals, size_t count, int *out)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set); /* cannot fail */
	for (size_t i = 0; i < count; i++)
		(void)sigaddset(&set, signals[i]); /* constants of ours */
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1 ||
	    (fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		return err_from_errno();
	*out = fd;
	return MESS_OK;
}
