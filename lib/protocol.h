/* SPDX-License-Identifier: ISC */
/*
 * The protocol: lines <-> structs.  Pure; mess-protocol(7) is its manual.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include "base/buf.h"
#include "names.h"
#include "record.h"
#include "who.h"

#define PROTOCOL_VERSION 1
#define PROTOCOL_LINE_MAX 4096		/* with its newline */
#define PROTOCOL_HEADERS_MAX (RECORD_HEADERS_MAX + 1024)	/* with instructions before them */
#define PROTOCOL_BATCH_MAX ((size_t)4 * 1024 * 1024)	/* bytes of one PUBS */
#define PROTOCOL_BATCH_COUNT 16384	/* messages of one PUBS */
#define PROTOCOL_CHUNK_MAX ((size_t)1024 * 1024)	/* bytes of one STREAM chunk */
#define PROTOCOL_TAKE_MAX INT64_MAX
#define PROTOCOL_OPTIONS_MAX ((size_t)8192)	/* bytes of option lines */

enum request_verb {
	REQ_HELLO,
	REQ_PUB,
	REQ_PUBS,
	REQ_STREAM,
	REQ_RESUME,
	REQ_SUB,
	REQ_TAIL,
	REQ_PEEK,
	REQ_READ,
	REQ_TAKE,
	REQ_ACK,
	REQ_NACK,
	REQ_RETRY,
	REQ_DEAD,
	REQ_HOLD,
	REQ_SETTLE,
	REQ_SUBADD,
	REQ_SUBRM,
	REQ_SEEK,
	REQ_RELEASE,
	REQ_REDRIVE,
	REQ_CREATE,
	REQ_SET,
	REQ_PURGE,
	REQ_DELETE,
	REQ_LIST,
	REQ_SHOW,
	REQ_STAT,
	REQ_CHECK,
	REQ_SECURITY,
};

/* The word of a request, PUB; static. */
const char *protocol_verb(enum request_verb verb);

/* A place to begin at: oldest, now, N, -N (the last N), @SECONDS.NANOSECONDS. */
struct position {
	enum { POS_OLDEST, POS_NOW, POS_NUMBER, POS_LAST, POS_TIME } kind;
	uint64_t n;		/* number, or seconds */
	uint32_t nsec;
};

/* How a held message ends. */
enum settle {
	SETTLE_ACK,
	SETTLE_NACK,
	SETTLE_RETRY,
	SETTLE_DEAD,
};

struct request {
	enum request_verb verb;
	char topic[NAME_TOPIC_MAX + 1];	/* or a pattern, checked as such */
	char after[NAME_TOPIC_MAX + 1];	/* LIST, STAT: last name seen, or "" */
	char sub[NAME_SUB_OF_MAX + 1];	/* NAME or LOGIN/NAME */
	char login[AUTH_NAME_MAX + 1];	/* CHECK */
	enum acl_right right;		/* CHECK */
	uint64_t version;		/* HELLO */
	uint64_t headers_len;		/* PUB, STREAM */
	uint64_t body_len;		/* PUB; PUBS: bytes of the batch */
	uint64_t count;			/* PUBS: messages; TAKE: credit */
	bool now;			/* TAKE */
	const char *ranges;		/* ACK, NACK: borrowed from the line, protocol_next_range */
	size_t ranges_len;
	uint64_t options_len;		/* bytes of option lines that follow: protocol_next_option */
	uint64_t seq;			/* RETRY, DEAD, HOLD, SETTLE; READ: the first */
	uint64_t last;			/* READ */
	uint64_t ms;			/* HOLD */
	uint64_t token;			/* SETTLE */
	enum settle how;
	bool has_position;		/* PURGE: not everything */
	struct position position;	/* SEEK; PURGE: POS_TIME */
};

/*
 * Read a request line without its newline.  On an error *why (may be NULL)
 * is a static line for the caller.  MESS_PROTOCOL: unknown or malformed, the connection
 * cannot go on.  MESS_BADNAME, MESS_TOOBIG: understood, refused; the counted
 * bytes of out are then right.
 */
NODISCARD enum mess_err protocol_read_request(const char *line, size_t len, struct request *out,
    const char **why);

/* The next of the ranges; false at the end.  The line was checked before. */
bool protocol_next_range(const char **ranges, size_t *len, uint64_t *lo, uint64_t *hi);

/* oldest, now, N, -N or @SEC.NSEC; false for anything else. */
bool protocol_read_position(const char *text, size_t len, struct position *out);

/*
 * The next "Name: value" of option lines; false at the end.  MESS_USAGE in
 * *err when what is left is no such line.
 */
struct protocol_option {
	const char *name, *value;	/* borrowed, not ended */
	size_t name_len, value_len;
};
bool protocol_next_option(const char **options, size_t *len, struct protocol_option *out,
    enum mess_err *err);
bool protocol_option_is(const struct protocol_option *o, const char *name);
/* A decimal number of at most 2^63-1. */
bool protocol_option_number(const struct protocol_option *o, uint64_t *out);

/*
 * "HLEN BLEN\n" before each message of a PUBS; *used is the line's length.
 * Whether the message itself is among the len bytes is for the caller.
 */
NODISCARD enum mess_err protocol_read_item(const char *data, size_t len, uint64_t *headers_len,
    uint64_t *body_len, size_t *used);

/* "LEN\n" before each chunk of a STREAM, without its newline. */
NODISCARD enum mess_err protocol_read_chunk(const char *line, size_t len, uint64_t *chunk);

enum reply_kind {
	REPLY_OK,	/* words: what follows OK */
	REPLY_ERR,	/* err and text */
	REPLY_MSG,	/* topic, count, bytes */
	REPLY_END,
	REPLY_GONE,	/* topic, err and text */
};

struct reply {
	enum reply_kind kind;
	enum mess_err err;
	const char *text;	/* ERR, GONE: the text; OK: the rest of the line; borrowed, not ended */
	size_t text_len;
	char topic[NAME_TOPIC_MAX + 1];
	uint64_t count, bytes;
	uint64_t attempt;	/* MSG: 1 is the first */
};

/*
 * Read a line of the engine's without its newline; MESS_PROTOCOL if it is
 * none.  An ERR or GONE with an unknown word is one, with err MESS_PROTOCOL.
 */
NODISCARD enum mess_err protocol_read_reply(const char *line, size_t len, struct reply *out);

/*
 * The k-th number (from 0) in an OK reply's words, other words not counted;
 * false if there is none.
 */
bool protocol_reply_number(const struct reply *r, unsigned k, uint64_t *out);

#endif
