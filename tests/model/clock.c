/* SPDX-License-Identifier: ISC */
/*
 * The clock of the model test: clock_gettime, in place of libc's, from a
 * page that is shared with the engine.  The clock that counts from the boot
 * and the time of day differ, so that one is not taken for the other.
 * Times of files stay the kernel's, and so does time().
 */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define NS ((uint64_t)1000000000)
#define MS ((uint64_t)1000000)
#define BEFORE_BOOT (1500000000 * NS)
#define VARIABLE "MESS_MODEL_CLOCK"

static _Atomic uint64_t *page;	/* nanoseconds of the time of day */

static void
map(const char *path, int flags)
{
	AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);

	if (fd == -1 || ftruncate(fd, sizeof *page) == -1 ||
	    (page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		abort();
}

/* The engine's, before it confines itself. */
__attribute__((constructor)) static void
find(void)
{
	const char *path = getenv(VARIABLE);

	if (path != NULL)
		map(path, 0);
}

void
clock_begin(const char *path)
{
	struct timespec now;

	map(path, O_CREAT);
	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &now); /* cannot fail with a known clock */
	atomic_store(page, (uint64_t)now.tv_sec * NS);
	if (setenv(VARIABLE, path, 1) == -1)
		abort();
}

void
clock_end(void)
{
	(void)munmap(page, sizeof *page); /* it is a mapping of ours */
	page = NULL;
	(void)unsetenv(VARIABLE); /* its name is valid */
}

void
clock_move(uint64_t ms)
{
	atomic_fetch_add(page, ms * MS);
}

uint64_t
clock_wall(void)
{
	return atomic_load(page);
}

uint64_t
clock_boot_at(uint64_t wall_ns)
{
	return (wall_ns - BEFORE_BOOT + MS - 1) / MS;
}

uint64_t
clock_real(void)
{
	struct timespec ts;

	(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / MS;
}

static bool
is_of_day(clockid_t id)
{
	return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t ns;

	if (page == NULL || (!is_of_day(id) && id != CLOCK_BOOTTIME && id != CLOCK_MONOTONIC))
		return (int)syscall(SYS_clock_gettime, id, ts);
	ns = atomic_load(page) - (is_of_day(id) ? 0 : BEFORE_BOOT);
	ts->tv_sec = (time_t)(ns / NS);
	ts->tv_nsec = (long)(ns % NS);
	return 0;
}
