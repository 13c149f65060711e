/* SPDX-License-Identifier: ISC */
/*
 * Unix sockets: made so that only their directory's owner can replace
 * them, and never used before it is known who is at the other end.
 */
#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fd.h"
#include "fs.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83	/* Linux 6.16; not yet in every libc */
#endif

/*
 * Short: in a long queue everybody would wait behind one who fills it, and
 * who finds it full waits in line for a place in it.
 */
#define BACKLOG 64
#define OTHER_ENGINE_MS 1000	/* one that does not even accept is there all the same */

enum mess_err
sock_peer(int fd, struct mess_peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return err_from_errno();
	*out = (struct mess_peer){ .uid = cred.uid, .gid = cred.gid, .pid = cred.pid };
	return MESS_OK;
}

/* Through the held directory, so that length and renames above don't matter. */
static enum mess_err
address(int dir, const char *name, struct sockaddr_un *out)
{
	int n;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", dir, name);
	return n < 0 || (size_t)n >= sizeof out->sun_path ? MESS_TOOBIG : MESS_OK;
}

/* How long connect waits while the backlog is full; writes of the connection wait as long as it takes. */
static enum mess_err
set_patience(int fd, unsigned ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) == 0 ? MESS_OK : err_from_errno();
}

enum mess_err
sock_connect(int dir, const char *name, unsigned timeout_ms, int *out)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun;
	enum mess_err err;

	if (fd == -1)
		return err_from_errno();
	if ((err = set_patience(fd, timeout_ms > 0 ? timeout_ms : 1)) != MESS_OK)
		return err;
	if ((err = address(dir, name, &sun)) != MESS_OK)
		return err;
	while (connect(fd, (struct sockaddr *)&sun, sizeof sun) == -1) {
		if (errno == EINTR)
			continue;
		if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
			return MESS_NODAEMON;
		return err_from_errno();
	}
	if ((err = set_patience(fd, 0)) != MESS_OK)
		return err;
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/* Only a socket nobody listens on any more may lose its name. */
static enum mess_err
remove_dead(int dir, const char *name)
{
	enum mess_err err;
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? MESS_OK : err_from_errno();
	if (!S_ISSOCK(st.st_mode))
		return MESS_EXISTS;
	if ((err = sock_connect(dir, name, OTHER_ENGINE_MS, &fd)) == MESS_OK) {
		fd_close(&fd);
		return MESS_BUSY;
	}
	if (err != MESS_NODAEMON && errno == EAGAIN)
		return MESS_BUSY;
	if (err != MESS_NODAEMON)
		return err;
	return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? MESS_OK : err_from_errno();
}

bool
sock_refuse_rights(int fd)
{
	int no = 0;

	return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no) == 0;
}

enum mess_err
sock_bind(int dir, const char *name, mode_t mode, int *out)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun;
	enum mess_err err;
	mode_t old;
	int rc;

	if (fd == -1)
		return err_from_errno();
	if ((err = address(dir, name, &sun)) != MESS_OK)
		return err;
	if ((err = remove_dead(dir, name)) != MESS_OK)
		return err;
	/* The mode comes with the name: chmod afterwards would leave an instant between. */
	old = umask(0777 & ~mode);
	rc = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	(void)umask(old);
	if (rc == -1)
		return err_from_errno();
	*out = TAKE(fd, -1);
	return MESS_OK;
}

enum mess_err
sock_listen(int fd)
{
	return listen(fd, BACKLOG) == 0 ? MESS_OK : err_from_errno();
}

enum mess_err
sock_check_server(int fd, int dir)
{
	struct mess_peer peer = { .uid = (uid_t)-1 };
	enum mess_err err;
	struct stat st;

	if ((err = sock_peer(fd, &peer)) != MESS_OK)
		return err;
	if (peer.uid == 0 || peer.uid == geteuid())
		return MESS_OK;
	if (fstat(dir, &st) == -1)
		return err_from_errno();
	if (peer.uid == st.st_uid && (st.st_mode & 022) == 0)
		return MESS_OK;
	return MESS_DENIED;
}

enum mess_err
sock_open_parent(const char *path, int *dir, const char **name)
{
	const char *slash = strrchr(path, '/'), *last = slash == NULL ? path : slash + 1;
	AUTO_FREE char *parent = NULL;
	int fd;

	if (strlen(last) > SOCK_NAME_MAX) {
		errno = ENAMETOOLONG;
		return MESS_BADNAME;
	}
	if (slash == NULL)
		parent = strdup(".");
	else
		parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (parent == NULL)
		return MESS_LIMIT;
	if ((fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return errno == ENOENT ? MESS_NODAEMON : err_from_errno();
	*dir = fd;
	*name = last;
	return MESS_OK;
}
