/* SPDX-License-Identifier: ISC */
/*
 * A place as bytes: a head of 128, then 32 for each settled or tried range
 * above the floor; at the file's end, and never changed, what is matched.
 * Due times are stored as time of day, and are of the loop's clock in
 * memory: a clock that is set moves nothing while the engine runs.
 */
#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"
#include "base/loop.h"

#define MAGIC "messsb1\n"
#define HEAD_LEN 128
#define COUNTS_AT 48
#define NEXT_AT 112
#define SUM_AT 120
#define RANGE_LEN 32
#define MATCH_AT (PLACE_SIZE - 1024)
#define MATCH_LEN (4 + PLACE_MATCH_MAX + 8)	/* length, text, sum */
#define SHARE_AT (MATCH_AT + MATCH_LEN)
#define SHARE_LEN (4 + PLACE_SHARE_MAX + 8)	/* the same */
#define HAS_SHARE UINT32_C(0x80000000)	/* in the length of what is matched: a block of who shares follows */
#define NOBODY "-"			/* no name: it has no number */
_Static_assert(HEAD_LEN + PLACE_RANGES_MAX * RANGE_LEN <= MATCH_AT, "ranges must fit");
_Static_assert(SHARE_AT + SHARE_LEN <= PLACE_SIZE, "who shares must fit");
_Static_assert(COUNTS_AT + 8 * PLACE_COUNTS <= NEXT_AT, "counts must fit");

/* The first word of a range. */
enum {
	RANGE_SETTLED = 1,
	RANGE_TRIED = 2,
	RANGE_HELD = 3,		/* one number, and the token in place of the other */
};

void
place_free(struct place *p)
{
	ranges_free(&p->settled);
	attempts_free(&p->attempts);
	grants_unref(p->share);
	p->share = NULL;
}

size_t
place_must(const struct place *p)
{
	return p->settled.count + p->attempts.held;
}

/* What is settled comes first, then what is held; tries beyond the room are known to this engine only. */
static size_t
tries(const struct place *p)
{
	size_t room = p->settled.count < PLACE_RANGES_MAX ? PLACE_RANGES_MAX - p->settled.count : 0;

	return p->attempts.count < room ? p->attempts.count : room;
}

size_t
place_len(const struct place *p)
{
	return HEAD_LEN + (p->settled.count + tries(p)) * RANGE_LEN;
}

static uint64_t
sum(const char *p, size_t count)
{
	return XXH3_64bits_withSeed(p + HEAD_LEN, count * RANGE_LEN, XXH3_64bits(p, SUM_AT));
}

