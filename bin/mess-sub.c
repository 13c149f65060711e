/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: take messages; print them, or run a command for each.
 *
 * Promise: a message is acked after all its bytes were written to stdout,
 * or after its handler said so, never before; exit 0 says those acks are on
 * disk.  sub.h says which file does what.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/fd.h"
#include "limit.h"
#include "message.h"
#include "sub.h"

#define GRACE_DEFAULT_MS ((uint64_t)30 * 1000)
#define RESERVE_DEFAULT_MS ((uint64_t)5 * 60 * 1000)
#define ATTEMPTS_MOST 65535	/* as many as a topic may say */

static const struct cli_text text = {
	"mess-sub [-qv] [-s SUBSCRIPTION] [--tail | --peek] [-n N] [-e [-E]] [-W DUR] [--from POS] [-j N] "
	"[--timeout DUR] [--grace DUR] [--max-attempts N] [--match NAME=GLOB] "
	"[-l | -0 | --records | --json | -F FORMAT | --reserve[=DUR]] [--raw] " CLI_WHERE_USAGE
	" TOPIC... [-- COMMAND [ARG]...]\n"
	"       mess-sub --ack LEASE | --nack LEASE | --dead LEASE",
	"Take messages of TOPICs and write them to standard output, or run COMMAND for\n"
	"each.  A message is acknowledged once it is written, or COMMAND exits 0.\n\n"
	"  -s SUBSCRIPTION      take for this subscription (default)\n"
	"      --tail           only watch what comes from now on\n"
	"      --peek           only show what the subscription has not settled\n"
	"      --from POS       a new subscription begins at oldest, now, a number, a\n"
	"                       time, or with the last: -10\n"
	"      --match NAME=GLOB  a new subscription gets only what has such a header\n"
	"  -n N                 stop after N messages\n"
	"  -e                   stop when nothing is ready\n"
	"  -E                   with -e: exit 1 when there was nothing\n"
	"  -W DUR               stop after this time (90, 90s, 5m, 2h, 7d)\n"
	"  -l                   end each message with a newline\n"
	"  -0                   end each message with a NUL\n"
	"      --records        write records: envelope, headers, body\n"
	"      --json           write a JSON object a line\n"
	"  -F FORMAT            %t topic %s seq %T time %u uid %U user %a attempt\n"
	"                       %h{Name} header %b body %% \\n \\t \\0 \\\\\n"
	"      --raw            the bytes as they are, on a terminal too\n"
	"  -j N                 run N commands at once\n"
	"      --timeout DUR    end a command that runs longer\n"
	"      --grace DUR      at SIGTERM, give running ones this long (30s)\n"
	"      --max-attempts N   dead after so many attempts (what the topic says, or 10)\n"
	"      --reserve[=DUR]  print one message as JSON, with a lease for that long (5m)\n"
	"      --ack LEASE, --nack LEASE, --dead LEASE\n"
	"                       settle what was reserved\n"
	"  -q, -v               say less, more\n"
	CLI_WHERE_HELP
};

/* ---- the program ---- */

/* What was written is settled; then the reason to stop becomes a status. */
static int
finish(struct sub *s, enum stop stop)
{
	const struct options *o = s->o;
	enum mess_err err;

	sub_unblock_signals(s);
	sub_set_until(s, SUB_GRACE_MS);
	err = s->m != NULL ? mess_ack_wait(s->m) : MESS_OK;
	if (err == MESS_CANCELLED && s->status == EX_OK) {
		cli_warn("%s: acknowledging: mess-deliverd does not answer in %d s", s->what,
		    SUB_GRACE_MS / 1000);
		s->status = mess_exit_status(MESS_NODAEMON);
	} else if (err != MESS_OK && s->status == EX_OK) {
		s->status = cli_fail_mess(s->m, err, "%s: acknowledging", s->what);
	}
	if (s->status != EX_OK)
		return s->status;
	if (stop == STOP_WAITED && (o->drain || o->count != UINT64_MAX))
		return SUB_WAITED;
	if (stop != STOP_SIGNAL && s->failed > 0)
		return SUB_FAILED;
	return o->want_some && s->received == 0 && stop == STOP_DONE ? 1 : EX_OK;
}

