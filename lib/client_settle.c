/* SPDX-License-Identifier: ISC */
/*
 * libmess: settling.
 *
 * Acks are gathered into ranges, a topic's many on a line.  They and the
 * other requests that settle go out when there is nothing to read; their
 * replies are read on the way.  With many in flight there is no hurry: a
 * longer range is the cheaper one, and nobody has to wait for room.
 */
#include "client.h"

#include "base/fd.h"

#define FLYING 32		/* above this they are gathered on, not sent */
#define RANGE_MAX 42		/* " LO-HI" of two 64-bit numbers */

static enum mess_err
not_ours(struct mess *m)
{
	return client_fail(m, MESS_USAGE, "only a subscription's messages are settled");
}

static enum mess_err
no_room(struct mess *m, enum mess_err err)
{
	return client_fail(m, err == MESS_TOOBIG ? MESS_LIMIT : err, "%s", mess_strerror(err));
}

static enum mess_err
check_range(struct mess *m, uint64_t lo, uint64_t hi)
{
	if (m->sub.mode != CONSUME_SUB)
		return not_ours(m);
	if (lo == 0 || lo > hi)
		return client_fail(m, MESS_USAGE, "%llu-%llu is no range", (unsigned long long)lo,
		    (unsigned long long)hi);
	return MESS_OK;
}

/* ---- acks ---- */

static enum mess_err
send_acks(struct mess *m, struct client_topic *t)
{
	enum mess_err err;

	if (buf_len(&t->acks) == 0)
		return MESS_OK;
	if ((err = client_say(m, PENDING_ACK, "ACK %s%.*s\n", t->topic, (int)buf_len(&t->acks),
		buf_data(&t->acks))) != MESS_OK)
		return err;
	m->sub.flying++;
	t->epoch = m->sub.epoch;
	buf_reset(&t->acks, PROTOCOL_LINE_MAX + 1);
	return MESS_OK;
}

/* The open range joins the finished ones. */
static enum mess_err
close_range_of_acks(struct mess *m, struct client_topic *t)
{
	size_t most = PROTOCOL_LINE_MAX - sizeof "ACK " - strlen(t->topic) - RANGE_MAX;
	enum mess_err err;

	if (t->ack_hi == 0)
		return MESS_OK;
	if (buf_len(&t->acks) > most && (err = send_acks(m, t)) != MESS_OK)
		return err;
	if (t->ack_lo == t->ack_hi)
		err = buf_printf(&t->acks, " %llu", (unsigned long long)t->ack_lo);
	else
		err = buf_printf(&t->acks, " %llu-%llu", (unsigned long long)t->ack_lo,
		    (unsigned long long)t->ack_hi);
	if (err != MESS_OK)
		return no_room(m, err);
	t->ack_lo = t->ack_hi = 0;
	return MESS_OK;
}

enum mess_err
mess_ack(struct mess *m, const char *topic, uint64_t lo, uint64_t hi)
{
	struct client_topic *t;
	enum mess_err err;

	if ((err = check_range(m, lo, hi)) != MESS_OK || (err = client_topic_at(m, topic, &t)) != MESS_OK)
		return err;
	if (hi > t->ack_top)
		t->ack_top = hi;
	/* Messages come in order: what was in doubt below this one was settled, or came again. */
	if (hi >= t->ack_doubt)
		t->ack_doubt = 0;
	if (t->ack_hi != 0 && lo == t->ack_hi + 1) {
		t->ack_hi = hi;
		return MESS_OK;
	}
	if ((err = close_range_of_acks(m, t)) != MESS_OK)
		return err;
	t->ack_lo = lo;
	t->ack_hi = hi;
	if (!t->unsent) {
		t->unsent = true;
		t->next_unsent = m->sub.unsent;
		m->sub.unsent = t;
	}
	return MESS_OK;
}

/* ---- the other ways to settle ---- */

