/* SPDX-License-Identifier: ISC */
/*
 * The last ids of a topic: their file.
 *
 * A ring never grows in place.  Where its oldest slot would be displaced
 * before its time a ring of twice the size is made, in a file of its own,
 * and takes over.  That happens between two commits: a ring that had an id
 * whose message is not durable yet could outlive a crash that the message
 * does not.
 */
#include "ids_private.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"

#define FILE_NAME "ids"		/* ids.SLOTS for a larger one */
#define FILE_NAME_LEN 32
#define FILE_MAKING ".ids-new"
#define MAGIC "messid1\n"
#define HEAD_SUMMED 240		/* of the first block; the rest is zero */
#define PIECE (IDS_SLOT_LEN * 1024)	/* divides the ring */

_Static_assert((IDS_SLOTS & (IDS_SLOTS - 1)) == 0 && IDS_SLOTS % 1024 == 0, "masks and pieces");

/* --- slots -------------------------------------------------------------- */

void
ids_slot_write(const struct slot *s, char *p)
{
	le64_put(p, s->low);
	le64_put(p + 8, s->high);
	le64_put(p + 16, s->number);
	le64_put(p + 24, s->seq);
	le64_put(p + 32, s->sec);
}

struct slot
ids_slot_read(const char *p)
{
	return (struct slot){ .low = le64_get(p), .high = le64_get(p + 8), .number = le64_get(p + 16),
		.seq = le64_get(p + 24), .sec = le64_get(p + 32) };
}

/* --- the file ----------------------------------------------------------- */

static void
head_write(const struct ids *i, char *p)
{
	memset(p, 0, IDS_HEAD_LEN);
	memcpy(p, MAGIC, 8);
	le32_put(p + 8, i->size);
	le32_put(p + 12, IDS_SLOT_LEN);
	memcpy(p + 16, i->name.id, JOURNAL_ID_LEN);
	memcpy(p + 32, i->secret, IDS_SECRET_LEN);
	le64_put(p + HEAD_SUMMED - 8, XXH3_64bits(p, HEAD_SUMMED - 8));
}

static enum mess_err
head_read(struct ids *i, int fd)
{
	char p[HEAD_SUMMED];
	ssize_t n = fd_pread_full(fd, p, sizeof p, 0);

	if (n == -1)
		return MESS_IO;
	if (n != (ssize_t)sizeof p || memcmp(p, MAGIC, 8) != 0 || le32_get(p + 8) != i->size ||
	    le32_get(p + 12) != IDS_SLOT_LEN || memcmp(p + 16, i->name.id, JOURNAL_ID_LEN) != 0 ||
	    le64_get(p + HEAD_SUMMED - 8) != XXH3_64bits(p, HEAD_SUMMED - 8))
		return MESS_CORRUPT;
	memcpy(i->secret, p + 32, IDS_SECRET_LEN);
	return MESS_OK;
}

static void
file_name(uint64_t size, char *out)
{
	if (size == IDS_SLOTS)
		(void)snprintf(out, FILE_NAME_LEN, FILE_NAME); /* fits by its size */
	else
		(void)snprintf(out, FILE_NAME_LEN, FILE_NAME ".%llu", (unsigned long long)size); /* likewise */
}

/* All slots, in the order in which they stand. */
static enum mess_err
write_slots(const struct ids *i, int fd)
{
	AUTO_FREE char *mem = malloc(PIECE);

	if (mem == NULL)
		return MESS_LIMIT;
	for (uint32_t at = 0; at < i->size; at += PIECE / IDS_SLOT_LEN) {
		for (uint32_t k = 0; k < PIECE / IDS_SLOT_LEN; k++)
			ids_slot_write(&i->slots[at + k], mem + (size_t)k * IDS_SLOT_LEN);
		if (fd_pwrite_all(fd, mem, PIECE, (off_t)(IDS_HEAD_LEN + (uint64_t)at * IDS_SLOT_LEN)) == -1)
			return err_from_errno();
	}
	return MESS_OK;
}

