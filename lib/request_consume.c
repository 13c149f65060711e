/* SPDX-License-Identifier: ISC */
/*
 * Consuming: which topics a connection joins, now and when they are made,
 * and how much it asks for.
 */
#include "request.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>

/* --- options ------------------------------------------------------------ */

/* Every option read, or the error was replied; take says which it knows and which value is wrong. */
bool
request_read_options(struct session *s, const struct input_item *item,
    const char *(*take)(void *arg, const struct protocol_option *o), void *arg)
{
	const char *at = item->payload, *why;
	size_t len = item->payload_len;
	struct protocol_option o;
	enum mess_err err;

	while (protocol_next_option(&at, &len, &o, &err))
		if ((why = take(arg, &o)) != NULL) {
			session_error(s, MESS_USAGE, "%.*s: %s", (int)(o.name_len < 40 ? o.name_len : 40),
			    o.name, why);
			return false;
		}
	if (err != MESS_OK)
		session_error(s, err, "an option is a line of a name, a colon, a space and a value");
	return err == MESS_OK;
}

/* What is read, and what is wrong with it. */
struct sub_options {
	struct request_sub *sub;
	bool adds;
	char why[WHO_WHY];
};

static const char *
take_share(struct sub_options *to, const struct protocol_option *o)
{
	AUTO_BUF struct buf text = BUF_INIT(PLACE_SHARE_MAX);
	struct who_list who;
	enum mess_err err;

	if (to->sub->share != NULL)
		return "once";
	if (who_read_list(o->value, o->value_len, &request_names, &who, to->why) != MESS_OK)
		return to->why;
	err = grants_add(NULL, ACL_BIT(ACL_SUBSCRIBE), &who, &to->sub->share);
	who_list_free(&who);
	if (err != MESS_OK || grants_write(to->sub->share, ACL_SUBSCRIBE, true, &text) != MESS_OK)
		return "at most 480 bytes, with everybody's number";
	return NULL;
}

static const char *
take_sub_option(void *arg, const struct protocol_option *o)
{
	struct sub_options *to = arg;
	struct request_sub *sub = to->sub;
	const char *equals;

	if (to->adds && protocol_option_is(o, "Share"))
		return take_share(to, o);
	if (protocol_option_is(o, "From")) {
		sub->has_from = true;
		return protocol_read_position(o->value, o->value_len, &sub->from) ? NULL :
		    "a position is oldest, now, N, -N or @SECONDS.NANOSECONDS";
	}
	if (protocol_option_is(o, "Max-Attempts"))
		return protocol_option_number(o, &sub->max_attempts) && sub->max_attempts > 0 ? NULL :
		    "a number from 1 on";
	if (!protocol_option_is(o, "Match"))
		return "no such option";
	equals = memchr(o->value, '=', o->value_len);
	if (equals == NULL || equals == o->value || o->value_len > PLACE_MATCH_MAX)
		return "a match is Header=GLOB of at most 512 bytes";
	memcpy(sub->match, o->value, o->value_len);
	sub->match[o->value_len] = '\0';
	return NULL;
}

bool
request_read_sub(struct session *s, const struct input_item *item, struct request_sub *out)
{
	struct sub_options to = { .sub = out, .adds = item->request.verb == REQ_SUBADD };

	*out = (struct request_sub){ 0 };
	if (request_read_options(s, item, take_sub_option, &to))
		return true;
	grants_unref(out->share);
	return false;
}

/* --- where a subscription begins ---------------------------------------- */

enum mess_err
request_position(struct session *s, struct topic *t, const struct position *p, uint64_t *out)
{
	uint64_t first = log_first(t->log), next = log_next(t->log);

	switch (p->kind) {
	case POS_OLDEST:
		*out = first;
		return MESS_OK;
	case POS_NOW:
		*out = next;
		return MESS_OK;
	case POS_NUMBER:
		*out = p->n < first ? first : p->n > next ? next : p->n;
		return MESS_OK;
	case POS_LAST:
		*out = p->n < next - first ? next - p->n : first;
		return MESS_OK;
	case POS_TIME:
		return log_seek_time(t->log, delivery_reader(s->host->delivery), p->n, p->nsec, out);
	}
	return MESS_BUG;
}

enum mess_err
request_make_sub(struct session *s, struct topic *t, const char *name, const struct request_sub *o,
    struct subscription **out)
{
	struct subscription_setup setup = { .name = name, .owner = s->who.peer.uid, .from = log_first(t->log),
		.match = o->match, .share = o->share };
	enum mess_err err;

	if (o->has_from && (err = request_position(s, t, &o->from, &setup.from)) != MESS_OK)
		return err;
	return subscription_make(t, &setup, out);
}

