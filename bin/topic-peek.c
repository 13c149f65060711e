/* SPDX-License-Identifier: ISC */
/*
 * mess-topic peek: look at messages without taking them.  Bodies as they are
 * into a pipe, as records or JSON; for people with a heading each, escaped,
 * and a dead letter with what is known of its death.
 */
#include "topic-peek.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "message.h"
#include "term.h"

#define JSON_MAX ((size_t)8 << 20)	/* of one message's object, without a large body */

static enum peek_form
form_of(const struct topic_call *c)
{
	const enum topic_option forms[] = { OPT_JSON, OPT_RECORDS, OPT_RAW, OPT_TEXT };
	const enum peek_form means[] = { PEEK_JSON, PEEK_RECORDS, PEEK_BODY, PEEK_TEXT };
	enum peek_form form = term_is_human(c->value[OPT_COLOR], STDOUT_FILENO) ? PEEK_TEXT : PEEK_BODY;
	int given = 0;

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (call_has(c, forms[i])) {
			form = means[i];
			given++;
		}
	if (given > 1)
		call_usage("peek: only one of --json, --records, --raw and --text");
	return form;
}

void
call_range(const char *verb, const char *text, struct mess_range *out)
{
	const char *dash = strchr(text, '-');
	AUTO_FREE char *lo = dash != NULL ? strndup(text, (size_t)(dash - text)) : NULL;

	if (dash == NULL && cli_number(text, 1, INT64_MAX, &out->lo)) {
		out->hi = out->lo;
		return;
	}
	if (lo == NULL || !cli_number(lo, 1, INT64_MAX, &out->lo) ||
	    !cli_number(dash + 1, out->lo, INT64_MAX, &out->hi))
		call_usage("%s: %s: which messages? a number, or LO-HI", verb, cli_cut(text));
}

const char *
call_header(const char *verb, const struct topic_call *c)
{
	const char *match = c->value[OPT_HEADER];

	if (match != NULL && !message_match_check(match))
		call_usage("%s: --header %s: Name=GLOB", verb, cli_cut(match));
	return match;
}

/* ---- one message ---- */

/* The pieces of a large body, as they come, each given to put. */
static enum mess_err
each_piece(struct peek *p, enum mess_err (*put)(struct peek *p, const char *data, size_t len))
{
	static char piece[48 * 1024]; /* a multiple of 3, for base64 */
	enum mess_err err;
	size_t got, len = 0;

	do {
		if ((err = mess_body_read(p->m, piece + len, sizeof piece - len, &got)) != MESS_OK)
			return err;
		len += got;
		if ((len == sizeof piece || got == 0) && len > 0) {
			if ((err = put(p, piece, len)) != MESS_OK)
				return err;
			len = 0;
		}
	} while (got > 0);
	return MESS_OK;
}

static enum mess_err
put_bytes(struct peek *p, const char *data, size_t len)
{
	(void)p;
	(void)fwrite(data, 1, len, stdout); /* judged when it is flushed */
	return MESS_OK;
}

static enum mess_err
put_base64(struct peek *p, const char *data, size_t len)
{
	enum mess_err err;

	buf_reset(&p->out, JSON_MAX);
	if ((err = json_put_base64(&p->out, data, len)) != MESS_OK)
		return err;
	return put_bytes(p, buf_data(&p->out), buf_len(&p->out));
}

static enum mess_err
show_body(struct peek *p, const struct mess_received *msg)
{
	if (msg->body == NULL)
		return each_piece(p, put_bytes);
	return put_bytes(p, msg->body, (size_t)msg->body_len);
}

static enum mess_err
show_record(struct peek *p, const struct mess_received *msg)
{
	enum mess_err err = MESS_OK;
	bool large = msg->body == NULL;

	(void)put_bytes(p, msg->record, msg->record_len); /* cannot fail */
	if (large && (err = each_piece(p, put_bytes)) == MESS_OK)
		putchar('\n');
	return err;
}

static enum mess_err
show_json(struct peek *p, const struct mess_received *msg)
{
	enum mess_err err;

	buf_reset(&p->out, JSON_MAX);
	if ((err = buf_append(&p->out, "{", 1)) != MESS_OK ||
	    (err = message_json(&p->out, msg, NULL)) != MESS_OK ||
	    (msg->body != NULL &&
	    (err = message_json_body(&p->out, msg->body, (size_t)msg->body_len)) != MESS_OK))
		return err;
	(void)put_bytes(p, buf_data(&p->out), buf_len(&p->out)); /* cannot fail */
	if (msg->body == NULL) {
		fputs(",\"body64\":\"", stdout);
		err = each_piece(p, put_base64);
		putchar('"');
	}
	puts("}");
	return err;
}

