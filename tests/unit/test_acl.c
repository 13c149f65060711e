/* SPDX-License-Identifier: ISC */
/*
 * Access: everything that no rule allows is refused.
 */
#include "acl.h"

#include "names.h"
#include "test.h"

static const struct acl personal = { .personal = true, .owner = 1000 };
static const struct acl site = { .personal = false, .owner = 50 };
static const struct mess_peer root = { 0, 0, 1 }, owner = { 1000, 1000, 2 }, engine = { 50, 50, 3 },
    other = { 1001, 1001, 4 }, group = { 1001, 1000, 5 };
static const enum acl_right rights[] = { ACL_PUBLISH, ACL_SUBSCRIBE, ACL_ADMIN, ACL_CREATE };

TEST("acl: a personal spool serves its owner and nobody else, root included")
{
	CHECK(acl_may_connect(&personal, &owner));
	CHECK(!acl_may_connect(&personal, &root) && !acl_may_connect(&personal, &other));
	CHECK(!acl_may_connect(&personal, &group)); /* the owner's gid is not the owner */
}

TEST("acl: anybody may connect to the system's spool")
{
	CHECK(acl_may_connect(&site, &root) && acl_may_connect(&site, &engine));
	CHECK(acl_may_connect(&site, &other));
}

TEST("acl: administrators are the spool's owner and, of the system's, root")
{
	CHECK(acl_is_admin(&personal, &owner) && !acl_is_admin(&personal, &root));
	CHECK(acl_is_admin(&site, &engine) && acl_is_admin(&site, &root));
	CHECK(!acl_is_admin(&site, &other) && !acl_is_admin(&personal, &group));
}

TEST("acl: a topic's owner may use it, another user may nothing")
{
	for (size_t i = 0; i < 4; i++) {
		CHECK(acl_may(&site, &other, rights[i], 1001) == (rights[i] != ACL_CREATE));
		CHECK(!acl_may(&site, &other, rights[i], 1000));
		CHECK(!acl_may(&site, &other, rights[i], 0) && !acl_may(&site, &other, rights[i], 50));
		CHECK(acl_may(&site, &root, rights[i], 1001) && acl_may(&site, &engine, rights[i], 1001));
	}
}

TEST("acl: a right that there is not is refused to everybody")
{
	CHECK(!acl_may(&site, &root, (enum acl_right)99, 0));
}

TEST("acl: a user makes topics below user.LOGIN. only")
{
	static const struct {
		const char *login, *topic;
		bool may;
	} cases[] = {
		{ "eve", "user.eve.inbox", true },
		{ "eve", "user.eve.a.b.c", true },
		{ "eve", "user.eve", false },
		{ "eve", "user.evelyn.inbox", false },
		{ "eve", "user.ev.inbox", false },
		{ "eve", "user.bob.inbox", false },
		{ "eve", "eve.inbox", false },
		{ "eve", "orders", false },
		{ "eve", "user.uid-1001.inbox", false }, /* who has a login uses it */
		{ "Eve", "user.Eve.inbox", false },
		{ "Eve", "user.uid-1001.inbox", true },
		{ "eve.x", "user.eve.x", false },
		{ "eve.x", "user.uid-1001.x", true },
		{ "", "user..x", false },
		{ "", "user.uid-1001.x", true },
		{ NULL, "user.uid-1001.x", true },
		{ NULL, "user.uid-100.x", false },
		{ NULL, "user.uid-10010.x", false },
		{ NULL, "user.uid-1001", false },
		{ "uid-1000", "user.uid-1000.x", false }, /* a login that is another's number */
		{ "uid-1000", "user.uid-1001.x", true },
		{ "uid-", "user.uid-.x", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (!CHECK(acl_may_create(&site, &other, cases[i].login, cases[i].topic) == cases[i].may))
			printf("# %s: %s\n", cases[i].login, cases[i].topic);
}

TEST("acl: an administrator makes any")
{
	CHECK(acl_may_create(&site, &root, "root", "orders"));
	CHECK(acl_may_create(&site, &engine, NULL, "user.eve.inbox"));
	CHECK(acl_may_create(&personal, &owner, "eve", "orders"));
	CHECK(!acl_may_create(&personal, &root, "root", "orders"));
}

TEST("acl: a login of any length is no way past the end of the name")
{
	char login[512], topic[600];

	memset(login, 'a', sizeof login);
	for (size_t len = 60; len < 300; len++) {
		login[len] = '\0';
		(void)snprintf(topic, sizeof topic, "user.%s.x", login);
		CHECK(acl_may_create(&site, &other, login, topic) == (len <= NAME_LABEL_MAX));
		login[len] = 'a';
	}
}
