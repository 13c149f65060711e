/* SPDX-License-Identifier: ISC */
/*
 * What was tried and what was promised, as far as the marks say by a cut.
 *
 * A mark is lines of words; TOPIC, SUB and KEY are names, KEY is WRITER.N:
 *
 *	try VERB TOPIC ...	from now on it may be so
 *	ok VERB TOPIC ...	from now on it is so
 *
 *	create TOPIC, delete TOPIC, purge TOPIC, redrive TOPIC
 *	sub TOPIC SUB, unsub TOPIC SUB
 *	pub TOPIC KEY [GROUP]	a group is all there or not at all
 *	ok pub TOPIC KEY SEQ	0 where the number is not known
 *	no pub TOPIC KEY	it was refused: no part of it is stored
 *	try take TOPIC SUB	messages are acked; ok take TOPIC SUB KEY
 *	try dead TOPIC SUB	messages are given up; ok dead TOPIC SUB KEY
 *	end take|dead TOPIC SUB	no others than those were
 *	try free TOPIC		limits and ages may free the oldest from now on
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "crash.h"

#define SUBS_MOST 64

enum verb {
	VERB_CREATE, VERB_DELETE, VERB_PURGE, VERB_REDRIVE, VERB_SUB, VERB_UNSUB, VERB_PUB,
	VERB_TAKE, VERB_DEAD, VERB_FREE,
	VERBS,
};

enum mark_kind { MARK_TRY, MARK_OK, MARK_NO, MARK_END, MARK_KINDS };

struct mark {
	size_t at;		/* its entry in the log */
	enum mark_kind kind;
	enum verb verb;
	size_t topic, sub, key, group;	/* of the lists; group: 0 for none */
	uint64_t seq;
};

enum there { THERE_NOT, THERE_MAYBE, THERE_SURELY };

struct topic_state {
	char name[128];
	enum there there;
	bool going;		/* being deleted: either way, but whole */
	bool frees;
};

struct sub_state {
	char name[64];
	size_t topic;
	enum there there;
	bool taking, burying;	/* somebody is at it: any message may be acked, given up */
};

struct key_state {
	char name[64];
	size_t topic, group;
	enum there there;
	bool refused;		/* it was, or its topic is gone: it must not be there */
	bool ok_seq;
	uint64_t seq;
	uint64_t may_take, may_bury, must_settle;	/* a bit for each subscription */
	bool may_go, must_go;	/* by a purge */
	bool purging;		/* was there surely when the purge began */
	bool dead;		/* surely in TOPIC.dead, but for moved */
	bool moving, moved;	/* back from there */
	/* of the image that is judged: */
	size_t copies, buried, pending;
};

struct judge {
	struct mark *marks;
	size_t mark_count, done;	/* so many are in the states */
	struct topic_state *topics;
	size_t topic_count;
	struct sub_state subs[SUBS_MOST];
	size_t sub_count;
	struct key_state *keys;
	size_t key_count;
	size_t *table;		/* of keys, by hash; 0: none, else one more than its place */
	char (*groups)[64];
	size_t group_count;
};

/* marks.c: the words, and what they change. */
void marks_read(struct judge *j, const struct recording *r);
/* All marks before that entry, and no others. */
void marks_apply(struct judge *j, size_t cut);
/* NULL when no mark has it. */
struct key_state *marks_key(struct judge *j, const char *name);

#endif
