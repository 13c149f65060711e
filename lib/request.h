/* SPDX-License-Identifier: ISC */
/*
 * What each request of mess-protocol(7) does, once the Input Handler has
 * checked it: the engine's face to sessions.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "session.h"

extern const struct session_handler request_handler;

/* Between the request_*.c files: a topic that the caller may use so, in use, or the error was replied. */
struct request_topic {
	const char *name;
	enum acl_right right;
	bool any;		/* any right does */
	bool make;		/* in a personal spool, when missing */
	bool letters;		/* who has letters there may, too */
};
NODISCARD enum mess_err request_find_topic(struct session *s, const struct request_topic *f,
    struct topic **out);
/* settings may be NULL: none is set. */
/* Of a system spool's disk, which is everybody's; *why stays until the next call. */
NODISCARD enum mess_err request_has_disk(struct session *s, uint64_t bytes, const char **why);
NODISCARD enum mess_err request_make_topic(struct session *s, const char *name,
    const struct conf_topic *settings, struct topic **out);

void request_may_not_create(struct session *s);

/* request_access.c: the one decision, for every effect on a topic that is there. */
struct acl_verdict request_decide(struct session_host *h, const struct principal *who,
    enum acl_right right, struct topic *t);
bool request_may(struct session *s, enum acl_right right, struct topic *t);
/* WHO as the machine's databases have it. */
extern const struct who_names request_names;
/* Some right on it: then it may be known. */
bool request_sees(struct session *s, struct topic *t);
/*
 * NAME.dead, for who may subscribe to NAME and has a subscription of their
 * own there that gave something up: they may look at that.  A site's rule
 * about NAME.dead itself comes first.
 */
bool request_has_letters(struct session *s, struct topic *t);
/* Reply why not: MESS_DENIED where the topic may be known, else MESS_NOTOPIC as if there were none. */
NODISCARD enum mess_err request_refuse(struct session *s, enum acl_right right, struct topic *t);
void request_no_topic(struct session *s, const char *name);
/* What anybody may has changed: whoever may not any more is let go, now. */
void request_rules_changed(struct session_host *h);
void request_check(struct session *s, const struct request *r);

/*
 * request_audit.c: what is asked, while it is handled; what the body of a
 * STREAM comes to; and what it changed.
 */
void request_begins(struct session *s, const struct input_item *item);
void request_goes_on(struct session *s, enum request_verb verb);
void request_ends(struct session *s);
/* The rule that decided. */
void request_rule(struct session *s, const struct acl_verdict *v);
void request_rule_of(struct session *s, enum acl_right right, struct topic *t);
/* None: what is refused next is told in its own words. */
void request_no_rule(struct session *s);
/* event is a literal; detail may be NULL. */
void request_changed(struct session *s, const char *event, const char *action, const char *detail);
void request_changed_so(struct session *s, const char *event, const char *action,
    const struct input_item *item);
/* Rules changed, and the session does not take from the topic any more. */
void request_cut(struct session *s, struct topic *t);

/* A topic was made: it is watched, and whoever waits for its name joins. */
void request_topic_made(struct session_host *h, struct topic *t);

/* How a subscription is to be made, and a consumer to be served. */
struct request_sub {
	bool has_from;
	struct position from;
	char match[PLACE_MATCH_MAX + 1];
	uint64_t max_attempts;		/* 0: the topic's */
	struct grants *share;		/* of SUBADD, owned; else NULL */
};

/*
 * The option lines of a request, or the error was replied.  take says which
 * it knows: NULL, or what is wrong with it.
 */
bool request_read_options(struct session *s, const struct input_item *item,
    const char *(*take)(void *arg, const struct protocol_option *o), void *arg);
bool request_read_sub(struct session *s, const struct input_item *item, struct request_sub *out);
/* The number that a position means, and a subscription that begins there. */
NODISCARD enum mess_err request_position(struct session *s, struct topic *t, const struct position *p,
    uint64_t *out);
NODISCARD enum mess_err request_make_sub(struct session *s, struct topic *t, const char *name,
    const struct request_sub *o, struct subscription **out);
/*
 * What NAME, the caller's own or else the topic's, or LOGIN/NAME means;
 * MESS_NOSUB for none and for what is not the caller's to touch.
 */
NODISCARD enum mess_err request_find_sub(struct session *s, struct topic *t, const char *name,
    struct subscription **out);
/* May the caller know of it? */
bool request_sees_sub(struct session *s, const struct subscription *sub);
/* As a subscription is asked for: NAME, or LOGIN/NAME for somebody's own; NAME_SUB_OF_MAX + 1 bytes. */
void request_sub_name(const char *name, char *out);
struct dead_host request_dead_host(struct session *s);

/* request_consume.c */
void request_consume(struct session *s, const struct input_item *item, enum consumer_kind kind);
void request_take(struct session *s, const struct request *r);
void request_interests_free(struct session *s);
void request_interests_again(struct session_host *h);

/* request_settle.c */
void request_settle(struct session *s, const struct request *r);
void request_fail(struct session *s, const struct input_item *item);
void request_hold(struct session *s, const struct request *r);
void request_settle_held(struct session *s, const struct input_item *item);

/* request_sub.c */
void request_sub_add(struct session *s, const struct input_item *item);
void request_sub_remove(struct session *s, const struct request *r);
void request_seek(struct session *s, const struct request *r);
void request_release(struct session *s, const struct request *r);
void request_redrive(struct session *s, const struct input_item *item);

/* request_publish.c */
void request_pub(struct session *s, const struct input_item *item);
void request_pubs(struct session *s, const struct input_item *item);
void request_stream(struct session *s, const struct input_item *item);
void request_chunk(struct session *s, const char *data, size_t len);
void request_chunks_end(struct session *s);

/* request_topic.c */
void request_create(struct session *s, const struct input_item *item);
void request_set(struct session *s, const struct input_item *item);
void request_purge(struct session *s, const struct input_item *item);
void request_delete(struct session *s, const struct request *r);

/* request_look.c */
void request_list(struct session *s, const struct request *r);
void request_show(struct session *s, const struct request *r);
void request_stat(struct session *s, const struct request *r);
void request_security(struct session *s);

#endif
