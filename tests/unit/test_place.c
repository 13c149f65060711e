/* SPDX-License-Identifier: ISC */
/*
 * A subscription's place as bytes: read as it was written, or refused.
 */
#include "place.h"

#include <xxhash.h>

#include "base/le.h"
#include "spool.h"

static void
begin(struct spool *s)
{
	spool_begin(s);
	CHECK(mkdirat(s->dir, "sub", 0700) == 0);
}

static struct place
sample(size_t ranges)
{
	struct place p = { .id = 0x1122334455667788, .owner = 1000, .floor = 100, .start = 2,
		.next = 7000, .counts = { 99, 5, 4, 3, 2, 1, 6 }, .redelivered = 3, .match = "Color=r*" };

	for (uint64_t i = 0; i < ranges; i++)
		CHECK(ranges_add(&p.settled, 102 + 3 * i, 102 + 3 * i + i % 2) == MESS_OK);
	return p;
}

static bool
same(const struct place *a, const struct place *b)
{
	return a->id == b->id && a->owner == b->owner && a->floor == b->floor && a->start == b->start &&
	    a->next == b->next && memcmp(a->counts, b->counts, sizeof a->counts) == 0 &&
	    a->redelivered == b->redelivered && strcmp(a->match, b->match) == 0 &&
	    a->settled.count == b->settled.count && (a->settled.count == 0 ||
	    memcmp(a->settled.r, b->settled.r, a->settled.count * sizeof *a->settled.r) == 0);
}

/* To all but administrators. */
static bool
is_closed(const struct place *p)
{
	return p->share != NULL && p->share->count == 0;
}

static enum mess_err
read_sub(const struct spool *s, const char *sub, struct place *out)
{
	AUTO_FD int fd = -1;
	enum mess_err err;

	if ((err = place_open_file(s->dir, sub, &fd)) != MESS_OK)
		return err;
	return place_read(fd, out);
}

TEST("place: it is read as it was made, with any number of ranges there may be")
{
	static const size_t counts[] = { 0, 1, 2, 100, PLACE_RANGES_MAX };
	struct spool s;
	struct stat st;

	begin(&s);
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct place p = sample(counts[i]), again = { 0 };
		char name[8];

		(void)snprintf(name, sizeof name, "s%zu", i);
		CHECK(p.settled.count == counts[i] && place_len(&p) <= PLACE_SIZE);
		CHECK(place_make(s.dir, name, &p) == MESS_OK);
		CHECK(read_sub(&s, name, &again) == MESS_OK && same(&p, &again));
		(void)snprintf(name, sizeof name, "sub/s%zu", i);
		CHECK(fstatat(s.dir, name, &st, 0) == 0 && (size_t)st.st_size == PLACE_SIZE);
		place_free(&p);
		place_free(&again);
	}
	CHECK(dir_count(s.dir, "sub") == 5);
	spool_end(&s);
}

TEST("place: largest numbers survive")
{
	struct place p = { .id = UINT64_MAX, .owner = UINT32_MAX, .floor = UINT64_MAX - 5,
		.start = UINT64_MAX, .next = UINT64_MAX, .redelivered = UINT64_MAX }, again = { 0 };
	struct spool s;

	begin(&s);
	CHECK(ranges_add(&p.settled, UINT64_MAX - 2, UINT64_MAX) == MESS_OK);

	CHECK(place_make(s.dir, "x", &p) == MESS_OK && read_sub(&s, "x", &again) == MESS_OK);

	CHECK(same(&p, &again));
	place_free(&p);
	place_free(&again);
	spool_end(&s);
}

TEST("place: one that exists is not replaced; what a crash left is")
{
	struct place p = sample(1), other = sample(2), again = { 0 };
	struct spool s;

	begin(&s);
	file_text(s.dir, "sub/.x.new", "half made");
	CHECK(place_make(s.dir, "x", &p) == MESS_OK);

	CHECK(place_make(s.dir, "x", &other) == MESS_EXISTS);

	CHECK(read_sub(&s, "x", &again) == MESS_OK && same(&p, &again));
	place_free(&p);
	place_free(&other);
	place_free(&again);
	spool_end(&s);
}

