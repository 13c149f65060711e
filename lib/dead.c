/* SPDX-License-Identifier: ISC */
/*
 * Dead letters.
 *
 * NAME.dead is a topic like any other.  Its subscription `default' is made
 * with it, and says which letters are still there: what somebody drained is
 * theirs, and is not redriven.
 */
#include "dead.h"

#include <bsd/string.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/loop.h"
#include "body.h"
#include "retention.h"
#include "sift.h"

#define SUFFIX ".dead"
#define DEAD_NAME_LEN (NAME_TOPIC_MAX + 8)
#define COPY_LEN ((size_t)256 * 1024)

/* A message to be copied from one topic to another, with new headers. */
struct letter {
	struct record record;
	const char *headers;		/* as they stand */
	const char *body;		/* NULL: apart */
	struct buf block;		/* as they are to be */
	struct mess_peer from;
};

bool
dead_is_topic(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(SUFFIX) && strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

static void
dead_name(const char *topic, char *out)
{
	(void)snprintf(out, DEAD_NAME_LEN, "%s" SUFFIX, topic); /* fits by its size */
}

struct topic *
dead_topic(struct topics *topics, const char *name)
{
	char dead[DEAD_NAME_LEN];

	if (dead_is_topic(name))
		return NULL;
	dead_name(name, dead);
	return topics_find(topics, dead);
}

/* --- copying ------------------------------------------------------------ */

/* The record at the front of run. */
static enum mess_err
open_letter(const struct log_run *run, const char *data, size_t len, struct letter *l)
{
	const char *nl = memchr(data, '\n', len);
	enum mess_err err;

	*l = (struct letter){ .block = BUF_INIT(RECORD_BLOCK_MAX) };
	if (nl == NULL || (err = record_read_line(data, (size_t)(nl + 1 - data), &l->record)) != MESS_OK)
		return MESS_CORRUPT;
	l->headers = nl + 1;
	l->body = run->apart ? NULL : nl + 1 + l->record.headers_len + 1;
	l->from = (struct mess_peer){ .uid = l->record.uid, .gid = l->record.gid,
		.pid = (pid_t)l->record.pid };
	return MESS_OK;
}

static enum mess_err
copy_bytes(int fd, uint64_t len, struct body *to, struct record_summer *sum)
{
	AUTO_FREE char *mem = malloc(COPY_LEN);
	enum mess_err err = MESS_OK;

	if (mem == NULL)
		return MESS_LIMIT;
	for (uint64_t at = 0; err == MESS_OK && at < len;) {
		size_t want = len - at < COPY_LEN ? (size_t)(len - at) : COPY_LEN;
		ssize_t got = fd_pread_full(fd, mem, want, (off_t)at);

		/* What cannot be read now is not lost. */
		if (got != (ssize_t)want)
			return got == -1 ? err_from_errno() : MESS_CORRUPT;
		record_summer_add(sum, mem, want);
		err = body_write(to, mem, want);
		at += want;
	}
	return err;
}

/* The copy gets a sum of its own: what does not hold now would be called whole. */
static enum mess_err
copy_checked(int fd, const struct letter *l, struct body *to)
{
	struct record_summer *sum = record_summer_new();
	enum mess_err err;

	if (sum == NULL)
		return MESS_LIMIT;
	record_summer_add(sum, l->headers, l->record.headers_len);
	record_summer_add(sum, "\n", 1);
	err = copy_bytes(fd, l->record.body_len, to, sum);
	if (err == MESS_OK && !record_sum_holds(&l->record, record_summer_end(sum)))
		err = MESS_CORRUPT;
	record_summer_free(sum);
	return err;
}

/* A large body is copied beside the other, synced, and then has its record. */
static enum mess_err
copy_apart(struct topic *from, struct topic *to, const struct letter *l, uint64_t *seq)
{
	AUTO_FD int fd = -1;
	struct body *body;
	enum mess_err err;

	if ((err = body_open(log_cur(from->log), l->record.seq, l->record.body_len, &fd)) != MESS_OK)
		return err;
	if ((err = body_new(to->dir, store_work(log_store(to->log)), buf_data(&l->block),
	    buf_len(&l->block), &body)) != MESS_OK)
		return err;
	if ((err = copy_checked(fd, l, body)) == MESS_OK &&
	    (err = body_sync_now(body)) == MESS_OK)
		err = log_append_body(to->log, &l->from, body, seq);
	body_free(body);
	return err;
}

static enum mess_err
copy(struct topic *from, struct topic *to, const struct letter *l, uint64_t *seq)
{
	struct mess_message msg = { .headers = buf_data(&l->block), .headers_len = buf_len(&l->block),
		.body = l->body, .body_len = (size_t)l->record.body_len };

	return l->body == NULL ? copy_apart(from, to, l, seq) : log_append(to->log, &l->from, &msg, seq);
}

/*
 * Copy and settle in one commit: room for both is made first, so that
 * nothing in between commits the letter alone, and a letter whose message
 * cannot be settled is taken back.
 */
struct move {
	struct topic *from, *to;
	struct subscription *sub;	/* of from */
	struct lease *lease;
	enum place_count how;
};

static enum mess_err
move(const struct move *m, const struct letter *l)
{
	size_t len = buf_len(&l->block) + (l->body != NULL ? (size_t)l->record.body_len : 0);
	struct retention_load load = { .count = 1, .bytes = buf_len(&l->block) + l->record.body_len };
	struct range run = { l->record.seq, l->record.seq };
	struct log_mark mark;
	enum mess_err err;
	uint64_t seq;

	if (!retention_has_room(m->to, &load, false))
		return m->to->conf.paused_in ? MESS_PAUSED : MESS_FULL;
	if ((err = store_room(log_store(m->to->log), len + 2 * PLACE_SIZE + 128 * 1024)) != MESS_OK ||
	    (err = log_begin(m->to->log, 1, len, &mark)) != MESS_OK)
		return err;
	if ((err = copy(m->from, m->to, l, &seq)) == MESS_OK)
		err = m->lease != NULL ? subscription_ack(m->sub, m->lease, &run, m->how) :
		    subscription_settle(m->sub, l->record.seq, m->how);
	if (err != MESS_OK)
		log_rewind(m->to->log, &mark);
	else
		retention_stored(m->to);
	return err;
}

/* --- into NAME.dead ----------------------------------------------------- */

/* The subscription whose letters they are, made where it is missing: all that is kept is there. */
static enum mess_err
have_default(struct topic *dead, struct subscription **out)
{
	struct subscription_setup setup = { .name = "default", .owner = dead->conf.uid, .match = "" };
	struct subscriptions *set;
	enum mess_err err;

	if ((err = subscriptions_of(dead, &set)) != MESS_OK ||
	    (*out = subscription_find(set, setup.name)) != NULL)
		return err;
	setup.from = log_first(dead->log);
	return subscription_make(dead, &setup, out);
}

static enum mess_err
make(const struct dead_host *h, const struct topic *topic, const char *name, struct topic **out)
{
	struct subscription *sub;
	enum mess_err err;

	if ((err = topic_create(h->topics, name, topic->conf.uid, topic->conf.login, true, out)) != MESS_OK ||
	    (err = topic_use(h->topics, *out)) != MESS_OK)
		return err;
	if ((err = have_default(*out, &sub)) != MESS_OK) {
		topic_release(h->topics, *out);
		return err;
	}
	h->made(h->arg, *out);
	return MESS_OK;
}

/* NAME.dead in use; a crash may have come between it and its subscription. */
static enum mess_err
use_dead(const struct dead_host *h, const struct topic *topic, bool may_make, struct topic **out)
{
	char name[DEAD_NAME_LEN];
	struct subscription *sub;
	struct topic *t;
	enum mess_err err;

	dead_name(topic->name, name);
	if ((t = topics_find(h->topics, name)) == NULL)
		return may_make ? make(h, topic, name, out) : MESS_NOTOPIC;
	if ((err = topic_use(h->topics, t)) != MESS_OK)
		return err;
	if (may_make && log_next(t->log) == 1 && (err = have_default(t, &sub)) != MESS_OK) {
		topic_release(h->topics, t);
		return err;
	}
	*out = t;
	return MESS_OK;
}

static bool
is_one_of(const struct record_header *h, const char *const *names)
{
	for (; *names != NULL; names++)
		if (record_header_is(h, *names))
			return true;
	return false;
}

/* The message's own headers, without those of the engine that are said anew. */
static enum mess_err
add_headers(struct letter *l, const char *const *without)
{
	const char *at = l->headers;
	size_t len = l->record.headers_len;
	struct record_header h;
	enum mess_err err;

	while (record_next_header(&at, &len, &h))
		if (!is_one_of(&h, without) &&
		    (err = buf_append(&l->block, h.line, h.line_len)) != MESS_OK)
			return err;
	return MESS_OK;
}

/* The value of the first header of that name; of length 0 when there is none. */
static struct dead_text
header_of(const struct letter *l, const char *name)
{
	const char *at = l->headers;
	size_t len = l->record.headers_len;
	struct record_header h;

	while (record_next_header(&at, &len, &h))
		if (record_header_is(&h, name))
			return (struct dead_text){ h.value, h.value_len };
	return (struct dead_text){ NULL, 0 };
}

static enum mess_err
add_text(struct letter *l, const char *name, struct dead_text text)
{
	return text.len == 0 ? MESS_OK :
	    buf_printf(&l->block, "%s: %.*s\n", name, (int)text.len, text.at);
}

/* Where it was first: one that was redriven has said so. */
static enum mess_err
add_original(struct letter *l, const struct topic *topic)
{
	struct dead_text seq = header_of(l, "Mess-Original-Seq"), time = header_of(l, "Mess-Original-Time");
	char number[24], stamp[40];

	if (seq.len == 0) {
		seq.len = (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)l->record.seq);
		seq.at = number;
	}
	if (time.len == 0) {
		time.len = (size_t)snprintf(stamp, sizeof stamp, "%llu.%09u",
		    (unsigned long long)l->record.sec, l->record.nsec);
		time.at = stamp;
	}
	return buf_printf(&l->block, "Mess-Original-Topic: %s\nMess-Original-Seq: %.*s\n"
	    "Mess-Original-Time: %.*s\nMess-Original-Uid: %u\nMess-Original-Gid: %u\n", topic->name,
	    (int)seq.len, seq.at, (int)time.len, time.at, l->record.uid, l->record.gid);
}

