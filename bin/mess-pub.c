/* SPDX-License-Identifier: ISC */
/*
 * mess-pub: standard input becomes messages.
 *
 * Promise: exit 0 says that all of it is on disk.  When only a part of a
 * stream is, the error line says how much, so that it can be resumed.
 * Input of any length is read with bounded memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/fd.h"
#include "cli.h"
#include "record.h"

#define PIECE ((size_t)256 * 1024)	/* one read */
#define DELIM_MAX 64

static const struct cli_text text = {
	"mess-pub [-qv] [-l | -0 | -D DELIM | --records] [-m TEXT | -f FILE] [-H 'Name: value']... "
	CLI_WHERE_USAGE " TOPIC",
	"Publish standard input to TOPIC.  Exit status 0: all of it is on disk.\n\n"
	"  -l                   each line is a message\n"
	"  -0                   each piece that ends in a NUL is a message\n"
	"  -D DELIM             each piece that ends in DELIM (\\n \\t \\0 \\xHH) is a message\n"
	"      --records        read what mess-sub --records wrote\n"
	"  -m TEXT              publish TEXT\n"
	"  -f FILE              read FILE instead of standard input\n"
	"  -H 'Name: value'     a header for every message\n"
	"  -v                   print TOPIC:SEQ for each message that is on disk\n"
	"  -q                   say less\n"
	CLI_WHERE_HELP
};

enum form {
	FORM_WHOLE,	/* all of the input is one message */
	FORM_PIECES,
	FORM_RECORDS,
};

struct options {
	struct cli_where where;
	const char *topic;
	enum form form;
	const char *unit;	/* what a message is called where the stream stopped */
	char delim[DELIM_MAX];
	size_t delim_len;
	const char *message;
	const char *file;
	struct buf headers;
	int verbose;
};

struct pub {
	const struct options *o;
	struct mess *m;
	int fd;
	bool eof;
	struct buf in;
	uint64_t durable;	/* before the stream that is open */
	bool streaming;
	struct buf why;		/* what is wrong with the input, where that is the error */
};

/* ---- words ---- */

/* The input is at fault, or the reading of it. */
static enum mess_err bad_input(struct pub *p, enum mess_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum mess_err
bad_input(struct pub *p, enum mess_err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vprintf(&p->why, fmt, ap) != MESS_OK)
		buf_reset(&p->why, 0); /* the error has a text of its own */
	va_end(ap);
	return err;
}

static void
print_stored(void *arg, uint64_t seq)
{
	const struct options *o = arg;

	/* Whether stdout works is judged when it is flushed. */
	if (seq == 0)
		(void)puts("-");
	else
		(void)printf("%s:%llu\n", o->topic, (unsigned long long)seq);
}

static uint64_t
total(const struct pub *p)
{
	return p->durable + (p->streaming ? mess_durable(p->m) : 0);
}

/* One message was stored outside a stream. */
static void
stored(struct pub *p, uint64_t seq)
{
	p->durable++;
	if (p->o->verbose > 0)
		print_stored((void *)(uintptr_t)p->o, seq);
}

/* ---- input ---- */

/*
 * Nothing to read right now: what is queued leaves, and while we wait for
 * input the engine's replies are read as they come.
 */
static enum mess_err
wait_for_input(struct pub *p)
{
	enum mess_err err;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = p->fd, .events = POLLIN },
			{ .fd = mess_fd(p->m), .events = POLLIN },
		};

		if (p->streaming && (err = mess_flush(p->m)) != MESS_OK)
			return err;
		if (p->o->verbose > 0)
			(void)fflush(stdout); /* judged at the end */
		fds[1].fd = mess_fd(p->m);
		if (poll(fds, p->streaming ? 2 : 1, -1) == -1 && errno != EINTR)
			return bad_input(p, MESS_SYSTEM, "poll: %s", strerror(errno));
		if (fds[0].revents != 0)
			return MESS_OK;
	}
}