static enum mess_err
show(struct peek *p, const struct mess_received *msg)
{
	switch (p->form) {
	case PEEK_BODY:
		return show_body(p, msg);
	case PEEK_RECORDS:
		return show_record(p, msg);
	case PEEK_JSON:
		return show_json(p, msg);
	case PEEK_TEXT:
		return peek_text(p, msg);
	}
	return MESS_BUG;
}

/* ---- all of them ---- */

/* A damaged one is said and passed over; what is whole is shown all the same. */
static int
look(struct peek *p, const char *topic)
{
	struct mess_received msg;
	enum mess_event event;
	enum mess_err err;
	int status = EX_OK;

	while (p->left > 0) {
		if ((err = mess_next(p->m, -1, &event, &msg)) == MESS_OK && event == MESS_EVENT_END)
			break;
		if (err == MESS_OK && event == MESS_EVENT_GONE)
			(void)mess_gone(p->m, &err); /* the one topic that it sees */
		if (err == MESS_OK && event == MESS_EVENT_MESSAGE && message_matches(&msg, p->match)) {
			p->left--;
			p->shown++;
			err = show(p, &msg);
		}
		if (err == MESS_CORRUPT)
			status = cli_fail_mess(p->m, err, "%s", topic);
		else if (err != MESS_OK)
			return cli_fail_mess(p->m, err, "%s", topic);
		if (ferror(stdout))
			break; /* the caller says why */
	}
	return status;
}

/* One number that is not there: gone, not there yet, or damaged? */
static int
missing(const char *topic, const struct mess_range *want, const struct mess_range *have)
{
	if (have->lo <= have->hi) {
		cli_warn("%s: message %llu is damaged", topic, (unsigned long long)want->lo);
		return EX_DATAERR;
	}
	if (have->lo > want->lo)
		cli_warn("%s: message %llu is gone; the oldest kept is %llu", topic,
		    (unsigned long long)want->lo, (unsigned long long)have->lo);
	else
		cli_warn("%s: there is no message %llu; the last is %llu", topic,
		    (unsigned long long)want->lo, (unsigned long long)have->hi);
	return EX_NOINPUT;
}

static enum mess_err
attach(struct peek *p, const struct topic_call *c, const struct mess_range *want,
    struct mess_range *have)
{
	const char *name = c->value[OPT_SUBSCRIPTION] != NULL ? c->value[OPT_SUBSCRIPTION] : "default";
	uint64_t credit = p->match != NULL ? UINT64_MAX : p->left;
	enum mess_err err;

	if (want->lo > 0)
		err = mess_read(p->m, c->args[0], want->lo, want->hi, have);
	else
		err = mess_peek(p->m, c->args[0], name);
	return err == MESS_OK ? mess_take(p->m, credit, true) : err;
}

int
verb_peek(struct mess *m, const struct topic_call *c)
{
	struct peek p = { .m = m, .form = form_of(c), .out = BUF_INIT(JSON_MAX), .left = UINT64_MAX,
		.match = call_header("peek", c), .verbose = c->verbose > 0,
		.colour = term_colour(c->value[OPT_COLOR], STDOUT_FILENO) };
	struct mess_range want = { 0, 0 }, have = { 0, 0 };
	enum mess_err err;
	int status;

	if (call_has(c, OPT_COUNT_N) && !cli_number(c->value[OPT_COUNT_N], 1, UINT64_MAX, &p.left))
		call_usage("peek: -n %s: a number from 1 on", cli_cut(c->value[OPT_COUNT_N]));
	if (c->count > 1)
		call_range("peek", c->args[1], &want);
	if (want.lo > 0 && call_has(c, OPT_SUBSCRIPTION))
		call_usage("peek: a number means the same to every subscription");
	if ((err = attach(&p, c, &want, &have)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(c->args[0]));
	status = look(&p, c->args[0]);
	if (status == EX_OK && want.lo > 0 && want.lo == want.hi && p.shown == 0 &&
	    (p.match == NULL || have.lo > have.hi))
		status = missing(c->args[0], &want, &have);
	buf_free(&p.out);
	return status;
}
