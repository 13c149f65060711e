/* SPDX-License-Identifier: ISC */
/*
 * Subscriptions as such: adding, removing, moving, releasing one; bringing
 * dead letters back.
 */
#include <bsd/string.h>
#include <stdio.h>

#include "dead.h"
#include "request.h"

/* One's own is moved and removed by its owner, the topic's by who administers the topic. */
static bool
may_change(struct session *s, const struct subscription *sub)
{
	uid_t owner;

	return request_may(s, ACL_ADMIN, sub->topic) ||
	    (subscription_is_own(sub, &owner) && request_sees_sub(s, sub));
}

static void
say_rule(struct session *s, const struct subscription *sub)
{
	uid_t owner;

	if (!subscription_is_own(sub, &owner) || request_may(s, ACL_ADMIN, sub->topic))
		request_rule_of(s, ACL_ADMIN, sub->topic);
	else if (s->host->audit != NULL)
		(void)strlcpy(s->host->asked.rule, "the subscription's owner", sizeof s->host->asked.rule); /* fits */
}

/* A topic in use and its subscription, or the error was replied. */
static bool
find(struct session *s, const struct request *r, struct topic **topic, struct subscription **sub)
{
	struct request_topic f = { .name = r->topic, .any = true };
	enum mess_err err;

	if (request_find_topic(s, &f, topic) != MESS_OK)
		return false;
	if ((err = request_find_sub(s, *topic, r->sub, sub)) == MESS_OK) {
		say_rule(s, *sub);
		if (may_change(s, *sub))
			return true;
	}
	topic_release(s->host->topics, *topic);
	if (err == MESS_OK)
		session_error(s, MESS_DENIED, "permission denied: %s is the topic's, so that needs an administrator of it",
		    r->sub);
	else if (err == MESS_NOSUB)
		session_error(s, MESS_NOSUB, "%s: no such subscription", r->sub);
	else
		session_error(s, err, "%s", mess_strerror(err));
	return false;
}

static void
answer(struct session *s, enum mess_err err, const char *action)
{
	if (err == MESS_OK) {
		request_changed(s, "subscription", action, NULL);
		session_ok_durable(s, "%s", "");
	} else
		session_error(s, err, "%s", mess_strerror(err));
}

static void
answer_count(struct session *s, enum mess_err err, const char *action, uint64_t count)
{
	char text[32];

	if (err == MESS_OK) {
		(void)snprintf(text, sizeof text, "%llu messages", (unsigned long long)count); /* fits */
		request_changed(s, "subscription", action, text);
		session_ok_durable(s, "%llu", (unsigned long long)count);
	} else
		session_error(s, err, "%s", mess_strerror(err));
}

void
request_sub_add(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct request_topic f = { .name = r->topic, .right = ACL_ADMIN };
	struct subscriptions *set;
	struct subscription *sub;
	struct request_sub o;
	struct topic *t;
	enum mess_err err;

	if (!request_read_sub(s, item, &o))
		return;
	if (request_find_topic(s, &f, &t) != MESS_OK) {
		grants_unref(o.share);
		return;
	}
	if (strchr(r->sub, '/') != NULL)
		session_error(s, MESS_BADNAME, "%s: what is made here is the topic's; users make their own", r->sub);
	else if ((err = subscriptions_of(t, &set)) != MESS_OK)
		session_error(s, err, "%s", mess_strerror(err));
	else if (subscription_find(set, r->sub) != NULL)
		session_error(s, MESS_EXISTS, "subscription %s exists", r->sub);
	else if ((err = request_make_sub(s, t, r->sub, &o, &sub)) != MESS_OK)
		answer(s, err, "add");
	else {
		request_changed_so(s, "subscription", "add", item);
		session_ok_durable(s, "%s", "");
	}
	grants_unref(o.share);
	topic_release(s->host->topics, t);
}

void
request_sub_remove(struct session *s, const struct request *r)
{
	struct subscription *sub;
	struct topic *t;
	enum mess_err err;

	if (!find(s, r, &t, &sub))
		return;
	sub->gone = true; /* what its consumers hold is not given back: nobody is there to get it */
	delivery_sub_gone(s->host->delivery, sub);
	if (s->host->quota != NULL)
		quota_unsubscribed(s->host->quota, sub);
	if ((err = subscription_remove(sub)) != MESS_OK)
		sub->gone = false;
	answer(s, err, "remove");
	topic_release(s->host->topics, t);
}

