/* SPDX-License-Identifier: ISC */
/*
 * mess-topic import: records, or the tar of a maildir, become messages.
 *
 * Each batch is durable or not as a whole, and batches follow one another:
 * what is durable is always the beginning of the input, and how long that is
 * is said when the rest cannot be taken.
 */
#include "topic-import.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"

enum mess_err
import_bad(struct import *i, enum mess_err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vprintf(&i->why, fmt, ap) != MESS_OK)
		buf_reset(&i->why, 0); /* the error still has its own text */
	va_end(ap);
	return err;
}

static enum mess_err
read_up_to(struct import *i, size_t most)
{
	enum mess_err err;
	ssize_t n;

	if ((err = buf_reserve(&i->in, most)) != MESS_OK)
		return import_bad(i, err, "%s", mess_strerror(err));
	do
		n = read(i->fd, buf_end(&i->in), most);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return import_bad(i, MESS_IO, "reading the input: %s", strerror(errno));
	buf_grew(&i->in, (size_t)n);
	i->eof = n == 0;
	return MESS_OK;
}

enum mess_err
import_more(struct import *i)
{
	return read_up_to(i, IMPORT_PIECE);
}

/* ---- publishing ---- */

static uint64_t
total(const struct import *i)
{
	return i->durable + (i->streaming ? mess_durable(i->m) : 0);
}

static enum mess_err
end_stream(struct import *i)
{
	enum mess_err err;

	if (!i->streaming)
		return MESS_OK;
	if ((err = mess_wait(i->m)) != MESS_OK)
		return err;
	i->durable = total(i);
	i->streaming = false;
	return MESS_OK;
}

enum mess_err
import_message(struct import *i, const struct mess_message *msg)
{
	enum mess_err err = mess_queue(i->m, i->topic, msg);

	i->streaming |= err == MESS_OK;
	return err;
}

enum mess_err
import_begin(struct import *i, const char *headers, size_t len)
{
	enum mess_err err;

	if ((err = end_stream(i)) != MESS_OK)
		return err;
	return mess_body_begin(i->m, i->topic, len > 0 ? headers : NULL, len);
}

enum mess_err
import_body(struct import *i, uint64_t left, struct record_summer *sum)
{
	enum mess_err err;

	while (left > 0) {
		size_t n = buf_len(&i->in) < left ? buf_len(&i->in) : (size_t)left;

		if (n == 0 && i->eof)
			return import_bad(i, MESS_BADDATA, "the input ends within it");
		if (n == 0 && (err = import_more(i)) != MESS_OK)
			return err;
		if (n == 0)
			continue;
		if (sum != NULL)
			record_summer_add(sum, buf_data(&i->in), n);
		if ((err = mess_body_write(i->m, buf_data(&i->in), n)) != MESS_OK)
			return err;
		buf_consume(&i->in, n);
		left -= n;
	}
	return MESS_OK;
}

enum mess_err
import_end(struct import *i)
{
	enum mess_err err;
	uint64_t seq;

	if ((err = mess_body_end(i->m, &seq)) == MESS_OK)
		i->durable++;
	return err;
}

/* ---- the verb ---- */

/* What was taken before an error shall be durable; if it cannot be, that is the earlier error. */
static int
report(struct import *i, enum mess_err err)
{
	enum mess_err earlier;
	unsigned long long n;
	const char *why;

	mess_body_abort(i->m);
	if (i->streaming && (earlier = mess_wait(i->m)) != MESS_OK) {
		buf_reset(&i->why, 0);
		err = earlier;
	}
	n = total(i);
	why = buf_len(&i->why) > 0 ? buf_data(&i->why) :
	    mess_detail(i->m)[0] != '\0' ? mess_detail(i->m) : mess_strerror(err);
	cli_warn("%s: %llu message%s durable, stopped at %s %llu%s: %s", i->topic, n,
	    n == 1 ? " is" : "s are", i->unit, n + 1,
	    mess_in_doubt(i->m) ? ", those from there on may be stored" : "", why);
	return mess_exit_status(err);
}

static enum mess_err
import(struct import *i)
{
	enum mess_err err;

	/* No more than that: the rest may be another program's to read. */
	while (!i->eof && buf_len(&i->in) < IMPORT_START)
		if ((err = read_up_to(i, IMPORT_START - buf_len(&i->in))) != MESS_OK)
			return err;
	if (buf_len(&i->in) == 0)
		return MESS_OK;
	if (buf_len(&i->in) == IMPORT_START && memcmp(buf_data(&i->in), "mess1 ", IMPORT_START) == 0)
		err = import_records(i);
	else
		err = import_tar(i);
	return err == MESS_OK ? end_stream(i) : err;
}

int
verb_import(struct mess *m, const struct topic_call *c)
{
	struct import i = { .m = m, .topic = c->args[0], .fd = STDIN_FILENO, .unit = "record",
		.in = BUF_INIT(RECORD_MAX + 2 * IMPORT_PIECE), .why = BUF_INIT(4096) };
	enum mess_err err;
	int status = EX_OK;

	/* Also where there is nothing to publish a name must be one. */
	if ((err = mess_topic_check(m, i.topic)) != MESS_OK)
		return cli_fail_mess(m, err, "%s", cli_cut(i.topic));
	if ((err = import(&i)) != MESS_OK)
		status = report(&i, err);
	else if (c->verbose > 0)
		cli_warn("%s: %llu imported", i.topic, (unsigned long long)total(&i));
	buf_free(&i.in);
	buf_free(&i.why);
	return status;
}
