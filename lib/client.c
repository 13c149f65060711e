/* SPDX-License-Identifier: ISC */
/*
 * libmess: the handle and its connection.
 *
 * Requests are queued in `out` and may be many before the first reply is
 * read; each leaves an entry in a ring that says what its reply is for.
 * Until HELLO is answered `out` is kept, because an engine that was just
 * leaving may close the connection unread: then the next one gets it all.
 */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>

#include "base/fd.h"

#define IN_PIECE ((size_t)256 * 1024)
#define IN_MAX (RECORD_MAX + 2 * IN_PIECE)
#define OUT_MAX ((size_t)4 << 20)
#define TEXT_MAX ((size_t)64 << 20)

static enum mess_err
copy(const char *s, char **out)
{
	*out = NULL;
	if (s == NULL)
		return MESS_OK;
	return (*out = strdup(s)) != NULL ? MESS_OK : MESS_LIMIT;
}

enum mess_err
mess_open(const struct mess_where *where, struct mess **out)
{
	struct mess *m;

	if ((where->socket == NULL) == (where->spool == NULL))
		return MESS_USAGE;
	if ((m = calloc(1, sizeof *m)) == NULL)
		return MESS_LIMIT;
	m->fd = m->spool_dir = m->cancel = -1;
	m->idle_exit = where->idle_exit;
	m->detail.max = PROTOCOL_LINE_MAX * 2;
	m->out.max = OUT_MAX;
	m->in.max = IN_MAX;
	m->text.max = TEXT_MAX;
	m->sub.stash.max = CLIENT_STASH_MAX;
	m->sub.epoch = 1;
	m->sub.settles.max = CLIENT_SETTLES_MAX;
	if (copy(where->socket, &m->socket) != MESS_OK || copy(where->spool, &m->spool) != MESS_OK ||
	    copy(where->deliverd, &m->deliverd) != MESS_OK) {
		mess_close(m);
		return MESS_LIMIT;
	}
	*out = m;
	return MESS_OK;
}

void
mess_close(struct mess *m)
{
	if (m == NULL)
		return;
	mess_body_abort(m);
	client_disconnect(m);
	client_reap(m);
	client_stream_free(m);
	fd_close(&m->spool_dir);
	buf_free(&m->detail);
	buf_free(&m->out);
	buf_free(&m->in);
	buf_free(&m->text);
	buf_free(&m->sub.stash);
	buf_free(&m->sub.settles);
	client_topics_free(m);
	free(m->socket);
	free(m->spool);
	free(m->deliverd);
	free(m);
}

const char *
mess_detail(const struct mess *m)
{
	return buf_len(&m->detail) > 0 ? buf_data(&m->detail) : "";
}

void
mess_cancel_on(struct mess *m, int fd)
{
	m->cancel = fd;
}

bool
mess_in_doubt(const struct mess *m)
{
	return m->in_doubt;
}

int
mess_fd(const struct mess *m)
{
	return m->fd;
}

enum mess_err
client_fail(struct mess *m, enum mess_err err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	buf_reset(&m->detail, m->detail.max + 1);
	va_start(ap, fmt);
	if (buf_vprintf(&m->detail, fmt, ap) != MESS_OK)
		buf_reset(&m->detail, 0); /* the error still has its own text */
	va_end(ap);
	errno = saved;
	return err;
}

enum mess_err
client_fail_errno(struct mess *m, enum mess_err err, const char *what)
{
	return client_fail(m, err, "%s: %s", what, strerror(errno));
}

enum mess_err
client_refusal(struct mess *m, const struct reply *r)
{
	return client_fail(m, r->err, "%.*s", (int)r->text_len, r->text);
}

/* The bytes of a name's longest label. */
static size_t
longest_label(const char *name)
{
	size_t most = 0;

	for (;;) {
		size_t n = strcspn(name, ".");

		most = n > most ? n : most;
		if (name[n] == '\0')
			return most;
		name += n + 1;
	}
}

