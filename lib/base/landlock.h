/* SPDX-License-Identifier: ISC */
/*
 * Landlock: which files a process may still reach, by directory.
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include "err.h"

/* What may be done below a directory; to be or'ed. */
enum landlock_use {
	LANDLOCK_USE_READ = 1,		/* read files, list directories */
	LANDLOCK_USE_WORK = 2,		/* and write, make, remove and rename them */
	LANDLOCK_USE_REMOVE = 4,	/* remove files */
	LANDLOCK_USE_CONNECT = 8,	/* connect to sockets */
};

struct landlock_rule {
	int dir;
	unsigned use;
};

/*
 * The ABI of this kernel, as far as we know them; 0 without Landlock.  Below
 * LANDLOCK_ABI_LEAST it forbids every rename into another directory.
 */
#define LANDLOCK_ABI_LEAST 2
int landlock_abi(void);

/*
 * From now on nothing but what the rules say: no other file, no TCP, no
 * signal and no abstract socket beyond this process, as far as the ABI has
 * these.  For the calling thread and those that it starts; no_new_privs
 * must be set.  Descriptors that are open stay what they are.
 */
NODISCARD enum mess_err landlock_restrict(int abi, const struct landlock_rule *rules, size_t count);

#endif
