/* SPDX-License-Identifier: ISC */
/*
 * How much: what each user has of what is shared, and may have.
 *
 * Promise: a user at a limit is refused, or waits, and nobody else is; what
 * was charged is given back with the object it was charged for.  One tier:
 * many connections, topics or subscriptions bring no further allowance.
 */
#ifndef USER_LIMITS_H
#define USER_LIMITS_H

#include "acl.h"
#include "limit_rule.h"
#include "turns.h"

struct limits;

/* One uid, or one API key, for as long as something is charged to it or somebody holds it. */
struct limits_user;

/* acl tells who is an administrator: they are charged, and never refused. */
NODISCARD enum mess_err limits_new(const struct acl *acl, struct limits **out);
void limits_free(struct limits *l);

/* Held until limits_release; the values are those of this caller's uid and groups from now on. */
struct limits_user *limits_hold(struct limits *l, const struct principal *who);
/* Likewise of who owns something and is perhaps not connected. */
struct limits_user *limits_hold_uid(struct limits *l, uid_t uid);
void limits_release(struct limits_user *u);
/* What it has to do in the engine's turns. */
struct turns_user *limits_turns(struct limits_user *u);
/* Of the spool. */
bool limits_is_admin(const struct limits_user *u);
/* What costs much is done for one user once in so many milliseconds: is it time?  Then it is done now. */
bool limits_is_due(struct limits_user *u, uint64_t ms);
/* Rules changed. */
void limits_again(struct limits_user *u, const struct principal *who);

/* What there is of it: false when n more would be too much; then nothing is charged. */
bool limits_charge(struct limits_user *u, enum limit_name what, uint64_t n);
void limits_refund(struct limits_user *u, enum limit_name what, uint64_t n);
/* What is there already is charged, whatever the limit. */
void limits_recharge(struct limits_user *u, enum limit_name what, uint64_t was, uint64_t is);
bool limits_has_room(const struct limits_user *u, enum limit_name what, uint64_t n);
uint64_t limits_used(const struct limits_user *u, enum limit_name what);

/*
 * Rates: false when more than that came in this second.  A single n above
 * the limit is taken when the whole second is there, or it never would be.
 */
bool limits_spend(struct limits_user *u, enum limit_name what, uint64_t n);
/* What cannot be refused any more is made up for by what comes next. */
void limits_owe(struct limits_user *u, enum limit_name what, uint64_t n);
/* When something can be spent again, in ms from now; 0: now. */
uint64_t limits_wait_ms(struct limits_user *u, enum limit_name what);

/* "connections: a user has at most 256 connections at once; you have 256". */
#define LIMITS_TEXT 160
const char *limits_text(const struct limits_user *u, enum limit_name what, char *text);

#endif
