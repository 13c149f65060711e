/* SPDX-License-Identifier: ISC */
/*
 * The journal's recovery: one rule instead of one for every kind of file.
 *
 * Every live entry's bytes are written once more, whether or not they look
 * in place, and synced, before either half is retired: retiring first would
 * leave them to a page cache that a second power cut takes.
 */
#include "journal_entry.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"

struct recovery {
	const struct journal_target *target;
	struct journal_recovered *result;
	struct journal_name name;	/* of the file open in fd */
	int fd;
};

/* Bytes must not only be in the page cache when the journal forgets them. */
static enum mess_err
target_close(struct recovery *r)
{
	int rc = r->fd == -1 ? 0 : fdatasync(r->fd);

	fd_close(&r->fd);
	return rc == 0 ? MESS_OK : MESS_IO;
}

static enum mess_err
target_open(struct recovery *r, const struct journal_name *name)
{
	enum mess_err err;

	if (r->fd != -1 && memcmp(&r->name, name, sizeof *name) == 0)
		return MESS_OK;
	if ((err = target_close(r)) != MESS_OK)
		return err;
	if ((err = r->target->open(r->target->arg, name, &r->fd)) == MESS_OK)
		r->name = *name;
	else
		r->fd = -1;
	return err;
}

static enum mess_err
rewrite_put(struct recovery *r, const struct journal_name *name, const struct journal_piece *put)
{
	enum mess_err err = target_open(r, name);

	/* Deleted since is nothing to report; missing is damage. */
	if (err == MESS_NOTOPIC || err == MESS_CORRUPT) {
		r->result->damaged += err == MESS_CORRUPT;
		return MESS_OK;
	}
	/* Anything else may pass: retiring the journal now would make it a loss. */
	if (err != MESS_OK)
		return err;
	return fd_pwrite_all(r->fd, put->data, put->len, (off_t)put->off) == 0 ? MESS_OK :
	    err_from_errno();
}

static enum mess_err
rewrite_entry(struct recovery *r, const char *entry, size_t len)
{
	struct journal_walk w = { .p = entry + JOURNAL_HEAD_LEN, .left = len - JOURNAL_HEAD_LEN };
	enum mess_err err;
	struct journal_piece put;

	while (journal_walk(&w, &put))
		if ((err = rewrite_put(r, &w.name, &put)) != MESS_OK)
			return err;
	r->result->damaged += w.left != 0;
	r->result->entries++;
	return MESS_OK;
}

struct mapped {
	char *p;
	size_t len;
	unsigned char key[JOURNAL_ID_LEN];
	uint64_t first;
	bool live;
};

/*
 * A later entry of the same half, after one that does not check: then the
 * bad one had been answered, and what follows it must not be cut off.
 */
static size_t
find_later(const struct mapped *m, size_t at, uint64_t *number)
{
	for (at += 8; at + JOURNAL_HEAD_LEN <= m->len; at += 8) {
		uint64_t n = le64_get(m->p + at + 16);

		if (memcmp(m->p + at, m->key, JOURNAL_ID_LEN) == 0 && n > *number &&
		    journal_check_entry(m->p + at, m->len - at, m->key, n) != 0) {
			*number = n;
			return at;
		}
	}
	return 0;
}

/* *next is the number that the next entry must have; 0: any. */
static enum mess_err
recover_half(struct recovery *r, const struct mapped *m, uint64_t *next)
{
	uint64_t number = m->first;
	size_t at = JOURNAL_LINE_BLOCK, len;
	enum mess_err err;

	if (*next != 0 && number > *next)
		r->result->damaged += number - *next;
	for (;;) {
		if ((len = journal_check_entry(m->p + at, m->len - at, m->key, number)) == 0) {
			uint64_t bad = number;

			if ((at = find_later(m, at, &number)) == 0)
				break;
			r->result->damaged += number - bad;
			continue;
		}
		if ((err = rewrite_entry(r, m->p + at, len)) != MESS_OK)
			return err;
		at += journal_aligned(len);
		number++;
		if (at + JOURNAL_HEAD_LEN > m->len)
			break;
	}
	*next = number;
	return MESS_OK;
}

static enum mess_err
map_half(int dir, const char *name, struct mapped *out, int *out_fd)
{
	AUTO_FD int fd = -1;
	struct stat st;
	enum mess_err err;

	*out = (struct mapped){ 0 };
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT)
		return MESS_OK;
	if ((err = fs_open_file(dir, name, O_RDWR, &fd)) != MESS_OK)
		return err;
	if (fstat(fd, &st) == -1)
		return err_from_errno();
	err = journal_read_line(fd, out->key, &out->first);
	/* A first line that cannot be read is not one that says nothing: retired, its entries would be lost. */
	if (err != MESS_OK && err != MESS_CORRUPT)
		return err;
	if (err != MESS_OK || st.st_size < JOURNAL_LINE_BLOCK + JOURNAL_HEAD_LEN) {
		*out_fd = TAKE(fd, -1);
		return MESS_OK;
	}
	out->len = (size_t)st.st_size;
	/* Private memory, not a mapping of the file: a bad sector is an error, not a SIGBUS. */
	if ((out->p = malloc(out->len)) == NULL)
		return MESS_LIMIT;
	if (fd_pread_full(fd, out->p, out->len, 0) != (ssize_t)out->len) {
		free(TAKE(out->p, NULL));
		return MESS_IO;
	}
	out->live = true;
	*out_fd = TAKE(fd, -1);
	return MESS_OK;
}

static enum mess_err
recover_both(struct recovery *r, struct mapped *m)
{
	unsigned first = m[0].live && m[1].live && m[1].first < m[0].first;
	uint64_t next = 0;
	enum mess_err err = MESS_OK;

	for (unsigned i = 0; i < 2 && err == MESS_OK; i++)
		if (m[first ^ i].live)
			err = recover_half(r, &m[first ^ i], &next);
	if (err == MESS_OK)
		return target_close(r);
	(void)target_close(r); /* err is reported */
	return err;
}

enum mess_err
journal_recover(int spool, const struct journal_target *target, struct journal_recovered *out)
{
	struct recovery r = { .target = target, .result = out, .fd = -1 };
	struct mapped m[2] = { 0 };
	AUTO_FD int dir = -1, fd_a = -1, fd_b = -1;
	enum mess_err err;

	*out = (struct journal_recovered){ 0 };
	if ((err = journal_open_dir(spool, &dir)) != MESS_OK)
		return err;
	if ((err = map_half(dir, journal_half_name[0], &m[0], &fd_a)) == MESS_OK &&
	    (err = map_half(dir, journal_half_name[1], &m[1], &fd_b)) == MESS_OK &&
	    (err = recover_both(&r, m)) == MESS_OK &&
	    (err = journal_retire(fd_a)) == MESS_OK)
		err = journal_retire(fd_b);
	free(m[0].p);
	free(m[1].p);
	return err;
}
