/* SPDX-License-Identifier: ISC */
/*
 * The account, checked.
 */
#include "fsck.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/work.h"
#include "subscription.h"

/* ---- the rules ---- */

bool
fsck_topic_holds(const struct fsck_topic *t, char *why, size_t size)
{
	uint64_t freed = t->settled + t->expired + t->purged + t->dropped;

	if (t->first < 1 || t->first - 1 != freed) {
		(void)snprintf(why, size, "%" PRIu64 " numbers are below the first kept, but %" PRIu64
		    " settled + %" PRIu64 " expired + %" PRIu64 " purged + %" PRIu64 " dropped = %" PRIu64,
		    t->first - 1, t->settled, t->expired, t->purged, t->dropped, freed);
		return false;
	}
	if (t->published != t->present + freed) {
		(void)snprintf(why, size, "%" PRIu64 " were published, but %" PRIu64 " present + %" PRIu64
		    " freed = %" PRIu64, t->published, t->present, freed, t->present + freed);
		return false;
	}
	return true;
}

bool
fsck_sub_holds(const struct fsck_topic *t, const struct fsck_sub *s, char *why, size_t size)
{
	int64_t all = (int64_t)t->published + 1 - s->start;

	if (s->pending != s->waiting + s->leased + s->delayed) {
		(void)snprintf(why, size, "%" PRIu64 " are pending, but %" PRIu64 " waiting + %" PRIu64
		    " leased + %" PRIu64 " delayed = %" PRIu64, s->pending, s->waiting, s->leased, s->delayed,
		    s->waiting + s->leased + s->delayed);
		return false;
	}
	if ((int64_t)(s->settled + s->pending) != all) {
		(void)snprintf(why, size, "%" PRId64 " numbers are its, but %" PRIu64 " settled + %" PRIu64
		    " pending = %" PRIu64, all, s->settled, s->pending, s->settled + s->pending);
		return false;
	}
	if (s->floor < t->first || s->floor > t->published + 1) {
		(void)snprintf(why, size, "its floor %" PRIu64 " is not within what is kept, %" PRIu64 " to %" PRIu64,
		    s->floor, t->first, t->published);
		return false;
	}
	return true;
}

/* ---- a spool without an engine ---- */

struct checker {
	struct fsck *f;
	struct work *work;
	struct store *store;
	struct topics *topics;
};

static void
tell(const struct checker *c, const struct fsck_finding *finding)
{
	c->f->found(c->f->arg, finding);
}

/* A place that does not check; the Subscription Manager begins it again when it is loaded. */
static bool
is_damaged(const struct topic *t, const char *sub)
{
	struct place p = { 0 };
	AUTO_FD int fd = -1;
	bool damaged;

	if (place_open_file(t->dir, sub, &fd) != MESS_OK)
		return false;
	damaged = place_read(fd, &p) == MESS_CORRUPT;
	place_free(&p);
	return damaged;
}

/* Written by the next commit, as it stands in memory. */
static enum mess_err
write_place(const struct checker *c, struct topic *t, const char *name)
{
	struct subscriptions *set;
	struct subscription *sub;
	enum mess_err err;

	if ((err = subscriptions_of(t, &set)) != MESS_OK || (sub = subscription_find(set, name)) == NULL)
		return err;
	if ((err = subscription_join(sub)) != MESS_OK)
		return err;
	return store_commit(c->store);
}

/* Before the subscriptions are loaded: that mends them in memory. */
static enum mess_err
check_places(const struct checker *c, struct topic *t)
{
	AUTO_FD int dir = -1;
	enum mess_err err;
	char **names;
	size_t count;

	if ((err = fs_open_dir(t->dir, "sub", &dir)) != MESS_OK || (err = fs_list(dir, &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < count; i++) {
		if (!is_damaged(t, names[i]))
			continue;
		if (c->f->repair)
			err = write_place(c, t, names[i]);
		tell(c, &(struct fsck_finding){ .topic = t->name, .sub = names[i],
			.what = "its place is damaged: it begins again with the oldest message kept",
			.mended = c->f->repair && err == MESS_OK });
	}
	fs_free_names(names, count);
	return err;
}

static enum mess_err
check_sub(const struct checker *c, const struct fsck_topic *t, const struct subscription *s)
{
	const struct place *p = &s->place;
	struct subscription_counts counts;
	struct fsck_sub sub;
	char why[256];

	subscription_count(s, &counts);
	sub = (struct fsck_sub){ .start = (int64_t)p->start, .floor = p->floor, .pending = counts.pending,
		.waiting = counts.waiting, .leased = counts.leased, .delayed = counts.delayed };
	for (int i = 0; i < PLACE_COUNTS; i++)
		sub.settled += p->counts[i];
	if (!fsck_sub_holds(t, &sub, why, sizeof why))
		tell(c, &(struct fsck_finding){ .topic = s->topic->name, .sub = s->name, .what = why });
	c->f->subs++;
	return MESS_OK;
}

static enum mess_err
check_open(const struct checker *c, struct topic *t)
{
	const struct log *l = t->log;
	struct fsck_topic counts = { .published = log_durable(l) - 1, .first = log_first(l),
		.present = log_durable(l) - log_first(l), .settled = log_counted(l, LOG_SETTLED),
		.expired = log_counted(l, LOG_EXPIRED), .purged = log_counted(l, LOG_PURGED),
		.dropped = log_counted(l, LOG_DROPPED) };
	struct subscriptions *set;
	struct subscription *s;
	enum mess_err err;
	char why[256];

	if (!fsck_topic_holds(&counts, why, sizeof why))
		tell(c, &(struct fsck_finding){ .topic = t->name, .what = why });
	if ((err = check_places(c, t)) != MESS_OK || (err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	TAILQ_FOREACH(s, &set->list, link)
		if ((err = check_sub(c, &counts, s)) != MESS_OK)
			return err;
	return MESS_OK;
}

/* One that is damaged does not hide the others. */
static enum mess_err
check_topic(const struct checker *c, struct topic *t)
{
	enum mess_err err;

	c->f->topics++;
	if ((err = topic_use(c->topics, t)) == MESS_OK) {
		err = check_open(c, t);
		topic_release(c->topics, t);
	}
	if (err != MESS_CORRUPT)
		return err;
	tell(c, &(struct fsck_finding){ .topic = t->name, .what = "its files are damaged" });
	return MESS_OK;
}

static enum mess_err
check_all(struct checker *c, int spool)
{
	struct journal_target find = { .open = topic_open_target, .arg = &spool };
	struct store_report report = { .fn = c->f->said, .arg = c->f->arg };
	enum mess_err err;

	if ((err = work_new(&c->work)) != MESS_OK ||
	    (err = store_open(spool, c->work, &report, &find, &c->store)) != MESS_OK ||
	    (err = topics_new(c->store, &c->topics)) != MESS_OK)
		return err;
	for (struct topic *t = topics_after(c->topics, ""); err == MESS_OK && t != NULL;
	    t = topics_after(c->topics, t->name))
		err = check_topic(c, t);
	journal_drain(store_journal(c->store));
	return err;
}

enum mess_err
fsck_spool(int spool, struct fsck *f)
{
	struct checker c = { .f = f };
	enum mess_err err = check_all(&c, spool);

	topics_free(c.topics);
	store_close(c.store);
	work_free(c.work);
	return err;
}
