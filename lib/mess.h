/* SPDX-License-Identifier: ISC */
/*
 * libmess: publish to and take from a mess spool.
 *
 * Every function that can fail returns an enum mess_err and writes its
 * result, the last parameter, only on MESS_OK.  The library never prints,
 * never exits, installs no signal handler and reads no environment.  A
 * struct mess is for one thread at a time.  After an error mess_detail()
 * has one line that names the thing, the rule and the actual value.
 */
#ifndef MESS_H
#define MESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MESS_NODISCARD __attribute__((warn_unused_result))

/* What went wrong.  mess_exit_status() has the sysexits(3) status of each. */
enum mess_err {
	MESS_OK = 0,
	MESS_USAGE,
	MESS_BADNAME,
	MESS_BADDATA,
	MESS_TOOBIG,
	MESS_CORRUPT,
	MESS_NOTOPIC,
	MESS_NOSUB,
	MESS_NODAEMON,
	MESS_BUG,
	MESS_SYSTEM,
	MESS_EXISTS,
	MESS_IO,
	MESS_SICK,
	MESS_LIMIT,
	MESS_FULL,
	MESS_BUSY,
	MESS_ABORTED,
	MESS_PROTOCOL,
	MESS_DENIED,
	MESS_CONFIG,
	MESS_CANCELLED,
	MESS_PAUSED,
};

/* The text and the exit status of an error; static, never NULL. */
const char *mess_strerror(enum mess_err err);
int mess_exit_status(enum mess_err err);

/* A spool, reached through its engine or, where that is allowed, directly. */
struct mess;

/*
 * Where the spool is.  Give a socket, or the directory of a personal spool
 * (made 0700 when missing).  With deliverd set, an engine of a personal
 * spool that does not answer is started from that program and leaves after
 * idle_exit seconds without work.  Strings are borrowed for the call.
 */
struct mess_where {
	const char *socket;
	const char *spool;
	const char *deliverd;
	unsigned idle_exit;
};

/* Connects to nothing yet: the first call that needs the engine does. */
MESS_NODISCARD enum mess_err mess_open(const struct mess_where *where, struct mess **out);
void mess_close(struct mess *m);

/* One line about the last error, without a newline; owned by m. */
const char *mess_detail(const struct mess *m);

/*
 * A way out of calls that wait: from now on they fail with MESS_CANCELLED
 * when they would wait and fd is readable (-1: never again).  Nothing is
 * read from fd, which stays the caller's.  A request that was waited for may
 * have been done.
 */
void mess_cancel_on(struct mess *m, int fd);

/* MESS_OK if that is what a topic may be called; mess_detail says why not. */
MESS_NODISCARD enum mess_err mess_topic_check(struct mess *m, const char *topic);

/*
 * One message to publish.  Headers are "Name: value\n" lines, names of
 * [A-Za-z][A-Za-z0-9-]{0,63} not starting with "Mess-", values UTF-8
 * without control characters, 64 of them in at most 8 KiB.
 * Before them may stand instructions, each once: "Mess-Ask-Id: KEY" (store
 * it once, as long as the topic knows the key), "Mess-Ask-Key: KEY" (only
 * while no other of that key waits), "Mess-Ask-Due: SECONDS.NANOSECONDS" and
 * "Mess-Ask-Expires: SECONDS.NANOSECONDS" (deliver it not before, nor from
 * then on).  A KEY is 1 to 255 bytes and the caller's own.
 */
struct mess_message {
	const char *headers;
	size_t headers_len;
	const void *body;
	size_t body_len;
};

/* The largest body that is handled in memory; larger ones are streamed. */
#define MESS_INLINE_MAX ((size_t)256 * 1024)

/*
 * Publish one message of at most MESS_INLINE_MAX bytes.  MESS_OK means on
 * disk.  *seq is its number, or 0 when it went into a spool of the caller's
 * own without an engine: then the engine numbers it when it next runs.
 */
MESS_NODISCARD enum mess_err mess_publish(struct mess *m, const char *topic,
    const struct mess_message *msg, uint64_t *seq);

/*
 * Publish count messages, all of them or none: at most 8192 in 2 MiB, with
 * 194 bytes for each counted.  *first is the number of the first, or 0 as
 * above, and when some were there before.
 */
