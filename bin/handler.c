/* SPDX-License-Identifier: ISC */
/*
 * A handler: start, feed, watch, time out, judge the exit.
 *
 * posix_spawn says what exec said, and starts without copying us.  What ends
 * it is seen on a pidfd; until it is reaped its number, and so that of its
 * process group, cannot be anybody else's, and only until then is anything
 * killed.
 */
#include "handler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>

#define LIBBSD_NETBSD_VIS
#include <bsd/vis.h>

#include "base/buf.h"
#include "base/fd.h"

#define FEED_MAX ((size_t)1 << 20)	/* not taken yet */
#define DRAIN_MAX ((size_t)1 << 20)	/* of stderr after its end: what a pipe may hold */
#define PIECE ((size_t)16 * 1024)

enum { FD_STDIN, FD_STDERR, FD_PID };

/* Why we ended it. */
enum ending {
	RUNNING,
	TIMED_OUT,
	STOPPED,
};

struct handler {
	pid_t pid;		/* and process group; 0 once reaped */
	int pidfd;
	int in, err;		/* our ends of the pipes */
	struct buf feed;
	bool last;		/* nothing will be fed any more */
	const char *timeout;
	uint64_t timeout_at;	/* UINT64_MAX: never */
	uint64_t kill_at;
	enum ending ending;
	siginfo_t exit;
	char tail[HANDLER_OUTPUT];	/* the end of stderr */
	size_t tail_len;
};

/* ---- start ---- */

