/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: take messages and print them.
 *
 * Promise: a message is acked after all its bytes were written to stdout,
 * never before; exit 0 says those acks are on disk.  What was not written
 * whole is given back by closing the connection.
 *
 * Signals are blocked and read from a descriptor, and stdout is written
 * without waiting, so that a stop is seen wherever it comes and a reader
 * that went away is seen while there is nothing to write.  What asks to stop
 * while a message is written in part waits for the rest of it: behind a pipe
 * there are only whole messages, unless the exit status says otherwise.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <time.h>

#include "base/buf.h"
#include "base/fd.h"
#include "cli.h"
#include "record.h"

#define EXIT_WAITED 124			/* -W ran out */
#define OUT_FULL ((size_t)256 * 1024)	/* written when there is that much */
#define OUT_MAX (OUT_FULL + 4 * RECORD_MAX)
#define OUT_COUNT 8192			/* or that many messages */
#define PIECE ((size_t)64 * 1024)	/* of a large body */
#define PIPE_TAKES 4096			/* bytes that a pipe ready for writing takes */
#define POLL_MOST_MS (1 << 30)
#define GRACE_MS 10000			/* for what is left to do after it was to stop */
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 1000

static const struct cli_text text = {
	"mess-sub [-qv] [-s SUBSCRIPTION | --tail | --peek] [-n N] [-e] [-W DUR] [-l | -0 | --records] "
	"[--raw] " CLI_WHERE_USAGE " TOPIC",
	"Take messages of TOPIC and write them to standard output.  A message is\n"
	"acknowledged once it is written.\n\n"
	"  -s SUBSCRIPTION      take for this subscription (default)\n"
	"      --tail           only watch what comes from now on\n"
	"      --peek           only show what the subscription has not settled\n"
	"  -n N                 stop after N messages\n"
	"  -e                   stop when nothing is ready\n"
	"  -W DUR               stop after this time (90, 90s, 5m, 2h, 7d)\n"
	"  -l                   end each message with a newline\n"
	"  -0                   end each message with a NUL\n"
	"      --records        write records: envelope, headers, body\n"
	"      --raw            the bytes as they are, on a terminal too\n"
	"  -q, -v               say less, more\n"
	CLI_WHERE_HELP
};

enum mode { MODE_SUB, MODE_TAIL, MODE_PEEK };
enum form { FORM_BODY, FORM_LINE, FORM_NUL, FORM_RECORD };

struct options {
	struct cli_where where;
	const char *topic;
	const char *name;
	enum mode mode;
	enum form form;
	uint64_t count;		/* -n; UINT64_MAX without */
	uint64_t wait_ms;
	bool has_wait;
	bool drain;
	bool raw;
	int verbose;
};

/* Why it goes no further. */
enum stop {
	GO_ON,
	STOP_DONE,	/* -n reached, or -e and nothing more is ready */
	STOP_WAITED,
	STOP_SIGNAL,
	STOP_PIPE,	/* nobody reads stdout any more */
	STOP_LOST,	/* the engine went away: what to do depends */
	STOP_FAILED,	/* said already; the exit status is in sub.status */
};

/* A message whose last byte is at `end` of the output buffer. */
struct waiting {
	uint64_t seq;
	size_t end;
};

struct sub {
	const struct options *o;
	struct mess *m;
	int signals;
	int timer;		/* readable from `until` on */
	int stops;		/* readable when signals or timer are */
	uint64_t until;		/* when -W is over */
	enum stop stopping;	/* asked to, within a message */
	uint64_t left;		/* of -n: not written yet */
	bool escape;		/* stdout is a terminal */
	bool wait_first;	/* poll before writing: a pipe without RWF_NOWAIT, a terminal */
	bool nowait;
	bool within;		/* bytes of the message in hand left with an earlier buffer */
	struct buf out;
	struct waiting waiting[OUT_COUNT];
	size_t waiting_count;
	int status;
};

static uint64_t
now_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* cannot fail for this clock */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- waiting ---- */

static const int stop_signals[] = { SIGTERM, SIGINT, SIGHUP };

/* For poll: until -W is over, at most most_ms (-1: no other limit). */
static int
time_left(const struct sub *s, int most_ms)
{
	uint64_t now, left;

	if (s->until == UINT64_MAX)
		return most_ms;
	now = now_ms();
	left = s->until > now ? s->until - now : 0;
	if (left > POLL_MOST_MS)
		left = POLL_MOST_MS;
	return most_ms >= 0 && left > (uint64_t)most_ms ? most_ms : (int)left;
}

