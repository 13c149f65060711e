/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: messages to handlers, some at once.
 *
 * Promise: a message is settled after its handler ended, as that end says.
 * One whose handler cannot be run is given back uncounted, and no other is
 * taken: the deployment is broken, the queue must not pay for it.
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
#include "handler-env.h"
#include "handler.h"
#include "sub.h"

#define JOBS_MOST ((size_t)2 * SUB_JOBS_MAX)	/* with those whose leases are gone */
#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 1000
#define WAIT_MOST_MS (1 << 30)

/* A message in hand. */
struct job {
	struct handler *h;
	const char *topic;	/* NULL: a free place */
	uint64_t seq, attempt;
	uint64_t sec;
	uint32_t nsec;
	bool over;		/* ended, and not settled yet */
	bool lost;		/* its lease ended with the connection */
	bool damaged;		/* its body is: whatever becomes of the handler */
};

struct work {
	struct sub *s;
	struct job jobs[JOBS_MOST];
	size_t cap;		/* how many of them are used */
	uint64_t credit;	/* allowed, and not come */
	bool ended;		/* the engine had nothing more that was ready */
	bool body;		/* a large body is coming */
	struct job *reader;	/* who gets it; NULL: nobody any more */
	bool connected;
	uint64_t retry_at, retry_ms;
	enum stop stopping;	/* why nothing new is begun */
	unsigned signals;	/* how often we were asked */
	uint64_t grace_until;	/* UINT64_MAX: over, or not begun */
	int always;		/* readable: calls of the library do not wait */
	struct pollfd fds[2 + HANDLER_FDS * JOBS_MOST];
};

/* ---- jobs ---- */

static size_t
count_jobs(const struct work *w, bool with_lost)
{
	size_t n = 0;

	for (size_t i = 0; i < w->cap; i++)
		n += w->jobs[i].topic != NULL && (with_lost || !w->jobs[i].lost);
	return n;
}

/* Handlers that run, or ended and are not settled. */
static bool
is_busy(const struct work *w)
{
	for (size_t i = 0; i < w->cap; i++)
		if (w->jobs[i].topic != NULL && (w->jobs[i].h != NULL || !w->jobs[i].lost))
			return true;
	return false;
}

static void
free_job(struct work *w, struct job *j)
{
	if (w->reader == j)
		w->reader = NULL;
	handler_free(j->h);
	*j = (struct job){ .topic = NULL };
}

/* A free place; of those that only wait for their message to come again one is given up. */
static struct job *
place(struct work *w)
{
	struct job *done = NULL;

	for (size_t i = 0; i < w->cap; i++) {
		if (w->jobs[i].topic == NULL)
			return &w->jobs[i];
		if (w->jobs[i].h == NULL && w->jobs[i].lost)
			done = &w->jobs[i];
	}
	if (done != NULL)
		free_job(w, done);
	return done;
}

/* The number may be another message's when the topic was made anew; its time is not. */
static struct job *
lost_job(struct work *w, const struct mess_received *msg)
{
	for (size_t i = 0; i < w->cap; i++) {
		struct job *j = &w->jobs[i];

		if (j->topic != NULL && j->lost && j->seq == msg->seq && j->sec == msg->time_sec &&
		    j->nsec == msg->time_nsec && strcmp(j->topic, msg->topic) == 0)
			return j;
	}
	return NULL;
}

/* ---- stopping ---- */

/* Nothing new; what runs has its time. */
static void
stop_taking(struct work *w, enum stop why)
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
		stop_taking(w, STOP_SIGNAL);
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
	stop_taking(w, STOP_FAILED);
}

/* The leases are gone with it. */
static void
lost(struct work *w)
{
	struct sub *s = w->s;

	for (size_t i = 0; i < w->cap; i++)
		if (w->jobs[i].topic != NULL)
			w->jobs[i].lost = true;
	if (w->body && w->reader != NULL) /* it cannot have the rest */
		handler_stop(w->reader->h, sub_clock());
	w->body = w->connected = w->ended = false;
	w->reader = NULL;
	w->credit = 0;
	w->retry_at = 0;
	w->retry_ms = BACKOFF_FIRST_MS;
	if (w->stopping != GO_ON)
		return;
	if (s->o->drain || s->left == 0)
		engine_failed(w, MESS_NODAEMON);
	else if (s->o->verbose >= 0)
		cli_warn("%s: %s, trying again", s->what, mess_detail(s->m));
}

