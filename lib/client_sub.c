/* SPDX-License-Identifier: ISC */
/*
 * libmess: subscriptions as such, and bringing dead letters back.
 */
#include "client.h"

#include <stdio.h>

#include "base/fd.h"

/* One option line; a value with a newline in it would be two. */
static enum mess_err
add_option(struct mess *m, struct buf *out, const char *name, const char *value)
{
	enum mess_err err;

	if (value == NULL)
		return MESS_OK;
	if (value[0] == '\0' || strchr(value, '\n') != NULL)
		return client_fail(m, MESS_USAGE, "%s: a value is one line, and not empty", name);
	if ((err = buf_printf(out, "%s: %s\n", name, value)) != MESS_OK)
		return client_fail(m, err, "options are at most %zu bytes", PROTOCOL_OPTIONS_MAX);
	return MESS_OK;
}

static enum mess_err
add_number(struct mess *m, struct buf *out, const char *name, uint64_t value)
{
	char text[sizeof "18446744073709551615"];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)value); /* fits */
	return add_option(m, out, name, value > 0 ? text : NULL);
}

static enum mess_err
check_names(struct mess *m, const char *topic, const char *name)
{
	const char *why;
	enum mess_err err;

	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	if ((err = name_check_sub_of(name, &why)) != MESS_OK)
		return client_fail(m, err, "subscription %.60s: %s", name, why);
	return MESS_OK;
}

enum mess_err
mess_sub_add(struct mess *m, const char *topic, const char *name, const struct mess_subscribe *how)
{
	AUTO_BUF struct buf options = BUF_INIT(PROTOCOL_OPTIONS_MAX);
	enum mess_err err;

	if ((err = check_names(m, topic, name)) != MESS_OK ||
	    (err = add_option(m, &options, "From", how != NULL ? how->from : NULL)) != MESS_OK ||
	    (err = add_option(m, &options, "Match", how != NULL ? how->match : NULL)) != MESS_OK ||
	    (err = add_option(m, &options, "Share", how != NULL ? how->share : NULL)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "SUBADD %s %s %zu\n%.*s", topic, name, buf_len(&options),
	    (int)buf_len(&options), buf_len(&options) > 0 ? buf_data(&options) : "")) != MESS_OK)
		return err;
	return client_finish_call(m);
}

enum mess_err
mess_sub_remove(struct mess *m, const char *topic, const char *name)
{
	enum mess_err err;

	if ((err = check_names(m, topic, name)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "SUBRM %s %s\n", topic, name)) != MESS_OK)
		return err;
	return client_finish_call(m);
}

enum mess_err
mess_sub_seek(struct mess *m, const char *topic, const char *name, const char *from)
{
	struct position p;
	enum mess_err err;

	if (!protocol_read_position(from, strlen(from), &p))
		return client_fail(m, MESS_USAGE, "a position is oldest, now, N, -N or @SECONDS.NANOSECONDS");
	if ((err = check_names(m, topic, name)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "SEEK %s %s %s\n", topic, name, from)) != MESS_OK)
		return err;
	return client_finish_call(m);
}

enum mess_err
mess_sub_release(struct mess *m, const char *topic, const char *name, uint64_t *count)
{
	enum mess_err err;

	if ((err = check_names(m, topic, name)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "RELEASE %s %s\n", topic, name)) != MESS_OK ||
	    (err = client_finish_call(m)) != MESS_OK)
		return err;
	*count = m->call.number[0];
	return MESS_OK;
}

enum mess_err
mess_redrive(struct mess *m, const char *topic, const struct mess_redrive *which, struct mess_redriven *out)
{
	AUTO_BUF struct buf options = BUF_INIT(PROTOCOL_OPTIONS_MAX);
	enum mess_err err;

	if ((err = client_check_topic(m, topic)) != MESS_OK ||
	    (err = add_option(m, &options, "Subscription", which->name)) != MESS_OK ||
	    (err = add_number(m, &options, "From", which->range.lo)) != MESS_OK ||
	    (err = add_number(m, &options, "To", which->range.hi)) != MESS_OK ||
	    (err = add_option(m, &options, "Match", which->match)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "REDRIVE %s %zu\n%.*s", topic, buf_len(&options),
	    (int)buf_len(&options), buf_len(&options) > 0 ? buf_data(&options) : "")) != MESS_OK ||
	    (err = client_finish_call(m)) != MESS_OK)
		return err;
	*out = (struct mess_redriven){ m->call.number[0], m->call.number[1], m->call.last };
	return MESS_OK;
}
