/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: the messages in hand: begun, settled, found again.
 *
 * Promise: a message is settled after its handler ended, as that end says.
 * One whose handler cannot be run is given back uncounted, and no other is
 * taken: the deployment is broken, the queue must not pay for it.
 */
#include <errno.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "handler-env.h"
#include "sub-work.h"

size_t
job_count(const struct work *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->cap; i++)
		n += w->jobs[i].topic != NULL && !w->jobs[i].lost;
	return n;
}

size_t
job_room(const struct work *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->cap; i++)
		n += w->jobs[i].topic == NULL || (w->jobs[i].h == NULL && w->jobs[i].lost);
	return n;
}

bool
job_any(const struct work *w)
{
	for (size_t i = 0; i < w->cap; i++)
		if (w->jobs[i].topic != NULL && (w->jobs[i].h != NULL || !w->jobs[i].lost))
			return true;
	return false;
}

void
job_free(struct work *w, struct job *j)
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
		job_free(w, done);
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

void
job_settle(struct work *w, struct job *j)
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
		work_failed(w, err);
	if (!j->damaged) {
		s->failed += end.verdict != HANDLER_ACK && !w->cut;
		tell(w, j, &end);
	}
	job_free(w, j);
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

void
job_give_back(struct work *w, const struct mess_received *msg)
{
	enum mess_err err = MESS_OK;

	w->body = msg->body == NULL;
	w->reader = NULL;
	if (w->s->o->mode == MODE_SUB)
		err = mess_nack(w->s->m, msg->topic, msg->seq, msg->seq);
	if (err != MESS_OK)
		work_failed(w, err);
}

static void
cannot_run(struct work *w, const struct mess_received *msg, int err)
{
	struct sub *s = w->s;

	errno = err;
	s->status = cli_fail_errno(exit_status_of(err), "%s", cli_cut(s->o->command[0]));
	work_stop(w, STOP_FAILED);
	job_give_back(w, msg);
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
		job_give_back(w, msg);
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
		work_failed(w, fed);
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
	job_free(w, j);
	w->ended = false;
	if (err != MESS_OK)
		work_failed(w, err);
}

void
job_begin(struct work *w, const struct mess_received *msg)
{
	struct job *again = lost_job(w, msg);

	if (again != NULL)
		adopt(w, again, msg);
	else
		begin(w, msg);
}
