/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: messages to handlers, some at once.
 *
 * The engine is allowed as many messages as there are free hands, so what
 * comes is started at once and nothing is held back in memory; a large body
 * streams, and what comes behind it waits in the socket.
 *
 * When the engine goes away handlers run on.  Their leases are gone, so the
 * messages come again: then the handler that is at work on one keeps it, and
 * one that was done is acked.  Nothing is run twice at once by us.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sysexits.h>

#include "base/fd.h"
#include "sub-work.h"

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 1000
#define WAIT_MOST_MS (1 << 30)

/* ---- stopping ---- */

void
work_stop(struct work *w, enum stop why)
{
	if (w->stopping != GO_ON)
		return;
	w->stopping = why;
	if (__builtin_add_overflow(sub_clock(), w->s->o->grace_ms, &w->grace_until))
		w->grace_until = UINT64_MAX;
	sub_set_until(w->s, UINT64_MAX);
}

static void
end_jobs(struct work *w, bool kill_them)
{
	uint64_t now = sub_clock();

	w->grace_until = UINT64_MAX;
	for (size_t i = 0; i < w->cap; i++) {
		if (w->jobs[i].h == NULL)
			continue;
		w->cut = true;
		if (kill_them)
			handler_kill(w->jobs[i].h);
		else
			handler_stop(w->jobs[i].h, now);
	}
}

/* The first asks to end, the second does not want to wait, the third not at all. */
static void
take_signals(struct work *w)
{
	unsigned before = w->signals;

	w->signals += sub_signals_read(w->s);
	if (w->signals > 0)
		work_stop(w, STOP_SIGNAL);
	if (w->signals >= 2 && before < w->signals)
		end_jobs(w, w->signals >= 3);
}

static void
engine_failed(struct work *w, enum mess_err err)
{
	struct sub *s = w->s;

	if (err == MESS_CANCELLED) /* the loop looks what for */
		return;
	s->status = cli_fail_mess(s->m, err, "%s", s->what);
	work_stop(w, STOP_FAILED);
}

/* Its message comes again, if it is a subscription's: until then it does not count for -n. */
static void
lose_job(struct sub *s, struct job *j)
{
	if (!j->lost && s->left != UINT64_MAX && s->o->mode == MODE_SUB)
		s->left++;
	j->lost = true;
}

/* The leases are gone with it. */
static void
lost(struct work *w)
{
	struct sub *s = w->s;

	for (size_t i = 0; i < w->cap; i++)
		if (w->jobs[i].topic != NULL)
			lose_job(s, &w->jobs[i]);
	if (w->body && w->reader != NULL) /* it cannot have the rest */
		handler_stop(w->reader->h, sub_clock());
	w->body = w->connected = w->ended = false;
	w->reader = NULL;
	w->credit = 0;
	w->retry_at = 0;
	w->retry_ms = BACKOFF_FIRST_MS;
	if (w->stopping != GO_ON)
		return;
	s->lost_said = false;
	if (sub_topics_gone(s) == STOP_FAILED)
		work_stop(w, STOP_FAILED);
	else if (s->o->drain && !s->let_go)
		engine_failed(w, MESS_NODAEMON);
	else
		sub_say_lost(s, false);
}

void
work_failed(struct work *w, enum mess_err err)
{
	if (err == MESS_NODAEMON)
		lost(w);
	else
		engine_failed(w, err);
}

/* ---- what the engine sends ---- */

static void
damaged(struct work *w)
{
	sub_is_damaged(w->s);
	if (w->credit > 0)
		w->credit--;
}

static void
received(struct work *w, const struct mess_received *msg)
{
	if (w->credit > 0)
		w->credit--;
	w->s->let_go = false;
	if (w->stopping != GO_ON) {
		job_give_back(w, msg);
		return;
	}
	if (w->s->left != UINT64_MAX)
		w->s->left--;
	job_begin(w, msg);
}

