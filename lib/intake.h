/* SPDX-License-Identifier: ISC */
/*
 * Intake: files that the spool's owner moved into new/ become messages.
 *
 * Promise: each exactly once, across a crash at any point; none is refused
 * that a publisher was told is durable.  inotify only wakes: what counts is
 * what a look into new/ finds.
 */
#ifndef INTAKE_H
#define INTAKE_H

#include "base/loop.h"
#include "topic.h"

struct intake;

/* Watches and then looks into every topic.  owner: the spool's. */
NODISCARD enum mess_err intake_new(struct topics *topics, struct loop *loop, uid_t owner,
    uint64_t body_max, struct intake **out);
void intake_free(struct intake *in);

/* A topic was made, is to be deleted. */
void intake_add(struct intake *in, struct topic *t);
void intake_remove(struct intake *in, struct topic *t);

/*
 * Take in what is there.  Called before a publish on the socket is handled,
 * so that what was in new/ when it arrived comes before it; commits.
 */
NODISCARD enum mess_err intake_run(struct intake *in);
/* True when intake_run has something to do, asked of the kernel now. */
bool intake_is_due(struct intake *in);
/* What waited in its new/ may come in. */
void intake_wake(struct intake *in, struct topic *t);
/* Look into every topic again. */
void intake_rescan(struct intake *in);

#endif
