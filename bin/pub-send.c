/* SPDX-License-Identifier: ISC */
/*
 * mess-pub: messages to the engine.
 *
 * Usually they are queued in a stream, and that is all.  With --tee, --wait
 * and -v beside --id each is kept until it is known to be durable: then it
 * can be written on, or said again when there is room.  With --atomic all
 * are kept, and go together.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "pub.h"

#define PAUSE_FIRST_MS 50
#define PAUSE_MOST_MS 1000
#define PUB_HEAD_MAX ((size_t)RECORD_BLOCK_MAX)
#define FLIGHT_MAX ((size_t)512 * 1024 * 1024)	/* far above what the library lets fly */

/* A message in p->flight, and its bytes behind it: head, body, raw, id. */
struct kept {
	uint32_t head_len, body_len, raw_len, id_len;
};

uint64_t
pub_durable(const struct pub *p)
{
	return p->durable + (p->streaming ? mess_durable(p->m) : 0);
}

static bool
keeps(const struct pub *p)
{
	return p->o->tee || p->o->wait || p->o->atomic || (p->o->verbose > 0 && p->o->id != NULL);
}

static struct mess_message
with_head(const struct pub *p, const char *body, size_t len)
{
	return (struct mess_message){
		.headers = buf_len(&p->head) > 0 ? buf_data(&p->head) : NULL,
		.headers_len = buf_len(&p->head),
		.body = body,
		.body_len = len,
	};
}

/* ---- what is durable ---- */

/* Whether stdout works is judged when it is flushed; without a reader it is SIGPIPE's. */
static void
write_on_stdout(const char *data, size_t len)
{
	if (len > 0)
		(void)fwrite(data, 1, len, stdout);
}

static void
print_id(const struct pub *p, const char *id, size_t id_len, uint64_t seq)
{
	if (p->o->verbose <= 0)
		return;
	if (p->o->id != NULL)
		(void)printf("%.*s\n", (int)id_len, id);
	else if (seq == 0)
		(void)puts("-");
	else
		(void)printf("%s:%" PRIu64 "\n", p->o->topic, seq);
}

/* The first message in flight is durable. */
static void
landed(void *arg, uint64_t seq)
{
	struct pub *p = arg;
	struct kept k;
	const char *at;

	if (!keeps(p)) {
		print_id(p, NULL, 0, seq);
		return;
	}
	memcpy(&k, buf_data(&p->flight), sizeof k);
	at = buf_data(&p->flight) + sizeof k + k.head_len + k.body_len;
	if (p->o->tee)
		write_on_stdout(at, k.raw_len);
	print_id(p, at + k.raw_len, k.id_len, seq);
	buf_consume(&p->flight, sizeof k + k.head_len + k.body_len + k.raw_len + k.id_len);
	p->in_flight--;
}

static enum mess_err
keep(struct pub *p, const struct pub_message *msg)
{
	AUTO_BUF struct buf id = BUF_INIT(4096);
	struct kept k = { .head_len = (uint32_t)buf_len(&p->head), .body_len = (uint32_t)msg->body_len,
		.raw_len = p->o->tee ? (uint32_t)msg->raw_len : 0 };
	enum mess_err err = MESS_OK;

	if (p->o->verbose > 0 && p->o->id != NULL)
		err = pub_put_id(p, p->taken, &id);
	k.id_len = (uint32_t)buf_len(&id);
	if (err != MESS_OK || (err = buf_append(&p->flight, &k, sizeof k)) != MESS_OK ||
	    (k.head_len > 0 && (err = buf_append(&p->flight, buf_data(&p->head), k.head_len)) != MESS_OK) ||
	    (err = buf_append(&p->flight, msg->body, msg->body_len)) != MESS_OK ||
	    (err = buf_append(&p->flight, msg->raw, k.raw_len)) != MESS_OK ||
	    (k.id_len > 0 && (err = buf_append(&p->flight, buf_data(&id), k.id_len)) != MESS_OK))
		return pub_bad_input(p, err, "%s", mess_strerror(err));
	p->in_flight++;
	return MESS_OK;
}

/* ---- waiting for room ---- */

