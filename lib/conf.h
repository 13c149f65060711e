/* SPDX-License-Identifier: ISC */
/*
 * Configuration texts <-> structs: mess.conf, a topic's file, a tombstone.
 * Pure.
 */
#ifndef CONF_H
#define CONF_H

#include "base/buf.h"
#include "names.h"

#define CONF_TEXT_MAX ((size_t)64 * 1024)
#define CONF_LOGIN_MAX 64

/* mess.conf; strings are allocated, NULL when not given. */
struct conf {
	char *spool;
	char *socket;
	char *user;
	bool sandbox;
};
void conf_free(struct conf *c);

/*
 * Read mess.conf.  MESS_CONFIG with the line's number and a static reason:
 * a file is taken whole or not at all.
 */
struct conf_error {
	unsigned line;
	const char *why;
};
NODISCARD enum mess_err conf_read(const char *text, size_t len, struct conf *out,
    struct conf_error *error);

/* Who owns a topic, and which one of the name it is.  Also its tombstone. */
struct conf_topic {
	uint32_t uid;
	char login[CONF_LOGIN_MAX + 1];	/* "-" where the uid has none */
	char incarnation[33];		/* hex */
	uint64_t created_sec;		/* of a tombstone: deleted */
	uint32_t created_nsec;
};
NODISCARD enum mess_err conf_read_topic(const char *text, size_t len, struct conf_topic *out);
NODISCARD enum mess_err conf_write_topic(const struct conf_topic *t, struct buf *out);

#endif
