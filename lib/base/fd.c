/* SPDX-License-Identifier: ISC */
/*
 * Reads and writes that finish: short counts and EINTR are not the
 * caller's business.
 */
#include "fd.h"

int
fd_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t did = write(fd, p, n);

		if (did == -1 && errno == EINTR)
			continue;
		if (did == -1)
			return -1;
		p += did;
		n -= (size_t)did;
	}
	return 0;
}

int
fd_pwrite_all(int fd, const void *data, size_t n, off_t off)
{
	const char *p = data;

	while (n > 0) {
		ssize_t did = pwrite(fd, p, n, off);

		if (did == -1 && errno == EINTR)
			continue;
		if (did == -1)
			return -1;
		p += did;
		n -= (size_t)did;
		off += did;
	}
	return 0;
}

ssize_t
fd_read_full(int fd, void *data, size_t n)
{
	char *p = data;
	size_t got = 0;

	while (got < n) {
		ssize_t did = read(fd, p + got, n - got);

		if (did == -1 && errno == EINTR)
			continue;
		if (did == -1)
			return -1;
		if (did == 0)
			break;
		got += (size_t)did;
	}
	return (ssize_t)got;
}

ssize_t
fd_pread_full(int fd, void *data, size_t n, off_t off)
{
	char *p = data;
	size_t got = 0;

	while (got < n) {
		ssize_t did = pread(fd, p + got, n - got, off + (off_t)got);

		if (did == -1 && errno == EINTR)
			continue;
		if (did == -1)
			return -1;
		if (did == 0)
			break;
		got += (size_t)did;
	}
	return (ssize_t)got;
}
