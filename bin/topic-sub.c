/* SPDX-License-Identifier: ISC */
/*
 * mess-topic sub: the subscriptions of a topic.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli-time.h"
#include "message.h"
#include "term.h"
#include "topic-stat.h"

/* What the command line says behind `sub VERB`. */
struct sub_call {
	struct mess *m;
	const struct topic_call *call;
	const char *topic, *name;
	const char *position;	/* as the protocol has it, or NULL */
};

/* ---- list ---- */

static const char *const heads[] = { "SUBSCRIPTION", "PENDING", "LEASED", "DELAYED", "ACKED", "DEAD", "AGAIN",
	"CONSUMERS", "OWNER" };
static const char *const keys[] = { "pending", "leased", "delayed", "acked", "dead", "redelivered",
	"consumers" };

static const char *
login(const struct counts *c)
{
	const char *owner = counts_get(c, "owner");
	const char *space = owner != NULL ? strchr(owner, ' ') : NULL;

	return space == NULL ? "" : space[1] == '-' ? owner : space + 1;
}

/* Whose it is, and what of it for whom: "root, only X-Color=red, for @batch". */
static void
owner_cell(struct term_table *table, const struct counts *c)
{
	const char *match = counts_get(c, "match"), *share = counts_get(c, "share");
	bool some = match != NULL && strcmp(match, "-") != 0, shared = share != NULL && strcmp(share, "-") != 0;

	term_table_cell(table, TERM_PLAIN, "%s%s%s%s%s", login(c), some ? ", only " : "", some ? match : "",
	    shared ? ", for " : "", shared ? share : "");
}

static bool
print_table(const struct counts_topic *t, bool colour)
{
	struct term_table table;
	bool printed;

	term_table_init(&table, sizeof heads / sizeof heads[0]);
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		term_table_cell(&table, TERM_DIM, "%s", heads[i]);
	for (size_t i = 0; i < t->subs; i++) {
		const struct counts *c = &t->sub[i];

		term_table_cell(&table, TERM_BOLD, "%s", c->name);
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
			term_table_cell(&table, TERM_PLAIN, "%llu", (unsigned long long)counts_number(c, keys[k]));
		owner_cell(&table, c);
	}
	printed = term_table_print(&table, &(struct term_print){ .colour = colour });
	term_table_free(&table);
	return printed;
}

static int
sub_list(const struct sub_call *s)
{
	const char *when = s->call->value[OPT_COLOR];
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	struct counts_all all;
	int status;

	if ((status = stat_look_at(s->m, s->topic, &text, &all)) != EX_OK)
		return status;
	if (call_has(s->call, OPT_JSON))
		stat_json_subs(&all);
	else if (!term_is_human(when, STDOUT_FILENO))
		for (size_t i = 0; i < all.topics[0].subs; i++)
			puts(all.topics[0].sub[i].name);
	else if (!print_table(&all.topics[0], term_colour(when, STDOUT_FILENO)))
		status = cli_fail(MESS_LIMIT, "sub list");
	counts_free(&all);
	return status;
}

/* ---- change ---- */

static int
ended(const struct sub_call *s, enum mess_err err)
{
	if (err == MESS_OK)
		return EX_OK;
	/* What the engine says of a subscription that is not there begins with its name. */
	if (err == MESS_NOTOPIC || (err == MESS_NOSUB && mess_detail(s->m)[0] != '\0'))
		return cli_fail_mess(s->m, err, "%s", cli_cut(s->topic));
	return cli_fail_mess(s->m, err, "%s: %s", cli_cut(s->topic), cli_cut(s->name));
}

/*
 * A number that is not there yet, as a year that was meant as a time, moves
 * it behind the last message: that is said.
 */
static int
ended_at(const struct sub_call *s, enum mess_err err)
{
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	uint64_t wanted = 0, last;
	struct counts_all all;

	if (err != MESS_OK || s->position == NULL || !cli_number(s->position, 1, INT64_MAX, &wanted) ||
	    stat_look_at(s->m, s->topic, &text, &all) != EX_OK)
		return ended(s, err);
	last = counts_number(&all.topics[0].own, "published");
	counts_free(&all);
	if (wanted > last + 1)
		cli_warn("%s: there is no message %llu; the last is %llu, and %s is behind it", s->topic,
		    (unsigned long long)wanted, (unsigned long long)last, s->name);
	return EX_OK;
}

