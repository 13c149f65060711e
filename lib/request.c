/* SPDX-License-Identifier: ISC */
/*
 * What each request of mess-protocol(7) does.
 */
#include <bsd/string.h>
#include <stdio.h>

#include "auth.h"
#include "session.h"

/* --- finding topics ----------------------------------------------------- */

struct find {
	const char *name;
	enum acl_right right;
	bool make;		/* in a personal spool, when missing */
};

/* The nearest name that the caller may see, "" if none is near. */
static void
suggest(struct session *s, const char *name, char *out, size_t size)
{
	unsigned best = 3, d;
	struct topic *t;

	out[0] = '\0';
	for (t = topics_after(s->host->topics, ""); t != NULL; t = topics_after(s->host->topics, t->name)) {
		if ((d = name_distance(name, t->name)) >= best)
			continue;
		if (topic_use(s->host->topics, t) != MESS_OK)
			continue;
		if (acl_may(&s->host->acl, &s->peer, ACL_SUBSCRIBE, t->conf.uid)) {
			best = d;
			(void)snprintf(out, size, " (did you mean \"%s\"?)", t->name); /* cut is harmless */
		}
		topic_release(s->host->topics, t);
	}
}

/* The same words whether it does not exist or is not the caller's to see. */
static void
no_topic(struct session *s, const char *name)
{
	char hint[NAME_TOPIC_MAX + 32];

	suggest(s, name, hint, sizeof hint);
	session_error(s, MESS_NOTOPIC, "no such topic%s", hint);
}

static enum mess_err
make_topic(struct session *s, const char *name, struct topic **out)
{
	const struct acl *acl = &s->host->acl;
	char login[CONF_LOGIN_MAX + 1];
	enum mess_err err;
	const char *why;

	if ((err = name_check_new_topic(name, &why)) != MESS_OK) {
		session_error(s, err, "%s: %s", name, why);
		return err;
	}
	auth_login(s->peer.uid, login, sizeof login);
	if (!acl_may_create(acl, &s->peer, login[0] == '\0' ? NULL : login, name)) {
		session_error(s, MESS_DENIED,
		    "making a topic needs an administrator, or a name below your user.LOGIN.");
		return MESS_DENIED;
	}
	err = topic_create(s->host->topics, name, s->peer.uid, login[0] == '\0' ? "-" : login,
	    acl_is_admin(acl, &s->peer), out);
	if (err == MESS_OK)
		intake_add(s->host->intake, *out);
	else if (err == MESS_DENIED)
		session_error(s, err, "the name was somebody else's until it was deleted; "
		    "for 30 days only they or an administrator may make it again");
	else
		session_error(s, err, "%s", mess_strerror(err));
	return err;
}

/* A topic in use, or the error was replied. */
static enum mess_err
find_topic(struct session *s, const struct find *f, struct topic **out)
{
	struct topic *t = topics_find(s->host->topics, f->name);
	enum mess_err err;

	if (t == NULL && f->make && s->host->acl.personal &&
	    (err = make_topic(s, f->name, &t)) != MESS_OK)
		return err;
	if (t == NULL) {
		no_topic(s, f->name);
		return MESS_NOTOPIC;
	}
	if ((err = topic_use(s->host->topics, t)) != MESS_OK) {
		session_error(s, err, "%s", mess_strerror(err));
		return err;
	}
	if (!acl_may(&s->host->acl, &s->peer, f->right, t->conf.uid)) {
		topic_release(s->host->topics, t);
		no_topic(s, f->name);
		return MESS_NOTOPIC;
	}
	*out = t;
	return MESS_OK;
}

/* --- publishing --------------------------------------------------------- */

/* What came after a refused message of a stream must not overtake its repeat. */
static void
refuse_publish(struct session *s)
{
	s->aborted = true;
}

static bool
may_publish(struct session *s, const char *name)
{
	struct find f = { .name = name, .right = ACL_PUBLISH, .make = true };

	if (s->aborted) {
		session_error(s, MESS_ABORTED, "%s; say RESUME", mess_strerror(MESS_ABORTED));
		return false;
	}
	if (s->pub_topic != NULL && !s->pub_topic->gone && strcmp(s->pub_topic->name, name) == 0)
		return true;
	topic_release(s->host->topics, s->pub_topic);
	s->pub_topic = NULL;
	if (find_topic(s, &f, &s->pub_topic) == MESS_OK)
		return true;
	refuse_publish(s);
	return false;
}

