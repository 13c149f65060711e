/* SPDX-License-Identifier: ISC */
/*
 * The journal: many files, one commit.
 *
 * Promise: after journal_commit returned MESS_OK all puts of the entry
 * survive a power cut, whole; after anything else none of them was made.
 * mess-spool(5) has the bytes.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "base/err.h"
#include "base/work.h"
#include "names.h"

#define JOURNAL_ENTRY_MAX ((size_t)4 * 1024 * 1024)	/* bytes of one commit */
#define JOURNAL_ID_LEN 16

enum journal_kind {
	JOURNAL_SEGMENT = 1,
	JOURNAL_INDEX = 2,
	JOURNAL_STATE = 3,
	JOURNAL_PLACE = 4,
	JOURNAL_IDS = 5,
};

/* What an entry calls a file: found again by name, known again by id. */
struct journal_name {
	enum journal_kind kind;
	unsigned char id[JOURNAL_ID_LEN];	/* the topic's incarnation */
	uint64_t first;				/* segment, index: first number; place: its id; ids: slots */
	char topic[NAME_TOPIC_MAX + 1];
	char sub[NAME_SUB_MAX + 1];		/* place; "" else */
};

/*
 * A file that puts go to.  Counted: the journal keeps its descriptor until
 * the checkpoint, because only a descriptor held since the put is sure to
 * be told of a failed write-back.
 */
struct journal_file {
	int fd;
	unsigned refs;
	unsigned touched;		/* a bit for each half that has puts for it */
	struct journal_name name;
};

/* Takes the descriptor; one reference, the caller's.  NULL (fd closed) without memory. */
struct journal_file *journal_file_new(int fd, const struct journal_name *name);
struct journal_file *journal_file_ref(struct journal_file *f);
void journal_file_unref(struct journal_file *f);

struct journal;

/*
 * Where recovery finds the file that a put names.  MESS_NOTOPIC when it was
 * deleted since; MESS_CORRUPT when it is missing, which is counted; any
 * other error ends the recovery and leaves the journal as it is.
 */
struct journal_target {
	enum mess_err (*open)(void *arg, const struct journal_name *name, int *fd);
	void *arg;
};

struct journal_recovered {
	uint64_t entries;	/* rewritten */
	uint64_t damaged;	/* entries or puts that could not be */
};

/*
 * Rewrite every live entry's bytes, whether or not they look in place (the
 * page cache proves nothing), sync them, retire both halves.  Doing it
 * twice changes nothing.
 */
NODISCARD enum mess_err journal_recover(int spool, const struct journal_target *target,
    struct journal_recovered *out);

/* Open for writing; made when missing.  After recovery only. */
NODISCARD enum mess_err journal_open(int spool, struct work *work, struct journal **out);
/* Checkpoints and retires all, so that the next start has nothing to do; then frees. */
void journal_close(struct journal *j);

/* Bytes that the entry being gathered still has room for, as one put. */
size_t journal_room(const struct journal *j);
bool journal_is_empty(const struct journal *j);

/*
 * Add a put of len bytes; the caller fills *where before the commit.
 * Call with no more than journal_room.  journal_extend makes the last put
 * longer, and is allowed when
 * journal_last_is says so.
 */
NODISCARD enum mess_err journal_put(struct journal *j, struct journal_file *f, uint64_t off,
    size_t len, char **where);
bool journal_last_is(const struct journal *j, const struct journal_file *f, uint64_t end);
char *journal_extend(struct journal *j, size_t len);
/* Take back the entry to an earlier length: what a refused batch had put. */
struct journal_mark {
	size_t used, put, files;
	struct journal_file *file;
};
struct journal_mark journal_mark(const struct journal *j);
void journal_rewind(struct journal *j, struct journal_mark mark);

/*
 * Make the entry durable, then the puts in their files, unsynced.  An empty
 * entry is MESS_OK.  MESS_SICK for ever after a write or sync failed.
 */
NODISCARD enum mess_err journal_commit(struct journal *j);
bool journal_is_sick(const struct journal *j);
/* What was gathered is not the whole of a change: drop it and be sick. */
void journal_fail(struct journal *j);

/* Called, in order, once no live entry made so far names anything. */
struct journal_after {
	void (*fn)(void *arg);
	void *arg;
	unsigned half;		/* the journal's */
	TAILQ_ENTRY(journal_after) link;
};
void journal_after(struct journal *j, struct journal_after *a);
void journal_cancel(struct journal *j, struct journal_after *a);
bool journal_has_after(const struct journal *j);
/* Checkpoint and retire all; what waits in journal_after comes before this returns. */
void journal_drain(struct journal *j);
/* Let the halves take turns now, so that what waits in journal_after comes; does not wait. */
NODISCARD enum mess_err journal_checkpoint(struct journal *j);

/* Commits and their times in microseconds, of the last 1024. */
struct journal_stat {
	uint64_t commits;
	uint32_t p50_us, p99_us;
};
void journal_stat(const struct journal *j, struct journal_stat *out);

#endif
