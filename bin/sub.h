/* SPDX-License-Identifier: ISC */
/*
 * What the files of mess-sub share.
 *
 *   mess-sub.c     options, set-up, exit status
 *   sub-stop.c     signals, the end of -W, waiting
 *   sub-attach.c   being connected, and again
 *   sub-print.c    messages to standard output
 *   sub-write.c    bytes out without waiting; acked once they are
 *   sub-form.c     what is written of a message: -l, -0, --records, --json, -F
 *   sub-format.c   -F as it was given
 *   sub-work.c     messages to handlers, some at once
 *   sub-job.c      the messages in hand: begun, settled, found again
 *   sub-lease.c    --reserve, and what settles it
 *   handler.c      one handler: start, feed, watch, time out, judge
 *   handler-env.c  the environment it gets
 */
#ifndef SUB_H
#define SUB_H

#include "base/buf.h"
#include "cli-time.h"
#include "cli.h"
#include "record.h"

#define SUB_WAITED 124		/* -W ran out */
#define SUB_FAILED 123		/* a handler failed */
#define SUB_OUT_FULL ((size_t)256 * 1024)	/* written when there is that much */
#define SUB_OUT_MAX (SUB_OUT_FULL + 8 * RECORD_MAX)	/* JSON may need six bytes for one */
#define SUB_OUT_COUNT 8192	/* or that many messages */
#define SUB_PIECE ((size_t)48 * 1024)	/* of a large body; a multiple of 3, for base64 */
#define SUB_GRACE_MS 10000	/* for what is left to do after it was to stop */
#define SUB_JOBS_MAX 256	/* three descriptors each: fewer than 1024 in all */

enum sub_mode { MODE_SUB, MODE_TAIL, MODE_PEEK };
enum sub_form { FORM_BODY, FORM_LINE, FORM_NUL, FORM_RECORD, FORM_JSON, FORM_FORMAT };
enum sub_verb { VERB_TAKE, VERB_RESERVE, VERB_ACK, VERB_NACK, VERB_DEAD };

struct format;

struct options {
	struct cli_where where;
	char **topics;		/* and patterns */
	int topic_count;
	const char *name;	/* of the subscription */
	struct mess_subscribe how;
	char from[CLI_POSITION_MAX];
	enum sub_verb verb;
	enum sub_mode mode;
	enum sub_form form;
	struct format *format;	/* -F */
	uint64_t count;		/* -n; UINT64_MAX without */
	uint64_t wait_ms;
	bool has_wait;
	bool drain;
	bool want_some;		/* -E */
	bool raw;
	int verbose;
	char **command;		/* NULL: print */
	uint64_t jobs;
	uint64_t timeout_ms;	/* 0: none */
	const char *timeout;	/* as it was given */
	uint64_t grace_ms;
	uint64_t reserve_ms;
	const char *lease;
};

/* Why it goes no further. */
enum stop {
	GO_ON,
	STOP_DONE,	/* -n reached, or -e and nothing more is ready */
	STOP_WAITED,
	STOP_SIGNAL,
	STOP_PIPE,	/* nobody reads stdout any more */
	STOP_LOST,	/* the engine went away: what to do depends */
	STOP_FAILED,	/* said already; the exit status is in sub.status */
};

/* A message whose last byte is at `end` of the output buffer. */
struct waiting {
	const char *topic;
	uint64_t seq;
	size_t end;
};

struct sub {
	const struct options *o;
	struct mess *m;
	const char *what;	/* the topic or topics, for words */
	const char *all;	/* all topics, likewise */
	int signals;
	int timer;		/* readable from `until` on */
	int stops;		/* readable when signals or timer are */
	uint64_t until;		/* when -W is over */
	enum stop stopping;	/* asked to, within a message */
	uint64_t left;		/* of -n: not written yet */
	uint64_t received;
	uint64_t failed;	/* handlers */
	bool *gone;		/* of o->topics, those that were taken away */
	bool let_go;		/* one was: the connection may end with it */
	bool lost_said;
	bool escape;		/* stdout is a terminal */
	bool wait_first;	/* poll before writing: a pipe without RWF_NOWAIT, a terminal */
	bool nowait;
	bool within;		/* bytes of the message in hand left with an earlier buffer */
	struct buf out;
	struct buf after;	/* of a large body: what -F has behind it */
	struct waiting waiting[SUB_OUT_COUNT];
	size_t waiting_count;
	int status;
};

/* ---- sub-stop.c ---- */

