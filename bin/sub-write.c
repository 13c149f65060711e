/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: bytes to standard output.
 *
 * Promise: a message is acked after all its bytes were written, never
 * before.  stdout is written without waiting, so that a stop is seen
 * wherever it comes.
 */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <unistd.h>

#include "sub.h"

#define PIPE_TAKES 4096			/* bytes that a pipe ready for writing takes */

void
sub_look_at_stdout(struct sub *s)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) == -1)
		exit(cli_fail_errno(EX_IOERR, "standard output"));
	s->nowait = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
	s->wait_first = S_ISCHR(st.st_mode);
	s->escape = isatty(STDOUT_FILENO) && !s->o->raw;
}

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
ack(struct sub *s, const struct waiting *w)
{
	enum mess_err err;
	enum stop stop;

	while ((err = mess_ack(s->m, w->topic, w->seq, w->seq)) == MESS_CANCELLED)
		if (!sub_is_asked(stop = sub_cancelled(s)) || sub_stop_later(s, stop) != GO_ON)
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
		const struct waiting *w = &s->waiting[p->next++];

		if (s->left != UINT64_MAX)
			s->left--;
		s->within = false;
		if (s->o->mode == MODE_SUB && (err = ack(s, w)) != MESS_OK)
			return err;
	}
	return MESS_OK;
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

	if (s->wait_first && (stop = sub_wait_for(s, STDOUT_FILENO, POLLOUT, -1)) != GO_ON)
		return stop;
	n = write_some(s, buf_data(&s->out) + p->done, end - p->done);
	if (n == -1 && errno == EAGAIN)
		return sub_wait_for(s, STDOUT_FILENO, POLLOUT, -1);
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
		if (sub_is_asked(stop))
			stop = sub_stop_later(s, stop);
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
			return (stop = sub_engine_failed(s, err)) == STOP_LOST ? finish_lost(s, p) : stop;
		if (s->stopping != GO_ON && !is_partly_written(s, p))
			return s->stopping;
		if (p->done >= end)
			break;
		stop = write_piece(s, p, end);
		if (sub_is_asked(stop) && is_partly_written(s, p))
			stop = sub_stop_later(s, stop);
		if (stop != GO_ON)
			return stop;
	}
	s->within = is_partly_written(s, p);
	return GO_ON;
}

enum stop
sub_flush(struct sub *s)
{
	struct progress p = { 0 };
	enum stop stop;

	/* In a steady flow this is where a signal and the end of -W are seen. */
	stop = sub_wait_for(s, -1, 0, 0);
	if (sub_is_asked(stop) && s->within)
		stop = sub_stop_later(s, stop);
	if (stop == GO_ON)
		stop = write_out(s, &p);
	s->waiting_count = 0;
	buf_reset(&s->out, SUB_OUT_MAX + 1);
	return stop;
}

enum stop
sub_put_failed(struct sub *s, enum mess_err err)
{
	s->status = cli_fail(err, "%s", s->what);
	return STOP_FAILED;
}

enum stop
sub_put(struct sub *s, const char *data, size_t len, bool payload)
{
	size_t need = s->escape && payload ? 4 * len + 1 : len;
	enum mess_err err;

	if ((err = buf_reserve(&s->out, need)) != MESS_OK)
		return sub_put_failed(s, err);
	if (s->escape && payload) {
		buf_grew(&s->out, cli_escape(buf_end(&s->out), data, len));
	} else {
		memcpy(buf_end(&s->out), data, len);
		buf_grew(&s->out, len);
	}
	return GO_ON;
}

enum stop
sub_gathered(struct sub *s, const char *topic, uint64_t seq)
{
	s->waiting[s->waiting_count++] = (struct waiting){ topic, seq, buf_len(&s->out) };
	if (s->waiting_count == s->left || s->stopping != GO_ON)
		return sub_flush(s);
	if (s->waiting_count == SUB_OUT_COUNT || buf_len(&s->out) >= SUB_OUT_FULL)
		return sub_flush(s);
	return GO_ON;
}
