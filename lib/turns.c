/* SPDX-License-Identifier: ISC */
/*
 * Whose turn it is.  Who was not waiting comes before those who did more
 * than fits, as what it has to do is likely little.
 */
#include "turns.h"

#include <stddef.h>

#include "limit.h"

#define MIXED_US 1000000

void
turns_init(struct turns *t, uint64_t (*now_us)(void))
{
	*t = (struct turns){ .now_us = now_us };
	TAILQ_INIT(&t->users);
}

void
turns_user_init(struct turns_user *u)
{
	*u = (struct turns_user){ .waits = false };
	TAILQ_INIT(&u->items);
}

/* One whose share is under way goes behind the others when that is over. */
static void
queue(struct turns *t, struct turns_user *u)
{
	if (u->waits || u == t->running)
		return;
	TAILQ_INSERT_HEAD(&t->users, u, link);
	u->waits = true;
}

void
turns_add(struct turns *t, struct turns_user *u, struct turns_item *item)
{
	if (item->user != NULL)
		return;
	TAILQ_INSERT_TAIL(&u->items, item, link);
	item->user = u;
	queue(t, u);
	if (u == t->last)
		return;
	if (t->last != NULL)
		t->mixed_us = t->now_us();
	t->last = u;
}

void
turns_remove(struct turns *t, struct turns_item *item)
{
	struct turns_user *u = item->user;

	if (u == NULL)
		return;
	item->user = NULL;
	TAILQ_REMOVE(&u->items, item, link);
	if (!TAILQ_EMPTY(&u->items) || !u->waits)
		return;
	TAILQ_REMOVE(&t->users, u, link);
	u->waits = false;
}

/* Its items in their order; those that come again meanwhile are behind the others. */
static void
run_share(struct turns *t, struct turns_user *u)
{
	struct turns_item *item, *last = TAILQ_LAST(&u->items, turns_items);

	t->until_us = t->now_us() + turns_share_us(t);
	do {
		item = TAILQ_FIRST(&u->items);
		turns_remove(t, item);
		item->run(item->arg);
	} while (item != last && turns_has_time(t));
	t->until_us = 0;
}

void
turns_run(struct turns *t)
{
	struct turns_user *u, *last = TAILQ_LAST(&t->users, turns_users);

	while ((u = TAILQ_FIRST(&t->users)) != NULL) {
		TAILQ_REMOVE(&t->users, u, link);
		u->waits = false;
		t->running = u;
		run_share(t, u);
		t->running = NULL;
		if (!TAILQ_EMPTY(&u->items)) {
			TAILQ_INSERT_TAIL(&t->users, u, link);
			u->waits = true;
		}
		if (u == last)
			break;
	}
}

bool
turns_wait(const struct turns *t)
{
	return !TAILQ_EMPTY(&t->users);
}

bool
turns_has_time(const struct turns *t)
{
	return t->now_us() < t->until_us;
}

bool
turns_is_mixed(const struct turns *t)
{
	return t->mixed_us != 0 && t->now_us() - t->mixed_us < MIXED_US;
}

uint64_t
turns_share_us(const struct turns *t)
{
	return turns_is_mixed(t) ? LIMIT_SHARE_US : LIMIT_SHARE_ALONE_US;
}