/* Milliseconds of the time of day. */
static uint64_t
wall(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t
to_wall(uint64_t due)
{
	uint64_t now = loop_now(), today = wall();

	if (due >= now)
		return today + (due - now);
	return now - due < today ? today - (now - due) : 0;
}

static uint64_t
from_wall(uint64_t due)
{
	uint64_t now = loop_now(), today = wall();

	return due > today ? now + (due - today) : now;
}

static void
write_range(const struct range *r, char *at)
{
	le64_put(at, r->lo);
	le64_put(at + 8, r->hi);
	le32_put(at + 16, RANGE_SETTLED);
}

/* What a consumer has is ready after a crash: its connection is gone. */
static void
write_attempt(const struct attempt *a, char *at)
{
	bool held = a->state == ATTEMPT_HELD;

	le64_put(at, a->lo);
	le64_put(at + 8, held ? a->token : a->hi);
	le32_put(at + 16, (held ? RANGE_HELD : RANGE_TRIED) |
	    (a->count < UINT16_MAX ? a->count : UINT16_MAX) << 16);
	le32_put(at + 20, a->uid);
	le64_put(at + 24, held || a->state == ATTEMPT_WAITING ? to_wall(a->due) : 0);
}

/* Those that are held, or the others; at most *left of them. */
static char *
write_attempts(const struct place *p, bool held, char *at, size_t *left)
{
	for (size_t i = 0; i < p->attempts.count && *left > 0; i++)
		if ((p->attempts.a[i].state == ATTEMPT_HELD) == held) {
			write_attempt(&p->attempts.a[i], at);
			at += RANGE_LEN;
			--*left;
		}
	return at;
}

void
place_write(const struct place *p, char *out)
{
	size_t count = tries(p), left = count;
	char *at = out + HEAD_LEN;

	memset(out, 0, place_len(p));
	memcpy(out, MAGIC, 8);
	le64_put(out + 8, p->id);
	le32_put(out + 16, (uint32_t)(p->settled.count + count));
	le32_put(out + 20, p->owner);
	le64_put(out + 24, p->floor);
	le64_put(out + 32, p->start);
	le64_put(out + 40, p->redelivered);
	for (int i = 0; i < PLACE_COUNTS; i++)
		le64_put(out + COUNTS_AT + 8 * i, p->counts[i]);
	le64_put(out + NEXT_AT, p->next);
	for (size_t i = 0; i < p->settled.count; i++, at += RANGE_LEN)
		write_range(&p->settled.r[i], at);
	at = write_attempts(p, true, at, &left);
	(void)write_attempts(p, false, at, &left); /* the end is known by the count */
	le64_put(out + SUM_AT, sum(out, p->settled.count + count));
}

static enum mess_err
read_attempt(const char *at, struct place *out)
{
	uint32_t word = le32_get(at + 16);
	uint64_t due = le64_get(at + 24);
	struct attempt a = { .lo = le64_get(at), .hi = le64_get(at + 8), .count = word >> 16,
		.uid = le32_get(at + 20), .due = due == 0 ? 0 : from_wall(due),
		.state = due == 0 ? ATTEMPT_READY : ATTEMPT_WAITING };

	if ((word & UINT16_MAX) == RANGE_HELD) {
		a.token = a.hi;
		a.hi = a.lo;
		a.state = ATTEMPT_HELD;
	}
	return a.lo > a.hi ? MESS_CORRUPT : attempts_put(&out->attempts, &a);
}

static enum mess_err
read_range(const char *at, struct place *out)
{
	switch (le32_get(at + 16) & UINT16_MAX) {
	case RANGE_SETTLED:
		return ranges_add(&out->settled, le64_get(at), le64_get(at + 8));
	case RANGE_TRIED:
	case RANGE_HELD:
		return read_attempt(at, out);
	default:
		return MESS_CORRUPT;
	}
}

static void
write_match(const struct place *p, char *out)
{
	size_t len = strlen(p->match);

	memset(out, 0, MATCH_LEN);
	le32_put(out, (uint32_t)len | HAS_SHARE);
	memcpy(out + 4, p->match, len);
	le64_put(out + MATCH_LEN - 8, XXH3_64bits(out, MATCH_LEN - 8));
}

static enum mess_err
read_match(const char *in, struct place *out, bool *has_share)
{
	uint32_t len = le32_get(in) & ~HAS_SHARE;

	if (len > PLACE_MATCH_MAX || le64_get(in + MATCH_LEN - 8) != XXH3_64bits(in, MATCH_LEN - 8))
		return MESS_CORRUPT;
	memcpy(out->match, in + 4, len);
	*has_share = (le32_get(in) & HAS_SHARE) != 0;
	return MESS_OK;
}

static enum mess_err
write_share(const struct place *p, char *out)
{
	AUTO_BUF struct buf text = BUF_INIT(PLACE_SHARE_MAX);
	enum mess_err err = MESS_OK;

	if (p->share != NULL)
		err = p->share->count > 0 ? grants_write(p->share, ACL_SUBSCRIBE, true, &text) :
		    buf_printf(&text, NOBODY);
	if (err != MESS_OK)
		return err;
	memset(out, 0, SHARE_LEN);
	le32_put(out, (uint32_t)buf_len(&text));
	if (buf_len(&text) > 0)
		memcpy(out + 4, buf_data(&text), buf_len(&text));
	le64_put(out + SHARE_LEN - 8, XXH3_64bits(out, SHARE_LEN - 8));
	return MESS_OK;
}

static enum mess_err
read_share(const char *in, struct grants **out)
{
	uint32_t len = le32_get(in);
	char text[PLACE_SHARE_MAX + 1];

	if (len > PLACE_SHARE_MAX || le64_get(in + SHARE_LEN - 8) != XXH3_64bits(in, SHARE_LEN - 8))
		return MESS_CORRUPT;
	if (len == 0)
		return MESS_OK;
	memcpy(text, in + 4, len);
	text[len] = '\0';
	return strcmp(text, NOBODY) == 0 ? grants_nobody(out) : grants_read(out, ACL_SUBSCRIBE, text);
}

/* What never changes.  Closed, where it is not known for whom it is: never opened to all by damage. */
static enum mess_err
read_tail(const char *in, struct place *out)
{
	bool has_share = true;
	enum mess_err err = read_match(in, out, &has_share), also = MESS_OK;

	if (has_share && (also = read_share(in + MATCH_LEN, &out->share)) == MESS_CORRUPT) {
		grants_unref(out->share);
		out->share = NULL;
		if (grants_nobody(&out->share) != MESS_OK)
			also = MESS_LIMIT;
	}
	return also != MESS_OK ? also : err;
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
	out->start = le64_get(in + 32);
	out->redelivered = le64_get(in + 40);
	for (int i = 0; i < PLACE_COUNTS; i++)
		out->counts[i] = le64_get(in + COUNTS_AT + 8 * i);
	out->next = le64_get(in + NEXT_AT);
	for (size_t i = 0; i < count; i++, at += RANGE_LEN)
		if ((err = read_range(at, out)) != MESS_OK)
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
	/* What is missing does not check either; what cannot be read may be as it was. */
	memset(mem, 0, PLACE_SIZE);
	if (fd_pread_full(fd, mem, PLACE_SIZE, 0) == -1)
		return MESS_IO;
	if ((err = parse(mem, &p)) == MESS_OK)
		err = read_tail(mem + MATCH_AT, &p);
	if (err == MESS_OK) {
		*out = p;
		return MESS_OK;
	}
	place_free(&p);
	p = (struct place){ .owner = le32_get(mem + 20) };
	/* Also where that does not check: it says then who may not. */
	if (err == MESS_CORRUPT && (err = read_tail(mem + MATCH_AT, &p)) != MESS_LIMIT) {
		*out = p;
		return MESS_CORRUPT;
	}
	place_free(&p);
	return err;
}

enum mess_err
place_check_id(int fd, uint64_t id)
{
	char p[16];
	ssize_t n = fd_pread_full(fd, p, sizeof p, 0);

	if (n == -1)
		return MESS_IO;
	return n == sizeof p && memcmp(p, MAGIC, 8) == 0 && le64_get(p + 8) == id ? MESS_OK : MESS_CORRUPT;
}

enum mess_err
place_open_file(int topic_dir, const char *sub, int *out)
{
	char path[NAME_SUB_MAX + 8];
	enum mess_err err;

	if ((err = name_check_sub_file(sub)) != MESS_OK)
		return err;
	(void)snprintf(path, sizeof path, "sub/%s", sub); /* fits by the name's limit */
	err = fs_open_file(topic_dir, path, O_RDWR, out);
	return err == MESS_SYSTEM && errno == ENOENT ? MESS_NOSUB : err;
}

/* Whole before it has its name: a crash leaves all of it or nothing. */
static enum mess_err
make(int topic_dir, const char *sub, const struct place *p, bool replace)
{
	AUTO_FREE char *block = malloc(place_len(p));
	char tail[MATCH_LEN + SHARE_LEN];
	AUTO_FD int dir = -1, fd = -1;
	char tmp[NAME_SUB_MAX + 8];
	enum mess_err err;

	if (block == NULL)
		return MESS_LIMIT;
	place_write(p, block);
	write_match(p, tail);
	if ((err = write_share(p, tail + MATCH_LEN)) != MESS_OK)
		return err;
	(void)snprintf(tmp, sizeof tmp, ".%s.new", sub); /* fits by the name's limit */
	if ((err = fs_open_dir(topic_dir, "sub", &dir)) != MESS_OK ||
	    (err = fs_remove_tree(dir, tmp)) != MESS_OK ||
	    (err = fs_make_filled(dir, tmp, PLACE_SIZE, 0, &fd)) != MESS_OK)
		return err;
	if (fd_pwrite_all(fd, block, place_len(p), 0) == -1 ||
	    fd_pwrite_all(fd, tail, sizeof tail, (off_t)MATCH_AT) == -1)
		return err_from_errno();
	if ((err = fs_sync(fd)) != MESS_OK)
		return err;
	if (replace && renameat(dir, tmp, dir, sub) == -1)
		return err_from_errno();
	if (!replace && (err = fs_move(dir, tmp, dir, sub)) != MESS_OK)
		return err;
	return fs_sync(dir);
}

enum mess_err
place_make(int topic_dir, const char *sub, const struct place *p)
{
	return make(topic_dir, sub, p, false);
}

enum mess_err
place_replace(int topic_dir, const char *sub, const struct place *p)
{
	return make(topic_dir, sub, p, true);
}

#define GONE ".gone-"

static void
gone_name(uint64_t id, char *out)
{
	(void)snprintf(out, PLACE_GONE_LEN, GONE "%016llx", (unsigned long long)id); /* fits by its size */
}

bool
place_name_is_gone(const char *name)
{
	return strncmp(name, GONE, strlen(GONE)) == 0;
}

bool
place_was_removed(int topic_dir, uint64_t id)
{
	char path[PLACE_GONE_LEN + 4] = "sub/";

	gone_name(id, path + 4);
	return faccessat(topic_dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum mess_err
place_remove(int topic_dir, const char *sub, uint64_t id, char *gone)
{
	AUTO_FD int dir = -1;
	enum mess_err err;

	gone_name(id, gone);
	if ((err = fs_open_dir(topic_dir, "sub", &dir)) != MESS_OK ||
	    (err = fs_move(dir, sub, dir, gone)) != MESS_OK)
		return err;
	return fs_sync(dir);
}

/* --- the account -------------------------------------------------------- */

/* How many numbers below n, from the floor on, are settled. */
static uint64_t
settled_below(const struct place *p, uint64_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < p->settled.count && p->settled.r[i].lo < n; i++)
		total += (p->settled.r[i].hi < n ? p->settled.r[i].hi + 1 : n) - p->settled.r[i].lo;
	return total;
}

enum mess_err
place_forget(struct place *p, uint64_t below, enum place_count why)
{
	if (p->floor < below) {
		p->counts[why] += below - p->floor - settled_below(p, below);
		p->floor = below;
	}
	return place_raise(p);
}

/* Over what is settled above it without a gap. */
enum mess_err
place_raise(struct place *p)
{
	enum mess_err err;

	while (p->settled.count > 0 && p->settled.r[0].lo <= p->floor) {
		if (p->settled.r[0].hi >= p->floor)
			p->floor = p->settled.r[0].hi + 1;
		if ((err = ranges_remove(&p->settled, 0, p->floor - 1)) != MESS_OK)
			return err;
	}
	if (p->next < p->floor)
		p->next = p->floor;
	return attempts_clear(&p->attempts, 0, p->floor - 1);
}
