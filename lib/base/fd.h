/* SPDX-License-Identifier: ISC */
/*
 * Descriptors that close themselves, and reads and writes that finish.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* Closes unless -1; keeps errno, so an error on the way out stays visible. */
static inline void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		(void)close(*fd); /* nothing was promised about these bytes */
	*fd = -1;
	errno = saved;
}

static inline void
fd_free(void *p)
{
	void **pp = p;
	int saved = errno;

	free(*pp);
	*pp = NULL;
	errno = saved;
}

#define AUTO_FD __attribute__((cleanup(fd_close)))
#define AUTO_FREE __attribute__((cleanup(fd_free)))

/* Moves a value out of a variable and leaves the empty value behind. */
#define TAKE(var, empty) \
	({ __typeof__(var) taken_ = (var); (var) = (empty); taken_; })

/* All n bytes, or -1 with errno. */
int fd_write_all(int fd, const void *data, size_t n);
int fd_pwrite_all(int fd, const void *data, size_t n, off_t off);
/* As many as there are up to n; less only at the end of the file. */
ssize_t fd_read_full(int fd, void *data, size_t n);
ssize_t fd_pread_full(int fd, void *data, size_t n, off_t off);

#endif
