/* SPDX-License-Identifier: ISC */
/*
 * Publishing without an engine: SPOOL/TOPIC/tmp -> SPOOL/TOPIC/new.
 *
 * Promise: when maildir_end or maildir_put says MESS_OK the file is in
 * new/ whole, survives a power cut, and the topic that it was meant for is
 * still the one of that name.  On any earlier error nothing is left behind.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "limit.h"

enum maildir_form {
	MAILDIR_BODY,		/* the file is one body, any bytes */
	MAILDIR_RECORDS,	/* the file is records with SEQ 0; named .rec */
};

/* A file on its way in. */
struct maildir;

/*
 * spool is the held spool directory, borrowed until the end.  MESS_NOTOPIC
 * when there is no such topic yet, MESS_DENIED when the spool is not ours
 * alone: then only the engine may publish.
 */
NODISCARD enum mess_err maildir_begin(int spool, const char *topic, enum maildir_form form,
    struct maildir **out);
NODISCARD enum mess_err maildir_write(struct maildir *d, const void *data, size_t len);
/* Frees d, whatever it returns. */
NODISCARD enum mess_err maildir_end(struct maildir *d);
/* Leaves nothing behind; NULL is fine. */
void maildir_abort(struct maildir *d);

/* All three in one. */
NODISCARD enum mess_err maildir_put(int spool, const char *topic, enum maildir_form form,
    const void *data, size_t len);

/*
 * Whether maildir_begin would find the topic, and nothing in its settings
 * could refuse a message: MESS_LIMIT when the engine has to be asked,
 * because only it knows how full the topic is.
 */
NODISCARD enum mess_err maildir_check(int spool, const char *topic);

#endif
