/* SPDX-License-Identifier: ISC */
/*
 * What the engine gives up before it reads a caller's first byte.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <sys/types.h>

#include "buf.h"

/* From root to uid and gid, for good, without supplementary groups. */
NODISCARD enum mess_err sandbox_become(uid_t uid, gid_t gid);

/* The directories that stay, besides those in which users are looked up; -1 for none. */
struct sandbox_allow {
	int work;	/* to read, write, make, rename, remove */
	int names;	/* a file may be removed */
	int read;
};

/* Each is in force, or the kernel is too old for it, or nobody asked for it. */
enum sandbox_defence {
	SANDBOX_NO_CAPABILITIES,
	SANDBOX_NO_CORE,
	SANDBOX_NO_DUMP,	/* nor ptrace, by the same user */
	SANDBOX_NO_NEW_PRIVS,
	SANDBOX_MDWE,		/* what was writable is never executable */
	SANDBOX_LANDLOCK,
	SANDBOX_SECCOMP,
	SANDBOX_NO_PASSRIGHTS,	/* no descriptors from callers */
	SANDBOX_COUNT,
};

struct sandbox_state {
	const char *lacks[SANDBOX_COUNT];	/* why it is not in force; NULL: it is */
	int landlock;				/* its ABI */
	const char *failed;			/* what sandbox_enter could not do */
};

/* Nothing is in force, for this reason. */
void sandbox_none(struct sandbox_state *s, const char *why);

/*
 * Give up all that the engine never needs, for good: before the first
 * thread is started, and with everything open that allow does not cover.
 * What this kernel does not know is left out and told in *out; what it knows
 * and refuses is an error, errno intact and out->failed its name.
 */
NODISCARD enum mess_err sandbox_enter(const struct sandbox_allow *allow, struct sandbox_state *out);

/* A line `name yes`, or `name no: why`, for each defence. */
NODISCARD enum mess_err sandbox_write(const struct sandbox_state *s, struct buf *out);

#endif
