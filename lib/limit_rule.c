/* SPDX-License-Identifier: ISC */
/*
 * Limits of users as words.
 */
#include "limit_rule.h"

#include <stdio.h>

#include "limit.h"

const struct limit_kind limit_kinds[LIMITED_NAMES] = {
	[LIMITED_CONNECTIONS] = { "connections", "connections at once", LIMIT_CONNECTIONS_UID, false, false },
	[LIMITED_CONNECTS] = { "connects", "new connections a second", LIMIT_CONNECTS_UID, false, true },
	[LIMITED_REQUESTS] = { "requests", "requests a second", LIMIT_NONE, false, true },
	[LIMITED_MESSAGES] = { "messages", "messages a second", LIMIT_NONE, false, true },
	[LIMITED_BYTES] = { "bytes", "bytes a second", LIMIT_NONE, true, true },
	[LIMITED_SPOOL_BYTES] = { "spool-bytes", "bytes kept in their topics", LIMIT_SPOOL_BYTES_UID, true, false },
	[LIMITED_SPOOL_MESSAGES] = { "spool-messages", "messages kept in their topics", LIMIT_NONE, false, false },
	[LIMITED_TOPICS] = { "topics", "topics", LIMIT_TOPICS_UID, false, false },
	[LIMITED_SUBSCRIPTIONS] = { "subscriptions", "subscriptions of their own", LIMIT_SUBSCRIPTIONS_UID,
		false, false },
	[LIMITED_MEMORY] = { "memory", "bytes of the engine's memory", LIMIT_MEMORY_UID, true, false },
};

void
limit_rule_free(struct limit_rule *r)
{
	who_list_free(&r->who);
}

/* N, or with K, M, G, T where it is a size; none. */
static bool
read_value(const char *text, size_t len, bool size, uint64_t *out)
{
	static const char units[] = "KMGT";
	unsigned shift = 0;
	uint64_t n = 0;
	const char *unit;

	*out = LIMIT_NONE;
	if (len == 4 && memcmp(text, "none", 4) == 0)
		return true;
	if (size && len > 1 && (unit = memchr(units, text[len - 1], 4)) != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		len--;
	}
	if (len == 0 || len > 18)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*out = n << shift;
	return n <= (uint64_t)INT64_MAX >> shift;
}

static const char *
read_pair(struct limit_rule *r, const struct who_word *name, const struct who_word *value)
{
	for (size_t i = 0; i < LIMITED_NAMES; i++) {
		const struct limit_kind *k = &limit_kinds[i];

		if (strlen(k->word) != name->len || memcmp(k->word, name->at, name->len) != 0)
			continue;
		if (r->set[i])
			return "a limit stands twice";
		r->set[i] = true;
		return read_value(value->at, value->len, k->size, &r->value[i]) ? NULL :
		    "a limit is a number, for bytes with K, M, G or T, or none";
	}
	return "limits are connections, connects, requests, messages, bytes, spool-bytes, spool-messages, "
	    "topics, subscriptions and memory";
}

enum mess_err
limit_rule_read(const char *text, size_t len, const struct who_names *names, struct limit_rule *out,
    char *why)
{
	static const char form[] = "a limit is WHO,... NAME VALUE ...";
	struct who_word who, name, value;
	struct limit_rule r = { 0 };
	const char *rule = form;
	enum mess_err err;

	if (who_next_word(&text, &len, &who))
		while (who_next_word(&text, &len, &name)) {
			rule = who_next_word(&text, &len, &value) ? read_pair(&r, &name, &value) : form;
			if (rule != NULL)
				break;
		}
	if (rule != NULL) {
		(void)snprintf(why, WHO_WHY, "%s", rule); /* rules fit */
		return MESS_BADDATA;
	}
	if ((err = who_read_list(who.at, who.len, names, &r.who, why)) != MESS_OK)
		return err;
	*out = r;
	return MESS_OK;
}

enum mess_err
limit_rule_write(const struct limit_rule *r, struct buf *out)
{
	enum mess_err err;

	if ((err = buf_printf(out, "limit ")) != MESS_OK || (err = who_list_write(&r->who, out)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < LIMITED_NAMES; i++) {
		if (!r->set[i])
			continue;
		err = r->value[i] == LIMIT_NONE ? buf_printf(out, " %s none", limit_kinds[i].word) :
		    buf_printf(out, " %s %llu", limit_kinds[i].word, (unsigned long long)r->value[i]);
	}
	return err;
}