/*
 * Wait for fd (-1: none) or for what ends all waiting; GO_ON when fd is
 * ready or most_ms are over.
 */
static enum stop
wait_for(struct sub *s, int fd, short events, int most_ms)
{
	struct pollfd fds[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 },
		{ .fd = fd, .events = events },
	};

	if (poll(fds, 3, time_left(s, most_ms)) == -1 && errno != EINTR) {
		s->status = cli_fail_errno(EX_OSERR, "poll");
		return STOP_FAILED;
	}
	if (fds[0].revents != 0)
		return STOP_SIGNAL;
	if ((fds[1].revents & (POLLERR | POLLHUP)) != 0)
		return STOP_PIPE;
	if (fds[2].revents == 0 && s->until != UINT64_MAX && now_ms() >= s->until)
		return STOP_WAITED;
	return GO_ON;
}

/* One who is tired of waiting may ask a second time: that ends it at once. */
static void
unblock_signals(const struct sub *s)
{
	struct signalfd_siginfo info;
	sigset_t set;

	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
		;
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++)
		(void)sigaddset(&set, stop_signals[i]);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* From when on nothing waits any more: ms from now, UINT64_MAX for never. */
static void
set_until(struct sub *s, uint64_t ms)
{
	struct itimerspec when = { 0 };

	if (__builtin_add_overflow(now_ms(), ms, &s->until) || s->until / 1000 > INT32_MAX)
		s->until = UINT64_MAX;
	else
		when.it_value = (struct timespec){ .tv_sec = (time_t)(s->until / 1000),
			.tv_nsec = (long)(s->until % 1000) * 1000000 };
	(void)timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL); /* no way to fail is left */
}

/*
 * Asked to stop with a message in hand that is written in part: GO_ON, its
 * rest first.  A second signal then ends the program as it ends others, and
 * -W is patient once.
 */
static enum stop
stop_later(struct sub *s, enum stop stop)
{
	if (stop == STOP_WAITED && s->stopping == STOP_WAITED) {
		cli_warn("%s: a message is written in part, its rest could not be in %d s", s->o->topic,
		    GRACE_MS / 1000);
		s->status = EX_IOERR;
		return STOP_FAILED;
	}
	if (stop == STOP_SIGNAL)
		unblock_signals(s);
	set_until(s, stop == STOP_SIGNAL ? UINT64_MAX : GRACE_MS);
	s->stopping = stop;
	return GO_ON;
}

static bool
is_asked(enum stop stop)
{
	return stop == STOP_SIGNAL || stop == STOP_WAITED;
}

/* A call to the library gave up: for what? */
static enum stop
cancelled(struct sub *s)
{
	enum stop stop = wait_for(s, -1, 0, 0);

	return stop == GO_ON ? STOP_SIGNAL : stop;
}

/* ---- output ---- */

