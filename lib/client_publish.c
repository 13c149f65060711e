/* SPDX-License-Identifier: ISC */
/*
 * libmess: publishing one message, in one call or in pieces of any length.
 */
#include "client.h"

#include <errno.h>
#include <time.h>

#include "base/fd.h"
#include "instruct.h"
#include "maildir.h"

enum mess_err
client_check_message(struct mess *m, const struct mess_message *msg)
{
	struct instruct ask;
	const char *why;
	enum mess_err err;
	size_t len;

	if (msg->body_len > MESS_INLINE_MAX)
		return client_fail(m, MESS_TOOBIG, "a body of %zu bytes is published as a stream, "
		    "only up to %zu at once", msg->body_len, MESS_INLINE_MAX);
	if (msg->headers_len == 0)
		return MESS_OK;
	if ((err = instruct_read(msg->headers, msg->headers_len, &ask, &why)) != MESS_OK)
		return client_fail(m, err, "instruction: %s", why);
	len = msg->headers_len - ask.len;
	if (len > RECORD_HEADERS_MAX)
		return client_fail(m, MESS_TOOBIG, "headers are at most %d bytes; these are %zu",
		    RECORD_HEADERS_MAX, len);
	if ((err = record_headers_check(msg->headers + ask.len, len, false, &why)) != MESS_OK)
		return client_fail(m, err, "header: %s", why);
	return MESS_OK;
}

enum mess_err
mess_header_check(const char *line, size_t len)
{
	const char *why;

	return record_header_check(line, len, false, &why);
}

enum mess_err
client_reach(struct mess *m, const char *topic, bool *direct)
{
	enum mess_err err;

	*direct = false;
	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	if (m->socket != NULL || m->fd != -1)
		return client_connect(m);
	m->patience = client_clock() + CLIENT_PATIENCE_MS;
	if ((err = client_dial(m)) == MESS_OK)
		return client_hello(m);
	if (err != MESS_NODAEMON)
		return err;
	if (maildir_check(m->spool_dir, topic) != MESS_OK)
		return client_connect(m);
	*direct = true;
	return MESS_OK;
}

enum mess_err
client_resume(struct mess *m)
{
	if (!m->aborting)
		return MESS_OK;
	m->aborting = false;
	return client_say(m, PENDING_RESUME, "RESUME\n");
}

/* What errno says is added only where it says more. */
enum mess_err
client_direct_failed(struct mess *m, enum mess_err err)
{
	if (err == MESS_SYSTEM || (err == MESS_FULL && errno != ENOSPC) ||
	    (err == MESS_IO && errno != EIO))
		return client_fail_errno(m, err, mess_strerror(err));
	return client_fail(m, err, "%s", mess_strerror(err));
}

enum mess_err
client_published(struct mess *m, enum mess_err err)
{
	m->in_doubt |= err == MESS_NODAEMON || err == MESS_CANCELLED || err == MESS_IO ||
	    err == MESS_SICK;
	return err;
}

/* ---- a message as it stands in a .rec file ---- */

enum mess_err
client_append_record(struct buf *b, const struct mess_message *msg)
{
	struct record r = {
		.uid = geteuid(),
		.gid = getegid(),
		.pid = (uint32_t)getpid(),
		.headers_len = (uint32_t)msg->headers_len,
		.body_len = msg->body_len,
	};
	struct timespec now;
	uint64_t sum;

	if (clock_gettime(CLOCK_REALTIME, &now) == -1)
		return MESS_SYSTEM;
	r.sec = (uint64_t)now.tv_sec;
	r.nsec = (uint32_t)now.tv_nsec;
	sum = record_payload_sum(msg->headers, msg->headers_len, msg->body, msg->body_len);
	if (buf_reserve(b, RECORD_LINE_MAX + msg->headers_len + msg->body_len + 2) != MESS_OK)
		return MESS_LIMIT;
	buf_grew(b, record_write_line(&r, sum, buf_end(b)));
	/* Room for all of it was reserved. */
	(void)!buf_append(b, msg->headers, msg->headers_len);
	(void)!buf_append(b, "\n", 1);
	(void)!buf_append(b, msg->body, msg->body_len);
	(void)!buf_append(b, "\n", 1);
	return MESS_OK;
}

/* ---- one message ---- */

static enum mess_err
publish_direct(struct mess *m, const char *topic, const struct mess_message *msg)
{
	AUTO_BUF struct buf record = BUF_INIT(RECORD_MAX);
	enum mess_err err;

	if (msg->headers_len == 0)
		return maildir_put(m->spool_dir, topic, MAILDIR_BODY, msg->body, msg->body_len);
	if ((err = client_append_record(&record, msg)) != MESS_OK)
		return err;
	return maildir_put(m->spool_dir, topic, MAILDIR_RECORDS, buf_data(&record), buf_len(&record));
}

static enum mess_err
publish_to_engine(struct mess *m, const char *topic, const struct mess_message *msg)
{
	enum mess_err err;

	if ((err = client_resume(m)) != MESS_OK)
		return err;
	if ((err = client_say(m, PENDING_CALL, "PUB %s %zu %zu\n", topic, msg->headers_len,
		msg->body_len)) != MESS_OK)
		return err;
	if ((err = client_add(m, msg->headers, msg->headers_len)) != MESS_OK ||
	    (err = client_add(m, msg->body, msg->body_len)) != MESS_OK)
		return err;
	err = client_published(m, client_finish_call(m));
	m->aborting |= err != MESS_OK && m->fd != -1;
	return err;
}

