/* SPDX-License-Identifier: ISC */
/*
 * Access: everything that no rule allows is refused.
 */
#include "acl.h"

#include "test.h"

/* Users that every system has, so that their names are theirs: daemon and bin. */
#define DAEMON 1
#define BIN 2
#define ENGINE 50

static struct conf rules;
static const struct acl personal = { .personal = true, .owner = 1000 };
static const struct acl site = { .owner = ENGINE, .site = &rules };
static gid_t group_33[] = { 33 };
static const struct principal root = { .peer = { 0, 0, 1 } }, owner = { .peer = { 1000, 1000, 2 } },
    engine = { .peer = { ENGINE, ENGINE, 3 } }, other = { .peer = { 1001, 1001, 4 } },
    group = { .peer = { 1001, 1000, 5 } };
static const struct conf_topic others_topic = { .uid = 1001, .login = "-" }, daemons = { .uid = DAEMON,
	.login = "daemon" }, reused = { .uid = DAEMON, .login = "somebody-before" };

static bool
may(const struct acl *acl, const struct principal *who, enum acl_right right, const char *name,
    const struct conf_topic *conf)
{
	struct acl_object object = { .name = name, .conf = conf };

	return acl_decide(acl, who, right, &object).may;
}

TEST("acl: a personal spool serves its owner and nobody else, root included")
{
	CHECK(acl_may_connect(&personal, &owner));
	CHECK(!acl_may_connect(&personal, &root) && !acl_may_connect(&personal, &other));
	CHECK(!acl_may_connect(&personal, &group)); /* the owner's gid is not the owner */
	CHECK(may(&personal, &owner, ACL_CREATE, "x", NULL) && !may(&personal, &root, ACL_CREATE, "x", NULL));
}

TEST("acl: anybody may connect to the system's spool")
{
	CHECK(acl_may_connect(&site, &root) && acl_may_connect(&site, &engine));
	CHECK(acl_may_connect(&site, &other));
}

TEST("acl: administrators are the spool's owner and, of the system's, root and whom mess.conf names")
{
	static const struct principal named = { .peer = { DAEMON, 1, 1 } }, in = { .peer = { BIN, 2, 1 },
		.groups = group_33, .group_count = 1 }, key = { .peer = { ENGINE, 1, 1 }, .key = "ops" };
	struct who admins[] = { { .kind = WHO_USER, .id = DAEMON }, { .kind = WHO_GROUP, .id = 33 } };
	struct conf conf = { .admins = { admins, 2 } };
	struct acl with = { .owner = ENGINE, .site = &conf };

	CHECK(acl_is_admin(&personal, &owner) && !acl_is_admin(&personal, &root));
	CHECK(acl_is_admin(&site, &engine) && acl_is_admin(&site, &root));
	CHECK(!acl_is_admin(&site, &other) && !acl_is_admin(&personal, &group));
	CHECK(!acl_is_admin(&site, &named) && acl_is_admin(&with, &named) && acl_is_admin(&with, &in));
	CHECK(!acl_is_admin(&with, &key)); /* a key is not the uid of who brought it */
}

TEST("acl: a topic's owner may use it, another user may nothing")
{
	for (enum acl_right right = ACL_PUBLISH; right <= ACL_ADMIN; right++) {
		CHECK(may(&site, &other, right, "x", &others_topic));
		CHECK(!may(&site, &other, right, "x", &daemons));
		CHECK(may(&site, &root, right, "x", &others_topic) && may(&site, &engine, right, "x", &others_topic));
	}
	CHECK(!may(&site, &other, ACL_CREATE, "x", &others_topic));
}

TEST("acl: a uid that was given to somebody new owns nothing, and freezes what was its")
{
	static const struct principal daemon = { .peer = { DAEMON, 1, 1 } };
	struct acl_object object = { .name = "x", .conf = &reused };
	struct rule all = { .rights = ACL_BIT(ACL_PUBLISH), .pattern = "**", .who = { NULL, 0 } };
	struct who everyone = { .kind = WHO_EVERYONE };
	struct conf conf = { .rules = &all, .rule_count = 1 };
	struct acl open = { .owner = ENGINE, .site = &conf };

	all.who = (struct who_list){ &everyone, 1 };
	CHECK(may(&site, &daemon, ACL_ADMIN, "x", &daemons));
	CHECK(!may(&site, &daemon, ACL_ADMIN, "x", &reused));
	CHECK(acl_decide(&site, &daemon, ACL_ADMIN, &object).reason == ACL_FROZEN);
	CHECK(may(&open, &other, ACL_PUBLISH, "x", &daemons) && !may(&open, &other, ACL_PUBLISH, "x", &reused));
	CHECK(may(&site, &root, ACL_ADMIN, "x", &reused));
}