enum mess_err
client_check_topic(struct mess *m, const char *topic)
{
	const char *why;
	enum mess_err err;

	if ((err = name_check_topic(topic, &why)) == MESS_OK)
		return MESS_OK;
	if (strlen(topic) > NAME_TOPIC_MAX)
		return client_fail(m, err, "%s: a name is at most %d bytes; this one is %zu",
		    mess_strerror(err), NAME_TOPIC_USER_MAX, strlen(topic));
	if (longest_label(topic) > NAME_LABEL_MAX)
		return client_fail(m, err, "%s: a label is at most %d bytes; one of these is %zu",
		    mess_strerror(err), NAME_LABEL_MAX, longest_label(topic));
	return client_fail(m, err, "%s: %s", mess_strerror(err), why);
}

enum mess_err
mess_topic_check(struct mess *m, const char *topic)
{
	return client_check_topic(m, topic);
}

uint64_t
client_clock(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &now); /* cannot fail for this clock */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum mess_err
client_poll(struct mess *m, int fd, short events, int timeout_ms, short *ready)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = timeout_ms != 0 ? m->cancel : -1, .events = POLLIN },
	};
	int n = poll(fds, 2, timeout_ms);

	if (n == -1 && errno != EINTR)
		return client_fail_errno(m, err_from_errno(), "poll");
	*ready = n > 0 ? fds[0].revents : 0;
	if (n > 0 && fds[0].revents == 0)
		return client_fail(m, MESS_CANCELLED, "%s", mess_strerror(MESS_CANCELLED));
	return MESS_OK;
}

/* ---- the connection ---- */

static bool
is_closed(const struct mess *m)
{
	return m->fd == -1 || !m->abandoned;
}

enum mess_err
client_connect(struct mess *m)
{
	enum mess_err err;

	/*
	 * The engine reads no more.  What it said last is heard, and then what was
	 * in flight is lost: another engine knows nothing of it, and to go on
	 * there would look as if it had been done.
	 */
	if (m->fd != -1 && m->abandoned && (err = client_await(m, is_closed)) != MESS_OK)
		return err;
	if (m->fd != -1 && m->pending_count == 0 && m->greeted && m->sub.mode == CONSUME_NOT) {
		/* An idle connection may have been closed by an engine that stopped since. */
		if ((err = client_collect(m)) != MESS_OK)
			return err;
	}
	if (m->fd != -1)
		return MESS_OK;
	m->patience = client_clock() + CLIENT_PATIENCE_MS;
	if ((err = client_find(m)) != MESS_OK)
		return err;
	return client_hello(m);
}

enum mess_err
client_hello(struct mess *m)
{
	m->pending[0] = PENDING_HELLO;
	m->pending_first = 0;
	m->pending_count = 1;
	return buf_printf(&m->out, "HELLO %d\n", PROTOCOL_VERSION);
}

void
client_disconnect(struct mess *m)
{
	client_stream_lost(m); /* asks whether we were greeted */
	fd_close(&m->fd);
	m->greeted = m->abandoned = m->aborting = false;
	m->sent = 0;
	m->pending_count = 0;
	m->text_left = 0;
	buf_reset(&m->out, CLIENT_OUT_LOW);
	buf_reset(&m->in, IN_MAX);
	buf_reset(&m->text, 0);
	client_consumer_lost(m);
}

static bool
is_greeted(const struct mess *m)
{
	return m->greeted;
}

enum mess_err
client_greet(struct mess *m)
{
	enum mess_err err;

	if ((err = client_connect(m)) != MESS_OK)
		return err;
	return client_await(m, is_greeted);
}

/*
 * The engine closed the connection.  Before it said a word it was leaving,
 * and nothing of ours was done: the whole of `out` goes to the next one.
 * With nothing on its way nothing is lost, and the next request connects.
 */
static enum mess_err
closed(struct mess *m)
{
	enum mess_err err;
	bool idle = m->pending_count == 0 && client_unsent(m) == 0 && m->sub.mode == CONSUME_NOT &&
	    !m->body.open;

	if (!m->greeted && buf_len(&m->in) == 0 && m->pending_count > 0 &&
	    client_clock() < m->patience) {
		fd_close(&m->fd);
		m->abandoned = false;
		m->sent = 0;
		if ((err = client_find(m)) != MESS_OK)
			client_disconnect(m); /* or the next request would go out behind what failed */
		return err;
	}
	client_disconnect(m);
	if (idle)
		return MESS_OK;
	return client_fail(m, MESS_NODAEMON, "mess-deliverd closed the connection");
}

