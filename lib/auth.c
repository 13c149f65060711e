/* SPDX-License-Identifier: ISC */
/*
 * Who is calling: the names that uids have.  The uid itself is the
 * kernel's word, read once at accept (sock_peer); nothing a caller sends
 * changes it.
 */
#include "auth.h"

#include <bsd/string.h>
#include <pwd.h>

void
auth_login(uid_t uid, char *login, size_t size)
{
	struct passwd pw, *found = NULL;
	char mem[4096];

	login[0] = '\0';
	if (getpwuid_r(uid, &pw, mem, sizeof mem, &found) != 0 || found == NULL)
		return;
	/* A name that does not fit, or would break a topic's file, is none. */
	if (strlcpy(login, found->pw_name, size) >= size || strpbrk(login, " \t\r\n") != NULL)
		login[0] = '\0';
}
