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
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"
#include "body.h"
#include "log_private.h"

#define STATE_FILE "state"
#define STATE_MAGIC "messst1\n"
#define STATE_SIZE 4096		/* of the file */
#define STATE_LEN 192		/* of the block in it */

uint64_t
log_clock(void)
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
	le64_put(p + 64, l->files[l->segments - 1].first);
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

	ssize_t n = fd_pread_full(l->state->fd, p, sizeof p, 0);

	if (n == -1)
		return MESS_IO;
	if (n != STATE_LEN || memcmp(p, STATE_MAGIC, 8) != 0 || le32_get(p + 8) != STATE_LEN ||
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
	log_set_sweep(l);
	if (more && l->on_durable != NULL)
		l->on_durable(l->on_durable_arg);
}

/* --- making ------------------------------------------------------------- */

static enum mess_err
make_files(int dir, int cur, const struct journal_name *name)
{
	struct segment s = { .first = 1, .size = SEGMENT_MIN };
	struct log_file file_of_one = { .first = 1 };
	struct log l = { .name = *name, .first = 1, .next = 1, .files = &file_of_one, .segments = 1 };
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

enum mess_err
log_add_segment(struct log *l, uint64_t first)
{
	if (l->segments == l->segments_cap) {
		size_t cap = l->segments_cap == 0 ? 4 : l->segments_cap * 2;
		struct log_file *files = reallocarray(l->files, cap, sizeof *files);

		if (files == NULL)
			return MESS_LIMIT;
		l->files = files;
		l->segments_cap = cap;
	}
	l->files[l->segments++] = (struct log_file){ .first = first };
	return MESS_OK;
}

static enum mess_err
sort_out_body(struct log *l, const char *name, uint64_t n)
{
	enum mess_err err;
	struct stat st;

	l->bodies = true;
	if (n >= l->next || n < l->first) {
		(void)unlinkat(l->cur, name, 0); /* tried again at the next opening */
		return MESS_OK;
	}
	if (fstatat(l->cur, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return MESS_OK; /* whoever reads the message is told */
	if ((err = log_have_body(l)) == MESS_OK)
		log_add_body(l, n, (uint64_t)st.st_size);
	return err;
}

/* What a finished segment takes on disk; the tail is judged by its end. */
static void
measure(struct log *l, const char *name)
{
	struct stat st;

	if (fstatat(l->cur, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		l->files[l->segments - 1].bytes = (uint64_t)st.st_size;
}

/* What a crash may have left: nothing live names it. */
static enum mess_err
sort_out(struct log *l, const char *name, uint64_t tail)
{
	const char *suffix;
	enum mess_err err;
	uint64_t n;

	if (!segment_parse_name(name, &n, &suffix))
		return MESS_OK;
	if (strcmp(suffix, BODY_SUFFIX) == 0)
		return sort_out_body(l, name, n);
	if (strcmp(suffix, ".idx") == 0) {
		char segment[SEGMENT_NAME_LEN + 8];

		/* Its segment went first, and a crash came between. */
		segment_name(n, "", segment);
		if (faccessat(l->cur, segment, F_OK, AT_SYMLINK_NOFOLLOW) == -1)
			(void)unlinkat(l->cur, name, 0); /* tried again at the next opening */
		return MESS_OK;
	}
	if (*suffix != '\0')
		return MESS_OK;
	if (n > tail)
		return segment_remove(l->cur, name);
	if ((err = log_add_segment(l, n)) == MESS_OK && n < tail)
		measure(l, name);
	return err;
}

static enum mess_err
open_segments(struct log *l, uint64_t tail)
{
	enum mess_err err = MESS_OK;
	char **names;
	size_t count;

	if ((err = segment_remove(l->cur, LOG_READY)) != MESS_OK ||
	    (err = fs_list(l->cur, &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < count; i++)
		err = sort_out(l, names[i], tail);
	fs_free_names(names, count);
	if (err != MESS_OK)
		return err;
	if (l->segments == 0 || l->files[l->segments - 1].first != tail)
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
	size_t head;

	if ((err = fs_open_dir(l->dir, "cur", &l->cur)) != MESS_OK ||
	    (err = open_state(l, &tail)) != MESS_OK ||
	    (err = open_segments(l, tail)) != MESS_OK ||
	    (err = body_sweep(l->dir)) != MESS_OK)
		return err;
	/* An empty tail that was replaced, and whose first line was not committed, has another's. */
	if (l->next == tail && segment_check_head(l->tail, &head) == MESS_CORRUPT)
		l->tail_off = l->durable_off = 0;
	l->block = l->tail_off == 0 ? 0 : (l->tail_off - 1) / SEGMENT_BLOCK + 1;
	l->rolled_ms = log_clock();
	log_count_bytes(l);
	/* Not at once: entries of this engine may name what is to go. */
	l->free_wanted = l->bodies || (l->segments > 1 && l->files[1].first <= l->first);
	log_set_sweep(l);
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
	free(l->files);
	free(l->body_list);
	free(l);
}

enum mess_err
log_check_incarnation(int dir, const unsigned char *id)
{
	AUTO_FD int fd = -1;
	enum mess_err err;
	char p[32];
	ssize_t n;

	if ((err = fs_open_file(dir, STATE_FILE, O_RDONLY, &fd)) != MESS_OK)
		return err == MESS_SYSTEM && errno == ENOENT ? MESS_CORRUPT : err;
	if ((n = fd_pread_full(fd, p, sizeof p, 0)) == -1)
		return MESS_IO;
	/* These bytes never change, so they are right even where the block is torn. */
	return n == sizeof p && memcmp(p, STATE_MAGIC, 8) == 0 &&
	    memcmp(p + 16, id, JOURNAL_ID_LEN) == 0 ? MESS_OK : MESS_CORRUPT;
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

/* --- looking ------------------------------------------------------------ */

enum mess_err
log_segment(struct log *l, uint64_t seq, struct segment **out)
{
	size_t i = l->segments;
	struct segment *s;
	enum mess_err err;

	while (i > 1 && l->files[i - 1].first > seq)
		i--;
	if (l->files[i - 1].first == l->tail->first) {
		*out = segment_ref(l->tail);
		return MESS_OK;
	}
	if (l->recent == NULL || l->recent->first != l->files[i - 1].first) {
		if ((err = segment_open(l->cur, &l->name, l->files[i - 1].first, &s)) != MESS_OK)
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
		if (l->files[i].first == s->first)
			return i + 1 < l->segments && l->files[i + 1].first < l->durable ?
			    l->files[i + 1].first : l->durable;
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
