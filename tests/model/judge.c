/* SPDX-License-Identifier: ISC */
/*
 * Replies: what each must be, by the model, and what it does to the model.
 */
#include "judge.h"

void
judged_refuse(const struct judged *j, const char *want)
{
	wrong("client %d: the reply is %s%s %.*s, not %s", j->client, j->ok ? "OK" : "ERR ", j->error,
	    (int)j->len, j->words, want);
}

void
judged_want_ok(const struct judged *j)
{
	if (!j->ok)
		judged_refuse(j, "OK");
}

bool
judged_is_error(const struct judged *j, const char *word)
{
	return !j->ok && strcmp(j->error, word) == 0;
}

void
judged_want_error(const struct judged *j, const char *word)
{
	if (!judged_is_error(j, word))
		judged_refuse(j, word);
}

/* The k-th number of the reply. */
uint64_t
judged_number(const struct judged *j, unsigned k)
{
	struct reply r = { .kind = REPLY_OK, .text = j->words, .text_len = j->len };
	uint64_t n;

	judged_want_ok(j);
	if (!protocol_reply_number(&r, k, &n))
		judged_refuse(j, "OK and a number");
	return n;
}

void
judged_want_number(const struct judged *j, unsigned k, uint64_t n)
{
	char want[40];

	(void)snprintf(want, sizeof want, "OK %llu", (unsigned long long)n); /* fits */
	if (judged_number(j, k) != n)
		judged_refuse(j, want);
}

/* Is this a word of the reply's text, its first one? */
bool
judged_says(const struct judged *j, const char *word)
{
	return j->ok && j->len >= strlen(word) && memcmp(j->words, word, strlen(word)) == 0;
}

struct sub *
judged_sub_asked(const struct judged *j)
{
	return sub_of(j->a->topic, j->a->sub);
}

/* A durable reply: all that had changed when it was asked for is on disk. */
void
judged_durable(void)
{
	w.durable = w.stamp;
}

/* --- joining ------------------------------------------------------------ */

static void
join(struct client *c, int t, int s)
{
	if (client_consumes(c, t, s))
		return;
	if (!sub_of(t, s)->exists) {
		sub_of(t, s)->exists = true;
		sub_of(t, s)->fresh = true;
	}
	c->joined[c->joins].topic = t;
	c->joined[c->joins++].sub = s;
}

/* A topic that was not there is made, and whoever waits for its name joins. */
static void
topic_is_made(int t)
{
	struct client *c;

	if (w.topics[t].exists)
		return;
	w.topics[t].exists = true;
	for (int i = 0; i < CLIENTS; i++) {
		c = &w.clients[i];
		if (c->fd == -1 || !c->pattern || strncmp(w.topics[t].name, "logs.", 5) != 0)
			continue;
		join(c, t, S_PAT);
		ref_sub_begins(sub_of(t, S_PAT), 1);
	}
}

static void
judge_sub(const struct judged *j)
{
	struct sub *s;

	judged_want_ok(j);
	if (j->a->topic == -1) {
		j->c->pattern = true;
		for (int t = 0; t < MAINS; t++)
			if (w.topics[t].exists && strncmp(w.topics[t].name, "logs.", 5) == 0)
				join(j->c, t, S_PAT);
		return;
	}
	s = judged_sub_asked(j);
	topic_is_made(j->a->topic);
	if (s->exists && !s->fresh && (judged_number(j, 0) < ref_floor_lo(s) || judged_number(j, 0) > ref_floor_hi(s)))
		judged_refuse(j, "its floor");
	join(j->c, j->a->topic, j->a->sub);
}

static void
judge_sub_add(const struct judged *j)
{
	struct sub *s = judged_sub_asked(j);

	if (s->exists) {
		judged_want_error(j, "exists");
		return;
	}
	judged_want_ok(j);
	s->exists = s->fresh = true;
}