static void
publish_failed(struct session *s, enum mess_err err, const char *why)
{
	session_error(s, err, "%s", why != NULL ? why : mess_strerror(err));
	refuse_publish(s);
}

static void
do_pub(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;
	struct mess_message msg = { .headers = item->payload, .headers_len = r->headers_len,
		.body = item->payload + r->headers_len, .body_len = r->body_len };
	const char *why = NULL;
	enum mess_err err;
	uint64_t seq;

	if (!may_publish(s, r->topic))
		return;
	if ((err = record_headers_check(msg.headers, msg.headers_len, false, &why)) != MESS_OK ||
	    (err = log_append(s->pub_topic->log, &s->peer, &msg, &seq)) != MESS_OK)
		publish_failed(s, err, why);
	else
		session_ok_durable(s, "%llu", (unsigned long long)seq);
}

/* The next message of a batch; MESS_USAGE when the batch is not what its line said. */
static enum mess_err
next_item(const char **data, size_t *left, struct mess_message *msg, const char **why)
{
	uint64_t headers_len, body_len;
	enum mess_err err;
	size_t used;

	if ((err = protocol_read_item(*data, *left, &headers_len, &body_len, &used)) != MESS_OK ||
	    headers_len > *left - used || body_len > *left - used - headers_len) {
		*why = "the batch is not COUNT messages in BYTES bytes";
		return MESS_USAGE;
	}
	*msg = (struct mess_message){ .headers = *data + used, .headers_len = headers_len,
		.body = *data + used + headers_len, .body_len = body_len };
	*data += used + headers_len + body_len;
	*left -= used + headers_len + body_len;
	if (body_len > MESS_INLINE_MAX) {
		*why = "a body in a batch is at most 262144 bytes";
		return MESS_TOOBIG;
	}
	return record_headers_check(msg->headers, msg->headers_len, false, why);
}

static enum mess_err
append_batch(struct session *s, const struct input_item *item, uint64_t *last, const char **why)
{
	struct log *l = s->pub_topic->log;
	const char *data = item->payload;
	size_t left = item->payload_len;
	struct mess_message msg;
	struct log_mark mark;
	enum mess_err err;

	if ((err = log_begin(l, item->request.count, left, &mark)) != MESS_OK)
		return err;
	for (uint64_t i = 0; i < item->request.count && err == MESS_OK; i++)
		if ((err = next_item(&data, &left, &msg, why)) == MESS_OK)
			err = log_append(l, &s->peer, &msg, last);
	if (err == MESS_OK && left > 0) {
		*why = "the batch is not COUNT messages in BYTES bytes";
		err = MESS_USAGE;
	}
	if (err != MESS_OK)
		log_rewind(l, &mark);
	return err;
}

static void
do_pubs(struct session *s, const struct input_item *item)
{
	const char *why = NULL;
	enum mess_err err;
	uint64_t last = 0;

	if (!may_publish(s, item->request.topic))
		return;
	if ((err = append_batch(s, item, &last, &why)) != MESS_OK)
		publish_failed(s, err, why);
	else
		session_ok_durable(s, "%llu %llu", (unsigned long long)(last - item->request.count + 1),
		    (unsigned long long)last);
}

/* --- one large body ----------------------------------------------------- */

static void
stream_failed(struct session *s, enum mess_err err, const char *why)
{
	body_free(s->body);
	s->body = NULL;
	s->refuse_chunks = true;
	publish_failed(s, err, why);
}

static void
do_stream(struct session *s, const struct input_item *item)
{
	const char *why = NULL;
	enum mess_err err;

	s->refuse_chunks = true;
	if (!may_publish(s, item->request.topic))
		return;
	if (store_is_sick(s->host->store))
		err = MESS_SICK;
	else if ((err = record_headers_check(item->payload, item->payload_len, false, &why)) == MESS_OK)
		err = body_new(s->pub_topic->log, item->payload, item->payload_len, &s->body);
	if (err != MESS_OK)
		publish_failed(s, err, why);
	else
		s->refuse_chunks = false;
}

void
request_chunk(struct session *s, const char *data, size_t len)
{
	char why[96];
	enum mess_err err;

	if (s->refuse_chunks || len == 0)
		return;
	if (body_len(s->body) + len > s->host->body_max) {
		(void)snprintf(why, sizeof why, "a body is at most %llu bytes; this one has more",
		    (unsigned long long)s->host->body_max); /* fits by its size */
		stream_failed(s, MESS_TOOBIG, why);
	} else if ((err = body_write(s->body, data, len)) != MESS_OK)
		stream_failed(s, err, NULL);
}