TEST("place: none, and names that are none, are told apart from damage")
{
	struct place p;
	struct spool s;

	begin(&s);
	file_text(s.dir, "topic", "x");

	CHECK(read_sub(&s, "x", &p) == MESS_NOSUB);
	CHECK(read_sub(&s, "../topic", &p) == MESS_BADNAME && read_sub(&s, "", &p) == MESS_BADNAME);
	spool_end(&s);
}

TEST("place: any byte of the block changed is damage; behind it bytes mean nothing")
{
	struct place p = sample(3), again;
	struct spool s;
	size_t len;

	begin(&s);
	CHECK(place_make(s.dir, "x", &p) == MESS_OK);
	len = place_len(&p);

	for (size_t i = 0; i < len + 64; i++) {
		unsigned char mask = (unsigned char)(1 + test_random() % 255);
		enum mess_err err;

		again = (struct place){ 0 };
		file_flip(s.dir, "sub/x", (off_t)i, mask);
		err = read_sub(&s, "x", &again);
		if (!CHECK(err == (i < len ? MESS_CORRUPT : MESS_OK)) ||
		    !CHECK(err != MESS_OK || same(&p, &again)))
			printf("# byte %zu\n", i);
		place_free(&again);
		file_flip(s.dir, "sub/x", (off_t)i, mask);
	}
	place_free(&p);
	spool_end(&s);
}

TEST("place: a block written only in part is damage, unless it says the same")
{
	static char old[PLACE_SIZE], new[PLACE_SIZE], mix[PLACE_SIZE];
	struct place p = sample(2), q = sample(5), again;
	struct spool s;

	begin(&s);
	q.floor = 90;
	CHECK(place_make(s.dir, "x", &p) == MESS_OK);
	place_write(&p, old);
	place_write(&q, new);

	for (size_t n = 0; n <= place_len(&q); n += 8) {
		enum mess_err err;

		again = (struct place){ 0 };
		memcpy(mix, old, sizeof mix);
		memcpy(mix, new, n);
		file_write_at(s.dir, "sub/x", mix, place_len(&q), 0); /* behind it is what never changes */
		err = read_sub(&s, "x", &again);
		CHECK(err == MESS_CORRUPT || (err == MESS_OK && (same(&again, &p) || same(&again, &q))));
		CHECK(n != 0 || err == MESS_OK);
		CHECK(n < place_len(&q) || (err == MESS_OK && same(&again, &q)));
		place_free(&again);
	}
	place_free(&p);
	place_free(&q);
	spool_end(&s);
}

TEST("place: a file of another size is damage")
{
	struct place p = sample(1), again = { 0 };
	struct spool s;

	begin(&s);
	CHECK(place_make(s.dir, "x", &p) == MESS_OK);

	file_text(s.dir, "sub/x", "");
	CHECK(read_sub(&s, "x", &again) == MESS_CORRUPT && is_closed(&again));
	place_free(&again);
	file_text(s.dir, "sub/x", "messsb1\n");
	CHECK(read_sub(&s, "x", &again) == MESS_CORRUPT && is_closed(&again));
	place_free(&again);
	place_free(&p);
	spool_end(&s);
}

#define MATCH_AT (PLACE_SIZE - 1024)
#define SHARE_AT (MATCH_AT + 524)

static void
share_with(struct place *p, const char *who)
{
	CHECK(grants_read(&p->share, ACL_SUBSCRIBE, who) == MESS_OK);
}

TEST("place: who shares it is read as it was written, at any length there may be, and no longer")
{
	char text[PLACE_SHARE_MAX + 8] = "*";
	struct spool s;

	begin(&s);
	for (size_t n = 1; n <= PLACE_SHARE_MAX + 1; n++) {
		AUTO_BUF struct buf out = BUF_INIT(4096);
		struct place p, again = { 0 };
		enum mess_err err;

		/* 60 bytes each: a0000...=1, */
		text[n - 1] = n % 60 == 0 ? ',' : n % 60 == 59 ? '1' : n % 60 == 58 ? '=' : (char)('a' + n / 60);
		text[n] = '\0';
		if (n % 60 != 59)
			continue;
		p = sample(1);
		share_with(&p, text);
		err = place_make(s.dir, "x", &p);
		CHECK(err == MESS_OK && read_sub(&s, "x", &again) == MESS_OK && same(&p, &again));
		CHECK(grants_write(again.share, ACL_SUBSCRIBE, true, &out) == MESS_OK);
		CHECK(buf_len(&out) == n && memcmp(buf_data(&out), text, n) == 0);
		CHECK(unlinkat(s.dir, "sub/x", 0) == 0);
		place_free(&again);
		place_free(&p);
	}
	spool_end(&s);
}

