/* SPDX-License-Identifier: ISC */
/*
 * Between a program of mess and the C library: the linker's --wrap takes
 * every call of mess's own code here, also with sanitizers.  Calls are
 * counted, and the one that is asked for fails.
 */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct fault_page *page;

#define WAYS(id, name, ...) [FAULT_##id] = { __VA_ARGS__ },
static const int ways[][8] = { FAULT_FUNCTIONS(WAYS) };

int __real_open(const char *path, int flags, ...);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);

__attribute__((constructor)) static void
find_page(void)
{
	const char *path = getenv(FAULT_VARIABLE);
	int fd = path != NULL ? __real_open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd == -1)
		return;
	p = __real_mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	page = p;
	(void)close(fd); /* it was only mapped */
	(void)unsetenv(FAULT_VARIABLE); /* what it starts is not meant */
}

static int
way(enum fault_function f, unsigned how)
{
	unsigned count = 0;

	while (count < 8 && ways[f][count] != 0)
		count++;
	return ways[f][how % count];
}

/* Is this call to fail?  Then errno is set; *shorter, if it may be, says that it does half. */
static bool
fails(enum fault_function f, bool *shorter)
{
	int w;

	if (page == NULL)
		return false;
	if (atomic_fetch_add(&page->calls[f], 1) + 1 != page->at || page->function != f)
		return false;
	atomic_fetch_add(&page->failed, 1);
	if (page->kill)
		_exit(FAULT_KILLED); /* as by SIGKILL, which the sandbox forbids */
	w = way(f, page->how);
	page->error = w;
	if (w == FAULT_SHORT) {
		*shorter = true;
		return false;
	}
	errno = w;
	return true;
}

/* A function that just fails. */
#define WRAP(type, id, name, params, args, bad) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		bool half = false; \
		return fails(FAULT_##id, &half) ? (bad) : __real_##name args; \
	}
/* One that may do less than it was asked for. */
#define WRAP_SIZED(id, name, params, args, len) \
	ssize_t __real_##name params; \
	ssize_t __wrap_##name params; \
	ssize_t __wrap_##name params \
	{ \
		bool half = false; \
		if (fails(FAULT_##id, &half)) \
			return -1; \
		if (half) \
			len = (len + 1) / 2; \
		return __real_##name args; \
	}

WRAP(int, ACCEPT4, accept4, (int fd, struct sockaddr *a, socklen_t *len, int flags), (fd, a, len, flags), -1)
WRAP(void *, ALIGNED_ALLOC, aligned_alloc, (size_t align, size_t n), (align, n), NULL)
WRAP(int, BIND, bind, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len), -1)
WRAP(void *, CALLOC, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(int, CONNECT, connect, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len), -1)
WRAP(int, DUP2, dup2, (int from, int to), (from, to), -1)
WRAP(int, EPOLL_CREATE1, epoll_create1, (int flags), (flags), -1)
WRAP(int, EPOLL_CTL, epoll_ctl, (int e, int op, int fd, struct epoll_event *ev), (e, op, fd, ev), -1)
WRAP(int, EPOLL_WAIT, epoll_wait, (int e, struct epoll_event *ev, int n, int ms), (e, ev, n, ms), -1)
WRAP(int, FALLOCATE, fallocate, (int fd, int mode, off_t off, off_t len), (fd, mode, off, len), -1)
WRAP(int, FDATASYNC, fdatasync, (int fd), (fd), -1)
WRAP(DIR *, FDOPENDIR, fdopendir, (int fd), (fd), NULL)
WRAP(int, FLOCK, flock, (int fd, int how), (fd, how), -1)
WRAP(pid_t, FORK, fork, (void), (), -1)
WRAP(int, FSTAT, fstat, (int fd, struct stat *st), (fd, st), -1)
WRAP(int, FSTATAT, fstatat, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags), -1)
WRAP(int, FSYNC, fsync, (int fd), (fd), -1)
WRAP(int, INOTIFY_ADD_WATCH, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask), -1)
WRAP(int, INOTIFY_INIT1, inotify_init1, (int flags), (flags), -1)
WRAP(int, LISTEN, listen, (int fd, int n), (fd, n), -1)
WRAP(void *, MALLOC, malloc, (size_t n), (n), NULL)
WRAP(int, MKDIR, mkdir, (const char *path, mode_t mode), (path, mode), -1)
WRAP(int, MKDIRAT, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode), -1)
WRAP(void *, MMAP, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t off),
    (at, len, prot, flags, fd, off), MAP_FAILED)