static ssize_t
write_some(struct sub *s, const char *data, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	ssize_t n;

	if (!s->nowait) /* after poll a pipe takes that much without waiting */
		return write(STDOUT_FILENO, data, s->wait_first && len > PIPE_TAKES ? PIPE_TAKES : len);
	n = pwritev2(STDOUT_FILENO, &iov, 1, -1, RWF_NOWAIT);
	if (n != -1 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
		return n;
	s->nowait = false;
	s->wait_first = true;
	errno = EAGAIN;
	return -1;
}

/* What is written must be acked: who asks to stop meanwhile waits for that. */
static enum mess_err
ack(struct sub *s, uint64_t seq)
{
	enum mess_err err;
	enum stop stop;

	while ((err = mess_ack(s->m, s->o->topic, seq, seq)) == MESS_CANCELLED)
		if (!is_asked(stop = cancelled(s)) || stop_later(s, stop) != GO_ON)
			break;
	return err;
}

/* How far the buffer is written. */
struct progress {
	size_t done;	/* bytes */
	size_t next;	/* the first message that is not written whole */
};

/* Messages that are written whole now are settled. */
static enum mess_err
written(struct sub *s, struct progress *p)
{
	enum mess_err err;

	while (p->next < s->waiting_count && s->waiting[p->next].end <= p->done) {
		uint64_t seq = s->waiting[p->next++].seq;

		if (s->left != UINT64_MAX)
			s->left--;
		s->within = false;
		if (s->o->mode == MODE_SUB && (err = ack(s, seq)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}

static enum stop
engine_failed(struct sub *s, enum mess_err err)
{
	if (err == MESS_NODAEMON)
		return STOP_LOST;
	if (err == MESS_CANCELLED)
		return cancelled(s);
	s->status = cli_fail_mess(s->m, err, "%s", s->o->topic);
	return STOP_FAILED;
}

static enum stop
output_failed(struct sub *s)
{
	if (errno == EPIPE)
		return STOP_PIPE;
	s->status = cli_fail_errno(EX_IOERR, "standard output");
	return STOP_FAILED;
}

static bool
is_partly_written(const struct sub *s, const struct progress *p)
{
	return s->within || p->done > (p->next > 0 ? s->waiting[p->next - 1].end : 0);
}

/* Where the message in hand ends, as far as it is here. */
static size_t
end_in_hand(const struct sub *s, const struct progress *p)
{
	return p->next < s->waiting_count ? s->waiting[p->next].end : buf_len(&s->out);
}

static enum stop
write_piece(struct sub *s, struct progress *p, size_t end)
{
	enum stop stop;
	ssize_t n;

	if (s->wait_first && (stop = wait_for(s, STDOUT_FILENO, POLLOUT, -1)) != GO_ON)
		return stop;
	n = write_some(s, buf_data(&s->out) + p->done, end - p->done);
	if (n == -1 && errno == EAGAIN)
		return wait_for(s, STDOUT_FILENO, POLLOUT, -1);
	if (n == -1 && errno != EINTR)
		return output_failed(s);
	p->done += n > 0 ? (size_t)n : 0;
	return GO_ON;
}

/* The rest of a message that cannot be acked any more: it comes again, but whole. */
static enum stop
finish_lost(struct sub *s, struct progress *p)
{
	enum stop stop = GO_ON;
	size_t end;

	while (p->next < s->waiting_count && s->waiting[p->next].end <= p->done)
		p->next++;
	if (!is_partly_written(s, p))
		return STOP_LOST;
	end = end_in_hand(s, p);
	while (stop == GO_ON && p->done < end) {
		stop = write_piece(s, p, end);
		if (is_asked(stop))
			stop = stop_later(s, stop);
	}
	s->within = p->next == s->waiting_count; /* then more of it was to come */
	return stop == GO_ON ? STOP_LOST : stop;
}

static enum stop
write_out(struct sub *s, struct progress *p)
{
	enum stop stop = GO_ON;
	enum mess_err err;

	for (;;) {
		size_t end = s->stopping == GO_ON ? buf_len(&s->out) : end_in_hand(s, p);

		if ((err = written(s, p)) != MESS_OK)
			return (stop = engine_failed(s, err)) == STOP_LOST ? finish_lost(s, p) : stop;
		if (s->stopping != GO_ON && !is_partly_written(s, p))
			return s->stopping;
		if (p->done >= end)
			break;
		stop = write_piece(s, p, end);
		if (is_asked(stop) && is_partly_written(s, p))
			stop = stop_later(s, stop);
		if (stop != GO_ON)
			return stop;
	}
	s->within = is_partly_written(s, p);
	return GO_ON;
}

/* All that was gathered is written, or nothing of it is kept. */
static enum stop
flush(struct sub *s)
{
	struct progress p = { 0 };
	enum stop stop;

	/* In a steady flow this is where a signal and the end of -W are seen. */
	stop = wait_for(s, -1, 0, 0);
	if (is_asked(stop) && s->within)
		stop = stop_later(s, stop);
	if (stop == GO_ON)
		stop = write_out(s, &p);
	s->waiting_count = 0;
	buf_reset(&s->out, OUT_MAX + 1);
	return stop;
}

static enum stop
no_room(struct sub *s, enum mess_err err)
{
	s->status = cli_fail(err, "%s", s->o->topic);
	return STOP_FAILED;
}

static enum stop
put(struct sub *s, const char *data, size_t len, bool payload)
{
	size_t need = s->escape && payload ? 4 * len + 1 : len;
	enum mess_err err;

	if ((err = buf_reserve(&s->out, need)) != MESS_OK)
		return no_room(s, err);
	if (s->escape && payload) {
		buf_grew(&s->out, cli_escape(buf_end(&s->out), data, len));
	} else {
		memcpy(buf_end(&s->out), data, len);
		buf_grew(&s->out, len);
	}
	return GO_ON;
}

/* What ends a message of the given form. */
static enum stop
put_end(struct sub *s)
{
	if (s->escape && s->o->form != FORM_RECORD)
		return put(s, "\n", 1, false);
	if (s->o->form == FORM_LINE)
		return put(s, "\n", 1, false);
	if (s->o->form == FORM_NUL)
		return put(s, "", 1, false);
	return GO_ON;
}

/* The message with this number is in the buffer whole. */
static enum stop
gathered(struct sub *s, uint64_t seq)
{
	s->waiting[s->waiting_count++] = (struct waiting){ seq, buf_len(&s->out) };
	if (s->waiting_count == s->left || s->stopping != GO_ON)
		return flush(s);
	if (s->waiting_count == OUT_COUNT || buf_len(&s->out) >= OUT_FULL)
		return flush(s);
	return GO_ON;
}

/* ---- messages ---- */

static void
is_damaged(struct sub *s)
{
	s->status = cli_fail_mess(s->m, MESS_CORRUPT, "%s", s->o->topic);
	if (s->left != UINT64_MAX && s->left > 0)
		s->left--;
}

/* The library gave up or failed within a body; GO_ON: try again. */
static enum stop
body_stopped(struct sub *s, enum mess_err err)
{
	enum stop stop = engine_failed(s, err);

	return is_asked(stop) && s->within ? stop_later(s, stop) : stop;
}

static enum stop
copy_body(struct sub *s, uint64_t seq)
{
	static char piece[PIECE];
	size_t len, got, kept = 0; /* of a character whose rest is still to come */
	enum stop stop;
	enum mess_err err;

	for (;;) {
		if ((err = mess_body_read(s->m, piece + kept, sizeof piece - kept, &got)) == MESS_CORRUPT) {
			is_damaged(s);
			s->within = false;
			return s->stopping;
		}
		if (err != MESS_OK && (stop = body_stopped(s, err)) != GO_ON)
			return stop;
		if (err != MESS_OK)
			continue;
		len = kept + got;
		kept = s->escape && got > 0 ? cli_unfinished(piece, len) : 0;
		if ((stop = put(s, piece, len - kept, true)) != GO_ON)
			return stop;
		memmove(piece, piece + len - kept, kept);
		if (got == 0)
			break;
		if (buf_len(&s->out) >= OUT_FULL && (stop = flush(s)) != GO_ON)
			return stop;
	}
	if (s->o->form == FORM_RECORD && (stop = put(s, "\n", 1, false)) != GO_ON)
		return stop;
	if ((stop = put_end(s)) != GO_ON)
		return stop;
	return gathered(s, seq);
}

static enum stop
take_large(struct sub *s, const struct mess_received *msg)
{
	uint64_t seq = msg->seq;
	enum stop stop;

	/* What waits is acked before a body that may take long. */
	if (s->o->form == FORM_RECORD &&
	    (stop = put(s, msg->record, msg->record_len, true)) != GO_ON)
		return stop;
	if (s->waiting_count > 0 && (stop = flush(s)) != GO_ON)
		return stop;
	return copy_body(s, seq);
}

static enum stop
take(struct sub *s, const struct mess_received *msg)
{
	enum stop stop;

	if (msg->body == NULL)
		return take_large(s, msg);
	if (s->o->form == FORM_RECORD)
		stop = put(s, msg->record, msg->record_len, true);
	else
		stop = put(s, msg->body, (size_t)msg->body_len, true);
	if (stop != GO_ON || (stop = put_end(s)) != GO_ON)
		return stop;
	return gathered(s, msg->seq);
}

/* Nothing to read: what was gathered goes out, acks too, and then we wait. */
static enum stop
idle(struct sub *s)
{
	enum stop stop;
	enum mess_err err;

	if (s->waiting_count > 0) {
		if ((stop = flush(s)) != GO_ON)
			return stop;
		if ((err = mess_ack_flush(s->m)) != MESS_OK)
			return engine_failed(s, err);
	}
	return wait_for(s, mess_fd(s->m), POLLIN, -1);
}

static enum stop
consume(struct sub *s)
{
	struct mess_received msg;
	enum mess_event event;
	enum stop stop = GO_ON;
	enum mess_err err;

	while (stop == GO_ON && s->left > 0) {
		if ((err = mess_next(s->m, 0, &event, &msg)) == MESS_CORRUPT) {
			is_damaged(s);
			if (s->waiting_count == s->left)
				stop = flush(s);
			continue;
		}
		if (err != MESS_OK)
			stop = engine_failed(s, err);
		else if (event == MESS_EVENT_MESSAGE)
			stop = take(s, &msg);
		else if (event == MESS_EVENT_NONE)
			stop = idle(s);
		else
			return (stop = flush(s)) == GO_ON ? STOP_DONE : stop;
	}
	return stop == GO_ON ? STOP_DONE : stop;
}

/* ---- the connection ---- */

static enum mess_err
attach(struct sub *s)
{
	const struct options *o = s->o;
	enum mess_err err;

	switch (o->mode) {
	case MODE_SUB:
		err = mess_subscribe(s->m, o->topic, o->name, NULL);
		break;
	case MODE_TAIL:
		err = mess_tail(s->m, o->topic);
		break;
	case MODE_PEEK:
		err = mess_peek(s->m, o->topic, o->name);
		break;
	default:
		err = MESS_BUG;
	}
	return err == MESS_OK ? mess_take(s->m, s->left, o->drain) : err;
}

/* A restarted engine has what we did not ack; nothing is lost but time. */
static enum stop
attach_again(struct sub *s)
{
	enum stop stop;
	enum mess_err err;

	if (s->within) {
		s->status = cli_fail_mess(s->m, MESS_NODAEMON, "%s: within a message", s->o->topic);
		return STOP_FAILED;
	}
	if (s->o->verbose >= 0)
		cli_warn("%s: %s, trying again", s->o->topic, mess_detail(s->m));
	s->waiting_count = 0;
	buf_reset(&s->out, OUT_MAX + 1);
	for (int ms = BACKOFF_FIRST_MS;; ms = ms * 2 < BACKOFF_MOST_MS ? ms * 2 : BACKOFF_MOST_MS) {
		if ((err = attach(s)) != MESS_NODAEMON)
			return err == MESS_OK ? GO_ON : engine_failed(s, err);
		if ((stop = wait_for(s, -1, 0, ms)) != GO_ON)
			return stop;
	}
}

static enum stop
follow(struct sub *s)
{
	enum stop stop;
	enum mess_err err;

	if ((err = attach(s)) == MESS_CANCELLED)
		return cancelled(s);
	if (err != MESS_OK) {
		s->status = cli_fail_mess(s->m, err, "%s", cli_cut(s->o->topic));
		return STOP_FAILED;
	}
	while ((stop = consume(s)) == STOP_LOST) {
		if (s->o->drain || s->left == 0) {
			s->status = cli_fail_mess(s->m, MESS_NODAEMON, "%s", s->o->topic);
			return STOP_FAILED;
		}
		if ((stop = attach_again(s)) != GO_ON)
			return stop;
	}
	return stop;
}

/* ---- the program ---- */

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

/* As every filter ends whose reader went away. */
static _Noreturn void
die_of_sigpipe(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGPIPE);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)raise(SIGPIPE);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(EX_IOERR);
}

static void
look_at_stdout(struct sub *s)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) == -1)
		exit(cli_fail_errno(EX_IOERR, "standard output"));
	s->nowait = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
	s->wait_first = S_ISCHR(st.st_mode);
	s->escape = isatty(STDOUT_FILENO) && !s->o->raw;
}

