/* SPDX-License-Identifier: ISC */
/*
 * What the parts of the model test share.
 *
 * A random program plays on a real engine, over its socket, and on a small
 * reference model.  The program is one thread that lets the engine come to
 * rest after each burst of requests on one connection, so that the model
 * knows what the engine must have; what it cannot know (a timer that just
 * ran out, a request that a kill left without its reply) it has as a range.
 *
 *	ref.c    the model: what each number of each subscription is
 *	text.c   what messages, letters and redriven ones must look like
 *	wire.c   connections: requests out, replies and frames in
 *	judge*.c what each reply must be, and does to the model
 *	look.c   the account: STAT, PEEK and READ beside the model
 *	engine.c the engine as a process: start, stop, kill
 *	clock.c  the clock, which stands still until it is moved: also the engine's
 *	kid.c    a consumer in a process of its own, through libmess, to be killed
 *	ask.c    requests of publishers and consumers, at random
 *	play.c   the random program
 *	crowd.c  thousands that are not due, between others
 */
#ifndef MODEL_H
#define MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/buf.h"
#include "clock.h"
#include "place.h"
#include "protocol.h"

#define MAINS 4			/* topics; each may have its dead letters */
#define TOPICS (2 * MAINS)
#define SUBS 6
#define CLIENTS 16
#define CONTROL 0		/* the client that administers */
#define KID (CLIENTS - 1)	/* the client that is a process of its own */
#define JOINS (2 * MAINS)
#define RANGES 4		/* of one ACK */

/* --- the model ---------------------------------------------------------- */

enum what { NUM_READY, NUM_LEASED, NUM_WAITING, NUM_HELD, NUM_SETTLED };

/* What may have become of it in a request that got no reply. */
enum maybe { MAYBE_NOTHING = 0, MAYBE_ACKED = 1, MAYBE_DEAD = 2 };

/* A number of a subscription. */
struct num {
	uint8_t what;		/* enum what */
	uint8_t maybe;		/* enum maybe */
	bool unwanted;		/* not for this subscription: skipped when it is looked at */
	bool own;		/* WAITING: for the time that the message itself says */
	int16_t owner;		/* LEASED: the client */
	uint32_t min, max;	/* tries that count, before the one under way */
	uint32_t safe;		/* of them, at least so many are on disk */
	uint32_t changed;	/* when tries changed: above world.durable it may not be on disk */
	uint32_t since;		/* READY: the drain in which it became so */
	uint64_t due_lo, due_hi;	/* WAITING, HELD: between these it becomes ready */
	uint64_t token;		/* HELD; 0: nobody knows it */
};

struct sub {
	int topic, name;
	bool exists;
	bool fresh;		/* just made: its next STAT tells where it begins */
	struct num *nums;	/* [1..] */
	uint64_t cap;
	uint64_t low;		/* all below is settled */
	int64_t start;
	uint64_t acked, dead, purged;
	uint64_t expired;	/* before it was moved */
};

/* The strings of a letter, by number; 0 for none. */
struct why {
	unsigned reason, status, stderr_tail;
};

struct msg {
	uint64_t id;		/* body and own headers follow from it */
	int to;			/* redriven: to that subscription only; else -1 */
	int sub;		/* a letter: who gave it up; else -1 */
	unsigned attempts;
	struct why why;
	uint64_t first_seq;	/* letter, redriven: where it was first */
	uint64_t sec;		/* time of the record, when it was seen; of the first one, for a letter */
	uint32_t nsec;
	uint64_t first_sec;
	uint32_t first_nsec;
	uint64_t due, expires;	/* by loop_now; 0: it does not say */
};

/* What a publisher says of the message of an id: the time of day in nanoseconds, or 0. */
struct times {
	uint64_t due, expires;
};

