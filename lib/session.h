/* SPDX-License-Identifier: ISC */
/*
 * One caller's connection.
 *
 * Promise: every request gets one reply, in order; a reply that says a
 * change is durable leaves after the commit that made it so, and turns into
 * an error when that fails.  A caller's fault closes at most that caller.
 */
#ifndef SESSION_H
#define SESSION_H

#include "acl.h"
#include "audit.h"
#include "auth.h"
#include "base/loop.h"
#include "body.h"
#include "delivery.h"
#include "input.h"
#include "intake.h"
#include "minfree.h"
#include "user_limits.h"
#include "quota.h"
#include "retention.h"

struct session;

/* Does what was asked, and replies. */
struct session_handler {
	void (*request)(struct session *s, const struct input_item *item);
	void (*refused)(struct session *s, const struct input_item *item);
	void (*chunk)(struct session *s, const char *data, size_t len);
	void (*chunks_end)(struct session *s);
	void (*ended)(struct session *s);
};

/* The request at hand, as audit tells of it; borrowed until it is answered. */
struct session_asked {
	const struct session *by;	/* NULL: none is */
	const char *action, *object, *sub;
	char rule[AUDIT_VALUE_MAX + 2];	/* that decided; "" for none */
};

/* What sessions share: the engine's components. */
struct session_host {
	const struct session_handler *handler;
	struct loop *loop;
	struct store *store;
	struct topics *topics;
	struct delivery *delivery;
	struct intake *intake;
	struct retention *retention;
	struct acl acl;
	struct limits *limits;
	struct quota *quota;		/* NULL in a personal spool */
	struct minfree minfree;		/* of a system spool's disk */
	struct audit *audit;		/* NULL: a personal spool */
	struct session_asked asked;
	uint64_t body_max;
	const char *security;		/* what SECURITY answers; NULL: nothing is known */
	char *read_mem;			/* one piece of input at a time */
	TAILQ_HEAD(session_list, session) sessions;
	struct session_list touched;	/* have something to send, or to be closed */
	struct turns turns;		/* who has bytes or requests to go on with */
	unsigned count;
};

#define SESSION_READ_LEN ((size_t)256 * 1024)

struct session {
	struct session_host *host;
	struct loop_source source;
	struct loop_timer hello;
	struct principal who;
	struct limits_user *user;	/* whom it is charged to */
	size_t memory;			/* of the engine's, charged */
	struct loop_timer throttle;	/* until its user may ask again */
	bool throttled;
	struct input input;
	struct output output;
	struct consumer *consumer;
	struct interest *interests;	/* patterns that it consumes: request_consume.c's */
	uint64_t max_attempts;		/* that it said with SUB; 0: the topic's */
	struct topic *pub_topic;	/* of the last publish: held */
	unsigned pub_generation;	/* of the rules by which it may publish there */
	struct body *body;		/* of a STREAM under way */
	bool refuse_chunks;		/* its error was sent; the rest is read and dropped */
	bool aborted;			/* a publish was refused: those after it are, until RESUME */
	bool syncing;			/* its body: nothing is read until that is done */
	bool eof;			/* the caller sends no more */
	bool hung_up;			/* while syncing: the caller hears nothing either */
	bool closing;			/* when all is sent */
	bool stalled;			/* it stopped before its input ended */
	bool is_touched;
	size_t mark;			/* of output.text: replies from here wait for the commit */
	unsigned marked;		/* how many of them */
	uint32_t events;		/* of its socket, for its turn */
	struct turns_item turn;
	TAILQ_ENTRY(session) link, touched_link;
};

/* Takes the descriptor of whoever connected: a session, or it is refused, and closed. */
void session_begin(struct session_host *host, int fd);
void session_free(struct session *s);

/* The commit of this turn is over: replies that waited may go, or become errors. */
void session_committed(struct session *s, enum mess_err err);
/* Send what can be sent; true when the session is over and to be freed.  Requests that wait have a turn again. */
bool session_flush(struct session *s);
/* Its body is synced: go on with what came meanwhile. */
void session_synced(struct session *s);
void session_touch(struct session *s);

/* Replies.  session_ok_durable's waits for the commit being gathered. */
void session_ok(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void session_ok_durable(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void session_error(struct session *s, enum mess_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
