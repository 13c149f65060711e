/* SPDX-License-Identifier: ISC */
/*
 * Appending to a log.
 *
 * A record is written straight into the commit being gathered, as a put to
 * where it will stand.  The next segment is made ahead, by the helper, when
 * the last is half full; a publisher waits for one only when messages come
 * faster than files can be made.
 */
#include "log_private.h"

#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "body.h"
#include "record.h"

#define QUICK_MS 10000		/* a segment filled faster than this is followed by a larger one */
#define SLOW_MS 3600000
#define RETRY_MS 1000		/* after a segment could not be made ahead */

/* --- a new segment ------------------------------------------------------ */

static void
ready_run(void *arg)
{
	struct log *l = arg;

	if ((l->ready_err = segment_remove(l->cur, LOG_READY)) == MESS_OK)
		l->ready_err = segment_make(l->cur, LOG_READY, l->making_size);
}

static void
ready_done(void *arg)
{
	struct log *l = arg;

	/* An error here is nobody's yet: the roll tries again and answers for it. */
	l->ready_size = l->ready_err == MESS_OK ? l->making_size : 0;
	if (l->ready_err != MESS_OK)
		l->ready_failed_ms = log_clock();
}

static uint64_t
wanted_size(const struct log *l, size_t need)
{
	uint64_t size = l->tail->size, took = log_clock() - l->rolled_ms, most;

	if (took < QUICK_MS)
		size *= 4;
	else if (took > SLOW_MS)
		size /= 4;
	while (size < need + SEGMENT_HEAD_MAX)
		size *= 2;
	most = l->segment_cap == 0 ? SEGMENT_MAX : l->segment_cap;
	while (size > most && size / 2 >= need + SEGMENT_HEAD_MAX)
		size /= 2;
	if (size > SEGMENT_MAX)
		size = SEGMENT_MAX;
	return size < SEGMENT_MIN ? SEGMENT_MIN : size;
}

static void
make_ready(struct log *l)
{
	if (l->ready_size != 0 || l->ready_job.pending || l->tail_off < l->tail->size / 2)
		return;
	/* A full disk is not filled again for every message. */
	if (l->ready_failed_ms != 0 && log_clock() - l->ready_failed_ms < RETRY_MS)
		return;
	l->making_size = wanted_size(l, 0);
	l->ready_job = (struct work_job){ .run = ready_run, .done = ready_done, .arg = l };
	work_give(store_work(l->store), &l->ready_job);
}

static enum mess_err
have_ready(struct log *l, size_t need)
{
	work_wait(store_work(l->store), &l->ready_job);
	if (l->ready_size >= need + SEGMENT_HEAD_MAX)
		return MESS_OK;
	l->making_size = wanted_size(l, need);
	ready_run(l);
	if (l->ready_err == MESS_FULL) {
		/* Growing with the traffic can wait: the least that holds it. */
		l->making_size = SEGMENT_MIN;
		while (l->making_size < need + SEGMENT_HEAD_MAX)
			l->making_size *= 2;
		ready_run(l);
	}
	ready_done(l);
	return l->ready_err;
}

static enum mess_err
put_head(struct log *l)
{
	char head[SEGMENT_HEAD_MAX];
	size_t n = segment_write_head(l->tail, head);
	enum mess_err err;
	char *p;

	if ((err = journal_put(store_journal(l->store), l->tail->file, 0, n, &p)) != MESS_OK)
		return err;
	memcpy(p, head, n);
	l->tail_off = n;
	l->block = 0;
	return MESS_OK;
}

/*
 * READY becomes the segment that begins with the next number.  An empty
 * tail, too small for what comes, has that number already: it is replaced.
 */
static enum mess_err
adopt(struct log *l, bool replace)
{
	char name[SEGMENT_NAME_LEN + 8];
	struct segment *s;
	enum mess_err err;

	l->ready_size = 0;
	if ((err = segment_adopt(l->cur, LOG_READY, l->next, replace)) != MESS_OK) {
		/* Not known to be durable under its name: nothing may be promised on it. */
		if (err == MESS_IO)
			journal_fail(store_journal(l->store));
		return err;
	}
	if ((err = segment_open(l->cur, &l->name, l->next, &s)) != MESS_OK) {
		segment_name(l->next, "", name);
		if (replace)
			journal_fail(store_journal(l->store));
		else
			ERR_IGNORE(segment_remove(l->cur, name)); /* the next roll fails with it, aloud */
		return err;
	}
	segment_unref(l->tail);
	l->tail = s;
	l->tail_off = 0;
	l->rolled_ms = log_clock();
	return MESS_OK;
}

