/* SPDX-License-Identifier: ISC */
/*
 * Delivery Service.
 *
 * There is no queue: a consumer is a credit, and a place in the log of each
 * of its topics.  When more becomes durable or due, when a consumer takes,
 * settles or goes, or a socket has room again, the topic's flow is woken,
 * and delivery_run sends each consumer the next run of records as they
 * stand on disk.
 */
#include "delivery.h"

#include "delivery_private.h"
#include "sift.h"

#define DUE_MS 10				/* what is due together goes out together */

static void due(void *arg);

enum mess_err
delivery_new(struct topics *topics, struct loop *loop, struct delivery **out)
{
	struct delivery *d = calloc(1, sizeof *d);
	enum mess_err err;

	if (d == NULL)
		return MESS_LIMIT;
	d->topics = topics;
	d->loop = loop;
	d->timer = (struct loop_timer){ .fire = due, .arg = d };
	TAILQ_INIT(&d->flows);
	TAILQ_INIT(&d->woken);
	if ((err = log_reader_new(&d->reader)) != MESS_OK) {
		free(d);
		return err;
	}
	*out = d;
	return MESS_OK;
}

void
delivery_free(struct delivery *d)
{
	if (d == NULL)
		return;
	loop_timer_clear(d->loop, &d->timer);
	log_reader_free(d->reader);
	free(d);
}

struct log_reader *
delivery_reader(const struct delivery *d)
{
	return d->reader;
}

void
delivery_rest(struct delivery *d)
{
	log_reader_rest(d->reader);
}

/* --- flows -------------------------------------------------------------- */

void
delivery_wake(struct flow *f)
{
	if (f->woken)
		return;
	f->woken = true;
	TAILQ_INSERT_TAIL(&f->delivery->woken, f, woken_link);
}

static void
log_grew(void *arg)
{
	delivery_wake(arg);
}

static enum mess_err
flow_of(struct delivery *d, struct topic *topic, struct flow **out)
{
	struct flow *f = topic->flow;

	if (f == NULL) {
		if ((f = calloc(1, sizeof *f)) == NULL)
			return MESS_LIMIT;
		f->delivery = d;
		f->topic = topic;
		f->due = UINT64_MAX;
		TAILQ_INIT(&f->members);
		TAILQ_INSERT_TAIL(&d->flows, f, link);
		topic->flow = f;
		log_on_durable(topic->log, log_grew, f);
	}
	*out = f;
	return MESS_OK;
}

static void
flow_leave(struct flow *f, struct member *m)
{
	if (m != NULL)
		TAILQ_REMOVE(&f->members, m, flow_link);
	if (!TAILQ_EMPTY(&f->members)) {
		delivery_wake(f);
		return;
	}
	if (f->woken)
		TAILQ_REMOVE(&f->delivery->woken, f, woken_link);
	TAILQ_REMOVE(&f->delivery->flows, f, link);
	log_on_durable(f->topic->log, NULL, NULL);
	f->topic->flow = NULL;
	free(f);
}

void
delivery_topic_changed(struct delivery *d, struct topic *topic)
{
	(void)d;
	if (topic->flow != NULL)
		delivery_wake(topic->flow);
}

/* --- what waits --------------------------------------------------------- */

static void
set_timer(struct delivery *d, uint64_t at)
{
	uint64_t now = loop_now(), in = at > now ? at - now : 0;

	if (d->timer.set && d->timer.due <= at)
		return;
	loop_timer_set(d->loop, &d->timer, in < DUE_MS ? DUE_MS : in);
}

static void
due(void *arg)
{
	uint64_t now = loop_now(), next = UINT64_MAX;
	struct delivery *d = arg;
	struct flow *f;

	TAILQ_FOREACH(f, &d->flows, link)
		if (f->due <= now)
			delivery_wake(f);
		else if (f->due < next)
			next = f->due;
	if (next != UINT64_MAX)
		set_timer(d, next);
}

/*
 * What it could be handed now it was.  One that asks for nothing, or has no
 * room, is woken when that changes: a timer for it would fire for ever.
 */
static bool
waits_for_time(const struct member *m)
{
	return m->sub != NULL && m->consumer->kind == CONSUMER_SUB && m->consumer->credit > 0 &&
	    output_has_room(m->consumer->output) && !m->flow->topic->conf.paused_out;
}

/* After its consumers were served: what is left waits for its time. */
static void
look_ahead(struct flow *f)
{
	struct member *m;
	uint64_t at;

	f->due = UINT64_MAX;
	TAILQ_FOREACH(m, &f->members, flow_link)
		if (waits_for_time(m) && (at = subscription_next_due(m->sub)) < f->due)
			f->due = at;
	if (f->due != UINT64_MAX)
		set_timer(f->delivery, f->due);
}

/* --- consumers ---------------------------------------------------------- */

enum mess_err
consumer_new(struct delivery *d, const struct consumer_setup *setup, struct consumer **out)
{
	struct consumer *c = calloc(1, sizeof *c);

	if (c == NULL)
		return MESS_LIMIT;
	*c = (struct consumer){ .kind = setup->kind, .delivery = d, .output = setup->output,
		.touched = setup->touched, .let_go = setup->let_go, .arg = setup->arg };
	TAILQ_INIT(&c->members);
	*out = c;
	return MESS_OK;
}