static enum mess_err
read_more(struct pub *p)
{
	struct pollfd in = { .fd = p->fd, .events = POLLIN };
	enum mess_err err;
	ssize_t n;

	if (poll(&in, 1, 0) == 0 && (err = wait_for_input(p)) != MESS_OK)
		return err;
	if ((err = buf_reserve(&p->in, PIECE)) != MESS_OK)
		return bad_input(p, err, "%s", mess_strerror(err));
	while ((n = read(p->fd, buf_end(&p->in), PIECE)) == -1 && errno == EINTR)
		;
	if (n == -1)
		return bad_input(p, MESS_IO, "%s: %s",
		    p->o->file != NULL ? p->o->file : "standard input", strerror(errno));
	p->eof = n == 0;
	buf_grew(&p->in, (size_t)n);
	return MESS_OK;
}

/* ---- one message ---- */

/* End the stream: what comes next is published outside it, in order. */
static enum mess_err
end_stream(struct pub *p)
{
	enum mess_err err;

	if (!p->streaming)
		return MESS_OK;
	if ((err = mess_wait(p->m)) != MESS_OK)
		return err;
	p->durable = total(p);
	p->streaming = false;
	return MESS_OK;
}

/* A message with the headers of -H. */
static struct mess_message
with_headers(const struct pub *p, const char *body, size_t len)
{
	const struct buf *h = &p->o->headers;

	return (struct mess_message){
		.headers = buf_len(h) > 0 ? buf_data(h) : NULL,
		.headers_len = buf_len(h),
		.body = body,
		.body_len = len,
	};
}

static enum mess_err
queue(struct pub *p, const char *body, size_t len)
{
	const struct mess_message msg = with_headers(p, body, len);
	enum mess_err err = mess_queue(p->m, p->o->topic, &msg);

	p->streaming |= err == MESS_OK;
	return err;
}

static enum mess_err
end_body(struct pub *p)
{
	enum mess_err err;
	uint64_t seq;

	if ((err = mess_body_end(p->m, &seq)) == MESS_OK)
		stored(p, seq);
	return err;
}

static enum mess_err
write_body(struct pub *p, size_t n)
{
	enum mess_err err = mess_body_write(p->m, buf_data(&p->in), n);

	buf_consume(&p->in, n);
	return err;
}

static enum mess_err
begin_body(struct pub *p)
{
	const struct buf *h = &p->o->headers;
	enum mess_err err;

	if ((err = end_stream(p)) != MESS_OK)
		return err;
	return mess_body_begin(p->m, p->o->topic, buf_len(h) > 0 ? buf_data(h) : NULL, buf_len(h));
}

static enum mess_err
publish(struct pub *p, const char *body, size_t len)
{
	const struct mess_message msg = with_headers(p, body, len);
	enum mess_err err;
	uint64_t seq;

	if ((err = mess_publish(p->m, p->o->topic, &msg, &seq)) == MESS_OK)
		stored(p, seq);
	return err;
}

/* All of the input, in memory as long as it is small. */
static enum mess_err
publish_whole(struct pub *p)
{
	enum mess_err err;

	while (!p->eof && buf_len(&p->in) <= MESS_INLINE_MAX)
		if ((err = read_more(p)) != MESS_OK)
			return err;
	if (p->eof && buf_len(&p->in) <= MESS_INLINE_MAX)
		return publish(p, buf_len(&p->in) > 0 ? buf_data(&p->in) : "", buf_len(&p->in));

	if ((err = begin_body(p)) != MESS_OK)
		return err;
	while ((err = write_body(p, buf_len(&p->in))) == MESS_OK && !p->eof)
		if ((err = read_more(p)) != MESS_OK)
			break;
	return err == MESS_OK ? end_body(p) : err;
}

