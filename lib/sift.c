/* SPDX-License-Identifier: ISC */
/*
 * Sifting: the headers of the engine that say for whom and when, and the
 * pattern of a subscription that wants only some.
 */
#include "sift.h"

#include <fnmatch.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/loop.h"

/* "SECONDS.NANOSECONDS" as milliseconds of the time of day, rounded up and at most for ever; 0 for what is none. */
static uint64_t
read_time(const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t sec, ns = 0;

	if (!record_read_number(&text, end, &sec) || end - text != 10 || *text++ != '.')
		return 0;
	if (sec > UINT64_MAX / 2000)
		return UINT64_MAX / 2;
	for (; text < end; text++)
		ns = ns * 10 + (uint64_t)(*text - '0');
	return sec * 1000 + (ns + 999999) / 1000000;
}

static uint64_t
wall(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Any of the header's values is enough. */
bool
sift_matches(const char *match, const char *headers, size_t len)
{
	const char *equals = strchr(match, '=');
	struct record_header h;
	char value[RECORD_HEADERS_MAX + 1];

	while (record_next_header(&headers, &len, &h)) {
		if (h.name_len != (size_t)(equals - match) || h.value_len >= sizeof value ||
		    strncasecmp(h.name, match, h.name_len) != 0)
			continue;
		memcpy(value, h.value, h.value_len);
		value[h.value_len] = '\0';
		if (fnmatch(equals + 1, value, 0) == 0)
			return true;
	}
	return false;
}

static bool
is_mine(const struct subscription *s, const struct record_header *h)
{
	return h->value_len == strlen(s->name) && memcmp(h->value, s->name, h->value_len) == 0;
}

static enum verdict
judge(const struct subscription *s, const char *headers, size_t len, uint64_t now, uint64_t *due)
{
	enum verdict verdict = SIFT_SEND;
	const char *at = headers;
	struct record_header h;
	size_t left = len;

	/* The engine's come first. */
	while (record_next_header(&at, &left, &h) && h.name_len > 5 && memcmp(h.name, "Mess-", 5) == 0) {
		if (record_header_is(&h, "Mess-Redrive-To"))
			return is_mine(s, &h) ? SIFT_SEND : SIFT_SKIP;
		if (record_header_is(&h, "Mess-Expires") && read_time(h.value, h.value_len) <= now)
			return SIFT_EXPIRED;
		if (record_header_is(&h, "Mess-Due") && (*due = read_time(h.value, h.value_len)) > now)
			verdict = SIFT_WAIT;
	}
	if (s->place.match[0] != '\0' && !sift_matches(s->place.match, headers, len))
		return SIFT_SKIP;
	return verdict;
}

/* UID.NAME, the user's own. */
static enum verdict
judge_letter(uint32_t owner, const char *headers, size_t len)
{
	char own[NAME_SUB_MAX + 1];
	struct record_header h;
	size_t n = (size_t)snprintf(own, sizeof own, "%u.", owner); /* fits by its size */

	while (record_next_header(&headers, &len, &h))
		if (record_header_is(&h, "Mess-Dead-Subscription"))
			return h.value_len > n && memcmp(h.value, own, n) == 0 ? SIFT_SEND : SIFT_SKIP;
	return SIFT_SKIP;
}

/* For whom it is asked: a subscription, or s NULL and who owns those that gave letters up. */
struct sifting {
	const struct subscription *s;
	uint32_t owner;
};

static void
each(const struct sifting *w, const struct log_run *run, struct sifted *out)
{
	uint64_t now = wall(), seq = run->first, due = 0, least = UINT64_MAX;
	const char *at = run->data, *end = run->data + run->len;

	*out = (struct sifted){ .last = run->first };
	for (; at < end && seq <= run->last; seq++) {
		size_t line_len = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) + 1 - at);
		enum verdict verdict;
		struct record r;

		if (record_read_line(at, line_len, &r) != MESS_OK)
			break; /* it was checked when it was read */
		verdict = w->s == NULL ? judge_letter(w->owner, at + line_len, r.headers_len) :
		    judge(w->s, at + line_len, r.headers_len, now, &due);
		if (seq == run->first)
			out->verdict = verdict;
		else if (verdict != out->verdict)
			break;
		if (verdict == SIFT_WAIT && due < least)
			least = due;
		out->last = seq;
		at += line_len + record_rest_len(&r);
		out->len = (size_t)(at - run->data);
	}
	if (out->verdict == SIFT_WAIT)
		out->due = loop_now() + (least - now);
}

void
sift(const struct subscription *s, const struct log_run *run, struct sifted *out)
{
	each(&(struct sifting){ .s = s }, run, out);
}

bool
sift_is_over(const struct log_run *run)
{
	const char *at = (const char *)memchr(run->data, '\n', run->len) + 1;
	struct record_header h;
	struct record r;
	size_t left;

	if (record_read_line(run->data, (size_t)(at - run->data), &r) != MESS_OK)
		return false;
	left = r.headers_len;
	while (record_next_header(&at, &left, &h) && h.name_len > 5 && memcmp(h.name, "Mess-", 5) == 0)
		if (record_header_is(&h, "Mess-Expires"))
			return read_time(h.value, h.value_len) <= wall();
	return false;
}

void
sift_letters(uint32_t owner, const struct log_run *run, struct sifted *out)
{
	each(&(struct sifting){ .owner = owner }, run, out);
}
