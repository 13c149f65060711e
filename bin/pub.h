/* SPDX-License-Identifier: ISC */
/*
 * What the files of mess-pub share.
 *
 *   mess-pub.c       options, exit status, what stopped it
 *   pub-input.c      reading; the whole input, or pieces of it
 *   pub-records.c    what mess-sub --records wrote
 *   pub-json.c       objects, one a line
 *   pub-head.c       what goes before a body
 *   pub-send.c       to the engine: in a stream, again when there is room, all or nothing
 *   pub-progress.c   how far it got, on a terminal
 */
#ifndef PUB_H
#define PUB_H

#include <stdio.h>

#include "base/buf.h"
#include "cli.h"
#include "record.h"

#define PUB_PIECE ((size_t)256 * 1024)	/* one read */
#define PUB_DELIM_MAX 64
#define PUB_LINE_MAX ((size_t)64 * 1024 * 1024)	/* of --json */

enum form {
	FORM_WHOLE,	/* all of the input is one message */
	FORM_PIECES,
	FORM_RECORDS,
	FORM_JSON,
};

struct options {
	struct cli_where where;
	const char *topic;
	enum form form;
	const char *unit;	/* what a message is called where the stream stopped */
	char delim[PUB_DELIM_MAX];
	size_t delim_len;
	const char *message;
	const char *file;
	struct buf headers;	/* of -H */
	const char *id;		/* a pattern: %n is the message's number */
	const char *key;
	const char *at, *delay, *ttl;	/* as they were given; or NULL */
	uint64_t at_sec;
	uint32_t at_nsec;
	uint64_t delay_ms, ttl_ms;
	bool atomic, tee, wait;
	uint64_t wait_ms;	/* UINT64_MAX: for ever */
	int verbose;
};

/* A message with what goes before it and what --tee writes of it; borrowed. */
struct pub_message {
	const char *headers;	/* its own: those of -H come behind */
	size_t headers_len;
	const char *body;
	size_t body_len;
	const char *raw;	/* as it stood in the input */
	size_t raw_len;
};

struct progress {
	bool on, shown;
	uint64_t began, last;	/* ms */
	uint64_t bytes;
};

struct pub {
	const struct options *o;
	struct mess *m;
	int fd;
	bool eof;
	struct buf in;
	uint64_t taken;		/* messages that were begun */
	uint64_t durable;	/* before the stream that is open */
	bool streaming;
	struct buf head;	/* of the message in hand: instructions, headers */
	struct buf flight;	/* messages that are not known to be durable, where they may be wanted again */
	uint64_t in_flight;	/* how many of them */
	uint64_t deadline;	/* of --wait, while it waits; ms */
	bool waited_out;
	int spill;		/* a large body, where it may be wanted again; or -1 */
	struct buf spill_raw;	/* what stood before it */
	struct progress progress;
	struct buf why;		/* what is wrong with the input, where that is the error */
};

/* The input is at fault, or the reading of it; returns err. */
enum mess_err pub_bad_input(struct pub *p, enum mess_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* pub-input.c: one more read into p->in, waiting for it; p->eof at the end. */
NODISCARD enum mess_err pub_read_more(struct pub *p);
NODISCARD enum mess_err pub_whole(struct pub *p);
NODISCARD enum mess_err pub_text(struct pub *p);
NODISCARD enum mess_err pub_pieces(struct pub *p);
/* pub-records.c, pub-json.c */
NODISCARD enum mess_err pub_records(struct pub *p);
NODISCARD enum mess_err pub_json(struct pub *p);

/*
 * pub-send.c: a message of at most MESS_INLINE_MAX bytes; or a larger one in
 * pieces.  raw is what --tee writes before and behind the body.  pub_end:
 * all of it is durable.
 */
NODISCARD enum mess_err pub_send(struct pub *p, const struct pub_message *msg);
NODISCARD enum mess_err pub_begin(struct pub *p, const struct pub_message *msg);
NODISCARD enum mess_err pub_write(struct pub *p, const char *data, size_t len);
NODISCARD enum mess_err pub_finish(struct pub *p, const char *raw, size_t raw_len);
NODISCARD enum mess_err pub_end(struct pub *p);
/* What can leave leaves; called while input is waited for. */
NODISCARD enum mess_err pub_flush(struct pub *p);
uint64_t pub_durable(const struct pub *p);
void pub_send_init(struct pub *p);
void pub_send_free(struct pub *p);

/* pub-head.c: --delay, and --ttl, from now on: beyond what times there are? */
bool pub_is_due_too_late(const struct options *o);
bool pub_expires_too_late(const struct options *o);
/* Into p->head; and the id of message number n. */
NODISCARD enum mess_err pub_put_head(struct pub *p, const struct pub_message *msg);
NODISCARD enum mess_err pub_put_id(const struct pub *p, uint64_t n, struct buf *b);

/* pub-progress.c: called as often as one likes. */
void pub_progress_init(struct pub *p);
void pub_progress(struct pub *p);
void pub_progress_end(struct pub *p);

#endif