static void
leave(struct member *m)
{
	struct topic *topic = m->flow->topic;

	if (m->consumer->kind == CONSUMER_SUB)
		subscription_detach(m->sub, &m->lease);
	log_cursor_drop(&m->cursor);
	TAILQ_REMOVE(&m->consumer->members, m, link);
	flow_leave(m->flow, m);
	topic_release(m->consumer->delivery->topics, topic);
	free(m);
}

void
consumer_free(struct consumer *c)
{
	struct member *m;

	if (c == NULL)
		return;
	while ((m = TAILQ_FIRST(&c->members)) != NULL)
		leave(m);
	free(c);
}

void
consumer_has_pattern(struct consumer *c)
{
	c->has_pattern = true;
}

enum consumer_kind
consumer_kind(const struct consumer *c)
{
	return c->kind;
}

static struct member *
member_of(const struct consumer *c, const char *topic)
{
	struct member *m;

	TAILQ_FOREACH(m, &c->members, link)
		if (strcmp(m->flow->topic->name, topic) == 0)
			return m;
	return NULL;
}

/* The one that is read: one of somebody else's is not there, rather than damaged. */
static bool
is_letter(struct member *m, struct topic *topic)
{
	struct log_cursor cursor = { 0 };
	struct log_run run;
	struct sifted s;
	bool is;

	is = log_read(m->consumer->delivery->reader, topic->log, &cursor, m->pos, m->pos,
	    DELIVERY_RUN_BYTES, &run) == MESS_OK && !run.damaged;
	if (is) {
		sift_letters(m->owner, &run, &s);
		is = s.verdict == SIFT_SEND;
	}
	log_cursor_drop(&cursor);
	return is;
}

/* Where it begins, and a read ends. */
static void
set_place(struct member *m, const struct consumer_topic *t)
{
	struct log *l = t->topic->log;

	m->pos = log_first(l);
	m->last = log_durable(l) - 1;
	switch (m->consumer->kind) {
	case CONSUMER_TAIL:
		m->pos = log_durable(l);
		break;
	case CONSUMER_READ:
		if (t->lo > m->pos)
			m->pos = t->lo;
		if (t->hi < m->last)
			m->last = t->hi;
		if (m->letters && m->pos == m->last && !is_letter(m, t->topic))
			m->last--;
		break;
	case CONSUMER_SUB:
	case CONSUMER_PEEK:
		if (t->sub != NULL)
			m->pos = t->sub->place.floor;
		break;
	}
}

enum mess_err
consumer_join(struct consumer *c, struct consumer_topic *t)
{
	struct member *m;
	enum mess_err err;

	if (member_of(c, t->topic->name) != NULL)
		return MESS_EXISTS;
	if ((m = calloc(1, sizeof *m)) == NULL)
		return MESS_LIMIT;
	m->consumer = c;
	m->sub = t->sub;
	m->letters = t->letters;
	m->owner = t->owner;
	set_place(m, t);
	if ((err = flow_of(c->delivery, t->topic, &m->flow)) != MESS_OK) {
		free(m);
		return err;
	}
	if (c->kind == CONSUMER_SUB && (err = subscription_attach(t->sub, &m->lease)) != MESS_OK) {
		flow_leave(m->flow, NULL);
		free(m);
		return err;
	}
	TAILQ_INSERT_TAIL(&m->flow->members, m, flow_link);
	TAILQ_INSERT_TAIL(&c->members, m, link);
	t->lo = m->pos;
	t->hi = m->last;
	if (c->credit > 0)
		delivery_wake(m->flow);
	return MESS_OK;
}

struct subscription *
consumer_sub(const struct consumer *c, const char *topic, struct lease **lease)
{
	struct member *m = c->kind == CONSUMER_SUB ? member_of(c, topic) : NULL;

	if (m == NULL)
		return NULL;
	*lease = &m->lease;
	return m->sub;
}

bool
consumer_is_done(const struct consumer *c)
{
	return c->credit == 0;
}

/* Nothing is ready, and it did not want to wait. */
void
delivery_say_end(struct consumer *c)
{
	output_text(c->output, "END\n", 4);
	c->credit = 0;
	c->now = false;
	c->touched(c->arg);
}

void
consumer_take(struct consumer *c, uint64_t n, bool now)
{
	struct member *m;

	if (__builtin_add_overflow(c->credit, n, &c->credit))
		c->credit = UINT64_MAX;
	c->now = now || c->kind == CONSUMER_PEEK || c->kind == CONSUMER_READ;
	TAILQ_FOREACH(m, &c->members, link)
		delivery_wake(m->flow);
	if (c->now && TAILQ_EMPTY(&c->members))
		delivery_say_end(c);
}

void
consumer_resume(struct consumer *c)
{
	struct member *m;

	if (c->credit == 0)
		return;
	TAILQ_FOREACH(m, &c->members, link)
		delivery_wake(m->flow);
}

