/* SPDX-License-Identifier: ISC */
/*
 * Whose turn it is: users with something to do go round, and each does a
 * share of it before the commit, which everybody waits for.
 *
 * Promise: who comes with little waits for one share of each of the others,
 * however many connections they have.  While one user is alone the share is
 * wide, as commits cost the same for much as for little.
 */
#ifndef TURNS_H
#define TURNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Something to do for a user, embedded in its owner; once in a turn, and again if it is added meanwhile. */
struct turns_item {
	void (*run)(void *arg);
	void *arg;
	struct turns_user *user;	/* NULL: it does not wait */
	TAILQ_ENTRY(turns_item) link;
};

struct turns_user {
	TAILQ_HEAD(turns_items, turns_item) items;
	bool waits;
	TAILQ_ENTRY(turns_user) link;
};

struct turns {
	uint64_t (*now_us)(void);
	TAILQ_HEAD(turns_users, turns_user) users;	/* that wait */
	const struct turns_user *last;		/* that came; only compared */
	const struct turns_user *running;	/* whose share is under way */
	uint64_t mixed_us;		/* when somebody else came last; 0: never */
	uint64_t until_us;		/* the end of the share under way */
};

/* The time only rises. */
void turns_init(struct turns *t, uint64_t (*now_us)(void));
void turns_user_init(struct turns_user *u);

/* In the next turn, or this one if it is under way; nothing when it waits already. */
void turns_add(struct turns *t, struct turns_user *u, struct turns_item *item);
void turns_remove(struct turns *t, struct turns_item *item);

/* A share of each user's. */
void turns_run(struct turns *t);
/* Something is for the next turn. */
bool turns_wait(const struct turns *t);
/* Within a share: may more be done? */
bool turns_has_time(const struct turns *t);
/* Others came in this second, too. */
bool turns_is_mixed(const struct turns *t);
/* What a share is now, in microseconds. */
uint64_t turns_share_us(const struct turns *t);

#endif
