/* SPDX-License-Identifier: ISC */
/*
 * Judging a spool's directory and those above it.
 */
#include "deliverd-spool.h"

#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/*
 * Somebody else may rename what is in it: all may write it (and it is not
 * sticky), or a group that is not just its owner's.
 */
static bool
is_open_to_others(const struct stat *st, const struct stat *spool)
{
	if ((st->st_mode & S_ISVTX) != 0)
		return false;
	if (st->st_uid != 0 && st->st_uid != spool->st_uid)
		return true;
	return (st->st_mode & 002) != 0 ||
	    ((st->st_mode & 020) != 0 && st->st_gid != 0 && st->st_gid != spool->st_gid);
}

const char *
spooldir_check(const char *path, const struct stat *st)
{
	AUTO_FREE char *real = realpath(path, NULL);
	struct stat up;

	if (!S_ISDIR(st->st_mode))
		return "not a directory";
	if ((st->st_mode & 077) != 0)
		return "open to others; its mode must be 0700";
	if (real == NULL)
		return "its path cannot be followed";
	for (char *dir = dirname(real);; dir = dirname(dir)) {
		if (stat(dir, &up) == -1)
			return "a directory above it cannot be looked at";
		if (is_open_to_others(&up, st))
			return "a directory above it may be written by others";
		if (strcmp(dir, "/") == 0)
			return NULL;
	}
}