static enum mess_err
put_line(struct mess *m, struct buf *out, const char *name, const char *value)
{
	enum mess_err err;

	if (value == NULL || value[0] == '\0')
		return MESS_OK;
	for (const char *at = value; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return client_fail(m, MESS_USAGE, "%s: not a line of text", name);
	err = buf_printf(out, "%s: %s\n", name, value);
	return err == MESS_OK ? err : no_room(m, err);
}

static enum mess_err
put_failure(struct mess *m, const struct mess_failure *why, struct buf *out)
{
	enum mess_err err;

	if (why == NULL)
		return MESS_OK;
	if ((err = put_line(m, out, "Reason", why->reason)) != MESS_OK ||
	    (err = put_line(m, out, "Status", why->status)) != MESS_OK)
		return err;
	return put_line(m, out, "Stderr", why->output);
}

/* Behind its length, so that it can be sent whole. */
static enum mess_err
queue(struct mess *m, const struct buf *request)
{
	struct buf *b = &m->sub.settles;
	size_t len = buf_len(request);
	enum mess_err err;

	if ((err = buf_reserve(b, sizeof len + len)) != MESS_OK ||
	    (err = buf_append(b, &len, sizeof len)) != MESS_OK ||
	    (err = buf_append(b, buf_data(request), len)) != MESS_OK)
		return no_room(m, err);
	return MESS_OK;
}

static enum mess_err
queue_failed(struct mess *m, const char *verb, const char *topic, uint64_t seq,
    const struct mess_failure *why)
{
	AUTO_BUF struct buf options = BUF_INIT(PROTOCOL_OPTIONS_MAX);
	AUTO_BUF struct buf request = BUF_INIT(PROTOCOL_OPTIONS_MAX + PROTOCOL_LINE_MAX);
	enum mess_err err;

	if ((err = check_range(m, seq, seq)) != MESS_OK || (err = put_failure(m, why, &options)) != MESS_OK)
		return err;
	if ((err = buf_printf(&request, "%s %s %llu %zu\n", verb, topic, (unsigned long long)seq,
		buf_len(&options))) != MESS_OK ||
	    (buf_len(&options) > 0 &&
	    (err = buf_append(&request, buf_data(&options), buf_len(&options))) != MESS_OK))
		return no_room(m, err);
	return queue(m, &request);
}

enum mess_err
mess_retry(struct mess *m, const char *topic, uint64_t seq, const struct mess_failure *why)
{
	return queue_failed(m, "RETRY", topic, seq, why);
}

enum mess_err
mess_dead(struct mess *m, const char *topic, uint64_t seq, const struct mess_failure *why)
{
	return queue_failed(m, "DEAD", topic, seq, why);
}

enum mess_err
mess_nack(struct mess *m, const char *topic, uint64_t lo, uint64_t hi)
{
	AUTO_BUF struct buf request = BUF_INIT(PROTOCOL_LINE_MAX);
	enum mess_err err;

	if ((err = check_range(m, lo, hi)) != MESS_OK)
		return err;
	if ((err = buf_printf(&request, "NACK %s %llu-%llu\n", topic, (unsigned long long)lo,
		(unsigned long long)hi)) != MESS_OK)
		return no_room(m, err);
	return queue(m, &request);
}

/* ---- sending ---- */

static enum mess_err
send_settles(struct mess *m, unsigned most)
{
	struct buf *b = &m->sub.settles;
	enum mess_err err;
	size_t len;

	while (buf_len(b) > 0 && m->sub.flying < most && !m->abandoned) {
		memcpy(&len, buf_data(b), sizeof len);
		if ((err = client_say(m, PENDING_ACK, "%.*s", (int)len, buf_data(b) + sizeof len)) != MESS_OK)
			return err;
		m->sub.flying++;
		buf_consume(b, sizeof len + len);
	}
	return MESS_OK;
}

/*
 * Not to an engine that reads no more: client_say would find another, which
 * gave us nothing that could be settled.  Who reads next hears that it ended.
 */
static enum mess_err
send_all(struct mess *m, unsigned most)
{
	struct client_consumer *c = &m->sub;
	enum mess_err err;

	while (c->unsent != NULL && c->flying < most && !m->abandoned) {
		struct client_topic *t = c->unsent;

		if ((err = close_range_of_acks(m, t)) != MESS_OK || (err = send_acks(m, t)) != MESS_OK)
			return err;
		c->unsent = t->next_unsent;
		t->unsent = false;
	}
	return send_settles(m, most);
}

enum mess_err
mess_ack_flush(struct mess *m)
{
	enum mess_err err;

	if (m->sub.mode != CONSUME_SUB)
		return MESS_OK;
	if ((err = send_all(m, FLYING)) != MESS_OK)
		return err;
	return client_push(m);
}

static bool
all_back(const struct mess *m)
{
	return m->sub.flying == 0 || m->sub.err != MESS_OK;
}

static enum mess_err
wait_for_all(struct mess *m)
{
	enum mess_err err;

	if (m->sub.mode != CONSUME_SUB)
		return MESS_OK;
	if ((err = send_all(m, UINT32_MAX)) != MESS_OK)
		return err;
	if ((err = client_await(m, all_back)) != MESS_OK)
		return err;
	return TAKE(m->sub.err, MESS_OK);
}

enum mess_err
mess_ack_wait(struct mess *m)
{
	enum mess_err err = wait_for_all(m);
	bool doubt = false;

	for (size_t i = 0; i < m->sub.count; i++)
		doubt |= TAKE(m->sub.topics[i]->ack_doubt, 0) != 0;
	if (!doubt || err != MESS_OK)
		return err;
	return client_fail(m, MESS_NODAEMON, "mess-deliverd went away before it answered them");
}

void
client_settled(struct mess *m)
{
	if (--m->sub.flying == 0)
		m->sub.epoch++;
}

/* Only acks are in doubt: what was to come again comes again. */
void
client_settles_lost(struct mess *m)
{
	struct client_consumer *c = &m->sub;

	for (size_t i = 0; i < c->count; i++) {
		struct client_topic *t = c->topics[i];
		bool flying = c->flying > 0 && t->epoch == c->epoch;

		if ((flying || t->unsent) && t->ack_top > t->ack_doubt && !t->left)
			t->ack_doubt = t->ack_top;
		t->unsent = false;
		t->ack_lo = t->ack_hi = 0;
		buf_reset(&t->acks, PROTOCOL_LINE_MAX);
	}
	c->unsent = NULL;
	c->flying = 0;
	c->epoch++;
	buf_reset(&c->settles, 0);
}

/* ---- leases by time ---- */

enum mess_err
mess_hold(struct mess *m, const char *topic, uint64_t seq, uint64_t ms, char token[MESS_TOKEN_LEN + 1])
{
	enum mess_err err;

	if ((err = check_range(m, seq, seq)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "HOLD %s %llu %llu\n", topic, (unsigned long long)seq,
		(unsigned long long)ms)) != MESS_OK ||
	    (err = client_finish_call(m)) != MESS_OK)
		return err;
	if (strlen(m->call.word) != MESS_TOKEN_LEN)
		return client_fail(m, MESS_PROTOCOL, "mess-deliverd sent a token that does not read");
	memcpy(token, m->call.word, MESS_TOKEN_LEN + 1);
	return MESS_OK;
}

