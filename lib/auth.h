/* SPDX-License-Identifier: ISC */
/*
 * Who is calling, as the kernel says at connect, and what uids and gids are
 * called.  Nothing a caller sends changes who it is.
 */
#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sock.h"

#define AUTH_NAME_MAX 64	/* of a login, a group, an API key */

/*
 * Frozen at connect: never looked up again, never what the user would have
 * now.  The primary gid is among the groups; ids that the kernel could not
 * map are not.
 */
struct principal {
	struct mess_peer peer;
	gid_t *groups;		/* sorted; owned */
	size_t group_count;
	const char *key;	/* of an API key, who then is no user; NULL: a local user */
};
NODISCARD enum mess_err auth_identify(int fd, struct principal *out);
/* The same from the system's databases, for somebody who is not connected; false when there is no such user. */
bool auth_look_up(const char *login, struct principal *out);
void auth_free(struct principal *who);

/* What an unmapped uid or gid is given: nobody's. */
#define AUTH_OVERFLOW_ID 65534
static inline bool
auth_is_overflow(uint32_t id)
{
	return id == AUTH_OVERFLOW_ID || id == UINT32_MAX;
}
bool auth_in_group(const struct principal *who, gid_t gid);

/*
 * Names, remembered for a minute: "" where there is none, or one that would
 * break a line.  The text is good until the next call.
 */
const char *auth_login(uid_t uid);
const char *auth_group(gid_t gid);
/* Numbers, looked up each time; false when there is no such name. */
bool auth_find_user(const char *login, uid_t *out);
bool auth_find_group(const char *group, gid_t *out);
/* What is remembered may have changed. */
void auth_forget(void);

#endif
