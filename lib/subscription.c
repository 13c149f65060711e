/* SPDX-License-Identifier: ISC */
/*
 * Subscription Manager.
 *
 * In memory a subscription is four things: the place (what is settled),
 * next (what was never handed out), back (what was, and came back), and
 * each consumer's leases.  Only the place is on disk: whatever a crash
 * finds leased or back is simply not settled, and goes out again.
 */
#include "subscription.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "base/fd.h"
#include "base/fs.h"
#include "limit.h"

struct subscriptions {
	TAILQ_HEAD(, subscription) list;
	unsigned count;
};

/* --- the place in the commit -------------------------------------------- */

static enum mess_err
place_put(void *arg)
{
	struct subscription *s = arg;
	enum mess_err err;
	char *p;

	if ((err = journal_put(store_journal(log_store(s->topic->log)), s->file, 0,
	    place_len(&s->place), &p)) != MESS_OK)
		return err;
	place_write(&s->place, p);
	return MESS_OK;
}

static void
place_done(void *arg, bool durable)
{
	(void)arg; /* nobody waits for it but who hears OK after the commit */
	(void)durable;
}

/* Room in the commit being gathered, before anything is changed. */
static enum mess_err
join(struct subscription *s)
{
	struct store *store = log_store(s->topic->log);
	enum mess_err err;

	if (store_is_sick(store))
		return MESS_SICK;
	if (s->part.joined)
		return MESS_OK;
	s->part.most = PLACE_SIZE + 512;
	if ((err = store_room(store, s->part.most)) != MESS_OK)
		return err;
	store_join(store, &s->part);
	return MESS_OK;
}

/* --- the list ----------------------------------------------------------- */

static void
subscription_free(struct subscription *s)
{
	if (s == NULL)
		return;
	if (s->part.joined)
		store_leave(log_store(s->topic->log), &s->part);
	journal_file_unref(s->file);
	place_free(&s->place);
	ranges_free(&s->back);
	free(s);
}

static void
subscriptions_free(struct subscriptions *set)
{
	struct subscription *s;

	while ((s = TAILQ_FIRST(&set->list)) != NULL) {
		TAILQ_REMOVE(&set->list, s, link);
		subscription_free(s);
	}
	free(set);
}

static void
insert(struct subscriptions *set, struct subscription *s)
{
	struct subscription *other;

	set->count++;
	TAILQ_FOREACH(other, &set->list, link)
		if (strcmp(other->name, s->name) > 0) {
			TAILQ_INSERT_BEFORE(other, s, link);
			return;
		}
	TAILQ_INSERT_TAIL(&set->list, s, link);
}

static enum mess_err
read_place(struct subscription *s)
{
	AUTO_FD int fd = -1;
	enum mess_err err;

	if ((err = place_open_file(s->topic->dir, s->name, &fd)) != MESS_OK)
		return err;
	return place_read(fd, &s->place);
}

static struct subscription *
subscription_new(struct topic *t, const char *name)
{
	struct subscription *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->topic = t;
	(void)strlcpy(s->name, name, sizeof s->name); /* a checked name fits */
	s->part = (struct store_part){ .put = place_put, .done = place_done, .arg = s };
	return s;
}

/*
 * A damaged place costs no message: the subscription begins again at the
 * oldest one kept, loudly, and what it had settled comes twice.
 */
static enum mess_err
load_one(struct subscriptions *set, struct topic *t, const char *name)
{
	struct subscription *s;
	enum mess_err err;

	if (name_check_sub(name, NULL) != MESS_OK)
		return MESS_OK;
	if ((s = subscription_new(t, name)) == NULL)
		return MESS_LIMIT;
	if ((err = read_place(s)) == MESS_CORRUPT) {
		store_say(log_store(t->log), "%s: subscription %s: its place is damaged; it begins again",
		    t->name, name);
		s->place = (struct place){ .id = ((uint64_t)arc4random() << 32) | arc4random() };
		err = MESS_OK;
	}
	if (err != MESS_OK) {
		subscription_free(s);
		return err;
	}
	if (s->place.floor < log_first(t->log))
		s->place.floor = log_first(t->log);
	s->next = s->place.floor;
	insert(set, s);
	return MESS_OK;
}