uint64_t sub_clock(void);
/* From here on all that waits looks at signals and -W, the library too: 0 or the exit status. */
int sub_watch_stops(struct sub *s);
void sub_unwatch_stops(struct sub *s);
/* From when on nothing waits any more: ms from now, UINT64_MAX for never. */
void sub_set_until(struct sub *s, uint64_t ms);
/* For poll: until -W is over, at most most_ms (-1: no other limit). */
int sub_time_left(const struct sub *s, int most_ms);
/*
 * Wait for fd (-1: none) or for what ends all waiting; GO_ON when fd is
 * ready or most_ms are over.
 */
enum stop sub_wait_for(struct sub *s, int fd, short events, int most_ms);
/* One who is tired of waiting may ask a second time: that ends it at once. */
void sub_unblock_signals(const struct sub *s);
/* How many stop signals came since it was asked last. */
unsigned sub_signals_read(const struct sub *s);
/*
 * Asked to stop with a message in hand that is written in part: GO_ON, its
 * rest first.  A second signal then ends the program as it ends others, and
 * -W is patient once.
 */
enum stop sub_stop_later(struct sub *s, enum stop stop);
bool sub_is_asked(enum stop stop);
/* A call to the library gave up: for what? */
enum stop sub_cancelled(struct sub *s);
/* As every filter ends whose reader went away. */
_Noreturn void sub_die_of_sigpipe(void);

/* ---- sub-attach.c ---- */

/* Attach to all topics and allow what is to come; MESS_CANCELLED when asked to stop. */
NODISCARD enum mess_err sub_attach(struct sub *s, uint64_t take);
enum stop sub_attach_failed(struct sub *s, enum mess_err err);
/* What an error of the library means. */
enum stop sub_engine_failed(struct sub *s, enum mess_err err);
/* Says which topics were taken away; STOP_FAILED when nothing is left to take from. */
enum stop sub_topics_gone(struct sub *s);
/* The connection ended, or again there was none: once for people, unless a topic took it along. */
void sub_say_lost(struct sub *s, bool again);
/* Follow: attach, consume, and again when the engine comes back. */
enum stop sub_follow(struct sub *s);
/* A message cannot be had; it counts for -n and the exit status. */
void sub_is_damaged(struct sub *s);

/* ---- sub-print.c ---- */

enum stop sub_print(struct sub *s);
/* --peek of one topic after the other. */
enum stop sub_peek(struct sub *s);

/* ---- sub-write.c ---- */

void sub_look_at_stdout(struct sub *s);
/* Bytes for the buffer; payload is escaped for a terminal. */
enum stop sub_put(struct sub *s, const char *data, size_t len, bool payload);
enum stop sub_put_failed(struct sub *s, enum mess_err err);
/* The message with this number is in the buffer whole. */
enum stop sub_gathered(struct sub *s, const char *topic, uint64_t seq);
/* All that was gathered is written, or nothing of it is kept. */
enum stop sub_flush(struct sub *s);

/* ---- sub-form.c: each adds to the buffer ---- */

/* A whole message; body_len bytes at body. */
enum stop form_message(struct sub *s, const struct mess_received *msg);
/* One whose body comes in pieces: what is before it, a piece, what is after it. */
enum stop form_before(struct sub *s, const struct mess_received *msg);
enum stop form_piece(struct sub *s, const char *data, size_t len);
/* How many bytes at the end of a piece belong with the next. */
size_t form_unfinished(const struct sub *s, const char *data, size_t len);
enum stop form_after(struct sub *s);
/* For one object of --json; lease may be NULL.  No newline. */
enum stop form_json(struct sub *s, const struct mess_received *msg);
enum stop form_json_body_end(struct sub *s); /* of one in pieces */
enum stop form_json_end(struct sub *s, const char *lease);

/* ---- sub-format.c ---- */

struct format_part {
	char kind;		/* '=': text; else the letter of -F */
	const char *text;	/* text, or the header's name */
	size_t len;
};
struct format {
	struct format_part *parts;
	size_t count;
	size_t body;		/* which part is %b; count without */
	char *text;
};
/* NULL and a line about what is wrong, or what was given, to be freed. */
struct format *format_read(const char *text, const char **why);
void format_free(struct format *f);

/* ---- sub-work.c, sub-lease.c ---- */

enum stop sub_work(struct sub *s);
/* Takes one message, leases it by time, prints it. */
enum stop sub_reserve(struct sub *s);
/* --ack, --nack, --dead: the exit status. */
int sub_settle_lease(const struct options *o);

#endif
