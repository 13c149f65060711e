/* SPDX-License-Identifier: ISC */
/*
 * May they: the one function that decides, for every effect.
 *
 * Promise: what nothing allows is refused.  A site's rules come first: the
 * most specific pattern that names the caller, deny before allow; then the
 * topic's own list; else no.
 */
#ifndef ACL_H
#define ACL_H

#include "conf.h"
#include "conf_topic.h"

struct acl {
	bool personal;			/* a personal spool serves its owner only */
	uid_t owner;			/* of the spool */
	const struct conf *site;	/* mess.conf's administrators and rules; NULL: none */
	unsigned generation;		/* another after every change of what anybody may */
};

/* May this caller connect at all? */
bool acl_may_connect(const struct acl *acl, const struct principal *who);
/* Uid 0, the spool's owner, and whom mess.conf names. */
bool acl_is_admin(const struct acl *acl, const struct principal *who);

/* Is this somebody of a list, by number? */
bool acl_is_one(const struct who *w, const struct principal *who);
/* Is it somebody of a list that was written long ago: by number, and still called so? */
bool acl_is_granted(const struct grants *g, const struct principal *who, enum acl_right right);
/* A name below mess: the engine's own. */
bool acl_is_engines(const char *name);

/* What a right is asked on. */
struct acl_object {
	const char *name;
	const struct conf_topic *conf;	/* NULL: there is no such topic (yet) */
	const struct conf_topic *of;	/* of NAME, where it is NAME.dead; else NULL */
};

/* Why; the rule or who of a list that decided. */
enum acl_reason {
	ACL_NOBODY_ALLOWS,
	ACL_UNMAPPED,		/* the caller has no uid here */
	ACL_ENGINES,		/* the engine's own: who administers the spool reads it, nobody writes it */
	ACL_FROZEN,		/* the owner's uid was given to somebody new */
	ACL_BY_SPOOL,		/* a personal one, whose owner the caller is or is not */
	ACL_BY_ADMIN,
	ACL_BY_RULE,
	ACL_BY_OWNER,
	ACL_BY_GRANT,
	ACL_BY_LOGIN,		/* below the caller's user.LOGIN. */
	ACL_BY_LETTERS,		/* NAME's administrators and NAME.dead */
};
struct acl_verdict {
	bool may;
	enum acl_reason reason;
	const struct rule *rule;	/* borrowed from the site's rules */
	const struct who *who;		/* borrowed from the topic's list */
};
struct acl_verdict acl_decide(const struct acl *acl, const struct principal *who, enum acl_right right,
    const struct acl_object *object);

/* Is it below user.LOGIN., or user.uid-N. where the login is no label?  login "": the uid has none. */
bool acl_is_own_name(uid_t uid, const char *login, const char *name);

/* The verdict in words, `mess.conf line 7: allow publish @web on orders', for who asks why. */
NODISCARD enum mess_err acl_explain(const struct acl_verdict *v, struct buf *out);

#endif