static enum mess_err
write_dead(struct letter *l, const struct subscription *s, const struct dead_why *why)
{
	static const char *const without[] = { "Mess-Due", "Mess-Expires", "Mess-Redrive-To",
		"Mess-Original-Topic", "Mess-Original-Seq", "Mess-Original-Time", "Mess-Original-Uid",
		"Mess-Original-Gid", NULL };
	enum mess_err err;

	if ((err = add_text(l, "Mess-Dead-Reason", why->reason)) != MESS_OK ||
	    (err = add_text(l, "Mess-Dead-Status", why->status)) != MESS_OK ||
	    (err = buf_printf(&l->block, "Mess-Dead-Attempts: %u\nMess-Dead-Subscription: %s\n",
	    why->attempts, s->name)) != MESS_OK ||
	    (err = add_text(l, "Mess-Dead-Stderr", why->stderr_tail)) != MESS_OK ||
	    (err = add_original(l, s->topic)) != MESS_OK)
		return err;
	return add_headers(l, without);
}

/* The last characters of a text, at most len bytes. */
static void
cut_to_end(struct dead_text *text, size_t len)
{
	text->at += text->len - len;
	text->len = len;
	while (text->len > 0 && (*text->at & 0xc0) == 0x80) {
		text->at++;
		text->len--;
	}
}

