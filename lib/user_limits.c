/* SPDX-License-Identifier: ISC */
/*
 * What each user has, and may have.
 */
#include "user_limits.h"

#include <bsd/sys/tree.h>
#include <stdio.h>
#include <string.h>

#include "base/loop.h"
#include "bucket.h"

struct limits_user {
	struct limits *all;
	uid_t uid;
	char key[AUTH_NAME_MAX + 1];	/* "": a uid */
	unsigned refs;
	struct turns_user turns;
	bool admin;
	uint64_t due_ms;	/* limits_is_due's */
	uint64_t value[LIMITED_NAMES];
	uint64_t used[LIMITED_NAMES];
	struct bucket bucket[LIMITED_NAMES];
	RB_ENTRY(limits_user) link;
};

RB_HEAD(user_tree, limits_user);

struct limits {
	const struct acl *acl;
	struct user_tree tree;
};

static int
by_user(struct limits_user *a, struct limits_user *b)
{
	if (a->uid != b->uid)
		return a->uid < b->uid ? -1 : 1;
	return strcmp(a->key, b->key);
}

RB_GENERATE_INTERNAL(user_tree, limits_user, link, by_user, __attribute__((unused)) static)

enum mess_err
limits_new(const struct acl *acl, struct limits **out)
{
	struct limits *l = calloc(1, sizeof *l);

	if (l == NULL)
		return MESS_LIMIT;
	l->acl = acl;
	RB_INIT(&l->tree);
	*out = l;
	return MESS_OK;
}

void
limits_free(struct limits *l)
{
	struct limits_user *u, *next;

	if (l == NULL)
		return;
	RB_FOREACH_SAFE(u, user_tree, &l->tree, next) {
		(void)RB_REMOVE(user_tree, &l->tree, u); /* it is in there */
		free(u);
	}
	free(l);
}

/* --- values ------------------------------------------------------------- */

/* A rule for the user beats one for a group, that one for everybody; of several the widest. */
static int
rank(const struct limit_rule *r, const struct principal *who)
{
	int best = -1;

	for (size_t i = 0; i < r->who.count; i++)
		if (acl_is_one(&r->who.who[i], who)) {
			int mine = r->who.who[i].kind == WHO_EVERYONE ? 0 : r->who.who[i].kind == WHO_GROUP ? 1 : 2;

			best = mine > best ? mine : best;
		}
	return best;
}

static uint64_t
value_for(const struct limits *l, const struct principal *who, enum limit_name what)
{
	const struct conf *site = l->acl->site;
	uint64_t value = limit_kinds[what].value;
	int best = -1, mine;

	if (l->acl->personal || acl_is_admin(l->acl, who))
		return LIMIT_NONE;
	for (size_t i = 0; site != NULL && i < site->limit_count; i++) {
		const struct limit_rule *r = &site->limits[i];

		if (!r->set[what] || (mine = rank(r, who)) < 0 || mine < best)
			continue;
		if (mine > best || r->value[what] > value)
			value = r->value[what];
		best = mine;
	}
	return value;
}

void
limits_again(struct limits_user *u, const struct principal *who)
{
	u->admin = acl_is_admin(u->all->acl, who);
	for (enum limit_name i = 0; i < LIMITED_NAMES; i++)
		u->value[i] = value_for(u->all, who, i);
}

bool
limits_is_admin(const struct limits_user *u)
{
	return u->admin;
}

bool
limits_is_due(struct limits_user *u, uint64_t ms)
{
	if (loop_now() < u->due_ms)
		return false;
	u->due_ms = loop_now() + ms;
	return true;
}

/* --- users -------------------------------------------------------------- */

struct limits_user *
limits_hold(struct limits *l, const struct principal *who)
{
	struct limits_user key = { .uid = who->peer.uid }, *u;

	if (who->key != NULL)
		(void)snprintf(key.key, sizeof key.key, "%s", who->key); /* a checked name fits */
	if ((u = RB_FIND(user_tree, &l->tree, &key)) == NULL) {
		if ((u = calloc(1, sizeof *u)) == NULL)
			return NULL;
		*u = key;
		u->all = l;
		turns_user_init(&u->turns);
		(void)RB_INSERT(user_tree, &l->tree, u); /* it was not there */
	}
	u->refs++;
	limits_again(u, who);
	return u;
}

