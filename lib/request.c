/* SPDX-License-Identifier: ISC */
/*
 * What each request of mess-protocol(7) does: finding topics, consuming.
 * Publishing is in request_publish.c, making, setting and deleting in
 * request_topic.c, list, show and stat in request_look.c.
 */
#include "request.h"

#include <stdio.h>


/* --- finding topics ----------------------------------------------------- */

void
request_may_not_create(struct session *s)
{
	session_error(s, MESS_DENIED, "making a topic needs the right to create, or a name below your user.LOGIN.");
}

/* A system topic has its shared subscription from the start: before anybody whom it wakes makes one. */
static enum mess_err
announce(struct session *s, struct topic *t)
{
	static const struct request_sub all;
	enum mess_err err = MESS_OK;
	struct subscription *sub;

	if (!s->host->acl.personal && (err = topic_use(s->host->topics, t)) == MESS_OK) {
		err = request_make_sub(s, t, "default", &all, &sub);
		quota_changed(s->host->quota, t);
		topic_release(s->host->topics, t);
	}
	request_topic_made(s->host, t);
	if (err != MESS_OK)
		session_error(s, err, "the topic is made; its subscription is not: %s", mess_strerror(err));
	return err;
}

enum mess_err
request_has_disk(struct session *s, uint64_t bytes, const char **why)
{
	static char text[MINFREE_WHY];

	if (s->host->acl.personal || minfree_has_room(&s->host->minfree, bytes, text))
		return MESS_OK;
	*why = text;
	return MESS_FULL;
}

/* Its owner may have one more, and the disk takes one more; or the error was replied. */
static enum mess_err
has_room_for_topic(struct session *s)
{
	char text[LIMITS_TEXT];
	const char *why = text;
	enum mess_err err;

	if (limits_has_room(s->user, LIMITED_TOPICS, 1))
		err = request_has_disk(s, 0, &why);
	else {
		(void)limits_text(s->user, LIMITED_TOPICS, text);
		err = MESS_LIMIT;
	}
	if (err != MESS_OK)
		session_error(s, err, "%s", why);
	return err;
}

enum mess_err
request_make_topic(struct session *s, const char *name, const struct conf_topic *settings,
    struct topic **out)
{
	struct topic_making making = { .name = name, .owner = s->who.peer.uid, .settings = settings,
		.admin = acl_is_admin(&s->host->acl, &s->who) };
	struct acl_object object = { .name = name };
	const char *login, *why;
	struct acl_verdict v;
	enum mess_err err;

	if ((err = name_check_new_topic(name, &why)) != MESS_OK) {
		session_error(s, err, "%s: %s", name, why);
		return err;
	}
	v = acl_decide(&s->host->acl, &s->who, ACL_CREATE, &object);
	request_rule(s, &v);
	if (!v.may) {
		request_may_not_create(s);
		return MESS_DENIED;
	}
	if ((err = has_room_for_topic(s)) != MESS_OK)
		return err;
	login = auth_login(s->who.peer.uid);
	making.login = login[0] == '\0' ? "-" : login;
	err = topic_make(s->host->topics, &making, out);
	if (err == MESS_OK)
		return announce(s, *out);
	request_no_rule(s);
	if (err == MESS_DENIED)
		session_error(s, err, "the name was somebody else's until it was deleted; "
		    "for 30 days only they or an administrator may make it again");
	else
		session_error(s, err, "%s", mess_strerror(err));
	return err;
}

/* A topic in use, or the error was replied. */
enum mess_err
request_find_topic(struct session *s, const struct request_topic *f, struct topic **out)
{
	struct topic *t = topics_find(s->host->topics, f->name);
	enum mess_err err;

	if (t == NULL && f->make && s->host->acl.personal &&
	    (err = request_make_topic(s, f->name, NULL, &t)) != MESS_OK)
		return err;
	if (t == NULL) {
		request_no_topic(s, f->name);
		return MESS_NOTOPIC;
	}
	if ((f->any ? !request_sees(s, t) : !request_may(s, f->right, t)) &&
	    !(f->letters && request_has_letters(s, t)))
		return request_refuse(s, f->right, t);
	if (f->right == ACL_ADMIN && !f->any)
		request_rule_of(s, f->right, t);
	if ((err = topic_use(s->host->topics, t)) != MESS_OK) {
		session_error(s, err, "%s", mess_strerror(err));
		return err;
	}
	*out = t;
	return MESS_OK;
}