static enum mess_err
publish_text(struct pub *p)
{
	const struct buf *h = &p->o->headers;
	const char *body = p->o->message;
	size_t len = strlen(body);
	enum mess_err err;

	if (len <= MESS_INLINE_MAX)
		return publish(p, body, len);
	if ((err = mess_body_begin(p->m, p->o->topic, buf_len(h) > 0 ? buf_data(h) : NULL,
		buf_len(h))) != MESS_OK || (err = mess_body_write(p->m, body, len)) != MESS_OK)
		return err;
	return end_body(p);
}

/* ---- pieces ---- */

static const char *
find_delim(const struct options *o, const char *from, const char *end)
{
	size_t len = (size_t)(end - from);

	if (o->delim_len == 1)
		return memchr(from, o->delim[0], len);
	return memmem(from, len, o->delim, o->delim_len);
}

/*
 * Queue what is whole.  *seen bytes of what is left hold no delimiter and
 * no beginning of one.
 */
static enum mess_err
split(struct pub *p, size_t *seen)
{
	const struct options *o = p->o;
	const char *piece = buf_data(&p->in), *end = piece + buf_len(&p->in);
	const char *from = piece + *seen, *hit;
	enum mess_err err = MESS_OK;

	while (err == MESS_OK && (hit = find_delim(o, from, end)) != NULL &&
	    (size_t)(hit - piece) <= MESS_INLINE_MAX) {
		err = queue(p, piece, (size_t)(hit - piece));
		from = piece = hit + o->delim_len;
	}
	buf_consume(&p->in, (size_t)(piece - buf_data(&p->in)));
	*seen = (size_t)(from - piece);
	if (hit == NULL && buf_len(&p->in) >= *seen + o->delim_len)
		*seen = buf_len(&p->in) - (o->delim_len - 1);
	return err;
}

/* A piece that is too large to wait for its end. */
static enum mess_err
publish_long_piece(struct pub *p)
{
	const size_t tail = p->o->delim_len - 1;
	enum mess_err err;

	if ((err = begin_body(p)) != MESS_OK)
		return err;
	for (;;) {
		const char *data = buf_len(&p->in) > 0 ? buf_data(&p->in) : "";
		const char *hit = find_delim(p->o, data, data + buf_len(&p->in));
		size_t n = buf_len(&p->in);

		if (hit != NULL)
			n = (size_t)(hit - data);
		else if (!p->eof)
			n = n > tail ? n - tail : 0; /* the rest may begin a delimiter */
		if (n > 0 && (err = write_body(p, n)) != MESS_OK)
			return err;
		if (hit != NULL)
			buf_consume(&p->in, p->o->delim_len);
		if (hit != NULL || p->eof)
			return end_body(p);
		if ((err = read_more(p)) != MESS_OK)
			return err;
	}
}

static enum mess_err
publish_pieces(struct pub *p)
{
	enum mess_err err;
	size_t seen = 0;

	for (;;) {
		if (buf_len(&p->in) > 0 && (err = split(p, &seen)) != MESS_OK)
			return err;
		if (buf_len(&p->in) > MESS_INLINE_MAX) {
			if ((err = publish_long_piece(p)) != MESS_OK)
				return err;
			seen = 0;
			continue;
		}
		if (p->eof)
			break;
		if ((err = read_more(p)) != MESS_OK)
			return err;
	}
	if (buf_len(&p->in) > 0 && (err = queue(p, buf_data(&p->in), buf_len(&p->in))) != MESS_OK)
		return err;
	return end_stream(p);
}

/* ---- records ---- */

/* The headers of a record without the engine's, then those of the command line. */
static enum mess_err
record_headers(struct pub *p, const char *headers, size_t len, struct buf *out)
{
	const struct buf *h = &p->o->headers;
	enum mess_err err;

	if ((err = buf_append(out, headers, len)) != MESS_OK)
		return bad_input(p, err, "%s", mess_strerror(err));
	if (len > 0)
		out->tail = out->head + record_headers_strip(buf_data(out), len);
	if (buf_len(h) > 0 && (err = buf_append(out, buf_data(h), buf_len(h))) != MESS_OK)
		return bad_input(p, err, "headers are at most %d bytes; these are %zu",
		    RECORD_HEADERS_MAX, buf_len(out) + buf_len(h));
	return MESS_OK;
}