/* What was written is settled; then the reason to stop becomes a status. */
static int
finish(struct sub *s, enum stop stop)
{
	const struct options *o = s->o;
	enum mess_err err;

	unblock_signals(s);
	set_until(s, GRACE_MS);
	err = mess_ack_wait(s->m);
	if (err == MESS_CANCELLED && s->status == EX_OK) {
		cli_warn("%s: acknowledging: mess-deliverd does not answer in %d s", o->topic,
		    GRACE_MS / 1000);
		s->status = mess_exit_status(MESS_NODAEMON);
	} else if (err != MESS_OK && s->status == EX_OK) {
		s->status = cli_fail_mess(s->m, err, "%s: acknowledging", o->topic);
	}
	if (s->status != EX_OK)
		return s->status;
	if (stop == STOP_WAITED && (o->drain || o->count != UINT64_MAX))
		return EXIT_WAITED;
	return EX_OK;
}

/* From here on all that waits looks at signals and -W, the library too. */
static int
watch_stops(struct sub *s)
{
	struct epoll_event in = { .events = EPOLLIN };

	if ((s->signals = block_signals()) == -1 ||
	    (s->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC)) == -1 ||
	    (s->stops = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    epoll_ctl(s->stops, EPOLL_CTL_ADD, s->signals, &in) == -1 ||
	    epoll_ctl(s->stops, EPOLL_CTL_ADD, s->timer, &in) == -1)
		return cli_fail_errno(EX_OSERR, "signals");
	set_until(s, s->o->has_wait ? s->o->wait_ms : UINT64_MAX);
	mess_cancel_on(s->m, s->stops);
	return EX_OK;
}

