/* SPDX-License-Identifier: ISC */
/*
 * The journal as bytes: a half's first line, entries, their items.
 * mess-spool(5) is its manual.
 */
#ifndef JOURNAL_ENTRY_H
#define JOURNAL_ENTRY_H

#include "journal.h"

#define JOURNAL_LINE_BLOCK 4096		/* the first line has a block of its own */
#define JOURNAL_HEAD_LEN 40		/* of an entry; items follow */
#define JOURNAL_ITEM_FILE 1
#define JOURNAL_FILE_LEN 28		/* names follow */
#define JOURNAL_ITEM_PUT 2
#define JOURNAL_PUT_LEN 16		/* bytes follow */

/* The two halves, in the directory .journal. */
extern const char *const journal_half_name[2];
/* Made when missing. */
NODISCARD enum mess_err journal_open_dir(int spool, int *out);

/* A half's first line; not synced.  -1 with errno. */
int journal_write_line(int fd, const unsigned char *key, uint64_t first);
/* MESS_CORRUPT for a retired or torn line: then the half has nothing to say. */
NODISCARD enum mess_err journal_read_line(int fd, unsigned char *key, uint64_t *first);
/* The half's entries are forgotten, durably. */
NODISCARD enum mess_err journal_retire(int fd);

/* Where the next entry begins after one of n bytes. */
static inline size_t
journal_aligned(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* Complete the head of an entry of len bytes in all. */
void journal_seal_entry(char *entry, size_t len, const unsigned char *key, uint64_t number);
/* Is there a whole one with this key and number?  Then its length, else 0. */
size_t journal_check_entry(const char *p, size_t left, const unsigned char *key, uint64_t number);

/* The puts of an entry, one after the other. */
struct journal_walk {
	const char *p;
	size_t left;
	struct journal_name name;	/* of the file that the last put is for */
};

struct journal_piece {
	uint64_t off;
	const char *data;
	size_t len;
};

/* False at the end (left is 0) or where the items make no sense. */
bool journal_walk(struct journal_walk *w, struct journal_piece *out);

#endif
