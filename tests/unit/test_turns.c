/* SPDX-License-Identifier: ISC */
/*
 * Turns: users go round, whatever number of things each has to do.
 */
#include "turns.h"

#include <string.h>

#include "limit.h"
#include "test.h"

static struct turns turns;
static struct turns_user a, b;
static uint64_t clock_us;
static char ran[64];		/* the names, in order */

struct thing {
	struct turns_item item;
	struct turns_user *user;
	char name;
	uint64_t takes_us;
	int again;		/* so often it has more to do */
};

static uint64_t
now_us(void)
{
	return clock_us;
}

static void
run(void *arg)
{
	struct thing *t = arg;

	ran[strlen(ran)] = t->name;
	clock_us += t->takes_us;
	if (t->again-- > 0)
		turns_add(&turns, t->user, &t->item);
}

static void
add(struct thing *t, struct turns_user *u, char name, uint64_t takes_us)
{
	*t = (struct thing){ .item = { .run = run, .arg = t }, .user = u, .name = name,
		.takes_us = takes_us };
	turns_add(&turns, u, &t->item);
}

static void
begin(void)
{
	memset(ran, 0, sizeof ran);
	clock_us = 1000000;
	turns_init(&turns, now_us);
	turns_user_init(&a);
	turns_user_init(&b);
}

TEST("turns: one user alone does all that it has, each once")
{
	struct thing t[4];

	begin();
	for (int i = 0; i < 4; i++)
		add(&t[i], &a, (char)('0' + i), LIMIT_SHARE_US);
	turns_add(&turns, &a, &t[0].item);
	t[1].again = 1;
	turns_run(&turns);
	CHECK(strcmp(ran, "0123") == 0);
	CHECK(turns_wait(&turns));
	turns_run(&turns);
	CHECK(strcmp(ran, "01231") == 0);
	CHECK(!turns_wait(&turns));
}

TEST("turns: one user alone does not go on for ever")
{
	struct thing t[40];

	begin();
	for (int i = 0; i < 40; i++)
		add(&t[i], &a, 'x', LIMIT_SHARE_ALONE_US / 10);
	turns_run(&turns);
	CHECK(strlen(ran) == 10);
	CHECK(turns_wait(&turns));
}

TEST("turns: who comes is before who has much to do, who does one share")
{
	struct thing t[10], one;

	begin();
	for (int i = 0; i < 10; i++) {
		add(&t[i], &a, (char)('0' + i), LIMIT_SHARE_US);
		t[i].again = 1000;
	}
	CHECK(!turns_is_mixed(&turns));
	add(&one, &b, 'b', 0);
	CHECK(turns_is_mixed(&turns));
	turns_run(&turns);
	CHECK(strcmp(ran, "b0") == 0);
	add(&one, &b, 'b', 0);
	turns_run(&turns);
	CHECK(strcmp(ran, "b0b1") == 0);
	for (int i = 0; i < 9; i++)
		turns_run(&turns);
	CHECK(strcmp(ran, "b0b1234567890") == 0);
}

TEST("turns: of a share's time much small is done")
{
	struct thing t[30], one;

	begin();
	for (int i = 0; i < 30; i++)
		add(&t[i], &a, 'a', LIMIT_SHARE_US / 20);
	add(&one, &b, 'b', 0);
	turns_run(&turns);
	CHECK(strlen(ran) == 1 + 20);
}

TEST("turns: two who have much take turns")
{
	struct thing x[3], y[3];

	begin();
	for (int i = 0; i < 3; i++) {
		add(&x[i], &a, 'a', LIMIT_SHARE_US);
		add(&y[i], &b, 'b', LIMIT_SHARE_US);
	}
	turns_run(&turns);
	turns_run(&turns);
	turns_run(&turns);
	CHECK(strcmp(ran, "bababa") == 0);
	CHECK(!turns_wait(&turns));
}

TEST("turns: a second after the others it is alone")
{
	struct thing t, one;

	begin();
	add(&t, &a, 'a', 0);
	add(&one, &b, 'b', 0);
	turns_run(&turns);
	clock_us += 900000;
	add(&t, &a, 'a', 0);
	turns_run(&turns);
	CHECK(turns_share_us(&turns) == LIMIT_SHARE_US);
	clock_us += 1000000;
	add(&t, &a, 'a', 0);
	CHECK(turns_share_us(&turns) == LIMIT_SHARE_ALONE_US);
	turns_run(&turns);
}

TEST("turns: what was removed has no turn")
{
	struct thing t[2], one;

	begin();
	add(&t[0], &a, '0', 0);
	add(&t[1], &a, '1', 0);
	add(&one, &b, 'b', 0);
	turns_remove(&turns, &t[0].item);
	turns_remove(&turns, &one.item);
	turns_remove(&turns, &one.item);
	turns_run(&turns);
	CHECK(strcmp(ran, "1") == 0);
	add(&t[1], &a, '1', 0);
	turns_remove(&turns, &t[1].item);
	CHECK(!turns_wait(&turns));
	turns_run(&turns);
	CHECK(strcmp(ran, "1") == 0);
}