/* By the databases: whoever owns it may not be connected. */
struct limits_user *
limits_hold_uid(struct limits *l, uid_t uid)
{
	struct limits_user key = { .uid = uid }, *u = RB_FIND(user_tree, &l->tree, &key);
	struct principal who = { .peer = { .uid = uid } };
	struct limits_user *held;
	bool found;

	if (u != NULL) {
		u->refs++;
		return u;
	}
	found = auth_look_up(auth_login(uid), &who) && who.peer.uid == uid;
	if (!found) {
		auth_free(&who);
		who = (struct principal){ .peer = { .uid = uid } };
	}
	held = limits_hold(l, &who);
	auth_free(&who);
	return held;
}

static int64_t
most_of(const struct limits_user *u, enum limit_name what)
{
	return u->value[what] < INT64_MAX / 2 ? (int64_t)u->value[what] : INT64_MAX / 2;
}

static bool
is_needed(const struct limits_user *u)
{
	for (size_t i = 0; i < LIMITED_NAMES; i++)
		if (u->used[i] > 0 || (limit_kinds[i].rate && u->value[i] != LIMIT_NONE &&
		    u->bucket[i].left < most_of(u, i)))
			return true;
	return u->refs > 0;
}

/* Whoever leaves with an empty bucket comes back to an empty one. */
static void
drop(struct limits_user *u)
{
	for (enum limit_name i = 0; i < LIMITED_NAMES; i++)
		if (limit_kinds[i].rate)
			(void)limits_wait_ms(u, i); /* it fills */
	if (is_needed(u))
		return;
	(void)RB_REMOVE(user_tree, &u->all->tree, u); /* it is in there */
	free(u);
}

void
limits_release(struct limits_user *u)
{
	if (u == NULL)
		return;
	u->refs--;
	drop(u);
}

struct turns_user *
limits_turns(struct limits_user *u)
{
	return &u->turns;
}

/* --- what there is ------------------------------------------------------ */

uint64_t
limits_used(const struct limits_user *u, enum limit_name what)
{
	return u->used[what];
}

bool
limits_has_room(const struct limits_user *u, enum limit_name what, uint64_t n)
{
	return u->value[what] == LIMIT_NONE || (u->used[what] <= u->value[what] &&
	    n <= u->value[what] - u->used[what]);
}

bool
limits_charge(struct limits_user *u, enum limit_name what, uint64_t n)
{
	if (!limits_has_room(u, what, n))
		return false;
	u->used[what] += n;
	return true;
}

void
limits_refund(struct limits_user *u, enum limit_name what, uint64_t n)
{
	u->used[what] -= n < u->used[what] ? n : u->used[what];
}

void
limits_recharge(struct limits_user *u, enum limit_name what, uint64_t was, uint64_t is)
{
	limits_refund(u, what, was);
	u->used[what] += is;
}

/* --- rates -------------------------------------------------------------- */

bool
limits_spend(struct limits_user *u, enum limit_name what, uint64_t n)
{
	return u->value[what] == LIMIT_NONE || bucket_spend(&u->bucket[what], most_of(u, what), loop_now(), n);
}

void
limits_owe(struct limits_user *u, enum limit_name what, uint64_t n)
{
	if (u->value[what] != LIMIT_NONE)
		bucket_owe(&u->bucket[what], most_of(u, what), loop_now(), n);
}

uint64_t
limits_wait_ms(struct limits_user *u, enum limit_name what)
{
	if (u->value[what] == LIMIT_NONE)
		return 0;
	if (bucket_fill(&u->bucket[what], most_of(u, what), loop_now()) > 0)
		return 0;
	return u->value[what] > 1000 ? 1 : u->value[what] == 0 ? 1000 : 1000 / u->value[what] + 1;
}

const char *
limits_text(const struct limits_user *u, enum limit_name what, char *text)
{
	const struct limit_kind *k = &limit_kinds[what];

	if (k->rate)
		(void)snprintf(text, LIMITS_TEXT, "%s: a user has at most %llu %s", k->word,
		    (unsigned long long)u->value[what], k->unit); /* fits */
	else
		(void)snprintf(text, LIMITS_TEXT, "%s: a user has at most %llu %s; you have %llu", k->word,
		    (unsigned long long)u->value[what], k->unit, (unsigned long long)u->used[what]); /* fits */
	return text;
}