TEST("place: one for more than there is room for is not made")
{
	struct place p = sample(0);
	struct spool s;
	char who[80];

	begin(&s);
	for (int i = 0; i < 9; i++) {
		(void)snprintf(who, sizeof who, "u%d%052d=1", i, 0);
		share_with(&p, who);
	}
	CHECK(place_make(s.dir, "x", &p) == MESS_TOOBIG);
	CHECK(dir_count(s.dir, "sub") == 0);
	place_free(&p);
	spool_end(&s);
}

TEST("place: damage to who shares it, or to all that never changes, closes it, and never opens it")
{
	static const char zeros[1024];
	struct place p = sample(1), again;
	struct spool s;

	begin(&s);
	share_with(&p, "bob=1000,@web=33");
	CHECK(place_make(s.dir, "x", &p) == MESS_OK);

	for (off_t at = SHARE_AT; at < (off_t)PLACE_SIZE - 8; at++) {
		again = (struct place){ 0 };
		file_flip(s.dir, "sub/x", at, 0x40);
		CHECK(read_sub(&s, "x", &again) == MESS_CORRUPT && is_closed(&again));
		file_flip(s.dir, "sub/x", at, 0x40);
		place_free(&again);
	}
	/* What is matched is lost: who shares it is not. */
	file_flip(s.dir, "sub/x", MATCH_AT + 8, 1);
	CHECK(read_sub(&s, "x", &again) == MESS_CORRUPT && again.share != NULL && again.share->count == 2);
	place_free(&again);
	file_flip(s.dir, "sub/x", MATCH_AT + 8, 1);
	for (size_t len = 512; len <= sizeof zeros; len += 512) {
		again = (struct place){ 0 };
		file_write_at(s.dir, "sub/x", zeros, len, (off_t)(PLACE_SIZE - len));
		CHECK(read_sub(&s, "x", &again) == MESS_CORRUPT && is_closed(&again));
		place_free(&again);
	}
	place_free(&p);
	spool_end(&s);
}

TEST("place: one that is closed is written so, and stays closed")
{
	struct place p = sample(1), again = { 0 };
	struct spool s;

	begin(&s);
	CHECK(grants_nobody(&p.share) == MESS_OK && place_make(s.dir, "x", &p) == MESS_OK);

	CHECK(read_sub(&s, "x", &again) == MESS_OK && same(&p, &again) && is_closed(&again));
	place_free(&again);
	place_free(&p);
	spool_end(&s);
}

TEST("place: one from before there was a list is for all who may subscribe")
{
	struct place p = sample(1), again = { 0 };
	static const char zeros[500];
	char match[524] = { 0 };
	struct spool s;

	begin(&s);
	CHECK(place_make(s.dir, "x", &p) == MESS_OK);
	le32_put(match, (uint32_t)strlen(p.match));
	memcpy(match + 4, p.match, strlen(p.match));
	le64_put(match + sizeof match - 8, XXH3_64bits(match, sizeof match - 8));
	file_write_at(s.dir, "sub/x", match, sizeof match, MATCH_AT);
	file_write_at(s.dir, "sub/x", zeros, sizeof zeros, SHARE_AT);

	CHECK(read_sub(&s, "x", &again) == MESS_OK && same(&p, &again) && again.share == NULL);
	place_free(&again);
	place_free(&p);
	spool_end(&s);
}

TEST("place: it is known by its id, also where the block is torn")
{
	struct place p = sample(1);
	struct spool s;
	int fd = -1;

	begin(&s);
	CHECK(place_make(s.dir, "x", &p) == MESS_OK);
	CHECK(place_open_file(s.dir, "x", &fd) == MESS_OK);

	file_flip(s.dir, "sub/x", 120, 1);

	CHECK(place_check_id(fd, p.id) == MESS_OK && place_check_id(fd, p.id + 1) == MESS_CORRUPT);
	file_flip(s.dir, "sub/x", 0, 1);
	CHECK(place_check_id(fd, p.id) == MESS_CORRUPT);
	fd_close(&fd);
	place_free(&p);
	spool_end(&s);
}