void
request_seek(struct session *s, const struct request *r)
{
	struct subscription *sub;
	struct topic *t;
	enum mess_err err;
	uint64_t n;

	if (!find(s, r, &t, &sub))
		return;
	if ((err = request_position(s, t, &r->position, &n)) == MESS_OK)
		err = subscription_seek(sub, n);
	delivery_topic_changed(s->host->delivery, t);
	answer(s, err, "seek");
	topic_release(s->host->topics, t);
}

void
request_release(struct session *s, const struct request *r)
{
	struct subscription *sub;
	uint64_t count = 0;
	struct topic *t;
	enum mess_err err;

	if (!find(s, r, &t, &sub))
		return;
	err = subscription_release(sub, &count);
	delivery_topic_changed(s->host->delivery, t);
	answer_count(s, err, "release", count);
	topic_release(s->host->topics, t);
}

/* --- dead letters ------------------------------------------------------- */

struct redrive {
	struct dead_filter filter;
	char sub[NAME_SUB_OF_MAX + 1];
	char match[PLACE_MATCH_MAX + 1];
};

static bool
copy_text(const struct protocol_option *o, char *to, size_t size)
{
	if (o->value_len >= size)
		return false;
	memcpy(to, o->value, o->value_len);
	to[o->value_len] = '\0';
	return true;
}

static const char *
take_filter(void *arg, const struct protocol_option *o)
{
	struct redrive *r = arg;

	if (protocol_option_is(o, "Subscription"))
		return copy_text(o, r->sub, sizeof r->sub) && name_check_sub_of(r->sub, NULL) == MESS_OK ? NULL :
		    "not a subscription's name";
	if (protocol_option_is(o, "From"))
		return protocol_option_number(o, &r->filter.from) ? NULL : "not a number";
	if (protocol_option_is(o, "To"))
		return protocol_option_number(o, &r->filter.to) ? NULL : "not a number";
	if (!protocol_option_is(o, "Match"))
		return "no such option";
	return copy_text(o, r->match, sizeof r->match) && strchr(r->match, '=') != NULL &&
	    r->match[0] != '=' ? NULL : "a match is Header=GLOB of at most 512 bytes";
}

/* Who does not administer the topic brings back what their own subscriptions gave up. */
static enum mess_err
limit_filter(struct session *s, struct topic *t, struct redrive *r)
{
	bool admin = request_may(s, ACL_ADMIN, t);
	struct subscription *sub;
	enum mess_err err;
	uid_t owner;

	r->filter.own_only = !admin;
	r->filter.owner = s->who.peer.uid;
	if (r->sub[0] == '\0')
		return MESS_OK;
	err = request_find_sub(s, t, r->sub, &sub);
	/* Letters of one that was removed stay, and are none to bring back. */
	if (err != MESS_OK)
		return err == MESS_NOSUB && admin ? MESS_OK : err;
	if (!admin && !subscription_is_own(sub, &owner))
		return MESS_DENIED;
	(void)strlcpy(r->sub, sub->name, sizeof r->sub); /* it is shorter */
	return MESS_OK;
}

static void
redriven(struct session *s, const struct dead_redriven *done)
{
	char name[NAME_SUB_OF_MAX + 1], text[32];

	if (done->stay == 0) {
		answer_count(s, MESS_OK, "redrive", done->moved);
		return;
	}
	request_sub_name(done->stays_of, name);
	(void)snprintf(text, sizeof text, "%llu messages", (unsigned long long)done->moved); /* fits */
	request_changed(s, "subscription", "redrive", text);
	session_ok_durable(s, "%llu %llu %s", (unsigned long long)done->moved, (unsigned long long)done->stay,
	    name);
}

void
request_redrive(struct session *s, const struct input_item *item)
{
	struct request_topic f = { .name = item->request.topic, .right = ACL_SUBSCRIBE };
	struct redrive r = { .filter = { .from = 1, .to = UINT64_MAX } };
	struct dead_host host = request_dead_host(s);
	struct dead_redriven done = { .moved = 0 };
	struct topic *t;
	enum mess_err err;

	if (!request_read_options(s, item, take_filter, &r) || request_find_topic(s, &f, &t) != MESS_OK)
		return;
	r.filter.sub = r.sub;
	r.filter.match = r.match;
	request_rule_of(s, request_may(s, ACL_ADMIN, t) ? ACL_ADMIN : ACL_SUBSCRIBE, t);
	if ((err = limit_filter(s, t, &r)) == MESS_OK)
		err = dead_redrive(&host, t, &r.filter, &done);
	if (err == MESS_OK)
		redriven(s, &done);
	else {
		request_no_rule(s);
		session_error(s, err, "%s, after %llu", mess_strerror(err), (unsigned long long)done.moved);
	}
	topic_release(s->host->topics, t);
}
