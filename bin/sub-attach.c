/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: being connected, and again when the engine went away.
 */
#include <sysexits.h>

#include "sub.h"

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 1000

static bool
is_pattern(const char *topic)
{
	return strchr(topic, '*') != NULL;
}

static bool
is_repeated(const struct options *o, int i)
{
	for (int k = 0; k < i; k++)
		if (strcmp(o->topics[k], o->topics[i]) == 0)
			return true;
	return false;
}

static enum mess_err
attach_to(struct sub *s, bool patterns)
{
	const struct options *o = s->o;
	enum mess_err err = MESS_OK;

	for (int i = 0; i < o->topic_count && err == MESS_OK; i++) {
		if (is_pattern(o->topics[i]) != patterns || is_repeated(o, i) || s->gone[i])
			continue;
		s->what = o->topics[i]; /* for what goes wrong */
		err = o->mode == MODE_TAIL ? mess_tail(s->m, o->topics[i]) :
		    mess_subscribe(s->m, o->topics[i], o->name, &o->how);
		if (err == MESS_OK && o->mode != MODE_TAIL && mess_made_own(s->m) && o->verbose >= 0)
			cli_warn("%s: subscription %s is made, your own", o->topics[i], o->name);
	}
	return err;
}

enum mess_err
sub_attach(struct sub *s, uint64_t take)
{
	const struct options *o = s->o;
	enum mess_err err;

	/* A topic is joined once: a pattern passes over what is, a name that is would be refused. */
	if ((err = attach_to(s, false)) != MESS_OK || (err = attach_to(s, true)) != MESS_OK)
		return err;
	s->what = s->all;
	s->let_go = false;
	return take > 0 ? mess_take(s->m, take, o->drain) : MESS_OK;
}

static bool
is_anything_left(const struct sub *s)
{
	for (int i = 0; i < s->o->topic_count; i++)
		if (!s->gone[i])
			return s->o->mode != MODE_PEEK;
	return false;
}

enum stop
sub_topics_gone(struct sub *s)
{
	const char *topic;
	enum mess_err err;
	int status = EX_OK;

	while ((topic = mess_gone(s->m, &err)) != NULL) {
		status = cli_fail_mess(s->m, err, "%s", topic);
		for (int i = 0; i < s->o->topic_count; i++)
			s->gone[i] |= strcmp(s->o->topics[i], topic) == 0;
		s->let_go = true;
	}
	if (status == EX_OK || is_anything_left(s))
		return GO_ON;
	s->status = status;
	return STOP_FAILED;
}

enum stop
sub_attach_failed(struct sub *s, enum mess_err err)
{
	if (err == MESS_CANCELLED)
		return sub_cancelled(s);
	if (err == MESS_NODAEMON && sub_topics_gone(s) == STOP_FAILED)
		return STOP_FAILED;
	s->status = cli_fail_mess(s->m, err, "%s", cli_cut(s->what));
	return STOP_FAILED;
}

enum stop
sub_engine_failed(struct sub *s, enum mess_err err)
{
	if (err == MESS_NODAEMON)
		return STOP_LOST;
	if (err == MESS_CANCELLED)
		return sub_cancelled(s);
	s->status = cli_fail_mess(s->m, err, "%s", s->what);
	return STOP_FAILED;
}

void
sub_is_damaged(struct sub *s)
{
	s->status = cli_fail_mess(s->m, MESS_CORRUPT, "%s", s->what);
	if (s->left != UINT64_MAX && s->left > 0)
		s->left--;
}

void
sub_say_lost(struct sub *s, bool again)
{
	if (s->lost_said || (s->let_go && !again))
		return;
	s->lost_said = true;
	if (s->o->verbose >= 0)
		cli_warn("%s: %s, trying again", s->what, mess_detail(s->m));
}

/* A restarted engine has what we did not ack; nothing is lost but time. */
static enum stop
attach_again(struct sub *s)
{
	enum stop stop;
	enum mess_err err;

	if (s->within) {
		s->status = cli_fail_mess(s->m, MESS_NODAEMON, "%s: within a message", s->what);
		return STOP_FAILED;
	}
	s->lost_said = false;
	sub_say_lost(s, false);
	s->waiting_count = 0;
	buf_reset(&s->out, SUB_OUT_MAX + 1);
	for (int ms = BACKOFF_FIRST_MS;; ms = ms * 2 < BACKOFF_MOST_MS ? ms * 2 : BACKOFF_MOST_MS) {
		if ((err = sub_attach(s, s->left)) != MESS_NODAEMON)
			return err == MESS_OK ? GO_ON : sub_engine_failed(s, err);
		sub_say_lost(s, true);
		if ((stop = sub_wait_for(s, -1, 0, ms)) != GO_ON)
			return stop;
	}
}

enum stop
sub_follow(struct sub *s)
{
	enum stop stop;
	enum mess_err err;

	if ((err = sub_attach(s, s->left)) != MESS_OK)
		return sub_attach_failed(s, err);
	while ((stop = sub_print(s)) == STOP_LOST) {
		if ((stop = sub_topics_gone(s)) != GO_ON)
			return stop;
		if ((s->o->drain && !s->let_go) || s->left == 0) {
			s->status = cli_fail_mess(s->m, MESS_NODAEMON, "%s", s->what);
			return STOP_FAILED;
		}
		if ((stop = attach_again(s)) != GO_ON)
			return stop;
	}
	return stop;
}
