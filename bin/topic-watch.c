/* SPDX-License-Identifier: ISC */
/*
 * mess-topic stat --watch: look again once a second, until a signal.
 *
 * Signals are blocked and read from a descriptor, so that whatever ends it
 * finds the terminal as it was: its own screen shown, the cursor visible.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "term.h"
#include "topic-stat.h"

#define EVERY_MS 1000
#define SCREEN_ON "\033[?1049h\033[?25l"	/* another screen, no cursor */
#define SCREEN_OFF "\033[?25h\033[?1049l"
#define SCREEN_HOME "\033[H"
#define SCREEN_LINE "\033[K\n"			/* nothing old behind a line */
#define SCREEN_REST "\033[J"			/* nor below the last */

struct watch {
	struct mess *m;
	const struct topic_call *call;
	enum stat_form form;
	int signals;
	bool screen;		/* drawn over and over, instead of one block after another */
	bool colour;
	struct buf text;
	struct counts_all now, before;
};

static uint64_t
clock_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- one look ---- */

static void
print_time(const struct counts_all *all)
{
	char text[sizeof "9999-12-31T23:59:59Z"];
	time_t sec = (time_t)all->when;
	struct tm tm;

	if (gmtime_r(&sec, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		printf("time %s\n", text);
}

static int
draw_screen(struct watch *w)
{
	struct stat_look look = { .colour = w->colour, .line_end = SCREEN_LINE };
	int status;

	term_size(STDOUT_FILENO, &look.columns, &look.rows);
	look.rows = look.rows > 1 ? look.rows - 1 : 0; /* the last line scrolls when it ends */
	fputs(SCREEN_HOME, stdout);
	status = stat_table(&w->now, w->before.text != NULL ? &w->before : &w->now, &look);
	fputs(SCREEN_REST, stdout);
	return status;
}

static int
draw(struct watch *w)
{
	int status = EX_OK;

	if (w->form == STAT_JSON) {
		stat_json(&w->now);
	} else if (w->form == STAT_LINES) {
		print_time(&w->now);
		fputs(buf_data(&w->text), stdout);
		putchar('\n');
	} else if (w->screen) {
		status = draw_screen(w);
	} else {
		status = stat_table(&w->now, w->before.text != NULL ? &w->before : &w->now,
		    &(struct stat_look){ .colour = w->colour });
		putchar('\n');
	}
	return status == EX_OK ? cli_flush_stdout() : status;
}

static int
look_and_draw(struct watch *w)
{
	struct counts_all now;
	int status;

	if ((status = stat_look(w->m, w->call, &w->text, &now)) != EX_OK)
		return status == COUNTS_CANCELLED ? EX_OK : status; /* by a signal: it is seen next */
	counts_free(&w->before);
	w->before = w->now;
	w->now = now;
	return draw(w);
}

/* ---- the terminal ---- */

static void
screen(const struct watch *w, const char *what)
{
	if (!w->screen)
		return;
	fputs(what, stdout);
	(void)fflush(stdout); /* a terminal that went is seen by the next draw */
}

static void
stop_and_come_back(const struct watch *w)
{
	screen(w, SCREEN_OFF);
	(void)kill(getpid(), SIGSTOP); /* always allowed */
	screen(w, SCREEN_ON);
}

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };

static int
catch_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
		(void)sigaddset(&set, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- waiting ---- */

enum next {
	NEXT_LOOK,	/* a second is over */
	NEXT_DRAW,	/* the terminal's size changed */
	NEXT_END,
};

static enum next
take_signals(const struct watch *w)
{
	struct signalfd_siginfo info;
	enum next next = NEXT_DRAW;

	while (next == NEXT_DRAW && read(w->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTSTP)
			stop_and_come_back(w);
		else if (info.ssi_signo != SIGWINCH)
			next = NEXT_END;
	}
	return next;
}

/* Until it is time, a signal came, or nobody reads what we write. */
static enum next
wait_until(const struct watch *w, uint64_t when)
{
	struct pollfd fds[] = {
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 },
	};
	uint64_t now;

	while ((now = clock_ms()) < when) {
		if (poll(fds, 2, (int)(when - now)) <= 0)
			continue; /* that is time over, or a signal that is not ours */
		if (fds[0].revents != 0)
			return take_signals(w);
		if (fds[1].revents != 0)
			return NEXT_END;
	}
	return NEXT_LOOK;
}

static int
watch(struct watch *w)
{
	uint64_t when = clock_ms();
	int status = EX_OK;

	for (;;) {
		enum next next = wait_until(w, when);

		if (next == NEXT_END)
			return EX_OK;
		if (next == NEXT_DRAW) {
			if (w->screen && w->now.text != NULL && (status = draw(w)) != EX_OK)
				return status;
			continue;
		}
		if ((status = look_and_draw(w)) != EX_OK)
			return status;
		/* A look that took longer does not make the next ones hurry. */
		when += EVERY_MS;
		if (when < clock_ms())
			when = clock_ms();
	}
}

int
stat_watch(struct mess *m, const struct topic_call *c, enum stat_form form)
{
	struct watch w = { .m = m, .call = c, .form = form, .text = BUF_INIT(STAT_TEXT_MAX) };
	int status;

	if ((w.signals = catch_signals()) == -1)
		return cli_fail_errno(EX_OSERR, "signals");
	mess_cancel_on(m, w.signals);
	w.screen = form == STAT_TABLE && term_moves(STDOUT_FILENO);
	w.colour = form == STAT_TABLE && term_colour(c->value[OPT_COLOR], STDOUT_FILENO);
	screen(&w, SCREEN_ON);
	status = watch(&w);
	screen(&w, SCREEN_OFF);
	counts_free(&w.now);
	counts_free(&w.before);
	buf_free(&w.text);
	(void)close(w.signals);
	return status;
}
