/* SPDX-License-Identifier: ISC */
/*
 * The journal.
 *
 * Two files ("halves") take turns.  Each begins with a line that carries a
 * fresh random key and the number of its first entry; every entry carries
 * key, number, length and sum.  The key never leaves the engine, so nothing
 * that an older turn left behind, and nothing that a message contains, can
 * pass for an entry.
 *
 * One entry is one write and one fdatasync into a file that never grows.
 * Only then are the puts made in their own files, unsynced.  When a half is
 * full the other takes over, and the helper thread syncs every file that
 * the full one put to (the checkpoint) and retires its first line; until
 * that is done its entries are live, and no file they name may be removed.
 * Retiring before the sync would lose what only the page cache had.
 */
#include "journal.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"
#include "journal_entry.h"

/* The longest entry fits from the start: a full disk must not meet a commit. */
#define SIZE_FIRST (JOURNAL_ENTRY_MAX + (uint64_t)256 * 1024)
#define SIZE_LAST ((uint64_t)16 * 1024 * 1024)
#define MEM_LEN (JOURNAL_ENTRY_MAX + (size_t)1024 * 1024)
#define MEM_KEEP ((size_t)256 * 1024)
#define TIMES 1024

struct half {
	int fd;
	uint64_t size;
	struct journal_file **files;	/* that have puts in this half */
	size_t files_count, files_cap;
	struct work_job checkpoint;
	bool live;			/* has entries that are not retired */
	bool failed;			/* its checkpoint; written by the helper before done */
	TAILQ_HEAD(, journal_after) after;
	struct journal *journal;
};

struct journal {
	int dir;
	struct work *work;
	struct half half[2];
	unsigned active;
	unsigned char key[JOURNAL_ID_LEN];
	uint64_t number;	/* of the next entry */
	uint64_t at;		/* where it goes in the active half */
	uint64_t turned_ms;
	bool sick;
	char *mem;		/* the entry being gathered: head, then items */
	size_t used, high;
	struct journal_file **files;	/* one for each file item of the entry */
	size_t files_count, files_cap;
	struct journal_file *last;	/* of the last file item */
	size_t last_put;		/* where the last put item begins; 0: none */
	uint64_t commits;
	uint32_t times[TIMES];
};

struct journal_file *
journal_file_new(int fd, const struct journal_name *name)
{
	struct journal_file *f = malloc(sizeof *f);

	if (f == NULL) {
		fd_close(&fd);
		return NULL;
	}
	*f = (struct journal_file){ .fd = fd, .refs = 1, .name = *name };
	return f;
}

struct journal_file *
journal_file_ref(struct journal_file *f)
{
	f->refs++;
	return f;
}

void
journal_file_unref(struct journal_file *f)
{
	if (f == NULL || --f->refs > 0)
		return;
	fd_close(&f->fd);
	free(f);
}

static uint64_t
monotonic_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

bool
journal_is_sick(const struct journal *j)
{
	/* A directory's sync, or a new file's, tells as much of the disk as a commit's. */
	return j->sick || fs_sync_has_failed();
}

/* --- gathering ---------------------------------------------------------- */

static void
entry_clear(struct journal *j)
{
	j->used = JOURNAL_HEAD_LEN;
	j->last = NULL;
	j->last_put = 0;
}

size_t
journal_room(const struct journal *j)
{
	size_t overhead = j->used + JOURNAL_FILE_LEN + NAME_TOPIC_MAX + NAME_SUB_MAX + JOURNAL_PUT_LEN;

	return overhead >= JOURNAL_ENTRY_MAX ? 0 : JOURNAL_ENTRY_MAX - overhead;
}

bool
journal_is_empty(const struct journal *j)
{
	return j->used == JOURNAL_HEAD_LEN;
}

/* The list of the entry's files, in the order of its file items. */
static enum mess_err
add_file(struct journal *j, struct journal_file *f)
{
	size_t topic = strlen(f->name.topic), sub = strlen(f->name.sub);
	char *p = j->mem + j->used;

	if (j->files_count == j->files_cap) {
		size_t cap = j->files_cap == 0 ? 16 : j->files_cap * 2;
		struct journal_file **files = reallocarray(j->files, cap, sizeof *files);

		if (files == NULL)
			return MESS_LIMIT;
		j->files = files;
		j->files_cap = cap;
	}
	j->files[j->files_count++] = journal_file_ref(f);
	p[0] = JOURNAL_ITEM_FILE;
	p[1] = (char)f->name.kind;
	p[2] = (char)topic;
	p[3] = (char)sub;
	memcpy(p + 4, f->name.id, JOURNAL_ID_LEN);
	le64_put(p + 20, f->name.first);
	memcpy(p + JOURNAL_FILE_LEN, f->name.topic, topic);
	memcpy(p + JOURNAL_FILE_LEN + topic, f->name.sub, sub);
	j->used += JOURNAL_FILE_LEN + topic + sub;
	j->last = f;
	return MESS_OK;
}

