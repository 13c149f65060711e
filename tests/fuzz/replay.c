/* SPDX-License-Identifier: ISC */
/*
 * A main for fuzz targets without a fuzzer: runs LLVMFuzzerTestOneInput over
 * every file of the directory given, and over every prefix of each, and says
 * so in TAP.  A target reports by crashing.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"

#define INPUT_MAX ((size_t)1024 * 1024)
#define PREFIXES_MAX ((size_t)4096)	/* beyond that: only the whole */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly this size, so that a sanitizer sees a read past its end. */
static void
run(const uint8_t *data, size_t size)
{
	AUTO_FREE uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		err(EX_OSERR, "malloc");
	if (size > 0)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size); /* always 0 */
}

static void
replay(int dir, const char *name)
{
	static uint8_t data[INPUT_MAX];
	AUTO_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd == -1 || (len = fd_read_full(fd, data, sizeof data)) == -1)
		err(EX_NOINPUT, "%s", name);
	for (size_t i = 0; i < (size_t)len && i < PREFIXES_MAX; i++)
		run(data, i);
	run(data, (size_t)len);
}

static int
visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char *argv[])
{
	AUTO_FD int dir = -1;
	struct dirent **names;
	int n;

	if (argc != 2)
		errx(EX_USAGE, "usage: %s DIRECTORY", argv[0]);
	if ((dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EX_NOINPUT, "%s", argv[1]);
	if ((n = scandir(argv[1], &names, visible, alphasort)) == -1)
		err(EX_NOINPUT, "%s", argv[1]);

	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not eat the line before */
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		replay(dir, names[i]->d_name);
		printf("ok %d - %s\n", i + 1, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}
