/* SPDX-License-Identifier: ISC */
/*
 * One file of consecutive records in cur/, and its index.
 *
 * Promise: a segment never grows and is never used again for other
 * messages; it is whole and synced before its first record.  A record is
 * found by number without reading what lies before its 64 KiB block.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "journal.h"

#define SEGMENT_MIN ((uint64_t)64 * 1024)
#define SEGMENT_MAX ((uint64_t)64 * 1024 * 1024)
#define SEGMENT_BLOCK ((uint64_t)64 * 1024)	/* one index place each */
#define SEGMENT_NAME_LEN 20			/* decimal digits of the first number */
#define SEGMENT_HEAD_MAX 96			/* longest first line */
#define SEGMENT_PLACE_LEN 24			/* one entry of the index */

struct segment {
	unsigned refs;
	uint64_t first;			/* number */
	uint64_t size;			/* bytes */
	struct journal_file *file;
	struct journal_file *index;	/* NULL in a segment of one block */
};

/* "%020llu" and the suffix into name, which has SEGMENT_NAME_LEN + 8 bytes. */
void segment_name(uint64_t first, const char *suffix, char *name);
/* The number that a name in cur/ begins with and what follows it; false if it is no such name. */
bool segment_parse_name(const char *name, uint64_t *first, const char **suffix);

/* A file of size bytes of newlines called name, and name.idx when it has several blocks; both synced. */
NODISCARD enum mess_err segment_make(int cur, const char *name, uint64_t size);
/*
 * Give a segment made ahead its name; the directory is synced when this
 * returns MESS_OK.  MESS_IO when only that failed.  With replace it takes
 * the place of one that holds no record yet.
 */
NODISCARD enum mess_err segment_adopt(int cur, const char *name, uint64_t first, bool replace);
/* Remove a segment and its index; what is not there is removed. */
NODISCARD enum mess_err segment_remove(int cur, const char *name);

/* name carries topic and incarnation; kind and first are set here. */
NODISCARD enum mess_err segment_open(int cur, const struct journal_name *name, uint64_t first,
    struct segment **out);
struct segment *segment_ref(struct segment *s);
void segment_unref(struct segment *s);

/* The first line into out (SEGMENT_HEAD_MAX bytes); its length. */
size_t segment_write_head(const struct segment *s, char *out);
/* The length of a first line that is this segment's; MESS_CORRUPT for any other. */
NODISCARD enum mess_err segment_check_head(const struct segment *s, size_t *len);

/* One index place as bytes. */
void segment_write_place(const struct segment *s, uint64_t seq, uint64_t off, char *out);
/*
 * The last indexed record at or below seq, and (next, 0 if none) the first
 * above it: where reading may begin, and go on after damage.
 */
struct segment_place {
	uint64_t seq, off;
};
NODISCARD enum mess_err segment_find(const struct segment *s, uint64_t seq,
    struct segment_place *at, struct segment_place *next);

#endif
