/* SPDX-License-Identifier: ISC */
/*
 * A planted bug, to be preloaded: fsync and fdatasync of the files that
 * CRASH_NOSYNC names do nothing.  It is a glob for the path below the
 * spool, slashes included: "*" + "/cur" for directories, "*" + "/new/X".
 * CRASH_NOSYNC_CALL is fsync or fdatasync where only one of them is meant.
 */
#include <dlfcn.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
is_left_out(int fd, const char *call)
{
	const char *glob = getenv("CRASH_NOSYNC"), *only = getenv("CRASH_NOSYNC_CALL");
	const char *spool = getenv("MESS_SPOOL");
	char link[64], path[PATH_MAX];
	size_t len;
	ssize_t n;

	if (glob == NULL || spool == NULL || (only != NULL && strcmp(only, call) != 0))
		return 0;
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, path, sizeof path - 1);
	len = strlen(spool);
	if (n == -1 || strncmp(path, spool, len) != 0)
		return 0;
	path[n] = '\0';
	return fnmatch(glob, path + len, 0) == 0;
}

static int
really(int fd, const char *call)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);

	return real(fd);
}

int
fsync(int fd)
{
	return is_left_out(fd, "fsync") ? 0 : really(fd, "fsync");
}

int
fdatasync(int fd)
{
	return is_left_out(fd, "fdatasync") ? 0 : really(fd, "fdatasync");
}