/* Bytes were sent; they are forgotten once no other engine can need them. */
static void
sent(struct mess *m, size_t n)
{
	m->sent += n;
	if (!m->greeted)
		return;
	buf_consume(&m->out, m->sent);
	m->sent = 0;
}

/* EPIPE is no error yet: why the engine closed may wait to be read. */
static enum mess_err
send_failed(struct mess *m)
{
	if (errno == EAGAIN || errno == EINTR)
		return MESS_OK;
	if (errno == EPIPE || errno == ECONNRESET) {
		m->abandoned = true;
		return MESS_OK;
	}
	return client_fail_errno(m, err_from_errno(), "sending to mess-deliverd");
}

enum mess_err
client_push(struct mess *m)
{
	ssize_t n;

	if (m->fd == -1 || m->abandoned || client_unsent(m) == 0)
		return MESS_OK;
	n = send(m->fd, buf_data(&m->out) + m->sent, client_unsent(m), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1)
		return send_failed(m);
	sent(m, (size_t)n);
	return MESS_OK;
}

/* Large bytes go out from where they are; only what the socket leaves is copied. */
enum mess_err
client_add(struct mess *m, const void *data, size_t len)
{
	size_t queued = client_unsent(m), direct = 0;
	ssize_t n;

	if (len == 0)
		return MESS_OK;
	if (m->greeted && !m->abandoned && len >= 16 * 1024) {
		struct iovec iov[] = {
			{ queued > 0 ? buf_data(&m->out) + m->sent : NULL, queued },
			{ (void *)(uintptr_t)data, len },
		};
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
		enum mess_err err;

		if ((n = sendmsg(m->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT)) == -1) {
			if ((err = send_failed(m)) != MESS_OK)
				return err;
			n = 0;
		}
		sent(m, (size_t)n < queued ? (size_t)n : queued);
		direct = (size_t)n > queued ? (size_t)n - queued : 0;
	}
	return buf_append(&m->out, (const char *)data + direct, len - direct);
}

static bool
has_room(const struct mess *m)
{
	return m->fd == -1 || (m->pending_count < CLIENT_PENDING && buf_len(&m->out) < CLIENT_OUT_LOW);
}

enum mess_err
client_say(struct mess *m, enum client_pending pending, const char *fmt, ...)
{
	enum mess_err err;
	va_list ap;

	if ((err = client_connect(m)) != MESS_OK || (err = client_await(m, has_room)) != MESS_OK)
		return err;
	if (m->fd == -1)
		return client_fail(m, MESS_NODAEMON, "mess-deliverd closed the connection");
	va_start(ap, fmt);
	err = buf_vprintf(&m->out, fmt, ap);
	va_end(ap);
	if (err != MESS_OK)
		return err;
	m->pending[(m->pending_first + m->pending_count++) % CLIENT_PENDING] = pending;
	if (pending == PENDING_CALL || pending == PENDING_TEXT)
		m->call = (struct client_call){ .done = false };
	return MESS_OK;
}

/* ---- waiting ---- */

