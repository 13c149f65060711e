/* SPDX-License-Identifier: ISC */
/*
 * How much of the disk stays free, whoever publishes: what settles, purges
 * and deletes needs some, and so does everybody else on it.
 *
 * Looked at now and then, as asking for each message costs; between two
 * looks what was let in is taken off.
 */
#ifndef MINFREE_H
#define MINFREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>

struct minfree {
	int dir;		/* borrowed: of the disk */
	uint64_t looked_ms;	/* when; 0: never */
	uint64_t let_in;	/* bytes since then */
	struct statvfs disk;
};

void minfree_init(struct minfree *m, int dir);

/* Is there room for so many bytes, or one file more?  Else why (MINFREE_WHY bytes) says how much is free. */
#define MINFREE_WHY 160
bool minfree_has_room(struct minfree *m, uint64_t bytes, char *why);

#endif