static enum stop
take(struct sub *s)
{
	if (s->o->mode == MODE_PEEK)
		return sub_peek(s);
	if (s->o->verb == VERB_RESERVE)
		return sub_reserve(s);
	return s->o->command != NULL ? sub_work(s) : sub_follow(s);
}

/* The topics in words; what is too long is cut where it is said. */
static char *
all_topics(const struct options *o)
{
	AUTO_BUF struct buf b = BUF_INIT(SIZE_MAX / 2);

	for (int i = 0; i < o->topic_count; i++)
		if (buf_printf(&b, "%s%s", i > 0 ? " " : "", o->topics[i]) != MESS_OK)
			return NULL;
	return strdup(cli_cut(buf_data(&b)));
}

static int
run(const struct options *o)
{
	static struct sub s;
	AUTO_FREE char *all = all_topics(o);
	AUTO_FREE bool *gone = calloc((size_t)o->topic_count, sizeof(bool));
	enum stop stop = STOP_FAILED;
	int status;

	if (all == NULL || gone == NULL)
		return cli_fail(MESS_LIMIT, "%s", cli_cut(o->topics[0]));
	s = (struct sub){ .o = o, .left = o->count, .out = BUF_INIT(SUB_OUT_MAX),
		.after = BUF_INIT(SUB_OUT_MAX), .what = all, .all = all, .gone = gone,
		.signals = -1, .timer = -1, .stops = -1 };
	sub_look_at_stdout(&s);
	if (o->mode != MODE_PEEK)
		s.m = cli_open(&o->where);
	if ((status = sub_watch_stops(&s)) == EX_OK) {
		stop = take(&s);
		status = finish(&s, stop);
	}
	mess_close(s.m);
	buf_free(&s.out);
	buf_free(&s.after);
	sub_unwatch_stops(&s);
	if (stop == STOP_PIPE)
		sub_die_of_sigpipe();
	return status;
}

/* ---- options ---- */

static void
set_form(struct options *o, enum sub_form form)
{
	if (o->form != FORM_BODY && o->form != form)
		cli_usage(&text, "only one of -l, -0, --records, --json and -F");
	o->form = form;
}

static void
set_mode(struct options *o, enum sub_mode mode)
{
	if (o->mode != MODE_SUB && o->mode != mode)
		cli_usage(&text, "only one of --tail and --peek");
	o->mode = mode;
}

static void
set_verb(struct options *o, enum sub_verb verb, const char *lease)
{
	if (o->verb != VERB_TAKE)
		cli_usage(&text, "only one of --reserve, --ack, --nack and --dead, once");
	o->verb = verb;
	o->lease = lease;
}

static uint64_t
number(const char *option, uint64_t most, const char *what)
{
	uint64_t n;

	if (!cli_number(optarg, 1, most, &n))
		cli_usage(&text, "%s %s: not a number of %s, 1 to %llu", option, cli_cut(optarg), what,
		    (unsigned long long)most);
	return n;
}

static uint64_t
duration(const char *option, const char *value)
{
	uint64_t ms;

	if (!cli_duration(value, &ms))
		cli_usage(&text, "%s %s: not a duration as 90, 90s, 5m, 2h, 7d", option, cli_cut(value));
	return ms;
}

static void
set_format(struct options *o)
{
	const char *why;

	set_form(o, FORM_FORMAT);
	format_free(o->format);
	if ((o->format = format_read(optarg, &why)) == NULL)
		cli_usage(&text, "-F %s: %s", cli_cut(optarg), why);
}

enum {
	OPTION_RECORDS = CLI_OPTION_OWN,
	OPTION_PEEK,
	OPTION_TAIL,
	OPTION_RAW,
	OPTION_JSON,
	OPTION_FROM,
	OPTION_MATCH,
	OPTION_TIMEOUT,
	OPTION_GRACE,
	OPTION_MAX_ATTEMPTS,
	OPTION_RESERVE,
	OPTION_ACK,
	OPTION_NACK,
	OPTION_DEAD,
};