static uint64_t
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Is it worth another try?  Then a while has passed. */
static bool
waits(struct pub *p, enum mess_err err, unsigned *pause_ms)
{
	int status = mess_exit_status(err);
	uint64_t at = now();

	if (!p->o->wait || buf_len(&p->why) > 0 || (status != EX_TEMPFAIL && status != EX_UNAVAILABLE))
		return false;
	if (p->deadline == 0)
		p->deadline = p->o->wait_ms < UINT64_MAX - at ? at + p->o->wait_ms : UINT64_MAX;
	if (at >= p->deadline) {
		p->waited_out = true;
		return false;
	}
	if (*pause_ms > p->deadline - at)
		*pause_ms = (unsigned)(p->deadline - at);
	if (p->o->verbose > 0)
		(void)fflush(stdout); /* judged at the end */
	(void)poll(NULL, 0, (int)*pause_ms); /* one that is cut short is another try */
	*pause_ms = *pause_ms * 2 < PAUSE_MOST_MS ? *pause_ms * 2 : PAUSE_MOST_MS;
	return true;
}

/* The stream is over, whatever it says: what of it was durable was told. */
static void
close_stream(struct pub *p)
{
	if (!p->streaming)
		return;
	p->durable = pub_durable(p);
	p->streaming = false;
	ERR_IGNORE(mess_wait(p->m)); /* its error is what we are here for */
}

static enum mess_err
queue_kept(struct pub *p)
{
	const char *at = buf_len(&p->flight) > 0 ? buf_data(&p->flight) : NULL;
	uint64_t count = p->in_flight;
	enum mess_err err = MESS_OK;
	size_t off = 0;
	struct kept k;

	/* What lands meanwhile leaves at the front: so each is found by its distance from the end. */
	for (size_t len = buf_len(&p->flight); err == MESS_OK && count > 0; count--) {
		struct mess_message msg;

		at = buf_data(&p->flight) + (off - (len - buf_len(&p->flight)));
		memcpy(&k, at, sizeof k);
		msg = (struct mess_message){ .headers = k.head_len > 0 ? at + sizeof k : NULL,
			.headers_len = k.head_len, .body = at + sizeof k + k.head_len, .body_len = k.body_len };
		off += sizeof k + k.head_len + k.body_len + k.raw_len + k.id_len;
		err = mess_queue(p->m, p->o->topic, &msg);
		p->streaming |= err == MESS_OK;
	}
	return err;
}

/* err of the stream; what is in flight is said again until it goes on, or is no more worth it. */
static enum mess_err
again(struct pub *p, enum mess_err err)
{
	uint64_t left = p->in_flight;
	unsigned pause_ms = PAUSE_FIRST_MS;

	while (err != MESS_OK && waits(p, err, &pause_ms)) {
		close_stream(p);
		if ((err = queue_kept(p)) == MESS_OK)
			err = mess_flush(p->m);
		if (p->in_flight < left)
			pause_ms = PAUSE_FIRST_MS; /* there was some room: more is near */
		left = p->in_flight;
	}
	if (err == MESS_OK)
		p->deadline = 0;
	return err;
}

/* ---- small messages ---- */

static enum mess_err
send_alone(struct pub *p, const struct mess_message *msg)
{
	unsigned pause_ms = PAUSE_FIRST_MS;
	enum mess_err err;
	uint64_t seq;

	while ((err = mess_publish(p->m, p->o->topic, msg, &seq)) != MESS_OK && waits(p, err, &pause_ms))
		;
	if (err != MESS_OK)
		return err;
	if (mess_fate(p->m) == MESS_QUEUED)
		return MESS_OK; /* nothing was published, so nothing is told */
	p->durable++;
	landed(p, seq);
	return MESS_OK;
}

enum mess_err
pub_send(struct pub *p, const struct pub_message *msg)
{
	struct mess_message m;
	enum mess_err err;

	p->taken++;
	if ((err = pub_put_head(p, msg)) != MESS_OK || (keeps(p) && (err = keep(p, msg)) != MESS_OK))
		return err;
	if (p->o->atomic)
		return MESS_OK;
	m = with_head(p, msg->body, msg->body_len);
	if (p->o->form == FORM_WHOLE)
		return send_alone(p, &m);
	err = mess_queue(p->m, p->o->topic, &m);
	p->streaming |= err == MESS_OK;
	return err == MESS_OK ? MESS_OK : again(p, err);
}

