/* SPDX-License-Identifier: ISC */
/*
 * MESSAGE STORAGE of one spool: what all its topics share.
 *
 * Promise: whole or not at all; after store_commit returned MESS_OK it
 * survives a power cut; what is read is what was written.
 */
#ifndef STORE_H
#define STORE_H

#include "journal.h"

struct store;

/* Where the store says what an administrator must know; one line, no newline. */
struct store_report {
	void (*fn)(void *arg, const char *line);
	void *arg;
};

/*
 * Recover, then open for writing.  spool (held, private, locked by the
 * caller) and work are borrowed for the store's life; find, for recovery,
 * opens the file that a journal entry names (journal_target).
 */
NODISCARD enum mess_err store_open(int spool, struct work *work,
    const struct store_report *report, const struct journal_target *find, struct store **out);
/* All parts must be gone.  Leaves nothing for the next start to recover. */
void store_close(struct store *s);

struct journal *store_journal(const struct store *s);
struct work *store_work(const struct store *s);
int store_dir(const struct store *s);
void store_say(const struct store *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Something whose block goes into every commit that changes it: a topic's
 * state, a subscription's place.  put adds at most `most` bytes.
 */
struct store_part {
	size_t most;
	enum mess_err (*put)(void *arg);
	void (*done)(void *arg, bool durable);
	void *arg;
	bool joined;
	TAILQ_ENTRY(store_part) link;
};

/* Take part in the commit being gathered; call after store_room for its bytes. */
void store_join(struct store *s, struct store_part *p);
/* A part that joined may put n bytes more in this commit; call after store_room for them. */
void store_widen(struct store *s, struct store_part *p, size_t n);
/* Forget a part that is going away; what it had to put goes with it. */
void store_leave(struct store *s, struct store_part *p);

/*
 * Room for n more bytes in the commit being gathered, beside what the
 * parts need; commits what is there if that makes it.
 */
NODISCARD enum mess_err store_room(struct store *s, size_t n);
NODISCARD enum mess_err store_commit(struct store *s);
bool store_is_sick(const struct store *s);

/* Nothing waits for a commit or for the helper. */
bool store_is_clean(const struct store *s);

/* Keep a copy of damaged bytes in .quarantine/NAME, once; true when it was not there before. */
bool store_quarantine(struct store *s, const char *name, int fd, uint64_t off, uint64_t len);

/* An id as 32 lower-case hex digits and a NUL; and back. */
#define STORE_HEX_LEN (2 * JOURNAL_ID_LEN + 1)
void store_hex(const unsigned char *id, char *hex);
NODISCARD enum mess_err store_unhex(const char *hex, unsigned char *id);

#endif