/* All that has arrived, up to a body that comes in pieces. */
static void
receive(struct work *w)
{
	struct mess_received msg;
	enum mess_event event;
	enum mess_err err;

	while (w->connected && !w->body) {
		if ((err = mess_next(w->s->m, 0, &event, &msg)) == MESS_CORRUPT) {
			damaged(w);
			continue;
		}
		if (err != MESS_OK) {
			work_failed(w, err);
			return;
		}
		if (event == MESS_EVENT_NONE)
			return;
		if (event == MESS_EVENT_MESSAGE) {
			received(w, &msg);
		} else if (event == MESS_EVENT_GONE) {
			if (sub_topics_gone(w->s) == STOP_FAILED)
				work_stop(w, STOP_FAILED);
		} else {
			w->ended = true;
			w->credit = 0;
		}
	}
}

/* Its body ended, or ended wrong: then the handler must not believe that it has it. */
static void
body_over(struct work *w, enum mess_err err)
{
	struct job *j = TAKE(w->reader, NULL);
	enum mess_err fed;

	w->body = false;
	if (err == MESS_CORRUPT) {
		w->s->status = cli_fail_mess(w->s->m, err, "%s", w->s->what);
		if (j != NULL) {
			j->damaged = true;
			handler_stop(j->h, sub_clock());
		}
		return;
	}
	if (j != NULL && (fed = handler_feed(j->h, "", 0, true)) != MESS_OK)
		engine_failed(w, fed);
}

/* A piece of a large body to whom it is for; false when there is none now. */
static bool
feed_piece(struct work *w)
{
	static char piece[SUB_PIECE];
	struct sub *s = w->s;
	enum mess_err err;
	size_t got;

	if (w->reader != NULL && !handler_is_hungry(w->reader->h))
		return false;
	mess_cancel_on(s->m, w->always);
	err = mess_body_read(s->m, piece, sizeof piece, &got);
	mess_cancel_on(s->m, s->stops);
	if (err == MESS_CANCELLED) /* nothing has arrived */
		return false;
	if (err == MESS_CORRUPT || (err == MESS_OK && got == 0)) {
		body_over(w, err);
		return true;
	}
	if (err == MESS_OK && w->reader != NULL)
		err = handler_feed(w->reader->h, piece, got, false);
	if (err != MESS_OK)
		work_failed(w, err);
	return err == MESS_OK;
}

/* ---- what is asked of it ---- */

/* As many more as there are hands. */
static void
take_more(struct work *w)
{
	struct sub *s = w->s;
	uint64_t hands = s->o->jobs - job_count(w), room = job_room(w);
	uint64_t want = hands < room ? hands : room;
	enum mess_err err;

	if (want > s->left)
		want = s->left;
	if (!w->connected || w->stopping != GO_ON || want <= w->credit || (s->o->drain && w->ended))
		return;
	if ((err = mess_take(s->m, want - w->credit, s->o->drain)) != MESS_OK)
		work_failed(w, err);
	else
		w->credit = want;
}

static void
attach(struct work *w)
{
	enum mess_err err;

	if (w->connected || w->stopping != GO_ON || sub_clock() < w->retry_at)
		return;
	if ((err = sub_attach(w->s, 0)) == MESS_OK) {
		w->connected = true;
	} else if (err != MESS_NODAEMON) {
		engine_failed(w, err);
	} else {
		sub_say_lost(w->s, true);
		w->retry_at = sub_clock() + w->retry_ms;
		w->retry_ms = w->retry_ms * 2 < BACKOFF_MOST_MS ? w->retry_ms * 2 : BACKOFF_MOST_MS;
	}
}

/* ---- the loop ---- */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int
wait_ms(const struct work *w)
{
	uint64_t now = sub_clock(), until = earlier(w->s->until, w->grace_until);

	if (!w->connected && w->stopping == GO_ON)
		until = earlier(until, w->retry_at);
	for (size_t i = 0; i < w->cap; i++)
		if (w->jobs[i].h != NULL)
			until = earlier(until, handler_due(w->jobs[i].h));
	if (until == UINT64_MAX)
		return -1;
	return until <= now ? 0 : until - now > WAIT_MOST_MS ? WAIT_MOST_MS : (int)(until - now);
}