/* A letter has less room than all of it may have: its own headers come first. */
static enum mess_err
write_letter(struct letter *l, const struct subscription *s, const struct dead_why *why)
{
	struct dead_why less = *why;
	enum mess_err err;

	while ((err = write_dead(l, s, &less)) == MESS_TOOBIG && (less.stderr_tail.len > 0 || less.reason.len > 64)) {
		buf_reset(&l->block, RECORD_BLOCK_MAX);
		if (less.stderr_tail.len > 0)
			cut_to_end(&less.stderr_tail, less.stderr_tail.len / 2);
		else
			cut_to_end(&less.reason, 64);
	}
	return err;
}

enum mess_err
dead_letter(const struct dead_host *h, struct subscription *s, struct lease *lease, uint64_t seq,
    const struct dead_why *why)
{
	struct move m = { .from = s->topic, .sub = s, .lease = lease, .how = PLACE_DEAD };
	struct log_cursor cursor = { 0 };
	struct letter l = { .block = BUF_INIT(0) };
	struct log_run run;
	enum mess_err err;

	/* A damaged NAME.dead is no damage of the message: it would be gone without a letter. */
	if ((err = use_dead(h, s->topic, true, &m.to)) != MESS_OK)
		return err == MESS_CORRUPT ? MESS_IO : err;
	err = log_read(h->reader, s->topic->log, &cursor, seq, seq, RECORD_MAX, &run);
	if (err == MESS_OK && run.damaged)
		err = MESS_CORRUPT;
	if (err == MESS_OK && (err = open_letter(&run, run.data, run.len, &l)) == MESS_OK &&
	    (err = write_letter(&l, s, why)) == MESS_OK)
		err = move(&m, &l);
	buf_free(&l.block);
	log_cursor_drop(&cursor);
	topic_release(h->topics, m.to);
	return err;
}