static int
run(const struct options *o)
{
	static struct sub s;
	enum stop stop = STOP_FAILED;
	int status;

	s = (struct sub){ .o = o, .left = o->count, .out = BUF_INIT(OUT_MAX),
		.signals = -1, .timer = -1, .stops = -1 };
	look_at_stdout(&s);
	s.m = cli_open(&o->where);
	if ((status = watch_stops(&s)) == EX_OK) {
		stop = follow(&s);
		status = finish(&s, stop);
	}
	mess_close(s.m);
	buf_free(&s.out);
	fd_close(&s.stops);
	fd_close(&s.timer);
	fd_close(&s.signals);
	if (stop == STOP_PIPE)
		die_of_sigpipe();
	return status;
}

static void
set_form(struct options *o, enum form form)
{
	if (o->form != FORM_BODY && o->form != form)
		cli_usage(&text, "only one of -l, -0 and --records");
	o->form = form;
}

static void
set_mode(struct options *o, enum mode mode)
{
	if (o->mode != MODE_SUB && o->mode != mode)
		cli_usage(&text, "only one of --tail and --peek");
	o->mode = mode;
}

enum {
	OPTION_RECORDS = CLI_OPTION_OWN,
	OPTION_PEEK,
	OPTION_TAIL,
	OPTION_RAW,
};

