/* SPDX-License-Identifier: ISC */
/*
 * DELIVERY SERVICE: hands out, takes back; never blocks on one consumer.
 *
 * Promise: a consumer is sent what is durable and nobody else's, when its
 * socket has room and it asked for more; what it leaves unsettled goes out
 * to another at once.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "base/loop.h"
#include "log_read.h"
#include "output.h"
#include "subscription.h"

struct delivery;
struct consumer;

enum consumer_kind {
	CONSUMER_SUB,	/* takes and settles */
	CONSUMER_TAIL,	/* sees what comes */
	CONSUMER_PEEK,	/* sees what is not settled */
	CONSUMER_READ,	/* sees what is present, of a range of numbers */
};

NODISCARD enum mess_err delivery_new(struct topics *topics, struct loop *loop, struct delivery **out);
void delivery_free(struct delivery *d);
/* Memory that readings share, between turns. */
struct log_reader *delivery_reader(const struct delivery *d);

/*
 * One connection's consumer, of no topic yet.  touched(arg) is called when
 * something was put into output, let_go(arg) when the connection is to end
 * once that is out.
 */
struct consumer_setup {
	enum consumer_kind kind;
	struct output *output;
	void (*touched)(void *arg);
	void (*let_go)(void *arg);
	void *arg;
};
NODISCARD enum mess_err consumer_new(struct delivery *d, const struct consumer_setup *setup,
    struct consumer **out);
void consumer_free(struct consumer *c);
enum consumer_kind consumer_kind(const struct consumer *c);

/*
 * One more topic in use (held until it leaves); MESS_EXISTS when it has it.
 * sub is NULL for a tail and a read, and for a peek at what "default"
 * would be given.  lo and hi are a read's.  The first number it will be sent,
 * and a read's last, which is lower when there is nothing to read, come back.
 */
struct consumer_topic {
	struct topic *topic;
	struct subscription *sub;
	bool made;		/* just now, for this */
	char why[160];		/* what was in the way, or "" */
	bool letters;		/* peek, read: only what that user's own subscriptions gave up */
	uint32_t owner;
	uint64_t lo, hi;
};
NODISCARD enum mess_err consumer_join(struct consumer *c, struct consumer_topic *t);
/* More may join: without a topic it waits. */
void consumer_has_pattern(struct consumer *c);
/* What it has of a topic; NULL if it is not one of its topics, or nothing can be settled there. */
struct subscription *consumer_sub(const struct consumer *c, const char *topic, struct lease **lease);

/* It leaves the topics that may(arg) does not allow it any more, for the error that it says. */
void consumer_recheck(struct consumer *c,
    enum mess_err (*may)(void *arg, struct topic *t, const struct subscription *sub), void *arg);

/* Everything it asked for was sent. */
bool consumer_is_done(const struct consumer *c);
/* n more may be sent; with now, END when nothing is ready. */
void consumer_take(struct consumer *c, uint64_t n, bool now);
/* Its socket took something. */
void consumer_resume(struct consumer *c);

/* When the oldest message was published that is not settled, without subscriptions that is kept; false: none. */
bool delivery_oldest(struct delivery *d, struct topic *topic, uint64_t *sec, uint32_t *nsec);

/* A topic's settings, or what is ready in it, changed: its consumers look again. */
void delivery_topic_changed(struct delivery *d, struct topic *topic);
/* The topic was deleted, the subscription is to be removed: its consumers leave it, and are told. */
void delivery_topic_gone(struct delivery *d, struct topic *topic);
void delivery_sub_gone(struct delivery *d, struct subscription *sub);

/* Send what can be sent in about that time; true when there is more to do at once. */
bool delivery_run(struct delivery *d, uint64_t share_us);
/* A consumer was woken since. */
bool delivery_has_work(const struct delivery *d);
/* Nothing to do: memory goes back. */
void delivery_rest(struct delivery *d);

#endif
