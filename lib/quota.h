/* SPDX-License-Identifier: ISC */
/*
 * What is kept in the spool, charged to who owns it: topics, their messages
 * and bytes, users' own subscriptions.
 *
 * A topic is counted when it is first used, and all that are there soon
 * after the start, a few at a time: nobody waits for it.
 */
#ifndef QUOTA_H
#define QUOTA_H

#include "base/loop.h"
#include "user_limits.h"
#include "subscription.h"

struct quota;

NODISCARD enum mess_err quota_new(struct limits *limits, struct topics *topics, struct loop *loop,
    struct quota **out);
void quota_free(struct quota *q);

/* Has the owner room for so much more in a topic in use?  Else why (LIMITS_TEXT bytes) says what is full. */
bool quota_has_room(struct quota *q, struct topic *t, uint64_t messages, uint64_t bytes, char *why);
/*
 * At a topic's limit, or its owner's: does this one give up its oldest before
 * a publisher is refused?  A user's own does, but for the topic's owner's and
 * administrators'.
 */
bool quota_yields(struct quota *q, const struct subscription *s);
/* What those hold of all that the topic's owner keeps goes, until there is room; false if that is not enough. */
NODISCARD bool quota_yield(struct quota *q, struct topic *t, uint64_t messages, uint64_t bytes, const char *why);
/* More or less is kept in a topic in use than was. */
void quota_changed(struct quota *q, struct topic *t);
/* It is deleted. */
void quota_gone(struct quota *q, struct topic *t);

/* A user's own subscription is made, is removed; the topic's are nobody's. */
bool quota_may_subscribe(struct quota *q, struct topic *t, struct limits_user *u, char *why);
void quota_subscribed(struct quota *q, const struct subscription *s);
void quota_unsubscribed(struct quota *q, const struct subscription *s);

#endif
