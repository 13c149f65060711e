/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: stopping, and waiting for whatever comes first.
 *
 * Signals are blocked and read from a descriptor, so that a stop is seen
 * wherever it comes.  What asks to stop while a message is written in part
 * waits for the rest of it: behind a pipe there are only whole messages,
 * unless the exit status says otherwise.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <time.h>

#include "base/fd.h"
#include "sub.h"

#define POLL_MOST_MS (1 << 30)

static const int stop_signals[] = { SIGTERM, SIGINT, SIGHUP };

uint64_t
sub_clock(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int
sub_time_left(const struct sub *s, int most_ms)
{
	uint64_t now, left;

	if (s->until == UINT64_MAX)
		return most_ms;
	now = sub_clock();
	left = s->until > now ? s->until - now : 0;
	if (left > POLL_MOST_MS)
		left = POLL_MOST_MS;
	return most_ms >= 0 && left > (uint64_t)most_ms ? most_ms : (int)left;
}

enum stop
sub_wait_for(struct sub *s, int fd, short events, int most_ms)
{
	struct pollfd fds[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 },
		{ .fd = fd, .events = events },
	};

	if (poll(fds, 3, sub_time_left(s, most_ms)) == -1 && errno != EINTR) {
		s->status = cli_fail_errno(EX_OSERR, "poll");
		return STOP_FAILED;
	}
	if (fds[0].revents != 0)
		return STOP_SIGNAL;
	if ((fds[1].revents & (POLLERR | POLLHUP)) != 0)
		return STOP_PIPE;
	if (fds[2].revents == 0 && s->until != UINT64_MAX && sub_clock() >= s->until)
		return STOP_WAITED;
	return GO_ON;
}

unsigned
sub_signals_read(const struct sub *s)
{
	struct signalfd_siginfo info;
	unsigned count = 0;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
		count++;
	return count;
}

void
sub_unblock_signals(const struct sub *s)
{
	sigset_t set;

	(void)sub_signals_read(s); /* those are answered */
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++)
		(void)sigaddset(&set, stop_signals[i]);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void
sub_set_until(struct sub *s, uint64_t ms)
{
	struct itimerspec when = { 0 };

	if (__builtin_add_overflow(sub_clock(), ms, &s->until) || s->until / 1000 > INT32_MAX)
		s->until = UINT64_MAX;
	else
		when.it_value = (struct timespec){ .tv_sec = (time_t)(s->until / 1000),
			.tv_nsec = (long)(s->until % 1000) * 1000000 };
	(void)timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL); /* no way to fail is left */
}

enum stop
sub_stop_later(struct sub *s, enum stop stop)
{
	if (stop == STOP_WAITED && s->stopping == STOP_WAITED) {
		cli_warn("%s: a message is written in part, its rest could not be in %d s", s->what,
		    SUB_GRACE_MS / 1000);
		s->status = EX_IOERR;
		return STOP_FAILED;
	}
	if (stop == STOP_SIGNAL)
		sub_unblock_signals(s);
	sub_set_until(s, stop == STOP_SIGNAL ? UINT64_MAX : SUB_GRACE_MS);
	s->stopping = stop;
	return GO_ON;
}

bool
sub_is_asked(enum stop stop)
{
	return stop == STOP_SIGNAL || stop == STOP_WAITED;
}

enum stop
sub_cancelled(struct sub *s)
{
	enum stop stop = sub_wait_for(s, -1, 0, 0);

	return stop == GO_ON ? STOP_SIGNAL : stop;
}

/* From here on signals are read, not delivered; SIGPIPE is an error of write. */
static int
block_signals(void)
{
	sigset_t stops, all;

	(void)sigemptyset(&stops);
	for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
		struct sigaction now;

		/* nohup and a shell's `&` have them ignored: so it stays. */
		if (sigaction(stop_signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void)sigaddset(&stops, stop_signals[i]);
	}
	all = stops;
	(void)sigaddset(&all, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &all, NULL) == -1)
		return -1;
	return signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
sub_watch_stops(struct sub *s)
{
	struct epoll_event in = { .events = EPOLLIN };

	if ((s->signals = block_signals()) == -1 ||
	    (s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC)) == -1 ||
	    (s->stops = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    epoll_ctl(s->stops, EPOLL_CTL_ADD, s->signals, &in) == -1 ||
	    epoll_ctl(s->stops, EPOLL_CTL_ADD, s->timer, &in) == -1)
		return cli_fail_errno(EX_OSERR, "signals");
	sub_set_until(s, s->o->has_wait ? s->o->wait_ms : UINT64_MAX);
	if (s->m != NULL)
		mess_cancel_on(s->m, s->stops);
	return EX_OK;
}

void
sub_unwatch_stops(struct sub *s)
{
	fd_close(&s->stops);
	fd_close(&s->timer);
	fd_close(&s->signals);
}

void
sub_die_of_sigpipe(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGPIPE);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)raise(SIGPIPE);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(EX_IOERR);
}
