/* SPDX-License-Identifier: ISC */
/*
 * The log of one topic.
 *
 * Its state, one block, goes into every commit that changes it, so after
 * recovery the first number, the next one and the end of the bytes are
 * known without reading a segment, however long the backlog.  What a crash
 * leaves beside that (a segment adopted and not yet used, a body without a
 * record, freed files) is removed when the log is opened.
 */
#include "log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"
#include "body.h"
#include "record.h"

#define STATE_FILE "state"
#define STATE_MAGIC "messst1\n"
#define STATE_SIZE 4096		/* of the file */
#define STATE_LEN 192		/* of the block in it */
#define READY ".ready"
#define QUICK_MS 10000		/* a segment filled faster than this is followed by a larger one */
#define SLOW_MS 3600000

struct log {
	struct store *store;
	struct journal_name name;
	int dir, cur;
	struct journal_file *state;
	uint64_t first, next, durable;
	uint64_t first_durable;		/* first, as a power cut would find it */
	uint64_t sec;			/* time of the last message: never goes back */
	uint32_t nsec;
	uint64_t counts[LOG_COUNTS];
	uint64_t *firsts;		/* of the segments, ascending; the last is the tail */
	size_t segments, segments_cap;
	struct segment *tail;
	uint64_t tail_off, durable_off;
	uint64_t block;			/* index block of the last record, + 1 */
	struct segment *recent;		/* last one opened for reading */
	struct store_part part;
	void (*on_durable)(void *arg);
	void *on_durable_arg;
	struct work_job ready_job;	/* makes READY */
	uint64_t ready_size;		/* 0: there is none */
	uint64_t making_size;
	enum mess_err ready_err;
	uint64_t rolled_ms;
	bool bodies;			/* there may be some in cur/ */
	bool free_wanted;		/* the commit being gathered frees files */
	bool sweep_set;
	uint64_t sweep_below;		/* what the first number was when it was set */
	struct journal_after sweep;
};

static void sweep(void *arg);

static uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- state -------------------------------------------------------------- */

static void
state_write(const struct log *l, char *p)
{
	memset(p, 0, STATE_LEN);
	memcpy(p, STATE_MAGIC, 8);
	le32_put(p + 8, STATE_LEN);
	memcpy(p + 16, l->name.id, JOURNAL_ID_LEN);
	le64_put(p + 32, l->first);
	le64_put(p + 40, l->next);
	le64_put(p + 48, l->sec);
	le32_put(p + 56, l->nsec);
	le64_put(p + 64, l->firsts[l->segments - 1]);
	le64_put(p + 72, l->tail_off);
	for (int i = 0; i < LOG_COUNTS; i++)
		le64_put(p + 80 + 8 * i, l->counts[i]);
	le64_put(p + STATE_LEN - 8, XXH3_64bits(p, STATE_LEN - 8));
}

/* The last segment's first number goes to *tail. */
static enum mess_err
state_read(struct log *l, uint64_t *tail)
{
	char p[STATE_LEN];

	if (fd_pread_full(l->state->fd, p, sizeof p, 0) != STATE_LEN)
		return MESS_CORRUPT;
	if (memcmp(p, STATE_MAGIC, 8) != 0 || le32_get(p + 8) != STATE_LEN ||
	    memcmp(p + 16, l->name.id, JOURNAL_ID_LEN) != 0 ||
	    le64_get(p + STATE_LEN - 8) != XXH3_64bits(p, STATE_LEN - 8))
		return MESS_CORRUPT;
	l->first = l->first_durable = le64_get(p + 32);
	l->next = l->durable = le64_get(p + 40);
	l->sec = le64_get(p + 48);
	l->nsec = le32_get(p + 56);
	*tail = le64_get(p + 64);
	l->tail_off = l->durable_off = le64_get(p + 72);
	for (int i = 0; i < LOG_COUNTS; i++)
		l->counts[i] = le64_get(p + 80 + 8 * i);
	return MESS_OK;
}

static enum mess_err
state_put(void *arg)
{
	struct log *l = arg;
	enum mess_err err;
	char *p;

	if ((err = journal_put(store_journal(l->store), l->state, 0, STATE_LEN, &p)) != MESS_OK)
		return err;
	state_write(l, p);
	return MESS_OK;
}

