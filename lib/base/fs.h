/* SPDX-License-Identifier: ISC */
/*
 * Files below a held directory.
 *
 * Promise: nothing is opened that is not beneath the descriptor given, no
 * link is followed, no mount crossed; what was opened is then judged by
 * fstat on the descriptor itself, so no path can be swapped in between.
 * Names are paths of a few components relative to dir.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "err.h"

/* openat2 beneath dir; -1 with errno.  O_CLOEXEC and O_NOFOLLOW are added. */
int fs_open(int dir, const char *path, int flags, mode_t mode);
/* A directory or an existing regular file, judged: ours (or root's), one link, 0700/0600 kinds. */
NODISCARD enum mess_err fs_open_dir(int dir, const char *path, int *out);
NODISCARD enum mess_err fs_open_file(int dir, const char *path, int flags, int *out);

/*
 * 0700 directory, synced when it is new (dir is not); MESS_OK too when it
 * is there already and private.
 */
NODISCARD enum mess_err fs_make_dir(int dir, const char *path);

/*
 * Makes what is missing of a path, each directory for us alone, durably;
 * MESS_OK when it is there.
 */
NODISCARD enum mess_err fs_make_private_path(const char *path);

/* A directory that nobody but its owner (the caller or root) may enter: MESS_DENIED otherwise. */
NODISCARD enum mess_err fs_check_private(int dir);

/*
 * Move a complete file to a name nobody has; MESS_EXISTS when it is taken.
 * Never plain rename: that would silently replace somebody's message.
 */
NODISCARD enum mess_err fs_move(int from, const char *name, int to, const char *newname);

/* fsync of a directory or file: MESS_IO when it fails, whatever errno says. */
NODISCARD enum mess_err fs_sync(int fd);
/*
 * Has one of this process, in any thread, for another reason than room?  The
 * next one may say that all is well, and the disk have the old bytes.
 */
bool fs_sync_has_failed(void);

/*
 * Replace the file dir/name as a whole: written beside it, synced, renamed,
 * directory synced.  A crash leaves the old or the new text, never a mix.
 */
NODISCARD enum mess_err fs_replace(int dir, const char *name, const void *data, size_t len);

/*
 * Make dir/name, size bytes, each of them fill, written (not only
 * allocated) and synced, the directory not.  A file made so never grows and
 * an overwrite in it needs no metadata to be durable.
 */
NODISCARD enum mess_err fs_make_filled(int dir, const char *name, uint64_t size, char fill, int *out);

/* Remove a file or a whole tree below dir; what is not there is removed. */
NODISCARD enum mess_err fs_remove_tree(int dir, const char *name);

/* Names of dir's entries but those that begin with a dot, sorted; free with fs_free_names. */
NODISCARD enum mess_err fs_list(int dir, char ***names, size_t *count);
void fs_free_names(char **names, size_t count);

#endif
