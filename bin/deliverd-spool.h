/* SPDX-License-Identifier: ISC */
/*
 * Is a spool's directory safe to serve?
 */
#ifndef SPOOLDIR_H
#define SPOOLDIR_H

#include <sys/stat.h>

/*
 * NULL, or why not: open to others, or below a directory in which somebody
 * else could put another in its place.
 */
const char *spooldir_check(const char *path, const struct stat *st);

#endif
