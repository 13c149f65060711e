/* SPDX-License-Identifier: ISC */
/*
 * The environment of a handler.
 *
 * Names of headers are letters, digits and dashes, so X-Color is
 * MESS_H_X_COLOR and nothing else is.  What does not fit into 32 KiB is left
 * out whole: a program would take half a value for the whole.
 */
#include "handler-env.h"

#include <ctype.h>
#include <strings.h>

#include "message.h"

#define VARS_OURS 9
#define ENVELOPE_MAX ((size_t)16 * 1024)	/* the variables without MESS_H_; MESS_ID is a header's value */

void
handler_env_free(struct handler_env *env)
{
	free(env->vars);
	buf_free(&env->text);
	*env = (struct handler_env){ .vars = NULL };
}

/* Set by a mess-sub: one inside another must not see the outer one's message. */
static bool
is_ours(const char *var)
{
	static const char *const names[] = { "TOPIC=", "SEQ=", "TIME=", "ATTEMPT=", "SUBSCRIPTION=",
		"UID=", "GID=", "USER=", "ID=", "H_" };

	if (strncmp(var, "MESS_", 5) != 0)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strncmp(var + 5, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

/* Each ends with a NUL. */
static enum mess_err
put_envelope(struct buf *b, const struct mess_received *msg, const char *subscription)
{
	char when[MESSAGE_TIME_MAX];
	struct message_header h;
	enum mess_err err;

	if ((err = buf_printf(b, "MESS_TOPIC=%s%cMESS_SEQ=%llu%cMESS_TIME=%s%cMESS_ATTEMPT=%llu%c"
		"MESS_SUBSCRIPTION=%s%cMESS_UID=%u%cMESS_GID=%u%cMESS_USER=%s%c", msg->topic, 0,
		(unsigned long long)msg->seq, 0, message_time(msg->time_sec, &msg->time_nsec, when), 0, (unsigned long long)msg->attempt, 0,
		or_empty(subscription), 0, msg->uid, 0, msg->gid, 0, or_empty(message_user(msg->uid)),
		0)) != MESS_OK)
		return err;
	if (message_find_header(msg, "Mess-Id", &h))
		return buf_printf(b, "MESS_ID=%.*s%c", (int)h.value_len, h.value, 0);
	return buf_printf(b, "MESS_ID=%s:%llu%c", msg->topic, (unsigned long long)msg->seq, 0);
}

static bool
is_engines(const struct message_header *h)
{
	return h->name_len >= 5 && strncasecmp(h->name, "Mess-", 5) == 0;
}

static bool
same_name(const struct message_header *a, const struct message_header *b)
{
	return a->name_len == b->name_len && strncasecmp(a->name, b->name, a->name_len) == 0;
}

/* Was it there before this place? */
static bool
is_repeated(const struct mess_received *msg, const struct message_header *h)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len;
	struct message_header earlier;

	while (at < h->name && message_next_header(&at, &len, &earlier) && earlier.name != h->name)
		if (same_name(&earlier, h))
			return true;
	return false;
}

/* One variable: all values of this name, joined by newlines. */
static enum mess_err
put_header(struct buf *b, const struct mess_received *msg, const struct message_header *h)
{
	const char *at = h->value + h->value_len + 1;
	size_t len = (size_t)(msg->headers + msg->headers_len - at);
	struct message_header more;
	enum mess_err err;

	if ((err = buf_append(b, "MESS_H_", 7)) != MESS_OK || (err = buf_reserve(b, h->name_len)) != MESS_OK)
		return err;
	for (size_t i = 0; i < h->name_len; i++)
		buf_end(b)[i] = h->name[i] == '-' ? '_' : (char)toupper((unsigned char)h->name[i]);
	buf_grew(b, h->name_len);
	if ((err = buf_append(b, "=", 1)) != MESS_OK || (err = buf_append(b, h->value, h->value_len)) != MESS_OK)
		return err;
	while (message_next_header(&at, &len, &more))
		if (same_name(&more, h) && ((err = buf_append(b, "\n", 1)) != MESS_OK ||
		    (err = buf_append(b, more.value, more.value_len)) != MESS_OK))
			return err;
	return buf_append(b, "", 1);
}

static enum mess_err
put_headers(struct handler_env *env, const struct mess_received *msg, size_t *count)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len, start = buf_len(&env->text), before;
	struct message_header h;
	enum mess_err err;

	while (message_next_header(&at, &len, &h)) {
		if (is_engines(&h) || is_repeated(msg, &h))
			continue;
		before = buf_len(&env->text);
		if ((err = put_header(&env->text, msg, &h)) != MESS_OK && err != MESS_TOOBIG)
			return err;
		if (err == MESS_OK && buf_len(&env->text) - start <= HANDLER_ENV_HEADERS) {
			++*count;
			continue;
		}
		buf_shrink(&env->text, buf_len(&env->text) - before);
		env->cut = true;
	}
	return MESS_OK;
}

enum mess_err
handler_env_make(struct handler_env *env, char *const *environment, const struct mess_received *msg,
    const char *subscription)
{
	size_t count = 0, headers = 0, n = 0;
	enum mess_err err;
	char *text;

	*env = (struct handler_env){ .text = BUF_INIT(ENVELOPE_MAX + HANDLER_ENV_HEADERS) };
	if ((err = put_envelope(&env->text, msg, subscription)) != MESS_OK ||
	    (err = put_headers(env, msg, &headers)) != MESS_OK)
		return err;
	while (environment[count] != NULL)
		count++;
	if ((env->vars = calloc(count + VARS_OURS + headers + 1, sizeof(char *))) == NULL)
		return MESS_LIMIT;
	for (size_t i = 0; i < count; i++)
		if (!is_ours(environment[i]))
			env->vars[n++] = environment[i];
	text = buf_data(&env->text);
	for (size_t i = 0; i < VARS_OURS + headers; i++, text += strlen(text) + 1)
		env->vars[n++] = text;
	return MESS_OK;
}
