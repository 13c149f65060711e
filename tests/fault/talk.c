/* SPDX-License-Identifier: ISC */
/*
 * A caller of the engine that asks one thing after the other, waits for each
 * answer within a bound, comes back when it is cut off, and notes what it
 * was told.
 */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "protocol.h"
#include "record.h"

#define LARGE_LEN 300000

struct told told[BODIES];
static int fd = -1;
static char in[2 * 1024 * 1024];
static size_t in_len;

size_t
body_of(int which, const char **out)
{
	static const char *const small[BODIES] = { "one", "two", "batch 1", "batch 2", "batch 3", NULL };
	static char large[LARGE_LEN];

	if (small[which] != NULL) {
		*out = small[which];
		return strlen(small[which]);
	}
	memset(large, 'L', sizeof large);
	*out = large;
	return sizeof large;
}

static int
which_body(const char *body, size_t len)
{
	const char *want;

	for (int i = 0; i < BODIES; i++)
		if (body_of(i, &want) == len && memcmp(want, body, len) == 0)
			return i;
	return -1;
}

/* --- the connection ----------------------------------------------------- */

void
talk_close(void)
{
	fd_close(&fd);
	in_len = 0;
}

static bool
send_all(const char *at, size_t len)
{
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n)
		if ((n = send(fd, at, len, MSG_NOSIGNAL)) == -1)
			return false;
	return true;
}

/* More of the input within the bound; false when the engine is gone, or hangs. */
static bool
receive(void)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, PATIENCE_MS) == 0) {
		wrong("the engine does not answer");
		return false;
	}
	if ((n = recv(fd, in + in_len, sizeof in - in_len, 0)) <= 0)
		return false;
	in_len += (size_t)n;
	return true;
}

static void
consume(size_t len)
{
	memmove(in, in + len, in_len - len);
	in_len -= len;
}

/* --- frames ------------------------------------------------------------- */

static void
note_message(const struct record *r, const char *body)
{
	int which = which_body(body, r->body_len);

	if (which == -1) {
		wrong("message %llu is none that was published: %.*s", (unsigned long long)r->seq,
		    r->body_len < 40 ? (int)r->body_len : 40, body);
		return;
	}
	told[which].seen++;
	told[which].seq = r->seq;
}

static void
note_frame(const char *data, size_t len)
{
	struct record r;
	size_t used;

	for (; len > 0; data += used, len -= used) {
		if (record_read(data, len, &r, &used) != MESS_OK) {
			wrong("a frame has what is no record");
			return;
		}
		note_message(&r, data + used - r.body_len - 1);
	}
}

/* The next line that is a reply, or END; frames before it are noted.  *data is what came with it. */
static bool
next_line(char *line, size_t size, char **data)
{
	struct reply r;
	size_t len, bytes;
	char *nl;

	for (;;) {
		while ((nl = memchr(in, '\n', in_len)) == NULL)
			if (!receive())
				return false;
		len = (size_t)(nl - in);
		if (protocol_read_reply(in, len, &r) != MESS_OK) {
			wrong("this is no reply: %.*s", (int)len, in);
			return false;
		}
		bytes = r.kind == REPLY_MSG ? (size_t)r.bytes : 0;
		if (data != NULL && r.kind == REPLY_OK)
			bytes = strtoull(in + 3, NULL, 10);
		while (in_len < len + 1 + bytes)
			if (!receive())
				return false;
		if (r.kind == REPLY_MSG) {
			note_frame(in + len + 1, bytes);
			consume(len + 1 + bytes);
			continue;
		}
		(void)snprintf(line, size, "%.*s", (int)len, in); /* cut is harmless */
		if (data != NULL)
			*data = strndup(in + len + 1, bytes);
		consume(len + 1 + bytes);
		return true;
	}
}

static bool
answer(char *line, size_t size)
{
	return next_line(line, size, NULL);
}

/* Asked, and answered OK. */
static bool
ask(const char *request, size_t len)
{
	char line[512];

	if ((fd == -1 && !talk_open()) || !send_all(request, len) || !answer(line, sizeof line)) {
		talk_close();
		return false;
	}
	return strncmp(line, "OK", 2) == 0;
}

static bool
ask_text(const char *request)
{
	return ask(request, strlen(request));
}

bool
talk_open(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	talk_close();
	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s/.sock", spool); /* fits by its size */
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		abort();
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == -1) {
		talk_close();
		return false;
	}
	return ask_text("HELLO 1\n");
}

