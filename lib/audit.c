/* SPDX-License-Identifier: ISC */
/*
 * Audit.
 *
 * Lines wait here until the engine stores them: a line that went straight
 * into the commit being gathered could be taken back with a batch that
 * fails, or split a commit that is to be whole.
 */
#include "audit.h"

/* We use none of the functions that NetBSD and OpenBSD disagree about. */
#define LIBBSD_NETBSD_VIS

#include <bsd/vis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "flood.h"

#define QUEUE_MAX ((size_t)1024 * 1024)
#define QUEUE_KEPT ((size_t)16 * 1024)	/* of its memory, when it is empty */

struct audit {
	struct audit_setup setup;
	struct flood flood;
	struct buf queue;	/* lines, each ended */
	bool has_change;
};

struct line {
	char text[AUDIT_LINE_MAX];
	size_t len;
};

enum mess_err
audit_new(const struct audit_setup *setup, struct audit **out)
{
	struct audit *a = calloc(1, sizeof *a);

	if (a == NULL)
		return MESS_LIMIT;
	*a = (struct audit){ .setup = *setup, .queue = BUF_INIT(QUEUE_MAX) };
	flood_init(&a->flood);
	*out = a;
	return MESS_OK;
}

void
audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	buf_free(&a->queue);
	free(a);
}

/* --- a line ------------------------------------------------------------- */

static void add_text(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* All values at their longest fit. */
static void
add_text(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof l->text - l->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof l->text - l->len)
		l->len += (size_t)n;
	else
		l->text[l->len] = '\0';
}

static void
add(struct line *l, const char *key, const char *value)
{
	char escaped[4 * AUDIT_VALUE_MAX + 1];
	size_t len;

	if (value == NULL || value[0] == '\0') {
		add_text(l, " %s=-", key);
		return;
	}
	len = strnlen(value, AUDIT_VALUE_MAX);
	/* Four bytes for each at most, in octal; the table of no locale says what is printable. */
	(void)strsvisx(escaped, value, len, VIS_OCTAL | VIS_WHITE | VIS_NOLOCALE, "\"'`=");
	add_text(l, " %s=%s%s", key, escaped, value[len] != '\0' ? "..." : "");
}

static void
add_number(struct line *l, const char *key, bool known, uint64_t n)
{
	if (known)
		add_text(l, " %s=%llu", key, (unsigned long long)n);
	else
		add_text(l, " %s=-", key);
}

static void
write_line(const struct audit_event *e, struct line *l)
{
	const struct principal *who = e->who;
	char key[AUTH_NAME_MAX + 8];

	*l = (struct line){ .len = 0 };
	add_text(l, "event=%s", e->event);
	add_number(l, "uid", who != NULL, who != NULL ? who->peer.uid : 0);
	add_number(l, "gid", who != NULL && who->peer.pid != 0, who != NULL ? who->peer.gid : 0);
	add_number(l, "pid", who != NULL && who->peer.pid != 0, who != NULL ? (uint64_t)who->peer.pid : 0);
	if (who != NULL && who->key != NULL)
		(void)snprintf(key, sizeof key, "key:%s", who->key); /* fits by its size */
	add(l, "login", who == NULL ? NULL : who->key != NULL ? key : auth_login(who->peer.uid));
	add(l, "action", e->action);
	add(l, "object", e->object);
	add(l, "sub", e->sub);
	add(l, "result", e->result);
	add(l, "rule", e->rule);
	add(l, "detail", e->detail);
}

/* --- where it goes ------------------------------------------------------ */

/* False when it cannot wait here. */
static bool
put(struct audit *a, const struct audit_event *e, struct line *l)
{
	if (!e->said && a->setup.say != NULL)
		a->setup.say(a->setup.arg, l->text);
	l->text[l->len] = '\n';
	if (buf_append(&a->queue, l->text, l->len + 1) != MESS_OK)
		return false;
	a->has_change |= e->change;
	return true;
}

static struct flood_key
key_of(const struct audit *a, const struct audit_event *e)
{
	uid_t uid = e->who != NULL ? e->who->peer.uid : (uid_t)-1;

	return (struct flood_key){ .word = e->event, .uid = uid,
		.trusted = e->who == NULL || uid == 0 || uid == a->setup.owner };
}

void
audit(struct audit *a, const struct audit_event *e)
{
	struct flood_key key;
	struct line l;

	if (a == NULL)
		return;
	key = key_of(a, e);
	if (!flood_pass(&a->flood, &key, a->setup.now()))
		return;
	write_line(e, &l);
	if (!put(a, e, &l))
		flood_lost(&a->flood, &key, 1, a->setup.now());
}

/* Which uid's is not known where many shared one bucket. */
static bool
tell_one(struct audit *a, const struct flood_key *key, uint64_t count)
{
	struct principal who = { .peer = { .uid = key->uid } };
	struct audit_event e = { .event = "suppressed", .action = key->word };
	struct line l;

	if (key->word != NULL && key->uid != (uid_t)-1)
		e.who = &who;
	write_line(&e, &l);
	add_number(&l, "suppressed", true, count);
	return put(a, &e, &l);
}

void
audit_tell(struct audit *a, bool end)
{
	uint64_t now = a->setup.now(), count;
	struct flood_key key;

	while (flood_told(&a->flood, now, end, &key, &count))
		if (!tell_one(a, &key, count)) {
			flood_lost(&a->flood, &key, count, now);
			return; /* later, or never: it is full of other lines */
		}
}

/* --- what waits --------------------------------------------------------- */

const char *
audit_next(const struct audit *a, size_t *len)
{
	const char *line = buf_data(&a->queue);

	if (buf_len(&a->queue) == 0)
		return NULL;
	*len = (size_t)((const char *)memchr(line, '\n', buf_len(&a->queue)) + 1 - line);
	return line;
}

void
audit_taken(struct audit *a)
{
	size_t len;

	if (audit_next(a, &len) == NULL)
		return;
	buf_consume(&a->queue, len);
	if (buf_len(&a->queue) > 0)
		return;
	buf_reset(&a->queue, QUEUE_KEPT);
	a->has_change = false;
}

bool
audit_has_change(const struct audit *a)
{
	return a->has_change;
}

bool
audit_is_idle(const struct audit *a)
{
	return buf_len(&a->queue) == 0 && a->flood.holding == 0;
}