struct topic_ref {
	char name[48];
	bool exists;
	uint64_t published;
	struct msg *msgs;	/* [1..] */
	uint64_t cap;
	uint64_t purged;
	struct sub subs[SUBS];
	uint64_t *maybe;	/* ids that a publish without a reply may have stored, in order */
	size_t maybe_count, maybe_cap;
};

/* --- clients ------------------------------------------------------------ */

enum verb {
	V_HELLO, V_SYNC, V_SUB, V_TAKE, V_ACK, V_NACK, V_RETRY, V_DEAD, V_HOLD, V_SETTLE, V_PUB, V_PUBS,
	V_SUBADD, V_SUBRM, V_SEEK, V_RELEASE, V_REDRIVE, V_PURGE, V_STAT, V_PEEK, V_READ,
};

/* A request under way, and what is needed to judge its reply. */
struct ask {
	enum verb verb;
	int topic, sub;		/* topic -1: a pattern */
	struct range r[RANGES];
	int ranges;
	uint64_t n;		/* TAKE: how many; PUB: id; PUBS: first id; HOLD: ms; SEEK: see how; SETTLE: token */
	uint64_t count;		/* PUBS */
	int how;		/* SEEK: enum seek; SETTLE: enum settle */
	bool now;		/* TAKE */
	struct why why;
	uint64_t sent;		/* loop_now() */
};

enum seek { SEEK_OLDEST, SEEK_NOW, SEEK_NUMBER, SEEK_LAST };

struct voided {
	int topic, sub;
	uint64_t seq;
};

struct client {
	int fd;			/* -1: not connected */
	char *in;
	size_t in_len, in_cap;
	struct buf out;
	struct ask *asks;	/* in order */
	size_t first, end, asks_cap;
	bool eof;
	/* a consumer */
	struct { int topic, sub; } joined[JOINS];
	int joins;
	bool pattern;
	uint64_t credit;
	bool now;
	unsigned max_attempts;
	struct voided *voided;
	size_t voided_count, voided_cap;
	/* a look: numbers that PEEK or READ sent */
	bool looks;
	struct ranges seen;
	bool ended;
};

/* Numbers of the last STAT of a topic. */
struct sub_stat {
	bool there;
	int64_t start;
	uint64_t floor, pending, waiting, leased, delayed, acked, dead, expired, purged, dropped, damaged,
	    skipped, redelivered, consumers, full;
};
struct topic_stat {
	bool there;
	uint64_t published, first, present, depth, damaged, settled, expired, purged, dropped, dead;
	struct sub_stat subs[SUBS];
};

struct world {
	struct topic_ref topics[TOPICS];
	struct client clients[CLIENTS];
	struct topic_stat stat[TOPICS];
	uint64_t ids;		/* given out */
	struct times *times;	/* of each */
	uint64_t times_cap;
	bool crowded;		/* places may be full */
	bool flying;		/* requests that a kill may leave without a reply */
	bool ending;		/* the engine is gone: its last words are read */
	uint32_t drains;	/* times that all sockets were found empty */
	uint32_t stamp, durable;	/* changes of tries; all up to durable are on disk */
	uint64_t steps, of;
	uint64_t counts[64];	/* what was played */
	pid_t engine;
	char dir[88], spool[96], log[96];
	jmp_buf out;
	const char *at;		/* what is being played, for reports */
};
extern struct world w;

