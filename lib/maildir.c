/* SPDX-License-Identifier: ISC */
/*
 * Publishing without an engine, in the order that keeps the promise of
 * maildir.h:
 *
 *   write tmp/X, fdatasync    else a crash leaves the name on an empty file
 *   move to new/X             RENAME_NOREPLACE: never over somebody's message
 *   fsync new                 else a crash forgets a message we said OK for
 *   look TOPIC/new up again   else we say OK for a topic deleted meanwhile
 *
 * After the move nothing is taken back: the engine may have taken the
 * message in already.  A publisher who is told of a failure from then on
 * may see a duplicate when it tries again, never a loss.
 */
#include "maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/fs.h"
#include "conf_topic.h"
#include "names.h"
#include "record.h"

struct maildir {
	int spool;		/* borrowed */
	int tmp, new;
	int file;
	char *topic;
	char *name;
	enum maildir_form form;
	uint64_t size;
};

static void
maildir_free(struct maildir *d)
{
	if (d == NULL)
		return;
	fd_close(&d->tmp);
	fd_close(&d->new);
	fd_close(&d->file);
	free(d->topic);
	free(d->name);
	free(d);
}

void
maildir_abort(struct maildir *d)
{
	int saved = errno;

	if (d != NULL && d->file != -1)
		(void)unlinkat(d->tmp, d->name, 0); /* the engine clears tmp/ in the end */
	maildir_free(d);
	errno = saved;
}

/*
 * Time first and of fixed width, so that files made within one tick of the
 * file system's clock are still taken in in the order they were made.
 */
static enum mess_err
unique_name(enum maildir_form form, char **out)
{
	static _Atomic unsigned counter;
	struct timespec now;
	uint64_t random;

	if (clock_gettime(CLOCK_REALTIME, &now) == -1 ||
	    getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return MESS_SYSTEM;
	if (asprintf(out, "%011lld.%09ld.%010u.%d.%016llx%s", (long long)now.tv_sec, now.tv_nsec,
		atomic_fetch_add(&counter, 1), (int)getpid(), (unsigned long long)random,
		form == MAILDIR_RECORDS ? ".rec" : "") == -1) {
		*out = NULL;
		return MESS_LIMIT;
	}
	return MESS_OK;
}

static enum mess_err
absent_is_notopic(enum mess_err err)
{
	return err == MESS_SYSTEM && (errno == ENOENT || errno == ENOTDIR) ? MESS_NOTOPIC : err;
}

/* The directory of a topic that is whole: its `topic` file appears last. */
static enum mess_err
open_topic(int spool, const char *topic, int *out)
{
	AUTO_FD int dir = -1;
	AUTO_FD int settings = -1;
	enum mess_err err;

	if ((err = name_check_topic(topic, NULL)) != MESS_OK)
		return err;
	if ((err = fs_check_private(spool)) != MESS_OK)
		return err;
	if ((err = fs_open_dir(spool, topic, &dir)) != MESS_OK)
		return absent_is_notopic(err);
	if ((err = fs_open_file(dir, "topic", O_RDONLY, &settings)) != MESS_OK)
		return absent_is_notopic(err);
	*out = TAKE(dir, -1);
	return MESS_OK;
}

enum mess_err
maildir_check(int spool, const char *topic)
{
	char text[CONF_TOPIC_MAX];
	AUTO_FD int dir = -1;
	AUTO_FD int settings = -1;
	struct conf_topic conf;
	enum mess_err err;
	ssize_t n;

	if ((err = open_topic(spool, topic, &dir)) != MESS_OK ||
	    (err = fs_open_file(dir, "topic", O_RDONLY, &settings)) != MESS_OK)
		return err;
	if ((n = fd_pread_full(settings, text, sizeof text, 0)) == -1)
		return err_from_errno();
	if ((err = conf_read_topic(text, (size_t)n, &conf)) != MESS_OK)
		return err;
	conf_topic_free(&conf);
	return conf.paused_in || conf.max_size != 0 || conf.max_bytes != 0 || conf.max_messages != 0 ?
	    MESS_LIMIT : MESS_OK;
}

static enum mess_err
open_all(struct maildir *d)
{
	AUTO_FD int dir = -1;
	enum mess_err err;

	if ((err = open_topic(d->spool, d->topic, &dir)) != MESS_OK)
		return err;
	if ((err = fs_open_dir(dir, "tmp", &d->tmp)) != MESS_OK)
		return absent_is_notopic(err);
	if ((err = fs_open_dir(dir, "new", &d->new)) != MESS_OK)
		return absent_is_notopic(err);
	if ((err = unique_name(d->form, &d->name)) != MESS_OK)
		return err;
	d->file = fs_open(d->tmp, d->name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return d->file == -1 ? err_from_errno() : MESS_OK;
}

enum mess_err
maildir_begin(int spool, const char *topic, enum maildir_form form, struct maildir **out)
{
	struct maildir *d = malloc(sizeof *d);
	enum mess_err err;

	if (d == NULL)
		return MESS_LIMIT;
	*d = (struct maildir){ .spool = spool, .tmp = -1, .new = -1, .file = -1, .form = form };
	d->topic = strdup(topic);
	err = d->topic == NULL ? MESS_LIMIT : open_all(d);
	if (err != MESS_OK) {
		maildir_abort(d);
		return err;
	}
	*out = d;
	return MESS_OK;
}

enum mess_err
maildir_write(struct maildir *d, const void *data, size_t len)
{
	uint64_t most = d->form == MAILDIR_RECORDS ? RECORD_FILE_MAX : LIMIT_BODY_PERSONAL;

	if (len > most - d->size)
		return MESS_TOOBIG;
	if (fd_write_all(d->file, data, len) == -1)
		return err_from_errno();
	d->size += len;
	return MESS_OK;
}

/* A topic deleted, or deleted and made again, never sees what went into its old new/. */
static enum mess_err
still_there(const struct maildir *d)
{
	AUTO_FD int dir = -1;
	AUTO_FD int again = -1;
	struct stat held, found;
	enum mess_err err;

	if ((err = open_topic(d->spool, d->topic, &dir)) != MESS_OK)
		return err;
	if ((err = fs_open_dir(dir, "new", &again)) != MESS_OK)
		return absent_is_notopic(err);
	if (fstat(d->new, &held) == -1 || fstat(again, &found) == -1)
		return err_from_errno();
	return held.st_dev == found.st_dev && held.st_ino == found.st_ino ? MESS_OK : MESS_NOTOPIC;
}

static enum mess_err
move_in(struct maildir *d)
{
	/* Where space is given out late this is where it turns out to be missing. */
	if (fdatasync(d->file) == -1)
		return errno == ENOSPC || errno == EDQUOT ? MESS_FULL : MESS_IO;
	return fs_move(d->tmp, d->name, d->new, d->name);
}

enum mess_err
maildir_end(struct maildir *d)
{
	enum mess_err err;

	if ((err = move_in(d)) != MESS_OK) {
		maildir_abort(d);
		return err;
	}
	if ((err = fs_sync(d->new)) == MESS_OK)
		err = still_there(d);
	maildir_free(d);
	return err;
}

enum mess_err
maildir_put(int spool, const char *topic, enum maildir_form form, const void *data, size_t len)
{
	struct maildir *d;
	enum mess_err err;

	if ((err = maildir_begin(spool, topic, form, &d)) != MESS_OK)
		return err;
	if ((err = maildir_write(d, data, len)) != MESS_OK) {
		maildir_abort(d);
		return err;
	}
	return maildir_end(d);
}
