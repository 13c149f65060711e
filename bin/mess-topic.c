/* SPDX-License-Identifier: ISC */
/*
 * mess-topic: make, look, change.  A table of options, a table of verbs;
 * each verb is in its topic-VERB.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "topic-verb.h"

static const struct cli_text text = {
	"mess-topic [-qv] " CLI_WHERE_USAGE " VERB [OPTION]... [OPERAND]...",
	"Make, remove and look at topics.\n\n"
	"  check TOPIC          a monitor's plug-in: 0, 1, 2 by the limits, 3 unknown\n"
	"  check TOPIC --user LOGIN RIGHT  may they? 0 yes, 1 no, and by which rule\n"
	"  create TOPIC         make a topic\n"
	"  delete TOPIC         remove a topic and all its messages\n"
	"  export TOPIC         all that is kept, as records on standard output\n"
	"  fsck                 is every number accounted for? 65 if not\n"
	"  grant TOPIC RIGHT,... WHO,...  publish, subscribe, admin to user, @group,\n"
	"                       key:NAME or *\n"
	"  import TOPIC         records, or the tar of a maildir, from standard input\n"
	"  list [PATTERN]       names of topics; * is one label, a last ** one or more\n"
	"  pause TOPIC [in|out]  take nothing, hand out nothing, or neither\n"
	"  peek TOPIC [SEQ|LO-HI]  look at messages, take none\n"
	"  purge TOPIC          free its messages\n"
	"  redrive TOPIC [SEQ|LO-HI]  dead letters go back to who gave them up\n"
	"  resume TOPIC [in|out]  end a pause\n"
	"  revoke TOPIC RIGHT,... WHO,...  take them back\n"
	"  set TOPIC            change its settings\n"
	"  show TOPIC           its owner, its subscriptions\n"
	"  stat [TOPIC...]      its counts: published, present, waiting; a pattern does, too\n"
	"  sub list TOPIC       its subscriptions\n"
	"  sub add TOPIC NAME [POS]   make one, from oldest, now, N, -N, a time\n"
	"  sub rm|release TOPIC NAME  remove it; free what its consumers hold\n"
	"  sub seek TOPIC NAME POS    move it\n"
	"  verify [TOPIC...]    read everything; name what is damaged, 65\n"
	"  wait TOPIC --empty   until all is settled\n\n"
	"      --max-age DUR    create, set: messages older than this go, settled or not\n"
	"      --keep DUR       create, set: what all have settled stays so long\n"
	"      --max-bytes SIZE, --max-messages N\n"
	"                       create, set: how much is kept\n"
	"      --full WHAT      create, set: then publishers are told (reject), or the\n"
	"                       oldest go (drop-oldest)\n"
	"      --max-size SIZE  create, set: of a body\n"
	"      --max-attempts N create, set: then a message is dead\n"
	"      --describe TEXT  create, set: for people\n"
	"      --publish WHO,..., --subscribe WHO,..., --admin WHO,...\n"
	"                       create, set: who may, beside the owner\n"
	"      --before TIME    purge: only what came before\n"
	"      --depth W,C      check: messages of the slowest subscription; more than W\n"
	"                       is a warning, more than C is critical\n"
	"      --age W,C        check: age of the oldest message (90s, 5m, 2h)\n"
	"      --dead W,C       check: dead letters that wait\n"
	"  -n N                 peek: at most N\n"
	"  -s, --subscription NAME\n"
	"                       peek: what this one has not settled (default);\n"
	"                       redrive: only what this one gave up\n"
	"      --header N=GLOB  peek, redrive: with a header N like that\n"
	"      --match N=GLOB   sub add: it gets only those\n"
	"      --share WHO,...  sub add: only these take from it\n"
	"  -W D                 wait: 124 after this time (90s, 5m, 2h)\n"
	"      --repair         fsck: mend what is certain; not while an engine runs\n"
	"      --dry-run        delete, purge, sub rm: say what would go\n"
	"      --yes            the same at a terminal: do it\n"
	"      --records        peek: envelope, headers, body\n"
	"      --raw, --text    peek: bodies as they are; for people, also into a pipe\n"
	"      --json           list, show, stat, peek, sub list: as JSON\n"
	"      --prometheus     stat: as Prometheus reads it\n"
	"      --watch          stat: again every second\n"
	"      --security       stat: what confines the engine, not the counts\n"
	"      --color WHEN     always, auto or never\n"
	CLI_WHERE_HELP
};

/* How each option of a verb is written; those with a letter have it, too. */
static const struct option_row {
	const char *name;
	int has_arg;
	char letter;
} options[OPT_COUNT] = {
	[OPT_ADMIN] = { "admin", required_argument, 0 },
	[OPT_AGE] = { "age", required_argument, 0 },
	[OPT_BEFORE] = { "before", required_argument, 0 },
	[OPT_COLOR] = { "color", required_argument, 0 },
	[OPT_COUNT_N] = { NULL, required_argument, 'n' },
	[OPT_DEAD] = { "dead", required_argument, 0 },
	[OPT_DEPTH] = { "depth", required_argument, 0 },
	[OPT_DESCRIBE] = { "describe", required_argument, 0 },
	[OPT_DRY_RUN] = { "dry-run", no_argument, 0 },
	[OPT_EMPTY] = { "empty", no_argument, 0 },
	[OPT_FULL] = { "full", required_argument, 0 },
	[OPT_HEADER] = { "header", required_argument, 0 },
	[OPT_JSON] = { "json", no_argument, 0 },
	[OPT_KEEP] = { "keep", required_argument, 0 },
	[OPT_MATCH] = { "match", required_argument, 0 },
	[OPT_MAX_AGE] = { "max-age", required_argument, 0 },
	[OPT_MAX_ATTEMPTS] = { "max-attempts", required_argument, 0 },
	[OPT_MAX_BYTES] = { "max-bytes", required_argument, 0 },
	[OPT_MAX_MESSAGES] = { "max-messages", required_argument, 0 },
	[OPT_MAX_SIZE] = { "max-size", required_argument, 0 },
	[OPT_PROMETHEUS] = { "prometheus", no_argument, 0 },
	[OPT_PUBLISH] = { "publish", required_argument, 0 },
	[OPT_RAW] = { "raw", no_argument, 0 },
	[OPT_RECORDS] = { "records", no_argument, 0 },
	[OPT_REPAIR] = { "repair", no_argument, 0 },
	[OPT_SECURITY] = { "security", no_argument, 0 },
	[OPT_SHARE] = { "share", required_argument, 0 },
	[OPT_SUBSCRIPTION] = { "subscription", required_argument, 's' },
	[OPT_SUBSCRIBE] = { "subscribe", required_argument, 0 },
	[OPT_TEXT] = { "text", no_argument, 0 },
	[OPT_USER] = { "user", required_argument, 0 },
	[OPT_WAIT] = { NULL, required_argument, 'W' },
	[OPT_WATCH] = { "watch", no_argument, 0 },
	[OPT_YES] = { "yes", no_argument, 0 },
};