enum mess_err
journal_put(struct journal *j, struct journal_file *f, uint64_t off, size_t len, char **where)
{
	enum mess_err err;
	char *p;

	if (len > journal_room(j))
		return MESS_TOOBIG;
	if (j->last != f && (err = add_file(j, f)) != MESS_OK)
		return err;
	p = j->mem + j->used;
	j->last_put = j->used;
	p[0] = JOURNAL_ITEM_PUT;
	p[1] = p[2] = p[3] = 0;
	le32_put(p + 4, (uint32_t)len);
	le64_put(p + 8, off);
	*where = p + JOURNAL_PUT_LEN;
	j->used += JOURNAL_PUT_LEN + len;
	return MESS_OK;
}

bool
journal_last_is(const struct journal *j, const struct journal_file *f, uint64_t end)
{
	const char *p = j->mem + j->last_put;

	return j->last_put != 0 && j->last == f && le64_get(p + 8) + le32_get(p + 4) == end;
}

char *
journal_extend(struct journal *j, size_t len)
{
	char *put = j->mem + j->last_put;
	char *where = j->mem + j->used;

	le32_put(put + 4, le32_get(put + 4) + (uint32_t)len);
	j->used += len;
	return where;
}

struct journal_mark
journal_mark(const struct journal *j)
{
	return (struct journal_mark){ .used = j->used, .put = j->last_put,
		.files = j->files_count, .file = j->last };
}

void
journal_rewind(struct journal *j, struct journal_mark mark)
{
	j->used = mark.used;
	j->last_put = mark.put;
	j->last = mark.file;
	while (j->files_count > mark.files)
		journal_file_unref(j->files[--j->files_count]);
	/* The last put may have been extended since; it ends where the entry does. */
	if (mark.put != 0)
		le32_put(j->mem + mark.put + 4, (uint32_t)(mark.used - mark.put - JOURNAL_PUT_LEN));
}

/* --- halves take turns -------------------------------------------------- */

/* On the helper's thread: the list does not change while the job is pending. */
static void
checkpoint_run(void *arg)
{
	struct half *h = arg;

	h->failed = false;
	for (size_t i = 0; i < h->files_count; i++)
		if (fdatasync(h->files[i]->fd) == -1)
			h->failed = true;
	if (h->failed)
		return;
	/* Every byte is in its own file: the entries may be forgotten. */
	if (journal_retire(h->fd) != MESS_OK)
		h->failed = true;
}

static void
run_after(struct half *h)
{
	struct journal_after *a;

	while ((a = TAILQ_FIRST(&h->after)) != NULL) {
		TAILQ_REMOVE(&h->after, a, link);
		a->fn(a->arg);
	}
}

static void
checkpoint_done(void *arg)
{
	struct half *h = arg;
	unsigned bit = h == &h->journal->half[1] ? 2 : 1;

	for (size_t i = 0; i < h->files_count; i++) {
		h->files[i]->touched &= ~bit;
		journal_file_unref(h->files[i]);
	}
	h->files_count = 0;
	/* Sick already: what waits was to follow a commit that may not have been. */
	if (h->failed || journal_is_sick(h->journal)) {
		h->journal->sick = true;
		return;
	}
	h->live = false;
	run_after(h);
}

/*
 * A whole file in place of a retired half's, in which no entry is live; the
 * directory is synced before the first one is.
 */
static enum mess_err
half_make(struct journal *j, struct half *h, uint64_t size)
{
	const char *name = journal_half_name[h - j->half];
	enum mess_err err;
	int fd;

	if (unlinkat(j->dir, "new", 0) == -1 && errno != ENOENT)
		return err_from_errno();
	if ((err = fs_make_filled(j->dir, "new", size, 0, &fd)) != MESS_OK)
		return err;
	if (renameat(j->dir, "new", j->dir, name) == -1) {
		err = err_from_errno();
		fd_close(&fd);
		return err;
	}
	fd_close(&h->fd);
	h->fd = fd;
	h->size = size;
	return fs_sync(j->dir);
}

/* A half that filled within a second was too small for what goes on. */
static uint64_t
wanted_size(const struct journal *j, const struct half *h, uint64_t now_ms)
{
	uint64_t size = h->size < j->half[j->active].size ? j->half[j->active].size : h->size;

	return now_ms - j->turned_ms < 1000 && size < SIZE_LAST ? 2 * size : size;
}

/*
 * The other half takes over; the one so far is checkpointed beside the
 * loop.  The new first line is not synced by itself: it goes down with the
 * first entry, and until then the half has nothing to say.
 */
