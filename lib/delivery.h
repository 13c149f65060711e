/* SPDX-License-Identifier: ISC */
/*
 * DELIVERY SERVICE: hands out, takes acks; never blocks on one consumer.
 *
 * Promise: a consumer is sent what is durable and nobody else's, when its
 * socket has room and it asked for more; what it leaves unsettled goes out
 * to another at once.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

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

NODISCARD enum mess_err delivery_new(struct topics *topics, struct delivery **out);
void delivery_free(struct delivery *d);

/*
 * A consumer of a topic in use (held until consumer_free).  sub is NULL for
 * a tail and a read, and for a peek at what nobody subscribed to.  lo and hi
 * are a read's.  touched(arg) is called when something was put into output.
 */
struct consumer_setup {
	enum consumer_kind kind;
	struct topic *topic;
	struct subscription *sub;
	uint64_t lo, hi;
	struct output *output;
	void (*touched)(void *arg);
	void *arg;
};
NODISCARD enum mess_err consumer_new(struct delivery *d, const struct consumer_setup *setup,
    struct consumer **out);
void consumer_free(struct consumer *c);

const struct topic *consumer_topic(const struct consumer *c);
/* First number it will be sent. */
uint64_t consumer_start(const struct consumer *c);
/* A read's last number; below consumer_start when there is nothing to read. */
uint64_t consumer_last(const struct consumer *c);
/* Everything it asked for was sent. */
bool consumer_is_done(const struct consumer *c);
/* n more may be sent; with now, END when nothing is ready. */
void consumer_take(struct consumer *c, uint64_t n, bool now);
/* Are all of these in its hands? */
bool consumer_holds(const struct consumer *c, uint64_t lo, uint64_t hi);
/* Settle what it holds, in the commit being gathered; MESS_USAGE when it does not hold it. */
NODISCARD enum mess_err consumer_ack(struct consumer *c, uint64_t lo, uint64_t hi);
/* Its socket took something. */
void consumer_resume(struct consumer *c);

/* When the oldest message kept was published; false when there is none that can be read. */
bool delivery_oldest(struct delivery *d, struct topic *topic, uint64_t *sec, uint32_t *nsec);

/* The topic was deleted: its consumers' outputs are broken off. */
void delivery_topic_gone(struct delivery *d, struct topic *topic);

/* Send what can be sent; true when there is more to do at once. */
bool delivery_run(struct delivery *d);
/* A consumer was woken since. */
bool delivery_has_work(const struct delivery *d);
/* Nothing to do: memory goes back. */
void delivery_rest(struct delivery *d);

#endif
