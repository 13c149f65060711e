/* SPDX-License-Identifier: ISC */
/*
 * What a program under test and who tests it share: a page that says which
 * call is to fail, and how, and which calls there were.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAULT_VARIABLE "MESS_FAULT"	/* the page's file */
#define FAULT_SHORT (-1)		/* half of what was asked for */
#define FAULT_KILLED 99		/* the exit status of who was killed */

/* Every function of the C library that is made to fail, and how it may. */
#define FAULT_FUNCTIONS(F) \
	F(ACCEPT4, accept4, EMFILE, ECONNABORTED, EINTR, ENOMEM) \
	F(ALIGNED_ALLOC, aligned_alloc, ENOMEM) \
	F(BIND, bind, EACCES, ENOSPC) \
	F(CALLOC, calloc, ENOMEM) \
	F(CONNECT, connect, EINTR, ENOMEM, ECONNREFUSED) \
	F(DUP2, dup2, EMFILE) \
	F(EPOLL_CREATE1, epoll_create1, EMFILE, ENOMEM) \
	F(EPOLL_CTL, epoll_ctl, ENOMEM, ENOSPC) \
	F(EPOLL_WAIT, epoll_wait, EINTR) \
	F(EVENTFD, eventfd, EMFILE) \
	F(FALLOCATE, fallocate, ENOSPC, EIO, EINTR) \
	F(FDATASYNC, fdatasync, EIO, ENOSPC) \
	F(FDOPENDIR, fdopendir, ENOMEM) \
	F(FLOCK, flock, EINTR, ENOMEM) \
	F(FORK, fork, EAGAIN, ENOMEM) \
	F(FSTAT, fstat, EIO) \
	F(FSTATAT, fstatat, EIO) \
	F(FSYNC, fsync, EIO, ENOSPC) \
	F(INOTIFY_ADD_WATCH, inotify_add_watch, ENOSPC, ENOMEM) \
	F(INOTIFY_INIT1, inotify_init1, EMFILE) \
	F(LISTEN, listen, EADDRINUSE) \
	F(MALLOC, malloc, ENOMEM) \
	F(MKDIR, mkdir, ENOSPC, EIO) \
	F(MKDIRAT, mkdirat, ENOSPC, EIO) \
	F(MMAP, mmap, ENOMEM) \
	F(OPEN, open, EMFILE, EINTR, EIO) \
	F(OPENAT, openat, EMFILE, EINTR, ENOSPC, EIO) \
	F(OPENAT2, openat2, EMFILE, EINTR, ENOSPC, EIO, EAGAIN) \
	F(PIPE2, pipe2, EMFILE) \
	F(POLL, poll, EINTR, ENOMEM) \
	F(PREAD, pread, EIO, EINTR, FAULT_SHORT) \
	F(PTHREAD_CREATE, pthread_create, EAGAIN) \
	F(PWRITE, pwrite, EIO, ENOSPC, EINTR, FAULT_SHORT) \
	F(READ, read, EIO, EINTR, FAULT_SHORT) \
	F(READDIR, readdir, EIO) \
	F(REALLOC, realloc, ENOMEM) \
	F(REALLOCARRAY, reallocarray, ENOMEM) \
	F(RECV, recv, EAGAIN, ECONNRESET, EINTR, FAULT_SHORT) \
	F(RENAMEAT, renameat, ENOSPC, EIO) \
	F(RENAMEAT2, renameat2, ENOSPC, EIO) \
	F(SEND, send, EAGAIN, EPIPE, EINTR, FAULT_SHORT) \
	F(SENDFILE, sendfile, EAGAIN, EIO, EINTR, FAULT_SHORT) \
	F(SENDMSG, sendmsg, EAGAIN, EPIPE, EINTR, FAULT_SHORT) \
	F(SIGNALFD, signalfd, EMFILE) \
	F(SOCKET, socket, EMFILE, ENOMEM) \
	F(STRDUP, strdup, ENOMEM) \
	F(STRNDUP, strndup, ENOMEM) \
	F(SYNC_FILE_RANGE, sync_file_range, EIO, ENOSPC) \
	F(UNLINKAT, unlinkat, EIO) \
	F(WRITE, write, EIO, ENOSPC, EINTR, FAULT_SHORT)

#define FAULT_ENUM(id, name, ...) FAULT_##id,
enum fault_function { FAULT_FUNCTIONS(FAULT_ENUM) FAULT_COUNT };

struct fault_page {
	/* what is wanted: the Nth call of a function, from 1; 0: none */
	uint32_t at;
	uint32_t function;
	uint32_t how;		/* which of the function's ways, modulo their number */
	bool kill;		/* the process ends there instead, and says nothing */
	/* what was */
	_Atomic uint32_t calls[FAULT_COUNT];
	_Atomic uint32_t failed;
	int error;
};

#endif