enum mess_err
pub_flush(struct pub *p)
{
	enum mess_err err;

	if (p->streaming && (err = mess_flush(p->m)) != MESS_OK && (err = again(p, err)) != MESS_OK)
		return err;
	if (p->o->verbose > 0 || p->o->tee)
		(void)fflush(stdout); /* judged at the end */
	return MESS_OK;
}

/* End the stream: what comes next is published outside it, in order. */
static enum mess_err
end_stream(struct pub *p)
{
	uint64_t left = p->in_flight;
	unsigned pause_ms = PAUSE_FIRST_MS;
	enum mess_err err;

	while (p->streaming && (err = mess_wait(p->m)) != MESS_OK) {
		p->durable = pub_durable(p);
		p->streaming = false;
		if (p->in_flight < left)
			pause_ms = PAUSE_FIRST_MS; /* as in again */
		left = p->in_flight;
		do {
			if (!waits(p, err, &pause_ms))
				return err;
			close_stream(p);
		} while ((err = queue_kept(p)) != MESS_OK);
	}
	if (p->streaming)
		p->durable = pub_durable(p);
	p->streaming = false;
	p->deadline = 0;
	return MESS_OK;
}

/* ---- all or nothing ---- */

static enum mess_err
send_all(struct pub *p)
{
	AUTO_FREE struct mess_message *all = calloc(p->in_flight + 1, sizeof *all);
	unsigned pause_ms = PAUSE_FIRST_MS;
	const char *at;
	enum mess_err err;
	struct kept k;
	uint64_t seq;
	size_t n = p->in_flight;

	if (n == 0)
		return MESS_OK;
	if (all == NULL)
		return pub_bad_input(p, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
	at = buf_data(&p->flight);
	for (size_t i = 0; i < n; i++) {
		memcpy(&k, at, sizeof k);
		all[i] = (struct mess_message){ .headers = k.head_len > 0 ? at + sizeof k : NULL,
			.headers_len = k.head_len, .body = at + sizeof k + k.head_len, .body_len = k.body_len };
		at += sizeof k + k.head_len + k.body_len + k.raw_len + k.id_len;
	}
	while ((err = mess_publish_all(p->m, p->o->topic, all, n, &seq)) != MESS_OK && waits(p, err, &pause_ms))
		;
	for (size_t i = 0; err == MESS_OK && i < n; i++) {
		p->durable++;
		landed(p, seq == 0 ? 0 : seq + i);
	}
	return err;
}

enum mess_err
pub_end(struct pub *p)
{
	return p->o->atomic ? send_all(p) : end_stream(p);
}

/* ---- large messages ---- */

/* Where a body may be wanted again it goes into a file without a name first. */
static enum mess_err
spill_begin(struct pub *p, const struct pub_message *msg)
{
	const char *dir = getenv("TMPDIR");
	enum mess_err err;

	if ((p->spill = open(dir != NULL && *dir != '\0' ? dir : "/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC,
	    0600)) == -1)
		return pub_bad_input(p, MESS_SYSTEM, "a temporary file: %s", strerror(errno));
	buf_reset(&p->spill_raw, p->spill_raw.max + 1);
	if (p->o->tee && msg->raw_len > 0 &&
	    (err = buf_append(&p->spill_raw, msg->raw, msg->raw_len)) != MESS_OK)
		return pub_bad_input(p, err, "%s", mess_strerror(err));
	return MESS_OK;
}

enum mess_err
pub_begin(struct pub *p, const struct pub_message *msg)
{
	enum mess_err err;

	p->taken++;
	if (p->o->atomic)
		return pub_bad_input(p, MESS_TOOBIG, "with --atomic a body is at most %zu bytes; this one has more",
		    MESS_INLINE_MAX);
	if ((err = end_stream(p)) != MESS_OK || (err = pub_put_head(p, msg)) != MESS_OK)
		return err;
	if (keeps(p))
		return spill_begin(p, msg);
	return mess_body_begin(p->m, p->o->topic, buf_len(&p->head) > 0 ? buf_data(&p->head) : NULL,
	    buf_len(&p->head));
}

enum mess_err
pub_write(struct pub *p, const char *data, size_t len)
{
	if (p->spill == -1)
		return mess_body_write(p->m, data, len);
	if (fd_write_all(p->spill, data, len) == -1)
		return pub_bad_input(p, MESS_IO, "a temporary file: %s", strerror(errno));
	return MESS_OK;
}

/* From the file, for each piece. */
static enum mess_err
read_spill(struct pub *p, enum mess_err (*use)(struct pub *p, const char *data, size_t len))
{
	AUTO_FREE char *piece = malloc(PUB_PIECE);
	enum mess_err err = MESS_OK;
	off_t off = 0;
	ssize_t n;

	if (piece == NULL)
		return pub_bad_input(p, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
	while (err == MESS_OK && (n = fd_pread_full(p->spill, piece, PUB_PIECE, off)) != 0) {
		if (n == -1)
			return pub_bad_input(p, MESS_IO, "a temporary file: %s", strerror(errno));
		err = use(p, piece, (size_t)n);
		off += n;
	}
	return err;
}

static enum mess_err
write_on(struct pub *p, const char *data, size_t len)
{
	return mess_body_write(p->m, data, len);
}

static enum mess_err
tee_on(struct pub *p, const char *data, size_t len)
{
	(void)p;
	write_on_stdout(data, len);
	return MESS_OK;
}

static enum mess_err
send_spill(struct pub *p, uint64_t *seq)
{
	enum mess_err err;

	if ((err = mess_body_begin(p->m, p->o->topic, buf_len(&p->head) > 0 ? buf_data(&p->head) : NULL,
	    buf_len(&p->head))) != MESS_OK || (err = read_spill(p, write_on)) != MESS_OK ||
	    (err = mess_body_end(p->m, seq)) != MESS_OK)
		mess_body_abort(p->m);
	return err;
}

/* All of it is on stdout as it stood in the input. */
static enum mess_err
tee_spill(struct pub *p, const char *raw, size_t raw_len)
{
	enum mess_err err;

	write_on_stdout(buf_len(&p->spill_raw) > 0 ? buf_data(&p->spill_raw) : "", buf_len(&p->spill_raw));
	err = read_spill(p, tee_on);
	write_on_stdout(raw, raw_len);
	return err;
}

static enum mess_err
finish_spill(struct pub *p, const char *raw, size_t raw_len, uint64_t *seq)
{
	unsigned pause_ms = PAUSE_FIRST_MS;
	enum mess_err err;

	while ((err = send_spill(p, seq)) != MESS_OK && waits(p, err, &pause_ms))
		;
	if (err == MESS_OK && p->o->tee && mess_fate(p->m) != MESS_QUEUED)
		err = tee_spill(p, raw, raw_len);
	fd_close(&p->spill);
	p->deadline = 0;
	return err;
}

enum mess_err
pub_finish(struct pub *p, const char *raw, size_t raw_len)
{
	AUTO_BUF struct buf id = BUF_INIT(4096);
	enum mess_err err;
	uint64_t seq;

	err = p->spill == -1 ? mess_body_end(p->m, &seq) : finish_spill(p, raw, raw_len, &seq);
	if (err != MESS_OK || mess_fate(p->m) == MESS_QUEUED)
		return err;
	p->durable++;
	if (p->o->id != NULL && (err = pub_put_id(p, p->taken, &id)) != MESS_OK)
		return pub_bad_input(p, err, "%s", mess_strerror(err));
	print_id(p, buf_len(&id) > 0 ? buf_data(&id) : "", buf_len(&id), seq);
	return MESS_OK;
}

void
pub_send_init(struct pub *p)
{
	p->spill = -1;
	p->head.max = PUB_HEAD_MAX;
	p->flight.max = FLIGHT_MAX;
	p->spill_raw.max = RECORD_LINE_MAX + RECORD_BLOCK_MAX;
	if (p->o->verbose > 0 || keeps(p))
		mess_on_durable(p->m, landed, p);
}

void
pub_send_free(struct pub *p)
{
	fd_close(&p->spill);
	buf_free(&p->head);
	buf_free(&p->flight);
	buf_free(&p->spill_raw);
}
