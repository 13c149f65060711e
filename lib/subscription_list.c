/* SPDX-License-Identifier: ISC */
/*
 * A topic's subscriptions: their files, and the list that is read from
 * them when it is first asked for.
 *
 * One that is removed has its file renamed to sub/.gone-ID, so that a
 * journal entry that names it is known to be over, and unlinked when no
 * entry does.
 */
#include "subscription.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/loop.h"
#include "limit.h"

/* --- the place in the commit -------------------------------------------- */

/* Open for puts; closed again when nobody consumes and the commit is over. */
enum mess_err
subscription_open(struct subscription *s)
{
	struct journal_name as = *log_name(s->topic->log);
	enum mess_err err;
	int fd;

	if (s->file != NULL)
		return MESS_OK;
	/* Made anew before its first change: that would go into a file which does not check, and begin again. */
	if (s->damaged && (err = place_replace(s->topic->dir, s->name, &s->place)) != MESS_OK)
		return err;
	s->damaged = false;
	if ((err = place_open_file(s->topic->dir, s->name, &fd)) != MESS_OK)
		return err;
	as.kind = JOURNAL_PLACE;
	as.first = s->place.id;
	(void)strlcpy(as.sub, s->name, sizeof as.sub); /* the same size */
	return (s->file = journal_file_new(fd, &as)) == NULL ? MESS_LIMIT : MESS_OK;
}

static enum mess_err
place_put(void *arg)
{
	struct subscription *s = arg;
	enum mess_err err;
	char *p;

	if ((err = journal_put(store_journal(log_store(s->topic->log)),
	    s->file, 0, place_len(&s->place), &p)) != MESS_OK)
		return err;
	place_write(&s->place, p);
	return MESS_OK;
}

static void
place_done(void *arg, bool durable)
{
	struct subscription *s = arg;

	(void)durable; /* nobody waits for it but who hears OK after the commit */
	if (s->consumers > 0)
		return;
	journal_file_unref(s->file);
	s->file = NULL;
}

enum mess_err
subscription_attach(struct subscription *s, struct lease *lease)
{
	enum mess_err err;

	if ((err = subscription_open(s)) != MESS_OK)
		return err;
	s->consumers++;
	TAILQ_INSERT_TAIL(&s->leases, lease, link);
	return MESS_OK;
}

/* --- the list ----------------------------------------------------------- */