TEST("acl: a grant goes with the name and the number, both")
{
	static const struct principal daemon = { .peer = { DAEMON, 1, 1 }, .groups = group_33, .group_count = 1 };
	static const struct {
		struct who who;
		bool may;
	} cases[] = {
		{ { WHO_USER, DAEMON, "daemon" }, true },
		{ { WHO_USER, DAEMON, "somebody-before" }, false },
		{ { WHO_USER, BIN, "daemon" }, false },
		{ { WHO_GROUP, 33, "www-data" }, true },
		{ { WHO_GROUP, 33, "somebody-before" }, false },
		{ { WHO_GROUP, 34, "www-data" }, false },
		{ { WHO_EVERYONE, 0, "" }, true },
		{ { WHO_KEY, 0, "daemon" }, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct who who = cases[i].who;
		struct who_list list = { &who, 1 };
		struct conf_topic conf = others_topic;

		CHECK(grants_add(NULL, ACL_BIT(ACL_SUBSCRIBE), &list, &conf.grants) == MESS_OK);
		CHECK(may(&site, &daemon, ACL_SUBSCRIBE, "x", &conf) == cases[i].may);
		CHECK(!may(&site, &daemon, ACL_PUBLISH, "x", &conf));
		conf_topic_free(&conf);
	}
}

TEST("acl: dead letters are read by who administers what they were sent to, and published by nobody")
{
	struct acl_object object = { .name = "x.dead", .conf = &daemons, .of = &others_topic };
	static const struct principal stranger = { .peer = { BIN, 2, 1 } };

	CHECK(acl_decide(&site, &other, ACL_SUBSCRIBE, &object).may && acl_decide(&site, &other, ACL_ADMIN, &object).may);
	CHECK(!acl_decide(&site, &other, ACL_PUBLISH, &object).may);
	CHECK(!acl_decide(&site, &stranger, ACL_SUBSCRIBE, &object).may);
}

TEST("acl: a right that there is not is refused to everybody")
{
	CHECK(!may(&site, &root, (enum acl_right)99, "x", NULL));
}

/* --- the matrix ----------------------------------------------------------- */

static const char *const patterns[] = { "a.b", "a.*", "*.b", "*.*", "a.**", "**", "a.c" };
static struct who whos[] = { { .kind = WHO_USER, .id = DAEMON, .name = "daemon" },
	{ .kind = WHO_GROUP, .id = 33, .name = "www-data" }, { .kind = WHO_KEY, .name = "k" },
	{ .kind = WHO_EVERYONE }, { .kind = WHO_USER, .id = BIN, .name = "bin" } };
static const struct principal callers[] = { { .peer = { DAEMON, 1, 1 } },
	{ .peer = { 7001, 1, 1 }, .groups = group_33, .group_count = 1 }, { .peer = { ENGINE, 1, 1 }, .key = "k" },
	{ .peer = { 7002, 1, 1 } }, { .peer = { AUTH_OVERFLOW_ID, AUTH_OVERFLOW_ID, 1 } } };
#define COUNT(a) (sizeof (a) / sizeof (a)[0])

/*
 * The reference: what design and mess.conf(5) say, as tables.  Of the
 * patterns, which match a.b, and how specific each is; of the callers, whom
 * each of whos is.
 */
static const int specific[] = { 6, 5, 3, 2, 4, 1, 0 };	/* 0: does not match */
static const bool means[COUNT(whos)][COUNT(callers)] = { { 1, 0, 0, 0, 0 }, { 0, 1, 0, 0, 0 },
	{ 0, 0, 1, 0, 0 }, { 1, 1, 1, 1, 1 }, { 0, 0, 0, 0, 0 } };

struct said {
	bool deny;
	enum acl_right right;
	size_t who, pattern;
};

static bool
reference(const struct said *said, size_t count, size_t caller, enum acl_right right, bool granted)
{
	int best = 0;
	bool denied = false;

	if (caller == 4) /* nobody's uid */
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct said *r = &said[i];
		bool about = r->right == right ||
		    (r->right == ACL_ADMIN && !r->deny && (right == ACL_PUBLISH || right == ACL_SUBSCRIBE));

		if (!about || !means[r->who][caller] || specific[r->pattern] == 0)
			continue;
		if (specific[r->pattern] > best) {
			best = specific[r->pattern];
			denied = r->deny;
		} else if (specific[r->pattern] == best)
			denied |= r->deny;
	}
	if (best > 0)
		return !denied;
	return granted && right != ACL_CREATE;
}