/* The tail has no room for need bytes. */
static enum mess_err
roll(struct log *l, size_t need)
{
	bool replace = l->tail->first == l->next;
	enum mess_err err;
	uint64_t full;

	if ((err = have_ready(l, need)) != MESS_OK ||
	    (!replace && (err = log_add_segment(l, l->next)) != MESS_OK))
		return err;
	full = l->tail->size;
	if ((err = adopt(l, replace)) != MESS_OK) {
		l->segments -= !replace;
		return err;
	}
	if (!replace) {
		l->files[l->segments - 2].bytes = full;
		l->full_bytes += full;
	}
	return MESS_OK;
}

/* What was made ahead for much traffic is more than the emptied log needs. */
enum mess_err
log_roll(struct log *l)
{
	enum mess_err err;

	work_wait(store_work(l->store), &l->ready_job);
	if (l->ready_size > SEGMENT_MIN)
		l->ready_size = 0;
	if (l->ready_size == 0) {
		l->making_size = SEGMENT_MIN;
		ready_run(l);
		ready_done(l);
	}
	if (l->ready_err != MESS_OK)
		return l->ready_err;
	/* Its first line is put with the state that names it. */
	if ((err = store_room(l->store, l->part.most + 512)) != MESS_OK ||
	    (err = roll(l, 0)) != MESS_OK)
		return err;
	store_join(l->store, &l->part);
	return put_head(l);
}

/* --- append ------------------------------------------------------------- */

/* Time of day, but never before the last message's. */
static void
stamp(struct log *l)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with a known clock */
	if ((uint64_t)ts.tv_sec < l->sec ||
	    ((uint64_t)ts.tv_sec == l->sec && (uint32_t)ts.tv_nsec < l->nsec))
		return;
	l->sec = (uint64_t)ts.tv_sec;
	l->nsec = (uint32_t)ts.tv_nsec;
}

static struct record
envelope(const struct log *l, const struct mess_peer *from)
{
	return (struct record){ .seq = l->next, .sec = l->sec, .nsec = l->nsec,
		.uid = from->uid, .gid = from->gid, .pid = (uint32_t)from->pid };
}

/* Where len bytes at the log's end go in the commit. */
static enum mess_err
place_record(struct log *l, size_t len, char **where)
{
	struct journal *j = store_journal(l->store);
	uint64_t block = l->tail_off / SEGMENT_BLOCK + 1;
	enum mess_err err;
	char *place;

	if (l->tail->index != NULL && block > l->block) {
		if ((err = journal_put(j, l->tail->index, (block - 1) * SEGMENT_PLACE_LEN,
		    SEGMENT_PLACE_LEN, &place)) != MESS_OK)
			return err;
		segment_write_place(l->tail, l->next, l->tail_off, place);
	}
	l->block = block;
	if (journal_last_is(j, l->tail->file, l->tail_off)) {
		*where = journal_extend(j, len);
		return MESS_OK;
	}
	return journal_put(j, l->tail->file, l->tail_off, len, where);
}

/* Room in the commit and in a segment for a record of at most len bytes. */
static enum mess_err
prepare(struct log *l, size_t len)
{
	enum mess_err err;
	uint64_t used;

	/* Beside the record: a first line, an index place, the state, and their items. */
	if ((err = store_room(l->store, len + l->part.most + 2048)) != MESS_OK)
		return err;
	if (store_is_sick(l->store))
		return MESS_SICK;
	used = l->tail_off != 0 ? l->tail_off : SEGMENT_HEAD_MAX;
	if (l->tail->size - used < len && (err = roll(l, len)) != MESS_OK)
		return err;
	if (l->tail_off == 0 && (err = put_head(l)) != MESS_OK)
		return err;
	store_join(l->store, &l->part);
	return MESS_OK;
}

static void
appended(struct log *l, size_t len)
{
	l->tail_off += len;
	l->next++;
	make_ready(l);
}

static char *
copy(char *to, const void *from, size_t len)
{
	if (len > 0)
		memcpy(to, from, len);
	return to + len;
}

enum mess_err
log_append(struct log *l, const struct mess_peer *from, const struct mess_message *msg,
    uint64_t *seq)
{
	size_t payload = msg->headers_len + 1 + msg->body_len + 1, n;
	char line[RECORD_LINE_MAX], *p;
	struct record r;
	enum mess_err err;

	if ((err = prepare(l, RECORD_LINE_MAX + payload)) != MESS_OK)
		return err;
	stamp(l);
	r = envelope(l, from);
	r.headers_len = (uint32_t)msg->headers_len;
	r.body_len = msg->body_len;
	n = record_write_line(&r, record_payload_sum(msg->headers, msg->headers_len, msg->body,
	    msg->body_len), line);
	if ((err = place_record(l, n + payload, &p)) != MESS_OK)
		return err;
	p = copy(p, line, n);
	p = copy(p, msg->headers, msg->headers_len);
	*p++ = '\n';
	p = copy(p, msg->body, msg->body_len);
	*p = '\n';
	*seq = l->next;
	appended(l, n + payload);
	return MESS_OK;
}

