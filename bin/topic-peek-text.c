/* SPDX-License-Identifier: ISC */
/*
 * mess-topic peek for people.
 */
/* We use none of the functions that NetBSD and OpenBSD disagree about. */
#define LIBBSD_NETBSD_VIS

#include <bsd/vis.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "message.h"
#include "term.h"
#include "topic-peek.h"

#define BODY_SHOWN ((size_t)4096)	/* bytes of a body, without -v */

/* ---- words ---- */

/* Bytes of somebody else's, escaped; a newline stays one. */
static void
put_safe(const char *data, size_t len)
{
	AUTO_FREE char *safe = malloc(4 * len + 1);

	if (safe != NULL)
		(void)fwrite(safe, 1, cli_escape(safe, data, len), stdout);
	else
		fputs("(no memory)", stdout);
}

/* The lines of a text, each behind a label's width; the first behind the label. */
static void
put_lines(const char *label, const char *text, size_t len)
{
	printf("  %-13s ", label);
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - text) : len;

		put_safe(text, n);
		putchar('\n');
		n += nl != NULL;
		text += n;
		len -= n;
		if (len > 0)
			printf("  %-13s ", "");
	}
}

static void
put_value(const char *label, const struct message_header *h)
{
	printf("  %-13s ", label);
	put_safe(h->value, h->value_len);
	putchar('\n');
}

/* ---- a dead letter ---- */

static const struct { const char *name, *label; } dead_headers[] = {
	{ "Mess-Dead-Reason", "reason" },
	{ "Mess-Dead-Status", "status" },
	{ "Mess-Dead-Attempts", "attempts" },
	{ "Mess-Dead-Subscription", "subscription" },
};

/* What the handler said is escaped in its header: it comes back as it was said. */
static void
put_stderr(const struct message_header *h)
{
	AUTO_FREE char *escaped = strndup(h->value, h->value_len);
	AUTO_FREE char *text = malloc(h->value_len + 1);
	int n = escaped != NULL && text != NULL ? strunvis(text, escaped) : -1;

	if (n > 0)
		put_lines("stderr", text, (size_t)n);
	else if (h->value_len > 0)
		put_value("stderr", h);
}

/* orders:17, published 2026-11-21T05:33:57Z by uid 1000 */
static void
put_original(const struct mess_received *msg)
{
	struct message_header topic, seq, h;
	char time[MESSAGE_TIME_MAX];

	if (!message_find_header(msg, "Mess-Original-Seq", &seq))
		return;
	printf("  %-13s ", "original");
	if (message_find_header(msg, "Mess-Original-Topic", &topic)) {
		put_safe(topic.value, topic.value_len);
		putchar(':');
	}
	put_safe(seq.value, seq.value_len);
	if (message_find_header(msg, "Mess-Original-Time", &h))
		printf(", published %s", message_time(strtoull(h.value, NULL, 10), NULL, time));
	if (message_find_header(msg, "Mess-Original-Uid", &h))
		printf(" by uid %.*s", (int)h.value_len, h.value);
	putchar('\n');
}

static void
put_death(const struct mess_received *msg)
{
	struct message_header h;

	for (size_t i = 0; i < sizeof dead_headers / sizeof dead_headers[0]; i++)
		if (message_find_header(msg, dead_headers[i].name, &h))
			put_value(dead_headers[i].label, &h);
	put_original(msg);
	if (message_find_header(msg, "Mess-Dead-Stderr", &h))
		put_stderr(&h);
}

/* ---- any message ---- */

static bool
starts_with(const struct message_header *h, const char *prefix)
{
	size_t n = strlen(prefix);

	return h->name_len > n && strncmp(h->name, prefix, n) == 0;
}

/* The headers that put_death does not tell better. */
static void
put_headers(const struct peek *p, const struct mess_received *msg)
{
	const char *at = msg->headers;
	size_t len = msg->headers_len;
	struct message_header h;

	while (message_next_header(&at, &len, &h)) {
		if (starts_with(&h, "Mess-Dead-") || starts_with(&h, "Mess-Original-"))
			continue;
		printf("  %s%.*s:%s ", p->colour ? "\033[2m" : "", (int)h.name_len, h.name,
		    p->colour ? "\033[0m" : "");
		put_safe(h.value, h.value_len);
		putchar('\n');
	}
}

static void
put_heading(const struct peek *p, const struct mess_received *msg)
{
	const struct passwd *pw = getpwuid(msg->uid);
	char time_text[MESSAGE_TIME_MAX], age[TERM_SHORT], size[TERM_SHORT];
	time_t now = time(NULL);
	double seconds = (double)now - (double)msg->time_sec;

	printf("%s%s:%llu%s  %s (%s ago)  ", p->colour ? "\033[1m" : "", msg->topic,
	    (unsigned long long)msg->seq, p->colour ? "\033[0m" : "",
	    message_time(msg->time_sec, NULL, time_text), term_age(seconds > 0 ? seconds : 0, age));
	if (pw != NULL)
		printf("%s  ", pw->pw_name);
	else
		printf("uid %lu  ", (unsigned long)msg->uid);
	printf("%s byte%s\n", term_bytes(msg->body_len, size), msg->body_len == 1 ? "" : "s");
}

/* Bytes that may end within a character; its beginning stays for the next call.  Bytes put. */
static size_t
put_piece(const char *data, size_t len, bool more, char *last)
{
	size_t n = more ? len - cli_unfinished(data, len) : len;

	put_safe(data, n);
	*last = n > 0 ? data[n - 1] : *last;
	return n;
}

static enum mess_err
put_large(struct peek *p, uint64_t left, char *last)
{
	static char piece[16 * 1024];
	size_t got, len = 0, put;
	enum mess_err err;

	do {
		size_t room = sizeof piece - len;

		if ((err = mess_body_read(p->m, piece + len, room < left ? room : (size_t)left, &got)) != MESS_OK)
			return err;
		left -= got;
		len += got;
		put = put_piece(piece, len, got > 0, last);
		memmove(piece, piece + put, len - put);
		len -= put;
	} while (got > 0 && left > 0);
	return MESS_OK;
}

/* The body's beginning, or with -v all of it. */
static enum mess_err
put_body(struct peek *p, const struct mess_received *msg)
{
	uint64_t len = p->verbose || msg->body_len < BODY_SHOWN ? msg->body_len : BODY_SHOWN;
	uint64_t cut = msg->body_len - len;
	enum mess_err err = MESS_OK;
	char last = '\n';

	if (msg->body == NULL)
		err = put_large(p, p->verbose ? UINT64_MAX : len, &last);
	else
		(void)put_piece(msg->body, (size_t)len, cut > 0, &last); /* what is left of a character is cut, too */
	if (last != '\n')
		putchar('\n');
	if (err == MESS_OK && cut > 0)
		printf("... and %llu bytes more\n", (unsigned long long)cut);
	return err;
}

enum mess_err
peek_text(struct peek *p, const struct mess_received *msg)
{
	if (p->shown > 1)
		putchar('\n');
	put_heading(p, msg);
	put_death(msg);
	put_headers(p, msg);
	if (msg->body_len == 0)
		return MESS_OK;
	putchar('\n');
	return put_body(p, msg);
}