static void
body_synced(void *arg, enum mess_err err)
{
	struct session *s = arg;
	uint64_t seq;

	s->syncing = false;
	if (err == MESS_OK && s->pub_topic->gone)
		err = MESS_NOTOPIC;
	if (err == MESS_OK)
		err = log_append_body(s->pub_topic->log, &s->peer, s->body, &seq);
	body_free(s->body);
	s->body = NULL;
	if (err != MESS_OK)
		publish_failed(s, err, NULL);
	else
		session_ok_durable(s, "%llu", (unsigned long long)seq);
	/* Requests that came meanwhile. */
	s->source.ready(s->source.arg, 0);
}

void
request_chunks_end(struct session *s)
{
	if (s->refuse_chunks) {
		s->refuse_chunks = false;
		return;
	}
	s->syncing = true;
	body_sync(s->body, body_synced, s);
}

/* --- consuming ---------------------------------------------------------- */

static bool
find_subscription(struct session *s, struct topic *t, const char *name, bool make,
    struct subscription **out)
{
	struct subscriptions *set;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK) {
		session_error(s, err, "%s", mess_strerror(err));
		return false;
	}
	if ((*out = subscription_find(set, name)) != NULL || !make)
		return true;
	if ((err = subscription_make(t, name, s->peer.uid, out)) == MESS_OK)
		return true;
	session_error(s, err, "%s", mess_strerror(err));
	return false;
}

static void
touched(void *arg)
{
	session_touch(arg);
}

static void
consume(struct session *s, const struct request *r, enum consumer_kind kind)
{
	struct find f = { .name = r->topic, .right = ACL_SUBSCRIBE, .make = kind != CONSUMER_PEEK };
	struct consumer_setup setup = { .kind = kind, .output = &s->output, .touched = touched, .arg = s };
	enum mess_err err;

	if (s->consumer != NULL) {
		session_error(s, MESS_USAGE, "a connection has one consumer");
		return;
	}
	if (find_topic(s, &f, &setup.topic) != MESS_OK)
		return;
	if (kind != CONSUMER_TAIL &&
	    !find_subscription(s, setup.topic, r->sub, kind == CONSUMER_SUB, &setup.sub)) {
		topic_release(s->host->topics, setup.topic);
		return;
	}
	if ((err = consumer_new(s->host->delivery, &setup, &s->consumer)) != MESS_OK) {
		topic_release(s->host->topics, setup.topic);
		session_error(s, err, "%s", mess_strerror(err));
		return;
	}
	session_ok(s, "%llu", (unsigned long long)consumer_start(s->consumer));
}

static void
do_take(struct session *s, const struct request *r)
{
	if (s->consumer == NULL) {
		session_error(s, MESS_USAGE, "TAKE needs SUB, TAIL or PEEK before it");
		return;
	}
	session_ok(s, "%s", "");
	consumer_take(s->consumer, r->count, r->now);
}

static void
do_ack(struct session *s, const struct request *r)
{
	const char *ranges = r->ranges;
	size_t len = r->ranges_len;
	enum mess_err err = MESS_OK;
	uint64_t lo, hi;

	if (s->consumer == NULL || strcmp(consumer_topic(s->consumer)->name, r->topic) != 0) {
		session_error(s, MESS_USAGE, "ACK needs SUB of its topic before it");
		return;
	}
	while (err == MESS_OK && protocol_next_range(&ranges, &len, &lo, &hi))
		err = consumer_ack(s->consumer, lo, hi);
	if (err == MESS_USAGE)
		session_error(s, err, "%llu-%llu: not in this consumer's hands",
		    (unsigned long long)lo, (unsigned long long)hi);
	else if (err != MESS_OK)
		session_error(s, err, "%s", mess_strerror(err));
	else
		session_ok_durable(s, "%s", "");
}

/* --- topics ------------------------------------------------------------- */