/* Where to begin, and how handlers run. */
static void
read_long(struct options *o, int c)
{
	switch (c) {
	case OPTION_FROM:
		if (!cli_position(optarg, o->from))
			cli_usage(&text, "--from %s: not oldest, now, a number, a time or -10",
			    cli_cut(optarg));
		o->how.from = o->from;
		break;
	case OPTION_MATCH:
		if (!message_match_check(optarg))
			cli_usage(&text, "--match %s: not NAME=GLOB", cli_cut(optarg));
		o->how.match = optarg;
		break;
	case OPTION_TIMEOUT:
		o->timeout = optarg;
		if ((o->timeout_ms = duration("--timeout", optarg)) == 0)
			cli_usage(&text, "--timeout 0: nothing runs in no time");
		break;
	case OPTION_GRACE:
		o->grace_ms = duration("--grace", optarg);
		break;
	case OPTION_MAX_ATTEMPTS:
		o->how.max_attempts = (unsigned)number("--max-attempts", ATTEMPTS_MOST, "attempts");
		break;
	case OPTION_RESERVE:
		set_verb(o, VERB_RESERVE, NULL);
		o->reserve_ms = optarg != NULL ? duration("--reserve", optarg) : RESERVE_DEFAULT_MS;
		if (o->reserve_ms == 0)
			cli_usage(&text, "--reserve=0: it would be over at once");
		if (o->reserve_ms > LIMIT_HOLD_MS)
			cli_usage(&text, "--reserve=%s: a lease is for at most %llud", cli_cut(optarg),
			    (unsigned long long)LIMIT_HOLD_MS / 86400000);
		break;
	case OPTION_ACK:
		set_verb(o, VERB_ACK, optarg);
		break;
	case OPTION_NACK:
		set_verb(o, VERB_NACK, optarg);
		break;
	case OPTION_DEAD:
		set_verb(o, VERB_DEAD, optarg);
		break;
	default:
		cli_option(&o->where, c, optarg, &text);
	}
}

static void
read_option(struct options *o, int c)
{
	switch (c) {
	case 's':
		o->name = optarg;
		break;
	case 'n':
		o->count = number("-n", INT64_MAX, "messages");
		break;
	case 'e':
		o->drain = true;
		break;
	case 'E':
		o->want_some = true;
		break;
	case 'W':
		o->wait_ms = duration("-W", optarg);
		o->has_wait = true;
		break;
	case 'l':
		set_form(o, FORM_LINE);
		break;
	case '0':
		set_form(o, FORM_NUL);
		break;
	case 'F':
		set_format(o);
		break;
	case 'j':
		o->jobs = number("-j", SUB_JOBS_MAX, "commands");
		break;
	case OPTION_RECORDS:
		set_form(o, FORM_RECORD);
		break;
	case OPTION_JSON:
		set_form(o, FORM_JSON);
		break;
	case OPTION_PEEK:
		set_mode(o, MODE_PEEK);
		break;
	case OPTION_TAIL:
		set_mode(o, MODE_TAIL);
		break;
	case OPTION_RAW:
		o->raw = true;
		break;
	case 'q':
		o->verbose--;
		break;
	case 'v':
		o->verbose++;
		break;
	default:
		read_long(o, c);
	}
}

/* What does not go together. */
static void
check_modes(const struct options *o)
{
	if (o->mode == MODE_TAIL && o->drain)
		cli_usage(&text, "--tail shows what is still to come: not with -e");
	if (o->mode == MODE_TAIL && o->name != NULL)
		cli_usage(&text, "--tail has no subscription: not with -s");
	if (o->mode != MODE_SUB && (o->how.from != NULL || o->how.match != NULL || o->how.max_attempts > 0))
		cli_usage(&text, "--from, --match and --max-attempts are a subscription's: not with --tail or --peek");
	if (o->mode == MODE_PEEK && o->command != NULL)
		cli_usage(&text, "--peek takes nothing: not with a command");
	if (o->want_some && !o->drain && o->mode != MODE_PEEK)
		cli_usage(&text, "-E goes with -e");
}

