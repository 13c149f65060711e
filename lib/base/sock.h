/* SPDX-License-Identifier: ISC */
/*
 * Unix sockets and who is at the other end.
 */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Who connected, as the kernel says; frozen at connect. */
struct mess_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

NODISCARD enum mess_err sock_peer(int fd, struct mess_peer *out);

/*
 * A socket named name in the held directory dir, whatever the length of
 * the path (through /proc/self/fd where sockaddr_un is too short).
 * sock_bind takes the name of a socket that nobody listens on any more
 * (MESS_BUSY when somebody does, MESS_EXISTS when it is something else).
 * Nobody can connect before sock_listen.
 */
NODISCARD enum mess_err sock_bind(int dir, const char *name, mode_t mode, int *out);
NODISCARD enum mess_err sock_listen(int fd);
/*
 * Blocking socket.  errno tells MESS_NODAEMON (nobody there) from the rest;
 * EAGAIN: whoever listens there was busy for so long.
 */
NODISCARD enum mess_err sock_connect(int dir, const char *name, unsigned timeout_ms, int *out);

/*
 * Descriptors that callers send are refused.  False where the kernel is too
 * old for that: there they are closed by reads that have no room for them.
 */
bool sock_refuse_rights(int fd);

/*
 * The server must be root, ourselves, or the owner of the directory of its
 * socket, which nobody else may write: else MESS_DENIED, before a byte is sent.
 */
NODISCARD enum mess_err sock_check_server(int fd, int dir);

/* Bytes of the last part of a socket's path: what an address has room for behind /proc/self/fd/N/. */
#define SOCK_NAME_MAX 82

/*
 * Splits "a/b/sock" into an open directory and "sock" (borrowed from path);
 * MESS_BADNAME when that is too long.
 */
NODISCARD enum mess_err sock_open_parent(const char *path, int *dir, const char **name);

#endif