MESS_NODISCARD enum mess_err mess_publish_all(struct mess *m, const char *topic,
    const struct mess_message *msgs, size_t count, uint64_t *first);

/*
 * What became of the message of the last mess_publish or mess_body_end that
 * said MESS_OK.  When it was not stored, because it had been before or
 * because one of its key still waits, *seq is the number of that one.
 */
enum mess_fate {
	MESS_STORED,
	MESS_DUPLICATE,
	MESS_QUEUED,
};
enum mess_fate mess_fate(const struct mess *m);

/*
 * Publish a stream.  mess_queue copies the message and sends full batches
 * without waiting; mess_flush sends what is queued; mess_wait returns when
 * all of it is durable.  mess_durable is how many of the stream's messages
 * are, in order: after an error exactly the first that many were stored,
 * unless mess_in_doubt.
 * One topic a stream; mess_wait ends it.
 */
MESS_NODISCARD enum mess_err mess_queue(struct mess *m, const char *topic,
    const struct mess_message *msg);
MESS_NODISCARD enum mess_err mess_flush(struct mess *m);
MESS_NODISCARD enum mess_err mess_wait(struct mess *m);
uint64_t mess_durable(const struct mess *m);

/*
 * After a publish that failed: may what it did not report as durable be
 * stored all the same?  So it is when the connection was lost before the
 * answer, or the disk failed.
 */
bool mess_in_doubt(const struct mess *m);

/*
 * Called for every message of a stream once it is durable, in order, with
 * its number, or 0: see mess_publish, or it was sent with others of which
 * some were there before.  NULL for none.
 */
void mess_on_durable(struct mess *m, void (*fn)(void *arg, uint64_t seq), void *arg);

/*
 * Publish one message of any length, known or not: begin, write as often as
 * needed, end.  Nothing is stored before end, which returns when the message
 * is on disk; mess_close or mess_body_abort instead of end leaves nothing.
 */
MESS_NODISCARD enum mess_err mess_body_begin(struct mess *m, const char *topic,
    const char *headers, size_t headers_len);
MESS_NODISCARD enum mess_err mess_body_write(struct mess *m, const void *data, size_t len);
MESS_NODISCARD enum mess_err mess_body_end(struct mess *m, uint64_t *seq);
void mess_body_abort(struct mess *m);

/* Headers as published: checked, in the form struct mess_message wants. */
MESS_NODISCARD enum mess_err mess_header_check(const char *line, size_t len);

/*
 * Consume.  mess_subscribe attaches to a subscription (made if it does not
 * exist); mess_tail sees what comes from now on and stores nothing; mess_peek
 * sees what the subscription has not settled and takes nothing.  mess_read
 * sees what is present of the numbers lo to hi, settled or not: *out is the
 * first and the last of them (lo > hi: none), and one between them that does
 * not come is damaged, or was freed meanwhile.
 * One of the four per struct mess.  mess_subscribe and mess_tail may be called
 * again for other topics, and topic may be a pattern: what matches later
 * joins.  The allowance of mess_take is for all of them together.
 */
struct mess_range {
	uint64_t lo, hi;
};

/*
 * How to subscribe; NULL for all defaults.  from (oldest, now, N, -N for the
 * last N, @SECONDS.NANOSECONDS) and match ("Name=GLOB") count only when the
 * subscription is made now.  max_attempts is for this consumer; 0: the topic's.
 */
struct mess_subscribe {
	const char *from;
	const char *match;
	unsigned max_attempts;
	const char *share;	/* of mess_sub_add only: "WHO,..." */
};
MESS_NODISCARD enum mess_err mess_subscribe(struct mess *m, const char *topic, const char *name,
    const struct mess_subscribe *how);
/* In a system spool: did the last mess_subscribe make a subscription, the caller's own? */
bool mess_made_own(const struct mess *m);
MESS_NODISCARD enum mess_err mess_tail(struct mess *m, const char *topic);
MESS_NODISCARD enum mess_err mess_peek(struct mess *m, const char *topic, const char *name);
MESS_NODISCARD enum mess_err mess_read(struct mess *m, const char *topic, uint64_t lo, uint64_t hi,
    struct mess_range *out);

/*
 * Allow the engine to send n more messages.  With now set, mess_next
 * answers MESS_EVENT_END as soon as nothing more is ready.
 */
