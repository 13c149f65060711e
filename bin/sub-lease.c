/* SPDX-License-Identifier: ISC */
/*
 * mess-sub --reserve: one message, leased by time; and what settles it.
 *
 * Promise: a lease is durable before it is printed.  It comes last in its
 * object, so that a body of any length can be written before it; an object
 * that was not written to its end has no lease, and its message is given
 * back.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/fd.h"
#include "sub.h"

#define LEASE_PARTS 4	/* TOPIC/SUBSCRIPTION/SEQ/TOKEN */

/* What was reserved. */
struct reserved {
	const char *topic;
	uint64_t seq;
	char token[MESS_TOKEN_LEN + 1];	/* "" until it is held */
};

static enum stop
write_out(struct sub *s)
{
	int failed = buf_len(&s->out) > 0 &&
	    fd_write_all(STDOUT_FILENO, buf_data(&s->out), buf_len(&s->out)) == -1 ? errno : 0;

	buf_reset(&s->out, SUB_OUT_MAX + 1);
	if (failed == 0)
		return GO_ON;
	if (failed == EPIPE)
		return STOP_PIPE;
	errno = failed;
	s->status = cli_fail_errno(EX_IOERR, "standard output");
	return STOP_FAILED;
}

static enum stop
copy_body(struct sub *s)
{
	static char piece[SUB_PIECE];
	size_t got, len, kept = 0;
	enum stop stop;
	enum mess_err err;

	do {
		if ((err = mess_body_read(s->m, piece + kept, sizeof piece - kept, &got)) != MESS_OK)
			return sub_attach_failed(s, err);
		len = kept + got;
		kept = got > 0 ? len % 3 : 0;
		if ((stop = form_piece(s, piece, len - kept)) != GO_ON)
			return stop;
		memmove(piece, piece + len - kept, kept);
		if (buf_len(&s->out) >= SUB_OUT_FULL && (stop = write_out(s)) != GO_ON)
			return stop;
	} while (got > 0);
	return form_json_body_end(s);
}

static enum stop
put_lease(struct sub *s, const struct reserved *r)
{
	AUTO_FREE char *lease = NULL;
	enum stop stop;

	if (asprintf(&lease, "%s/%s/%llu/%s", r->topic, s->o->name, (unsigned long long)r->seq, r->token) == -1)
		return sub_put_failed(s, MESS_LIMIT);
	if ((stop = form_json_end(s, lease)) != GO_ON || (stop = sub_put(s, "\n", 1, false)) != GO_ON)
		return stop;
	return write_out(s);
}

/* Nobody can know the lease: the message need not wait for its end. */
static void
forget(struct sub *s, const struct reserved *r)
{
	struct mess_held held = { .topic = r->topic, .name = s->o->name, .seq = r->seq, .token = r->token };
	enum mess_err err = MESS_OK;

	if (r->token[0] != '\0')
		err = mess_settle(s->m, MESS_SETTLE_NACK, &held, NULL);
	if (err != MESS_OK)
		(void)cli_fail_mess(s->m, err, "%s: giving message %llu back", r->topic,
		    (unsigned long long)r->seq); /* the first failure is the exit status */
}

static enum stop
reserve(struct sub *s, const struct mess_received *msg)
{
	bool large = msg->body == NULL;
	struct reserved r = { .topic = msg->topic, .seq = msg->seq, .token = "" };
	enum mess_err err;
	enum stop stop;

	s->received++;
	if ((stop = form_json(s, msg)) != GO_ON || (large && (stop = copy_body(s)) != GO_ON))
		return stop;
	if ((err = mess_hold(s->m, r.topic, r.seq, s->o->reserve_ms, r.token)) != MESS_OK)
		return sub_attach_failed(s, err);
	if ((stop = put_lease(s, &r)) == GO_ON)
		return STOP_DONE;
	forget(s, &r);
	return stop;
}

enum stop
sub_reserve(struct sub *s)
{
	struct mess_received msg;
	enum mess_event event;
	enum stop stop = GO_ON;
	enum mess_err err;

	if ((err = sub_attach(s, 1)) != MESS_OK)
		return sub_attach_failed(s, err);
	while (stop == GO_ON) {
		if ((err = mess_next(s->m, 0, &event, &msg)) != MESS_OK)
			return sub_attach_failed(s, err);
		if (event == MESS_EVENT_MESSAGE)
			return reserve(s, &msg);
		if (event == MESS_EVENT_END)
			return STOP_DONE;
		if (event == MESS_EVENT_GONE && (stop = sub_topics_gone(s)) != GO_ON)
			return stop;
		stop = sub_wait_for(s, mess_fd(s->m), POLLIN, -1);
	}
	return stop;
}

/* ---- what settles it ---- */

static bool
read_lease(char *lease, struct mess_held *out)
{
	char *parts[LEASE_PARTS], *part;
	size_t n = 0;

	while ((part = strsep(&lease, "/")) != NULL) {
		if (n == LEASE_PARTS)
			return false;
		parts[n++] = part;
	}
	if (n != LEASE_PARTS || !cli_number(parts[2], 1, INT64_MAX, &out->seq))
		return false;
	out->topic = parts[0];
	out->name = parts[1];
	out->token = parts[3];
	return true;
}

int
sub_settle_lease(const struct options *o)
{
	static const enum mess_how hows[] = { [VERB_ACK] = MESS_SETTLE_ACK, [VERB_NACK] = MESS_SETTLE_NACK,
		[VERB_DEAD] = MESS_SETTLE_DEAD };
	const struct mess_failure why = { .reason = "mess-sub --dead" };
	AUTO_FREE char *copy = strdup(o->lease);
	struct mess_held held;
	struct mess *m;
	enum mess_err err;
	int status = EX_OK;

	if (copy == NULL)
		return cli_fail(MESS_LIMIT, "%s", cli_cut(o->lease));
	if (!read_lease(copy, &held)) {
		cli_warn("%s: not a lease as --reserve prints it", cli_cut(o->lease));
		return EX_USAGE;
	}
	m = cli_open(&o->where);
	if ((err = mess_settle(m, hows[o->verb], &held, o->verb == VERB_DEAD ? &why : NULL)) != MESS_OK)
		status = cli_fail_mess(m, err, "%s", o->lease);
	mess_close(m);
	return status;
}
