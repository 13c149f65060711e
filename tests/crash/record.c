/* SPDX-License-Identifier: ISC */
/*
 * Running a command on a file system whose disk remembers.
 *
 * All of it is in a mount and a process namespace of its own: whoever kills
 * the recorder, with whatever signal, ends command, engines, disk and
 * mounts, and with them the loop device.
 */
#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"

static void
path_in(char *out, const char *dir, const char *name)
{
	if (snprintf(out, PATH_LEN, "%s/%s", dir, name) >= PATH_LEN)
		abort(); /* the caller's directory is nonsense */
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return 71;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The disk's server; the loop device over its file, or -1. */
static int
start_disk(const struct record_setup *s, pid_t *server, char *loop)
{
	char image[PATH_LEN], log[PATH_LEN], at[PATH_LEN], file[PATH_LEN], c;
	int ready[2], fd, device;

	path_in(image, s->dir, "base");
	path_in(log, s->dir, "log");
	path_in(at, s->dir, "fuse");
	path_in(file, at, "disk");
	if ((mkdir(at, 0700) == -1 && errno != EEXIST) || pipe(ready) == -1)
		return -1;
	(void)fflush(stdout);
	if ((*server = fork()) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ready[0]);
		_exit(disk_serve(image, log, at, ready[1]));
	}
	(void)close(ready[1]);
	if (*server == -1 || read(ready[0], &c, 1) != 1 || (fd = open(file, O_RDWR | O_CLOEXEC)) == -1)
		return -1;
	(void)close(ready[0]);
	device = disk_loop(fd, loop);
	(void)close(fd);
	return device;
}

/* What was promised before this run: its log begins with it. */
static int
copy_marks(const struct record_setup *s)
{
	char from[PATH_LEN], to[PATH_LEN], *text = NULL;
	size_t len = 0;
	int fd = -1, rc = -1;
	FILE *f;

	path_in(from, s->dir, "marks");
	path_in(to, s->dir, "fuse/mark");
	if ((f = fopen(from, "r")) == NULL)
		return errno == ENOENT ? 0 : -1;
	/* One write, so that no line is cut. */
	if (getdelim(&text, &len, '\0', f) == -1)
		rc = feof(f) ? 0 : -1;
	else if ((fd = open(to, O_WRONLY | O_APPEND | O_CLOEXEC)) != -1)
		rc = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	if (fd != -1)
		(void)close(fd);
	(void)fclose(f); /* was read only */
	free(text);
	return rc;
}

static int
run_command(const struct record_setup *s, const char *at, const char *mark)
{
	pid_t pid;

	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		if (setenv("CRASH_MARK", mark, 1) == -1 || setenv("CRASH_AT", at, 1) == -1 || chdir(at) == -1)
			_exit(71);
		(void)execvp(s->command[0], s->command);
		perror(s->command[0]);
		_exit(127);
	}
	return pid == -1 ? 71 : wait_for(pid);
}

/* The log is over: what an orderly end writes is no power cut. */
static int
end_log(const char *mark)
{
	int fd = open(mark, O_WRONLY | O_APPEND | O_CLOEXEC);
	bool good = fd != -1 && write(fd, DISK_END, strlen(DISK_END)) == (ssize_t)strlen(DISK_END);

	if (fd != -1)
		(void)close(fd);
	return good ? 0 : -1;
}

/* The first process of the namespace. */
static int
inside(const struct record_setup *s, const char *loop)
{
	char at[PATH_LEN], mark[PATH_LEN];
	int status;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	path_in(at, s->dir, "at");
	path_in(mark, s->dir, "fuse/mark");
	/*
	 * Mounts that the disk's process does not share: were it the last to leave
	 * them, it would wait, unmounting, for its own answer.
	 */
	if (unshare(CLONE_NEWNS) == -1 || mount("proc", "/proc", "proc", 0, NULL) == -1 || (mkdir(at, 0755) == -1 && errno != EEXIST) ||
	    mount(loop, at, s->type, 0, NULL) == -1) {
		perror("crash: mount");
		return 71;
	}
	status = run_command(s, at, mark);
	if (end_log(mark) == -1)
		perror("crash: the mark");
	(void)kill(-1, SIGKILL); /* in this process namespace: all but ourselves */
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (umount2(at, 0) == -1) {
		perror("crash: unmount");
		return 71;
	}
	return status;
}

/* A process namespace is for children only: the disk stays outside. */
static int
run_inside(const struct record_setup *s, const char *loop)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID) == -1) {
		perror("crash: unshare");
		return 71;
	}
	(void)fflush(stdout);
	if ((pid = fork()) == 0)
		_exit(inside(s, loop));
	return pid == -1 ? 71 : wait_for(pid);
}

int
record(const struct record_setup *asked)
{
	struct record_setup absolute = *asked, *s = &absolute;
	char loop[32], fuse[PATH_LEN];
	pid_t server = -1;
	int device, status = 71;

	/* The command runs somewhere else. */
	if ((s->dir = realpath(asked->dir, NULL)) == NULL) {
		perror(asked->dir);
		return 66;
	}
	path_in(fuse, s->dir, "fuse");
	if (unshare(CLONE_NEWNS) == -1 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) {
		perror("crash: mounts of one's own");
		return 71;
	}
	if ((device = start_disk(s, &server, loop)) == -1 || copy_marks(s) == -1)
		perror("crash: the disk");
	else {
		status = run_inside(s, loop);
		(void)close(device); /* the device lets go of the file */
	}
	(void)umount2(fuse, MNT_DETACH); /* not mounted when the disk did not start */
	if (server > 0)
		(void)wait_for(server);
	free((void *)(uintptr_t)s->dir);
	return status;
}