bool
delivery_oldest(struct delivery *d, struct topic *topic, uint64_t *sec, uint32_t *nsec)
{
	uint64_t first = log_first(topic->log), floor = subscriptions_floor(topic);
	struct log_cursor cursor = { 0 };
	struct record rec;
	struct log_run run;
	bool found;

	if (floor != UINT64_MAX && floor > first)
		first = floor;
	found = first < log_durable(topic->log) &&
	    log_read(d->reader, topic->log, &cursor, first, first, DELIVERY_RUN_BYTES, &run) == MESS_OK &&
	    !run.damaged && record_read_line(run.data,
	    (size_t)((const char *)memchr(run.data, '\n', run.len) + 1 - run.data), &rec) == MESS_OK;
	log_cursor_drop(&cursor);
	if (!found)
		return false;
	*sec = rec.sec;
	*nsec = rec.nsec;
	return true;
}

/*
 * One that has other topics, or a pattern, goes on with those; the others'
 * connection ends, and that of who has something of it in hand: its answers
 * would be taken for a topic that is made anew under the name.  Without the
 * line both would look like an engine that went away, and who comes back to
 * that makes the topic again.
 */
static void
lose(struct member *m, enum mess_err why, const char *words, bool cut)
{
	bool in_hand = m->lease.held.count > 0 || m->lease.voided.count > 0;
	struct consumer *c = m->consumer;
	bool sending = !output_is_empty(c->output);

	output_printf(c->output, "GONE %s %s %s\n", m->flow->topic->name, err_word(why), words);
	/* Who reads nothing is told no more: topics of a pattern may come and go for ever. */
	c->output->broken |= buf_len(&c->output->text) >= LIMIT_OUTPUT_BYTES;
	leave(m);
	if (in_hand || (!c->has_pattern && TAILQ_EMPTY(&c->members))) {
		c->credit = 0;
		c->let_go(c->arg);
		/* What is on its way to who may not have it any more goes no further. */
		c->output->broken |= cut && sending;
	} else if (c->now && c->credit > 0 && TAILQ_EMPTY(&c->members)) {
		delivery_say_end(c);
	}
	c->touched(c->arg);
}

/* sub NULL: all of the topic's. */
static void
lose_all(struct topic *topic, const struct subscription *sub)
{
	struct member *m, *next;

	if (topic->flow == NULL)
		return;
	for (m = TAILQ_FIRST(&topic->flow->members); m != NULL; m = next) {
		next = TAILQ_NEXT(m, flow_link);
		/* The last one takes the flow with it. */
		if (sub == NULL)
			lose(m, MESS_NOTOPIC, "the topic was deleted", false);
		else if (m->sub == sub)
			lose(m, MESS_NOSUB, "the subscription was removed", false);
	}
}

void
delivery_topic_gone(struct delivery *d, struct topic *topic)
{
	(void)d;
	lose_all(topic, NULL);
}

void
delivery_sub_gone(struct delivery *d, struct subscription *sub)
{
	(void)d;
	lose_all(sub->topic, sub);
}

void
consumer_recheck(struct consumer *c,
    enum mess_err (*may)(void *arg, struct topic *t, const struct subscription *sub), void *arg)
{
	struct member *m, *next;
	enum mess_err err;

	for (m = TAILQ_FIRST(&c->members); m != NULL; m = next) {
		next = TAILQ_NEXT(m, link);
		if ((err = may(arg, m->flow->topic, m->sub)) != MESS_OK)
			lose(m, err, "it may not be subscribed to any more", true);
	}
}

static struct member *
rotate(struct flow *f)
{
	struct member *m = TAILQ_FIRST(&f->members);

	if (m != NULL) {
		TAILQ_REMOVE(&f->members, m, flow_link);
		TAILQ_INSERT_TAIL(&f->members, m, flow_link);
	}
	return m;
}

/*
 * Those who were served go behind the others: a turn that is cut off begins
 * where it ended.  Then it looks at all again, as one that was served may
 * have room, or ask for more, since.
 */
static void
run_flow(struct flow *f, uint64_t until_us)
{
	unsigned left = 0;
	struct member *m;

	TAILQ_FOREACH(m, &f->members, flow_link)
		left++;
	while (left-- > 0 && (m = rotate(f)) != NULL) {
		delivery_pump(m);
		if (left > 0 && loop_now_us() >= until_us) {
			delivery_wake(f); /* behind the other flows */
			return;
		}
	}
	look_ahead(f);
	(void)rotate(f); /* the one that was first is last next time, so that few messages go round */
}

bool
delivery_run(struct delivery *d, uint64_t share_us)
{
	struct flow *f, *last = TAILQ_LAST(&d->woken, flow_list);
	uint64_t until = loop_now_us() + share_us;

	/* Those woken meanwhile have their turn after the next commit. */
	while ((f = TAILQ_FIRST(&d->woken)) != NULL) {
		TAILQ_REMOVE(&d->woken, f, woken_link);
		f->woken = false;
		run_flow(f, until);
		if (f == last || loop_now_us() >= until)
			break;
	}
	return delivery_has_work(d);
}

bool
delivery_has_work(const struct delivery *d)
{
	return !TAILQ_EMPTY(&d->woken);
}
