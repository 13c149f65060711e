/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: messages to standard output, in order, one after the other.
 */
#include <poll.h>
#include <stdio.h>

#include "base/fd.h"
#include "sub.h"

/* The library gave up or failed within a body; GO_ON: try again. */
static enum stop
body_stopped(struct sub *s, enum mess_err err)
{
	enum stop stop = sub_engine_failed(s, err);

	return sub_is_asked(stop) && s->within ? sub_stop_later(s, stop) : stop;
}

static enum stop
copy_body(struct sub *s, const char *topic, uint64_t seq)
{
	static char piece[SUB_PIECE];
	size_t len, got, kept = 0; /* of what belongs with the next piece */
	enum stop stop;
	enum mess_err err;

	for (;;) {
		if ((err = mess_body_read(s->m, piece + kept, sizeof piece - kept, &got)) == MESS_CORRUPT) {
			sub_is_damaged(s);
			s->within = false;
			return s->stopping;
		}
		if (err != MESS_OK && (stop = body_stopped(s, err)) != GO_ON)
			return stop;
		if (err != MESS_OK)
			continue;
		len = kept + got;
		kept = got > 0 ? form_unfinished(s, piece, len) : 0;
		if ((stop = form_piece(s, piece, len - kept)) != GO_ON)
			return stop;
		memmove(piece, piece + len - kept, kept);
		if (got == 0)
			break;
		if (buf_len(&s->out) >= SUB_OUT_FULL && (stop = sub_flush(s)) != GO_ON)
			return stop;
	}
	if ((stop = form_after(s)) != GO_ON)
		return stop;
	return sub_gathered(s, topic, seq);
}

static enum stop
take_large(struct sub *s, const struct mess_received *msg)
{
	const char *topic = msg->topic;
	uint64_t seq = msg->seq;
	enum stop stop;

	/* What waits is acked before a body that may take long. */
	if ((stop = form_before(s, msg)) != GO_ON)
		return stop;
	if (s->waiting_count > 0 && (stop = sub_flush(s)) != GO_ON)
		return stop;
	return copy_body(s, topic, seq);
}

static enum stop
take(struct sub *s, const struct mess_received *msg)
{
	enum stop stop;

	s->received++;
	s->let_go = false;
	if (msg->body == NULL)
		return take_large(s, msg);
	if ((stop = form_message(s, msg)) != GO_ON)
		return stop;
	return sub_gathered(s, msg->topic, msg->seq);
}

/* Nothing to read: what was gathered goes out, acks too, and then we wait. */
static enum stop
idle(struct sub *s)
{
	enum stop stop;
	enum mess_err err;

	if (s->waiting_count > 0) {
		if ((stop = sub_flush(s)) != GO_ON)
			return stop;
		if ((err = mess_ack_flush(s->m)) != MESS_OK)
			return sub_engine_failed(s, err);
	}
	return sub_wait_for(s, mess_fd(s->m), POLLIN, -1);
}

enum stop
sub_print(struct sub *s)
{
	struct mess_received msg;
	enum mess_event event;
	enum stop stop = GO_ON;
	enum mess_err err;

	while (stop == GO_ON && s->left > 0) {
		if ((err = mess_next(s->m, 0, &event, &msg)) == MESS_CORRUPT) {
			sub_is_damaged(s);
			if (s->waiting_count == s->left)
				stop = sub_flush(s);
			continue;
		}
		if (err != MESS_OK)
			stop = sub_engine_failed(s, err);
		else if (event == MESS_EVENT_MESSAGE)
			stop = take(s, &msg);
		else if (event == MESS_EVENT_NONE)
			stop = idle(s);
		else if (event == MESS_EVENT_GONE)
			stop = (stop = sub_flush(s)) == GO_ON ? sub_topics_gone(s) : stop;
		else
			return (stop = sub_flush(s)) == GO_ON ? STOP_DONE : stop;
	}
	return stop == GO_ON ? STOP_DONE : stop;
}

/* ---- --peek ---- */

/* A connection sees one topic at a time.  Of a pattern's those without the subscription are passed over. */
static enum stop
peek_one(struct sub *s, const char *topic, bool *found)
{
	enum stop stop;
	enum mess_err err;

	s->m = cli_open(&s->o->where);
	mess_cancel_on(s->m, s->stops);
	s->what = topic;
	if ((err = mess_peek(s->m, topic, s->o->name)) == MESS_OK)
		err = mess_take(s->m, s->left, true);
	if (found != NULL)
		*found |= err != MESS_NOSUB;
	if (found != NULL && err == MESS_NOSUB)
		stop = STOP_DONE;
	else if (err != MESS_OK)
		stop = sub_attach_failed(s, err);
	else if ((stop = sub_print(s)) == STOP_LOST)
		stop = sub_attach_failed(s, MESS_NODAEMON);
	mess_close(TAKE(s->m, NULL));
	return stop;
}

/* The names that a pattern matches now, each with its line of mess-protocol(7)'s LIST. */
static enum stop
peek_pattern(struct sub *s, const char *pattern)
{
	AUTO_FREE char *names = NULL;
	enum stop stop = STOP_DONE;
	struct mess *m = cli_open(&s->o->where);
	enum mess_err err;
	char *next, *line;
	bool found;

	mess_cancel_on(m, s->stops);
	if ((err = mess_topic_list(m, pattern, &names)) != MESS_OK) {
		s->m = m;
		s->what = pattern;
		stop = sub_attach_failed(s, err);
		s->m = NULL;
	}
	mess_close(m);
	if (err != MESS_OK)
		return stop;
	found = names[0] == '\0';
	next = names;
	while (stop == STOP_DONE && s->left > 0 && (line = strsep(&next, "\n")) != NULL)
		if (line[0] != '\0') {
			line[strcspn(line, " ")] = '\0';
			stop = peek_one(s, line, &found);
		}
	if (stop != STOP_DONE || found)
		return stop;
	s->status = cli_fail(MESS_NOSUB, "%s: %s", pattern, s->o->name);
	return STOP_FAILED;
}

enum stop
sub_peek(struct sub *s)
{
	const struct options *o = s->o;
	enum stop stop = STOP_DONE;

	for (int i = 0; i < o->topic_count && stop == STOP_DONE && s->left > 0; i++)
		stop = strchr(o->topics[i], '*') != NULL ? peek_pattern(s, o->topics[i]) :
		    peek_one(s, o->topics[i], NULL);
	return stop;
}