enum mess_err
mess_settle(struct mess *m, enum mess_how how, const struct mess_held *held,
    const struct mess_failure *why)
{
	static const char *const words[] = { [MESS_SETTLE_ACK] = "ack", [MESS_SETTLE_NACK] = "nack",
		[MESS_SETTLE_RETRY] = "retry", [MESS_SETTLE_DEAD] = "dead" };
	AUTO_BUF struct buf options = BUF_INIT(PROTOCOL_OPTIONS_MAX);
	const char *reason;
	enum mess_err err;

	if ((err = client_check_topic(m, held->topic)) != MESS_OK)
		return err;
	if ((err = name_check_sub_of(held->name, &reason)) != MESS_OK)
		return client_fail(m, err, "subscription %.60s: %s", held->name, reason);
	if (strlen(held->token) != MESS_TOKEN_LEN ||
	    strspn(held->token, "0123456789abcdef") != MESS_TOKEN_LEN)
		return client_fail(m, MESS_USAGE, "%.60s: a token is %d digits of 0-9 and a-f", held->token,
		    MESS_TOKEN_LEN);
	if ((err = put_failure(m, why, &options)) != MESS_OK)
		return err;
	if ((err = client_say(m, PENDING_CALL, "SETTLE %s %s %s %llu %s %zu\n%.*s", words[how], held->topic,
		held->name, (unsigned long long)held->seq, held->token, buf_len(&options),
		(int)buf_len(&options), buf_len(&options) > 0 ? buf_data(&options) : "")) != MESS_OK)
		return err;
	return client_finish_call(m);
}