/* The round is over: say why, and what came before. */
__attribute__((noreturn, format(printf, 1, 2))) void wrong(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void note(const char *fmt, ...);
uint64_t rnd(void);
uint64_t below(uint64_t n);
bool chance(unsigned percent);
void *grow(void *p, size_t have, size_t *cap, size_t want, size_t size);

/* ref.c */
extern const char *const sub_names[SUBS];
enum { S_DEFAULT, S_ALONE, S_SOME, S_PAT, S_MULTI, S_KID };
void ref_begin(void);
void ref_end(void);
bool is_dead_topic(int t);
int topic_by_name(const char *name, size_t len);
int sub_by_name(const char *name, size_t len);
struct sub *sub_of(int t, int s);
struct num *num_of(struct sub *s, uint64_t n);
void ref_publish(int t, const struct msg *m);
void ref_sub_begins(struct sub *s, uint64_t from);
uint64_t ref_floor_lo(struct sub *s);
uint64_t ref_floor_hi(struct sub *s);
void ref_first(int t, uint64_t *lo, uint64_t *hi);
void ref_tries(struct num *x, uint32_t min, uint32_t max);
void ref_ready(struct num *x);
void ref_anew(struct sub *s, uint64_t n);
bool ref_is_over(const struct sub *s, uint64_t n);
bool ref_may_pass(const struct sub *s, uint64_t n);
void ref_tick(void);
void ref_settle(struct sub *s, uint64_t n, enum place_count why);
void ref_hand_out(int client, int t, uint64_t seq, uint64_t attempt);
void ref_check_order(int t, int s, uint64_t lo, const char *what);
bool ref_has_ready(const struct client *c);
void ref_drop_client(int client, bool seen);
bool ref_doubt(const struct sub *s);
void ref_void(struct sub *s, uint64_t n);
bool client_consumes(const struct client *c, int t, int s);
bool voided_has(const struct client *c, int t, int s, uint64_t n);
void voided_take(struct client *c, int t, int s, uint64_t n);
uint64_t ref_backlog(int t);

/* text.c */
uint64_t text_new_id(void);
void text_asked(uint64_t id, struct buf *out);
void text_headers(const struct msg *m, int t, struct buf *out);
size_t text_body(uint64_t id, char **out);
void text_body_free(char *body);
void text_check(int t, uint64_t seq, const struct record *r, const char *headers, const char *body);
unsigned text_kind(uint64_t id);
void text_why(const struct why *y, struct buf *out);

/* wire.c */
bool wire_connect(int client);
void wire_close(int client);
struct ask *wire_ask(int client, enum verb verb);
__attribute__((format(printf, 2, 3))) void wire_say(int client, const char *fmt, ...);
void wire_bytes(int client, const void *data, size_t len);
bool wire_flush(int client);
bool wire_read(int client);
void wire_wait(int client);
bool wire_drain(void);
void quiet(void);

/* judge.c */
void judge(int client, const struct ask *a, const char *line, size_t len);
void judge_unanswered(int client, const struct ask *a);

/* look.c */
void look_read_stat(const char *text, size_t len);
void look_check(int t);
void look_at_all(void);
void look_after_crash(bool killed);
void look_uncertain(struct sub *s);
void look_learn(int t, uint64_t seq, const char *headers, size_t len);
void maybe_letter(int t, int s, uint64_t seq, const struct why *y, unsigned attempts, bool sure);

/* engine.c */
void engine_make_dir(void);
void engine_end_dir(bool keep);
void engine_start(void);
void engine_end(int sig);
void engine_say_log(void);

/* kid.c */
void kid_play(void);

/* ask.c */
#define BACKLOG 300		/* unsettled messages of a topic; then less is published */
void pass_time(uint64_t ms);
struct ask *play_ask(int client, enum verb verb, int t, int s);
const char *topic_name(int t);
uint64_t pick_held(int client, int t, int s);
void play_stat(int client, int t);
void flush_and_wait(int client);
void play_publish_one(int client, int t);
void play_publish_batch(int client, int t, uint64_t first, uint64_t count);
void play_publish(int client);
void play_take(int client, uint64_t n, bool now);
void play_ack(int client, int t, int s, uint64_t n);
void play_nack(int client, int t, int s, uint64_t n);
void play_ack_some(int client, int t, int s);
void play_settle_some(int client, int t, int s);
void play_consume(int client);
struct why some_why(void);

/* play.c */
void play_begin(void);
void play_come(int client);
void play_restart(int sig);
void play_ack_all(int client);
void play(uint64_t steps);

/* crowd.c */
void crowd_play(void);

#endif