enum mess_err
mess_publish(struct mess *m, const char *topic, const struct mess_message *msg, uint64_t *seq)
{
	enum mess_err err;
	bool direct;

	m->in_doubt = false;
	if ((err = client_check_message(m, msg)) != MESS_OK || (err = client_reach(m, topic, &direct)) != MESS_OK)
		return err;
	if (direct) {
		if ((err = publish_direct(m, topic, msg)) != MESS_OK)
			return client_published(m, client_direct_failed(m, err));
		m->call.fate = MESS_STORED; /* what the engine finds out later it only counts */
		*seq = 0;
		return MESS_OK;
	}
	if ((err = publish_to_engine(m, topic, msg)) != MESS_OK)
		return err;
	*seq = m->call.number[0];
	return MESS_OK;
}

enum mess_fate
mess_fate(const struct mess *m)
{
	return m->call.fate;
}

/* ---- a body of any length ---- */

static enum mess_err
body_to_file(struct mess *m, const char *topic)
{
	enum mess_err err = maildir_begin(m->spool_dir, topic, MAILDIR_BODY, &m->body.file);

	return err == MESS_OK ? MESS_OK : client_direct_failed(m, err);
}

static enum mess_err
body_to_engine(struct mess *m, const char *topic, const char *headers, size_t headers_len)
{
	enum mess_err err;

	/* What is sent before the greeting is kept in memory: a large body must not be. */
	if ((err = client_greet(m)) != MESS_OK || (err = client_resume(m)) != MESS_OK)
		return err;
	if ((err = client_say(m, PENDING_CALL, "STREAM %s %zu\n", topic, headers_len)) != MESS_OK)
		return err;
	return client_add(m, headers, headers_len);
}

enum mess_err
mess_body_begin(struct mess *m, const char *topic, const char *headers, size_t headers_len)
{
	const struct mess_message none = { .headers = headers, .headers_len = headers_len };
	enum mess_err err;
	bool direct;

	if (m->body.open || m->stream.open)
		return client_fail(m, MESS_USAGE, "another publish is not finished");
	m->in_doubt = false;
	if ((err = client_check_message(m, &none)) != MESS_OK ||
	    (err = client_reach(m, topic, &direct)) != MESS_OK)
		return err;
	m->body = (struct client_body){ .open = false };
	if (direct && headers_len == 0)
		err = body_to_file(m, topic);
	else
		err = body_to_engine(m, topic, headers, headers_len);
	m->body.open = err == MESS_OK;
	return err;
}

/* The engine reads on to the end of a body it refused; closing is quicker for both. */
void
mess_body_abort(struct mess *m)
{
	if (!m->body.open)
		return;
	m->body.open = false;
	if (m->body.file != NULL)
		maildir_abort(TAKE(m->body.file, NULL));
	else
		client_disconnect(m);
}

static enum mess_err
body_failed(struct mess *m, enum mess_err err)
{
	mess_body_abort(m);
	return err;
}

static bool
body_has_room(const struct mess *m)
{
	return m->call.done || m->fd == -1 || client_unsent(m) == 0;
}

static enum mess_err
send_chunk(struct mess *m, const void *data, size_t len)
{
	enum mess_err err;

	if ((err = buf_printf(&m->out, "%zu\n", len)) != MESS_OK ||
	    (err = client_add(m, data, len)) != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	if ((err = client_await(m, body_has_room)) != MESS_OK ||
	    (m->abandoned && (err = client_finish_call(m)) != MESS_OK))
		return err;
	if ((err = client_collect(m)) != MESS_OK)
		return err;
	/* An answer before the end can only be a refusal. */
	if (m->call.done)
		return m->call.err != MESS_OK ? m->call.err : MESS_PROTOCOL;
	return MESS_OK;
}

enum mess_err
mess_body_write(struct mess *m, const void *data, size_t len)
{
	uint64_t most = m->body.file != NULL ? LIMIT_BODY_PERSONAL : m->body_max;
	enum mess_err err;

	if (!m->body.open)
		return client_fail(m, MESS_USAGE, "no body was begun");
	if (len > most - m->body.size)
		return body_failed(m, client_fail(m, MESS_TOOBIG, "body is too large: more than the %llu "
		    "bytes that are allowed here", (unsigned long long)most));
	m->body.size += len;
	if (m->body.file != NULL) {
		err = maildir_write(m->body.file, data, len);
		return err == MESS_OK ? MESS_OK : body_failed(m, client_direct_failed(m, err));
	}
	for (const char *p = data; len > 0;) {
		size_t n = len < PROTOCOL_CHUNK_MAX ? len : PROTOCOL_CHUNK_MAX;

		if ((err = send_chunk(m, p, n)) != MESS_OK)
			return body_failed(m, err);
		p += n;
		len -= n;
	}
	return MESS_OK;
}

enum mess_err
mess_body_end(struct mess *m, uint64_t *seq)
{
	enum mess_err err;

	if (!m->body.open)
		return client_fail(m, MESS_USAGE, "no body was begun");
	m->body.open = false;
	if (m->body.file != NULL) {
		if ((err = maildir_end(TAKE(m->body.file, NULL))) != MESS_OK)
			return client_published(m, client_direct_failed(m, err));
		m->call.fate = MESS_STORED;
		*seq = 0;
		return MESS_OK;
	}
	if ((err = buf_append(&m->out, "0\n", 2)) != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	if ((err = client_published(m, client_finish_call(m))) != MESS_OK) {
		m->aborting |= m->fd != -1;
		return err;
	}
	*seq = m->call.number[0];
	return MESS_OK;
}
