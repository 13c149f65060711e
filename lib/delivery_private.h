/* SPDX-License-Identifier: ISC */
/*
 * Between delivery.c, who consumes and when, and delivery_send.c, what is
 * handed out.
 */
#ifndef DELIVERY_PRIVATE_H
#define DELIVERY_PRIVATE_H

#include "delivery.h"

#define DELIVERY_RUN_BYTES ((size_t)256 * 1024)	/* of one MSG frame, unless one record is longer */

/* A consumer's part in one topic. */
struct member {
	struct consumer *consumer;
	struct flow *flow;
	struct subscription *sub;
	struct lease lease;
	uint64_t pos;			/* tail, peek, read: next number */
	uint64_t last;			/* read: durable since before it began */
	bool letters;			/* peek, read: only that owner's */
	uint32_t owner;
	struct log_cursor cursor;
	TAILQ_ENTRY(member) link, flow_link;
};

struct consumer {
	enum consumer_kind kind;
	struct delivery *delivery;
	struct output *output;
	void (*touched)(void *arg);
	void (*let_go)(void *arg);
	void *arg;
	uint64_t credit;
	bool now;
	bool has_pattern;		/* topics may join it later */
	TAILQ_HEAD(, member) members;
};

/* The consumers of one topic. */
struct flow {
	struct delivery *delivery;
	struct topic *topic;
	TAILQ_HEAD(, member) members;
	bool woken;
	uint64_t due;			/* when something that waits is ready, by loop_now() */
	TAILQ_ENTRY(flow) link, woken_link;
};

struct delivery {
	struct topics *topics;
	struct loop *loop;
	struct log_reader *reader;
	struct loop_timer timer;
	TAILQ_HEAD(, flow) flows;
	TAILQ_HEAD(flow_list, flow) woken;
};

/* Its topic's consumers are looked at in this turn, or the next. */
void delivery_wake(struct flow *f);
/* Nothing is ready, and it did not want to wait. */
void delivery_say_end(struct consumer *c);
/* Send to one consumer what it may have of one topic. */
void delivery_pump(struct member *m);

#endif