static void
check_work(const struct options *o)
{
	if (o->command == NULL && (o->jobs > 0 || o->timeout_ms > 0 || o->grace_ms != UINT64_MAX))
		cli_usage(&text, "-j, --timeout and --grace are for a command after --");
	if (o->command != NULL && o->form != FORM_BODY)
		cli_usage(&text, "a command gets the body on its standard input: not with -l, -0, --records, "
		    "--json and -F");
	if (o->verb == VERB_RESERVE && (o->command != NULL || o->mode != MODE_SUB || o->count != UINT64_MAX ||
	    (o->form != FORM_BODY && o->form != FORM_JSON)))
		cli_usage(&text, "--reserve takes one message and prints it as JSON: not with -n, --tail, "
		    "--peek, another form or a command");
}

/*
 * Options and topics in any order, up to --: what follows it is the
 * command's, and getopt may not move any of it.  Topics are gathered at the
 * front of argv, over what was read.
 */
static void
read_words(int argc, char *argv[], const struct option *longs, struct options *o)
{
	bool options = true;
	int c, before;

	o->topics = argv + 1;
	for (;;) {
		before = optind;
		if (options && (c = cli_getopt(argc, argv, "+0EF:W:ej:ln:qs:v", longs, &text)) != -1) {
			read_option(o, c);
			continue;
		}
		if (!options && optind < argc && strcmp(argv[optind], "--") == 0)
			optind++;
		if (optind > before)
			break; /* it was -- */
		if (optind == argc)
			return;
		o->topics[o->topic_count++] = argv[optind++];
		options = options && getenv("POSIXLY_CORRECT") == NULL;
	}
	if (optind == argc)
		cli_usage(&text, "after -- stands a command");
	o->command = argv + optind;
}

static void
check_operands(const struct options *o)
{
	if (o->lease != NULL && (o->topic_count > 0 || o->command != NULL))
		cli_usage(&text, "a lease says its topic: no operands with --ack, --nack and --dead");
	if (o->lease == NULL && o->topic_count == 0)
		cli_usage(&text, "which topic?");
	for (int i = 0; i < o->topic_count; i++)
		if (o->topics[i][0] == '\0')
			cli_usage(&text, "a topic's name is not empty");
	if (o->command != NULL && o->command[0][0] == '\0')
		cli_usage(&text, "a command's name is not empty");
}

static void
set_defaults(struct options *o)
{
	if (o->name == NULL)
		o->name = "default";
	if (o->mode == MODE_PEEK)
		o->drain = true;
	if (o->jobs == 0)
		o->jobs = 1;
	if (o->grace_ms == UINT64_MAX)
		o->grace_ms = GRACE_DEFAULT_MS;
	if (o->verb == VERB_RESERVE) {
		o->form = FORM_JSON;
		o->count = 1;
	}
}

static void
read_options(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = {
		{ "records", no_argument, NULL, OPTION_RECORDS },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "peek", no_argument, NULL, OPTION_PEEK },
		{ "tail", no_argument, NULL, OPTION_TAIL },
		{ "raw", no_argument, NULL, OPTION_RAW },
		{ "from", required_argument, NULL, OPTION_FROM },
		{ "match", required_argument, NULL, OPTION_MATCH },
		{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
		{ "grace", required_argument, NULL, OPTION_GRACE },
		{ "max-attempts", required_argument, NULL, OPTION_MAX_ATTEMPTS },
		{ "reserve", optional_argument, NULL, OPTION_RESERVE },
		{ "ack", required_argument, NULL, OPTION_ACK },
		{ "nack", required_argument, NULL, OPTION_NACK },
		{ "dead", required_argument, NULL, OPTION_DEAD },
		CLI_LONG_OPTIONS
	};

	read_words(argc, argv, longs, o);
	check_operands(o);
	check_modes(o);
	check_work(o);
	set_defaults(o);
}

int
main(int argc, char *argv[])
{
	struct options o = { .count = UINT64_MAX, .grace_ms = UINT64_MAX };

	int status;

	cli_init(argv);
	read_options(argc, argv, &o);
	if (o.lease != NULL)
		status = sub_settle_lease(&o);
	else if ((status = cli_check_stdout()) == EX_OK)
		status = run(&o);
	format_free(o.format);
	return status;
}