/* By name, or by a pattern at some time. */
static void
made_own(struct session *s, struct topic *t, const char *own)
{
	struct acl_verdict v;
	AUTO_BUF struct buf text = BUF_INIT(LIMIT_LIST_BYTES);
	struct audit_event e = { .event = "subscription", .who = &s->who, .action = "make",
		.object = t->name, .sub = own, .result = "ok", .change = true };

	if (s->host->audit == NULL)
		return;
	v = request_decide(s->host, &s->who, ACL_SUBSCRIBE, t);
	if (acl_explain(&v, &text) == MESS_OK && buf_append(&text, "", 1) == MESS_OK)
		e.rule = buf_data(&text);
	audit(s->host->audit, &e);
}

/*
 * The caller's own, else the topic's, else one that is made: the caller's
 * own, or in a personal spool the topic's.  o NULL: none is made, and
 * "default", which the first consumer makes, need not be there.
 */
static enum mess_err
find_sub(struct session *s, struct topic *t, const char *name, const struct request_sub *o,
    struct consumer_topic *as)
{
	char own[NAME_SUB_MAX + 1];
	const char *why;
	enum mess_err err;

	if ((err = request_find_sub(s, t, name, &as->sub)) != MESS_NOSUB)
		return err;
	/* What "default" will be given is what is there; who looks at another name expects one, and means it. */
	if (o == NULL && strcmp(name, "default") == 0)
		return MESS_OK;
	/* Somebody else's is not made in their place. */
	if (o == NULL || strchr(name, '/') != NULL) {
		(void)snprintf(as->why, sizeof as->why, "%s: no such subscription", name); /* fits */
		return err;
	}
	if (s->host->acl.personal || s->who.key != NULL)
		return request_make_sub(s, t, name, o, &as->sub);
	if (!quota_may_subscribe(s->host->quota, t, s->user, as->why))
		return MESS_LIMIT;
	if ((err = request_has_disk(s, PLACE_SIZE, &why)) != MESS_OK) {
		(void)snprintf(as->why, sizeof as->why, "%s", why); /* cut at the same length */
		return err;
	}
	subscription_own_name(s->who.peer.uid, name, own);
	if ((err = request_make_sub(s, t, own, o, &as->sub)) != MESS_OK)
		return err;
	as->made = true;
	quota_subscribed(s->host->quota, as->sub);
	made_own(s, t, own);
	return MESS_OK;
}

/* --- joining ------------------------------------------------------------ */

static void
touched(void *arg)
{
	session_touch(arg);
}

/* What was asked with it, and what is on its way, still goes out. */
static void
let_go(void *arg)
{
	struct session *s = arg;

	s->closing = true;
}

/* The session's one consumer, of this kind; or the error was replied. */
static bool
have_consumer(struct session *s, enum consumer_kind kind)
{
	struct consumer_setup setup = { .kind = kind, .output = &s->output, .touched = touched,
		.let_go = let_go, .arg = s };
	enum mess_err err;

	if (s->consumer == NULL) {
		if ((err = consumer_new(s->host->delivery, &setup, &s->consumer)) == MESS_OK)
			return true;
		session_error(s, err, "%s", mess_strerror(err));
		return false;
	}
	if (consumer_kind(s->consumer) == kind && (kind == CONSUMER_SUB || kind == CONSUMER_TAIL))
		return true;
	session_error(s, MESS_USAGE, "a connection has one consumer, and only SUB and TAIL may be repeated");
	return false;
}

/* What waits in NAME.dead is what its subscription `default' has not settled. */
static enum mess_err
join_letters(struct session *s, struct topic *t, struct consumer_topic *as)
{
	struct subscriptions *set;
	enum mess_err err;

	as->letters = true;
	as->owner = s->who.peer.uid;
	if (consumer_kind(s->consumer) != CONSUMER_PEEK)
		return MESS_OK;
	if ((err = subscriptions_of(t, &set)) == MESS_OK)
		as->sub = subscription_find(set, "default");
	return err;
}

/* A topic in use, which the consumer then holds. */
static enum mess_err
join(struct session *s, struct topic *t, const char *sub, const struct request_sub *o,
    struct consumer_topic *as)
{
	enum consumer_kind kind = consumer_kind(s->consumer);
	enum mess_err err = MESS_OK;

	as->topic = t;
	if ((kind == CONSUMER_PEEK || kind == CONSUMER_READ) && !request_may(s, ACL_SUBSCRIBE, t))
		err = join_letters(s, t, as);
	else if (kind == CONSUMER_SUB || kind == CONSUMER_PEEK)
		err = find_sub(s, t, sub, kind == CONSUMER_SUB ? o : NULL, as);
	if (err == MESS_OK)
		err = consumer_join(s->consumer, as);
	if (err != MESS_OK)
		topic_release(s->host->topics, t);
	return err;
}