/* --- publishing --------------------------------------------------------- */

static char request[LARGE_LEN + 4096];

/* After an ERR what comes behind is refused until RESUME. */
static void
publish(int first, int last, size_t len)
{
	/* A new file that finds no room is taken away again: that is no sickness. */
	bool was_sick = page->failed > 0 && (page->function == FAULT_FDATASYNC ||
	    (page->function == FAULT_FSYNC && page->error != ENOSPC));
	bool ok;

	for (int i = first; i <= last; i++)
		told[i].pub_asked = true;
	ok = ask(request, len);
	for (int i = first; i <= last; i++)
		told[i].pub_ok = ok;
	if (ok && was_sick)
		wrong("a sync failed, and %d is published", first);
	if (!ok)
		(void)ask_text("RESUME\n"); /* or it is not connected any more */
}

static void
publish_one(void)
{
	int n = snprintf(request, sizeof request, "PUB orders 0 3\none");

	publish(ONE, ONE, (size_t)n);
}

static void
publish_all(void)
{
	const char *large;
	int n;

	publish_one();
	n = snprintf(request, sizeof request, "PUB orders 17 3\nMess-Ask-Id: two\ntwo");
	publish(TWO, TWO, (size_t)n);
	n = snprintf(request, sizeof request, "PUBS orders 3 33\n0 7\nbatch 10 7\nbatch 20 7\nbatch 3");
	publish(BATCH1, BATCH3, (size_t)n);
	n = snprintf(request, sizeof request, "STREAM orders 0\n%d\n", LARGE_LEN);
	(void)body_of(LARGE, &large);
	memcpy(request + n, large, LARGE_LEN);
	memcpy(request + n + LARGE_LEN, "0\n", 2);
	publish(LARGE, LARGE, (size_t)n + LARGE_LEN + 2);
}

/* --- taking ------------------------------------------------------------- */

static void
settle(int which, const char *verb, bool *asked, bool *ok)
{
	char line[128];

	if (told[which].seen == 0 || fd == -1)
		return; /* a new connection has nothing in hand */
	(void)snprintf(line, sizeof line, "%s orders %llu%s\n", verb, told[which].seq,
	    verb[0] == 'R' || verb[0] == 'D' ? " 0" : ""); /* fits */
	*asked = true;
	*ok = ask_text(line);
}

static void
take_all(void)
{
	bool asked, ok;
	char line[512];

	for (int i = 0; i < BODIES; i++)
		told[i].seen = 0;
	if (!ask_text("SUB orders default\n") || !ask_text("TAKE 100 now\n"))
		return;
	if (!answer(line, sizeof line)) {
		talk_close();
		return;
	}
	settle(ONE, "ACK", &told[ONE].ack_asked, &told[ONE].ack_ok);
	settle(BATCH1, "ACK", &told[BATCH1].ack_asked, &told[BATCH1].ack_ok);
	settle(TWO, "NACK", &asked, &ok);
	settle(BATCH2, "RETRY", &asked, &ok);
	settle(BATCH3, "DEAD", &told[BATCH3].dead_asked, &told[BATCH3].dead_ok);
	settle(LARGE, "ACK", &told[LARGE].ack_asked, &told[LARGE].ack_ok);
}

void
talk_all(void)
{
	(void)talk_open(); /* asked for again by each request */
	publish_all();
	take_all();
	talk_close();
}

/* --- looking ------------------------------------------------------------ */

bool
talk_peek(const char *topic)
{
	char line[512];

	for (int i = 0; i < BODIES; i++)
		told[i].seen = 0;
	talk_close();
	if (!talk_open())
		return false;
	(void)snprintf(line, sizeof line, "PEEK %s default\n", topic); /* fits */
	if (!ask_text(line))
		return false;
	return ask_text("TAKE 1000\n") && answer(line, sizeof line);
}

bool
talk_stat(const char *topic, char *out, size_t size)
{
	char line[512], *data = NULL;

	talk_close();
	if (!talk_open())
		return false;
	(void)snprintf(line, sizeof line, "STAT %s\n", topic); /* fits */
	if (!send_all(line, strlen(line)) || !next_line(line, sizeof line, &data)) {
		free(data);
		return false;
	}
	(void)snprintf(out, size, "%s", data); /* cut is found by what is missing */
	free(data);
	return strncmp(line, "OK", 2) == 0;
}
