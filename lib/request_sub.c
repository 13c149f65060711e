/* SPDX-License-Identifier: ISC */
/*
 * Subscriptions as such: adding, removing, moving, releasing one; bringing
 * dead letters back.
 */
#include <string.h>

#include "dead.h"
#include "request.h"

/* A topic in use and its subscription, or the error was replied. */
static bool
find(struct session *s, const struct request *r, struct topic **topic, struct subscription **sub)
{
	struct request_topic f = { .name = r->topic, .right = ACL_ADMIN };
	struct subscriptions *set;
	enum mess_err err;

	if (request_find_topic(s, &f, topic) != MESS_OK)
		return false;
	if ((err = subscriptions_of(*topic, &set)) == MESS_OK &&
	    ((*sub = subscription_find(set, r->sub)) != NULL || r->verb == REQ_SUBADD))
		return true;
	topic_release(s->host->topics, *topic);
	if (err == MESS_OK)
		session_error(s, MESS_NOSUB, "%s: no such subscription", r->sub);
	else
		session_error(s, err, "%s", mess_strerror(err));
	return false;
}

static void
answer(struct session *s, enum mess_err err)
{
	if (err == MESS_OK)
		session_ok_durable(s, "%s", "");
	else
		session_error(s, err, "%s", mess_strerror(err));
}

void
request_sub_add(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct subscription *sub;
	struct request_sub o;
	struct topic *t;

	if (!request_read_sub(s, item, &o) || !find(s, r, &t, &sub))
		return;
	if (sub != NULL)
		session_error(s, MESS_EXISTS, "subscription %s exists", r->sub);
	else
		answer(s, request_make_sub(s, t, r->sub, &o, &sub));
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
	if ((err = subscription_remove(sub)) != MESS_OK)
		sub->gone = false;
	answer(s, err);
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
	answer(s, err);
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
	if (err == MESS_OK)
		session_ok_durable(s, "%llu", (unsigned long long)count);
	else
		session_error(s, err, "%s", mess_strerror(err));
	topic_release(s->host->topics, t);
}

/* --- dead letters ------------------------------------------------------- */

struct redrive {
	struct dead_filter filter;
	char sub[NAME_LABEL_MAX + 1];
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
		return copy_text(o, r->sub, sizeof r->sub) && name_check_sub(r->sub, NULL) == MESS_OK ? NULL :
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

void
request_redrive(struct session *s, const struct input_item *item)
{
	struct request_topic f = { .name = item->request.topic, .right = ACL_ADMIN };
	struct redrive r = { .filter = { .from = 1, .to = UINT64_MAX } };
	struct dead_host host = request_dead_host(s);
	uint64_t moved = 0;
	struct topic *t;
	enum mess_err err;

	if (!request_read_options(s, item, take_filter, &r) || request_find_topic(s, &f, &t) != MESS_OK)
		return;
	r.filter.sub = r.sub;
	r.filter.match = r.match;
	err = dead_redrive(&host, t, &r.filter, &moved);
	if (err == MESS_OK)
		session_ok_durable(s, "%llu", (unsigned long long)moved);
	else
		session_error(s, err, "%s, after %llu", mess_strerror(err), (unsigned long long)moved);
	topic_release(s->host->topics, t);
}