static int
sub_add(const struct sub_call *s)
{
	struct mess_subscribe how = { .from = s->position, .match = s->call->value[OPT_MATCH],
		.share = s->call->value[OPT_SHARE] };

	if (how.match != NULL && !message_match_check(how.match))
		call_usage("sub add: --match %s: Name=GLOB", cli_cut(how.match));
	return ended_at(s, mess_sub_add(s->m, s->topic, s->name, &how));
}

static int
sub_rm(const struct sub_call *s)
{
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	struct counts_all all;
	int status;

	if (!call_is_dry(s->call, "sub rm"))
		return ended(s, mess_sub_remove(s->m, s->topic, s->name));
	if ((status = stat_look_at(s->m, s->topic, &text, &all)) != EX_OK)
		return status;
	status = EX_NOINPUT;
	for (size_t i = 0; i < all.topics[0].subs; i++) {
		const struct counts *c = &all.topics[0].sub[i];

		if (strcmp(c->name, s->name) != 0)
			continue;
		printf("would remove %s of %s: %llu pending\n", s->name, s->topic,
		    (unsigned long long)counts_number(c, "pending"));
		status = EX_OK;
	}
	counts_free(&all);
	return status == EX_OK ? status : ended(s, MESS_NOSUB);
}

static int
sub_seek(const struct sub_call *s)
{
	if (s->position == NULL)
		call_usage("sub seek: where to? oldest, now, a number, -N for the last N, or a time");
	return ended_at(s, mess_sub_seek(s->m, s->topic, s->name, s->position));
}

static int
sub_release(const struct sub_call *s)
{
	uint64_t count = 0;
	enum mess_err err = mess_sub_release(s->m, s->topic, s->name, &count);

	if (err == MESS_OK && s->call->verbose > 0)
		cli_warn("%s: %s: %llu released", s->topic, s->name, (unsigned long long)count);
	return ended(s, err);
}

/* ---- which ---- */

static const struct {
	const char *name;
	int names;		/* operands behind the topic that are needed */
	bool position;		/* one more may follow */
	uint64_t options;
	int (*run)(const struct sub_call *s);
} subs[] = {
	{ "list", 0, false, OPT_BIT(OPT_JSON) | OPT_BIT(OPT_COLOR), sub_list },
	{ "add", 1, true, OPT_BIT(OPT_MATCH) | OPT_BIT(OPT_SHARE), sub_add },
	{ "rm", 1, false, OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES), sub_rm },
	{ "seek", 1, true, 0, sub_seek },
	{ "release", 1, false, 0, sub_release },
};
#define SUBS (sizeof subs / sizeof subs[0])

static size_t
which(const char *name)
{
	for (size_t i = 0; i < SUBS; i++)
		if (strcmp(subs[i].name, name) == 0)
			return i;
	call_usage("sub: %s: there are list, add, rm, seek, release", cli_cut(name));
}

int
verb_sub(struct mess *m, const struct topic_call *c)
{
	char position[CLI_POSITION_MAX];
	size_t i = which(c->args[0]);
	const char *word = subs[i].name, *from = c->count > 3 ? c->args[3] : c->last;
	struct sub_call s = { .m = m, .call = c, .topic = c->args[1], .name = c->count > 2 ? c->args[2] : NULL };

	if (c->count < 2)
		call_usage("sub %s: which topic?", word);
	if (c->count < 2 + subs[i].names)
		call_usage("sub %s: which subscription?", word);
	if (c->count + (c->last != NULL) > 2 + subs[i].names + subs[i].position)
		call_usage("sub %s: one operand too many", word);
	call_only(c, "sub", word, subs[i].options);
	if (from != NULL && !cli_position(from, position))
		call_usage("sub %s: %s: oldest, now, a number, -N for the last N, or a time as "
		    "2026-11-21T05:33:57Z or @epoch", word, cli_cut(from));
	s.position = from != NULL ? position : NULL;
	return subs[i].run(&s);
}
