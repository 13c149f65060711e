/* SPDX-License-Identifier: ISC */
/*
 * Connections to the engine: requests are gathered and sent in one write,
 * replies and frames are judged in the order in which they come.
 */
#include "model.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"

#define PIECE ((size_t)64 * 1024)
#define PATIENCE_MS 30000

/* --- out ---------------------------------------------------------------- */

bool
wire_connect(int client)
{
	struct client *c = &w.clients[client];
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s/.sock", w.spool); /* fits by its size */
	if ((c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		abort();
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) == -1) {
		fd_close(&c->fd);
		return false;
	}
	c->in_len = 0;
	c->first = c->end = 0;
	c->eof = false;
	c->out = (struct buf)BUF_INIT(8 * 1024 * 1024);
	(void)wire_ask(client, V_HELLO);
	wire_say(client, "HELLO 1\n");
	return true;
}

/* Closed without a word, as when its process is killed. */
void
wire_close(int client)
{
	struct client *c = &w.clients[client];

	if (c->fd == -1)
		return;
	fd_close(&c->fd);
	buf_free(&c->out);
	ranges_free(&c->seen);
	c->first = c->end = 0;
	c->in_len = 0;
	c->looks = c->ended = false;
}

struct ask *
wire_ask(int client, enum verb verb)
{
	struct client *c = &w.clients[client];
	struct ask *a;

	c->asks = grow(c->asks, c->end, &c->asks_cap, c->end + 1, sizeof *c->asks);
	a = &c->asks[c->end++];
	*a = (struct ask){ .verb = verb, .sent = loop_now() };
	w.counts[verb]++;
	return a;
}

void
wire_say(int client, const char *fmt, ...)
{
	struct buf *out = &w.clients[client].out;
	size_t had = buf_len(out);
	va_list ap;

	va_start(ap, fmt);
	if (buf_vprintf(out, fmt, ap) != MESS_OK)
		abort();
	va_end(ap);
	note("%d> %.*s", client, (int)(buf_len(out) - had - 1), buf_data(out) + had);
}

void
wire_bytes(int client, const void *data, size_t len)
{
	if (buf_append(&w.clients[client].out, data, len) != MESS_OK)
		abort();
}

/* All of it in one write, unless the socket is small; false when the engine is gone. */
bool
wire_flush(int client)
{
	struct client *c = &w.clients[client];
	const char *at = buf_data(&c->out);
	size_t left = buf_len(&c->out);
	ssize_t n;

	while (left > 0) {
		n = send(c->fd, at, left, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EAGAIN) {
			struct pollfd p = { .fd = c->fd, .events = POLLIN | POLLOUT };

			(void)poll(&p, 1, 1000); /* an error is met by the next call */
			if ((p.revents & POLLIN) != 0 && !wire_read(client))
				return false;
			continue;
		}
		if (n == -1)
			return false;
		at += n;
		left -= (size_t)n;
	}
	buf_reset(&c->out, 4096);
	return true;
}

/* --- in ----------------------------------------------------------------- */

/* The records of a frame. */
static void
read_frame(int client, const struct reply *r, const char *data)
{
	struct client *c = &w.clients[client];
	int t = topic_by_name(r->topic, strlen(r->topic));
	const char *end = data + r->bytes;
	uint64_t last = 0, count = 0;
	struct record rec;
	size_t len;

	if (t == -1)
		wrong("client %d was sent messages of %s", client, r->topic);
	for (; data < end; data += len, count++) {
		const char *nl = memchr(data, '\n', (size_t)(end - data));

		if (record_read(data, (size_t)(end - data), &rec, &len) != MESS_OK)
			wrong("%s: a frame of %llu bytes has what is no record", r->topic,
			    (unsigned long long)r->bytes);
		if (rec.seq <= last)
			wrong("%s: %llu comes after %llu in a frame", r->topic,
			    (unsigned long long)rec.seq, (unsigned long long)last);
		if (rec.seq > w.topics[t].published && (c->looks || w.topics[t].maybe_count > 0 || (w.ending && is_dead_topic(t))))
			look_learn(t, rec.seq, nl + 1, rec.headers_len);
		if (c->looks) {
			if (ranges_add(&c->seen, rec.seq, rec.seq) != MESS_OK)
				abort();
		} else if (count == 0)
			for (int i = 0; i < c->joins; i++)
				if (c->joined[i].topic == t)
					ref_check_order(t, c->joined[i].sub, rec.seq, "a later one came");
		if (!c->looks)
			ref_hand_out(client, t, rec.seq, r->attempt);
		text_check(t, rec.seq, &rec, nl + 1, nl + 1 + rec.headers_len + 1);
		last = rec.seq;
	}
	note("%d< MSG %s ..%llu (%llu) attempt %llu", client, r->topic, (unsigned long long)last,
	    (unsigned long long)count, (unsigned long long)r->attempt);
	if (count != r->count)
		wrong("%s: a frame of %llu messages has %llu", r->topic, (unsigned long long)r->count,
		    (unsigned long long)count);
}

static void
read_end(int client)
{
	struct client *c = &w.clients[client];

	note("%d< END", client);
	c->ended = true;
	if (c->looks)
		return;
	if (c->credit == 0 || !c->now)
		wrong("client %d was told END, and had not asked for it", client);
	for (int i = 0; i < c->joins; i++)
		ref_check_order(c->joined[i].topic, c->joined[i].sub, w.topics[c->joined[i].topic].published + 1,
		    "END came");
	c->credit = 0;
	c->now = false;
}

