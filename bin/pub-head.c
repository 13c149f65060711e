/* SPDX-License-Identifier: ISC */
/*
 * mess-pub: what goes before a body: what is asked of the engine, the
 * message's own headers, and those of -H.
 */
#include <inttypes.h>
#include <time.h>

#include "cli-time.h"
#include "pub.h"

/* A moment, some milliseconds after another. */
struct moment {
	uint64_t sec, nsec;
};

static struct moment
later(struct moment from, uint64_t ms)
{
	uint64_t nsec = from.nsec + ms % 1000 * 1000000;

	return (struct moment){ from.sec + ms / 1000 + nsec / 1000000000, nsec % 1000000000 };
}

static enum mess_err
put_time(struct buf *b, const char *name, struct moment at)
{
	return buf_printf(b, "%s: %" PRIu64 ".%09" PRIu64 "\n", name, at.sec, at.nsec);
}

/* Each message counts from its own moment. */
static struct moment
due(const struct options *o)
{
	struct timespec ts;

	if (o->at != NULL)
		return (struct moment){ o->at_sec, o->at_nsec };
	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with a known clock */
	return later((struct moment){ (uint64_t)ts.tv_sec, (uint64_t)ts.tv_nsec }, o->delay_ms);
}

bool
pub_is_due_too_late(const struct options *o)
{
	return o->delay != NULL && due(o).sec > CLI_TIME_LAST;
}

bool
pub_expires_too_late(const struct options *o)
{
	return o->ttl != NULL && later(due(o), o->ttl_ms).sec > CLI_TIME_LAST;
}

/* --ttl counts from when it is due. */
static enum mess_err
put_times(const struct options *o, struct buf *b)
{
	struct moment at = due(o);
	enum mess_err err = MESS_OK;

	if (o->at != NULL || o->delay != NULL)
		err = put_time(b, "Mess-Ask-Due", at);
	if (err == MESS_OK && o->ttl != NULL)
		err = put_time(b, "Mess-Ask-Expires", later(at, o->ttl_ms));
	return err;
}

enum mess_err
pub_put_id(const struct pub *p, uint64_t n, struct buf *b)
{
	enum mess_err err = MESS_OK;

	for (const char *s = p->o->id; err == MESS_OK && *s != '\0'; s++)
		if (s[0] == '%' && s[1] == 'n') {
			err = buf_printf(b, "%" PRIu64, n);
			s++;
		} else if (s[0] == '%' && s[1] == '%') {
			err = buf_append(b, s++, 1);
		} else {
			err = buf_append(b, s, 1);
		}
	return err;
}

enum mess_err
pub_put_head(struct pub *p, const struct pub_message *msg)
{
	const struct options *o = p->o;
	struct buf *b = &p->head;
	enum mess_err err = MESS_OK;

	buf_reset(b, b->max + 1);
	if (o->at != NULL || o->delay != NULL || o->ttl != NULL)
		err = put_times(o, b);
	if (err == MESS_OK && o->id != NULL && (err = buf_printf(b, "Mess-Ask-Id: ")) == MESS_OK &&
	    (err = pub_put_id(p, p->taken, b)) == MESS_OK)
		err = buf_append(b, "\n", 1);
	if (err == MESS_OK && o->key != NULL)
		err = buf_printf(b, "Mess-Ask-Key: %s\n", o->key);
	if (err == MESS_OK && msg->headers_len + buf_len(&o->headers) > RECORD_HEADERS_MAX)
		return pub_bad_input(p, MESS_TOOBIG, "headers are at most %d bytes; these are %zu",
		    RECORD_HEADERS_MAX, msg->headers_len + buf_len(&o->headers));
	if (err == MESS_OK && msg->headers_len > 0)
		err = buf_append(b, msg->headers, msg->headers_len);
	if (err == MESS_OK && buf_len(&o->headers) > 0)
		err = buf_append(b, buf_data(&o->headers), buf_len(&o->headers));
	return err == MESS_OK ? err : pub_bad_input(p, err, "%s", mess_strerror(err));
}
