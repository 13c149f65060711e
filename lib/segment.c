/* SPDX-License-Identifier: ISC */
/*
 * Segments: files of records that are made whole before they are used.
 *
 * A log that grows loses acknowledged records on a file system without a
 * journal, however well it syncs: the extent reaches the disk and the inode
 * does not.  One that is overwritten in place needs no metadata at all.
 */
#include "segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"

#define INDEX_SUFFIX ".idx"
#define PLACES_MAX (SEGMENT_MAX / SEGMENT_BLOCK)

void
segment_name(uint64_t first, const char *suffix, char *name)
{
	(void)snprintf(name, SEGMENT_NAME_LEN + 8, "%0*llu%s", SEGMENT_NAME_LEN,
	    (unsigned long long)first, suffix); /* suffixes are ours, at most 7 bytes */
}

bool
segment_parse_name(const char *name, uint64_t *first, const char **suffix)
{
	uint64_t n = 0;

	for (int i = 0; i < SEGMENT_NAME_LEN; i++) {
		if (name[i] < '0' || name[i] > '9' ||
		    __builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(name[i] - '0'), &n))
			return false;
	}
	*first = n;
	*suffix = name + SEGMENT_NAME_LEN;
	return true;
}

static uint64_t
index_size(uint64_t size)
{
	return (size + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK * SEGMENT_PLACE_LEN;
}

static char *
index_name(const char *name)
{
	char *s;

	return asprintf(&s, "%s" INDEX_SUFFIX, name) == -1 ? NULL : s;
}

enum mess_err
segment_make(int cur, const char *name, uint64_t size)
{
	AUTO_FREE char *index = index_name(name);
	AUTO_FD int fd = -1, index_fd = -1;
	enum mess_err err;

	if (index == NULL)
		return MESS_LIMIT;
	if (size > SEGMENT_BLOCK &&
	    (err = fs_make_filled(cur, index, index_size(size), 0, &index_fd)) != MESS_OK)
		return err;
	return fs_make_filled(cur, name, size, '\n', &fd);
}

enum mess_err
segment_adopt(int cur, const char *name, uint64_t first, bool replace)
{
	char to[SEGMENT_NAME_LEN + 8];
	AUTO_FREE char *index = index_name(name);
	enum mess_err err;

	if (index == NULL)
		return MESS_LIMIT;
	segment_name(first, INDEX_SUFFIX, to);
	/* The index first: a segment is what recovery and readers look for. */
	if (renameat(cur, index, cur, to) == -1 && errno != ENOENT)
		return err_from_errno();
	segment_name(first, "", to);
	if (!replace && (err = fs_move(cur, name, cur, to)) != MESS_OK)
		return err;
	if (replace && renameat(cur, name, cur, to) == -1)
		return err_from_errno();
	return fs_sync(cur);
}

enum mess_err
segment_remove(int cur, const char *name)
{
	AUTO_FREE char *index = index_name(name);

	if (index == NULL)
		return MESS_LIMIT;
	if ((unlinkat(cur, name, 0) == -1 && errno != ENOENT) ||
	    (unlinkat(cur, index, 0) == -1 && errno != ENOENT))
		return err_from_errno();
	return MESS_OK;
}

static enum mess_err
open_one(int cur, const char *name, const struct journal_name *as, struct journal_file **out)
{
	enum mess_err err;
	int fd;

	if ((err = fs_open_file(cur, name, O_RDWR, &fd)) != MESS_OK)
		return err;
	return (*out = journal_file_new(fd, as)) == NULL ? MESS_LIMIT : MESS_OK;
}

static enum mess_err
open_both(struct segment *s, int cur, struct journal_name *as)
{
	char name[SEGMENT_NAME_LEN + 8];
	enum mess_err err;
	struct stat st;

	segment_name(s->first, "", name);
	as->kind = JOURNAL_SEGMENT;
	as->first = s->first;
	if ((err = open_one(cur, name, as, &s->file)) != MESS_OK)
		return err;
	if (fstat(s->file->fd, &st) == -1)
		return err_from_errno();
	s->size = (uint64_t)st.st_size;
	if (s->size < SEGMENT_MIN || s->size > SEGMENT_MAX)
		return MESS_CORRUPT;
	if (s->size == SEGMENT_BLOCK)
		return MESS_OK;
	segment_name(s->first, INDEX_SUFFIX, name);
	as->kind = JOURNAL_INDEX;
	return open_one(cur, name, as, &s->index);
}

enum mess_err
segment_open(int cur, const struct journal_name *name, uint64_t first, struct segment **out)
{
	struct segment *s = calloc(1, sizeof *s);
	struct journal_name as = *name;
	enum mess_err err;

	if (s == NULL)
		return MESS_LIMIT;
	*s = (struct segment){ .refs = 1, .first = first };
	if ((err = open_both(s, cur, &as)) != MESS_OK) {
		segment_unref(s);
		return err;
	}
	*out = s;
	return MESS_OK;
}

struct segment *
segment_ref(struct segment *s)
{
	s->refs++;
	return s;
}

void
segment_unref(struct segment *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	journal_file_unref(s->file);
	journal_file_unref(s->index);
	free(s);
}

size_t
segment_write_head(const struct segment *s, char *out)
{
	char hex[2 * JOURNAL_ID_LEN + 1];

	for (int i = 0; i < JOURNAL_ID_LEN; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", s->file->name.id[i]); /* two digits always */
	return (size_t)snprintf(out, SEGMENT_HEAD_MAX, "messseg1 %s %llu %llu\n", hex,
	    (unsigned long long)s->first, (unsigned long long)s->size);
}

enum mess_err
segment_check_head(const struct segment *s, size_t *len)
{
	char want[SEGMENT_HEAD_MAX], have[SEGMENT_HEAD_MAX];
	size_t n = segment_write_head(s, want);

	if (fd_pread_full(s->file->fd, have, n, 0) != (ssize_t)n)
		return MESS_IO;
	if (memcmp(want, have, n) != 0)
		return MESS_CORRUPT;
	*len = n;
	return MESS_OK;
}

void
segment_write_place(const struct segment *s, uint64_t seq, uint64_t off, char *out)
{
	le64_put(out, seq);
	le64_put(out + 8, off);
	le64_put(out + 16, XXH3_64bits_withSeed(out, 16, s->first));
}

/* A place that was never written is zero; one that does not check is passed over like it. */
static bool
read_place(const struct segment *s, const char *p, struct segment_place *out)
{
	*out = (struct segment_place){ .seq = le64_get(p), .off = le64_get(p + 8) };
	return out->seq != 0 && out->off < s->size &&
	    le64_get(p + 16) == XXH3_64bits_withSeed(p, 16, s->first);
}

enum mess_err
segment_find(const struct segment *s, uint64_t seq, struct segment_place *at,
    struct segment_place *next)
{
	char places[PLACES_MAX * SEGMENT_PLACE_LEN];
	struct segment_place place;
	enum mess_err err;
	size_t head;
	ssize_t n;

	if ((err = segment_check_head(s, &head)) != MESS_OK)
		return err;
	*at = (struct segment_place){ .seq = s->first, .off = head };
	*next = (struct segment_place){ 0 };
	if (s->index == NULL)
		return MESS_OK;
	if ((n = fd_pread_full(s->index->fd, places, sizeof places, 0)) == -1)
		return MESS_IO;
	for (ssize_t i = 0; i + SEGMENT_PLACE_LEN <= n; i += SEGMENT_PLACE_LEN) {
		if (!read_place(s, places + i, &place))
			continue;
		if (place.seq > seq) {
			*next = place;
			break;
		}
		*at = place;
	}
	return MESS_OK;
}