static enum mess_err
damaged_record(struct pub *p)
{
	return bad_input(p, MESS_BADDATA, "its sum does not hold: the record is damaged");
}

static enum mess_err
queue_record(struct pub *p, const struct record *r, size_t record_len)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_BLOCK_MAX + RECORD_HEADERS_MAX);
	size_t rest = (size_t)record_rest_len(r);
	const char *at = buf_data(&p->in) + record_len - rest;
	struct mess_message msg;
	enum mess_err err;

	if ((err = record_headers(p, at, r->headers_len, &headers)) != MESS_OK)
		return err;
	msg = (struct mess_message){
		.headers = buf_len(&headers) > 0 ? buf_data(&headers) : NULL,
		.headers_len = buf_len(&headers),
		.body = at + r->headers_len + 1,
		.body_len = (size_t)r->body_len,
	};
	err = mess_queue(p->m, p->o->topic, &msg);
	p->streaming |= err == MESS_OK;
	buf_consume(&p->in, record_len);
	return err;
}

/* The body as it is read, and the newline after it; the sum decides before the end. */
static enum mess_err
stream_record_body(struct pub *p, const struct record *r, struct record_summer *sum)
{
	uint64_t left = r->body_len;
	enum mess_err err;

	while (left > 0 || buf_len(&p->in) == 0) {
		size_t n = buf_len(&p->in);

		if (n > left)
			n = (size_t)left;
		if (n > 0) {
			record_summer_add(sum, buf_data(&p->in), n);
			if ((err = write_body(p, n)) != MESS_OK)
				return err;
			left -= n;
			continue;
		}
		if (p->eof)
			return bad_input(p, MESS_BADDATA, "the input ends within the record");
		if ((err = read_more(p)) != MESS_OK)
			return err;
	}
	if (*buf_data(&p->in) != '\n' || !record_sum_holds(r, record_summer_end(sum)))
		return damaged_record(p);
	buf_consume(&p->in, 1);
	return end_body(p);
}

static enum mess_err
stream_record(struct pub *p, const struct record *r, size_t line)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_BLOCK_MAX + RECORD_HEADERS_MAX);
	struct record_summer *sum;
	enum mess_err err;

	if ((err = record_headers(p, buf_data(&p->in) + line, r->headers_len, &headers)) != MESS_OK ||
	    (err = end_stream(p)) != MESS_OK)
		return err;
	if ((err = mess_body_begin(p->m, p->o->topic, buf_len(&headers) > 0 ? buf_data(&headers) : NULL,
		buf_len(&headers))) != MESS_OK)
		return err;
	if ((sum = record_summer_new()) == NULL)
		return bad_input(p, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
	record_summer_add(sum, buf_data(&p->in) + line, r->headers_len + 1);
	buf_consume(&p->in, line + r->headers_len + 1);
	err = stream_record_body(p, r, sum);
	record_summer_free(sum);
	return err;
}

/* The record at the front needs more than is there: read on, or stream it when it is large. */
static enum mess_err
longer_record(struct pub *p)
{
	size_t have = buf_len(&p->in);
	const char *data = have > 0 ? buf_data(&p->in) : "";
	const char *nl = memchr(data, '\n', have);
	size_t line = nl != NULL ? (size_t)(nl - data) + 1 : 0;
	struct record r;

	if (line > 0 && record_read_line(data, line, &r) == MESS_OK && r.body_len > MESS_INLINE_MAX &&
	    have > line + r.headers_len)
		return stream_record(p, &r, line);
	if (p->eof)
		return bad_input(p, MESS_BADDATA, "the input ends within the record");
	return read_more(p);
}