static enum mess_err
turn(struct journal *j)
{
	struct half *old = &j->half[j->active], *h = &j->half[!j->active];
	uint64_t now_ms = monotonic_us() / 1000;

	work_wait(j->work, &h->checkpoint);
	if (journal_is_sick(j))
		return MESS_SICK;
	/* Without room on the disk the old size does too. */
	if (wanted_size(j, h, now_ms) > h->size &&
	    half_make(j, h, wanted_size(j, h, now_ms)) == MESS_IO)
		return MESS_SICK;
	arc4random_buf(j->key, sizeof j->key);
	if (journal_write_line(h->fd, j->key, j->number) == -1)
		return MESS_IO;
	j->active = !j->active;
	j->at = JOURNAL_LINE_BLOCK;
	j->turned_ms = now_ms;
	if (old->live)
		work_give(j->work, &old->checkpoint);
	else
		run_after(old);
	return MESS_OK;
}

enum mess_err
journal_checkpoint(struct journal *j)
{
	if (journal_is_sick(j))
		return MESS_SICK;
	/* The other half's entries are still live: its end brings the next call. */
	if (j->half[!j->active].checkpoint.pending)
		return MESS_OK;
	if (j->half[j->active].live)
		return turn(j);
	run_after(&j->half[j->active]);
	return MESS_OK;
}

void
journal_after(struct journal *j, struct journal_after *a)
{
	a->half = j->active;
	TAILQ_INSERT_TAIL(&j->half[a->half].after, a, link);
}

void
journal_cancel(struct journal *j, struct journal_after *a)
{
	TAILQ_REMOVE(&j->half[a->half].after, a, link);
}

bool
journal_has_after(const struct journal *j)
{
	return !TAILQ_EMPTY(&j->half[0].after) || !TAILQ_EMPTY(&j->half[1].after);
}

/* --- commit ------------------------------------------------------------- */

/* The half's list holds the file from before the write until its checkpoint. */
static enum mess_err
touch(struct half *h, struct journal_file *f, unsigned bit)
{
	if ((f->touched & bit) != 0)
		return MESS_OK;
	if (h->files_count == h->files_cap) {
		size_t cap = h->files_cap == 0 ? 16 : h->files_cap * 2;
		struct journal_file **files = reallocarray(h->files, cap, sizeof *files);

		if (files == NULL)
			return MESS_LIMIT;
		h->files = files;
		h->files_cap = cap;
	}
	h->files[h->files_count++] = journal_file_ref(f);
	f->touched |= bit;
	return MESS_OK;
}

static enum mess_err
touch_all(struct journal *j)
{
	enum mess_err err;

	for (size_t i = 0; i < j->files_count; i++)
		if ((err = touch(&j->half[j->active], j->files[i], 1u << j->active)) != MESS_OK)
			return err;
	return MESS_OK;
}

static enum mess_err
write_entry(struct journal *j)
{
	struct half *h = &j->half[j->active];

	journal_seal_entry(j->mem, j->used, j->key, j->number);
	if (fd_pwrite_all(h->fd, j->mem, j->used, (off_t)j->at) == -1 || fdatasync(h->fd) == -1)
		return MESS_SICK;
	h->live = true;
	j->at += journal_aligned(j->used);
	j->number++;
	return MESS_OK;
}

/* In the order of the items; the k-th file item is the k-th of j->files. */
static enum mess_err
make_puts(struct journal *j)
{
	const char *p = j->mem + JOURNAL_HEAD_LEN, *end = j->mem + j->used;
	size_t next = 0;

	while (p < end) {
		if (p[0] == JOURNAL_ITEM_FILE) {
			p += JOURNAL_FILE_LEN + (unsigned char)p[2] + (unsigned char)p[3];
			next++;
			continue;
		}
		if (fd_pwrite_all(j->files[next - 1]->fd, p + JOURNAL_PUT_LEN, le32_get(p + 4),
		    (off_t)le64_get(p + 8)) == -1)
			return MESS_SICK;
		p += JOURNAL_PUT_LEN + le32_get(p + 4);
	}
	return MESS_OK;
}

static void
forget_entry(struct journal *j)
{
	for (size_t i = 0; i < j->files_count; i++)
		journal_file_unref(j->files[i]);
	j->files_count = 0;
	if (j->used > j->high)
		j->high = j->used;
	/* A burst's memory goes back once commits are small again. */
	if (j->high > 2 * MEM_KEEP && j->used < MEM_KEEP / 4) {
		(void)madvise(j->mem + MEM_KEEP, MEM_LEN - MEM_KEEP, MADV_DONTNEED);
		j->high = 0;
	}
	entry_clear(j);
}

