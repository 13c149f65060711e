/* SPDX-License-Identifier: ISC */
/*
 * What mess-topic's verbs share: the call as the command line has it, and
 * the engine's `key value` lines.
 */
#ifndef TOPIC_VERB_H
#define TOPIC_VERB_H

#include "cli.h"

/*
 * Options that some verbs have; the table in mess-topic.c says how they are
 * written, and each verb's row there which it takes.
 */
enum topic_option {
	OPT_ADMIN,
	OPT_AGE,
	OPT_BEFORE,
	OPT_COLOR,
	OPT_COUNT_N,
	OPT_DEAD,
	OPT_DEPTH,
	OPT_DESCRIBE,
	OPT_DRY_RUN,
	OPT_EMPTY,
	OPT_FULL,
	OPT_HEADER,
	OPT_JSON,
	OPT_KEEP,
	OPT_MATCH,
	OPT_MAX_AGE,
	OPT_MAX_ATTEMPTS,
	OPT_MAX_BYTES,
	OPT_MAX_MESSAGES,
	OPT_MAX_SIZE,
	OPT_PROMETHEUS,
	OPT_PUBLISH,
	OPT_RAW,
	OPT_RECORDS,
	OPT_REPAIR,
	OPT_SECURITY,
	OPT_SHARE,
	OPT_SUBSCRIPTION,
	OPT_SUBSCRIBE,
	OPT_TEXT,
	OPT_USER,
	OPT_WAIT,
	OPT_WATCH,
	OPT_YES,
	OPT_COUNT,
};

#define OPT_BIT(option) (UINT64_C(1) << (option))

struct topic_call {
	struct cli_where where;
	const char *value[OPT_COUNT];	/* NULL: not given; "" for one that takes no value */
	char **args;			/* the operands behind the verb */
	int count;
	const char *last;		/* -N, the last N: an operand that looks like an option; or NULL */
	int verbose;
};

static inline bool
call_has(const struct topic_call *c, enum topic_option option)
{
	return c->value[option] != NULL;
}

/* What is wrong with the command line, one line; exits with EX_USAGE. */
_Noreturn void call_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Of the options that verb takes, word takes only these: exits with EX_USAGE for others. */
void call_only(const struct topic_call *c, const char *verb, const char *word, uint64_t options);

/*
 * topic-delete.c: for what cannot be taken back.  True: only say what would
 * go.  Exits with EX_USAGE at a terminal without --yes.
 */
bool call_is_dry(const struct topic_call *c, const char *verb);

/* topic-peek.c: N or LO-HI, and the value of --header; exit with EX_USAGE for anything else. */
void call_range(const char *verb, const char *text, struct mess_range *out);
const char *call_header(const char *verb, const struct topic_call *c);

/* topic-access.c: check --user; 0 yes, 1 no. */
int topic_check_user(struct mess *m, const struct topic_call *c);

/*
 * The verbs.  m is connected to nothing yet; what is returned is the exit
 * status, and what went wrong was said.  stdout is flushed by the caller.
 */
int verb_check(struct mess *m, const struct topic_call *c);
int verb_create(struct mess *m, const struct topic_call *c);
int verb_delete(struct mess *m, const struct topic_call *c);
int verb_export(struct mess *m, const struct topic_call *c);
int verb_grant(struct mess *m, const struct topic_call *c);
int verb_fsck(struct mess *m, const struct topic_call *c);
int verb_import(struct mess *m, const struct topic_call *c);
int verb_list(struct mess *m, const struct topic_call *c);
int verb_pause(struct mess *m, const struct topic_call *c);
int verb_peek(struct mess *m, const struct topic_call *c);
int verb_purge(struct mess *m, const struct topic_call *c);
int verb_redrive(struct mess *m, const struct topic_call *c);
int verb_revoke(struct mess *m, const struct topic_call *c);
int verb_resume(struct mess *m, const struct topic_call *c);
int verb_set(struct mess *m, const struct topic_call *c);
int verb_show(struct mess *m, const struct topic_call *c);
int verb_stat(struct mess *m, const struct topic_call *c);
int verb_sub(struct mess *m, const struct topic_call *c);
int verb_verify(struct mess *m, const struct topic_call *c);
int verb_wait(struct mess *m, const struct topic_call *c);

/* topic-lines.c: the next line of a text; false at its end.  Words are borrowed, and ended in place. */
bool lines_next(char **at, char **key, char **value);
/* The same as JSON on stdout: a string; a number where the value is one; a member. */
void lines_json_string(const char *s);
void lines_json_value(const char *s);
void lines_json_member(const char *key, const char *value);

#endif