/* One that turned out small is stored like any other: readers expect it so. */
static enum mess_err
append_small(struct log *l, const struct mess_peer *from, struct body *b, uint64_t *seq)
{
	AUTO_FREE char *mem = malloc((size_t)body_len(b) + 1);
	struct mess_message msg = { .body = mem, .body_len = (size_t)body_len(b) };
	enum mess_err err;

	if (mem == NULL)
		return MESS_LIMIT;
	if ((err = body_read(b, mem)) != MESS_OK)
		return err;
	msg.headers = body_headers(b, &msg.headers_len);
	return log_append(l, from, &msg, seq);
}

enum mess_err
log_append_body(struct log *l, const struct mess_peer *from, struct body *b, uint64_t *seq)
{
	size_t headers_len, n;
	const char *headers = body_headers(b, &headers_len);
	char line[RECORD_LINE_MAX], *p;
	struct record r;
	enum mess_err err;

	if (body_len(b) <= MESS_INLINE_MAX)
		return append_small(l, from, b, seq);
	if ((err = log_have_body(l)) != MESS_OK ||
	    (err = prepare(l, RECORD_LINE_MAX + headers_len + 2)) != MESS_OK)
		return err;
	if ((err = body_name(b, l->cur, l->next)) != MESS_OK) {
		if (err == MESS_IO)
			journal_fail(store_journal(l->store)); /* as for a segment's name */
		return err;
	}
	l->bodies = true;
	stamp(l);
	r = envelope(l, from);
	r.apart = true;
	r.headers_len = (uint32_t)headers_len;
	r.body_len = body_len(b);
	n = record_write_line(&r, body_payload_sum(b), line);
	if ((err = place_record(l, n + headers_len + 2, &p)) != MESS_OK) {
		journal_fail(store_journal(l->store)); /* its body has the number already */
		return err;
	}
	p = copy(p, line, n);
	p = copy(p, headers, headers_len);
	memcpy(p, "\n\n", 2);
	*seq = l->next;
	log_add_body(l, l->next, body_len(b));
	appended(l, n + headers_len + 2);
	return MESS_OK;
}

enum mess_err
log_begin(struct log *l, size_t count, size_t bytes, struct log_mark *out)
{
	/* A line as long as any of them will be. */
	struct record longest = { .seq = l->next + count, .sec = l->sec | (uint64_t)1 << 33,
		.uid = UINT32_MAX, .gid = UINT32_MAX, .pid = INT32_MAX,
		.headers_len = RECORD_BLOCK_MAX, .body_len = MESS_INLINE_MAX };
	char line[RECORD_LINE_MAX];
	size_t each = record_write_line(&longest, 0, line) + 2;
	enum mess_err err;

	/* All of it fits in the commit, so that nothing in between commits a part. */
	if ((err = store_room(l->store, bytes + count * each + l->part.most + 64 * 1024)) != MESS_OK)
		return err;
	*out = (struct log_mark){ .journal = journal_mark(store_journal(l->store)),
		.next = l->next, .tail_off = l->tail_off, .block = l->block,
		.sec = l->sec, .nsec = l->nsec, .segments = l->segments };
	return MESS_OK;
}

/* A segment that was begun since holds nothing: it goes, and the one before is the tail again. */
static void
unroll(struct log *l, size_t segments)
{
	char name[SEGMENT_NAME_LEN + 8];
	struct segment *s;

	if (segment_open(l->cur, &l->name, l->files[segments - 1].first, &s) != MESS_OK) {
		journal_fail(store_journal(l->store));
		return;
	}
	while (l->segments > segments) {
		segment_name(l->files[--l->segments].first, "", name);
		if (segment_remove(l->cur, name) != MESS_OK)
			journal_fail(store_journal(l->store));
	}
	segment_unref(l->tail);
	l->tail = s;
	l->files[segments - 1].bytes = 0;
	log_count_bytes(l);
}

void
log_rewind(struct log *l, const struct log_mark *mark)
{
	journal_rewind(store_journal(l->store), mark->journal);
	if (l->segments > mark->segments)
		unroll(l, mark->segments);
	log_rewind_bodies(l, mark->next);
	l->next = mark->next;
	/* An empty tail may have been replaced since: its first line is put again. */
	l->tail_off = l->next == l->tail->first ? 0 : mark->tail_off;
	l->block = mark->block;
	l->sec = mark->sec;
	l->nsec = mark->nsec;
}