/* Now that the first number is durable: files may go once no live entry names them. */
static void
set_sweep(struct log *l)
{
	if (!l->free_wanted || l->sweep_set)
		return;
	l->free_wanted = false;
	l->sweep_set = true;
	l->sweep_below = l->first_durable;
	l->sweep = (struct journal_after){ .fn = sweep, .arg = l };
	journal_after(store_journal(l->store), &l->sweep);
}

static void
state_done(void *arg, bool durable)
{
	struct log *l = arg;
	bool more = l->next > l->durable;

	if (!durable)
		return; /* the store is sick: what was durable stays readable */
	l->durable = l->next;
	l->durable_off = l->tail_off;
	l->first_durable = l->first;
	set_sweep(l);
	if (more && l->on_durable != NULL)
		l->on_durable(l->on_durable_arg);
}

/* --- making ------------------------------------------------------------- */

static enum mess_err
make_files(int dir, int cur, const struct journal_name *name)
{
	struct segment s = { .first = 1, .size = SEGMENT_MIN };
	struct log l = { .name = *name, .first = 1, .next = 1, .firsts = &s.first, .segments = 1 };
	char head[SEGMENT_HEAD_MAX], block[STATE_LEN], file[SEGMENT_NAME_LEN + 8];
	struct journal_file as = { .name = *name };
	AUTO_FD int fd = -1, state = -1;
	enum mess_err err;

	s.file = &as;
	l.tail_off = segment_write_head(&s, head);
	segment_name(s.first, "", file);
	if ((err = fs_make_filled(cur, file, s.size, '\n', &fd)) != MESS_OK ||
	    (err = fs_make_filled(dir, STATE_FILE, STATE_SIZE, 0, &state)) != MESS_OK)
		return err;
	state_write(&l, block);
	if (fd_pwrite_all(fd, head, (size_t)l.tail_off, 0) == -1 ||
	    fd_pwrite_all(state, block, sizeof block, 0) == -1)
		return err_from_errno();
	if ((err = fs_sync(fd)) != MESS_OK || (err = fs_sync(state)) != MESS_OK)
		return err;
	return fs_sync(cur);
}

enum mess_err
log_create(int dir, const struct journal_name *name)
{
	static const char *const dirs[] = { "tmp", "new", "cur", "sub" };
	AUTO_FD int cur = -1;
	enum mess_err err;

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		if ((err = fs_make_dir(dir, dirs[i])) != MESS_OK)
			return err;
	if ((err = fs_open_dir(dir, "cur", &cur)) != MESS_OK ||
	    (err = make_files(dir, cur, name)) != MESS_OK)
		return err;
	return fs_sync(dir);
}

/* --- opening ------------------------------------------------------------ */

static enum mess_err
add_first(struct log *l, uint64_t first)
{
	if (l->segments == l->segments_cap) {
		size_t cap = l->segments_cap == 0 ? 4 : l->segments_cap * 2;
		uint64_t *firsts = reallocarray(l->firsts, cap, sizeof *firsts);

		if (firsts == NULL)
			return MESS_LIMIT;
		l->firsts = firsts;
		l->segments_cap = cap;
	}
	l->firsts[l->segments++] = first;
	return MESS_OK;
}

/* What a crash may have left: nothing live names it. */
static enum mess_err
sort_out(struct log *l, const char *name, uint64_t tail)
{
	const char *suffix;
	uint64_t n;

	if (!segment_parse_name(name, &n, &suffix))
		return MESS_OK;
	if (strcmp(suffix, BODY_SUFFIX) == 0) {
		l->bodies = true;
		if (n >= l->next || n < l->first)
			(void)unlinkat(l->cur, name, 0); /* tried again at the next opening */
		return MESS_OK;
	}
	if (*suffix != '\0')
		return MESS_OK;
	return n > tail ? segment_remove(l->cur, name) : add_first(l, n);
}