static void
do_create(struct session *s, const struct request *r)
{
	struct topic *t = topics_find(s->host->topics, r->topic);
	struct subscription *sub;
	enum mess_err err;

	/* EXISTS only for who may see it; for others making it is denied alike. */
	if (t != NULL && topic_use(s->host->topics, t) == MESS_OK) {
		bool may = acl_may(&s->host->acl, &s->peer, ACL_SUBSCRIBE, t->conf.uid);

		topic_release(s->host->topics, t);
		if (may)
			session_error(s, MESS_EXISTS, "%s", mess_strerror(MESS_EXISTS));
		else
			session_error(s, MESS_DENIED, "making a topic needs an administrator, "
			    "or a name below your user.LOGIN.");
		return;
	}
	if (make_topic(s, r->topic, &t) != MESS_OK)
		return;
	/* A system topic has its shared subscription from the start. */
	if (!s->host->acl.personal && (err = topic_use(s->host->topics, t)) == MESS_OK) {
		err = subscription_make(t, "default", s->peer.uid, &sub);
		topic_release(s->host->topics, t);
		if (err != MESS_OK) {
			session_error(s, err, "the topic is made; its subscription is not: %s",
			    mess_strerror(err));
			return;
		}
	}
	session_ok(s, "%s", "");
}

static void
do_delete(struct session *s, const struct request *r)
{
	struct find f = { .name = r->topic, .right = ACL_ADMIN };
	enum mess_err err;
	struct topic *t;

	if (find_topic(s, &f, &t) != MESS_OK)
		return;
	if ((err = topic_delete(s->host->topics, t)) == MESS_OK) {
		intake_remove(s->host->intake, t);
		delivery_topic_gone(s->host->delivery, t);
	}
	topic_release(s->host->topics, t);
	if (err == MESS_OK)
		session_ok(s, "%s", "");
	else
		session_error(s, err, "%s", mess_strerror(err));
}

/* Payload of a reply that may be asked for in pieces. */
struct listing {
	struct buf text;
	bool more;
};

static void
send_listing(struct session *s, struct listing *l)
{
	session_ok(s, "%zu %d", buf_len(&l->text), l->more);
	output_text(&s->output, buf_data(&l->text), buf_len(&l->text));
	buf_free(&l->text);
}

static bool
may_see(struct session *s, struct topic *t)
{
	return acl_may(&s->host->acl, &s->peer, ACL_SUBSCRIBE, t->conf.uid);
}

/* Runs add for every topic from `after` on that matches and may be seen, until the reply is full. */
static void
each_topic(struct session *s, const struct request *r, struct listing *l,
    enum mess_err (*add)(struct session *, struct topic *, struct buf *))
{
	bool all = strcmp(r->topic, "*") == 0 && r->verb == REQ_STAT;
	struct topic *t;

	for (t = topics_after(s->host->topics, r->after); t != NULL;
	    t = topics_after(s->host->topics, t->name)) {
		if (!all && strcmp(r->topic, "**") != 0 && strcmp(r->topic, t->name) != 0 &&
		    !name_match(r->topic, t->name))
			continue;
		if (buf_len(&l->text) >= LIMIT_LIST_BYTES) {
			l->more = true;
			return;
		}
		if (topic_use(s->host->topics, t) != MESS_OK)
			continue;
		if (may_see(s, t) && add(s, t, &l->text) != MESS_OK)
			l->more = true;
		topic_release(s->host->topics, t);
	}
}

static enum mess_err
add_name(struct session *s, struct topic *t, struct buf *out)
{
	(void)s;
	return buf_printf(out, "%s\n", t->name);
}

static void
do_list(struct session *s, const struct request *r)
{
	struct listing l = { .text = BUF_INIT(4 * LIMIT_LIST_BYTES) };

	each_topic(s, r, &l, add_name);
	send_listing(s, &l);
}

static enum mess_err
add_show(struct topic *t, struct buf *out)
{
	struct subscriptions *set;
	struct subscription *sub;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK ||
	    (err = buf_printf(out, "topic %s\nowner %u %s\nincarnation %s\ncreated %llu.%09u\n", t->name,
	    t->conf.uid, t->conf.login, t->conf.incarnation,
	    (unsigned long long)t->conf.created_sec, t->conf.created_nsec)) != MESS_OK)
		return err;
	for (sub = subscriptions_first(set); sub != NULL; sub = TAILQ_NEXT(sub, link))
		if ((err = buf_printf(out, "subscription %s\n", sub->name)) != MESS_OK)
			return err;
	return MESS_OK;
}

static void
do_show(struct session *s, const struct request *r)
{
	struct find f = { .name = r->topic, .right = ACL_SUBSCRIBE };
	AUTO_BUF struct buf text = BUF_INIT(8 * LIMIT_LIST_BYTES);
	enum mess_err err;
	struct topic *t;

	if (find_topic(s, &f, &t) != MESS_OK)
		return;
	err = add_show(t, &text);
	topic_release(s->host->topics, t);
	if (err != MESS_OK) {
		session_error(s, err, "%s", mess_strerror(err));
		return;
	}
	session_ok(s, "%zu", buf_len(&text));
	output_text(&s->output, buf_data(&text), buf_len(&text));
}

