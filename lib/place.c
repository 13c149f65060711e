/* SPDX-License-Identifier: ISC */
/*
 * A place as bytes: a head of 128, then 32 for each settled range above
 * the floor.
 */
#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"

#define MAGIC "messsb1\n"
#define HEAD_LEN 128
#define SUM_AT 120
#define RANGE_LEN 32
#define RANGE_SETTLED 1
_Static_assert(HEAD_LEN + PLACE_RANGES_MAX * RANGE_LEN <= PLACE_SIZE, "ranges must fit");

void
place_free(struct place *p)
{
	ranges_free(&p->settled);
}

size_t
place_len(const struct place *p)
{
	return HEAD_LEN + p->settled.count * RANGE_LEN;
}

static uint64_t
sum(const char *p, size_t count)
{
	return XXH3_64bits_withSeed(p + HEAD_LEN, count * RANGE_LEN, XXH3_64bits(p, SUM_AT));
}

void
place_write(const struct place *p, char *out)
{
	char *at = out + HEAD_LEN;

	memset(out, 0, place_len(p));
	memcpy(out, MAGIC, 8);
	le64_put(out + 8, p->id);
	le32_put(out + 16, (uint32_t)p->settled.count);
	le32_put(out + 20, p->owner);
	le64_put(out + 24, p->floor);
	le64_put(out + 32, p->acked);
	le64_put(out + 40, p->redelivered);
	le64_put(out + 48, p->damaged);
	for (size_t i = 0; i < p->settled.count; i++, at += RANGE_LEN) {
		le64_put(at, p->settled.r[i].lo);
		le64_put(at + 8, p->settled.r[i].hi);
		le32_put(at + 16, RANGE_SETTLED);
	}
	le64_put(out + SUM_AT, sum(out, p->settled.count));
}

static enum mess_err
parse(const char *in, struct place *out)
{
	size_t count = le32_get(in + 16);
	const char *at = in + HEAD_LEN;
	enum mess_err err;

	if (memcmp(in, MAGIC, 8) != 0 || count > PLACE_RANGES_MAX ||
	    le64_get(in + SUM_AT) != sum(in, count))
		return MESS_CORRUPT;
	out->id = le64_get(in + 8);
	out->owner = le32_get(in + 20);
	out->floor = le64_get(in + 24);
	out->acked = le64_get(in + 32);
	out->redelivered = le64_get(in + 40);
	out->damaged = le64_get(in + 48);
	for (size_t i = 0; i < count; i++, at += RANGE_LEN)
		if ((err = ranges_add(&out->settled, le64_get(at), le64_get(at + 8))) != MESS_OK)
			return err;
	return MESS_OK;
}

enum mess_err
place_read(int fd, struct place *out)
{
	AUTO_FREE char *mem = malloc(PLACE_SIZE);
	struct place p = { 0 };
	enum mess_err err;

	if (mem == NULL)
		return MESS_LIMIT;
	if (fd_pread_full(fd, mem, PLACE_SIZE, 0) != (ssize_t)PLACE_SIZE)
		return MESS_CORRUPT;
	if ((err = parse(mem, &p)) != MESS_OK) {
		place_free(&p);
		return err;
	}
	*out = p;
	return MESS_OK;
}

bool
place_is(int fd, uint64_t id)
{
	char p[16];

	return fd_pread_full(fd, p, sizeof p, 0) == sizeof p && memcmp(p, MAGIC, 8) == 0 &&
	    le64_get(p + 8) == id;
}

enum mess_err
place_open_file(int topic_dir, const char *sub, int *out)
{
	char path[NAME_LABEL_MAX + 8];
	enum mess_err err;

	if ((err = name_check_sub(sub, NULL)) != MESS_OK)
		return err;
	(void)snprintf(path, sizeof path, "sub/%s", sub); /* fits by the name's limit */
	err = fs_open_file(topic_dir, path, O_RDWR, out);
	return err == MESS_SYSTEM && errno == ENOENT ? MESS_NOSUB : err;
}

/* Whole before it has its name: a crash leaves all of it or nothing. */
enum mess_err
place_make(int topic_dir, const char *sub, const struct place *p)
{
	AUTO_FREE char *block = malloc(place_len(p));
	AUTO_FD int dir = -1, fd = -1;
	char tmp[NAME_LABEL_MAX + 8];
	enum mess_err err;

	if (block == NULL)
		return MESS_LIMIT;
	place_write(p, block);
	(void)snprintf(tmp, sizeof tmp, ".%s.new", sub); /* fits by the name's limit */
	if ((err = fs_open_dir(topic_dir, "sub", &dir)) != MESS_OK ||
	    (err = fs_remove_tree(dir, tmp)) != MESS_OK ||
	    (err = fs_make_filled(dir, tmp, PLACE_SIZE, 0, &fd)) != MESS_OK)
		return err;
	if (fd_pwrite_all(fd, block, place_len(p), 0) == -1)
		return err_from_errno();
	if ((err = fs_sync(fd)) != MESS_OK || (err = fs_move(dir, tmp, dir, sub)) != MESS_OK)
		return err;
	return fs_sync(dir);
}