/* A reply and its bytes; 0 when there is more to come. */
static size_t
read_reply(int client, const char *line, size_t len, size_t have)
{
	struct client *c = &w.clients[client];
	uint64_t bytes = 0;
	struct ask a;

	if (c->first == c->end)
		wrong("client %d: a reply to nothing: %.*s", client, (int)len, line);
	a = c->asks[c->first];
	if (a.verb == V_STAT && len > 3 && memcmp(line, "OK ", 3) == 0)
		bytes = strtoull(line + 3, NULL, 10);
	if (have < len + 1 + bytes)
		return 0;
	note("%d< %.*s", client, (int)len, line);
	c->first++;
	if (a.verb == V_STAT && bytes > 0)
		look_read_stat(line + len + 1, bytes);
	judge(client, &a, line, len);
	return len + 1 + (size_t)bytes;
}

/* The next thing that came whole; its length, 0 when there is none. */
static size_t
read_one(int client, const char *data, size_t len)
{
	const char *nl = memchr(data, '\n', len);
	struct reply r;
	size_t line;

	if (nl == NULL)
		return 0;
	line = (size_t)(nl - data);
	if (protocol_read_reply(data, line, &r) != MESS_OK)
		wrong("client %d: no reply: %.*s", client, (int)line, data);
	switch (r.kind) {
	case REPLY_MSG:
		if (len - line - 1 < r.bytes)
			return 0;
		read_frame(client, &r, nl + 1);
		return line + 1 + (size_t)r.bytes;
	case REPLY_END:
		read_end(client);
		return line + 1;
	case REPLY_GONE:
		return line + 1;
	default:
		return read_reply(client, data, line, len);
	}
}

static bool
receive(struct client *c)
{
	ssize_t n;

	c->in = grow(c->in, c->in_len, &c->in_cap, c->in_len + PIECE, 1);
	n = recv(c->fd, c->in + c->in_len, PIECE, MSG_DONTWAIT);
	if (n > 0) {
		c->in_len += (size_t)n;
		return true;
	}
	c->eof = n == 0 || (errno != EAGAIN && errno != EINTR);
	return false;
}

/* What is there; false when the connection is over. */
bool
wire_read(int client)
{
	struct client *c = &w.clients[client];
	size_t used, at;

	while (c->fd != -1 && receive(c)) {
		for (at = 0; at < c->in_len && (used = read_one(client, c->in + at, c->in_len - at)) > 0;)
			at += used;
		memmove(c->in, c->in + at, c->in_len - at);
		c->in_len -= at;
	}
	return !c->eof;
}

static void
wait_for(int client, uint64_t until)
{
	struct pollfd p = { .fd = w.clients[client].fd, .events = POLLIN };

	if (clock_real() > until)
		wrong("client %d waits in vain for a reply", client);
	(void)poll(&p, 1, 1000); /* an error is met by the next call */
}

/* Until all that it asked for is answered; others are not read meanwhile. */
void
wire_wait(int client)
{
	uint64_t until = clock_real() + PATIENCE_MS;
	struct client *c = &w.clients[client];

	while (c->fd != -1 && (c->first < c->end || (c->looks && !c->ended))) {
		if (!wire_read(client))
			wrong("client %d: the engine closed the connection", client);
		if (c->first < c->end || (c->looks && !c->ended))
			wait_for(client, until);
	}
	c->first = c->end = 0;
}

/* --- coming to rest ----------------------------------------------------- */

/* Everything that was sent to anybody is read. */
bool
wire_drain(void)
{
	bool some = true, any = false;

	while (some) {
		some = false;
		for (int i = 0; i < CLIENTS; i++) {
			struct client *c = &w.clients[i];
			uint64_t credit = c->credit;

			if (c->fd == -1 || i == KID)
				continue;
			if (!wire_read(i))
				wrong("client %d: the engine closed the connection", i);
			some |= c->credit != credit;
		}
		any |= some;
	}
	w.drains++;
	return any;
}

static void
sync_once(void)
{
	(void)wire_ask(CONTROL, V_SYNC);
	wire_say(CONTROL, "RESUME\n");
	if (!wire_flush(CONTROL))
		wrong("the engine is gone");
	wire_wait(CONTROL);
}

/* Something came for a consumer, it may be for another than the one that waits. */
static void
wait_for_any(int client, uint64_t until)
{
	struct pollfd p[CLIENTS];

	if (clock_real() > until)
		wrong("client %d asked for %llu more, and does not get what is ready, or END", client,
		    (unsigned long long)w.clients[client].credit);
	for (int i = 0; i < CLIENTS; i++)
		p[i] = (struct pollfd){ .fd = w.clients[i].fd, .events = POLLIN };
	(void)poll(p, CLIENTS, 1000); /* an error is met by the next call */
}

/* A consumer that something must still come to. */
static int
who_waits(void)
{
	for (int i = 0; i < CLIENTS; i++)
		if (w.clients[i].fd != -1 && i != KID && w.clients[i].credit > 0 &&
		    (w.clients[i].now || ref_has_ready(&w.clients[i])))
			return i;
	return -1;
}

/*
 * The engine has done what it was asked for: two turns have passed, and
 * every consumer has what is ready for it.
 */
void
quiet(void)
{
	uint64_t until = clock_real() + PATIENCE_MS;
	int i;

	sync_once();
	sync_once();
	(void)wire_drain();
	while ((i = who_waits()) != -1) {
		wait_for_any(i, until);
		(void)wire_drain();
	}
}