/* Default signals, nothing blocked, a group of its own. */
static int
set_attributes(posix_spawnattr_t *attr)
{
	sigset_t all, none;
	int err;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	if ((err = posix_spawnattr_setsigdefault(attr, &all)) != 0 ||
	    (err = posix_spawnattr_setsigmask(attr, &none)) != 0 ||
	    (err = posix_spawnattr_setpgroup(attr, 0)) != 0)
		return err;
	return posix_spawnattr_setflags(attr,
	    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
}

static int
set_actions(posix_spawn_file_actions_t *actions, int in, int err_fd)
{
	int err;

	if ((err = posix_spawn_file_actions_adddup2(actions, in, STDIN_FILENO)) != 0 ||
	    (err = posix_spawn_file_actions_adddup2(actions, err_fd, STDERR_FILENO)) != 0)
		return err;
	return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/*
 * posix_spawnp's EACCES may come from a directory of PATH that is closed to
 * us, while the command is in none: a shell calls that not found.
 */
static bool
is_in_path(const char *command)
{
	const char *at = getenv("PATH"), *end;
	char path[PATH_MAX];

	if (strchr(command, '/') != NULL)
		return true;
	for (; at != NULL; at = *end == ':' ? end + 1 : NULL) {
		end = strchrnul(at, ':');
		if (snprintf(path, sizeof path, "%.*s/%s", (int)(end - at), at, command) < PATH_MAX &&
		    faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0)
			return true;
	}
	return false;
}

static int
spawn(const struct handler_setup *setup, int in, int err_fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int err;

	if ((err = posix_spawn_file_actions_init(&actions)) != 0)
		return err;
	if ((err = posix_spawnattr_init(&attr)) == 0) {
		if ((err = set_attributes(&attr)) == 0 && (err = set_actions(&actions, in, err_fd)) == 0)
			err = posix_spawnp(pid, setup->argv[0], &actions, &attr, setup->argv, setup->env);
		(void)posix_spawnattr_destroy(&attr); /* cannot fail */
	}
	(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
	return err == EACCES && !is_in_path(setup->argv[0]) ? ENOENT : err;
}

/* Started, but it cannot be watched: as if it had not been. */
static int
take_back(pid_t pid)
{
	int saved = errno;

	(void)kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	return saved;
}

static int
start(struct handler *h, const struct handler_setup *setup)
{
	AUTO_FD int in = -1;
	AUTO_FD int err_fd = -1;
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return errno;
	in = ends[0];
	h->in = ends[1];
	if (pipe2(ends, O_CLOEXEC) == -1)
		return errno;
	h->err = ends[0];
	err_fd = ends[1];
	/* Ours alone: the handler's ends are other descriptions, and wait as it is used to. */
	if (fcntl(h->in, F_SETFL, O_NONBLOCK) == -1 || fcntl(h->err, F_SETFL, O_NONBLOCK) == -1)
		return errno;
	if ((err = spawn(setup, in, err_fd, &h->pid)) != 0)
		return err;
	if ((h->pidfd = pidfd_open(h->pid, 0)) == -1)
		return take_back(TAKE(h->pid, 0));
	return 0;
}

int
handler_start(const struct handler_setup *setup, struct handler **out)
{
	struct handler *h = calloc(1, sizeof *h);
	int err;

	if (h == NULL)
		return ENOMEM;
	h->pidfd = h->in = h->err = -1;
	h->feed.max = FEED_MAX;
	h->timeout = setup->timeout;
	h->timeout_at = h->kill_at = UINT64_MAX;
	if (setup->timeout_ms > 0 &&
	    __builtin_add_overflow(setup->now, setup->timeout_ms, &h->timeout_at))
		h->timeout_at = UINT64_MAX;
	if ((err = start(h, setup)) != 0) {
		h->pid = 0;
		handler_free(h);
		return err;
	}
	*out = h;
	return 0;
}

void
handler_free(struct handler *h)
{
	if (h == NULL)
		return;
	fd_close(&h->in);
	fd_close(&h->err);
	fd_close(&h->pidfd);
	buf_free(&h->feed);
	free(h);
}

/* ---- feed ---- */

/* One that does not read, or no more, is no error: its exit status decides. */
static void
write_feed(struct handler *h)
{
	ssize_t n;

	while (h->in != -1 && buf_len(&h->feed) > 0) {
		n = write(h->in, buf_data(&h->feed), buf_len(&h->feed));
		if (n > 0) {
			buf_consume(&h->feed, (size_t)n);
		} else if (n == -1 && errno != EINTR) {
			if (errno == EAGAIN)
				return;
			fd_close(&h->in);
			buf_reset(&h->feed, 0);
		}
	}
	if (h->last)
		fd_close(&h->in);
}

enum mess_err
handler_feed(struct handler *h, const char *data, size_t len, bool last)
{
	enum mess_err err;

	h->last = last;
	if (h->in != -1 && len > 0 && (err = buf_append(&h->feed, data, len)) != MESS_OK)
		return err == MESS_TOOBIG ? MESS_LIMIT : err;
	write_feed(h);
	return MESS_OK;
}

bool
handler_is_hungry(const struct handler *h)
{
	return h->in == -1 || buf_len(&h->feed) == 0;
}

/* ---- watch ---- */

static void
keep_tail(struct handler *h, const char *data, size_t len)
{
	size_t kept;

	if (len > sizeof h->tail) {
		data += len - sizeof h->tail;
		len = sizeof h->tail;
	}
	kept = sizeof h->tail - len < h->tail_len ? sizeof h->tail - len : h->tail_len;
	memmove(h->tail, h->tail + h->tail_len - kept, kept);
	memcpy(h->tail + kept, data, len);
	h->tail_len = kept + len;
}

/* Up to most bytes of what is there; false when there is nothing more. */
static bool
read_stderr(struct handler *h, size_t most)
{
	char piece[PIECE];
	ssize_t n = 0;

	while (h->err != -1 && most > 0) {
		n = read(h->err, piece, most < sizeof piece ? most : sizeof piece);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		/* Words of the handler's: who cannot be told them is not our concern. */
		if (fd_write_all(STDERR_FILENO, piece, (size_t)n) == -1)
			errno = 0;
		keep_tail(h, piece, (size_t)n);
		most -= (size_t)n;
	}
	if (n == 0 && most > 0)
		fd_close(&h->err);
	return most == 0;
}

void
handler_polls(const struct handler *h, struct pollfd *fds)
{
	bool feeding = h->in != -1 && buf_len(&h->feed) > 0;

	/* One that closed its stdin is seen when there is something for it. */
	fds[FD_STDIN] = (struct pollfd){ .fd = feeding ? h->in : -1, .events = POLLOUT };
	fds[FD_STDERR] = (struct pollfd){ .fd = h->err, .events = POLLIN };
	fds[FD_PID] = (struct pollfd){ .fd = h->pidfd, .events = POLLIN };
}

uint64_t
handler_due(const struct handler *h)
{
	return h->timeout_at < h->kill_at ? h->timeout_at : h->kill_at;
}

static void
term(struct handler *h, enum ending why, uint64_t now)
{
	h->ending = why;
	h->timeout_at = UINT64_MAX;
	h->kill_at = now + HANDLER_KILL_MS;
	(void)kill(-h->pid, SIGTERM); /* it may have ended: that is seen next */
}

void
handler_stop(struct handler *h, uint64_t now)
{
	if (h->ending == RUNNING && h->pid != 0)
		term(h, STOPPED, now);
}

void
handler_kill(struct handler *h)
{
	if (h->pid == 0)
		return;
	if (h->ending == RUNNING)
		h->ending = STOPPED;
	h->timeout_at = h->kill_at = UINT64_MAX;
	(void)kill(-h->pid, SIGKILL);
}

/*
 * It ended.  What it left in its group goes on, unless we ended it: then the
 * group ends with it.  Before it is reaped, or its number may be another's.
 * What it started may hold its stderr open for ever: nobody waits for that.
 */
static void
reap(struct handler *h)
{
	if (h->ending != RUNNING)
		(void)kill(-h->pid, SIGKILL);
	while (waitid(P_PIDFD, (id_t)h->pidfd, &h->exit, WEXITED) == -1 && errno == EINTR)
		;
	h->pid = 0;
	(void)read_stderr(h, DRAIN_MAX); /* more than fits a pipe is somebody else's */
	fd_close(&h->in);
	fd_close(&h->err);
	fd_close(&h->pidfd);
	buf_reset(&h->feed, 0);
	h->timeout_at = h->kill_at = UINT64_MAX;
}

bool
handler_turn(struct handler *h, const struct pollfd *fds, uint64_t now)
{
	if (h->pid == 0)
		return true;
	if (fds[FD_STDIN].revents != 0)
		write_feed(h);
	if (fds[FD_STDERR].revents != 0)
		(void)read_stderr(h, PIECE * 4); /* the others have their turn, too */
	if (fds[FD_PID].revents != 0) {
		reap(h);
		return true;
	}
	if (now >= h->kill_at)
		handler_kill(h);
	else if (now >= h->timeout_at)
		term(h, TIMED_OUT, now);
	return false;
}

/* ---- judge ---- */

static enum handler_verdict
verdict_of(const struct handler *h)
{
	if (h->ending == STOPPED)
		return HANDLER_BACK;
	if (h->ending == TIMED_OUT || h->exit.si_code != CLD_EXITED)
		return HANDLER_LATER;
	switch (h->exit.si_status) {
	case 0:
		return HANDLER_ACK;
	case 99:
		return HANDLER_BACK;
	case EX_DATAERR:
	case 100:
		return HANDLER_DEAD;
	default:
		return HANDLER_LATER;
	}
}

/* As much of the end as fits when it is escaped: a byte needs four at most. */
static void
escape_tail(const struct handler *h, char *out)
{
	const int how = VIS_CSTYLE | VIS_NL | VIS_TAB | VIS_NOLOCALE;
	AUTO_FREE char *all = malloc(4 * sizeof h->tail + 1);
	size_t len = h->tail_len, from = 0;
	int n = 0;

	out[0] = '\0';
	if (all == NULL)
		return;
	while (len > 0 && h->tail[len - 1] == '\n')
		len--;
	while (from < len && (n = strvisx(all, h->tail + from, len - from, how)) > HANDLER_OUTPUT)
		from += ((size_t)n - HANDLER_OUTPUT + 3) / 4;
	if (from < len && n > 0)
		memcpy(out, all, (size_t)n + 1);
}

void
handler_judge(const struct handler *h, struct handler_end *out)
{
	bool exited = h->exit.si_code == CLD_EXITED;
	const char *name = exited ? NULL : sigabbrev_np(h->exit.si_status);

	out->verdict = verdict_of(h);
	if (exited)
		(void)snprintf(out->status, sizeof out->status, "%d", h->exit.si_status); /* it fits */
	else
		(void)snprintf(out->status, sizeof out->status, "SIG%s", name != NULL ? name : "?");
	if (h->ending == TIMED_OUT)
		(void)snprintf(out->reason, sizeof out->reason, "timed out after %s", h->timeout);
	else if (exited)
		(void)snprintf(out->reason, sizeof out->reason, "exit status %s", out->status);
	else
		(void)snprintf(out->reason, sizeof out->reason, "killed by %s", out->status);
	escape_tail(h, out->output);
}