static enum mess_err
load(struct subscriptions *set, struct topic *t)
{
	AUTO_FD int dir = -1;
	enum mess_err err;
	char **names;
	size_t count;

	if ((err = fs_open_dir(t->dir, "sub", &dir)) != MESS_OK ||
	    (err = fs_list(dir, &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < count; i++)
		err = load_one(set, t, names[i]);
	fs_free_names(names, count);
	return err;
}

enum mess_err
subscriptions_of(struct topic *t, struct subscriptions **out)
{
	struct subscriptions *set;
	enum mess_err err;

	if (t->subs == NULL) {
		if ((set = calloc(1, sizeof *set)) == NULL)
			return MESS_LIMIT;
		TAILQ_INIT(&set->list);
		if ((err = load(set, t)) != MESS_OK) {
			subscriptions_free(set);
			return err;
		}
		t->subs = set;
		t->subs_free = subscriptions_free;
	}
	*out = t->subs;
	return MESS_OK;
}

struct subscription *
subscriptions_first(struct subscriptions *s)
{
	return TAILQ_FIRST(&s->list);
}

unsigned
subscriptions_count(const struct subscriptions *s)
{
	return s->count;
}

struct subscription *
subscription_find(struct subscriptions *set, const char *name)
{
	struct subscription *s;

	TAILQ_FOREACH(s, &set->list, link)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

enum mess_err
subscription_make(struct topic *t, const char *name, uid_t owner, struct subscription **out)
{
	struct subscriptions *set;
	struct subscription *s;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	if (set->count >= LIMIT_SUBSCRIPTIONS)
		return MESS_LIMIT;
	if ((s = subscription_new(t, name)) == NULL)
		return MESS_LIMIT;
	s->place = (struct place){ .id = ((uint64_t)arc4random() << 32) | arc4random(),
		.owner = owner, .floor = log_first(t->log) };
	s->next = s->place.floor;
	if ((err = place_make(t->dir, name, &s->place)) != MESS_OK) {
		/* A name whose sync failed may come back after a power cut, or not. */
		if (err == MESS_IO)
			journal_fail(store_journal(log_store(t->log)));
		subscription_free(s);
		return err;
	}
	insert(set, s);
	*out = s;
	return MESS_OK;
}

/* --- consumers ---------------------------------------------------------- */

enum mess_err
subscription_attach(struct subscription *s)
{
	struct journal_name as = *log_name(s->topic->log);
	enum mess_err err;
	int fd;

	if (s->file == NULL) {
		if ((err = place_open_file(s->topic->dir, s->name, &fd)) != MESS_OK)
			return err;
		as.kind = JOURNAL_PLACE;
		as.first = s->place.id;
		(void)strlcpy(as.sub, s->name, sizeof as.sub); /* the same size */
		if ((s->file = journal_file_new(fd, &as)) == NULL)
			return MESS_LIMIT;
	}
	s->consumers++;
	return MESS_OK;
}

void
subscription_detach(struct subscription *s, struct ranges *leased)
{
	for (size_t i = 0; i < leased->count; i++) {
		struct range r = leased->r[i];

		s->leased -= r.hi - r.lo + 1;
		/* Without memory for it: everything from there goes out again, once more. */
		if (ranges_add(&s->back, r.lo, r.hi) != MESS_OK && r.lo < s->next)
			s->next = r.lo;
	}
	ranges_free(leased);
	s->consumers--;
}

/* --- what is ready ------------------------------------------------------ */

/* Skips what is settled above the floor: only a restart finds such numbers at next. */
static void
skip_settled(struct subscription *s)
{
	const struct range *r;

	if (s->next < s->place.floor)
		s->next = s->place.floor;
	while ((r = ranges_from(&s->place.settled, s->next)) != NULL && r->lo <= s->next)
		s->next = r->hi + 1;
}

bool
subscription_is_full(const struct subscription *s)
{
	return s->place.settled.count >= PLACE_RANGES_MAX - 2;
}

bool
subscription_ready(struct subscription *s, uint64_t max, struct range *out)
{
	uint64_t end = log_durable(s->topic->log);
	const struct range *r;
	struct range run;

	if (max == 0 || subscription_is_full(s))
		return false;
	if (s->back.count > 0)
		run = s->back.r[0];
	else {
		skip_settled(s);
		if (s->next >= end)
			return false;
		run = (struct range){ s->next, end - 1 };
		if ((r = ranges_from(&s->place.settled, s->next)) != NULL && r->lo <= run.hi)
			run.hi = r->lo - 1;
	}
	if (run.hi - run.lo >= max)
		run.hi = run.lo + max - 1;
	*out = run;
	return true;
}

uint64_t
subscription_ready_count(const struct subscription *s)
{
	uint64_t end = log_durable(s->topic->log), next = s->next, n = ranges_total(&s->back);
	const struct range *r;

	/* Settled numbers above next are those that a restart found. */
	while ((r = ranges_from(&s->place.settled, next)) != NULL && r->lo < end) {
		n += r->lo > next ? r->lo - next : 0;
		next = r->hi + 1;
	}
	return n + (end > next ? end - next : 0);
}

uint64_t
subscription_pending(const struct subscription *s)
{
	uint64_t end = log_durable(s->topic->log);
	uint64_t all = end > s->place.floor ? end - s->place.floor : 0;

	return all - ranges_total(&s->place.settled);
}

enum mess_err
subscription_lease(struct subscription *s, struct ranges *leased, const struct range *run)
{
	bool again = s->back.count > 0 && run->lo >= s->back.r[0].lo && run->lo < s->next;
	enum mess_err err;

	if ((err = ranges_add(leased, run->lo, run->hi)) != MESS_OK)
		return err;
	if (again) {
		s->place.redelivered += run->hi - run->lo + 1;
		/* Removing from a range's front needs no memory. */
		ERR_IGNORE(ranges_remove(&s->back, run->lo, run->hi));
	} else
		s->next = run->hi + 1;
	s->leased += run->hi - run->lo + 1;
	return MESS_OK;
}

/* --- settling ----------------------------------------------------------- */

/* What all subscriptions have settled may go. */
static enum mess_err
free_settled(struct subscription *s)
{
	uint64_t least = s->place.floor;
	struct subscription *other;

	TAILQ_FOREACH(other, &s->topic->subs->list, link)
		if (other->place.floor < least)
			least = other->place.floor;
	return topic_settled(s->topic, least);
}

/* The floor only rises, and takes with it what was settled above it without a gap. */
static enum mess_err
settle(struct subscription *s, const struct range *run)
{
	struct place *p = &s->place;
	enum mess_err err;

	if (run->hi < p->floor)
		return MESS_OK;
	if (run->lo > p->floor)
		return ranges_add(&p->settled, run->lo, run->hi);
	p->floor = run->hi + 1;
	while (p->settled.count > 0 && p->settled.r[0].lo <= p->floor) {
		if (p->settled.r[0].hi >= p->floor)
			p->floor = p->settled.r[0].hi + 1;
		if ((err = ranges_remove(&p->settled, 0, p->floor - 1)) != MESS_OK)
			return err;
	}
	return free_settled(s);
}

enum mess_err
subscription_ack(struct subscription *s, struct ranges *leased, const struct range *run)
{
	enum mess_err err;

	if (!ranges_contain(leased, run->lo, run->hi))
		return MESS_USAGE;
	/* The place is full: what comes first must be acknowledged first. */
	if (run->lo > s->place.floor && s->place.settled.count >= PLACE_RANGES_MAX - 1)
		return MESS_LIMIT;
	if ((err = join(s)) != MESS_OK || (err = ranges_remove(leased, run->lo, run->hi)) != MESS_OK)
		return err;
	s->leased -= run->hi - run->lo + 1;
	s->place.acked += run->hi - run->lo + 1;
	return settle(s, run);
}

static enum mess_err
lose(struct subscription *s, const struct range *part, bool may_settle)
{
	if (!may_settle)
		return MESS_OK;
	s->place.damaged += part->hi - part->lo + 1;
	return settle(s, part);
}

/* The part of run that begins with next, up to what is settled already. */
static struct range
next_part(const struct subscription *s, const struct range *run)
{
	const struct range *r = ranges_from(&s->place.settled, s->next);

	return (struct range){ s->next, r != NULL && r->lo <= run->hi ? r->lo - 1 : run->hi };
}

/*
 * Only what is free is lost here: a number of the run that a consumer holds
 * was read before it was damaged, and is that consumer's to settle.  A sick
 * spool settles nothing, but what lies behind is still handed out.
 */
enum mess_err
subscription_damaged(struct subscription *s, const struct range *run)
{
	enum mess_err err = join(s);
	bool may_settle = err == MESS_OK;
	const struct range *r;
	struct range part;

	if (err != MESS_OK && err != MESS_SICK)
		return err;
	while ((r = ranges_from(&s->back, run->lo)) != NULL && r->lo <= run->hi) {
		part.lo = r->lo < run->lo ? run->lo : r->lo;
		part.hi = r->hi > run->hi ? run->hi : r->hi;
		if ((err = ranges_remove(&s->back, part.lo, part.hi)) != MESS_OK ||
		    (err = lose(s, &part, may_settle)) != MESS_OK)
			return err;
	}
	for (skip_settled(s); s->next >= run->lo && s->next <= run->hi; skip_settled(s)) {
		part = next_part(s, run);
		s->next = part.hi + 1;
		if ((err = lose(s, &part, may_settle)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}