MESS_NODISCARD enum mess_err mess_take(struct mess *m, uint64_t n, bool now);

enum mess_event {
	MESS_EVENT_NONE,	/* the timeout ran out */
	MESS_EVENT_MESSAGE,	/* *out is a message */
	MESS_EVENT_END,		/* nothing more is ready */
	MESS_EVENT_GONE,	/* mess_gone says what */
};

/*
 * A message as it came.  Pointers are borrowed until the next call with m,
 * topic until mess_close.  attempt is 1 when it was never handed out before.
 * body is NULL when body_len exceeds MESS_INLINE_MAX: then read it with
 * mess_body_read.  record is the whole text of mess-spool(5), without its
 * body and last newline when body is NULL.
 */
struct mess_received {
	const char *topic;
	uint64_t seq;
	uint64_t time_sec;
	uint32_t time_nsec;
	uint32_t uid, gid, pid;
	uint64_t attempt;
	const char *headers;
	size_t headers_len;
	const char *body;
	uint64_t body_len;
	const char *record;
	size_t record_len;
};

/* Wait up to timeout_ms (-1: for ever) for a message or the end. */
MESS_NODISCARD enum mess_err mess_next(struct mess *m, int timeout_ms,
    enum mess_event *event, struct mess_received *out);

/*
 * The next topic that was taken from this consumer, once each, or NULL:
 * deleted (MESS_NOTOPIC), its subscription removed (MESS_NOSUB), not the
 * caller's any more (MESS_DENIED, MESS_NOTOPIC); mess_detail is a line about
 * it.  The others go on, also after a connection that ended with it.  Who
 * meets MESS_NODAEMON asks this first: to subscribe again could make the
 * topic again.
 */
const char *mess_gone(struct mess *m, enum mess_err *why);

/* True when mess_next would return a message that has arrived already. */
bool mess_ready(const struct mess *m);

/*
 * The next piece of a large body; *got is 0 at its end.  MESS_CORRUPT at
 * the end says that the bytes are not those published: do not ack it.
 */
MESS_NODISCARD enum mess_err mess_body_read(struct mess *m, void *buf, size_t size, size_t *got);

/*
 * Settle messages lo to hi of a topic.  Acks, and what the next three ask
 * for, are gathered and sent by mess_next, mess_ack_flush or mess_ack_wait;
 * after mess_ack_wait all are durable.
 * When the connection was lost before that was certain, and they were not
 * acked again since, mess_ack_wait says MESS_NODAEMON once.
 */
MESS_NODISCARD enum mess_err mess_ack(struct mess *m, const char *topic, uint64_t lo, uint64_t hi);
MESS_NODISCARD enum mess_err mess_ack_flush(struct mess *m);
MESS_NODISCARD enum mess_err mess_ack_wait(struct mess *m);

/*
 * Why a message was not dealt with: a line each, NULL for none, kept in the
 * headers of a dead letter.  output is the end of what the worker said,
 * vis(3)-escaped, at most 4096 bytes.
 */
struct mess_failure {
	const char *reason;
	const char *status;
	const char *output;
};

/* Give back, not counted as an attempt: they come again after a second. */
MESS_NODISCARD enum mess_err mess_nack(struct mess *m, const char *topic, uint64_t lo, uint64_t hi);
/* To be tried again later, with backoff; after the last attempt it is dead. */
MESS_NODISCARD enum mess_err mess_retry(struct mess *m, const char *topic, uint64_t seq,
    const struct mess_failure *why);
/* Into TOPIC.dead at once. */
MESS_NODISCARD enum mess_err mess_dead(struct mess *m, const char *topic, uint64_t seq,
    const struct mess_failure *why);

/*
 * Turn the lease of this connection into one that ends in ms milliseconds
 * and not with the connection; durable.  Whoever has the token, as the same
 * user, settles it with mess_settle: MESS_NOSUB when it is over.
 */
#define MESS_TOKEN_LEN 16
MESS_NODISCARD enum mess_err mess_hold(struct mess *m, const char *topic, uint64_t seq, uint64_t ms,
    char token[MESS_TOKEN_LEN + 1]);

