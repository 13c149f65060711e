/* SPDX-License-Identifier: ISC */
/*
 * Output to a caller.  At most one range is under way; text that comes
 * after it waits behind it.
 */
#include "output.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TEXT_MAX ((size_t)1024 * 1024)
#define RANGE_STEP ((uint64_t)1024 * 1024)

void
output_init(struct output *o, int fd)
{
	*o = (struct output){ .fd = fd, .text = BUF_INIT(TEXT_MAX) };
}

void
output_free(struct output *o)
{
	buf_free(&o->text);
	journal_file_unref(o->file);
	o->file = NULL;
}

void
output_printf(struct output *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vprintf(&o->text, fmt, ap) != MESS_OK)
		o->broken = true;
	va_end(ap);
}

void
output_text(struct output *o, const void *data, size_t len)
{
	if (buf_append(&o->text, data, len) != MESS_OK)
		o->broken = true;
}

bool
output_has_room(const struct output *o)
{
	return o->file == NULL && buf_len(&o->text) < LIMIT_OUTPUT_BYTES && !o->broken;
}

bool
output_is_empty(const struct output *o)
{
	return o->file == NULL && buf_len(&o->text) == 0;
}

/* How much the socket took, 0 when it is full; broken when the peer is gone. */
static size_t
took(struct output *o, ssize_t n)
{
	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN && errno != EINTR)
		o->broken = true;
	return 0;
}

void
output_run(struct output *o, const void *data, size_t len, struct journal_file *file, uint64_t off)
{
	size_t text = buf_len(&o->text), n;
	struct iovec iov[2] = {
		{ .iov_base = text > 0 ? buf_data(&o->text) : NULL, .iov_len = text },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	n = took(o, sendmsg(o->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT));
	buf_consume(&o->text, n < text ? n : text);
	n -= n < text ? n : text;
	if (n < len)
		output_range(o, file, off + n, len - n);
}

void
output_range(struct output *o, struct journal_file *file, uint64_t off, uint64_t len)
{
	o->file = journal_file_ref(file);
	o->before = buf_len(&o->text);
	o->off = off;
	o->left = len;
}

static bool
send_text(struct output *o, size_t len)
{
	size_t n = took(o, send(o->fd, buf_data(&o->text), len, MSG_NOSIGNAL | MSG_DONTWAIT));

	buf_consume(&o->text, n);
	if (o->file != NULL)
		o->before -= n;
	if (buf_len(&o->text) == 0)
		buf_reset(&o->text, 4096);
	return n == len;
}

static bool
send_range(struct output *o)
{
	while (o->left > 0) {
		off_t at = (off_t)o->off;
		ssize_t sent = sendfile(o->fd, o->file->fd, &at,
		    o->left < RANGE_STEP ? (size_t)o->left : (size_t)RANGE_STEP);
		size_t n = took(o, sent);

		/* The file ends early: the peer was promised more than there is. */
		if (sent == 0)
			o->broken = true;
		if (n == 0)
			return false;
		o->off += n;
		o->left -= n;
	}
	journal_file_unref(o->file);
	o->file = NULL;
	o->before = 0;
	return true;
}

void
output_flush(struct output *o)
{
	if (o->broken)
		return;
	if (o->file != NULL) {
		if ((o->before > 0 && !send_text(o, o->before)) || !send_range(o))
			return;
	}
	if (buf_len(&o->text) > 0)
		(void)send_text(o, buf_len(&o->text)); /* the rest when there is room again */
}