static void
consume_topic(struct session *s, const struct request *r, enum consumer_kind kind,
    const struct request_sub *o)
{
	struct request_topic f = { .name = r->topic, .right = ACL_SUBSCRIBE,
		.make = kind == CONSUMER_SUB || kind == CONSUMER_TAIL,
		.letters = kind == CONSUMER_PEEK || kind == CONSUMER_READ };
	struct consumer_topic as = { .lo = r->seq, .hi = r->last };
	struct topic *t;
	enum mess_err err;

	if (request_find_topic(s, &f, &t) != MESS_OK)
		return;
	err = join(s, t, r->sub, o, &as);
	if (err == MESS_EXISTS)
		session_error(s, MESS_USAGE, "this connection consumes %s already", r->topic);
	else if (err != MESS_OK)
		session_error(s, err, "%s", as.why[0] != '\0' ? as.why : mess_strerror(err));
	else if (kind == CONSUMER_READ)
		session_ok(s, "%llu %llu", (unsigned long long)as.lo, (unsigned long long)as.hi);
	else
		session_ok(s, "%llu%s", (unsigned long long)as.lo, as.made ? " made" : "");
}

/* --- patterns ----------------------------------------------------------- */

/* What matches now and later; topics that the caller may not use, or has already, are passed over. */
struct interest {
	char pattern[NAME_TOPIC_MAX + 1];
	char sub[NAME_SUB_OF_MAX + 1];
	struct request_sub options;
	struct interest *next;
};

static void
join_if_wanted(struct session *s, const struct interest *i, struct topic *t)
{
	struct consumer_topic as = { 0 };

	if (!name_match(i->pattern, t->name) || topic_look(s->host->topics, t) != MESS_OK ||
	    !request_may(s, ACL_SUBSCRIBE, t) ||
	    topic_use(s->host->topics, t) != MESS_OK)
		return;
	ERR_IGNORE(join(s, t, i->sub, &i->options, &as)); /* has it, or cannot: the others go on */
}

static void
join_all(struct session *s, const struct interest *i)
{
	struct topic *t;

	for (t = topics_after(s->host->topics, ""); t != NULL; t = topics_after(s->host->topics, t->name))
		join_if_wanted(s, i, t);
}

static void
consume_pattern(struct session *s, const struct request *r, const struct request_sub *o)
{
	struct interest *i;
	unsigned count = 0;

	for (i = s->interests; i != NULL; i = i->next)
		count++;
	if (count >= LIMIT_PATTERNS) {
		session_error(s, MESS_LIMIT, "a connection has at most %d patterns", LIMIT_PATTERNS);
		return;
	}
	if ((i = calloc(1, sizeof *i)) == NULL) {
		session_error(s, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
		return;
	}
	(void)strlcpy(i->pattern, r->topic, sizeof i->pattern); /* the same size */
	(void)strlcpy(i->sub, r->sub, sizeof i->sub); /* likewise */
	i->options = *o;
	i->next = s->interests;
	s->interests = i;
	consumer_has_pattern(s->consumer);
	join_all(s, i);
	session_ok(s, "0");
}

void
request_interests_free(struct session *s)
{
	struct interest *i;

	while ((i = s->interests) != NULL) {
		s->interests = i->next;
		free(i);
	}
}

void
request_interests_again(struct session_host *h)
{
	const struct interest *i;
	struct session *s;

	TAILQ_FOREACH(s, &h->sessions, link)
		for (i = s->interests; i != NULL; i = i->next)
			join_all(s, i);
}

void
request_topic_made(struct session_host *h, struct topic *t)
{
	const struct interest *i;
	struct session *s;

	intake_add(h->intake, t);
	TAILQ_FOREACH(s, &h->sessions, link)
		for (i = s->interests; i != NULL; i = i->next)
			join_if_wanted(s, i, t);
}

void
request_consume(struct session *s, const struct input_item *item, enum consumer_kind kind)
{
	const struct request *r = &item->request;
	struct request_sub o;

	if (!request_read_sub(s, item, &o) || !have_consumer(s, kind))
		return;
	if (o.max_attempts > 0)
		s->max_attempts = o.max_attempts;
	if (strchr(r->topic, '*') != NULL)
		consume_pattern(s, r, &o);
	else
		consume_topic(s, r, kind, &o);
}

void
request_take(struct session *s, const struct request *r)
{
	if (s->consumer == NULL) {
		session_error(s, MESS_USAGE, "TAKE needs SUB, TAIL, PEEK or READ before it");
		return;
	}
	session_ok(s, "%s", "");
	consumer_take(s->consumer, r->count, r->now);
}
