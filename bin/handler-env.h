/* SPDX-License-Identifier: ISC */
/*
 * The environment of a handler: ours, and what the message's envelope and
 * headers say.
 */
#ifndef HANDLER_ENV_H
#define HANDLER_ENV_H

#include "base/buf.h"

#define HANDLER_ENV_HEADERS ((size_t)32 * 1024)	/* of MESS_H_ variables, in all */

struct handler_env {
	char **vars;		/* for exec; borrowed from ours and from text */
	bool cut;		/* a header did not fit */
	struct buf text;
	size_t cap;
};

void handler_env_free(struct handler_env *env);

/*
 * The variables for a message: those of environ without what an outer
 * mess-sub set, then MESS_TOPIC and so on, then a MESS_H_NAME for each header
 * that is not the engine's.  subscription and user may be NULL.
 */
NODISCARD enum mess_err handler_env_make(struct handler_env *env, char *const *environment,
    const struct mess_received *msg, const char *subscription);

#endif