static enum mess_err
open_segments(struct log *l, uint64_t tail)
{
	enum mess_err err = MESS_OK;
	char **names;
	size_t count;

	if ((err = segment_remove(l->cur, READY)) != MESS_OK ||
	    (err = fs_list(l->cur, &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < count; i++)
		err = sort_out(l, names[i], tail);
	fs_free_names(names, count);
	if (err != MESS_OK)
		return err;
	if (l->segments == 0 || l->firsts[l->segments - 1] != tail)
		return MESS_CORRUPT;
	return segment_open(l->cur, &l->name, tail, &l->tail);
}

static enum mess_err
open_state(struct log *l, uint64_t *tail)
{
	struct journal_name as = l->name;
	enum mess_err err;
	int fd;

	if ((err = fs_open_file(l->dir, STATE_FILE, O_RDWR, &fd)) != MESS_OK)
		return err;
	as.kind = JOURNAL_STATE;
	if ((l->state = journal_file_new(fd, &as)) == NULL)
		return MESS_LIMIT;
	return state_read(l, tail);
}

static enum mess_err
log_setup(struct log *l)
{
	enum mess_err err;
	uint64_t tail;

	if ((err = fs_open_dir(l->dir, "cur", &l->cur)) != MESS_OK ||
	    (err = open_state(l, &tail)) != MESS_OK ||
	    (err = open_segments(l, tail)) != MESS_OK ||
	    (err = body_sweep(l->dir)) != MESS_OK)
		return err;
	l->block = (l->tail_off - 1) / SEGMENT_BLOCK + 1;
	l->rolled_ms = now_ms();
	l->sweep_below = l->first;
	sweep(l);
	return MESS_OK;
}

enum mess_err
log_open(struct store *s, int dir, const struct journal_name *name, struct log **out)
{
	struct log *l = calloc(1, sizeof *l);
	enum mess_err err;

	if (l == NULL)
		return MESS_LIMIT;
	*l = (struct log){ .store = s, .name = *name, .dir = dir, .cur = -1 };
	l->part = (struct store_part){ .most = STATE_LEN + 512, .put = state_put,
		.done = state_done, .arg = l };
	if ((err = log_setup(l)) != MESS_OK) {
		log_close(l);
		return err;
	}
	*out = l;
	return MESS_OK;
}

void
log_close(struct log *l)
{
	if (l == NULL)
		return;
	store_leave(l->store, &l->part);
	work_wait(store_work(l->store), &l->ready_job);
	if (l->sweep_set)
		journal_cancel(store_journal(l->store), &l->sweep);
	segment_unref(l->recent);
	segment_unref(l->tail);
	journal_file_unref(l->state);
	fd_close(&l->cur);
	free(l->firsts);
	free(l);
}

bool
log_is_incarnation(int dir, const unsigned char *id)
{
	AUTO_FD int fd = -1;
	char p[32];

	/* These bytes never change, so they are right even where the block is torn. */
	return fs_open_file(dir, STATE_FILE, O_RDONLY, &fd) == MESS_OK &&
	    fd_pread_full(fd, p, sizeof p, 0) == sizeof p && memcmp(p, STATE_MAGIC, 8) == 0 &&
	    memcmp(p + 16, id, JOURNAL_ID_LEN) == 0;
}

enum mess_err
log_open_file(int dir, const struct journal_name *name, int *out)
{
	char file[SEGMENT_NAME_LEN + 12] = "cur/";

	switch (name->kind) {
	case JOURNAL_STATE:
		return fs_open_file(dir, STATE_FILE, O_RDWR, out);
	case JOURNAL_SEGMENT:
		segment_name(name->first, "", file + 4);
		return fs_open_file(dir, file, O_RDWR, out);
	case JOURNAL_INDEX:
		segment_name(name->first, ".idx", file + 4);
		return fs_open_file(dir, file, O_RDWR, out);
	default:
		return MESS_CORRUPT;
	}
}

/* --- a new segment ------------------------------------------------------ */

static void
ready_run(void *arg)
{
	struct log *l = arg;

	if ((l->ready_err = segment_remove(l->cur, READY)) == MESS_OK)
		l->ready_err = segment_make(l->cur, READY, l->making_size);
}

static void
ready_done(void *arg)
{
	struct log *l = arg;

	/* An error here is nobody's yet: the roll tries again and answers for it. */
	l->ready_size = l->ready_err == MESS_OK ? l->making_size : 0;
}

static uint64_t
wanted_size(const struct log *l, size_t need)
{
	uint64_t size = l->tail->size, took = now_ms() - l->rolled_ms;

	if (took < QUICK_MS)
		size *= 4;
	else if (took > SLOW_MS)
		size /= 4;
	while (size < need + SEGMENT_HEAD_MAX)
		size *= 2;
	if (size > SEGMENT_MAX)
		size = SEGMENT_MAX;
	return size < SEGMENT_MIN ? SEGMENT_MIN : size;
}

static void
make_ready(struct log *l)
{
	if (l->ready_size != 0 || l->ready_job.pending || l->tail_off < l->tail->size / 2)
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

/* What has the next segment's name and cannot be used must not keep it. */
static void
unadopt(struct log *l)
{
	char name[SEGMENT_NAME_LEN + 8];

	segment_name(l->firsts[--l->segments], "", name);
	ERR_IGNORE(segment_remove(l->cur, name)); /* the next roll fails with it, aloud */
}

/* The tail has no room for need bytes: the next segment begins with number next. */
static enum mess_err
roll(struct log *l, size_t need)
{
	struct segment *s;
	enum mess_err err;

	if ((err = have_ready(l, need)) != MESS_OK ||
	    (err = add_first(l, l->next)) != MESS_OK)
		return err;
	l->ready_size = 0;
	if ((err = segment_adopt(l->cur, READY, l->next)) != MESS_OK ||
	    (err = segment_open(l->cur, &l->name, l->next, &s)) != MESS_OK) {
		unadopt(l);
		return err;
	}
	segment_unref(l->tail);
	l->tail = s;
	l->rolled_ms = now_ms();
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

	/* Beside the record: a first line, an index place, the state, and their items. */
	if ((err = store_room(l->store, len + l->part.most + 2048)) != MESS_OK)
		return err;
	if (store_is_sick(l->store))
		return MESS_SICK;
	if (l->tail->size - l->tail_off < len && (err = roll(l, len)) != MESS_OK)
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

enum mess_err
log_append_body(struct log *l, const struct mess_peer *from, struct body *b, uint64_t *seq)
{
	size_t headers_len, n;
	const char *headers = body_headers(b, &headers_len);
	char line[RECORD_LINE_MAX], *p;
	struct record r;
	enum mess_err err;

	if ((err = prepare(l, RECORD_LINE_MAX + headers_len + 2)) != MESS_OK ||
	    (err = body_name(b, l->cur, l->next)) != MESS_OK)
		return err;
	l->bodies = true;
	stamp(l);
	r = envelope(l, from);
	r.apart = true;
	r.headers_len = (uint32_t)headers_len;
	r.body_len = body_len(b);
	n = record_write_line(&r, body_payload_sum(b), line);
	if ((err = place_record(l, n + headers_len + 2, &p)) != MESS_OK)
		return err;
	p = copy(p, line, n);
	p = copy(p, headers, headers_len);
	memcpy(p, "\n\n", 2);
	*seq = l->next;
	appended(l, n + headers_len + 2);
	return MESS_OK;
}

enum mess_err
log_begin(struct log *l, size_t count, size_t bytes, struct log_mark *out)
{
	enum mess_err err;

	/* All of it fits in the commit, so that nothing in between commits a part. */
	if ((err = store_room(l->store, bytes + count * (RECORD_LINE_MAX + 2) +
	    l->part.most + 64 * 1024)) != MESS_OK)
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

	if (segment_open(l->cur, &l->name, l->firsts[segments - 1], &s) != MESS_OK) {
		journal_fail(store_journal(l->store));
		return;
	}
	while (l->segments > segments) {
		segment_name(l->firsts[--l->segments], "", name);
		if (segment_remove(l->cur, name) != MESS_OK)
			journal_fail(store_journal(l->store));
	}
	segment_unref(l->tail);
	l->tail = s;
}

void
log_rewind(struct log *l, const struct log_mark *mark)
{
	journal_rewind(store_journal(l->store), mark->journal);
	if (l->segments > mark->segments)
		unroll(l, mark->segments);
	l->next = mark->next;
	l->tail_off = mark->tail_off;
	l->block = mark->block;
	l->sec = mark->sec;
	l->nsec = mark->nsec;
}

/* --- freeing ------------------------------------------------------------ */

/* Files wholly below a first number that is durable; no live entry names them. */
static void
sweep(void *arg)
{
	struct log *l = arg;
	char name[SEGMENT_NAME_LEN + 8];
	size_t gone = 0;

	l->sweep_set = false;
	while (gone + 1 < l->segments && l->firsts[gone + 1] <= l->sweep_below) {
		segment_name(l->firsts[gone], "", name);
		if (segment_remove(l->cur, name) != MESS_OK)
			break;
		gone++;
	}
	l->segments -= gone;
	memmove(l->firsts, l->firsts + gone, l->segments * sizeof *l->firsts);
	if (l->recent != NULL && l->recent->first < l->firsts[0]) {
		segment_unref(l->recent);
		l->recent = NULL;
	}
	if (l->bodies)
		body_sweep_below(l->cur, l->sweep_below);
	/* More was freed since this was set. */
	if (l->sweep_below < l->first_durable)
		set_sweep(l);
}

enum mess_err
log_free_below(struct log *l, uint64_t n)
{
	enum mess_err err;

	if (n <= l->first)
		return MESS_OK;
	if ((err = store_room(l->store, l->part.most)) != MESS_OK)
		return err;
	l->counts[LOG_SETTLED] += n - l->first;
	l->first = n;
	store_join(l->store, &l->part);
	if (l->bodies || (l->segments > 1 && l->firsts[1] <= n))
		l->free_wanted = true;
	return MESS_OK;
}

/* --- looking ------------------------------------------------------------ */

enum mess_err
log_segment(struct log *l, uint64_t seq, struct segment **out)
{
	size_t i = l->segments;
	struct segment *s;
	enum mess_err err;

	while (i > 1 && l->firsts[i - 1] > seq)
		i--;
	if (l->firsts[i - 1] == l->tail->first) {
		*out = segment_ref(l->tail);
		return MESS_OK;
	}
	if (l->recent == NULL || l->recent->first != l->firsts[i - 1]) {
		if ((err = segment_open(l->cur, &l->name, l->firsts[i - 1], &s)) != MESS_OK)
			return err;
		segment_unref(l->recent);
		l->recent = s;
	}
	*out = segment_ref(l->recent);
	return MESS_OK;
}

uint64_t
log_segment_end(const struct log *l, const struct segment *s)
{
	for (size_t i = l->segments; i-- > 0;)
		if (l->firsts[i] == s->first)
			return i + 1 < l->segments && l->firsts[i + 1] < l->durable ?
			    l->firsts[i + 1] : l->durable;
	return 0;
}

bool
log_is_tail(const struct log *l, const struct segment *s)
{
	return s->first == l->tail->first;
}

bool
log_is_idle(const struct log *l)
{
	return !l->part.joined && !l->ready_job.pending && !l->sweep_set && !l->free_wanted;
}

/* The file that holds messages from n on: does it hold one that is kept? */
static uint64_t
kept_bytes(const struct log *l, const char *name)
{
	const char *suffix;
	struct stat st;
	uint64_t n;

	if (!segment_parse_name(name, &n, &suffix) ||
	    fstatat(l->cur, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	if (strcmp(suffix, BODY_SUFFIX) == 0)
		return n >= l->first && n < l->durable ? (uint64_t)st.st_size : 0;
	if (*suffix != '\0')
		return 0;
	if (n == l->tail->first)
		return l->durable_off;
	for (size_t i = 0; i + 1 < l->segments; i++)
		if (l->firsts[i] == n)
			return l->firsts[i + 1] > l->first ? (uint64_t)st.st_size : 0;
	return 0;
}

uint64_t
log_bytes(const struct log *l)
{
	uint64_t total = 0;
	char **names;
	size_t count;

	if (l->first == l->durable || fs_list(l->cur, &names, &count) != MESS_OK)
		return 0;
	for (size_t i = 0; i < count; i++)
		total += kept_bytes(l, names[i]);
	fs_free_names(names, count);
	return total;
}

uint64_t
log_first(const struct log *l)
{
	return l->first;
}

uint64_t
log_next(const struct log *l)
{
	return l->next;
}

uint64_t
log_durable(const struct log *l)
{
	return l->durable;
}

uint64_t
log_end(const struct log *l)
{
	return l->durable_off;
}

const struct journal_name *
log_name(const struct log *l)
{
	return &l->name;
}

struct store *
log_store(const struct log *l)
{
	return l->store;
}

int
log_dir(const struct log *l)
{
	return l->dir;
}

int
log_cur(const struct log *l)
{
	return l->cur;
}

void
log_on_durable(struct log *l, void (*fn)(void *arg), void *arg)
{
	l->on_durable = fn;
	l->on_durable_arg = arg;
}

void
log_count(struct log *l, enum log_count what, uint64_t n)
{
	l->counts[what] += n;
}

uint64_t
log_counted(const struct log *l, enum log_count what)
{
	return l->counts[what];
}
