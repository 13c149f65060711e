/* SPDX-License-Identifier: ISC */
/*
 * What the engine gives up before it reads a caller's first byte.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <sys/types.h>

#include "err.h"

/* From root to uid and gid, for good, without supplementary groups. */
NODISCARD enum mess_err sandbox_become(uid_t uid, gid_t gid);

/*
 * No core dumps, not traceable, no new privileges; no exec, no ptrace, no
 * mounts, no socket but Unix ones, from now on and in every thread.
 */
NODISCARD enum mess_err sandbox_enter(void);

#endif
