/* SPDX-License-Identifier: ISC */
/*
 * The power-cut rig: what its parts share.
 *
 * A recording is a directory with `base', a file system's first image, and
 * `log', what a disk remembered of a run on it (disk.h).  From it come the
 * images that a power cut could have left; each is mounted, recovered and
 * judged by what the run was told is durable.
 */
#ifndef CRASH_H
#define CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PATH_LEN 512

/* record.c: a run; the command's exit status. */
struct record_setup {
	const char *dir;	/* has base, perhaps marks; gets log */
	const char *type;	/* of the file system */
	char **command;
};
int record(const struct record_setup *s);

/* image.c: a recording in memory. */
struct entry {
	uint32_t kind, len;
	uint64_t off;
	const char *data;
};

struct recording {
	char *base;
	size_t size;		/* of the disk */
	char *log;
	size_t log_len;
	struct entry *entries;
	size_t count, first;	/* of entries; the first write */
	size_t *epochs;		/* where each begins: entries between two flushes */
	size_t epoch_count;
};
int recording_open(const char *dir, struct recording *out);
void recording_close(struct recording *r);

/*
 * One image: the power went after the first cut entries; of the writes
 * since the last flush these reached the disk, the last of them up to torn
 * bytes (0: whole).
 */
#define IMAGE_WRITES 4096
struct image {
	size_t epoch, cut;
	size_t count;
	size_t writes[IMAGE_WRITES];
	uint32_t torn;
};
/* How many images an epoch gives; the k-th of them, the same each time for the same seed. */
uint64_t image_number(const struct recording *r, size_t epoch);
void image_choose(const struct recording *r, size_t epoch, uint64_t k, uint64_t seed, struct image *out);
void image_say(const struct image *i, char *out, size_t size);

/* look.c: what a recovered spool holds. */
struct seen_message {
	uint64_t seq;
	char key[64];		/* the first word of its body; "" when the body is not whole */
};

struct seen_sub {
	char name[128];
	uint64_t floor, next, start;
	bool *settled;		/* of each message that is there */
};

struct seen_topic {
	char name[256];
	char incarnation[64];
	uint64_t first, next;
	struct seen_message *messages;
	size_t count;
	struct seen_sub *subs;
	size_t sub_count;
};

struct seen {
	struct seen_topic *topics;
	size_t count;
	char *text;		/* all of it, to be compared */
	char *wrong;		/* what is wrong by itself; "" when nothing is */
};

/*
 * Recover as an engine does that starts: intake too.  clean: end it as
 * TERM does; else as kill -9.  Words for an administrator go to said.
 */
int look_recover(int spool, bool clean, FILE *said);
/* Recover once more, and read all. */
int look_read(int spool, FILE *said, struct seen *out);
/* The account of fsck; its findings go to said. */
int look_fsck(int spool, FILE *said);
void seen_free(struct seen *s);

/* A body: KEY, a space, its length, and letters up to that. */
void text_write(const char *key, size_t len, FILE *to);
bool text_is_whole(const char *body, size_t len, char *key, size_t size);

/* rows.c: how many images showed each row of mess-spool(5)'s tables. */
#define ROWS 22
void rows_see(int spool, _Atomic uint64_t *met);
void rows_say(const _Atomic uint64_t *met);

/* judge.c: what the marks promise. */
struct judge;
struct judge *judge_new(const struct recording *r);
void judge_free(struct judge *j);
/* Does the spool keep what was promised before the cut?  What is wrong goes to why. */
bool judge_image(struct judge *j, size_t cut, const struct seen *s, FILE *why);

/* check.c: many images. */
struct check_setup {
	const char *dir, *type, *spool;	/* spool: its path below the mount */
	uint64_t seed, images;		/* images 0: all there are */
	unsigned workers, most;		/* most: violations after which it ends */
	const char *only;		/* EPOCH.K: this image */
	const char *keep;		/* and its bytes and marks go to this directory */
	bool list;			/* only say which images those are */
};
int check(const struct check_setup *s);

#endif