enum mess_err
journal_commit(struct journal *j)
{
	uint64_t began = monotonic_us();
	enum mess_err err = MESS_OK;

	if (journal_is_empty(j))
		return MESS_OK;
	if (journal_is_sick(j))
		err = MESS_SICK;
	else if (j->at + journal_aligned(j->used) > j->half[j->active].size)
		err = turn(j);
	if (err == MESS_OK)
		err = touch_all(j);
	if (err == MESS_OK && (err = write_entry(j)) == MESS_OK)
		err = make_puts(j);
	/*
	 * Whatever failed, what callers gathered cannot be told from what is
	 * durable any more: refuse all until a restart has recovered.
	 */
	if (err != MESS_OK)
		j->sick = true;
	else
		j->times[j->commits++ % TIMES] = (uint32_t)(monotonic_us() - began);
	forget_entry(j);
	return err;
}

void
journal_fail(struct journal *j)
{
	j->sick = true;
}

static int
by_time(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
journal_stat(const struct journal *j, struct journal_stat *out)
{
	size_t n = j->commits < TIMES ? (size_t)j->commits : TIMES;
	uint32_t sorted[TIMES];

	*out = (struct journal_stat){ .commits = j->commits };
	if (n == 0)
		return;
	memcpy(sorted, j->times, n * sizeof sorted[0]);
	qsort(sorted, n, sizeof sorted[0], by_time);
	out->p50_us = sorted[n / 2];
	out->p99_us = sorted[n * 99 / 100];
}

/* --- opening and closing ------------------------------------------------ */

static enum mess_err
half_open(struct journal *j, struct half *h)
{
	const char *name = journal_half_name[h - j->half];
	struct stat st;
	enum mess_err err;

	if (faccessat(j->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (err = fs_open_file(j->dir, name, O_RDWR, &h->fd)) != MESS_OK)
		return err;
	if (h->fd != -1 && fstat(h->fd, &st) == -1)
		return err_from_errno();
	/* Recovery has retired it: one that is missing or too short is made anew. */
	if (h->fd == -1 || (uint64_t)st.st_size < SIZE_FIRST)
		return half_make(j, h, SIZE_FIRST);
	h->size = (uint64_t)st.st_size;
	return MESS_OK;
}

static void
journal_free(struct journal *j)
{
	for (int i = 0; i < 2; i++) {
		/* Of a half whose entries are still live, because the spool is sick. */
		for (size_t k = 0; k < j->half[i].files_count; k++)
			journal_file_unref(j->half[i].files[k]);
		fd_close(&j->half[i].fd);
		free(j->half[i].files);
	}
	fd_close(&j->dir);
	if (j->mem != NULL)
		(void)munmap(j->mem, MEM_LEN); /* mapped by us */
	free(j->files);
	free(j);
}

static enum mess_err
journal_setup(struct journal *j, int spool)
{
	enum mess_err err;

	j->mem = mmap(NULL, MEM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (j->mem == MAP_FAILED) {
		j->mem = NULL;
		return MESS_LIMIT;
	}
	if ((err = journal_open_dir(spool, &j->dir)) != MESS_OK)
		return err;
	for (int i = 0; i < 2; i++) {
		struct half *h = &j->half[i];

		if ((err = half_open(j, h)) != MESS_OK)
			return err;
		h->journal = j;
		TAILQ_INIT(&h->after);
		h->checkpoint = (struct work_job){ .run = checkpoint_run,
			.done = checkpoint_done, .arg = h };
	}
	if ((err = fs_sync(j->dir)) != MESS_OK || (err = fs_sync(spool)) != MESS_OK)
		return err;
	entry_clear(j);
	j->number = 1;
	arc4random_buf(j->key, sizeof j->key);
	j->at = JOURNAL_LINE_BLOCK;
	j->turned_ms = monotonic_us() / 1000;
	return journal_write_line(j->half[0].fd, j->key, j->number) == 0 ? MESS_OK : MESS_IO;
}

enum mess_err
journal_open(int spool, struct work *work, struct journal **out)
{
	struct journal *j = calloc(1, sizeof *j);
	enum mess_err err;

	if (j == NULL)
		return MESS_LIMIT;
	j->dir = j->half[0].fd = j->half[1].fd = -1;
	j->work = work;
	if ((err = journal_setup(j, spool)) != MESS_OK) {
		journal_free(j);
		return err;
	}
	*out = j;
	return MESS_OK;
}

void
journal_drain(struct journal *j)
{
	for (int i = 0; i < 2; i++) {
		struct half *h = &j->half[j->active ^ (i == 0)];

		work_wait(j->work, &h->checkpoint);
		if (!journal_is_sick(j) && h->live) {
			work_give(j->work, &h->checkpoint);
			work_wait(j->work, &h->checkpoint);
		}
		if (!journal_is_sick(j))
			run_after(h);
	}
	/* The active half's line is retired: what comes after goes to the other, under a new key. */
	j->at = j->half[j->active].size;
}

void
journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	forget_entry(j);
	journal_drain(j);
	journal_free(j);
}
