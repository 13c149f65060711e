/* SPDX-License-Identifier: ISC */
/*
 * mess-pub: reading the input with bounded memory, whole or in pieces.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pub.h"

/*
 * Nothing to read right now: what is queued leaves, and while we wait for
 * input the engine's replies are read as they come.
 */
static enum mess_err
wait_for_input(struct pub *p)
{
	enum mess_err err;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = p->fd, .events = POLLIN },
			{ .events = POLLIN },
		};

		if ((err = pub_flush(p)) != MESS_OK)
			return err;
		fds[1].fd = mess_fd(p->m);
		if (poll(fds, p->streaming ? 2 : 1, -1) == -1 && errno != EINTR)
			return pub_bad_input(p, MESS_SYSTEM, "poll: %s", strerror(errno));
		if (fds[0].revents != 0)
			return MESS_OK;
	}
}

enum mess_err
pub_read_more(struct pub *p)
{
	struct pollfd in = { .fd = p->fd, .events = POLLIN };
	enum mess_err err;
	ssize_t n;

	pub_progress(p);
	if (poll(&in, 1, 0) == 0 && (err = wait_for_input(p)) != MESS_OK)
		return err;
	if ((err = buf_reserve(&p->in, PUB_PIECE)) != MESS_OK)
		return pub_bad_input(p, err, "%s", mess_strerror(err));
	while ((n = read(p->fd, buf_end(&p->in), PUB_PIECE)) == -1 && errno == EINTR)
		;
	if (n == -1)
		return pub_bad_input(p, MESS_IO, "%s: %s",
		    p->o->file != NULL ? p->o->file : "standard input", strerror(errno));
	p->eof = n == 0;
	p->progress.bytes += (uint64_t)n;
	buf_grew(&p->in, (size_t)n);
	return MESS_OK;
}

/* ---- the whole input ---- */

static enum mess_err
write_body(struct pub *p, size_t n)
{
	enum mess_err err = pub_write(p, buf_data(&p->in), n);

	buf_consume(&p->in, n);
	return err;
}

/* All of the input, in memory as long as it is small. */
enum mess_err
pub_whole(struct pub *p)
{
	struct pub_message msg = { 0 };
	enum mess_err err;

	while (!p->eof && buf_len(&p->in) <= MESS_INLINE_MAX)
		if ((err = pub_read_more(p)) != MESS_OK)
			return err;
	if (p->eof && buf_len(&p->in) <= MESS_INLINE_MAX) {
		msg.body = msg.raw = buf_len(&p->in) > 0 ? buf_data(&p->in) : "";
		msg.body_len = msg.raw_len = buf_len(&p->in);
		return pub_send(p, &msg);
	}
	if ((err = pub_begin(p, &msg)) != MESS_OK)
		return err;
	while ((err = write_body(p, buf_len(&p->in))) == MESS_OK && !p->eof)
		if ((err = pub_read_more(p)) != MESS_OK)
			break;
	return err == MESS_OK ? pub_finish(p, "", 0) : err;
}

enum mess_err
pub_text(struct pub *p)
{
	struct pub_message msg = { .body = p->o->message, .body_len = strlen(p->o->message) };
	enum mess_err err;

	msg.raw = msg.body;
	msg.raw_len = msg.body_len;
	if (msg.body_len <= MESS_INLINE_MAX)
		return pub_send(p, &msg);
	msg.raw_len = 0;
	if ((err = pub_begin(p, &msg)) != MESS_OK || (err = pub_write(p, msg.body, msg.body_len)) != MESS_OK)
		return err;
	return pub_finish(p, "", 0);
}

/* ---- pieces ---- */

static const char *
find_delim(const struct options *o, const char *from, const char *end)
{
	size_t len = (size_t)(end - from);

	if (o->delim_len == 1)
		return memchr(from, o->delim[0], len);
	return memmem(from, len, o->delim, o->delim_len);
}

/* raw_len is that of the piece with its delimiter, if it has one. */
static enum mess_err
send_piece(struct pub *p, const char *piece, size_t len, size_t raw_len)
{
	struct pub_message msg = { .body = piece, .body_len = len, .raw = piece, .raw_len = raw_len };

	return pub_send(p, &msg);
}

/*
 * Queue what is whole.  *seen bytes of what is left hold no delimiter and
 * no beginning of one.
 */
static enum mess_err
split(struct pub *p, size_t *seen)
{
	const struct options *o = p->o;
	const char *piece = buf_data(&p->in), *end = piece + buf_len(&p->in);
	const char *from = piece + *seen, *hit;
	enum mess_err err = MESS_OK;

	while (err == MESS_OK && (hit = find_delim(o, from, end)) != NULL &&
	    (size_t)(hit - piece) <= MESS_INLINE_MAX) {
		err = send_piece(p, piece, (size_t)(hit - piece), (size_t)(hit - piece) + o->delim_len);
		from = piece = hit + o->delim_len;
	}
	buf_consume(&p->in, (size_t)(piece - buf_data(&p->in)));
	*seen = (size_t)(from - piece);
	if (hit == NULL && buf_len(&p->in) >= *seen + o->delim_len)
		*seen = buf_len(&p->in) - (o->delim_len - 1);
	return err;
}

/* A piece that is too large to wait for its end. */
static enum mess_err
send_long_piece(struct pub *p)
{
	const size_t tail = p->o->delim_len - 1;
	struct pub_message msg = { .raw = "" };
	enum mess_err err;

	if ((err = pub_begin(p, &msg)) != MESS_OK)
		return err;
	for (;;) {
		const char *data = buf_len(&p->in) > 0 ? buf_data(&p->in) : "";
		const char *hit = find_delim(p->o, data, data + buf_len(&p->in));
		size_t n = buf_len(&p->in);

		if (hit != NULL)
			n = (size_t)(hit - data);
		else if (!p->eof)
			n = n > tail ? n - tail : 0; /* the rest may begin a delimiter */
		if (n > 0 && (err = write_body(p, n)) != MESS_OK)
			return err;
		if (hit != NULL)
			buf_consume(&p->in, p->o->delim_len);
		if (hit != NULL || p->eof)
			return pub_finish(p, p->o->delim, hit != NULL ? p->o->delim_len : 0);
		if ((err = pub_read_more(p)) != MESS_OK)
			return err;
	}
}

enum mess_err
pub_pieces(struct pub *p)
{
	enum mess_err err;
	size_t seen = 0;

	for (;;) {
		if (buf_len(&p->in) > 0 && (err = split(p, &seen)) != MESS_OK)
			return err;
		if (buf_len(&p->in) > MESS_INLINE_MAX) {
			if ((err = send_long_piece(p)) != MESS_OK)
				return err;
			seen = 0;
			continue;
		}
		if (p->eof)
			break;
		if ((err = pub_read_more(p)) != MESS_OK)
			return err;
	}
	if (buf_len(&p->in) > 0 &&
	    (err = send_piece(p, buf_data(&p->in), buf_len(&p->in), buf_len(&p->in))) != MESS_OK)
		return err;
	return MESS_OK;
}
