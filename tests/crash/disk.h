/* SPDX-License-Identifier: ISC */
/*
 * A disk that remembers: what was written to it, when it was flushed, and
 * what was said in between.
 */
#ifndef DISK_H
#define DISK_H

#include <stdint.h>

/* A log is entries, each followed by its len bytes; in this machine's byte order. */
enum disk_kind {
	DISK_WRITE = 1,		/* bytes at off */
	DISK_FLUSH,		/* all writes before are durable */
	DISK_MARK,		/* text that somebody appended to the file `mark' */
};

struct disk_entry {
	uint32_t kind, len;
	uint64_t off;
};

#define DISK_END "end\n"	/* the last mark: what comes behind it counts no more */

/*
 * Serve two files in the directory at: `disk', with the bytes of image,
 * which stays as it is, and `mark'.  Every write, flush and mark is appended
 * to log, in the order in which they were answered.  A byte goes to ready
 * once it serves; returns when at is unmounted, with an exit status.
 */
int disk_serve(const char *image, const char *log, const char *at, int ready);

/*
 * Attach a loop device to a file, for as long as the descriptor that is
 * returned is open; its path goes to path (at least 32 bytes).  -1 with errno.
 */
int disk_loop(int file, char *path);

#endif
