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
#define CONF_TOPIC_MAX ((size_t)2048)	/* bytes of a topic's file */
#define CONF_LOGIN_MAX 64
#define CONF_DESCRIBE_MAX 255

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

/*
 * Who owns a topic, which one of the name it is, and its settings.  Also
 * its tombstone.  A number that is 0 is not set: no limit, or the spool's.
 */
struct conf_topic {
	uint32_t uid;
	char login[CONF_LOGIN_MAX + 1];	/* "-" where the uid has none */
	char incarnation[33];		/* hex */
	uint64_t created_sec;		/* of a tombstone: deleted */
	uint32_t created_nsec;
	uint64_t max_age;		/* seconds; older messages go, settled or not */
	uint64_t keep;			/* seconds; younger ones stay, settled or not */
	uint64_t max_bytes;		/* of what is kept */
	uint64_t max_messages;		/* kept */
	uint64_t max_size;		/* of a body */
	uint64_t max_attempts;
	bool full_drop;			/* at a limit the oldest go; else publishers are refused */
	bool paused_in;			/* takes nothing */
	bool paused_out;		/* hands out nothing */
	char describe[CONF_DESCRIBE_MAX + 1];
};

/*
 * The settings that are numbers, once: their word in the file, on the wire
 * (there in any case, so that Max-Age is max-age) and on the command line.
 */
struct conf_number {
	const char *word;
	size_t offset;			/* in struct conf_topic */
	uint64_t least, most;		/* or 0, which unsets it */
};
#define CONF_NUMBERS 6
extern const struct conf_number conf_numbers[CONF_NUMBERS];
uint64_t conf_number(const struct conf_topic *t, const struct conf_number *n);
void conf_set_number(struct conf_topic *t, const struct conf_number *n, uint64_t value);
/* no, in, out or both. */
const char *conf_paused(const struct conf_topic *t);

/* The settings that are set, a line each, as in the topic's file. */
NODISCARD enum mess_err conf_write_settings(const struct conf_topic *t, struct buf *out);
NODISCARD enum mess_err conf_read_topic(const char *text, size_t len, struct conf_topic *out);
NODISCARD enum mess_err conf_write_topic(const struct conf_topic *t, struct buf *out);

#endif