/* What is not taken from the socket makes the engine wait: so with a handler that is slow to read. */
static nfds_t
gather(struct work *w)
{
	bool listen = w->connected && (!w->body || w->reader == NULL || handler_is_hungry(w->reader->h));
	nfds_t n = 2;

	w->fds[0] = (struct pollfd){ .fd = w->s->signals, .events = POLLIN };
	w->fds[1] = (struct pollfd){ .fd = listen ? mess_fd(w->s->m) : -1, .events = POLLIN };
	for (size_t i = 0; i < w->cap; i++)
		if (w->jobs[i].h != NULL && !w->jobs[i].over) {
			handler_polls(w->jobs[i].h, &w->fds[n]);
			n += HANDLER_FDS;
		}
	return n;
}

static void
turn_handlers(struct work *w)
{
	const struct pollfd *at = w->fds + 2;
	uint64_t now = sub_clock();

	for (size_t i = 0; i < w->cap; i++) {
		struct job *j = &w->jobs[i];

		if (j->h == NULL || j->over)
			continue;
		j->over = handler_turn(j->h, at, now);
		at += HANDLER_FDS;
	}
}

static void
settle_all(struct work *w)
{
	for (size_t i = 0; i < w->cap; i++)
		if (w->jobs[i].h != NULL && w->jobs[i].over)
			job_settle(w, &w->jobs[i]);
}

static void
wait_and_turn(struct work *w)
{
	nfds_t n = gather(w);

	if (poll(w->fds, n, wait_ms(w)) == -1) {
		if (errno == EINTR)
			return;
		w->s->status = cli_fail_errno(EX_OSERR, "poll");
		work_stop(w, STOP_FAILED);
		end_jobs(w, true);
		return;
	}
	turn_handlers(w);
	settle_all(w);
	take_signals(w);
	if (sub_clock() >= w->s->until)
		work_stop(w, STOP_WAITED);
	if (sub_clock() >= w->grace_until)
		end_jobs(w, false);
}

/* All that can be done without waiting. */
static void
go_on(struct work *w)
{
	enum mess_err err;

	attach(w);
	do {
		take_more(w);
		receive(w);
	} while (w->connected && w->body && feed_piece(w));
	if (w->connected && (err = mess_ack_flush(w->s->m)) != MESS_OK)
		work_failed(w, err);
}

static bool
is_done(const struct work *w)
{
	if (job_any(w))
		return false;
	return w->stopping != GO_ON || w->s->left == 0 || (w->s->o->drain && w->ended);
}

/* What came, or is on its way, and is not begun goes back uncounted. */
static void
return_the_rest(struct work *w)
{
	enum mess_err err;

	work_stop(w, STOP_DONE);
	for (int i = 0; i < 2 && w->connected; i++) {
		w->body = false; /* mess_next passes over it */
		receive(w);
		if (w->connected && (err = mess_ack_wait(w->s->m)) != MESS_OK && err != MESS_CANCELLED)
			work_failed(w, err);
	}
}

static enum stop
work(struct work *w)
{
	struct sub *s = w->s;
	enum mess_err err;

	if ((w->always = eventfd(1, EFD_CLOEXEC)) == -1) {
		s->status = cli_fail_errno(EX_OSERR, "eventfd");
		return STOP_FAILED;
	}
	if ((err = sub_attach(s, 0)) != MESS_OK)
		return sub_attach_failed(s, err);
	w->connected = true;
	for (;;) {
		go_on(w);
		if (is_done(w))
			break;
		wait_and_turn(w);
	}
	if (w->credit > 0 || w->body)
		return_the_rest(w);
	if (w->stopping == GO_ON || (w->stopping == STOP_WAITED && s->left == 0 && !w->cut))
		return STOP_DONE;
	return w->stopping;
}

enum stop
sub_work(struct sub *s)
{
	static struct work w;
	enum stop stop;

	w = (struct work){ .s = s, .cap = (size_t)s->o->jobs * 2, .grace_until = UINT64_MAX,
		.retry_ms = BACKOFF_FIRST_MS, .always = -1 };
	stop = work(&w);
	for (size_t i = 0; i < w.cap; i++)
		if (w.jobs[i].topic != NULL)
			job_free(&w, &w.jobs[i]);
	fd_close(&w.always);
	return stop;
}