static void
failed(struct work *w, enum mess_err err)
{
	if (err == MESS_NODAEMON)
		lost(w);
	else
		engine_failed(w, err);
}

/* ---- settling ---- */

static void
tell(const struct work *w, const struct job *j, const struct handler_end *end)
{
	static const char *const fates[] = { [HANDLER_ACK] = "", [HANDLER_LATER] = "",
		[HANDLER_BACK] = ": given back", [HANDLER_DEAD] = ": dead" };

	if (w->s->o->verbose > 0 || (w->s->o->verbose == 0 && end->verdict != HANDLER_ACK))
		cli_warn("%s: message %llu: attempt %llu: %s%s", j->topic, (unsigned long long)j->seq,
		    (unsigned long long)j->attempt, end->reason, fates[end->verdict]);
}

static enum mess_err
settle_as(struct mess *m, const struct job *j, const struct handler_end *end)
{
	struct mess_failure why = { .reason = end->reason, .status = end->status, .output = end->output };

	switch (end->verdict) {
	case HANDLER_ACK:
		return mess_ack(m, j->topic, j->seq, j->seq);
	case HANDLER_LATER:
		return mess_retry(m, j->topic, j->seq, &why);
	case HANDLER_BACK:
		return mess_nack(m, j->topic, j->seq, j->seq);
	case HANDLER_DEAD:
		return mess_dead(m, j->topic, j->seq, &why);
	}
	return MESS_BUG;
}

/* What becomes of one that ended; it stays when we were interrupted. */
static void
settle(struct work *w, struct job *j)
{
	struct sub *s = w->s;
	struct handler_end end;
	enum mess_err err = MESS_OK;

	handler_judge(j->h, &end);
	/* Who is done with it need not begin again when it comes again. */
	if (j->lost && end.verdict == HANDLER_ACK && w->stopping == GO_ON && !j->damaged) {
		handler_free(TAKE(j->h, NULL));
		return;
	}
	if (!j->lost && !j->damaged && s->o->mode == MODE_SUB)
		err = settle_as(s->m, j, &end);
	if (err == MESS_CANCELLED)
		return;
	if (err != MESS_OK)
		failed(w, err);
	if (!j->damaged) {
		s->failed += end.verdict != HANDLER_ACK;
		tell(w, j, &end);
	}
	free_job(w, j);
	w->ended = false;
}

/* ---- starting ---- */

/* 126 and 127 as a shell has them; what the machine lacks now is no fault of the command. */
static int
exit_status_of(int err)
{
	switch (err) {
	case ENOENT:
		return 127;
	case EAGAIN:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return EX_OSERR;
	default:
		return 126;
	}
}

static void
give_back(struct work *w, const struct mess_received *msg)
{
	enum mess_err err = MESS_OK;

	w->body = msg->body == NULL;
	w->reader = NULL;
	if (w->s->o->mode == MODE_SUB)
		err = mess_nack(w->s->m, msg->topic, msg->seq, msg->seq);
	if (err != MESS_OK)
		failed(w, err);
}

static void
cannot_run(struct work *w, const struct mess_received *msg, int err)
{
	struct sub *s = w->s;

	errno = err;
	s->status = cli_fail_errno(exit_status_of(err), "%s", cli_cut(s->o->command[0]));
	stop_taking(w, STOP_FAILED);
	give_back(w, msg);
}

static int
start(struct work *w, const struct mess_received *msg, struct handler **out)
{
	const struct options *o = w->s->o;
	struct handler_setup setup = { .argv = o->command, .now = sub_clock(), .timeout_ms = o->timeout_ms,
		.timeout = o->timeout };
	struct handler_env env;
	int err = ENOMEM;

	if (handler_env_make(&env, environ, msg, o->mode == MODE_TAIL ? NULL : o->name) == MESS_OK) {
		if (env.cut && o->verbose > 0)
			cli_warn("%s: message %llu: not all its headers fit the environment", msg->topic,
			    (unsigned long long)msg->seq);
		setup.env = env.vars;
		err = handler_start(&setup, out);
	}
	handler_env_free(&env);
	return err;
}