enum mess_how {
	MESS_SETTLE_ACK,
	MESS_SETTLE_NACK,
	MESS_SETTLE_RETRY,
	MESS_SETTLE_DEAD,
};
struct mess_held {
	const char *topic;
	const char *name;
	uint64_t seq;
	const char *token;
};
MESS_NODISCARD enum mess_err mess_settle(struct mess *m, enum mess_how how,
    const struct mess_held *held, const struct mess_failure *why);

/* The descriptor to poll for input, or -1 when not connected. */
int mess_fd(const struct mess *m);

/*
 * Topics.  Texts are those of mess-protocol(7), to be freed by the caller.
 * A NULL pattern or topic means all that the caller may see.
 */
/*
 * settings are "Name: value" lines, NULL for none: Max-Age and Keep in
 * seconds, Max-Bytes, Max-Messages, Max-Size, Max-Attempts, each a number (0
 * unsets it); Full: reject or drop-oldest; Pause-In, Pause-Out: yes or no;
 * Describe; Publish, Subscribe, Admin: WHO,...; Grant, Revoke: RIGHT,...
 * WHO,....  mess_topic_set leaves those that are not named.
 */
MESS_NODISCARD enum mess_err mess_topic_create(struct mess *m, const char *topic,
    const char *settings);
/* A topic that the caller can see and that the one just made may be taken for; NULL if there is none. */
const char *mess_alike(const struct mess *m);
MESS_NODISCARD enum mess_err mess_topic_set(struct mess *m, const char *topic, const char *settings);
/* Free all messages, or those that came before a time; *count of them. */
struct mess_time {
	uint64_t sec;
	uint32_t nsec;
};
MESS_NODISCARD enum mess_err mess_topic_purge(struct mess *m, const char *topic,
    const struct mess_time *before, uint64_t *count);
MESS_NODISCARD enum mess_err mess_topic_delete(struct mess *m, const char *topic);
MESS_NODISCARD enum mess_err mess_topic_list(struct mess *m, const char *pattern, char **out);
MESS_NODISCARD enum mess_err mess_topic_show(struct mess *m, const char *topic, char **out);
MESS_NODISCARD enum mess_err mess_topic_stat(struct mess *m, const char *topic, char **out);
/*
 * May a user?  right: publish, subscribe, admin, create.  *why is one line
 * that names the rule which decided.  MESS_NOTOPIC also where it is not the
 * caller's to ask; MESS_BADDATA: there is no such user.
 */
MESS_NODISCARD enum mess_err mess_topic_may(struct mess *m, const char *topic, const char *right,
    const char *login, bool *may, char **why);

/* What confines the engine: a line `name value` each, to be freed. */
MESS_NODISCARD enum mess_err mess_security(struct mess *m, char **out);

/*
 * Subscriptions as such, for who administers the topic.  mess_sub_add makes
 * one (MESS_EXISTS when there is one); of how from, match and share count,
 * who takes from it of those who may subscribe.
 * mess_sub_seek moves one to a position as in struct mess_subscribe: what is
 * before it is skipped, what is behind it comes again.  mess_sub_release
 * frees all that its consumers hold.
 */
MESS_NODISCARD enum mess_err mess_sub_add(struct mess *m, const char *topic, const char *name,
    const struct mess_subscribe *how);
MESS_NODISCARD enum mess_err mess_sub_remove(struct mess *m, const char *topic, const char *name);
MESS_NODISCARD enum mess_err mess_sub_seek(struct mess *m, const char *topic, const char *name,
    const char *from);
MESS_NODISCARD enum mess_err mess_sub_release(struct mess *m, const char *topic, const char *name,
    uint64_t *count);

/*
 * Bring dead letters back to the subscriptions of topic that gave them up:
 * all, or of one subscription, of a range of numbers in TOPIC.dead (0: no
 * limit), with a header ("Name=GLOB").  How many came back; stay were asked
 * for, but their subscriptions do not exist: *name, borrowed until the next
 * call with m, is one of those.
 */
struct mess_redriven {
	uint64_t count, stay;
	const char *name;
};
struct mess_redrive {
	const char *name;
	struct mess_range range;
	const char *match;
};
MESS_NODISCARD enum mess_err mess_redrive(struct mess *m, const char *topic,
    const struct mess_redrive *which, struct mess_redriven *out);

#ifdef __cplusplus
}
#endif

#endif
