/* SPDX-License-Identifier: ISC */
/*
 * libmess: finding the engine, and starting a personal one.
 *
 * A started engine belongs to nobody: its own session, no descriptor of
 * ours but a pipe.  It closes that when it serves, so the end of the pipe
 * means "serving or dead", and what came before it is why it died.  Many
 * may start one at once; the spool's lock decides, and those who lost
 * connect to the winner.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/sock.h"

#define REASON_MAX 1024
#define PAUSE_MOST_MS 50
#define CANNOT_RUN 127
#define ENGINE_KILLED (-2)

/* Cut short by a signal there is one more try. */
static enum mess_err
pause_ms(struct mess *m, int ms)
{
	short ready;

	return client_poll(m, -1, 0, ms, &ready);
}

/* An engine would refuse it too, but in words of its own, and after it was started. */
static enum mess_err
check_owner(struct mess *m, int dir)
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return client_fail_errno(m, err_from_errno(), m->spool);
	if (st.st_uid == geteuid())
		return MESS_OK;
	return client_fail(m, MESS_DENIED, "%s: %s: it belongs to uid %u, you are uid %u", m->spool,
	    mess_strerror(MESS_DENIED), st.st_uid, geteuid());
}

enum mess_err
client_open_spool(struct mess *m)
{
	AUTO_FD int found = -1;
	struct stat held, named;
	enum mess_err err;
	int fd;

	/* A spool removed and made again is another spool. */
	if (m->spool_dir != -1 && (fstat(m->spool_dir, &held) == -1 || stat(m->spool, &named) == -1 ||
	    held.st_dev != named.st_dev || held.st_ino != named.st_ino))
		fd_close(&m->spool_dir);
	if (m->spool_dir != -1)
		return MESS_OK;
	if ((err = fs_make_private_path(m->spool)) != MESS_OK)
		return client_fail_errno(m, err, m->spool);
	/* O_PATH: whose it is can be told also of one that we may not read. */
	if ((found = open(m->spool, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return client_fail_errno(m, err_from_errno(), m->spool);
	if ((err = check_owner(m, found)) != MESS_OK)
		return err;
	if ((fd = openat(found, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return client_fail_errno(m, err_from_errno(), m->spool);
	m->spool_dir = fd;
	return MESS_OK;
}

/* A socket whose backlog is full is an engine that is busy, not one that is absent. */
static enum mess_err
dial_below(struct mess *m, int dir, const char *name)
{
	const char *path = m->socket != NULL ? m->socket : m->spool;
	uint64_t now = client_clock();
	AUTO_FD int fd = -1;
	enum mess_err err;

	if ((err = sock_connect(dir, name, m->patience > now ? (unsigned)(m->patience - now) : 0,
	    &fd)) == MESS_NODAEMON)
		return client_fail(m, err, "%s: %s", path, mess_strerror(err));
	if (err != MESS_OK)
		return client_fail_errno(m, err, path);
	if ((err = sock_check_server(fd, dir)) != MESS_OK)
		return client_fail(m, err, "%s: whoever listens there is neither root, nor you, "
		    "nor the owner of a directory that only they can write", path);
	m->fd = TAKE(fd, -1);
	return MESS_OK;
}

enum mess_err
client_dial(struct mess *m)
{
	AUTO_FD int dir = -1;
	const char *name;
	enum mess_err err;

	if (m->socket == NULL) {
		if ((err = client_open_spool(m)) != MESS_OK)
			return err;
		return dial_below(m, m->spool_dir, ".sock");
	}
	err = sock_open_parent(m->socket, &dir, &name);
	if (err == MESS_BADNAME)
		return client_fail(m, err, "%s: the last part of a socket's path is at most %d bytes; "
		    "this one is %zu", m->socket, SOCK_NAME_MAX, strlen(strrchr(m->socket, '/') != NULL ?
		    strrchr(m->socket, '/') + 1 : m->socket));
	if (err == MESS_NODAEMON)
		return client_fail(m, err, "%s: %s", m->socket, mess_strerror(err));
	if (err != MESS_OK)
		return client_fail_errno(m, err, m->socket);
	return dial_below(m, dir, name);
}

/* ---- starting one ---- */

/* In the child: only what is safe between fork and exec. */
static _Noreturn void
become_engine(const char *program, char *const argv[], int report)
{
	const char *why;
	sigset_t none;
	int null;

	/* Above 2, so that what follows can't close it on the way. */
	if ((report = fcntl(report, F_DUPFD, 3)) == -1)
		_exit(CANNOT_RUN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
	(void)setsid(); /* a child leads no group yet: it cannot fail */
	if ((null = open("/dev/null", O_RDONLY)) == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(report, STDOUT_FILENO) == -1 || dup2(report, STDERR_FILENO) == -1)
		_exit(CANNOT_RUN);
	(void)close_range(3, ~0U, 0);
	(void)execv(program, argv);
	if ((why = strerrordesc_np(errno)) != NULL)
		(void)!write(STDERR_FILENO, why, strlen(why));
	_exit(CANNOT_RUN);
}

void
client_reap(struct mess *m)
{
	if (m->engine > 0 && waitpid(m->engine, NULL, WNOHANG) != 0)
		m->engine = 0;
}

static enum mess_err
spawn(struct mess *m, int *out)
{
	AUTO_FREE char *idle = NULL;
	int pipefd[2];
	pid_t pid;

	if (asprintf(&idle, "%u", m->idle_exit) == -1) {
		idle = NULL;
		return client_fail(m, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
	}
	char *const argv[] = { m->deliverd, (char[]){ "--spool" }, m->spool,
		(char[]){ "--idle-exit" }, idle,
		(char[]){ "--detach" }, NULL };

	if (pipe2(pipefd, O_CLOEXEC) == -1)
		return client_fail_errno(m, err_from_errno(), "pipe");
	if ((pid = fork()) == 0)
		become_engine(m->deliverd, argv, pipefd[1]);
	fd_close(&pipefd[1]);
	if (pid == -1) {
		fd_close(&pipefd[0]);
		return client_fail_errno(m, MESS_SYSTEM, "fork");
	}
	m->engine = pid;
	*out = pipefd[0];
	return MESS_OK;
}

/* Reads its pipe to the end; what was said first is kept. */
static enum mess_err
hear(struct mess *m, int fd, struct buf *reason)
{
	char piece[256];

	for (;;) {
		uint64_t now = client_clock();
		enum mess_err err;
		short ready;
		ssize_t n;

		if (now >= m->patience)
			return client_fail(m, MESS_NODAEMON, "%s was started but does not serve after %d s",
			    m->deliverd, CLIENT_PATIENCE_MS / 1000);
		if ((err = client_poll(m, fd, POLLIN, (int)(m->patience - now), &ready)) != MESS_OK)
			return err;
		if (ready == 0)
			continue;
		if ((n = read(fd, piece, sizeof piece)) == 0)
			return MESS_OK;
		if (n > 0 && buf_append(reason, piece, (size_t)n) != MESS_OK)
			continue; /* the beginning says enough */
		if (n == -1 && errno != EINTR)
			return client_fail_errno(m, err_from_errno(), m->deliverd);
	}
}

/* Its exit status, once it is dead; ENGINE_KILLED by a signal; -1 when it lives or nobody can tell. */
static int
engine_status(struct mess *m)
{
	int status;

	/* Its descriptors close just before it can be waited for. */
	for (unsigned tries = 0; tries < 100; tries++) {
		pid_t pid = waitpid(m->engine, &status, WNOHANG);

		if (pid == -1 && errno == EINTR)
			continue;
		if (pid != 0)
			m->engine = 0;
		if (pid > 0)
			return WIFEXITED(status) ? WEXITSTATUS(status) : ENGINE_KILLED;
		if (pid == -1 || pause_ms(m, 10) != MESS_OK)
			return -1;
	}
	return -1;
}

/* The last line of what it said: that is why it gave up. */
static const char *
last_words(const struct buf *reason, size_t *len)
{
	const char *text = buf_data(reason), *nl;
	size_t n = buf_len(reason);

	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n == 0) {
		*len = strlen("it said nothing");
		return "it said nothing";
	}
	nl = memrchr(text, '\n', n);
	*len = nl != NULL ? (size_t)(text + n - (nl + 1)) : n;
	return text + n - *len;
}

/* It was too late, another engine has the spool; or it was killed, which says nothing of the next. */
static bool
may_try_again(int status, const char *words, size_t len)
{
	const char *busy = mess_strerror(MESS_BUSY);
	size_t n = strlen(busy);

	if (status == ENGINE_KILLED)
		return true;
	return status == EX_TEMPFAIL && len >= n && memcmp(words + len - n, busy, n) == 0;
}

/* The error that a program exits for in this way; what it said is the detail. */
static enum mess_err
err_from_exit(int status)
{
	for (enum mess_err err = MESS_USAGE; err <= MESS_CONFIG; err++)
		if (mess_exit_status(err) == status)
			return err;
	return MESS_NODAEMON;
}

static enum mess_err
died(struct mess *m, int status, const char *words, size_t len)
{
	return client_fail(m, err_from_exit(status), "%s: %s: %.*s", m->deliverd,
	    status == CANNOT_RUN ? "cannot be run" : "did not start", (int)len, words);
}

/* Connected, or MESS_BUSY when another engine was quicker: dial again. */
static enum mess_err
start(struct mess *m)
{
	AUTO_BUF struct buf reason = BUF_INIT(REASON_MAX);
	AUTO_FD int report = -1;
	const char *words;
	enum mess_err err;
	size_t len;
	int status;

	client_reap(m);
	if ((err = spawn(m, &report)) != MESS_OK)
		return err;
	if ((err = hear(m, report, &reason)) != MESS_OK)
		return err;
	if ((err = client_dial(m)) != MESS_NODAEMON)
		return err;
	status = engine_status(m);
	words = last_words(&reason, &len);
	if (status == -1 || status == EX_OK || may_try_again(status, words, len))
		return MESS_BUSY;
	return died(m, status, words, len);
}

enum mess_err
client_find(struct mess *m)
{
	enum mess_err err;

	for (int ms = 1;; ms = ms * 2 < PAUSE_MOST_MS ? ms * 2 : PAUSE_MOST_MS) {
		if ((err = client_dial(m)) != MESS_NODAEMON)
			return err;
		if (m->spool == NULL || m->deliverd == NULL || client_clock() >= m->patience)
			return err;
		if ((err = start(m)) != MESS_BUSY || (err = pause_ms(m, ms)) != MESS_OK)
			return err;
	}
}