static void
read_option(struct options *o, int c)
{
	switch (c) {
	case 's':
		o->name = optarg;
		break;
	case 'n':
		if (!cli_number(optarg, 1, INT64_MAX, &o->count))
			cli_usage(&text, "-n %s: not a number of messages", cli_cut(optarg));
		break;
	case 'e':
		o->drain = true;
		break;
	case 'W':
		if (!cli_duration(optarg, &o->wait_ms))
			cli_usage(&text, "-W %s: not a duration as 90, 90s, 5m, 2h, 7d", cli_cut(optarg));
		o->has_wait = true;
		break;
	case 'l':
		set_form(o, FORM_LINE);
		break;
	case '0':
		set_form(o, FORM_NUL);
		break;
	case OPTION_RECORDS:
		set_form(o, FORM_RECORD);
		break;
	case OPTION_PEEK:
		set_mode(o, MODE_PEEK);
		break;
	case OPTION_TAIL:
		set_mode(o, MODE_TAIL);
		break;
	case OPTION_RAW:
		o->raw = true;
		break;
	case 'q':
		o->verbose--;
		break;
	case 'v':
		o->verbose++;
		break;
	default:
		cli_option(&o->where, c, optarg, &text);
	}
}

static void
read_options(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = {
		{ "records", no_argument, NULL, OPTION_RECORDS },
		{ "peek", no_argument, NULL, OPTION_PEEK },
		{ "tail", no_argument, NULL, OPTION_TAIL },
		{ "raw", no_argument, NULL, OPTION_RAW },
		CLI_LONG_OPTIONS
	};
	int c;

	while ((c = cli_getopt(argc, argv, "0W:eln:qs:v", longs, &text)) != -1)
		read_option(o, c);
	o->topic = cli_topic(argc, argv, &text);
	if (o->mode == MODE_TAIL && o->drain)
		cli_usage(&text, "--tail shows what is still to come: not with -e");
	if (o->mode == MODE_TAIL && o->name != NULL)
		cli_usage(&text, "--tail has no subscription: not with -s");
	if (o->name == NULL)
		o->name = "default";
	if (o->mode == MODE_PEEK)
		o->drain = true;
}

int
main(int argc, char *argv[])
{
	struct options o = { .count = UINT64_MAX };

	cli_init(argv);
	read_options(argc, argv, &o);
	return run(&o);
}
