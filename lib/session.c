/* SPDX-License-Identifier: ISC */
/*
 * One caller's connection: reading, the order of replies, the end.
 */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

#define SESSION_READ_MIXED ((size_t)32 * 1024)	/* a share's worth */
#define LOOK_EVERY 16				/* of the small requests: the clock is not free */

static void session_ready(void *arg, uint32_t events);
static void take_turn(void *arg);

static void
hello_late(void *arg)
{
	struct session *s = arg;

	session_error(s, MESS_PROTOCOL, "no HELLO within 5 seconds");
	s->closing = true;
}

static void
may_ask_again(void *arg)
{
	struct session *s = arg;

	s->throttled = false;
	session_touch(s);
}

/* A user's connections together ask no faster than they may; what waits stays in the socket. */
static bool
must_wait(struct session *s)
{
	uint64_t ms = limits_wait_ms(s->user, LIMITED_REQUESTS);

	if (ms == 0)
		return false;
	s->throttled = true;
	loop_timer_set(s->host->loop, &s->throttle, ms);
	return true;
}

/* What it holds of the engine's memory: an unfinished request, replies that were not read. */
static void
charge_memory(struct session *s)
{
	size_t now = s->input.held.cap + s->output.text.cap;
	char text[LIMITS_TEXT];

	limits_recharge(s->user, LIMITED_MEMORY, s->memory, now);
	if (now > s->memory && !limits_has_room(s->user, LIMITED_MEMORY, 0)) {
		session_error(s, MESS_LIMIT, "%s", limits_text(s->user, LIMITED_MEMORY, text));
		s->closing = true;
	}
	s->memory = now;
}

/* One connection more of its user; else that was said to whoever is at fd. */
static bool
admit(struct session_host *host, int fd, const struct principal *who, struct limits_user *user)
{
	enum limit_name over = LIMITED_CONNECTS;
	char text[LIMITS_TEXT], line[LIMITS_TEXT + 16];
	int len;

	if (limits_spend(user, LIMITED_CONNECTS, 1)) {
		over = LIMITED_CONNECTIONS;
		if (limits_charge(user, LIMITED_CONNECTIONS, 1))
			return true;
	}
	/* Cheaper than the connecting was, or it would be a way to keep others out. */
	len = snprintf(line, sizeof line, "ERR %s %s\n", err_word(MESS_LIMIT),
	    limits_text(user, over, text));
	(void)send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT); /* it has room, or is gone */
	audit(host->audit, &(struct audit_event){ .event = "refused", .who = who, .action = "begin",
		.result = err_word(MESS_LIMIT), .rule = text });
	return false;
}

static enum mess_err
make(struct session_host *host, int fd, struct session **out)
{
	struct session *s = calloc(1, sizeof *s);
	enum mess_err err;

	if (s == NULL)
		return MESS_LIMIT;
	s->host = host;
	s->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = session_ready, .arg = s };
	s->hello = (struct loop_timer){ .fire = hello_late, .arg = s };
	s->throttle = (struct loop_timer){ .fire = may_ask_again, .arg = s };
	s->turn = (struct turns_item){ .run = take_turn, .arg = s };
	input_init(&s->input);
	output_init(&s->output, fd);
	if ((err = loop_add(host->loop, &s->source)) != MESS_OK) {
		free(s);
		return err;
	}
	loop_timer_set(host->loop, &s->hello, LIMIT_HELLO_MS);
	TAILQ_INSERT_TAIL(&host->sessions, s, link);
	host->count++;
	*out = s;
	return MESS_OK;
}

/* Who is there, and may be; then a session that has both. */
static enum mess_err
begin(struct session_host *host, int fd, struct principal *who, struct limits_user **user)
{
	struct session *s;
	enum mess_err err;

	if ((err = auth_identify(fd, who)) != MESS_OK)
		return err;
	if (!acl_may_connect(&host->acl, who))
		return MESS_DENIED;
	if ((*user = limits_hold(host->limits, who)) == NULL)
		return MESS_LIMIT;
	if (!admit(host, fd, who, *user))
		return MESS_ABORTED; /* it was told, and audited */
	if ((err = make(host, fd, &s)) != MESS_OK) {
		limits_refund(*user, LIMITED_CONNECTIONS, 1);
		return err;
	}
	s->who = *who;
	s->user = *user;
	/* What it said is read in the next turn: who left before it came has gone then. */
	return MESS_OK;
}

void
session_begin(struct session_host *host, int fd)
{
	struct limits_user *user = NULL;
	struct principal who = { 0 };
	enum mess_err err = begin(host, fd, &who, &user);

	if (err != MESS_ABORTED)
		audit(host->audit, &(struct audit_event){ .event = "session",
			.who = who.groups != NULL ? &who : NULL, .action = "begin",
			.result = err == MESS_OK ? "ok" : err_word(err) });
	if (err == MESS_OK)
		return;
	limits_release(user);
	auth_free(&who);
	fd_close(&fd);
}

