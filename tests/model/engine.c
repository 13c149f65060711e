/* SPDX-License-Identifier: ISC */
/*
 * The engine as a process, on a spool of its own: mess-deliverd, linked with
 * the clock that the test moves.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fs.h"

#define START_MS 30000

void
engine_make_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[sizeof w.dir + 8];

	(void)snprintf(w.dir, sizeof w.dir, "%s/mess-model.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(w.dir) == NULL)
		abort();
	(void)snprintf(w.spool, sizeof w.spool, "%s/spool", w.dir); /* fits by its size */
	(void)snprintf(w.log, sizeof w.log, "%s/log", w.dir); /* likewise */
	(void)snprintf(path, sizeof path, "%s/clock", w.dir); /* likewise */
	clock_begin(path);
}

void
engine_end_dir(bool keep)
{
	int parent;

	clock_end();
	if (keep)
		return;
	parent = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs_remove_tree(parent, w.dir + 1) != MESS_OK)
		printf("# %s is left\n", w.dir);
	fd_close(&parent);
}

/* What it said, for people. */
void
engine_say_log(void)
{
	char text[4096];
	int fd = open(w.log, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return;
	while ((n = read(fd, text, sizeof text - 1)) > 0) {
		text[n] = '\0';
		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
			printf("#   mess-deliverd: %s\n", line);
	}
	fd_close(&fd);
}

static void
become_engine(void)
{
	const char *build = getenv("MESS_BUILD");
	char path[4096];
	int fd = open(w.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	(void)snprintf(path, sizeof path, "%s/tests/model/deliverd", build != NULL ? build : "."); /* or it is not found */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* best effort: no engine outlives its test */
	if (fd == -1 || dup2(fd, STDERR_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1)
		_exit(126);
	(void)execl(path, path, "--spool", w.spool, (char *)NULL);
	_exit(127);
}

/* It serves when it answers. */
void
engine_start(void)
{
	uint64_t until = clock_real() + START_MS;
	int status;

	(void)fflush(stdout);
	if ((w.engine = fork()) == 0)
		become_engine();
	if (w.engine == -1)
		abort();
	while (!wire_connect(CONTROL)) {
		if (waitpid(w.engine, &status, WNOHANG) == w.engine) {
			w.engine = 0;
			wrong("the engine ended with status %#x", (unsigned)status);
		}
		if (clock_real() > until)
			wrong("the engine does not start");
		(void)usleep(2000);
	}
	if (!wire_flush(CONTROL))
		wrong("the engine is gone");
	wire_wait(CONTROL);
}

/* By TERM it must end well. */
void
engine_end(int sig)
{
	pid_t pid = w.engine;
	int status = 0;

	if (pid <= 0)
		return;
	w.engine = 0;
	if (kill(pid, sig) == -1)
		abort();
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (sig == SIGTERM && status != 0)
		wrong("the engine ended by TERM with status %#x", (unsigned)status);
}
