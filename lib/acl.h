/* SPDX-License-Identifier: ISC */
/*
 * May they: the one function that decides, for every effect.
 */
#ifndef ACL_H
#define ACL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/sock.h"

enum acl_right {
	ACL_PUBLISH,
	ACL_SUBSCRIBE,
	ACL_ADMIN,
	ACL_CREATE,
};

struct acl {
	bool personal;		/* a personal spool serves its owner only */
	uid_t owner;		/* of the spool */
};

/* May this caller connect at all? */
bool acl_may_connect(const struct acl *acl, const struct mess_peer *who);
/* Uid 0 and the spool's owner. */
bool acl_is_admin(const struct acl *acl, const struct mess_peer *who);

/*
 * May who use a topic of topic_owner so?  Default deny: its owner and the
 * administrators may, nobody else.
 */
bool acl_may(const struct acl *acl, const struct mess_peer *who, enum acl_right right,
    uid_t topic_owner);

/*
 * May who, called login (NULL when the uid has none), make a topic of this
 * name?  Administrators any that is not the engine's; others below
 * user.LOGIN. only, or user.uid-N. where the login is no label.
 */
bool acl_may_create(const struct acl *acl, const struct mess_peer *who, const char *login,
    const char *topic);

#endif