#define SETTINGS (OPT_BIT(OPT_MAX_AGE) | OPT_BIT(OPT_MAX_BYTES) | OPT_BIT(OPT_MAX_MESSAGES) | \
	OPT_BIT(OPT_MAX_SIZE) | OPT_BIT(OPT_KEEP) | OPT_BIT(OPT_MAX_ATTEMPTS) | OPT_BIT(OPT_FULL) | \
	OPT_BIT(OPT_DESCRIBE) | OPT_BIT(OPT_PUBLISH) | OPT_BIT(OPT_SUBSCRIBE) | OPT_BIT(OPT_ADMIN))

static const struct verb {
	const char *name;
	const char *missing;	/* what is asked for when operands are too few */
	int min, max;		/* operands */
	uint64_t options;	/* OPT_BIT of those that it takes */
	int (*run)(struct mess *m, const struct topic_call *c);
} verbs[] = {
	{ "check", "which topic?", 1, 2, OPT_BIT(OPT_AGE) | OPT_BIT(OPT_DEAD) | OPT_BIT(OPT_DEPTH) |
		OPT_BIT(OPT_USER), verb_check },
	{ "create", "which topic?", 1, 1, SETTINGS, verb_create },
	{ "delete", "which topic?", 1, 1, OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES), verb_delete },
	{ "export", "which topic?", 1, 1, 0, verb_export },
	{ "fsck", NULL, 0, 0, OPT_BIT(OPT_REPAIR), verb_fsck },
	{ "grant", "which topic, which right, to whom?", 3, 3, 0, verb_grant },
	{ "import", "which topic?", 1, 1, 0, verb_import },
	{ "list", NULL, 0, 1, OPT_BIT(OPT_JSON), verb_list },
	{ "pause", "which topic?", 1, 2, 0, verb_pause },
	{ "peek", "which topic?", 1, 2, OPT_BIT(OPT_COLOR) | OPT_BIT(OPT_COUNT_N) | OPT_BIT(OPT_HEADER) |
		OPT_BIT(OPT_JSON) | OPT_BIT(OPT_RAW) | OPT_BIT(OPT_RECORDS) | OPT_BIT(OPT_SUBSCRIPTION) |
		OPT_BIT(OPT_TEXT), verb_peek },
	{ "purge", "which topic?", 1, 1, OPT_BIT(OPT_BEFORE) | OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES),
		verb_purge },
	{ "redrive", "which topic?", 1, 2, OPT_BIT(OPT_HEADER) | OPT_BIT(OPT_SUBSCRIPTION), verb_redrive },
	{ "resume", "which topic?", 1, 2, 0, verb_resume },
	{ "revoke", "which topic, which right, from whom?", 3, 3, 0, verb_revoke },
	{ "set", "which topic?", 1, 1, SETTINGS, verb_set },
	{ "show", "which topic?", 1, 1, OPT_BIT(OPT_JSON), verb_show },
	{ "stat", NULL, 0, 1 << 16, OPT_BIT(OPT_JSON) | OPT_BIT(OPT_PROMETHEUS) | OPT_BIT(OPT_WATCH) |
		OPT_BIT(OPT_COLOR) | OPT_BIT(OPT_SECURITY), verb_stat },
	{ "sub", "list, add, rm, seek or release?", 1, 4, OPT_BIT(OPT_COLOR) | OPT_BIT(OPT_DRY_RUN) |
		OPT_BIT(OPT_JSON) | OPT_BIT(OPT_MATCH) | OPT_BIT(OPT_SHARE) | OPT_BIT(OPT_YES), verb_sub },
	{ "verify", NULL, 0, 1 << 16, 0, verb_verify },
	{ "wait", "which topic?", 1, 1, OPT_BIT(OPT_EMPTY) | OPT_BIT(OPT_WAIT), verb_wait },
};

