/* SPDX-License-Identifier: ISC */
/*
 * A message as programs and people see it.
 */
#include "message.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fd.h"
#include "json-write.h"

/* ---- headers ---- */

bool
message_next_header(const char **at, size_t *len, struct message_header *out)
{
	const char *nl, *colon;

	if (*len == 0 || (nl = memchr(*at, '\n', *len)) == NULL ||
	    (colon = memchr(*at, ':', (size_t)(nl - *at))) == NULL || nl - colon < 2)
		return false;
	*out = (struct message_header){ .name = *at, .name_len = (size_t)(colon - *at),
		.value = colon + 2, .value_len = (size_t)(nl - colon) - 2 };
	*len -= (size_t)(nl + 1 - *at);
	*at = nl + 1;
	return true;
}

static bool
is_named(const struct message_header *h, const char *name, size_t len)
{
	return h->name_len == len && strncasecmp(h->name, name, len) == 0;
}

bool
message_header_is(const struct message_header *h, const char *name)
{
	return is_named(h, name, strlen(name));
}

bool
message_find_header(const struct mess_received *msg, const char *name, struct message_header *out)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len;

	while (message_next_header(&at, &len, out))
		if (message_header_is(out, name))
			return true;
	return false;
}

bool
message_match_check(const char *match)
{
	const char *equals = strchr(match, '=');

	return equals != NULL && equals != match;
}

bool
message_matches(const struct mess_received *msg, const char *match)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len;
	struct message_header h;

	if (match == NULL)
		return true;
	while (message_next_header(&at, &len, &h)) {
		AUTO_FREE char *value = NULL;

		if (!is_named(&h, match, (size_t)(strchr(match, '=') - match)))
			continue;
		value = strndup(h.value, h.value_len);
		if (value != NULL && fnmatch(strchr(match, '=') + 1, value, 0) == 0)
			return true;
	}
	return false;
}

/* ---- time ---- */

const char *
message_time(uint64_t sec, const uint32_t *nsec, char out[MESSAGE_TIME_MAX])
{
	time_t t = (time_t)sec;
	struct tm tm;
	size_t n;

	if (gmtime_r(&t, &tm) == NULL || (n = strftime(out, MESSAGE_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm)) == 0)
		n = (size_t)snprintf(out, MESSAGE_TIME_MAX, "@%" PRIu64, sec); /* a year of too many digits */
	if (nsec != NULL)
		(void)snprintf(out + n, MESSAGE_TIME_MAX - n, ".%09" PRIu32 "Z", *nsec); /* fits */
	else
		(void)snprintf(out + n, MESSAGE_TIME_MAX - n, "Z");
	return out;
}

/* ---- whose ---- */

/* Remembered: a stream of messages has few publishers, and a look-up may go over the network. */
const char *
message_user(uint32_t uid)
{
	static struct { bool known; uint32_t uid; char *name; } users[64];
	const size_t i = uid % (sizeof users / sizeof users[0]);
	const struct passwd *pw;

	if (!users[i].known || users[i].uid != uid) {
		free(users[i].name);
		pw = getpwuid((uid_t)uid);
		users[i].name = pw != NULL ? strdup(pw->pw_name) : NULL;
		users[i].uid = uid;
		users[i].known = true;
	}
	return users[i].name;
}

/* ---- JSON ---- */

/* Was the header at h named before? */
static bool
is_repeated(const struct mess_received *msg, const struct message_header *h)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len;
	struct message_header other;

	while (message_next_header(&at, &len, &other) && other.name != h->name)
		if (is_named(&other, h->name, h->name_len))
			return true;
	return false;
}

/* All values of a name: one, or an array. */
static enum mess_err
json_values(struct buf *b, const struct message_header *first, const char *rest, size_t len)
{
	const char *at = rest;
	size_t left = len, more = 0;
	struct message_header h;
	enum mess_err err;

	while (message_next_header(&at, &left, &h))
		more += is_named(&h, first->name, first->name_len);
	if (more > 0 && (err = buf_append(b, "[", 1)) != MESS_OK)
		return err;
	if ((err = json_put_string(b, first->value, first->value_len)) != MESS_OK)
		return err;
	while (more > 0 && message_next_header(&rest, &len, &h)) {
		if (!is_named(&h, first->name, first->name_len))
			continue;
		if ((err = buf_append(b, ",", 1)) != MESS_OK ||
		    (err = json_put_string(b, h.value, h.value_len)) != MESS_OK)
			return err;
	}
	return more > 0 ? buf_append(b, "]", 1) : MESS_OK;
}

static enum mess_err
json_headers(struct buf *b, const struct mess_received *msg)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len;
	struct message_header h;
	bool any = false;
	enum mess_err err;

	while (message_next_header(&at, &len, &h)) {
		if (is_repeated(msg, &h))
			continue;
		if ((any && (err = buf_append(b, ",", 1)) != MESS_OK) ||
		    (err = json_put_string(b, h.name, h.name_len)) != MESS_OK ||
		    (err = buf_append(b, ":", 1)) != MESS_OK ||
		    (err = json_values(b, &h, at, len)) != MESS_OK)
			return err;
		any = true;
	}
	return MESS_OK;
}

static enum mess_err
json_string_or_null(struct buf *b, const char *text)
{
	return text != NULL ? json_put_string(b, text, strlen(text)) : buf_append(b, "null", 4);
}

static enum mess_err
json_taken(struct buf *b, const struct mess_received *msg, const struct message_taken *taken)
{
	enum mess_err err;

	if ((err = buf_printf(b, ",\"attempt\":%" PRIu64 ",\"subscription\":", msg->attempt)) != MESS_OK)
		return err;
	return json_string_or_null(b, taken->subscription);
}

enum mess_err
message_json(struct buf *b, const struct mess_received *msg, const struct message_taken *taken)
{
	char time[MESSAGE_TIME_MAX];
	enum mess_err err;

	if ((err = buf_printf(b, "\"topic\":\"%s\",\"seq\":%" PRIu64 ",\"time\":\"%s\",\"uid\":%" PRIu32
	    ",\"gid\":%" PRIu32 ",\"pid\":%" PRIu32 ",\"user\":", msg->topic, msg->seq,
	    message_time(msg->time_sec, &msg->time_nsec, time), msg->uid, msg->gid, msg->pid)) != MESS_OK ||
	    (err = json_string_or_null(b, message_user(msg->uid))) != MESS_OK ||
	    (taken != NULL && (err = json_taken(b, msg, taken)) != MESS_OK) ||
	    (err = buf_append(b, ",\"headers\":{", 12)) != MESS_OK ||
	    (err = json_headers(b, msg)) != MESS_OK)
		return err;
	return buf_append(b, "}", 1);
}

enum mess_err
message_json_body(struct buf *b, const char *body, size_t len)
{
	enum mess_err err;

	if (json_is_text(body, len)) {
		if ((err = buf_append(b, ",\"body\":", 8)) != MESS_OK)
			return err;
		return json_put_string(b, body, len);
	}
	if ((err = buf_append(b, ",\"body64\":\"", 11)) != MESS_OK ||
	    (err = json_put_base64(b, body, len)) != MESS_OK)
		return err;
	return buf_append(b, "\"", 1);
}
