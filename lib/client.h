/* SPDX-License-Identifier: ISC */
/*
 * What the files behind mess.h share: the connection with its requests in
 * flight, and the state of a publisher and of a consumer on top of it.
 *
 *   client.c           open, close, connection: bytes out, replies in
 *   client_start.c     finding the engine; starting a personal one
 *   client_publish.c   one message, at once or as a body of any length
 *   client_stream.c    many messages, in batches
 *   client_attach.c    SUB, TAIL, PEEK, READ; the topics of a consumer
 *   client_consume.c   frames to messages; large bodies
 *   client_settle.c    acks; given back, later, dead; leases by time
 *   client_sub.c       subscriptions as such; dead letters back
 *   client_topic.c     create, delete, list, show, stat
 *
 * The socket is only ever used with MSG_DONTWAIT, or read when nothing is
 * left to send: the two ends can't wait for each other.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "base/buf.h"
#include "protocol.h"

#define CLIENT_PATIENCE_MS 10000	/* for an engine to start, or to make room */
#define CLIENT_PENDING 64		/* requests in flight */
#define CLIENT_BATCHES 8		/* batches in flight, memory for that many */
#define CLIENT_BATCH_COUNT 4096		/* messages in one of them */
#define CLIENT_OUT_LOW ((size_t)1 << 20) /* more than this is not queued for sending */
#define CLIENT_STASH_MAX ((size_t)16 << 20)
#define CLIENT_SETTLES_MAX ((size_t)16 << 20) /* of settling that waits to be sent */

/* What the reply, when it comes, belongs to; replies come in request order. */
enum client_pending {
	PENDING_HELLO,
	PENDING_CALL,	/* somebody waits for it: mess.call */
	PENDING_TEXT,	/* the same, and counted bytes follow the reply */
	PENDING_BATCH,	/* the oldest batch in flight without a reply */
	PENDING_SINGLE,	/* a message of a refused batch, sent again alone */
	PENDING_ACK,
	PENDING_TAKE,
	PENDING_RESUME,
};

/* The one request that is waited for. */
struct client_call {
	bool done;
	enum mess_err err;
	uint64_t number[3];
	enum mess_fate fate;	/* of a publish */
	bool made;		/* SUB made the subscription, the caller's own */
	char word[32];		/* the first, cut */
	char last[NAME_SUB_OF_MAX + 1];	/* the last, cut */
	char alike[NAME_TOPIC_MAX + 1];	/* what CREATE says of another topic, or "" */
};

/* Messages in the form of PUBS, or of a .rec file when there is no engine. */
struct client_batch {
	struct buf data;
	uint64_t count;
};

/*
 * A stream.  fill[first] is the oldest batch in flight and fill[first +
 * flying], counted round, the one being filled.
 */
struct client_stream {
	bool open;
	bool direct;		/* no engine: into new/ */
	char topic[NAME_TOPIC_MAX + 1];
	struct client_batch fill[CLIENT_BATCHES + 1];
	unsigned first, flying;
	unsigned refused;	/* batches in flight answered with an error, from the oldest */
	unsigned singles;	/* PENDING_SINGLE in flight */
	enum mess_err reason;	/* why the oldest was refused */
	enum mess_err err;	/* why the stream ended */
	uint64_t durable;
	void (*on_durable)(void *arg, uint64_t seq);
	void *arg;
};

struct client_body {
	bool open;
	struct maildir *file;	/* NULL: by way of the engine */
	uint64_t size;
};

enum client_mode {
	CONSUME_NOT,
	CONSUME_SUB,
	CONSUME_TAIL,
	CONSUME_PEEK,
};

/* A topic of a consumer.  It stays while the handle is open: messages point at its name. */
struct client_topic {
	char topic[NAME_TOPIC_MAX + 1];
	char name[NAME_SUB_OF_MAX + 1];	/* of the subscription; "" for none */