/* --- and back ----------------------------------------------------------- */

static uint32_t
number_of(struct dead_text text)
{
	uint64_t n;

	return record_read_number(&text.at, text.at + text.len, &n) && n <= UINT32_MAX ? (uint32_t)n : 0;
}

/* It goes to the one that failed it, with its first envelope. */
static enum mess_err
write_redriven(struct letter *l, const char *sub)
{
	static const char *const without[] = { "Mess-Dead-Reason", "Mess-Dead-Status", "Mess-Dead-Attempts",
		"Mess-Dead-Subscription", "Mess-Dead-Stderr", "Mess-Original-Topic", "Mess-Original-Uid",
		"Mess-Original-Gid", NULL };
	enum mess_err err;

	l->from = (struct mess_peer){ .uid = number_of(header_of(l, "Mess-Original-Uid")),
		.gid = number_of(header_of(l, "Mess-Original-Gid")) };
	if ((err = buf_printf(&l->block, "Mess-Redrive-To: %s\n", sub)) != MESS_OK)
		return err;
	return add_headers(l, without);
}

static bool
is_leased(const struct subscription *s, uint64_t seq)
{
	const struct attempt *a = attempts_of(&s->place.attempts, seq);
	struct lease *lease;

	/* A hold that is over ends when somebody looks, and it may be that nobody else does. */
	if (a != NULL && a->state == ATTEMPT_HELD && a->due > loop_now())
		return true;
	TAILQ_FOREACH(lease, &s->leases, link)
		if (lease_holds(lease, seq))
			return true;
	return false;
}

/* Of a letter that is asked for: who failed it. */
static bool
is_wanted(const struct letter *l, const struct dead_filter *f, char *name)
{
	struct dead_text sub = header_of(l, "Mess-Dead-Subscription");

	if (sub.len == 0 || sub.len > NAME_SUB_MAX ||
	    (f->match[0] != '\0' && !sift_matches(f->match, l->headers, l->record.headers_len)))
		return false;
	memcpy(name, sub.at, sub.len);
	name[sub.len] = '\0';
	if (f->own_only && (strchr(name, '.') == NULL || strtoul(name, NULL, 10) != f->owner))
		return false;
	return f->sub[0] == '\0' || strcmp(name, f->sub) == 0;
}

