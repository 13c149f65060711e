/* SPDX-License-Identifier: ISC */
/*
 * Access.  Everything fails closed: what no rule allows is refused.
 */
#include "acl.h"

#include <stdio.h>
#include <string.h>

#include "names.h"

bool
acl_is_admin(const struct acl *acl, const struct mess_peer *who)
{
	return who->uid == acl->owner || (who->uid == 0 && !acl->personal);
}

bool
acl_may_connect(const struct acl *acl, const struct mess_peer *who)
{
	return !acl->personal || who->uid == acl->owner;
}

bool
acl_may(const struct acl *acl, const struct mess_peer *who, enum acl_right right,
    uid_t topic_owner)
{
	switch (right) {
	case ACL_PUBLISH:
	case ACL_SUBSCRIBE:
	case ACL_ADMIN:
		return acl_is_admin(acl, who) || who->uid == topic_owner;
	case ACL_CREATE:
		return acl_is_admin(acl, who);
	}
	return false;
}

bool
acl_may_create(const struct acl *acl, const struct mess_peer *who, const char *login,
    const char *topic)
{
	char own[NAME_TOPIC_MAX + 1];
	int n;

	if (acl_is_admin(acl, who))
		return true;
	/* A login that could be taken for user.uid-N of another is used by number too. */
	if (login != NULL && name_check_sub(login, NULL) == MESS_OK && strncmp(login, "uid-", 4) != 0)
		n = snprintf(own, sizeof own, "user.%s.", login);
	else
		n = snprintf(own, sizeof own, "user.uid-%u.", who->uid);
	return n > 0 && (size_t)n < sizeof own && strncmp(topic, own, (size_t)n) == 0;
}