#define VERBS (sizeof verbs / sizeof verbs[0])

void
call_usage(const char *fmt, ...)
{
	AUTO_BUF struct buf words = BUF_INIT(4096);
	va_list ap;

	va_start(ap, fmt);
	if (buf_vprintf(&words, fmt, ap) != MESS_OK)
		buf_reset(&words, 0); /* then the exit status says it */
	va_end(ap);
	cli_usage(&text, "%s", buf_len(&words) > 0 ? buf_data(&words) : "");
}

/* The verbs that take the option, or all of them: "list, show, stat". */
static const char *
names(uint64_t taking, struct buf *out)
{
	for (size_t i = 0; i < VERBS; i++)
		if ((taking == 0 || (verbs[i].options & taking) != 0) &&
		    buf_printf(out, "%s%s", buf_len(out) > 0 ? ", " : "", verbs[i].name) != MESS_OK)
			break; /* the rest is left out */
	return buf_len(out) > 0 ? buf_data(out) : "";
}

static const struct verb *
find_verb(const char *name)
{
	AUTO_BUF struct buf all = BUF_INIT(4096);

	for (size_t i = 0; name != NULL && i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	if (name == NULL)
		call_usage("which verb? there are %s", names(0, &all));
	call_usage("%s: no such verb; there are %s", cli_cut(name), names(0, &all));
}

/* Options by letter and by name, as getopt wants them. */
static void
fill_tables(bool check, char *letters, struct option *longs)
{
	static const struct option shared[] = { CLI_LONG_OPTIONS };
	size_t n = 0;

	letters = stpcpy(letters, "0123456789qv");
	for (int i = 0; i < OPT_COUNT; i++) {
		/* To the other verbs --user is a spool. */
		if (options[i].name != NULL && (check || i != OPT_USER))
			longs[n++] = (struct option){ options[i].name, options[i].has_arg, NULL,
				CLI_OPTION_OWN + i };
		if (options[i].letter != 0) {
			*letters++ = options[i].letter;
			if (options[i].has_arg == required_argument)
				*letters++ = ':';
		}
	}
	*letters = '\0';
	memcpy(longs + n, shared, sizeof shared);
}

/* The option that getopt found; OPT_COUNT for one that all tools have. */
static int
own_option(int c)
{
	if (c >= CLI_OPTION_OWN)
		return c - CLI_OPTION_OWN;
	for (int i = 0; i < OPT_COUNT; i++)
		if (options[i].letter != 0 && options[i].letter == c)
			return i;
	return OPT_COUNT;
}

/* -10 is an operand, the last ten, though it looks like options -1 and -0. */
static void
add_digit(struct topic_call *call, char digit)
{
	static char last[sizeof "-9223372036854775807"];
	size_t len = strlen(last);

	if (len == 0)
		last[len++] = '-';
	if (len + 1 == sizeof last)
		call_usage("%s...: a number is at most 2^63-1", last);
	last[len] = digit;
	call->last = last;
}

static void
read_options(int argc, char *argv[], bool check, struct topic_call *call)
{
	static const struct option shared[] = { CLI_LONG_OPTIONS };
	struct option longs[OPT_COUNT + sizeof shared / sizeof shared[0]];
	char letters[2 * OPT_COUNT + sizeof "0123456789qv"];
	int c, own;

	fill_tables(check, letters, longs);
	while ((c = cli_getopt(argc, argv, letters, longs, &text)) != -1) {
		if (c >= '0' && c <= '9')
			add_digit(call, (char)c);
		else if (c == 'q')
			call->verbose--;
		else if (c == 'v')
			call->verbose++;
		else if ((own = own_option(c)) < OPT_COUNT)
			call->value[own] = optarg != NULL ? optarg : "";
		else
			cli_option(&call->where, c, optarg, &text);
	}
}

/* What the verb does not take is an error, not ignored. */
static void
check_call(const struct verb *verb, const struct topic_call *c)
{
	AUTO_BUF struct buf all = BUF_INIT(4096);

	if (c->count < verb->min)
		call_usage("%s: %s", verb->name, verb->missing);
	if (c->count > verb->max)
		call_usage("%s: one operand too many: %s", verb->name, cli_cut(c->args[verb->max]));
	for (int i = 0; i < c->count; i++)
		if (c->args[i][0] == '\0')
			call_usage("%s: a topic's name is not empty", verb->name);
	if (c->last != NULL && verb->run != verb_sub)
		call_usage("%s: %s: no such option", verb->name, c->last);
	for (int i = 0; i < OPT_COUNT; i++) {
		if (!call_has(c, (enum topic_option)i) || (verb->options & OPT_BIT(i)) != 0)
			continue;
		if (options[i].name != NULL)
			call_usage("%s: --%s is for %s", verb->name, options[i].name,
			    names(OPT_BIT(i), &all));
		call_usage("%s: -%c is for %s", verb->name, options[i].letter, names(OPT_BIT(i), &all));
	}
}

void
call_only(const struct topic_call *c, const char *verb, const char *word, uint64_t taken)
{
	for (int i = 0; i < OPT_COUNT; i++) {
		if (!call_has(c, (enum topic_option)i) || (taken & OPT_BIT(i)) != 0)
			continue;
		if (options[i].name != NULL)
			call_usage("%s %s: it takes no --%s", verb, word, options[i].name);
		call_usage("%s %s: it takes no -%c", verb, word, options[i].letter);
	}
}

/*
 * A monitor takes 1 and 2 for what was measured and everything else for
 * trouble with itself; 3 is its word for that.  Asked before the options are
 * read, so that those count, too.
 */
static bool
is_check(int argc, char *argv[])
{
	int i = 1;

	while (i < argc && argv[i][0] == '-')
		i += strcmp(argv[i], "--spool") == 0 || strcmp(argv[i], "--socket") == 0 ? 2 : 1;
	return i < argc && strcmp(argv[i], "check") == 0;
}

/* check --user is no monitor's: it fails as the other verbs do. */
static bool
asks_for_user(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--user") == 0 || strncmp(argv[i], "--user=", 7) == 0)
			return true;
	return false;
}

/* Who only looks shall not make what was mistyped. */
static bool
only_looks(const struct verb *verb, const struct topic_call *c)
{
	static const char *const looks[] = { "check", "export", "list", "peek", "show", "stat", "verify",
		"wait" };

	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
		if (strcmp(verb->name, looks[i]) == 0)
			return true;
	return strcmp(verb->name, "sub") == 0 && strcmp(c->args[0], "list") == 0;
}

int
main(int argc, char *argv[])
{
	struct topic_call call = { .count = 0 };
	const struct verb *verb;
	struct mess *m;
	int status, flushed;
	bool check;

	cli_init(argv);
	check = is_check(argc, argv);
	if (check && !asks_for_user(argc, argv))
		cli_fail_as(3);
	read_options(argc, argv, check, &call);
	verb = find_verb(optind < argc ? argv[optind++] : NULL);
	call.args = argv + optind;
	call.count = argc - optind;
	check_call(verb, &call);

	if (call.where.spool != NULL && only_looks(verb, &call) && access(call.where.spool, F_OK) == -1)
		return cli_fail_errno(EX_NOINPUT, "%s: no such spool", call.where.spool);
	m = cli_open(&call.where);
	status = verb->run(m, &call);
	mess_close(m);
	flushed = cli_flush_stdout();
	return status != EX_OK ? status : flushed;
}
