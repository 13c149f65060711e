/* SPDX-License-Identifier: ISC */
/*
 * mess-pub: standard input becomes messages.
 *
 * Promise: exit 0 says that all of it is on disk.  When only a part of a
 * stream is, the error line says how much, so that it can be resumed.
 * Input of any length is read with bounded memory.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli-time.h"
#include "pub.h"

static const struct cli_text text = {
	"mess-pub [-qv] [-l | -0 | -D DELIM | --records | --json] [-m TEXT | -f FILE] "
	"[-H 'Name: value']... [--delay DUR | --at TIME] [--ttl DUR] [--id KEY | --unless-queued KEY] "
	"[--atomic] [--wait[=DUR]] [--tee] " CLI_WHERE_USAGE " TOPIC",
	"Publish standard input to TOPIC.  Exit status 0: all of it is on disk.\n\n"
	"  -l                   each line is a message\n"
	"  -0                   each piece that ends in a NUL is a message\n"
	"  -D DELIM             each piece that ends in DELIM (\\n \\t \\0 \\xHH) is a message\n"
	"      --records        read what mess-sub --records wrote\n"
	"      --json           read objects as mess-sub --json writes them, one a line\n"
	"  -m TEXT              publish TEXT\n"
	"  -f FILE              read FILE instead of standard input\n"
	"  -H 'Name: value'     a header for every message\n"
	"      --delay DUR      deliver it after DUR (90, 90s, 5m, 2h, 7d)\n"
	"      --at TIME        deliver it at TIME (RFC 3339, or @SECONDS)\n"
	"      --ttl DUR        not later than DUR after that\n"
	"      --id KEY         publish a message of this key only once (%n: its number in this run)\n"
	"      --unless-queued KEY\n"
	"                       publish nothing while one of this key waits\n"
	"      --atomic         all of it or nothing\n"
	"      --wait[=DUR]     wait for room, or for the engine\n"
	"      --tee            write each message on to standard output once it is on disk\n"
	"  -v                   print TOPIC:SEQ, or its key, for each message that is on disk\n"
	"  -q                   say less\n"
	CLI_WHERE_HELP
};

/* ---- words ---- */

enum mess_err
pub_bad_input(struct pub *p, enum mess_err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vprintf(&p->why, fmt, ap) != MESS_OK)
		buf_reset(&p->why, 0); /* the error has a text of its own */
	va_end(ap);
	return err;
}

/* ---- the program ---- */

/* Of --atomic. */
static int
nothing_stored(const struct pub *p, enum mess_err err)
{
	cli_warn("%s: %s, at %s %llu%s%s", p->o->topic,
	    mess_in_doubt(p->m) ? "it is not known whether all or none of it is stored" : "nothing is stored",
	    p->o->unit, (unsigned long long)p->taken, ": ", buf_len(&p->why) > 0 ? buf_data(&p->why) :
	    mess_detail(p->m)[0] != '\0' ? mess_detail(p->m) : mess_strerror(err));
	return p->waited_out ? EX_TEMPFAIL : mess_exit_status(err);
}

/*
 * What went before an error in the input shall be durable, and if it can't
 * be, that is the earlier error.
 */
static int
report(struct pub *p, enum mess_err err)
{
	const struct options *o = p->o;
	enum mess_err earlier;
	unsigned long long n;

	pub_progress_end(p);
	mess_body_abort(p->m);
	if (p->streaming && (earlier = mess_wait(p->m)) != MESS_OK) {
		buf_reset(&p->why, 0);
		err = earlier;
	}
	if (o->atomic)
		return nothing_stored(p, err);
	if (o->form == FORM_WHOLE && buf_len(&p->why) == 0) {
		(void)cli_fail_mess(p->m, err, "%s", o->topic);
		return p->waited_out ? EX_TEMPFAIL : mess_exit_status(err);
	}
	n = pub_durable(p);
	if (o->form == FORM_WHOLE)
		cli_warn("%s: %s", o->topic, buf_data(&p->why));
	else
		cli_warn("%s: %llu message%s durable, stopped at %s %llu%s: %s", o->topic, n,
		    n == 1 ? " is" : "s are", o->unit, n + 1,
		    mess_in_doubt(p->m) ? ", those from there on may be stored" : "",
		    buf_len(&p->why) > 0 ? buf_data(&p->why) :
		    mess_detail(p->m)[0] != '\0' ? mess_detail(p->m) : mess_strerror(err));
	return p->waited_out ? EX_TEMPFAIL : mess_exit_status(err);
}

static enum mess_err
publish_input(struct pub *p)
{
	if (p->o->message != NULL)
		return pub_text(p);
	switch (p->o->form) {
	case FORM_WHOLE:
		return pub_whole(p);
	case FORM_PIECES:
		return pub_pieces(p);
	case FORM_RECORDS:
		return pub_records(p);
	case FORM_JSON:
		return pub_json(p);
	}
	return MESS_BUG;
}

