/* SPDX-License-Identifier: ISC */
/*
 * mess-topic import: what its two kinds of input share.
 */
#ifndef TOPIC_IMPORT_H
#define TOPIC_IMPORT_H

#include "base/buf.h"
#include "record.h"
#include "topic-verb.h"

#define IMPORT_PIECE ((size_t)128 * 1024)
#define IMPORT_START ((size_t)6)	/* bytes that tell records from an archive: "mess1 " */

struct import {
	struct mess *m;
	const char *topic;
	int fd;
	bool eof;
	struct buf in;
	const char *unit;	/* what is counted: record, file */
	uint64_t durable;	/* of what was published before the stream that is open */
	bool streaming;
	struct buf why;		/* what is wrong with the input, if that is it */
};

/* More of the input, or its end. */
NODISCARD enum mess_err import_more(struct import *i);
/* Notes why the input cannot be taken, and returns err. */
enum mess_err import_bad(struct import *i, enum mess_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A message of at most MESS_INLINE_MAX bytes; the same in pieces. */
NODISCARD enum mess_err import_message(struct import *i, const struct mess_message *msg);
NODISCARD enum mess_err import_begin(struct import *i, const char *headers, size_t len);
/* left bytes of the input become the body; sum (or NULL) hears of it. */
NODISCARD enum mess_err import_body(struct import *i, uint64_t left, struct record_summer *sum);
NODISCARD enum mess_err import_end(struct import *i);

/* topic-records.c, topic-tar.c: the whole of the input. */
NODISCARD enum mess_err import_records(struct import *i);
NODISCARD enum mess_err import_tar(struct import *i);

#endif
