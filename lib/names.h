/* SPDX-License-Identifier: ISC */
/*
 * Names: what a topic, a subscription and a pattern may be called.
 * Pure; the same rules for engine and clients.
 */
#ifndef NAMES_H
#define NAMES_H

#include "base/err.h"

#define NAME_TOPIC_MAX 200	/* bytes, with a last label dead; 195 without */
#define NAME_TOPIC_USER_MAX 195
#define NAME_TOPIC_LABELS 8	/* with dead; 7 without */
#define NAME_LABEL_MAX 63
#define NAME_LOGIN_MAX 64
#define NAME_SUB_MAX (10 + 1 + NAME_LABEL_MAX)	/* a subscription's file: NAME, or UID.NAME */
#define NAME_SUB_OF_MAX (NAME_LOGIN_MAX + 1 + NAME_LABEL_MAX)

/*
 * MESS_OK, or MESS_BADNAME and a static line that says which rule is
 * broken in *why (may be NULL).
 */
NODISCARD enum mess_err name_check_topic(const char *name, const char **why);
/* As above, and not one that belongs to the engine: mess.*, user, *.dead. */
NODISCARD enum mess_err name_check_new_topic(const char *name, const char **why);
NODISCARD enum mess_err name_check_sub(const char *name, const char **why);
/* NAME, or LOGIN/NAME for somebody's own. */
NODISCARD enum mess_err name_check_sub_of(const char *name, const char **why);
/* NAME, the topic's, or UID.NAME, that user's own: what its file is called. */
NODISCARD enum mess_err name_check_sub_file(const char *name);
/* A topic name in which labels may be `*` and the last `**`. */
NODISCARD enum mess_err name_check_pattern(const char *pattern, const char **why);

/*
 * Does pattern match name?  `*` is one label, a final `**` one or more;
 * they never match a first label mess or user or a last label dead.
 */
bool name_match(const char *pattern, const char *name);

/*
 * May one be taken for the other?  They differ only in characters that look
 * alike, or in one letter, or in two that changed places, of a label of four
 * bytes or more; digits count.  Not of a name and itself.
 */
bool name_is_alike(const char *a, const char *b);
/* How many single-character edits apart, at most 3 (more is 3). */
unsigned name_distance(const char *a, const char *b);

#endif