static enum mess_err
make_file(const struct ids *i, int *out)
{
	uint64_t len = IDS_HEAD_LEN + (uint64_t)i->size * IDS_SLOT_LEN;
	AUTO_FD int fd = -1;
	char head[IDS_HEAD_LEN];
	enum mess_err err;

	head_write(i, head);
	if ((err = fs_remove_tree(i->dir, FILE_MAKING)) != MESS_OK ||
	    (err = fs_make_filled(i->dir, FILE_MAKING, len, 0, &fd)) != MESS_OK)
		return err;
	if (fd_pwrite_all(fd, head, sizeof head, 0) == -1)
		return err_from_errno();
	if (i->count > 0 && (err = write_slots(i, fd)) != MESS_OK)
		return err;
	if ((err = fs_sync(fd)) != MESS_OK)
		return err;
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/* Whole and synced before it has its name: half a ring is never found. */
static enum mess_err
make(const struct ids *i, int *out)
{
	char name[FILE_NAME_LEN];
	AUTO_FD int fd = -1;
	enum mess_err err;

	file_name(i->size, name);
	if ((err = make_file(i, &fd)) != MESS_OK ||
	    (err = fs_move(i->dir, FILE_MAKING, i->dir, name)) != MESS_OK)
		return err;
	if ((err = fs_sync(i->dir)) != MESS_OK) {
		/* Not known to be durable under its name: nothing may be promised on it. */
		journal_fail(store_journal(i->store));
		return err;
	}
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/* What it knew is forgotten; a message published again may then be there twice. */
static enum mess_err
set_aside(struct ids *i)
{
	char name[FILE_NAME_LEN];
	AUTO_FREE char *to = NULL;

	file_name(i->size, name);
	store_say(i->store, "%s: ids: damaged; set aside in .quarantine, what was published before "
	    "is not known by its id any more", i->name.topic);
	if (asprintf(&to, ".quarantine/%s.ids", i->name.topic) == -1) {
		to = NULL;
		return MESS_LIMIT;
	}
	return renameat(i->dir, name, store_dir(i->store), to) == -1 ? err_from_errno() : MESS_OK;
}

/* Slots as they stand, without the table. */
static enum mess_err
load_slots(struct ids *i, int fd)
{
	AUTO_FREE char *mem = malloc(PIECE);

	if (mem == NULL)
		return MESS_LIMIT;
	for (uint32_t at = 0; at < i->size; at += PIECE / IDS_SLOT_LEN) {
		if (fd_pread_full(fd, mem, PIECE, (off_t)(IDS_HEAD_LEN + (uint64_t)at * IDS_SLOT_LEN)) != PIECE)
			return MESS_IO;
		for (uint32_t k = 0; k < PIECE / IDS_SLOT_LEN; k++) {
			struct slot s = ids_slot_read(mem + (size_t)k * IDS_SLOT_LEN);

			/* Damage in a slot costs that id. */
			if (s.number == 0 || s.number > INT64_MAX || ids_index(i, s.number) != at + k)
				continue;
			i->slots[at + k] = s;
			if (s.number > i->count)
				i->count = s.number;
		}
	}
	return MESS_OK;
}

/* Oldest first, so that the table knows the newest of a hash. */
static void
fill_table(struct ids *i)
{
	for (uint32_t k = 1; k <= i->size; k++) {
		uint32_t index = ids_index(i, i->count + k);

		if (i->slots[index].number != 0)
			(void)ids_enter(i, index, &i->slots[index]);
	}
	i->put = i->count;
}

/* Memory is taken as it is used: pages never written are none. */
static enum mess_err
have_memory(struct ids *i)
{
	free(i->slots);
	free(i->table);
	i->slots = calloc(i->size, sizeof *i->slots);
	i->table = calloc((size_t)2 * i->size, sizeof *i->table);
	return i->slots == NULL || i->table == NULL ? MESS_LIMIT : MESS_OK;
}

/* The largest there is; *size 0: none. */
static enum mess_err
find_file(int dir, uint32_t *size)
{
	char name[FILE_NAME_LEN];

	for (*size = IDS_SLOTS_MOST; *size >= IDS_SLOTS; *size /= 2) {
		file_name(*size, name);
		if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return MESS_OK;
		if (errno != ENOENT)
			return err_from_errno();
	}
	*size = 0;
	return MESS_OK;
}

static enum mess_err
begin_anew(struct ids *i, int *out)
{
	enum mess_err err;

	i->size = IDS_SLOTS;
	arc4random_buf(i->secret, sizeof i->secret);
	return (err = have_memory(i)) != MESS_OK ? err : make(i, out);
}

static enum mess_err
load(struct ids *i, int *out)
{
	AUTO_FD int fd = -1;
	enum mess_err err;

	if ((err = find_file(i->dir, &i->size)) != MESS_OK)
		return err;
	if (i->size == 0)
		return begin_anew(i, out);
	if ((err = have_memory(i)) != MESS_OK || (err = ids_open_file(i->dir, i->size, &fd)) != MESS_OK)
		return err;
	/* Behind a damaged one there may be a smaller one, from before it grew. */
	if ((err = head_read(i, fd)) == MESS_CORRUPT)
		return (err = set_aside(i)) != MESS_OK ? err : load(i, out);
	if (err != MESS_OK || (err = load_slots(i, fd)) != MESS_OK)
		return err;
	fill_table(i);
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/* --- smaller ones go ---------------------------------------------------- */

static void
sweep(void *arg)
{
	struct ids *i = arg;
	char name[FILE_NAME_LEN];

	i->sweep_set = false;
	for (uint32_t size = IDS_SLOTS; size < i->size; size *= 2) {
		file_name(size, name);
		(void)unlinkat(i->dir, name, 0); /* mostly not there; tried again at the next opening */
	}
}

/* Not at once: live entries may name them. */
static void
set_sweep(struct ids *i)
{
	if (i->size == IDS_SLOTS || i->sweep_set)
		return;
	i->sweep = (struct journal_after){ .fn = sweep, .arg = i };
	i->sweep_set = true;
	journal_after(store_journal(i->store), &i->sweep);
}

/* --- growing ------------------------------------------------------------ */

/* Would n more displace one before its time? */
static bool
is_too_small(const struct ids *i, size_t n)
{
	uint64_t last = i->count + i->joined + n;
	struct timespec now;

	if (i->size == IDS_SLOTS_MOST || last <= i->size)
		return false;
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now); /* cannot fail with a known clock */
	return i->slots[ids_index(i, last - i->size)].number != 0 &&
	    i->slots[ids_index(i, last - i->size)].sec + IDS_SECONDS > (uint64_t)now.tv_sec;
}

/* What is in from, in a ring of twice its size; nothing of from is changed. */
static enum mess_err
grown(const struct ids *from, struct ids *out)
{
	*out = *from;
	out->size = 2 * from->size;
	out->name.first = out->size;
	out->slots = NULL;
	out->table = NULL;
	if (have_memory(out) != MESS_OK)
		return MESS_LIMIT;
	for (uint32_t k = 0; k < from->size; k++)
		if (from->slots[k].number != 0)
			out->slots[ids_index(out, from->slots[k].number)] = from->slots[k];
	fill_table(out);
	return MESS_OK;
}

static enum mess_err
grow(struct ids *i)
{
	struct ids larger;
	enum mess_err err;
	int fd;

	if ((err = grown(i, &larger)) == MESS_OK && (err = make(&larger, &fd)) == MESS_OK &&
	    (larger.file = journal_file_new(fd, &larger.name)) == NULL)
		err = MESS_LIMIT;
	if (err != MESS_OK) {
		free(larger.slots);
		free(larger.table);
		return err;
	}
	free(i->slots);
	free(i->table);
	journal_file_unref(i->file);
	i->size = larger.size;
	i->name = larger.name;
	i->slots = larger.slots;
	i->table = larger.table;
	i->file = larger.file;
	set_sweep(i);
	return MESS_OK;
}

enum mess_err
ids_make_way(struct ids *i, size_t n)
{
	enum mess_err err;

	while (is_too_small(i, n))
		if ((err = store_commit(i->store)) != MESS_OK || (err = grow(i)) != MESS_OK)
			return err;
	return MESS_OK;
}

/* --- opening ------------------------------------------------------------ */

enum mess_err
ids_load(struct ids *i)
{
	enum mess_err err;
	int fd;

	if ((err = load(i, &fd)) != MESS_OK)
		return err;
	i->name.first = i->size;
	if ((i->file = journal_file_new(fd, &i->name)) == NULL)
		return MESS_LIMIT;
	set_sweep(i);
	return MESS_OK;
}

enum mess_err
ids_open_file(int dir, uint64_t size, int *out)
{
	char name[FILE_NAME_LEN];

	file_name(size, name);
	return fs_open_file(dir, name, O_RDWR, out);
}