/* --- dispatch ----------------------------------------------------------- */

static void
do_hello(struct session *s, const struct request *r)
{
	if (r->version != PROTOCOL_VERSION) {
		session_error(s, MESS_PROTOCOL, "this engine speaks version %d of the protocol, not %llu",
		    PROTOCOL_VERSION, (unsigned long long)r->version);
		s->closing = true;
		return;
	}
	session_ok(s, "mess %d %s %llu", PROTOCOL_VERSION,
	    s->host->acl.personal ? "personal" : "system", (unsigned long long)s->host->body_max);
	/*
	 * Before anything that was asked with it is done: a client that lost us
	 * without this answer knows that it may ask another engine.
	 */
	output_flush(&s->output);
}

static void
dispatch(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;

	switch (r->verb) {
	case REQ_HELLO:
		do_hello(s, r);
		return;
	case REQ_PUB:
		request_pub(s, item);
		return;
	case REQ_PUBS:
		request_pubs(s, item);
		return;
	case REQ_STREAM:
		request_stream(s, item);
		return;
	case REQ_RESUME:
		s->aborted = false;
		session_ok(s, "%s", "");
		return;
	case REQ_SUB:
		request_consume(s, item, CONSUMER_SUB);
		return;
	case REQ_TAIL:
		request_consume(s, item, CONSUMER_TAIL);
		return;
	case REQ_PEEK:
		request_consume(s, item, CONSUMER_PEEK);
		return;
	case REQ_READ:
		request_consume(s, item, CONSUMER_READ);
		return;
	case REQ_TAKE:
		request_take(s, r);
		return;
	case REQ_ACK:
	case REQ_NACK:
		request_settle(s, r);
		return;
	case REQ_RETRY:
	case REQ_DEAD:
		request_fail(s, item);
		return;
	case REQ_HOLD:
		request_hold(s, r);
		return;
	case REQ_SETTLE:
		request_settle_held(s, item);
		return;
	case REQ_SUBADD:
		request_sub_add(s, item);
		return;
	case REQ_SUBRM:
		request_sub_remove(s, r);
		return;
	case REQ_SEEK:
		request_seek(s, r);
		return;
	case REQ_RELEASE:
		request_release(s, r);
		return;
	case REQ_REDRIVE:
		request_redrive(s, item);
		return;
	case REQ_CREATE:
		request_create(s, item);
		return;
	case REQ_SET:
		request_set(s, item);
		return;
	case REQ_PURGE:
		request_purge(s, item);
		return;
	case REQ_DELETE:
		request_delete(s, r);
		return;
	case REQ_CHECK:
		request_check(s, r);
		return;
	case REQ_LIST:
		request_list(s, r);
		return;
	case REQ_SHOW:
		request_show(s, r);
		return;
	case REQ_STAT:
		request_stat(s, r);
		return;
	case REQ_SECURITY:
		request_security(s);
		return;
	default:
		session_error(s, MESS_USAGE, "no such request");
	}
}

static void
handle(struct session *s, const struct input_item *item)
{
	request_begins(s, item);
	dispatch(s, item);
	request_ends(s);
}

static void
refused(struct session *s, const struct input_item *item)
{
	enum request_verb verb = item->request.verb;

	request_begins(s, item);
	session_error(s, item->err, "%s", item->why != NULL ? item->why : mess_strerror(item->err));
	if (verb == REQ_PUB || verb == REQ_PUBS || verb == REQ_STREAM)
		s->aborted = true;
	s->refuse_chunks = verb == REQ_STREAM;
	request_ends(s);
}

static void
chunk(struct session *s, const char *data, size_t len)
{
	request_goes_on(s, REQ_STREAM);
	request_chunk(s, data, len);
	request_ends(s);
}

const struct session_handler request_handler = {
	.request = handle,
	.refused = refused,
	.chunk = chunk,
	.chunks_end = request_chunks_end,
	.ended = request_interests_free,
};
