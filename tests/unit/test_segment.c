/* SPDX-License-Identifier: ISC */
/*
 * Segments: whole before their first record, found by number.
 */
#include "segment.h"

#include "spool.h"

static const struct journal_name topic = { .id = { 0xab, 1 }, .topic = "orders" };

/* A segment of that size with its first line, named after first. */
static struct segment *
make(const struct spool *s, uint64_t first, uint64_t size)
{
	char head[SEGMENT_HEAD_MAX];
	struct segment *seg = NULL;

	CHECK(segment_make(s->dir, ".ready", size) == MESS_OK);
	CHECK(segment_adopt(s->dir, ".ready", first, false) == MESS_OK);
	if (!CHECK(segment_open(s->dir, &topic, first, &seg) == MESS_OK))
		abort();
	CHECK(fd_pwrite_all(seg->file->fd, head, segment_write_head(seg, head), 0) == 0);
	return seg;
}

static void
file_size(const struct spool *s, const char *name, off_t size)
{
	int fd = openat(s->dir, name, O_WRONLY | O_CLOEXEC);

	CHECK(ftruncate(fd, size) == 0);
	fd_close(&fd);
}

TEST("segment: a name has its number in 20 digits, and reads back")
{
	static const uint64_t numbers[] = { 0, 1, 917, 1000000, UINT64_MAX };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		char name[SEGMENT_NAME_LEN + 8];
		const char *suffix;
		uint64_t n = 99;

		segment_name(numbers[i], ".body", name);
		CHECK(strlen(name) == SEGMENT_NAME_LEN + 5);
		CHECK(segment_parse_name(name, &n, &suffix) && n == numbers[i] && strcmp(suffix, ".body") == 0);
	}
}

TEST("segment: other names are none")
{
	static const char *const names[] = { "", "1", "0000000000000000001", "0000000000000000000x",
		" 0000000000000000001", "-0000000000000000001", "18446744073709551616", "99999999999999999999",
		".ready", "x0000000000000000001" };
	const char *suffix;
	uint64_t n;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *copy = test_copy(names[i], strlen(names[i]) + 1);

		CHECK(!segment_parse_name(copy, &n, &suffix));
		free(copy);
	}
	CHECK(segment_parse_name("18446744073709551615", &n, &suffix) && *suffix == '\0');
}

TEST("segment: it is made whole, with an index from its second block on")
{
	static const uint64_t sizes[] = { SEGMENT_MIN, SEGMENT_MIN + 1, 4 * SEGMENT_MIN };
	struct segment *seg;
	struct spool s;

	spool_begin(&s);
	for (size_t i = 0; i < 3; i++) {
		seg = make(&s, 100 + i, sizes[i]);
		CHECK(seg->size == sizes[i] && seg->first == 100 + i);
		CHECK((seg->index != NULL) == (sizes[i] > SEGMENT_BLOCK));
		CHECK(seg->file->name.kind == JOURNAL_SEGMENT && seg->file->name.first == 100 + i);
		CHECK(seg->index == NULL || seg->index->name.kind == JOURNAL_INDEX);
		segment_unref(seg);
	}
	CHECK(!file_exists(s.dir, ".ready") && !file_exists(s.dir, ".ready.idx"));
	CHECK(dir_count(s.dir, ".") == 5);
	spool_end(&s);
}

TEST("segment: one that has the name is not replaced")
{
	struct segment *seg;
	struct spool s;

	spool_begin(&s);
	seg = make(&s, 1, SEGMENT_MIN);
	segment_unref(seg);
	CHECK(segment_make(s.dir, ".ready", SEGMENT_MIN) == MESS_OK);

	CHECK(segment_make(s.dir, ".ready", SEGMENT_MIN) == MESS_EXISTS);
	CHECK(segment_adopt(s.dir, ".ready", 1, false) == MESS_EXISTS);
	spool_end(&s);
}

TEST("segment: sizes that none has are damage, one that is not there is an error")
{
	char name[SEGMENT_NAME_LEN + 8];
	struct segment *seg = NULL;
	struct spool s;

	spool_begin(&s);
	segment_name(1, "", name);
	CHECK(segment_open(s.dir, &topic, 1, &seg) == MESS_SYSTEM);
	file_text(s.dir, name, "short");
	CHECK(segment_open(s.dir, &topic, 1, &seg) == MESS_CORRUPT);
	for (int i = -1; i <= 1; i++) {
		file_size(&s, name, (off_t)SEGMENT_MIN + i);
		/* At one byte more there has to be an index. */
		CHECK(segment_open(s.dir, &topic, 1, &seg) == (i == 0 ? MESS_OK : i < 0 ? MESS_CORRUPT :
		    MESS_SYSTEM));
		if (i == 0)
			segment_unref(seg);
	}
	spool_end(&s);
}