	/* Acks: a range that may still grow, and the finished ones as text. */
	uint64_t ack_lo, ack_hi;
	struct buf acks;
	bool unsent;			/* linked in client_consumer.unsent */
	struct client_topic *next_unsent;
	uint64_t epoch;			/* of client_consumer, when acks of it were sent last */
	uint64_t ack_top;		/* the highest number acked on it */
	uint64_t ack_doubt;		/* up to here acks were lost with one and not done since; or 0 */

	bool left;			/* the engine took it away: nothing of it is in doubt */
	char *why;			/* it did, and mess_gone did not say so yet */
	enum mess_err gone;
};

/* Records of one topic that were handed out the same number of times. */
struct client_frame {
	struct client_topic *topic;
	uint64_t attempt;
	uint64_t left;		/* bytes not read yet */
};

/*
 * A consumer.  The bytes of frames are read where they arrived, in mess.in;
 * whoever must wait for a reply that is behind them moves them to stash,
 * which is read first.  What doesn't fit there is dropped: mess_next then
 * says so, and the engine has those messages still.
 */
struct client_consumer {
	enum client_mode mode;
	struct client_topic **topics;	/* in order of name */
	size_t count, cap;
	char first[NAME_TOPIC_MAX + 1];	/* what this connection consumes, for words */
	char name[NAME_SUB_OF_MAX + 1];
	struct client_frame frame;	/* that begins or goes on in mess.in */
	bool frame_stashed;		/* and in the stash before that */
	struct client_frame stashed;	/* at the front of the stash */
	struct client_frame at;		/* of the message that was told last */
	struct buf stash;
	bool dropped;
	bool ended;		/* END came and was not told yet */
	bool gone;		/* GONE, likewise */
	enum mess_err err;	/* of a TAKE or a settling, not told yet */

	/* A large body that is being read. */
	struct record large;
	struct record_summer *sum;
	uint64_t body_left;

	/* Settling. */
	struct client_topic *last;	/* the topic acked last */
	struct client_topic *unsent;	/* those with acks that are not sent */
	struct buf settles;		/* other requests that are not sent, each behind its length */
	unsigned flying;		/* of both kinds */
	uint64_t epoch;			/* how often nothing was flying any more; from 1 */
};

struct mess {
	char *socket;
	char *spool;
	char *deliverd;
	unsigned idle_exit;
	int spool_dir;		/* a personal spool, held from its first use */
	pid_t engine;		/* started by us and not reaped, or 0 */
	int cancel;		/* readable: calls that wait give up; or -1 */
	struct buf detail;

	int fd;
	bool greeted;		/* HELLO was answered */
	bool abandoned;		/* the engine reads no more; its last words may wait */
	bool aborting;		/* a publish was refused: RESUME before the next */
	bool in_doubt;		/* a publish that failed may be stored */
	bool stashing;
	uint64_t patience;	/* when to stop trying to connect */
	uint64_t body_max;
	struct buf out;		/* kept whole until greeted, for another try */
	size_t sent;		/* how much of it is sent */
	struct buf in;
	enum client_pending pending[CLIENT_PENDING];
	unsigned pending_first, pending_count;
	struct client_call call;
	struct buf text;
	uint64_t text_left;

	struct client_stream stream;
	struct client_body body;
	struct client_consumer sub;
};