static int
start(struct pub *p)
{
	const struct options *o = p->o;
	enum mess_err err;

	/* Also where there is nothing to publish a name must be one. */
	if ((err = mess_topic_check(p->m, o->topic)) != MESS_OK)
		return cli_fail_mess(p->m, err, "%s", cli_cut(o->topic));
	if (o->file != NULL && (p->fd = open(o->file, O_RDONLY | O_CLOEXEC)) == -1)
		return cli_fail_errno(EX_NOINPUT, "%s", o->file);
	pub_send_init(p);
	pub_progress_init(p);
	return EX_OK;
}

/* Who cannot be told what became of it must not take it for refused. */
static int
flush(int status)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	(void)cli_fail_errno(EX_IOERR, "%s", status == EX_OK ? "all is durable, but standard output" :
	    "standard output");
	return status != EX_OK ? status : EX_IOERR;
}

static int
run(const struct options *o)
{
	struct pub p = { .o = o, .fd = STDIN_FILENO, .spill = -1 };
	enum mess_err err;
	int status;

	p.in.max = o->form == FORM_JSON ? PUB_LINE_MAX + 2 * PUB_PIECE : RECORD_MAX + 2 * PUB_PIECE;
	p.why.max = 4096;
	p.m = cli_open(&o->where);
	if ((status = start(&p)) == EX_OK) {
		if ((err = publish_input(&p)) != MESS_OK || (err = pub_end(&p)) != MESS_OK)
			status = report(&p, err);
		pub_progress_end(&p);
	}
	mess_close(p.m);
	pub_send_free(&p);
	buf_free(&p.in);
	buf_free(&p.why);
	return flush(status);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One byte of DELIM, perhaps written with a backslash; the bytes used, 0 for none. */
static size_t
delim_byte(const char *s, char *out)
{
	static const char letters[] = "nt0\\", values[] = "\n\t\0\\";
	const char *hit;

	if (s[0] != '\\') {
		*out = s[0];
		return 1;
	}
	if (s[1] == 'x' && hex_digit(s[2]) >= 0 && hex_digit(s[3]) >= 0) {
		*out = (char)(hex_digit(s[2]) * 16 + hex_digit(s[3]));
		return 4;
	}
	if (s[1] == '\0' || (hit = strchr(letters, s[1])) == NULL)
		return 0;
	*out = values[hit - letters];
	return 2;
}

static void
read_delim(struct options *o, const char *s)
{
	size_t used;

	for (o->delim_len = 0; *s != '\0'; s += used) {
		if (o->delim_len == sizeof o->delim)
			cli_usage(&text, "-D: more than %d bytes", PUB_DELIM_MAX);
		if ((used = delim_byte(s, &o->delim[o->delim_len++])) == 0)
			cli_usage(&text, "-D: %s: after a backslash n, t, 0, xHH or another", cli_cut(s));
	}
	if (o->delim_len == 0)
		cli_usage(&text, "-D: empty");
}

static void
set_form(struct options *o, enum form form, const char *unit, const char *delim)
{
	if (o->form != FORM_WHOLE)
		cli_usage(&text, "only one of -l, -0, -D, --records and --json");
	o->form = form;
	o->unit = unit;
	if (delim != NULL)
		read_delim(o, delim);
}

static void
add_header(struct options *o, const char *header)
{
	size_t len = strlen(header), all = buf_len(&o->headers) + len + 1;
	const char *why;

	if (all > RECORD_HEADERS_MAX)
		cli_usage(&text, "-H %s: headers are at most %d bytes; these are %zu", cli_cut(header),
		    RECORD_HEADERS_MAX, all);
	if (record_header_check(header, len, false, &why) != MESS_OK)
		cli_usage(&text, "-H %s: %s", cli_cut(header), why);
	if (buf_printf(&o->headers, "%s\n", header) != MESS_OK)
		exit(cli_fail(MESS_LIMIT, "-H"));
	if (record_headers_check(buf_data(&o->headers), buf_len(&o->headers), false, &why) != MESS_OK)
		cli_usage(&text, "-H %s: %s; this is one more", cli_cut(header), why);
}

enum {
	OPTION_RECORDS = CLI_OPTION_OWN,
	OPTION_JSON,
	OPTION_DELAY,
	OPTION_AT,
	OPTION_TTL,
	OPTION_ID,
	OPTION_UNLESS_QUEUED,
	OPTION_ATOMIC,
	OPTION_WAIT,
	OPTION_TEE,
};

static uint64_t
duration(const char *option, const char *arg)
{
	uint64_t ms;

	if (!cli_duration(arg, &ms))
		cli_usage(&text, "%s %s: not a duration as 90, 90s, 5m, 2h, 7d", option, cli_cut(arg));
	return ms;
}

static void
set_at(struct options *o, const char *arg)
{
	o->at = arg;
	if (!cli_time(arg, &o->at_sec, &o->at_nsec))
		cli_usage(&text, "--at %s: not a time as 2026-11-21T05:33:57Z or @1795239237, "
		    "until the end of the year 9999", cli_cut(arg));
}

/* --id and --unless-queued: what a header can hold. */
static const char *
key(const char *option, const char *arg)
{
	size_t len = strlen(arg);
	char line[300];

	if (len == 0 || len > RECORD_KEY_MAX)
		cli_usage(&text, "%s %s: a key is 1 to %d bytes; this one has %zu", option, cli_cut(arg),
		    RECORD_KEY_MAX, len);
	(void)snprintf(line, sizeof line, "K: %s", arg); /* fits by the check */
	if (record_header_check(line, len + 3, false, NULL) != MESS_OK)
		cli_usage(&text, "%s %s: a key is UTF-8 without control characters", option, cli_cut(arg));
	return arg;
}

static void
read_long_option(struct options *o, int c)
{
	switch (c) {
	case OPTION_DELAY:
		o->delay = optarg;
		o->delay_ms = duration("--delay", optarg);
		break;
	case OPTION_AT:
		set_at(o, optarg);
		break;
	case OPTION_TTL:
		o->ttl = optarg;
		if ((o->ttl_ms = duration("--ttl", optarg)) == 0)
			cli_usage(&text, "--ttl 0: it would expire at once");
		break;
	case OPTION_ID:
		o->id = key("--id", optarg);
		break;
	case OPTION_UNLESS_QUEUED:
		o->key = key("--unless-queued", optarg);
		break;
	case OPTION_ATOMIC:
		o->atomic = true;
		break;
	case OPTION_WAIT:
		o->wait = true;
		o->wait_ms = optarg == NULL ? UINT64_MAX : duration("--wait", optarg);
		break;
	case OPTION_TEE:
		o->tee = true;
		break;
	default:
		cli_option(&o->where, c, optarg, &text);
	}
}

static void
read_option(struct options *o, int c)
{
	switch (c) {
	case 'l':
		set_form(o, FORM_PIECES, "line", "\\n");
		break;
	case '0':
		set_form(o, FORM_PIECES, "piece", "\\0");
		break;
	case 'D':
		set_form(o, FORM_PIECES, "piece", optarg);
		break;
	case OPTION_RECORDS:
		set_form(o, FORM_RECORDS, "record", NULL);
		break;
	case OPTION_JSON:
		set_form(o, FORM_JSON, "line", NULL);
		break;
	case 'm':
		o->message = optarg;
		break;
	case 'f':
		o->file = optarg;
		break;
	case 'H':
		add_header(o, optarg);
		break;
	case 'q':
		o->verbose--;
		break;
	case 'v':
		o->verbose++;
		break;
	default:
		read_long_option(o, c);
	}
}

static void
check_options(const struct options *o)
{
	if (o->message != NULL && (o->file != NULL || o->form != FORM_WHOLE))
		cli_usage(&text, "-m goes with none of -f, -l, -0, -D, --records and --json");
	if (o->id != NULL && o->key != NULL)
		cli_usage(&text, "only one of --id and --unless-queued");
	if (o->delay != NULL && o->at != NULL)
		cli_usage(&text, "only one of --delay and --at");
	if (pub_is_due_too_late(o))
		cli_usage(&text, "--delay %s: it would be due after the year 9999", cli_cut(o->delay));
	if (pub_expires_too_late(o))
		cli_usage(&text, "--ttl %s: it would expire after the year 9999", cli_cut(o->ttl));
	if (o->tee && o->verbose > 0)
		cli_usage(&text, "--tee and -v both write to standard output");
	if (o->id != NULL && o->form != FORM_WHOLE && strstr(o->id, "%n") == NULL)
		cli_usage(&text, "--id %s: of many messages each needs a key of its own, as in '%s:%%n'",
		    cli_cut(o->id), cli_cut(o->id));
	if (o->key != NULL && o->form != FORM_WHOLE)
		cli_usage(&text, "--unless-queued is for one message: not with -l, -0, -D, --records and --json");
}

static void
read_options(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = {
		{ "records", no_argument, NULL, OPTION_RECORDS },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "delay", required_argument, NULL, OPTION_DELAY },
		{ "at", required_argument, NULL, OPTION_AT },
		{ "ttl", required_argument, NULL, OPTION_TTL },
		{ "id", required_argument, NULL, OPTION_ID },
		{ "unless-queued", required_argument, NULL, OPTION_UNLESS_QUEUED },
		{ "atomic", no_argument, NULL, OPTION_ATOMIC },
		{ "wait", optional_argument, NULL, OPTION_WAIT },
		{ "tee", no_argument, NULL, OPTION_TEE },
		CLI_LONG_OPTIONS
	};
	int c;

	while ((c = cli_getopt(argc, argv, "0D:H:f:lm:qv", longs, &text)) != -1)
		read_option(o, c);
	check_options(o);
	o->topic = cli_topic(argc, argv, &text);
}

int
main(int argc, char *argv[])
{
	struct options o = { .headers = BUF_INIT(RECORD_HEADERS_MAX), .unit = "message" };
	int status;

	cli_init(argv);
	read_options(argc, argv, &o);
	status = run(&o);
	buf_free(&o.headers);
	return status;
}