/* A consumer leaves it; one that has no other topic is told the end. */
static void
leave(int client, int t, int s)
{
	struct client *c = &w.clients[client];

	if (!client_consumes(c, t, s))
		return;
	for (int k = 0; k < c->joins; k++)
		if (c->joined[k].topic == t && c->joined[k].sub == s)
			c->joined[k--] = c->joined[--c->joins];
	for (size_t k = 0; k < c->voided_count; k++)
		if (c->voided[k].topic == t && c->voided[k].sub == s)
			c->voided[k--] = c->voided[--c->voided_count];
	if (c->joins > 0)
		return;
	wire_close(client);
	ref_drop_client(client, true);
}

static void
judge_sub_remove(const struct judged *j)
{
	struct sub *s = judged_sub_asked(j);

	if (!s->exists) {
		judged_want_error(j, "nosub");
		return;
	}
	judged_want_ok(j);
	s->exists = s->fresh = false;
	s->expired = 0;
	for (int i = 1; i < CLIENTS; i++)
		leave(i, j->a->topic, j->a->sub);
}

/* --- publishing --------------------------------------------------------- */

static void
judge_pub(const struct judged *j)
{
	struct msg m = { .id = j->a->n, .to = -1, .sub = -1 };

	judged_want_number(j, 0, w.topics[j->a->topic].published + 1);
	topic_is_made(j->a->topic);
	ref_publish(j->a->topic, &m);
	judged_durable();
}

static void
judge_pubs(const struct judged *j)
{
	struct msg m = { .to = -1, .sub = -1 };

	judged_want_number(j, 0, w.topics[j->a->topic].published + 1);
	judged_want_number(j, 1, w.topics[j->a->topic].published + j->a->count);
	topic_is_made(j->a->topic);
	for (uint64_t i = 0; i < j->a->count; i++) {
		m.id = j->a->n + i;
		ref_publish(j->a->topic, &m);
	}
	judged_durable();
}

/* --- all ---------------------------------------------------------------- */

static void
judge_verb(const struct judged *j)
{
	switch (j->a->verb) {
	case V_HELLO:
	case V_SYNC:
	case V_PEEK:
	case V_READ:
		judged_want_ok(j);
		return;
	case V_SUB:
		judge_sub(j);
		return;
	case V_TAKE:
		judged_want_ok(j);
		j->c->credit += j->a->n;
		j->c->now = j->a->now;
		return;
	case V_ACK:
	case V_NACK:
		judge_settle(j);
		return;
	case V_RETRY:
	case V_DEAD:
		judge_fail(j);
		return;
	case V_HOLD:
		judge_hold(j);
		return;
	case V_SETTLE:
		judge_held(j);
		return;
	case V_PUB:
		judge_pub(j);
		return;
	case V_PUBS:
		judge_pubs(j);
		return;
	case V_SUBADD:
		judge_sub_add(j);
		return;
	case V_SUBRM:
		judge_sub_remove(j);
		return;
	case V_SEEK:
		judge_seek(j);
		return;
	case V_RELEASE:
		judge_release(j);
		return;
	case V_REDRIVE:
		judge_redrive(j);
		return;
	case V_PURGE:
		judge_purge(j);
		return;
	case V_STAT:
		if (!judged_is_error(j, "notopic") || w.topics[j->a->topic].exists)
			judged_want_ok(j);
		if (!j->a->now)
			look_check(j->a->topic);
		return;
	}
}

void
judge(int client, const struct ask *a, const char *line, size_t len)
{
	struct judged j = { .client = client, .c = &w.clients[client], .a = a, .words = "" };
	size_t head;

	j.ok = len >= 2 && memcmp(line, "OK", 2) == 0;
	if (j.ok && len > 3) {
		j.words = line + 3;
		j.len = len - 3;
	} else if (!j.ok) {
		for (head = 4; head < len && line[head] != ' ' && head - 4 < sizeof j.error - 1; head++)
			j.error[head - 4] = line[head];
		j.words = line + head;
		j.len = len - head;
	}
	judge_verb(&j);
}
