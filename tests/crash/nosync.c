/* SPDX-License-Identifier: ISC */
/*
 * A planted bug, to be preloaded: fsync and fdatasync of the files that
 * CRASH_NOSYNC names do nothing.  It is globs with colons between them, for
 * the path below the spool, which begins with a slash; an empty one is the
 * spool itself.  CRASH_NOSYNC_CALL is fsync or fdatasync where only one of
 * them is meant, CRASH_NOSYNC_IN a program's name where only that is.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
is_meant(const char *name, const char *what)
{
	const char *only = getenv(name);

	return only == NULL || strcmp(only, what) == 0;
}

/* Is the path one of those that a list of globs names? */
static int
matches(const char *globs, const char *path)
{
	char glob[256];

	for (;; globs++) {
		size_t len = strcspn(globs, ":");

		(void)snprintf(glob, sizeof glob, "%.*s", (int)len, globs); /* they are short */
		if (fnmatch(glob, path, 0) == 0)
			return 1;
		globs += len;
		if (*globs == '\0')
			return 0;
	}
}

static int
is_left_out(int fd, const char *call)
{
	const char *globs = getenv("CRASH_NOSYNC"), *spool = getenv("MESS_SPOOL");
	char link[64], path[PATH_MAX];
	size_t len;
	ssize_t n;

	if (globs == NULL || spool == NULL || !is_meant("CRASH_NOSYNC_CALL", call) ||
	    !is_meant("CRASH_NOSYNC_IN", program_invocation_short_name))
		return 0;
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, path, sizeof path - 1);
	len = strlen(spool);
	if (n == -1 || strncmp(path, spool, len) != 0)
		return 0;
	path[n] = '\0';
	return matches(globs, path + len);
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
