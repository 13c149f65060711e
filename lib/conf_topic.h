/* SPDX-License-Identifier: ISC */
/*
 * A topic's file <-> struct, and its tombstone.  Pure.
 */
#ifndef CONF_TOPIC_H
#define CONF_TOPIC_H

#include "base/buf.h"
#include "grants.h"
#include "names.h"

#define CONF_TOPIC_MAX ((size_t)32 * 1024)	/* bytes of a topic's file */
#define CONF_LOGIN_MAX AUTH_NAME_MAX
#define CONF_DESCRIBE_MAX 255

/*
 * Who owns a topic, which one of the name it is, and its settings.  Also
 * its tombstone.  A number that is 0 is not set: no limit, or the spool's.
 * grants is owned: conf_topic_copy shares it, conf_topic_free lets it go.
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
	struct grants *grants;
};
void conf_topic_free(struct conf_topic *t);
void conf_topic_copy(struct conf_topic *to, const struct conf_topic *from);

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
/* A line for each right that somebody was granted; with numbers as in the topic's file. */
NODISCARD enum mess_err conf_write_grants(const struct conf_topic *t, bool numbers, struct buf *out);
NODISCARD enum mess_err conf_read_topic(const char *text, size_t len, struct conf_topic *out);
NODISCARD enum mess_err conf_write_topic(const struct conf_topic *t, struct buf *out);

#endif
