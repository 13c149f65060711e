/* SPDX-License-Identifier: ISC */
/*
 * seccomp: which system calls a process may still make.
 */
#ifndef BASE_SYSCALLS_H
#define BASE_SYSCALLS_H

#include "err.h"

/*
 * From now on only what the engine needs, in every thread; no_new_privs must
 * be set.  What only an intruder would ask for ends the process.
 */
NODISCARD enum mess_err syscalls_restrict(void);

#endif
