/* SPDX-License-Identifier: ISC */
/*
 * libmess: attaching to what is to be consumed, and the topics of a consumer.
 */
#include "client.h"

#include <bsd/string.h>

#include "base/fd.h"

/* ---- the topics ---- */

/* Where the topic is in the table, or should be. */
static size_t
find(const struct client_consumer *c, const char *topic, bool *found)
{
	size_t lo = 0, hi = c->count;

	*found = false;
	while (lo < hi && !*found) {
		size_t mid = lo + (hi - lo) / 2;
		int order = strcmp(topic, c->topics[mid]->topic);

		*found = order == 0;
		if (order > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return hi;
}

static enum mess_err
add(struct client_consumer *c, size_t at, const char *topic, struct client_topic **out)
{
	struct client_topic *t;

	if (c->count == c->cap) {
		size_t cap = c->cap == 0 ? 4 : c->cap * 2;
		struct client_topic **grown = reallocarray(c->topics, cap, sizeof(struct client_topic *));

		if (grown == NULL)
			return MESS_LIMIT;
		c->topics = grown;
		c->cap = cap;
	}
	if ((t = calloc(1, sizeof *t)) == NULL)
		return MESS_LIMIT;
	t->acks.max = PROTOCOL_LINE_MAX;
	(void)strlcpy(t->topic, topic, sizeof t->topic); /* checked: they fit */
	(void)strlcpy(t->name, c->name, sizeof t->name);
	memmove(c->topics + at + 1, c->topics + at, (c->count - at) * sizeof(struct client_topic *));
	c->topics[at] = t;
	c->count++;
	*out = t;
	return MESS_OK;
}

enum mess_err
client_topic_at(struct mess *m, const char *topic, struct client_topic **out)
{
	struct client_consumer *c = &m->sub;
	enum mess_err err;
	bool found;
	size_t at;

	if (c->last != NULL && strcmp(c->last->topic, topic) == 0) {
		*out = c->last;
		return MESS_OK;
	}
	at = find(c, topic, &found);
	if (found)
		*out = c->topics[at];
	else if ((err = add(c, at, topic, out)) != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	c->last = *out;
	return MESS_OK;
}

void
client_topics_free(struct mess *m)
{
	struct client_consumer *c = &m->sub;

	for (size_t i = 0; i < c->count; i++) {
		buf_free(&c->topics[i]->acks);
		free(c->topics[i]->why);
		free(c->topics[i]);
	}
	free(TAKE(c->topics, NULL));
	c->count = c->cap = 0;
}

/* ---- a topic that is taken away ---- */

enum mess_err
client_consumer_gone(struct mess *m, const struct reply *r)
{
	struct client_topic *t;
	enum mess_err err;
	char *why;

	if ((err = client_topic_at(m, r->topic, &t)) != MESS_OK)
		return err;
	if ((why = strndup(r->text, r->text_len)) == NULL)
		return client_fail(m, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
	free(t->why);
	t->why = why;
	t->gone = r->err;
	t->left = true;
	t->ack_doubt = 0;
	m->sub.gone = true;
	return MESS_OK;
}

const char *
mess_gone(struct mess *m, enum mess_err *why)
{
	struct client_consumer *c = &m->sub;

	c->gone = false;
	for (size_t i = 0; i < c->count; i++) {
		AUTO_FREE char *text = TAKE(c->topics[i]->why, NULL);

		if (text == NULL)
			continue;
		*why = client_fail(m, c->topics[i]->gone, "%s", text);
		return c->topics[i]->topic;
	}
	return NULL;
}

/* ---- attaching ---- */

/*
 * Acks in doubt were done when it is the same subscription and they were for
 * messages below the first that it has not settled.
 */
static enum mess_err
attached_topic(struct mess *m, const char *topic, const char *name)
{
	struct client_topic *t;
	enum mess_err err;

	if ((err = client_topic_at(m, topic, &t)) != MESS_OK)
		return err;
	if (t->ack_doubt > 0 && strcmp(name, t->name) != 0)
		t->ack_doubt = UINT64_MAX; /* nothing can come that would settle them */
	else if (m->call.number[0] > t->ack_doubt)
		t->ack_doubt = 0;
	t->ack_top = 0;
	t->left = false;
	(void)strlcpy(t->name, name, sizeof t->name);
	return MESS_OK;
}

static enum mess_err
attached(struct mess *m, enum client_mode mode, const char *topic, const char *name)
{
	struct client_consumer *c = &m->sub;

	if (c->mode == CONSUME_NOT)
		(void)strlcpy(c->first, topic, sizeof c->first); /* checked: they fit */
	(void)strlcpy(c->name, name, sizeof c->name);
	c->mode = mode;
	c->err = MESS_OK;
	/* What matches a pattern is met when it sends something. */
	return strchr(topic, '*') != NULL ? MESS_OK : attached_topic(m, topic, name);
}

static enum mess_err
check_idle(struct mess *m, enum client_mode mode)
{
	bool more = mode == CONSUME_SUB || mode == CONSUME_TAIL;

	if (m->sub.mode == CONSUME_NOT || (more && m->sub.mode == mode))
		return MESS_OK;
	return client_fail(m, MESS_USAGE, "this connection consumes %s already", m->sub.first);
}

static enum mess_err
check_names(struct mess *m, const char *topic, const char *name)
{
	const char *why;
	enum mess_err err;

	if (strchr(topic, '*') == NULL)
		err = client_check_topic(m, topic);
	else if ((err = name_check_pattern(topic, &why)) != MESS_OK)
		err = client_fail(m, err, "%s: %s", mess_strerror(err), why);
	if (err != MESS_OK || name == NULL)
		return err;
	if ((err = name_check_sub_of(name, &why)) != MESS_OK)
		return client_fail(m, err, "subscription %.60s: %s", name, why);
	return MESS_OK;
}

static enum mess_err
bad_option(struct mess *m, const char *value)
{
	return client_fail(m, MESS_USAGE, "%.60s: not a line of text", value);
}

/* The option lines of SUB. */
static enum mess_err
put_options(struct mess *m, const struct mess_subscribe *how, struct buf *out)
{
	struct position position;
	enum mess_err err;

	if (how->from != NULL && !protocol_read_position(how->from, strlen(how->from), &position))
		return client_fail(m, MESS_USAGE, "from %.60s: not oldest, now, N, -N or @SECONDS.NANOSECONDS",
		    how->from);
	if (how->match != NULL && how->match[strcspn(how->match, "\n")] != '\0')
		return bad_option(m, how->match);
	if (how->from != NULL && (err = buf_printf(out, "From: %s\n", how->from)) != MESS_OK)
		return err;
	if (how->match != NULL && (err = buf_printf(out, "Match: %s\n", how->match)) != MESS_OK)
		return err;
	return how->max_attempts > 0 ? buf_printf(out, "Max-Attempts: %u\n", how->max_attempts) : MESS_OK;
}

enum mess_err
mess_subscribe(struct mess *m, const char *topic, const char *name, const struct mess_subscribe *how)
{
	AUTO_BUF struct buf options = BUF_INIT(PROTOCOL_OPTIONS_MAX);
	enum mess_err err;

	if ((err = check_idle(m, CONSUME_SUB)) != MESS_OK ||
	    (err = check_names(m, topic, name)) != MESS_OK ||
	    (how != NULL && (err = put_options(m, how, &options)) != MESS_OK))
		return err;
	if (buf_len(&options) == 0)
		err = client_say(m, PENDING_CALL, "SUB %s %s\n", topic, name);
	else
		err = client_say(m, PENDING_CALL, "SUB %s %s %zu\n%.*s", topic, name, buf_len(&options),
		    (int)buf_len(&options), buf_data(&options));
	if (err != MESS_OK || (err = client_finish_call(m)) != MESS_OK)
		return err;
	return attached(m, CONSUME_SUB, topic, name);
}

bool
mess_made_own(const struct mess *m)
{
	return m->call.made;
}

enum mess_err
mess_tail(struct mess *m, const char *topic)
{
	enum mess_err err;

	if ((err = check_idle(m, CONSUME_TAIL)) != MESS_OK ||
	    (err = check_names(m, topic, NULL)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "TAIL %s\n", topic)) != MESS_OK ||
	    (err = client_finish_call(m)) != MESS_OK)
		return err;
	return attached(m, CONSUME_TAIL, topic, "");
}

enum mess_err
mess_peek(struct mess *m, const char *topic, const char *name)
{
	enum mess_err err;

	if ((err = check_idle(m, CONSUME_PEEK)) != MESS_OK ||
	    (err = client_check_topic(m, topic)) != MESS_OK ||
	    (err = check_names(m, topic, name)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "PEEK %s %s\n", topic, name)) != MESS_OK ||
	    (err = client_finish_call(m)) != MESS_OK)
		return err;
	return attached(m, CONSUME_PEEK, topic, name);
}

enum mess_err
mess_read(struct mess *m, const char *topic, uint64_t lo, uint64_t hi, struct mess_range *out)
{
	enum mess_err err;

	if ((err = check_idle(m, CONSUME_PEEK)) != MESS_OK || (err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	if (hi > INT64_MAX)
		hi = INT64_MAX;
	if ((err = client_say(m, PENDING_CALL, "READ %s %llu %llu\n", topic, (unsigned long long)lo,
		(unsigned long long)hi)) != MESS_OK || (err = client_finish_call(m)) != MESS_OK)
		return err;
	*out = (struct mess_range){ m->call.number[0], m->call.number[1] };
	return attached(m, CONSUME_PEEK, topic, "");
}

enum mess_err
client_consumes_nothing(struct mess *m)
{
	return client_fail(m, MESS_USAGE, "this connection consumes nothing");
}

enum mess_err
mess_take(struct mess *m, uint64_t n, bool now)
{
	enum mess_err err;

	if (m->sub.mode == CONSUME_NOT)
		return client_consumes_nothing(m);
	if (m->abandoned) /* another engine would know nothing of us; mess_next says so */
		return MESS_OK;
	if (n > PROTOCOL_TAKE_MAX)
		n = PROTOCOL_TAKE_MAX;
	if ((err = client_say(m, PENDING_TAKE, "TAKE %llu%s\n", (unsigned long long)n,
		now ? " now" : "")) != MESS_OK)
		return err;
	return client_push(m);
}
