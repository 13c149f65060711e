/* SPDX-License-Identifier: ISC */
/*
 * The topic mess.audit: audit's lines as messages, of the engine's own uid
 * and pid.
 *
 * Promise: a line about a change is in the commit that ends its turn, so
 * durable before its caller is answered; others within a second.  It never
 * refuses and never grows beyond its limits: the oldest go.
 */
#ifndef AUDIT_TOPIC_H
#define AUDIT_TOPIC_H

#include "audit.h"
#include "base/loop.h"
#include "topic.h"

#define AUDIT_TOPIC "mess.audit"

struct audit_topic;

struct audit_topic_setup {
	struct audit *audit;
	struct topics *topics;
	struct loop *loop;
	uid_t owner;		/* of the spool */
};
/* Makes it where it is missing; after Retention, before what is stored is looked at. */
NODISCARD enum mess_err audit_topic_new(const struct audit_topic_setup *setup,
    struct audit_topic **out);
void audit_topic_free(struct audit_topic *a);

/* Into the commit being gathered, just before it; all: what could wait, too.  NULL: there is none. */
void audit_topic_write(struct audit_topic *a, bool all);

#endif
