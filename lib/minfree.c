/* SPDX-License-Identifier: ISC */
/*
 * How much of the disk stays free.
 */
#include "minfree.h"

#include <stdio.h>

#include "base/loop.h"
#include "limit.h"

#define LOOK_MS 100
#define LOOK_BYTES ((uint64_t)1024 * 1024)

void
minfree_init(struct minfree *m, int dir)
{
	*m = (struct minfree){ .dir = dir };
}

/* What of all stays free. */
static uint64_t
part(uint64_t all, uint64_t most)
{
	return all / LIMIT_FREE_PART < most ? all / LIMIT_FREE_PART : most;
}

static void
look(struct minfree *m)
{
	struct statvfs disk;

	m->looked_ms = loop_now();
	m->let_in = 0;
	if (fstatvfs(m->dir, &disk) == 0)
		m->disk = disk; /* else what is not known is met when it is written */
}

bool
minfree_has_room(struct minfree *m, uint64_t bytes, char *why)
{
	const struct statvfs *d = &m->disk;
	uint64_t left, stays;

	if (m->looked_ms == 0 || loop_now() - m->looked_ms >= LOOK_MS || m->let_in + bytes >= LOOK_BYTES)
		look(m);
	left = (uint64_t)d->f_bavail * d->f_frsize;
	stays = part((uint64_t)d->f_blocks * d->f_frsize, LIMIT_FREE_BYTES);
	if (d->f_blocks > 0 && left < stays + m->let_in + bytes) {
		(void)snprintf(why, MINFREE_WHY, "the spool's disk has %llu bytes free; "
		    "%llu stay free, and this takes %llu", (unsigned long long)left,
		    (unsigned long long)stays, (unsigned long long)bytes); /* fits */
		return false;
	}
	/* A file system that makes inodes as it goes has none to count. */
	stays = part(d->f_files, LIMIT_FREE_INODES);
	if (d->f_files > 0 && d->f_favail <= stays) {
		(void)snprintf(why, MINFREE_WHY, "the spool's disk has %llu inodes free; %llu stay free",
		    (unsigned long long)d->f_favail, (unsigned long long)stays); /* fits */
		return false;
	}
	m->let_in += bytes;
	return true;
}
