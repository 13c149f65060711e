/* SPDX-License-Identifier: ISC */
/*
 * Large bodies: written to tmp/ as they come, summed on the way, synced by
 * the helper thread.
 */
#include "body.h"

#include <bsd/stdlib.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/fs.h"
#include "record.h"

#define TMP_PREFIX ".body-"
#define TMP_LEN 32
#define ABANDONED_SECONDS (36 * 3600)
/* Start write-back as the bytes come, so that the last sync has little left to do. */
#define FLUSH_EVERY ((uint64_t)4 * 1024 * 1024)

struct body {
	int fd;
	int tmp;
	char name[TMP_LEN];
	bool named;
	uint64_t len, flushed;
	struct record_summer *summer;
	char *headers;
	size_t headers_len;
	struct work *work;
	struct work_job job;
	enum mess_err result;
	void (*done)(void *arg, enum mess_err err);
	void *arg;
};

static enum mess_err
body_setup(struct body *b, int topic_dir, const char *headers, size_t headers_len)
{
	enum mess_err err;

	if ((err = fs_open_dir(topic_dir, "tmp", &b->tmp)) != MESS_OK)
		return err;
	if ((b->summer = record_summer_new()) == NULL || (b->headers = malloc(headers_len + 1)) == NULL)
		return MESS_LIMIT;
	if (headers_len > 0)
		memcpy(b->headers, headers, headers_len);
	b->headers_len = headers_len;
	record_summer_add(b->summer, headers, headers_len);
	record_summer_add(b->summer, "\n", 1);
	(void)snprintf(b->name, sizeof b->name, TMP_PREFIX "%08x%08x", arc4random(), arc4random());
	if ((b->fd = fs_open(b->tmp, b->name, O_RDWR | O_CREAT | O_EXCL, 0600)) == -1)
		return err_from_errno();
	return MESS_OK;
}

enum mess_err
body_new(int topic_dir, struct work *work, const char *headers, size_t headers_len,
    struct body **out)
{
	struct body *b = calloc(1, sizeof *b);
	enum mess_err err;

	if (b == NULL)
		return MESS_LIMIT;
	b->fd = b->tmp = -1;
	b->work = work;
	if ((err = body_setup(b, topic_dir, headers, headers_len)) != MESS_OK) {
		body_free(b);
		return err;
	}
	*out = b;
	return MESS_OK;
}

void
body_free(struct body *b)
{
	if (b == NULL)
		return;
	b->done = NULL;
	work_wait(b->work, &b->job);
	if (b->fd != -1 && !b->named)
		(void)unlinkat(b->tmp, b->name, 0); /* body_sweep removes what stays */
	fd_close(&b->fd);
	fd_close(&b->tmp);
	record_summer_free(b->summer);
	free(b->headers);
	free(b);
}

enum mess_err
body_write(struct body *b, const void *data, size_t len)
{
	if (fd_write_all(b->fd, data, len) == -1)
		return err_from_errno();
	record_summer_add(b->summer, data, len);
	b->len += len;
	if (b->len - b->flushed >= FLUSH_EVERY) {
		/* A hint; the sync that counts comes at the end. */
		(void)sync_file_range(b->fd, (off_t)b->flushed, (off_t)(b->len - b->flushed),
		    SYNC_FILE_RANGE_WRITE);
		b->flushed = b->len;
	}
	return MESS_OK;
}

uint64_t
body_len(const struct body *b)
{
	return b->len;
}

enum mess_err
body_read(const struct body *b, void *to)
{
	return fd_pread_full(b->fd, to, (size_t)b->len, 0) == (ssize_t)b->len ? MESS_OK : MESS_IO;
}

static void
sync_run(void *arg)
{
	struct body *b = arg;

	b->result = fs_sync(b->fd);
}

static void
sync_done(void *arg)
{
	struct body *b = arg;

	if (b->done != NULL)
		b->done(b->arg, b->result);
}

void
body_sync(struct body *b, void (*done)(void *arg, enum mess_err err), void *arg)
{
	b->done = done;
	b->arg = arg;
	b->job = (struct work_job){ .run = sync_run, .done = sync_done, .arg = b };
	work_give(b->work, &b->job);
}

enum mess_err
body_sync_now(struct body *b)
{
	return fs_sync(b->fd);
}

/*
 * The directory is synced before the record can be committed: a record
 * whose body has no name would be an acknowledged message lost.
 */
enum mess_err
body_name(struct body *b, int cur, uint64_t seq)
{
	char name[SEGMENT_NAME_LEN + 8];
	enum mess_err err;

	segment_name(seq, BODY_SUFFIX, name);
	if ((err = fs_move(b->tmp, b->name, cur, name)) != MESS_OK)
		return err;
	b->named = true;
	return fs_sync(cur);
}

uint64_t
body_payload_sum(const struct body *b)
{
	return record_summer_end(b->summer);
}

const char *
body_headers(const struct body *b, size_t *len)
{
	*len = b->headers_len;
	return b->headers;
}

void
body_sweep_below(int cur, uint64_t first)
{
	const char *suffix;
	char **names;
	size_t count;
	uint64_t n;

	if (fs_list(cur, &names, &count) != MESS_OK)
		return; /* the next sweep finds them */
	for (size_t i = 0; i < count; i++)
		if (segment_parse_name(names[i], &n, &suffix) && n < first &&
		    strcmp(suffix, BODY_SUFFIX) == 0)
			(void)unlinkat(cur, names[i], 0); /* the next sweep finds it again */
	fs_free_names(names, count);
}

/* The maildir rule: what nobody has touched for 36 hours in tmp/ nobody will finish. */
static bool
is_abandoned(int tmp, const char *name)
{
	struct stat st;

	return fstatat(tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    time(NULL) - st.st_mtime > ABANDONED_SECONDS;
}

/* No file, or none of ours, has the name. */
static bool
is_missing(int error)
{
	return error == ENOENT || error == ELOOP || error == EXDEV || error == ENOTDIR;
}

enum mess_err
body_open(int cur, uint64_t seq, uint64_t len, int *out)
{
	char name[SEGMENT_NAME_LEN + 8];
	AUTO_FD int fd = -1;
	enum mess_err err;
	struct stat st;

	segment_name(seq, BODY_SUFFIX, name);
	if ((err = fs_open_file(cur, name, O_RDONLY, &fd)) != MESS_OK)
		return err == MESS_SYSTEM && is_missing(errno) ? MESS_CORRUPT : err;
	if (fstat(fd, &st) == -1)
		return err_from_errno();
	if ((uint64_t)st.st_size != len)
		return MESS_CORRUPT;
	*out = TAKE(fd, -1);
	return MESS_OK;
}

enum mess_err
body_sweep(int topic_dir)
{
	AUTO_FD int tmp = -1;
	struct dirent *e;
	enum mess_err err;
	DIR *d;

	if ((err = fs_open_dir(topic_dir, "tmp", &tmp)) != MESS_OK)
		return err;
	if ((d = fdopendir(tmp)) == NULL)
		return err_from_errno();
	tmp = -1; /* the stream's now */
	while ((e = readdir(d)) != NULL)
		if (strncmp(e->d_name, TMP_PREFIX, strlen(TMP_PREFIX)) == 0 ||
		    is_abandoned(dirfd(d), e->d_name))
			(void)unlinkat(dirfd(d), e->d_name, 0); /* tried again at the next start */
	(void)closedir(d);
	return MESS_OK;
}
