/* SPDX-License-Identifier: ISC */
/*
 * Message Storage: recovery, and the one commit that all topics share.
 */
#include "store.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/fs.h"
#include "segment.h"

#define COPY_MAX ((uint64_t)16 * 1024 * 1024)

struct store {
	int dir;
	struct work *work;
	struct journal *journal;
	struct store_report report;
	TAILQ_HEAD(, store_part) parts;
	size_t reserved;	/* bytes that the joined parts may put */
};

void
store_say(const struct store *s, const char *fmt, ...)
{
	AUTO_FREE char *line = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n == -1)
		line = NULL;
	else if (s->report.fn != NULL)
		s->report.fn(s->report.arg, line);
}

void
store_hex(const unsigned char *id, char *hex)
{
	for (int i = 0; i < JOURNAL_ID_LEN; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", id[i]); /* two digits always */
}

enum mess_err
store_unhex(const char *hex, unsigned char *id)
{
	if (strspn(hex, "0123456789abcdef") < 2 * JOURNAL_ID_LEN)
		return MESS_CORRUPT;
	for (int i = 0; i < JOURNAL_ID_LEN; i++)
		(void)sscanf(hex + 2 * i, "%2hhx", &id[i]); /* digits, checked above */
	return MESS_OK;
}

/* --- open and close ----------------------------------------------------- */

static enum mess_err
recover(struct store *s, const struct journal_target *find)
{
	struct journal_recovered done;
	enum mess_err err;

	if ((err = journal_recover(s->dir, find, &done)) != MESS_OK)
		return err;
	if (done.damaged > 0)
		store_say(s, "journal: %llu entries or changes are damaged and could not be recovered",
		    (unsigned long long)done.damaged);
	return MESS_OK;
}

static enum mess_err
store_setup(struct store *s, const struct journal_target *find)
{
	enum mess_err err;

	if ((err = fs_make_dir(s->dir, ".trash")) != MESS_OK ||
	    (err = fs_make_dir(s->dir, ".tomb")) != MESS_OK ||
	    (err = fs_make_dir(s->dir, ".quarantine")) != MESS_OK ||
	    (err = recover(s, find)) != MESS_OK)
		return err;
	return journal_open(s->dir, s->work, &s->journal);
}

enum mess_err
store_open(int spool, struct work *work, const struct store_report *report,
    const struct journal_target *find, struct store **out)
{
	struct store *s = calloc(1, sizeof *s);
	enum mess_err err;

	if (s == NULL)
		return MESS_LIMIT;
	*s = (struct store){ .dir = spool, .work = work, .report = *report };
	TAILQ_INIT(&s->parts);
	if ((err = store_setup(s, find)) != MESS_OK) {
		store_close(s);
		return err;
	}
	*out = s;
	return MESS_OK;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	journal_close(s->journal);
	free(s);
}

struct journal *
store_journal(const struct store *s)
{
	return s->journal;
}

struct work *
store_work(const struct store *s)
{
	return s->work;
}

int
store_dir(const struct store *s)
{
	return s->dir;
}

/* --- commit ------------------------------------------------------------- */

void
store_join(struct store *s, struct store_part *p)
{
	if (p->joined)
		return;
	p->joined = true;
	s->reserved += p->most;
	TAILQ_INSERT_TAIL(&s->parts, p, link);
}

void
store_widen(struct store *s, struct store_part *p, size_t n)
{
	p->most += n;
	s->reserved += n;
}

void
store_leave(struct store *s, struct store_part *p)
{
	if (!p->joined)
		return;
	p->joined = false;
	s->reserved -= p->most;
	TAILQ_REMOVE(&s->parts, p, link);
}

enum mess_err
store_room(struct store *s, size_t n)
{
	enum mess_err err;

	if (journal_room(s->journal) >= n + s->reserved)
		return MESS_OK;
	if ((err = store_commit(s)) != MESS_OK)
		return err;
	return journal_room(s->journal) >= n ? MESS_OK : MESS_TOOBIG;
}

static enum mess_err
put_parts(struct store *s)
{
	struct store_part *p;
	enum mess_err err;

	TAILQ_FOREACH(p, &s->parts, link)
		if ((err = p->put(p->arg)) != MESS_OK)
			return err;
	return MESS_OK;
}

enum mess_err
store_commit(struct store *s)
{
	enum mess_err err = put_parts(s), committed;
	struct store_part *p;

	/*
	 * Without its parts an entry would be half of a change: it must not
	 * go down, and what was gathered is lost to all who wait for it.
	 */
	if (err != MESS_OK)
		journal_fail(s->journal);
	committed = journal_commit(s->journal);
	if (committed != MESS_OK)
		err = MESS_SICK;
	while ((p = TAILQ_FIRST(&s->parts)) != NULL) {
		store_leave(s, p);
		p->done(p->arg, err == MESS_OK);
	}
	return err;
}

bool
store_is_sick(const struct store *s)
{
	return journal_is_sick(s->journal);
}

bool
store_is_clean(const struct store *s)
{
	return TAILQ_EMPTY(&s->parts) && journal_is_empty(s->journal);
}

/* --- damage ------------------------------------------------------------- */

static enum mess_err
copy_bytes(int from, uint64_t off, uint64_t len, int to)
{
	AUTO_BUF struct buf b = BUF_INIT(SEGMENT_BLOCK);
	enum mess_err err = buf_reserve(&b, SEGMENT_BLOCK);

	for (uint64_t at = 0; err == MESS_OK && at < len && at < COPY_MAX;) {
		size_t want = len - at < SEGMENT_BLOCK ? (size_t)(len - at) : SEGMENT_BLOCK;
		ssize_t n = fd_pread_full(from, buf_end(&b), want, (off_t)(off + at));

		if (n <= 0)
			break;
		if (fd_write_all(to, buf_end(&b), (size_t)n) == -1)
			err = err_from_errno();
		at += (uint64_t)n;
	}
	return err;
}

bool
store_quarantine(struct store *s, const char *name, int fd, uint64_t off, uint64_t len)
{
	AUTO_FREE char *path = NULL;
	AUTO_FD int to = -1;

	if (asprintf(&path, ".quarantine/%s", name) == -1) {
		path = NULL;
		return false;
	}
	/* EEXIST: another reader met the same damage before, and said so. */
	if ((to = fs_open(s->dir, path, O_WRONLY | O_CREAT | O_EXCL, 0600)) == -1 && errno == EEXIST)
		return false;
	store_say(s, "%s: damaged; set aside in .quarantine", name);
	if (to == -1 || copy_bytes(fd, off, len, to) != MESS_OK)
		store_say(s, "%s: could not be copied to .quarantine", name);
	return true;
}
