/* SPDX-License-Identifier: ISC */
/*
 * The sandbox of the engine: what it leaves open, and the account of it.
 */
#ifndef DELIVERD_CONFINE_H
#define DELIVERD_CONFINE_H

#include <stdbool.h>

#include "base/buf.h"

#define CONFINE_TEXT_MAX ((size_t)4096)

struct confine_setup {
	bool wanted;
	const char *conf_file;	/* NULL: none that could be read again */
	int spool;
	int socket_dir;		/* where the engine's name is removed, or -1 */
	int listener;		/* or -1 */
};

/*
 * Exit status; 0 with what is in force in out: a line `name yes`, or
 * `name no: why`, each, and a NUL.
 */
int confine_enter(const struct confine_setup *c, struct buf *out);

#endif
