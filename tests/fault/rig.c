/* SPDX-License-Identifier: ISC */
/*
 * Processes of the fault tests, and the page that they share with the rig.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/loop.h"

#define ROOM ((size_t)256 * 1024 * 1024)
#define TMP_MAX_LEN 60	/* a socket has a short path */

struct fault_page *page;
char dir[88], spool[96];
unsigned wrongs;
static const char *above;	/* dir */
static char page_path[96], said_path[96], text[8192];

/* --- reports ------------------------------------------------------------ */

#define NAME(id, name, ...) #name,
static const char *const names[] = { FAULT_FUNCTIONS(NAME) };
#define WAYS(id, name, ...) (sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)),
static const unsigned ways[] = { FAULT_FUNCTIONS(WAYS) };

const char *
rig_function(unsigned f)
{
	return names[f];
}

unsigned
rig_ways(unsigned f)
{
	return ways[f];
}

const char *
rig_way(void)
{
	if (page->failed == 0)
		return "not made";
	if (page->kill)
		return "killed";
	return page->error == FAULT_SHORT ? "short" : strerror(page->error);
}

void
wrong(const char *fmt, ...)
{
	va_list ap;

	wrongs++;
	printf("# wrong: %s %u, %s: ", names[page->function], page->at, rig_way());
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	for (const char *at = rig_said(), *nl; *at != '\0'; at = nl + (*nl != '\0')) {
		nl = strchrnul(at, '\n');
		printf("#   %.*s\n", (int)(nl - at), at);
	}
}

/* --- the page and the directory ----------------------------------------- */

volatile sig_atomic_t rig_stopped;

static void
stop(int sig)
{
	rig_stopped = sig;
}

/* In memory, where there is room: there are thousands of syncs. */
static const char *
place(void)
{
	const char *tmp = getenv("TMPDIR");
	struct statvfs st;

	if (access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &st) == 0 &&
	    st.f_bavail * st.f_frsize >= ROOM)
		return "/dev/shm";
	return tmp != NULL && strlen(tmp) < TMP_MAX_LEN ? tmp : "/tmp";
}

void
rig_begin(void)
{
	AUTO_FD int fd = -1;

	(void)signal(SIGTERM, stop); /* these may be caught */
	(void)signal(SIGINT, stop);
	(void)signal(SIGHUP, stop);
	above = place();
	(void)snprintf(dir, sizeof dir, "%s/mess-fault.XXXXXX", above); /* or mkdtemp says so */
	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(spool, sizeof spool, "%s/spool", dir);		/* these fit by their size */
	(void)snprintf(page_path, sizeof page_path, "%s/page", dir);
	(void)snprintf(said_path, sizeof said_path, "%s/said", dir);
	fd = open(page_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1 || ftruncate(fd, sizeof *page) == -1 ||
	    (page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		abort();
}

static void
remove_tree(const char *in, const char *name)
{
	int parent = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ERR_IGNORE(fs_remove_tree(parent, name)); /* not there is fine; else the next run says so */
	fd_close(&parent);
}

void
rig_clean(void)
{
	remove_tree(dir, "spool");
}

void
rig_end(void)
{
	(void)munmap(page, sizeof *page); /* it is a mapping of ours */
	remove_tree(above, strrchr(dir, '/') + 1);
}

/* --- what was written --------------------------------------------------- */

static const char *
read_text(const char *path)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof text - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

void
rig_forget_said(void)
{
	(void)unlink(said_path); /* or nothing was said */
}

const char *
rig_said(void)
{
	return read_text(said_path);
}

/* --- processes ---------------------------------------------------------- */

static void
become(bool faulty, const char *const *argv)
{
	const char *build = getenv("MESS_BUILD");
	char path[4096];
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int err = open(said_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* best effort */
	if (dup2(in, 0) == -1 || dup2(err, 1) == -1 || dup2(err, 2) == -1)
		_exit(126);
	if (faulty && setenv(FAULT_VARIABLE, page_path, 1) == -1)
		_exit(126);
	(void)snprintf(path, sizeof path, "%s/tests/fault/%s", build != NULL ? build : ".", argv[0]); /* or it is not found */
	(void)execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

pid_t
rig_start(bool faulty, const char *const *argv)
{
	pid_t pid;

	(void)fflush(stdout);
	if ((pid = fork()) == 0)
		become(faulty, argv);
	if (pid == -1)
		abort();
	return pid;
}

bool
rig_is_gone(pid_t pid, int *status)
{
	if (waitpid(pid, status, WNOHANG) != pid)
		return false;
	if (strstr(rig_said(), "Sanitizer") != NULL || strstr(rig_said(), "runtime error:") != NULL)
		wrong("a sanitizer found something");
	return true;
}

int
rig_wait(pid_t pid)
{
	uint64_t until = loop_now() + PATIENCE_MS;
	int status;

	while (!rig_is_gone(pid, &status)) {
		if (loop_now() > until) {
			(void)kill(pid, SIGKILL); /* it is our child: it is there */
			(void)waitpid(pid, &status, 0);
			return -1;
		}
		(void)usleep(300);
	}
	return status;
}
