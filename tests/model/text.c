/* SPDX-License-Identifier: ISC */
/*
 * What a message must look like: its body and headers follow from its id,
 * and from what became of it since.
 */
#include "model.h"

#include <unistd.h>

#define LARGE (MESS_INLINE_MAX + 5000)	/* a body in a file of its own */

/* "Kind: a" for two of three. */
unsigned
text_kind(uint64_t id)
{
	return id % 3 == 2;
}

static size_t
body_len(uint64_t id)
{
	if (id % 3001 == 3000)
		return LARGE;
	return id % 97 == 96 ? 20000 : 10 + (size_t)(id * 31 % 90);
}

static void
fill(char *body, size_t len, uint64_t id)
{
	char text[32];
	size_t n = (size_t)snprintf(text, sizeof text, "message %llu ", (unsigned long long)id);

	for (size_t i = 0; i < len; i++)
		body[i] = i < n ? text[i] : (char)('a' + (id + i) % 26);
}

size_t
text_body(uint64_t id, char **out)
{
	size_t len = body_len(id);

	if ((*out = malloc(len)) == NULL)
		abort();
	fill(*out, len, id);
	return len;
}

void
text_body_free(char *body)
{
	free(body);
}

/* --- what its publisher says -------------------------------------------- */

/* Most soon, some in hours; a few before now. */
static uint64_t
some_time(void)
{
	static const uint64_t spans[] = { 300, 5000, 300000, 7200000 };
	uint64_t k = below(100), ms = below(spans[k < 40 ? 0 : k < 80 ? 1 : k < 97 ? 2 : 3]);

	return clock_wall() + ms * 1000000 + (chance(30) ? below(1000000) : 0) -
	    (chance(5) ? (uint64_t)86400 * 1000000000 : 0);
}

uint64_t
text_new_id(void)
{
	uint64_t id = w.ids++;
	unsigned percent = id / 16 % 4 == 0 ? 70 : 8; /* neighbours that wait are kept together */

	w.times = grow(w.times, id, &w.times_cap, w.ids, sizeof *w.times);
	w.times[id] = (struct times){ chance(percent) ? some_time() : 0, chance(10) ? some_time() : 0 };
	return id;
}

/* --- headers ------------------------------------------------------------ */

static void
add(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct buf *out, const char *fmt, ...)
{
	enum mess_err err;
	va_list ap;

	va_start(ap, fmt);
	err = buf_vprintf(out, fmt, ap);
	va_end(ap);
	if (err != MESS_OK)
		abort();
}

/* The options of a request that says why. */
void
text_why(const struct why *y, struct buf *out)
{
	if (y->reason != 0)
		add(out, "Reason: reason %u\n", y->reason);
	if (y->status != 0)
		add(out, "Status: %u\n", y->status);
	if (y->stderr_tail != 0)
		add(out, "Stderr: said\\n%u\n", y->stderr_tail);
}

static void
add_letter(const struct msg *m, int t, struct buf *out)
{
	if (m->why.reason != 0)
		add(out, "Mess-Dead-Reason: reason %u\n", m->why.reason);
	else
		add(out, "Mess-Dead-Reason: tried too often\n");
	if (m->why.status != 0)
		add(out, "Mess-Dead-Status: %u\n", m->why.status);
	add(out, "Mess-Dead-Attempts: %u\nMess-Dead-Subscription: %s\n", m->attempts, sub_names[m->sub]);
	if (m->why.stderr_tail != 0)
		add(out, "Mess-Dead-Stderr: said\\n%u\n", m->why.stderr_tail);
	add(out, "Mess-Original-Topic: %s\n", w.topics[t - MAINS].name);
}

static void
add_time(const char *prefix, const char *name, uint64_t at, struct buf *out)
{
	if (at != 0)
		add(out, "%s%s: %llu.%09llu\n", prefix, name, (unsigned long long)at / 1000000000,
		    (unsigned long long)at % 1000000000);
}

static void
add_own(const char *prefix, uint64_t id, struct buf *out)
{
	add_time(prefix, "Due", w.times[id].due, out);
	add_time(prefix, "Expires", w.times[id].expires, out);
}

static void
add_kind(uint64_t id, struct buf *out)
{
	add(out, "Kind: %c\n", text_kind(id) == 0 ? 'a' : 'b');
}

/* The headers as they are published. */
void
text_asked(uint64_t id, struct buf *out)
{
	add_own("Mess-Ask-", id, out);
	add_kind(id, out);
}

/* All of a message's headers, as it must have them. */
void
text_headers(const struct msg *m, int t, struct buf *out)
{
	bool moved = m->sub != -1 || m->to != -1;

	if (m->sub != -1)
		add_letter(m, t, out);
	if (m->to != -1)
		add(out, "Mess-Redrive-To: %s\n", sub_names[m->to]);
	if (moved)
		add(out, "Mess-Original-Seq: %llu\nMess-Original-Time: %llu.%09u\n",
		    (unsigned long long)m->first_seq, (unsigned long long)m->first_sec, m->first_nsec);
	if (m->sub != -1)
		add(out, "Mess-Original-Uid: %u\nMess-Original-Gid: %u\n", getuid(), getgid());
	if (!moved)
		add_own("Mess-", m->id, out);
	add_kind(m->id, out);
}

/* --- what came ---------------------------------------------------------- */

static void
check_headers(int t, uint64_t seq, const struct msg *m, const char *headers, size_t len)
{
	AUTO_BUF struct buf want = BUF_INIT(RECORD_BLOCK_MAX);

	text_headers(m, t, &want);
	if (buf_len(&want) == len && memcmp(buf_data(&want), headers, len) == 0)
		return;
	wrong("%s: %llu has the headers\n%.*s, not\n%.*s", w.topics[t].name, (unsigned long long)seq,
	    (int)len, headers, (int)buf_len(&want), buf_data(&want));
}

static bool
is_body(uint64_t id, const char *body, uint64_t len)
{
	char *want;
	size_t n = text_body(id, &want);
	bool same = n == len && memcmp(want, body, n) == 0;

	free(want);
	return same;
}

void
text_check(int t, uint64_t seq, const struct record *r, const char *headers, const char *body)
{
	struct msg *m;

	if (seq == 0 || seq > w.topics[t].published)
		wrong("%s: %llu came, which was not published", w.topics[t].name, (unsigned long long)seq);
	m = &w.topics[t].msgs[seq];
	if (m->sec != 0 && (m->sec != r->sec || m->nsec != r->nsec))
		wrong("%s: %llu has another time than before", w.topics[t].name, (unsigned long long)seq);
	m->sec = r->sec;
	m->nsec = r->nsec;
	if (r->uid != getuid() || r->gid != getgid())
		wrong("%s: %llu is of another user", w.topics[t].name, (unsigned long long)seq);
	check_headers(t, seq, m, headers, r->headers_len);
	if (!is_body(m->id, body, r->body_len))
		wrong("%s: %llu has another body than was published: %.*s", w.topics[t].name,
		    (unsigned long long)seq, r->body_len < 40 ? (int)r->body_len : 40, body);
}