TEST("segment: removed, it and its index are gone, and gone is removed")
{
	char name[SEGMENT_NAME_LEN + 8];
	struct segment *seg;
	struct spool s;

	spool_begin(&s);
	seg = make(&s, 5, 2 * SEGMENT_MIN);
	segment_name(5, "", name);

	CHECK(segment_remove(s.dir, name) == MESS_OK && segment_remove(s.dir, name) == MESS_OK);

	CHECK(dir_count(s.dir, ".") == 0);
	segment_unref(segment_ref(seg));
	segment_unref(seg);
	spool_end(&s);
}

TEST("segment: its first line says whose it is, and any byte changed says that it is not")
{
	struct segment *seg;
	char name[SEGMENT_NAME_LEN + 8];
	size_t len, n;
	struct spool s;

	spool_begin(&s);
	seg = make(&s, 917, SEGMENT_MIN);
	segment_name(917, "", name);
	CHECK(segment_check_head(seg, &len) == MESS_OK && len <= SEGMENT_HEAD_MAX);

	for (size_t i = 0; i < len; i++) {
		unsigned char mask = (unsigned char)(1 + test_random() % 255);

		file_flip(s.dir, name, (off_t)i, mask);
		CHECK(segment_check_head(seg, &n) == MESS_CORRUPT);
		file_flip(s.dir, name, (off_t)i, mask);
	}
	CHECK(segment_check_head(seg, &len) == MESS_OK);
	segment_unref(seg);
	spool_end(&s);
}

TEST("segment: the longest first line fits")
{
	struct journal_name name = topic;
	struct journal_file file = { .name = name };
	struct segment seg = { .first = UINT64_MAX, .size = SEGMENT_MAX, .file = &file };
	char head[SEGMENT_HEAD_MAX];
	size_t len = segment_write_head(&seg, head);

	CHECK(len < SEGMENT_HEAD_MAX && head[len - 1] == '\n');
}

/* --- places ---------------------------------------------------------------- */

/* Places every 10 numbers, one a block, as far as blocks go; block 0 has none. */
static void
write_places(const struct segment *seg, unsigned blocks)
{
	char place[SEGMENT_PLACE_LEN];

	for (unsigned i = 1; i < blocks; i++) {
		segment_write_place(seg, seg->first + 10 * i, i * SEGMENT_BLOCK + i, place);
		CHECK(fd_pwrite_all(seg->index->fd, place, sizeof place, i * SEGMENT_PLACE_LEN) == 0);
	}
}

TEST("segment: a number is found from the last place at or below it")
{
	struct segment_place at, next;
	struct segment *seg;
	struct spool s;
	size_t head;

	spool_begin(&s);
	seg = make(&s, 1000, 8 * SEGMENT_BLOCK);
	write_places(seg, 5);
	CHECK(segment_check_head(seg, &head) == MESS_OK);

	for (uint64_t n = 1000; n < 1100; n++) {
		uint64_t block = (n - 1000) / 10 < 4 ? (n - 1000) / 10 : 4;

		CHECK(segment_find(seg, n, &at, &next) == MESS_OK);
		CHECK(at.seq == 1000 + 10 * block);
		CHECK(at.off == (block == 0 ? head : block * SEGMENT_BLOCK + block));
		CHECK(next.seq == (block == 4 ? 0 : 1000 + 10 * (block + 1)));
		CHECK(block == 4 || next.off == (block + 1) * SEGMENT_BLOCK + block + 1);
	}
	segment_unref(seg);
	spool_end(&s);
}

TEST("segment: a place with any byte changed is passed over, never believed")
{
	struct segment_place at, next;
	char name[SEGMENT_NAME_LEN + 8];
	struct segment *seg;
	struct spool s;

	spool_begin(&s);
	seg = make(&s, 1000, 8 * SEGMENT_BLOCK);
	write_places(seg, 5);
	segment_name(1000, ".idx", name);

	for (off_t i = 0; i < SEGMENT_PLACE_LEN; i++) {
		unsigned char mask = (unsigned char)(1 + test_random() % 255);

		file_flip(s.dir, name, 2 * SEGMENT_PLACE_LEN + i, mask);
		CHECK(segment_find(seg, 1025, &at, &next) == MESS_OK);
		CHECK(at.seq == 1010 && next.seq == 1030);
		file_flip(s.dir, name, 2 * SEGMENT_PLACE_LEN + i, mask);
	}
	CHECK(segment_find(seg, 1025, &at, &next) == MESS_OK && at.seq == 1020);
	segment_unref(seg);
	spool_end(&s);
}

TEST("segment: places of another segment are passed over")
{
	struct segment_place at, next;
	struct segment *seg, *other;
	char places[8 * SEGMENT_PLACE_LEN];
	struct spool s;

	spool_begin(&s);
	seg = make(&s, 1000, 8 * SEGMENT_BLOCK);
	other = make(&s, 1001, 8 * SEGMENT_BLOCK);
	write_places(other, 8);
	CHECK(fd_pread_full(other->index->fd, places, sizeof places, 0) == sizeof places);

	CHECK(fd_pwrite_all(seg->index->fd, places, sizeof places, 0) == 0);

	CHECK(segment_find(seg, 1050, &at, &next) == MESS_OK && at.seq == 1000 && next.seq == 0);
	segment_unref(seg);
	segment_unref(other);
	spool_end(&s);
}