static enum mess_err
publish_records(struct pub *p)
{
	enum mess_err err;
	struct record r;
	size_t len;

	for (;;) {
		if (buf_len(&p->in) == 0) {
			if (p->eof)
				return end_stream(p);
			if ((err = read_more(p)) != MESS_OK)
				return err;
			continue;
		}
		err = record_read(buf_data(&p->in), buf_len(&p->in), &r, &len);
		if (err == MESS_CORRUPT)
			return damaged_record(p);
		if (err == MESS_BADDATA || (err == MESS_OK && r.apart))
			return bad_input(p, MESS_BADDATA, "this is no record of mess-sub --records");
		err = err == MESS_OK ? queue_record(p, &r, len) : longer_record(p);
		if (err != MESS_OK)
			return err;
	}
}

/* ---- the program ---- */

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

	mess_body_abort(p->m);
	if (p->streaming && (earlier = mess_wait(p->m)) != MESS_OK) {
		buf_reset(&p->why, 0);
		err = earlier;
	}
	if (o->form == FORM_WHOLE && buf_len(&p->why) == 0)
		return cli_fail_mess(p->m, err, "%s", o->topic);
	n = total(p);
	if (o->form == FORM_WHOLE)
		cli_warn("%s: %s", o->topic, buf_data(&p->why));
	else
		cli_warn("%s: %llu message%s durable, stopped at %s %llu%s: %s", o->topic, n,
		    n == 1 ? " is" : "s are", o->unit, n + 1,
		    mess_in_doubt(p->m) ? ", those from there on may be stored" : "",
		    buf_len(&p->why) > 0 ? buf_data(&p->why) :
		    mess_detail(p->m)[0] != '\0' ? mess_detail(p->m) : mess_strerror(err));
	return mess_exit_status(err);
}

static enum mess_err
publish_input(struct pub *p)
{
	if (p->o->message != NULL)
		return publish_text(p);
	switch (p->o->form) {
	case FORM_WHOLE:
		return publish_whole(p);
	case FORM_PIECES:
		return publish_pieces(p);
	case FORM_RECORDS:
		return publish_records(p);
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
	if (o->verbose > 0)
		mess_on_durable(p->m, print_stored, (void *)(uintptr_t)o);
	return EX_OK;
}

static int
run(const struct options *o)
{
	struct pub p = { .o = o, .fd = STDIN_FILENO };
	enum mess_err err;
	int status, flushed;

	p.in.max = RECORD_MAX + 2 * PIECE;
	p.why.max = 4096;
	p.m = cli_open(&o->where);
	if ((status = start(&p)) == EX_OK && (err = publish_input(&p)) != MESS_OK)
		status = report(&p, err);
	mess_close(p.m);
	buf_free(&p.in);
	buf_free(&p.why);
	flushed = cli_flush_stdout();
	return status != EX_OK ? status : flushed;
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
			cli_usage(&text, "-D: more than %d bytes", DELIM_MAX);
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
		cli_usage(&text, "only one of -l, -0, -D and --records");
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

static void
read_option(struct options *o, int c)
{
	enum { RECORDS = CLI_OPTION_OWN };

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
	case RECORDS:
		set_form(o, FORM_RECORDS, "record", NULL);
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
		cli_option(&o->where, c, optarg, &text);
	}
}

static void
read_options(int argc, char *argv[], struct options *o)
{
	static const struct option longs[] = {
		{ "records", no_argument, NULL, CLI_OPTION_OWN },
		CLI_LONG_OPTIONS
	};
	int c;

	while ((c = cli_getopt(argc, argv, "0D:H:f:lm:qv", longs, &text)) != -1)
		read_option(o, c);
	if (o->message != NULL && (o->file != NULL || o->form != FORM_WHOLE))
		cli_usage(&text, "-m goes with none of -f, -l, -0, -D and --records");
	o->topic = cli_topic(argc, argv, &text);
}

int
main(int argc, char *argv[])
{
	struct options o = { .headers = BUF_INIT(RECORD_HEADERS_MAX) };
	int status;

	cli_init(argv);
	read_options(argc, argv, &o);
	status = run(&o);
	buf_free(&o.headers);
	return status;
}