static void
subscription_free(struct subscription *s)
{
	if (s->part.joined)
		store_leave(log_store(s->topic->log), &s->part);
	journal_file_unref(s->file);
	place_free(&s->place);
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

static struct subscription *
subscription_new(struct topic *t, const char *name)
{
	struct subscription *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->topic = t;
	TAILQ_INIT(&s->leases);
	(void)strlcpy(s->name, name, sizeof s->name); /* a checked name fits */
	s->part = (struct store_part){ .put = place_put, .done = place_done, .arg = s };
	return s;
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

/* What was handed out, is not settled, and of which nothing is known: a crash took its consumer. */
static enum mess_err
find_leased(struct subscription *s)
{
	struct place *p = &s->place;
	struct attempt tried = { .count = 1, .state = ATTEMPT_READY };
	const struct attempt *a;
	const struct range *r;
	enum mess_err err;

	for (uint64_t n = p->floor; n < p->next; n = tried.hi + 1) {
		r = ranges_from(&p->settled, n);
		a = attempts_from(&p->attempts, n);
		tried.lo = n;
		if (r != NULL && r->lo <= n) {
			tried.hi = r->hi;
			continue;
		}
		if (a != NULL && a->lo <= n) {
			tried.hi = a->hi;
			continue;
		}
		tried.hi = p->next - 1;
		if (r != NULL && r->lo <= tried.hi)
			tried.hi = r->lo - 1;
		if (a != NULL && a->lo <= tried.hi)
			tried.hi = a->lo - 1;
		if ((err = attempts_put(&p->attempts, &tried)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}

/*
 * A damaged place costs no message: the subscription begins again at the
 * oldest one kept, loudly, and what it had settled comes twice.
 */
static void
begin_again(struct subscription *s)
{
	struct place *p = &s->place;
	uint64_t first = log_first(s->topic->log);
	struct grants *share = p->share;
	char match[PLACE_MATCH_MAX + 1];

	store_say(log_store(s->topic->log), "%s: subscription %s: its place is damaged; it begins again%s",
	    s->topic->name, s->name, share != NULL && share->count == 0 ?
	    ", and is its administrators': who shares it cannot be read" : "");
	(void)strlcpy(match, p->match, sizeof match); /* the same size; "" where that is damaged, too */
	*p = (struct place){ .id = ((uint64_t)arc4random() << 32) | arc4random(), .owner = p->owner,
		.start = first, .floor = first, .next = first, .share = share };
	(void)strlcpy(p->match, match, sizeof p->match); /* likewise */
	s->damaged = true;
}

/* What it never was: a place ahead of its log would pass over what is published next. */
static void
hold_back(struct place *p, uint64_t end)
{
	if (p->floor > end) {
		p->start -= p->floor - end;
		p->floor = end;
	}
	if (p->next > end)
		p->next = end;
}

static enum mess_err
load_one(struct subscriptions *set, struct topic *t, const char *name)
{
	struct subscription *s;
	enum mess_err err;

	if (name_check_sub_file(name) != MESS_OK)
		return MESS_OK;
	if ((s = subscription_new(t, name)) == NULL)
		return MESS_LIMIT;
	if ((err = read_place(s)) == MESS_CORRUPT) {
		begin_again(s);
		err = MESS_OK;
	}
	hold_back(&s->place, log_durable(t->log));
	if (err != MESS_OK || (err = find_leased(s)) != MESS_OK) {
		subscription_free(s);
		return err;
	}
	/* A crash came between what it forgot and the topic's first number: the rest is gone too. */
	if ((err = place_forget(&s->place, log_first(t->log), PLACE_DROPPED)) != MESS_OK) {
		subscription_free(s);
		return err;
	}
	insert(set, s);
	return MESS_OK;
}

struct removal {
	int dir;
	char name[PLACE_GONE_LEN];
	struct journal_after after;
};

static void
removed(void *arg)
{
	struct removal *r = arg;

	(void)unlinkat(r->dir, r->name, 0); /* the next opening tries again */
	fd_close(&r->dir);
	free(r);
}

/* A file of sub/ goes when no live entry names it; without memory for that, when the topic is opened next. */
static void
remove_later(struct topic *t, const char *name)
{
	struct removal *r = calloc(1, sizeof *r);

	if (r == NULL)
		return;
	if (fs_open_dir(t->dir, "sub", &r->dir) != MESS_OK) {
		free(r);
		return;
	}
	(void)strlcpy(r->name, name, sizeof r->name); /* callers have such a name */
	r->after = (struct journal_after){ .fn = removed, .arg = r };
	journal_after(store_journal(log_store(t->log)), &r->after);
}

/* What an earlier opening did not get to. */
static void
remove_gone(struct topic *t, int dir)
{
	struct dirent *e;
	DIR *d;
	int fd;

	if ((fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return; /* the next opening tries again */
	if ((d = fdopendir(fd)) == NULL) {
		fd_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (place_name_is_gone(e->d_name))
			remove_later(t, e->d_name);
	(void)closedir(d);
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
	remove_gone(t, dir);
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
subscription_find(struct subscriptions *set, const char *name)
{
	struct subscription *s;

	TAILQ_FOREACH(s, &set->list, link)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

void
subscription_own_name(uid_t uid, const char *label, char *out)
{
	(void)snprintf(out, NAME_SUB_MAX + 1, "%u.%s", uid, label); /* a checked label fits */
}

bool
subscription_is_own(const struct subscription *s, uid_t *owner)
{
	if (strchr(s->name, '.') == NULL)
		return false;
	*owner = (uid_t)strtoul(s->name, NULL, 10); /* checked when it was read or made */
	return true;
}

const char *
subscription_label(const struct subscription *s)
{
	const char *dot = strchr(s->name, '.');

	return dot == NULL ? s->name : dot + 1;
}

/* --- making and removing ------------------------------------------------ */

enum mess_err
subscription_make(struct topic *t, const struct subscription_setup *setup, struct subscription **out)
{
	struct subscriptions *set;
	struct subscription *s;
	enum mess_err err;

	/* It may begin behind what is only gathered: numbers that a crash would give to others. */
	if ((err = store_commit(log_store(t->log))) != MESS_OK || (err = subscriptions_of(t, &set)) != MESS_OK)
		return err;
	if (set->count >= LIMIT_SUBSCRIPTIONS)
		return MESS_LIMIT;
	if ((s = subscription_new(t, setup->name)) == NULL)
		return MESS_LIMIT;
	s->place = (struct place){ .id = ((uint64_t)arc4random() << 32) | arc4random(),
		.owner = setup->owner, .start = setup->from, .floor = setup->from, .next = setup->from,
		.share = grants_ref(setup->share) };
	(void)strlcpy(s->place.match, setup->match, sizeof s->place.match); /* checked to fit */
	if ((err = place_make(t->dir, setup->name, &s->place)) != MESS_OK) {
		/* A name whose sync failed may come back after a power cut, or not. */
		if (err == MESS_IO)
			journal_fail(store_journal(log_store(t->log)));
		subscription_free(s);
		return err;
	}
	insert(set, s);
	*out = s;
	/* It may be the only one: what lies before it nobody wants, and nothing that it settles is that old. */
	ERR_IGNORE(subscription_free_settled(t)); /* it is made; what can go goes with the next that does */
	return MESS_OK;
}

enum mess_err
subscription_remove(struct subscription *s)
{
	struct store *store = log_store(s->topic->log);
	struct subscriptions *set = s->topic->subs;
	char gone[PLACE_GONE_LEN];
	struct topic *t = s->topic;
	enum mess_err err;

	/* What it has settled may have been answered: that comes before its end. */
	if ((err = store_commit(store)) != MESS_OK ||
	    (err = place_remove(t->dir, s->name, s->place.id, gone)) != MESS_OK) {
		if (err == MESS_IO)
			journal_fail(store_journal(store));
		return err;
	}
	remove_later(t, gone);
	TAILQ_REMOVE(&set->list, s, link);
	set->count--;
	subscription_free(s);
	ERR_IGNORE(subscription_free_settled(t)); /* it is removed; what it held back goes with the next one */
	return MESS_OK;
}

/* --- all of a topic's --------------------------------------------------- */

uint64_t
subscriptions_floor(struct topic *t)
{
	uint64_t least = UINT64_MAX;
	struct subscription *s;

	TAILQ_FOREACH(s, &t->subs->list, link)
		if (s->place.floor < least)
			least = s->place.floor;
	return least;
}

/* Where nobody subscribes messages stay. */
enum mess_err
subscription_free_settled(struct topic *t)
{
	return TAILQ_EMPTY(&t->subs->list) ? MESS_OK : topic_settled(t, subscriptions_floor(t));
}

bool
subscriptions_want(struct topic *t, uint64_t seq)
{
	struct subscriptions *set;
	struct subscription *s;

	if (seq < log_first(t->log))
		return false;
	if (subscriptions_of(t, &set) != MESS_OK)
		return true;
	TAILQ_FOREACH(s, &set->list, link)
		if (seq >= s->place.floor && !ranges_contain(&s->place.settled, seq, seq))
			return true;
	return TAILQ_EMPTY(&set->list);
}

static bool
has(const struct subscription *s, uint64_t seq)
{
	const struct attempt *a = attempts_of(&s->place.attempts, seq);
	const struct lease *lease;

	if (a != NULL && a->state == ATTEMPT_HELD && a->due > loop_now())
		return true;
	TAILQ_FOREACH(lease, &s->leases, link)
		if (lease_holds(lease, seq))
			return true;
	return false;
}

bool
subscriptions_have(struct topic *t, uint64_t seq)
{
	struct subscriptions *set;
	const struct subscription *s;

	if (subscriptions_of(t, &set) != MESS_OK)
		return true;
	TAILQ_FOREACH(s, &set->list, link)
		if (has(s, seq))
			return true;
	return false;
}