static enum mess_err
receive(struct mess *m, int flags)
{
	enum mess_err err;
	ssize_t n;

	if ((err = buf_reserve(&m->in, IN_PIECE)) != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	n = recv(m->fd, buf_end(&m->in), IN_PIECE, flags);
	if (n > 0) {
		buf_grew(&m->in, (size_t)n);
		return MESS_OK;
	}
	if (n == 0 || errno == ECONNRESET || errno == EPIPE)
		return closed(m);
	if (errno == EAGAIN || errno == EINTR)
		return MESS_OK;
	return client_fail_errno(m, err_from_errno(), "reading from mess-deliverd");
}

enum mess_err
client_turn(struct mess *m, int timeout_ms, bool *moved)
{
	size_t unsent = client_unsent(m);
	short events = POLLIN, ready;
	enum mess_err err;

	*moved = true;
	if ((err = client_push(m)) != MESS_OK)
		return err;
	/* That may be all that is waited for. */
	if (unsent > 0 && client_unsent(m) == 0)
		return MESS_OK;
	/* Nothing to send and no limit of time: one system call does it. */
	if (timeout_ms == -1 && m->cancel == -1 && (client_unsent(m) == 0 || m->abandoned))
		return receive(m, 0);

	if (client_unsent(m) > 0 && !m->abandoned)
		events |= POLLOUT;
	if ((err = client_poll(m, m->fd, events, timeout_ms, &ready)) != MESS_OK)
		return err;
	*moved = ready != 0;
	return (ready & ~POLLOUT) != 0 ? receive(m, MSG_DONTWAIT) : MESS_OK;
}

enum mess_err
client_await(struct mess *m, bool (*over)(const struct mess *m))
{
	enum mess_err err = MESS_OK;
	bool did;

	m->stashing = true;
	while (err == MESS_OK && !over(m)) {
		err = client_step(m, &did);
		if (err == MESS_OK && !did && !over(m))
			err = client_turn(m, -1, &did);
	}
	m->stashing = false;
	return err;
}

enum mess_err
client_collect(struct mess *m)
{
	enum mess_err err;
	bool did;

	if (m->fd == -1)
		return MESS_OK;
	m->stashing = true;
	if ((err = client_turn(m, 0, &did)) == MESS_OK)
		do
			err = client_step(m, &did);
		while (err == MESS_OK && did);
	m->stashing = false;
	return err;
}

/* ---- replies ---- */

static enum mess_err
malformed(struct mess *m)
{
	client_disconnect(m);
	return client_fail(m, MESS_PROTOCOL, "what answers is not a mess-deliverd of this version");
}

static enum mess_err
take_hello(struct mess *m, const struct reply *r)
{
	enum mess_err err;
	uint64_t version;

	if (r->kind == REPLY_ERR) {
		err = client_refusal(m, r);
		client_disconnect(m);
		return err;
	}
	if (!protocol_reply_number(r, 0, &version) || version != PROTOCOL_VERSION ||
	    !protocol_reply_number(r, 1, &m->body_max))
		return malformed(m);
	m->greeted = true;
	sent(m, 0);
	return MESS_OK;
}

static void
keep_word(const char *word, size_t len, char *out, size_t size)
{
	if (len >= size)
		len = size - 1;
	memcpy(out, word, len);
	out[len] = '\0';
}

static void
keep_words(struct mess *m, const struct reply *r)
{
	const char *end = memchr(r->text, ' ', r->text_len), *last = memrchr(r->text, ' ', r->text_len);

	keep_word(r->text, end != NULL ? (size_t)(end - r->text) : r->text_len, m->call.word, sizeof m->call.word);
	last = last != NULL ? last + 1 : r->text;
	keep_word(last, (size_t)(r->text + r->text_len - last), m->call.last, sizeof m->call.last);
}

/* "alike NAME" */
static void
keep_alike(struct mess *m, const struct reply *r)
{
	static const char word[] = "alike ";
	size_t n = sizeof word - 1;

	if (r->kind != REPLY_OK || r->text_len <= n || memcmp(r->text, word, n) != 0 ||
	    r->text_len - n >= sizeof m->call.alike)
		return;
	memcpy(m->call.alike, r->text + n, r->text_len - n);
	m->call.alike[r->text_len - n] = '\0';
}

static bool
ends_with(const struct reply *r, const char *word)
{
	size_t n = strlen(word);

	return r->text_len >= n && memcmp(r->text + r->text_len - n, word, n) == 0;
}

static enum mess_err
take_call(struct mess *m, enum client_pending pending, const struct reply *r)
{
	m->call.err = r->kind == REPLY_ERR ? client_refusal(m, r) : MESS_OK;
	keep_words(m, r);
	keep_alike(m, r);
	m->call.fate = ends_with(r, " duplicate") ? MESS_DUPLICATE :
	    ends_with(r, " queued") ? MESS_QUEUED : MESS_STORED;
	m->call.made = ends_with(r, " made");
	if (r->kind == REPLY_OK)
		for (unsigned i = 0; i < 3; i++)
			if (!protocol_reply_number(r, i, &m->call.number[i]))
				m->call.number[i] = 0;
	if (pending == PENDING_TEXT && r->kind == REPLY_OK) {
		if (m->call.number[0] > TEXT_MAX)
			return malformed(m);
		buf_reset(&m->text, TEXT_MAX);
		m->text_left = m->call.number[0];
	}
	m->call.done = m->text_left == 0;
	return MESS_OK;
}

static enum mess_err
take_reply(struct mess *m, const struct reply *r)
{
	enum client_pending pending;

	if (m->pending_count == 0) /* not asked for: its reason to close, at most */
		return r->kind == REPLY_ERR ? client_refusal(m, r) : malformed(m);
	pending = m->pending[m->pending_first];
	m->pending_first = (m->pending_first + 1) % CLIENT_PENDING;
	m->pending_count--;

	switch (pending) {
	case PENDING_HELLO:
		return take_hello(m, r);
	case PENDING_CALL:
	case PENDING_TEXT:
		return take_call(m, pending, r);
	case PENDING_BATCH:
	case PENDING_SINGLE:
		return client_stream_reply(m, pending, r);
	case PENDING_ACK:
		client_settled(m);
		/* FALLTHROUGH */
	case PENDING_TAKE:
		if (r->kind == REPLY_ERR && m->sub.err == MESS_OK)
			m->sub.err = client_refusal(m, r);
		return MESS_OK;
	case PENDING_RESUME:
		return MESS_OK;
	}
	return MESS_BUG;
}

static enum mess_err
take_line(struct mess *m, const char *line, size_t len)
{
	struct reply r;

	if (protocol_read_reply(line, len, &r) != MESS_OK)
		return malformed(m);
	switch (r.kind) {
	case REPLY_OK:
	case REPLY_ERR:
		return take_reply(m, &r);
	case REPLY_MSG:
		if (m->sub.mode == CONSUME_NOT)
			return malformed(m);
		return client_consumer_frame(m, &r);
	case REPLY_END:
		m->sub.ended = true;
		return MESS_OK;
	case REPLY_GONE:
		return m->sub.mode == CONSUME_NOT ? malformed(m) : client_consumer_gone(m, &r);
	}
	return MESS_BUG;
}

static enum mess_err
take_text(struct mess *m)
{
	size_t n = buf_len(&m->in);
	enum mess_err err;

	if (n > m->text_left)
		n = (size_t)m->text_left;
	if ((err = buf_append(&m->text, buf_data(&m->in), n)) != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	buf_consume(&m->in, n);
	m->text_left -= n;
	m->call.done = m->text_left == 0;
	return MESS_OK;
}

enum mess_err
client_step(struct mess *m, bool *did)
{
	size_t have = buf_len(&m->in);
	enum mess_err err;
	const char *nl;
	size_t len;

	*did = have > 0;
	if (have == 0)
		return MESS_OK;
	if (m->text_left > 0)
		return take_text(m);
	if (m->sub.frame.left > 0) {
		*did = m->stashing;
		return m->stashing ? client_consumer_stash(m) : MESS_OK;
	}
	nl = memchr(buf_data(&m->in), '\n', have < PROTOCOL_LINE_MAX ? have : PROTOCOL_LINE_MAX);
	if (nl == NULL) {
		*did = false;
		return have < PROTOCOL_LINE_MAX ? MESS_OK : malformed(m);
	}
	len = (size_t)(nl - buf_data(&m->in));
	if ((err = take_line(m, buf_data(&m->in), len)) != MESS_OK)
		return err;
	buf_consume(&m->in, len + 1);
	return MESS_OK;
}

static bool
is_called(const struct mess *m)
{
	return m->call.done;
}

enum mess_err
client_finish_call(struct mess *m)
{
	enum mess_err err;

	err = client_await(m, is_called);
	/* Its reply would be taken for the next call's. */
	if (err == MESS_CANCELLED)
		client_disconnect(m);
	return err == MESS_OK ? m->call.err : err;
}
