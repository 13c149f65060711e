/* SPDX-License-Identifier: ISC */
/*
 * mess.conf from any bytes, and what its rules decide.  Oracles: what was
 * read is written again and means the same; the order of the lines decides
 * nothing; one more deny allows nothing to anybody.
 */
#include "acl.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RULES_LOOKED_AT 64	/* orders of more take too long */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
	if (!holds)
		abort();
}

/* Names are there unless they begin with x; what they are called says their number. */
static bool
is_there(const char *name, uint32_t *out)
{
	*out = 0;
	for (const char *p = name; *p != '\0'; p++)
		*out = *out * 31 + (unsigned char)*p;
	*out %= 4;
	return name[0] != 'x';
}

static const struct who_names names = { .user = is_there, .group = is_there };

/* --- what is written means what was read -------------------------------- */

static void
check_rule(const struct rule *r)
{
	AUTO_BUF struct buf text = BUF_INIT(CONF_TEXT_MAX), again = BUF_INIT(CONF_TEXT_MAX);
	struct rule read = { 0 };
	char why[WHO_WHY];
	size_t word;

	require(rule_write(r, &text) == MESS_OK);
	/* The first word is the directive's name, which its reader is not given. */
	word = r->deny ? strlen("deny ") : strlen("allow ");
	require(buf_len(&text) > word);
	require(rule_read(buf_data(&text) + word, buf_len(&text) - word, &names, &read, why) == MESS_OK);
	read.deny = r->deny;
	require(rule_write(&read, &again) == MESS_OK);
	require(buf_len(&text) == buf_len(&again) &&
	    memcmp(buf_data(&text), buf_data(&again), buf_len(&text)) == 0);
	rule_free(&read);
}

static void
check_limit(const struct limit_rule *r)
{
	AUTO_BUF struct buf text = BUF_INIT(CONF_TEXT_MAX);
	struct limit_rule read = { 0 };
	char why[WHO_WHY];
	size_t word = strlen("limit ");

	require(limit_rule_write(r, &text) == MESS_OK && buf_len(&text) > word);
	require(limit_rule_read(buf_data(&text) + word, buf_len(&text) - word, &names, &read, why) ==
	    MESS_OK);
	for (size_t i = 0; i < LIMITED_NAMES; i++)
		require(read.set[i] == r->set[i] && (!r->set[i] || read.value[i] == r->value[i]));
	limit_rule_free(&read);
}

/* --- what the rules decide ---------------------------------------------- */

#define USERS 6

static const char *const topics[] = { "a", "a.b", "a.b.c", "orders", "user.alice.x", "a.dead", "mess.audit" };
#define TOPICS (sizeof topics / sizeof topics[0])

/* One bit for each user, right and topic. */
struct decided {
	unsigned char may[USERS][ACL_RIGHTS][TOPICS];
};

static void
decide(const struct conf *conf, struct decided *out)
{
	static const struct conf_topic owned = { .uid = 77, .login = "nobody-here" };
	struct acl acl = { .owner = 50, .site = conf };
	gid_t group = 3;

	for (unsigned u = 0; u < USERS; u++)
		for (unsigned r = 0; r < ACL_RIGHTS; r++)
			for (size_t t = 0; t < TOPICS; t++) {
				struct principal who = { .peer = { 100 + u, 100, 1 } };
				struct acl_object object = { .name = topics[t], .conf = &owned };

				if (u < 3)
					who.peer.uid = u + 1; /* those that is_there gives */
				if (u == 4) {
					who.groups = &group;
					who.group_count = 1;
				}
				if (u == 5)
					who.key = "ops";
				out->may[u][r][t] = acl_decide(&acl, &who, (enum acl_right)r, &object).may;
			}
}

static void
check_decisions(struct conf *conf)
{
	struct decided first, turned, denied;
	struct rule last;

	if (conf->rule_count == 0 || conf->rule_count > RULES_LOOKED_AT)
		return;
	decide(conf, &first);
	for (size_t i = 0; i < conf->rule_count / 2; i++) {
		struct rule r = conf->rules[i];

		conf->rules[i] = conf->rules[conf->rule_count - 1 - i];
		conf->rules[conf->rule_count - 1 - i] = r;
	}
	decide(conf, &turned);
	require(memcmp(&first, &turned, sizeof first) == 0);

	last = conf->rules[conf->rule_count - 1];
	if (last.deny)
		return;
	conf->rules[conf->rule_count - 1].deny = true;
	decide(conf, &denied);
	conf->rules[conf->rule_count - 1] = last;
	for (size_t i = 0; i < sizeof first; i++)
		require(((const unsigned char *)&denied)[i] <= ((const unsigned char *)&first)[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf conf = { 0 };
	struct conf_error error;

	if (conf_read((const char *)data, size, &names, &conf, &error) != MESS_OK)
		return 0;
	for (size_t i = 0; i < conf.rule_count; i++)
		check_rule(&conf.rules[i]);
	for (size_t i = 0; i < conf.limit_count; i++)
		check_limit(&conf.limits[i]);
	check_decisions(&conf);
	conf_free(&conf);
	return 0;
}