/* Sets mess_detail and returns err. */
enum mess_err client_fail(struct mess *m, enum mess_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an error of the system: the text of errno ends the line. */
enum mess_err client_fail_errno(struct mess *m, enum mess_err err, const char *what);
NODISCARD enum mess_err client_check_topic(struct mess *m, const char *topic);

/* Milliseconds of a clock that never steps. */
uint64_t client_clock(void);

/*
 * Poll one more descriptor (-1: none) up to timeout_ms, or until the caller's
 * word to give up: MESS_CANCELLED, unless fd is ready too.  *ready is what
 * poll said of fd, 0 when the time is over or a signal came.
 */
NODISCARD enum mess_err client_poll(struct mess *m, int fd, short events, int timeout_ms,
    short *ready);

/* One try: connect m->fd, check the server, send nothing. */
NODISCARD enum mess_err client_dial(struct mess *m);
/* Dial until somebody answers; start a personal engine where that is allowed. */
NODISCARD enum mess_err client_find(struct mess *m);
/* The directory of a personal spool, made when missing. */
NODISCARD enum mess_err client_open_spool(struct mess *m);
/* Collect an engine of ours that ended. */
void client_reap(struct mess *m);

/* Be connected, HELLO queued. */
NODISCARD enum mess_err client_connect(struct mess *m);
/* What client_connect does after client_dial, for who dialled. */
NODISCARD enum mess_err client_hello(struct mess *m);
/* Forget the connection and everything that is on its way. */
void client_disconnect(struct mess *m);
/* Be connected and greeted. */
NODISCARD enum mess_err client_greet(struct mess *m);

/*
 * Queue a request line.  Waits for room, so the reply of an earlier one may
 * be handled here.  client_add queues bytes that follow it.
 */
NODISCARD enum mess_err client_say(struct mess *m, enum client_pending pending, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
NODISCARD enum mess_err client_add(struct mess *m, const void *data, size_t len);
/* Send what the socket takes now. */
NODISCARD enum mess_err client_push(struct mess *m);
static inline size_t
client_unsent(const struct mess *m)
{
	return buf_len(&m->out) - m->sent;
}

/* Handle one line, or one piece of counted bytes, that has arrived; *did says if there was one. */
NODISCARD enum mess_err client_step(struct mess *m, bool *did);
/* Move bytes, waiting up to timeout_ms; *moved is false when it ran out. */
NODISCARD enum mess_err client_turn(struct mess *m, int timeout_ms, bool *moved);
/* Until over says so.  Frames that come before that are stashed. */
NODISCARD enum mess_err client_await(struct mess *m, bool (*over)(const struct mess *m));
/* Handle what has arrived, without waiting. */
NODISCARD enum mess_err client_collect(struct mess *m);

/* Wait for the reply of the PENDING_CALL said last: its error, numbers in m->call. */
NODISCARD enum mess_err client_finish_call(struct mess *m);

/* What publishing one message and publishing a stream share. */
NODISCARD enum mess_err client_check_message(struct mess *m, const struct mess_message *msg);
/*
 * Connected, or *direct: a spool of our own that has the topic and no engine
 * now, so a file in new/ does it and nothing has to be started.
 */
NODISCARD enum mess_err client_reach(struct mess *m, const char *topic, bool *direct);
/* Notes whether a publish that ended with err may be stored; returns err. */
enum mess_err client_published(struct mess *m, enum mess_err err);
/* After a refusal the engine refuses every publish until it is told to go on. */
NODISCARD enum mess_err client_resume(struct mess *m);
/* The message as it stands in a .rec file. */
NODISCARD enum mess_err client_append_record(struct buf *b, const struct mess_message *msg);
/* err of a direct publish, with a detail. */
enum mess_err client_direct_failed(struct mess *m, enum mess_err err);

/* What a reply means to a stream and to a consumer. */
NODISCARD enum mess_err client_stream_reply(struct mess *m, enum client_pending pending,
    const struct reply *r);
void client_stream_lost(struct mess *m);
void client_stream_free(struct mess *m);
NODISCARD enum mess_err client_consumer_frame(struct mess *m, const struct reply *r);
NODISCARD enum mess_err client_consumer_gone(struct mess *m, const struct reply *r);
NODISCARD enum mess_err client_consumer_stash(struct mess *m);
void client_consumer_lost(struct mess *m);

/* Between the files of a consumer. */
NODISCARD enum mess_err client_topic_at(struct mess *m, const char *topic, struct client_topic **out);
enum mess_err client_consumes_nothing(struct mess *m);
void client_settled(struct mess *m);
void client_settles_lost(struct mess *m);
void client_topics_free(struct mess *m);

/* The error of an ERR reply, its text as detail. */
enum mess_err client_refusal(struct mess *m, const struct reply *r);

#endif