/* The subscription that it goes back to, NULL if it stays. */
static struct subscription *
goes_to(struct topic *topic, const struct letter *l, const struct dead_filter *f, struct dead_redriven *out)
{
	char name[NAME_SUB_MAX + 1];
	struct subscriptions *set;
	struct subscription *to;

	if (!is_wanted(l, f, name) || subscriptions_of(topic, &set) != MESS_OK)
		return NULL;
	if ((to = subscription_find(set, name)) == NULL && out->stay++ == 0)
		memcpy(out->stays_of, name, sizeof name);
	return to;
}

static enum mess_err
redrive_one(const struct move *m, const struct log_run *run, const char *data,
    const struct dead_filter *f, size_t *len, struct dead_redriven *out)
{
	struct subscription *to;
	struct letter l;
	enum mess_err err;

	if ((err = open_letter(run, data, run->len - (size_t)(data - run->data), &l)) != MESS_OK)
		return err;
	*len = (size_t)(l.headers - data) + record_rest_len(&l.record);
	/* The floor rises past settled ones as those before them go. */
	if (l.record.seq < m->sub->place.floor || is_leased(m->sub, l.record.seq) ||
	    ranges_contain(&m->sub->place.settled, l.record.seq, l.record.seq) || (to = goes_to(m->to, &l, f, out)) == NULL)
		return MESS_OK;
	if ((err = write_redriven(&l, to->name)) == MESS_OK && (err = move(m, &l)) == MESS_OK)
		out->moved++;
	buf_free(&l.block);
	return err;
}

static enum mess_err
redrive_all(const struct dead_host *h, const struct move *m, const struct dead_filter *f,
    struct dead_redriven *out)
{
	uint64_t end = log_durable(m->from->log), n = m->sub->place.floor > f->from ?
	    m->sub->place.floor : f->from;
	struct log_cursor cursor = { 0 };
	enum mess_err err = MESS_OK;
	struct log_run run;
	size_t len;

	for (; err == MESS_OK && n < end && n <= f->to; n = run.last + 1) {
		if ((err = log_read(h->reader, m->from->log, &cursor, n, f->to < end ? f->to : end - 1,
		    COPY_LEN, &run)) != MESS_OK || run.damaged)
			continue;
		for (const char *at = run.data; err == MESS_OK && at < run.data + run.len; at += len)
			err = redrive_one(m, &run, at, f, &len, out);
	}
	log_cursor_drop(&cursor);
	return err;
}

enum mess_err
dead_redrive(const struct dead_host *h, struct topic *topic, const struct dead_filter *filter,
    struct dead_redriven *out)
{
	struct move m = { .to = topic, .how = PLACE_ACKED };
	enum mess_err err;

	*out = (struct dead_redriven){ .moved = 0 };
	if ((err = use_dead(h, topic, false, &m.from)) != MESS_OK)
		return err == MESS_NOTOPIC ? MESS_OK : err;
	if ((err = have_default(m.from, &m.sub)) == MESS_OK)
		err = redrive_all(h, &m, filter, out);
	topic_release(h->topics, m.from);
	return err;
}

uint64_t
dead_waiting(struct topics *topics, const struct topic *topic)
{
	struct subscription_counts counts = { 0 };
	struct topic *t = dead_topic(topics, topic->name);
	struct subscriptions *set;
	struct subscription *sub;

	if (t == NULL || topic_use(topics, t) != MESS_OK)
		return 0;
	if (subscriptions_of(t, &set) == MESS_OK && (sub = subscription_find(set, "default")) != NULL)
		subscription_count(sub, &counts);
	topic_release(topics, t);
	return counts.pending;
}
