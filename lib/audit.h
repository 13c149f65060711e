/* SPDX-License-Identifier: ISC */
/*
 * Audit: what was decided, one line each.
 *
 * Promise: a line is printable ASCII, of bounded length, the same keys in
 * the same order, and no value that anybody chose can end it, or make a key
 * of its own.  Floods are counted exactly, not written.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "auth.h"

#define AUDIT_VALUE_MAX 200	/* bytes of a value, before they are escaped */
#define AUDIT_LINE_MAX 4000	/* of a line; with what goes before it, a pipe takes it whole */

struct audit;

struct audit_setup {
	uid_t owner;				/* of the spool; floods of others are not its or root's */
	uint64_t (*now)(void);			/* milliseconds that only rise */
	void (*say)(void *arg, const char *line);	/* to whoever reads at once */
	void *arg;
};
NODISCARD enum mess_err audit_new(const struct audit_setup *setup, struct audit **out);
void audit_free(struct audit *a);

/* NULL where there is none. */
struct audit_event {
	const char *event;		/* a literal; floods are counted by it */
	const struct principal *who;	/* NULL: the engine itself */
	const char *action, *object, *sub, *result, *rule, *detail;
	bool change;			/* is to be durable with what it tells of */
	bool said;			/* say it to nobody: it was, in other words */
};
/* a NULL: nobody audits. */
void audit(struct audit *a, const struct audit_event *e);

/* Lines that wait to be stored, the oldest first, each with its newline; NULL: none.  audit_taken when one is. */
const char *audit_next(const struct audit *a, size_t *len);
void audit_taken(struct audit *a);
/* Does one of them tell of a change? */
bool audit_has_change(const struct audit *a);
/* Nothing waits, and no flood is to be told of. */
bool audit_is_idle(const struct audit *a);

/* Tell of floods that are over; at the end, of all. */
void audit_tell(struct audit *a, bool end);

#endif