WRAP(int, PIPE2, pipe2, (int *fd, int flags), (fd, flags), -1)
WRAP(int, POLL, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms), -1)
WRAP_SIZED(PREAD, pread, (int fd, void *at, size_t len, off_t off), (fd, at, len, off), len)
WRAP(int, PTHREAD_CREATE, pthread_create, (pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg),
    (t, a, fn, arg), EAGAIN)
WRAP_SIZED(PWRITE, pwrite, (int fd, const void *at, size_t len, off_t off), (fd, at, len, off), len)
WRAP_SIZED(READ, read, (int fd, void *at, size_t len), (fd, at, len), len)
WRAP(struct dirent *, READDIR, readdir, (DIR *dir), (dir), NULL)
WRAP(void *, REALLOC, realloc, (void *p, size_t n), (p, n), NULL)
WRAP(void *, REALLOCARRAY, reallocarray, (void *p, size_t n, size_t size), (p, n, size), NULL)
WRAP_SIZED(RECV, recv, (int fd, void *at, size_t len, int flags), (fd, at, len, flags), len)
WRAP(int, RENAMEAT, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), -1)
WRAP(int, RENAMEAT2, renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
    (a, from, b, to, flags), -1)
WRAP_SIZED(SEND, send, (int fd, const void *at, size_t len, int flags), (fd, at, len, flags), len)
WRAP_SIZED(SENDFILE, sendfile, (int to, int from, off_t *off, size_t len), (to, from, off, len), len)
WRAP(int, SIGNALFD, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), -1)
WRAP(int, SOCKET, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)
WRAP(char *, STRDUP, strdup, (const char *s), (s), NULL)
WRAP(char *, STRNDUP, strndup, (const char *s, size_t n), (s, n), NULL)
WRAP(int, SYNC_FILE_RANGE, sync_file_range, (int fd, off_t off, off_t len, unsigned flags), (fd, off, len, flags), -1)
WRAP(int, UNLINKAT, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), -1)

int __real_eventfd(unsigned n, int flags);
int __wrap_eventfd(unsigned n, int flags);
ssize_t __real_write(int fd, const void *at, size_t len);
ssize_t __wrap_write(int fd, const void *at, size_t len);

static int event = -1;

int
__wrap_eventfd(unsigned n, int flags)
{
	bool half = false;

	if (fails(FAULT_EVENTFD, &half))
		return -1;
	return event = __real_eventfd(n, flags);
}

/* A write to an eventfd has no way to fail. */
ssize_t
__wrap_write(int fd, const void *at, size_t len)
{
	bool half = false;

	if (fd != event && fails(FAULT_WRITE, &half))
		return -1;
	return __real_write(fd, at, half ? (len + 1) / 2 : len);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

/* Half of its first piece. */
ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct msghdr less = *m;
	struct iovec first;
	bool half = false;

	if (fails(FAULT_SENDMSG, &half))
		return -1;
	if (half && m->msg_iovlen > 0) {
		first = m->msg_iov[0];
		first.iov_len = (first.iov_len + 1) / 2;
		less.msg_iov = &first;
		less.msg_iovlen = 1;
	}
	return __real_sendmsg(fd, &less, flags);
}

/* Those that take a mode only when they make a file. */
static mode_t
mode_of(int flags, va_list ap)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...);

/* The root is opened for the sanitizers alone, who end without it. */
int
__wrap_open(const char *path, int flags, ...)
{
	bool half = false;
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return strcmp(path, "/") != 0 && fails(FAULT_OPEN, &half) ? -1 : __real_open(path, flags, mode);
}

int __wrap___open_2(const char *path, int flags);

int
__wrap___open_2(const char *path, int flags)
{
	return __wrap_open(path, flags);
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	bool half = false;
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(FAULT_OPENAT, &half) ? -1 : __real_openat(dir, path, flags, mode);
}

int __wrap___openat_2(int dir, const char *path, int flags);

int
__wrap___openat_2(int dir, const char *path, int flags)
{
	return __wrap_openat(dir, path, flags);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* openat2 has no function of its own. */
long
__wrap_syscall(long number, ...)
{
	bool half = false;
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long); /* registers, as the C library takes them */
	va_end(ap);
	if (number == SYS_openat2 && fails(FAULT_OPENAT2, &half))
		return -1;
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