void
session_free(struct session *s)
{
	struct session_host *host = s->host;

	audit(host->audit, &(struct audit_event){ .event = "session", .who = &s->who, .action = "end" });
	loop_timer_clear(host->loop, &s->hello);
	loop_timer_clear(host->loop, &s->throttle);
	loop_remove(host->loop, &s->source);
	consumer_free(s->consumer);
	host->handler->ended(s);
	body_free(s->body);
	topic_release(host->topics, s->pub_topic);
	input_free(&s->input);
	output_free(&s->output);
	fd_close(&s->source.fd);
	turns_remove(&host->turns, &s->turn);
	if (s->is_touched)
		TAILQ_REMOVE(&host->touched, s, touched_link);
	TAILQ_REMOVE(&host->sessions, s, link);
	host->count--;
	limits_refund(s->user, LIMITED_CONNECTIONS, 1);
	limits_refund(s->user, LIMITED_MEMORY, s->memory);
	limits_release(s->user);
	auth_free(&s->who);
	free(s);
}

void
session_touch(struct session *s)
{
	if (s->is_touched)
		return;
	s->is_touched = true;
	TAILQ_INSERT_TAIL(&s->host->touched, s, touched_link);
}

/* --- replies ------------------------------------------------------------ */

static void reply(struct session *s, const char *word, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void say_error(struct session *s, enum mess_err err, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void audit_refusal(struct session *s, enum mess_err err, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void
reply(struct session *s, const char *word, const char *fmt, va_list ap)
{
	AUTO_BUF struct buf line = BUF_INIT(PROTOCOL_LINE_MAX);

	if (buf_vprintf(&line, fmt, ap) != MESS_OK)
		buf_reset(&line, 0); /* the word alone says enough */
	if (buf_len(&line) > 0)
		output_printf(&s->output, "%s %.*s\n", word, (int)buf_len(&line), buf_data(&line));
	else
		output_printf(&s->output, "%s\n", word);
	s->marked += s->marked > 0;
	session_touch(s);
}

void
session_ok(struct session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(s, "OK", fmt, ap);
	va_end(ap);
}

void
session_ok_durable(struct session *s, const char *fmt, ...)
{
	va_list ap;

	if (s->marked == 0)
		s->mark = buf_len(&s->output.text);
	va_start(ap, fmt);
	reply(s, "OK", fmt, ap);
	va_end(ap);
	if (s->marked == 0)
		s->marked = 1;
}

/* Every refusal comes by here, and is told by the rule that refused, else in its own words. */
static void
audit_refusal(struct session *s, enum mess_err err, const char *fmt, va_list ap)
{
	bool hidden = err == MESS_DENIED || err == MESS_NOTOPIC || err == MESS_NOSUB;
	struct audit_event e = { .event = hidden ? "denied" : "refused", .who = &s->who,
		.result = err_word(err) };
	const struct session_asked *a = &s->host->asked;
	char words[AUDIT_VALUE_MAX + 2];

	(void)vsnprintf(words, sizeof words, fmt, ap); /* audit cuts it there, too */
	if (a->by == s) {
		e.action = a->action;
		e.object = a->object;
		e.sub = a->sub;
		e.rule = a->rule;
	}
	/* What let it do something else is not why. */
	if (!hidden || e.rule == NULL || e.rule[0] == '\0')
		e.rule = words;
	audit(s->host->audit, &e);
}

static void
say_error(struct session *s, enum mess_err err, const char *fmt, va_list ap)
{
	char word[32] = "ERR ";

	(void)strncat(word, err_word(err), sizeof word - 5); /* words are short */
	reply(s, word, fmt, ap);
}

/* What follows a refusal, and was refused with it, is none of its own. */
void
session_error(struct session *s, enum mess_err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_error(s, err, fmt, ap);
	va_end(ap);
	if (s->host->audit == NULL || err == MESS_ABORTED)
		return;
	va_start(ap, fmt);
	audit_refusal(s, err, fmt, ap);
	va_end(ap);
}

static void session_failed(struct session *s, enum mess_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The commit's failure is audited once, not for each who waited for it. */
static void
session_failed(struct session *s, enum mess_err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_error(s, err, fmt, ap);
	va_end(ap);
}

void
session_committed(struct session *s, enum mess_err err)
{
	unsigned n = s->marked;

	s->marked = 0;
	if (n == 0 || err == MESS_OK)
		return;
	/* None of them is known to be durable: say so instead, one for one. */
	s->output.text.tail = s->output.text.head + s->mark;
	while (n-- > 0)
		session_failed(s, err, "%s", mess_strerror(err));
}

/* --- the end ------------------------------------------------------------ */

static bool
may_ask(const struct session *s)
{
	return !s->closing && !s->syncing && !s->throttled && buf_len(&s->output.text) < LIMIT_OUTPUT_BYTES;
}

static bool
wants_input(const struct session *s)
{
	return !s->eof && may_ask(s);
}

static bool
is_over(const struct session *s)
{
	if (s->output.broken)
		return true;
	if (!output_is_empty(&s->output) || s->syncing)
		return false;
	if (s->stalled && !s->closing)
		return false;
	return s->closing || (s->eof && (s->consumer == NULL || consumer_is_done(s->consumer)));
}

/* Also when nothing comes after them any more. */
static bool
may_go_on(const struct session *s)
{
	return s->stalled && may_ask(s);
}

static void
send_more(struct session *s)
{
	bool blocked = !output_has_room(&s->output);

	output_flush(&s->output);
	if (blocked && s->consumer != NULL && output_has_room(&s->output))
		consumer_resume(s->consumer);
}

bool
session_flush(struct session *s)
{
	uint32_t events;

	send_more(s);
	if (is_over(s))
		return true;
	events = (wants_input(s) ? (uint32_t)EPOLLIN : 0) |
	    (output_is_empty(&s->output) ? 0 : (uint32_t)EPOLLOUT);
	if (loop_change(s->host->loop, &s->source, events) != MESS_OK)
		return true;
	if (may_go_on(s))
		turns_add(&s->host->turns, limits_turns(s->user), &s->turn);
	return false;
}

/* --- reading ------------------------------------------------------------ */

static void
break_off(struct session *s, enum mess_err err, const char *why)
{
	session_error(s, err, "%s", why != NULL ? why : mess_strerror(err));
	s->closing = true;
}

static void
handle(struct session *s, const struct input_item *item)
{
	const struct session_handler *h = s->host->handler;

	switch (item->kind) {
	case INPUT_MORE:
		return;
	case INPUT_REQUEST:
		h->request(s, item);
		return;
	case INPUT_REFUSED:
		h->refused(s, item);
		return;
	case INPUT_CHUNK:
		h->chunk(s, item->payload, item->payload_len);
		return;
	case INPUT_CHUNKS_END:
		h->chunks_end(s);
		return;
	case INPUT_BROKEN:
		break_off(s, item->err, item->why);
		return;
	}
}

static bool
is_small(const struct input_item *item)
{
	return item->kind == INPUT_REQUEST && (item->request.verb == REQ_PUB || item->request.verb == REQ_ACK);
}

static void
process(struct session *s, const char *data, size_t len)
{
	const struct turns *turns = &s->host->turns;
	struct input_item item;
	unsigned requests = 0;
	enum mess_err err;

	if ((err = input_begin(&s->input, data, len)) != MESS_OK) {
		break_off(s, err, NULL);
		return;
	}
	item.kind = INPUT_REQUEST; /* one may be there */
	do {
		if (must_wait(s))
			break;
		input_next(&s->input, &item);
		if (item.kind == INPUT_REQUEST)
			(void)limits_spend(s->user, LIMITED_REQUESTS, 1); /* it may: must_wait said so */
		handle(s, &item);
	} while (item.kind != INPUT_MORE && !s->closing && !s->syncing &&
	    ((++requests % LOOK_EVERY != 0 && is_small(&item)) || turns_has_time(turns)) &&
	    requests < LIMIT_TURN_REQUESTS && buf_len(&s->output.text) < LIMIT_OUTPUT_BYTES);
	s->stalled = item.kind != INPUT_MORE;
	if ((err = input_end(&s->input)) != MESS_OK)
		break_off(s, err, NULL);
	charge_memory(s);
	if (s->input.hello)
		loop_timer_clear(s->host->loop, &s->hello);
}

static void
receive(struct session *s)
{
	size_t len = turns_is_mixed(&s->host->turns) ? SESSION_READ_MIXED : SESSION_READ_LEN;
	ssize_t n = recv(s->source.fd, s->host->read_mem, len, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1)
		s->output.broken = true;
	if (n <= 0) {
		s->eof = true;
		return;
	}
	/* What was in new/ when this arrived comes before it. */
	if (intake_is_due(s->host->intake))
		ERR_IGNORE(intake_run(s->host->intake)); /* a sick spool refuses what follows */
	process(s, s->host->read_mem, (size_t)n);
}

void
session_synced(struct session *s)
{
	if (s->hung_up)
		s->output.broken = true;
	session_touch(s);
}

static void
session_ready(void *arg, uint32_t events)
{
	struct session *s = arg;

	if (s->syncing && (events & (EPOLLERR | EPOLLHUP)) != 0) {
		/* Reported again and again until then; what it published is stored all the same. */
		loop_remove(s->host->loop, &s->source);
		s->hung_up = true;
		return;
	}
	s->events = events;
	turns_add(&s->host->turns, limits_turns(s->user), &s->turn);
}

/* What it asked before comes before new bytes. */
static void
take_turn(void *arg)
{
	struct session *s = arg;
	uint32_t events = s->events;

	s->events = 0;
	/* Here, as it may be much; but not a reply that the commit is still to come for. */
	if ((events & EPOLLOUT) != 0 && s->marked == 0)
		send_more(s);
	if (may_go_on(s))
		process(s, NULL, 0);
	if ((events & (EPOLLIN | EPOLLHUP)) != 0 && !s->stalled && wants_input(s))
		receive(s);
	/* The peer is gone for both directions: nobody hears what is left. */
	if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (s->eof || s->closing))
		s->output.broken = true;
	session_touch(s); /* it may have to go on once more */
}
