/* SPDX-License-Identifier: ISC */
/*
 * mess-pub --json: one object a line, as mess-sub --json writes them.
 *
 *   body or body64   the message; with neither it is empty
 *   headers          an object: a value, or an array where a name repeats
 *
 * What else mess-sub writes is about the message as it was, and passed over.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pub.h"

static enum mess_err
bad_line(struct pub *p, const char *what, const char *rule)
{
	return pub_bad_input(p, MESS_BADDATA, "%.64s: %s", what, rule);
}

static bool
is_about_delivery(const char *key)
{
	static const char *const keys[] = { "topic", "seq", "time", "uid", "gid", "pid", "user", "attempt",
		"subscription", "lease" };

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* ---- base64 ---- */

static int
digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Standard alphabet, padded, nothing between; one spelling for each body. */
static bool
decode(const char *s, size_t len, struct buf *out)
{
	size_t pad = len > 0 && s[len - 1] == '=' ? 1 + (s[len - 2] == '=') : 0;

	if (len % 4 != 0 || buf_reserve(out, len / 4 * 3 + 1) != MESS_OK)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		size_t n = i + 4 == len ? 3 - pad : 3;
		unsigned char bytes[3];
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = k > n ? 0 : digit(s[i + k]);

			if (d == -1)
				return false;
			bits = bits << 6 | (uint32_t)d;
		}
		bytes[0] = (unsigned char)(bits >> 16);
		bytes[1] = (unsigned char)(bits >> 8);
		bytes[2] = (unsigned char)bits;
		if (n < 3 && bytes[n] != 0)
			return false;
		memcpy(buf_end(out), bytes, n);
		buf_grew(out, n);
	}
	return true;
}

/* ---- an object ---- */

static enum mess_err
add_header(struct pub *p, const char *name, const json_t *value, struct buf *out)
{
	const char *text = json_string_value(value), *why;
	size_t before = buf_len(out);
	enum mess_err err;

	/* What the engine said of the message as it was. */
	if (strncasecmp(name, "Mess-", 5) == 0)
		return MESS_OK;
	if (text == NULL)
		return bad_line(p, name, "a header's value is a string");
	if (buf_printf(out, "%s: %s\n", name, text) != MESS_OK)
		return pub_bad_input(p, MESS_TOOBIG, "headers are at most %d bytes", RECORD_HEADERS_MAX);
	err = record_header_check(buf_data(out) + before, buf_len(out) - before - 1, false, &why);
	return err == MESS_OK ? err : pub_bad_input(p, err, "%.64s: %s", name, why);
}

static enum mess_err
add_headers(struct pub *p, json_t *headers, struct buf *out)
{
	enum mess_err err = MESS_OK;
	const char *name;
	json_t *value, *one;
	size_t i;

	if (!json_is_object(headers))
		return bad_line(p, "headers", "is an object");
	json_object_foreach(headers, name, value) {
		if (!json_is_array(value)) {
			if ((err = add_header(p, name, value, out)) != MESS_OK)
				return err;
			continue;
		}
		json_array_foreach(value, i, one)
			if ((err = add_header(p, name, one, out)) != MESS_OK)
				return err;
	}
	return err;
}

static enum mess_err
add_body(struct pub *p, const char *key, const json_t *value, struct pub_message *msg, struct buf *bytes)
{
	if (msg->body != NULL)
		return bad_line(p, key, "a message has one of body and body64");
	if (!json_is_string(value))
		return bad_line(p, key, "is a string");
	msg->body = json_string_value(value);
	msg->body_len = json_string_length(value);
	if (strcmp(key, "body") == 0)
		return MESS_OK;
	if (!decode(msg->body, msg->body_len, bytes))
		return bad_line(p, key, "is base64");
	msg->body = buf_len(bytes) > 0 ? buf_data(bytes) : "";
	msg->body_len = buf_len(bytes);
	return MESS_OK;
}

static enum mess_err
send_message(struct pub *p, struct pub_message *msg)
{
	enum mess_err err;

	if (msg->body == NULL)
		return pub_bad_input(p, MESS_BADDATA, "a message has a body or a body64");
	if (msg->body_len <= MESS_INLINE_MAX)
		return pub_send(p, msg);
	/* Its line is written by --tee as it stands, not around the body. */
	if (p->o->tee)
		return pub_bad_input(p, MESS_TOOBIG, "with --json and --tee a body is at most %zu bytes",
		    MESS_INLINE_MAX);
	if ((err = pub_begin(p, msg)) != MESS_OK || (err = pub_write(p, msg->body, msg->body_len)) != MESS_OK)
		return err;
	return pub_finish(p, "", 0);
}

static enum mess_err
send_object(struct pub *p, json_t *object, struct pub_message *msg)
{
	AUTO_BUF struct buf headers = BUF_INIT(RECORD_HEADERS_MAX);
	AUTO_BUF struct buf bytes = BUF_INIT(PUB_LINE_MAX);
	enum mess_err err;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		if (strcmp(key, "headers") == 0)
			err = add_headers(p, value, &headers);
		else if (strcmp(key, "body") == 0 || strcmp(key, "body64") == 0)
			err = add_body(p, key, value, msg, &bytes);
		else
			err = is_about_delivery(key) ? MESS_OK : bad_line(p, key, "no such key");
		if (err != MESS_OK)
			return err;
	}
	msg->headers = buf_len(&headers) > 0 ? buf_data(&headers) : NULL;
	msg->headers_len = buf_len(&headers);
	return send_message(p, msg);
}

/* len bytes without the newline, raw_len with it. */
static enum mess_err
send_line(struct pub *p, const char *line, size_t len, size_t raw_len)
{
	struct pub_message msg = { .raw = line, .raw_len = raw_len };
	json_error_t error;
	json_t *object;
	enum mess_err err;

	object = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (object == NULL)
		return pub_bad_input(p, MESS_BADDATA, "no JSON: %s, at byte %d", error.text, error.position);
	err = json_is_object(object) ? send_object(p, object, &msg) :
	    pub_bad_input(p, MESS_BADDATA, "a message is a JSON object");
	json_decref(object);
	return err;
}

enum mess_err
pub_json(struct pub *p)
{
	size_t seen = 0, len;
	const char *data, *nl;
	enum mess_err err;

	for (;;) {
		data = buf_len(&p->in) > 0 ? buf_data(&p->in) : "";
		nl = memchr(data + seen, '\n', buf_len(&p->in) - seen);
		if (nl == NULL && !p->eof) {
			seen = buf_len(&p->in);
			if (seen > PUB_LINE_MAX)
				return pub_bad_input(p, MESS_TOOBIG, "a line is at most %zu bytes", PUB_LINE_MAX);
			if ((err = pub_read_more(p)) != MESS_OK)
				return err;
			continue;
		}
		if (nl == NULL && buf_len(&p->in) == 0)
			return MESS_OK;
		len = nl != NULL ? (size_t)(nl - data) : buf_len(&p->in);
		if ((err = send_line(p, data, len, len + (nl != NULL))) != MESS_OK)
			return err;
		buf_consume(&p->in, len + (nl != NULL));
		seen = 0;
	}
}