static void
begin(struct work *w, const struct mess_received *msg)
{
	struct job *j = place(w);
	struct handler *h = NULL;
	enum mess_err fed;
	int err;

	if (j == NULL) { /* more came than was allowed */
		give_back(w, msg);
		return;
	}
	if ((err = start(w, msg, &h)) != 0) {
		cannot_run(w, msg, err);
		return;
	}
	*j = (struct job){ .h = h, .topic = msg->topic, .seq = msg->seq, .attempt = msg->attempt,
		.sec = msg->time_sec, .nsec = msg->time_nsec };
	w->s->received++;
	w->body = msg->body == NULL;
	w->reader = w->body ? j : NULL;
	if (msg->body != NULL &&
	    (fed = handler_feed(h, msg->body, (size_t)msg->body_len, true)) != MESS_OK) {
		handler_kill(h); /* it is given back */
		engine_failed(w, fed);
	}
}

/* It came again, and is being worked on, or was done. */
static void
adopt(struct work *w, struct job *j, const struct mess_received *msg)
{
	enum mess_err err = MESS_OK;

	w->body = msg->body == NULL;
	w->reader = NULL;
	j->lost = false;
	j->attempt = msg->attempt;
	if (j->h != NULL)
		return;
	if (w->s->o->mode == MODE_SUB)
		err = mess_ack(w->s->m, j->topic, j->seq, j->seq);
	free_job(w, j);
	w->ended = false;
	if (err != MESS_OK)
		failed(w, err);
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
	struct job *again;

	if (w->credit > 0)
		w->credit--;
	if (w->stopping != GO_ON) {
		give_back(w, msg);
		return;
	}
	if (w->s->left != UINT64_MAX)
		w->s->left--;
	if ((again = lost_job(w, msg)) != NULL)
		adopt(w, again, msg);
	else
		begin(w, msg);
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
			failed(w, err);
			return;
		}
		if (event == MESS_EVENT_NONE)
			return;
		if (event == MESS_EVENT_MESSAGE) {
			received(w, &msg);
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
		failed(w, err);
	return err == MESS_OK;
}

/* ---- what is asked of it ---- */

/* As many more as there are hands. */
static void
take_more(struct work *w)
{
	struct sub *s = w->s;
	uint64_t hands = s->o->jobs - count_jobs(w, false), room = w->cap - count_jobs(w, true);
	uint64_t want;
	enum mess_err err;

	/* Places of those that are done and lost are free when they are needed. */
	for (size_t i = 0; i < w->cap; i++)
		room += w->jobs[i].topic != NULL && w->jobs[i].h == NULL && w->jobs[i].lost;
	want = hands < room ? hands : room;
	if (want > s->left)
		want = s->left;
	if (!w->connected || w->stopping != GO_ON || want <= w->credit || (s->o->drain && w->ended))
		return;
	if ((err = mess_take(s->m, want - w->credit, s->o->drain)) != MESS_OK)
		failed(w, err);
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
			settle(w, &w->jobs[i]);
}

static void
wait_and_turn(struct work *w)
{
	nfds_t n = gather(w);

	if (poll(w->fds, n, wait_ms(w)) == -1) {
		if (errno == EINTR)
			return;
		w->s->status = cli_fail_errno(EX_OSERR, "poll");
		stop_taking(w, STOP_FAILED);
		end_jobs(w, true);
		return;
	}
	turn_handlers(w);
	settle_all(w);
	take_signals(w);
	if (sub_clock() >= w->s->until)
		stop_taking(w, STOP_WAITED);
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
		failed(w, err);
}

static bool
is_done(const struct work *w)
{
	if (is_busy(w))
		return false;
	return w->stopping != GO_ON || w->s->left == 0 || (w->s->o->drain && w->ended);
}

/* What came, or is on its way, and is not begun goes back uncounted. */
static void
return_the_rest(struct work *w)
{
	enum mess_err err;

	stop_taking(w, STOP_DONE);
	for (int i = 0; i < 2 && w->connected; i++) {
		w->body = false; /* mess_next passes over it */
		receive(w);
		if (w->connected && (err = mess_ack_wait(w->s->m)) != MESS_OK && err != MESS_CANCELLED)
			failed(w, err);
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
	if (w->stopping == GO_ON || (w->stopping == STOP_WAITED && s->left == 0))
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
			free_job(&w, &w.jobs[i]);
	fd_close(&w.always);
	return stop;
}