static uint64_t
depth(const struct log *l, struct subscriptions *set)
{
	uint64_t most = 0, pending;
	struct subscription *sub = subscriptions_first(set);

	if (sub == NULL)
		return log_durable(l) - log_first(l);
	for (; sub != NULL; sub = TAILQ_NEXT(sub, link))
		if ((pending = subscription_pending(sub)) > most)
			most = pending;
	return most;
}

static enum mess_err
add_stat(struct session *s, struct topic *t, struct buf *out)
{
	struct log *l = t->log;
	struct subscriptions *set;
	struct subscription *sub;
	uint64_t sec = 0, damaged = log_counted(l, LOG_DAMAGED);
	uint32_t nsec = 0;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	(void)delivery_oldest(s->host->delivery, t, &sec, &nsec); /* 0 when there is none */
	if ((err = buf_printf(out, "topic %s\npublished %llu\nfirst %llu\npresent %llu\nbytes %llu\n"
	    "depth %llu\noldest %llu.%09u\ndamaged %llu\n", t->name,
	    (unsigned long long)(log_durable(l) - 1), (unsigned long long)log_first(l),
	    (unsigned long long)(log_durable(l) - log_first(l)), (unsigned long long)log_bytes(l),
	    (unsigned long long)depth(l, set), (unsigned long long)sec, nsec,
	    (unsigned long long)damaged)) != MESS_OK)
		return err;
	for (sub = subscriptions_first(set); sub != NULL; sub = TAILQ_NEXT(sub, link))
		if ((err = buf_printf(out, "subscription %s\npending %llu\nleased %llu\nacked %llu\n"
		    "redelivered %llu\nconsumers %u\n", sub->name,
		    (unsigned long long)subscription_pending(sub), (unsigned long long)sub->leased,
		    (unsigned long long)sub->place.acked, (unsigned long long)sub->place.redelivered,
		    sub->consumers)) != MESS_OK)
			return err;
	return MESS_OK;
}

static void
do_stat(struct session *s, const struct request *r)
{
	struct listing l = { .text = BUF_INIT(16 * LIMIT_LIST_BYTES) };
	struct find f = { .name = r->topic, .right = ACL_SUBSCRIBE };
	struct topic *t;

	if (strcmp(r->topic, "*") != 0) {
		if (find_topic(s, &f, &t) != MESS_OK)
			return;
		topic_release(s->host->topics, t);
	}
	each_topic(s, r, &l, add_stat);
	send_listing(s, &l);
}

/* --- dispatch ----------------------------------------------------------- */

static void
do_hello(struct session *s)
{
	session_ok(s, "mess %d %s %llu", PROTOCOL_VERSION,
	    s->host->acl.personal ? "personal" : "system", (unsigned long long)s->host->body_max);
}

void
request_handle(struct session *s, const struct input_item *item)
{
	const struct request *r = &item->request;

	switch (r->verb) {
	case REQ_HELLO:
		do_hello(s);
		return;
	case REQ_PUB:
		do_pub(s, item);
		return;
	case REQ_PUBS:
		do_pubs(s, item);
		return;
	case REQ_STREAM:
		do_stream(s, item);
		return;
	case REQ_RESUME:
		s->aborted = false;
		session_ok(s, "%s", "");
		return;
	case REQ_SUB:
		consume(s, r, CONSUMER_SUB);
		return;
	case REQ_TAIL:
		consume(s, r, CONSUMER_TAIL);
		return;
	case REQ_PEEK:
		consume(s, r, CONSUMER_PEEK);
		return;
	case REQ_TAKE:
		do_take(s, r);
		return;
	case REQ_ACK:
		do_ack(s, r);
		return;
	case REQ_CREATE:
		do_create(s, r);
		return;
	case REQ_DELETE:
		do_delete(s, r);
		return;
	case REQ_LIST:
		do_list(s, r);
		return;
	case REQ_SHOW:
		do_show(s, r);
		return;
	case REQ_STAT:
		do_stat(s, r);
		return;
	}
}

void
request_refused(struct session *s, const struct input_item *item)
{
	enum request_verb verb = item->request.verb;

	session_error(s, item->err, "%s", item->why != NULL ? item->why : mess_strerror(item->err));
	if (verb == REQ_PUB || verb == REQ_PUBS || verb == REQ_STREAM)
		refuse_publish(s);
	s->refuse_chunks = verb == REQ_STREAM;
}