static struct said
said_number(size_t n)
{
	struct said s = { .deny = n % 2 };

	n /= 2;
	s.right = (enum acl_right)(n % ACL_RIGHTS);
	n /= ACL_RIGHTS;
	s.who = n % COUNT(whos);
	s.pattern = n / COUNT(whos);
	return s;
}

static void
to_rule(const struct said *s, struct rule *r)
{
	*r = (struct rule){ .deny = s->deny, .rights = ACL_BIT(s->right), .who = { &whos[s->who], 1 } };
	(void)snprintf(r->pattern, sizeof r->pattern, "%s", patterns[s->pattern]);
}

static unsigned
disagreements(const struct said *said, const struct acl *acl, const struct conf_topic *conf, bool granted)
{
	unsigned n = 0;

	for (size_t c = 0; c < COUNT(callers); c++)
		for (enum acl_right right = ACL_PUBLISH; right < ACL_RIGHTS; right++)
			n += may(acl, &callers[c], right, "a.b", conf) != reference(said, 2, c, right, granted);
	return n;
}

/* Each pair of rules, each right, each caller, with and without a list that lets everyone do everything. */
TEST("acl: the rights matrix, exhaustively, as the reference has it")
{
	size_t all = 2 * ACL_RIGHTS * COUNT(whos) * COUNT(patterns);
	struct who_list everyone = { &whos[3], 1 };
	struct conf_topic closed = { .uid = 7003, .login = "-" }, open = closed;
	struct rule two[2];
	struct conf conf = { .rules = two, .rule_count = 2 };
	struct acl acl = { .owner = ENGINE, .site = &conf };
	struct said said[2];
	unsigned wrong = 0;

	CHECK(grants_add(NULL, ACL_BIT(ACL_ADMIN), &everyone, &open.grants) == MESS_OK);
	for (size_t i = 0; i < all; i++)
		for (size_t k = 0; k < all; k++) {
			said[0] = said_number(i);
			said[1] = said_number(k);
			to_rule(&said[0], &two[0]);
			to_rule(&said[1], &two[1]);
			wrong += disagreements(said, &acl, &closed, false) + disagreements(said, &acl, &open, true);
		}
	CHECK(wrong == 0);
	conf_topic_free(&open);
}

/* --- names that are one's own ---------------------------------------------- */

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
		{ "", "user.uid-100.x", false },
		{ "", "user.uid-10010.x", false },
		{ "", "user.uid-1001", false },
		{ "uid-1000", "user.uid-1000.x", false }, /* a login that is another's number */
		{ "uid-1000", "user.uid-1001.x", true },
		{ "uid-", "user.uid-.x", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (!CHECK(acl_is_own_name(1001, cases[i].login, cases[i].topic) == cases[i].may))
			printf("# %s: %s\n", cases[i].login, cases[i].topic);
}

TEST("acl: an administrator makes any, and a rule lets others make what it matches")
{
	struct who who = { .kind = WHO_USER, .id = 1001, .name = "x" };
	struct rule rule = { .rights = ACL_BIT(ACL_CREATE), .pattern = "web.*", .who = { &who, 1 } };
	struct conf conf = { .rules = &rule, .rule_count = 1 };
	struct acl with = { .owner = ENGINE, .site = &conf };

	CHECK(may(&site, &root, ACL_CREATE, "orders", NULL) && may(&site, &engine, ACL_CREATE, "user.eve.inbox", NULL));
	CHECK(!may(&site, &other, ACL_CREATE, "web.x", NULL) && may(&with, &other, ACL_CREATE, "web.x", NULL));
	CHECK(!may(&with, &other, ACL_CREATE, "web.x.y", NULL) && !may(&with, &other, ACL_CREATE, "mess.x", NULL));
}

TEST("acl: a login of any length is no way past the end of the name")
{
	char login[512], topic[600];

	memset(login, 'a', sizeof login);
	for (size_t len = 60; len < 300; len++) {
		login[len] = '\0';
		(void)snprintf(topic, sizeof topic, "user.%s.x", login);
		CHECK(acl_is_own_name(1001, login, topic) == (len <= NAME_LABEL_MAX));
		login[len] = 'a';
	}
}
