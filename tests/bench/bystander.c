/* SPDX-License-Identifier: ISC */
/*
 * How long a publish takes while somebody else attacks.
 *
 * A bystander connects, publishes one message, and is answered, again and
 * again, as uid 60001; meanwhile uid 60002 does its worst in one process, so that on two processors
 * as one user has two processors at most on the machine that this is for.
 * For each attack five rounds of half without and half with it, in turn.
 *
 * Usage, as root: bystander SOCKET ENGINE-PID [ATTACK...]
 * Prints p50 and p99 in microseconds without and with, the median over the
 * rounds, the ratios, and the engine's memory after each attack.
 */
#include <err.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define PUBLISHES 300
#define PAUSE_US 2000
#define SETTLE_US 300000	/* the attack is under way */
#define GIVE_UP_MS 10000
#define CONNECTIONS 200
#define PROCESSES 1
#define BYSTANDER 60001
#define ATTACKER 60002

static const char *path;

/* --- a connection ------------------------------------------------------- */

static int
dial(int flags)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (strlen(path) >= sizeof sun.sun_path)
		errx(1, "%s: too long", path);
	(void)strcpy(sun.sun_path, path); /* it fits */
	if (fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof sun) == -1) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void
say(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* whoever is cut off hears so when it reads */
		text += n;
		len -= (size_t)n;
	}
}

static bool
hear_lines(int fd, int lines)
{
	char mem[4096];

	while (lines > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, GIVE_UP_MS) <= 0 || (n = recv(fd, mem, sizeof mem, 0)) <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			lines -= mem[i] == '\n';
	}
	return true;
}

static void
become(uid_t uid)
{
	if (setgroups(0, NULL) == -1 || setresgid(uid, uid, uid) == -1 || setresuid(uid, uid, uid) == -1)
		err(1, "uid %u", uid);
}

/* --- the bystander ------------------------------------------------------ */

struct figures {
	double p50, p99;
};

static double
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
publish(void)
{
	double began = now_us();
	int fd;

	while ((fd = dial(0)) == -1)
		if (errno != EAGAIN && errno != EINTR)
			err(1, "%s", path);
	say(fd, "HELLO 1\nPUB orders 0 100\n"
	    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789");
	if (!hear_lines(fd, 2))
		errx(1, "a publish was not answered");
	(void)close(fd);
	return now_us() - began;
}

static void
measure(int out)
{
	double took[PUBLISHES];
	struct figures f;

	become(BYSTANDER);
	for (int i = 0; i < PUBLISHES; i++) {
		took[i] = publish();
		(void)usleep(PAUSE_US);
	}
	qsort(took, PUBLISHES, sizeof *took, by_value);
	f = (struct figures){ took[PUBLISHES / 2], took[PUBLISHES * 99 / 100] };
	if (write(out, &f, sizeof f) != sizeof f)
		err(1, "pipe");
}

static struct figures
measured(void)
{
	struct figures f;
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0) {
		measure(fds[1]);
		_exit(0);
	}
	(void)close(fds[1]);
	if (read(fds[0], &f, sizeof f) != sizeof f)
		errx(1, "the bystander gave up");
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	return f;
}

/* --- attacks ------------------------------------------------------------ */

static void
drain(int fd)
{
	char mem[65536];

	while (recv(fd, mem, sizeof mem, MSG_DONTWAIT) > 0)
		;
}

/* CONNECTIONS of them, each having said that. */
static int *
many(const char *first)
{
	int *fds = calloc(CONNECTIONS, sizeof *fds);

	if (fds == NULL)
		err(1, "memory");
	for (int i = 0; i < CONNECTIONS / PROCESSES; i++) {
		while ((fds[i] = dial(0)) == -1)
			(void)usleep(1000);
		say(fds[i], "HELLO 1\n");
		say(fds[i], first);
	}
	return fds;
}

/* As much of text as each takes, for ever, and what is answered is read or not. */
static _Noreturn void
push(const char *first, const char *text, bool reads)
{
	int *fds = many(first);
	size_t len = strlen(text), at[CONNECTIONS] = { 0 };

	for (;;) {
		bool idle = true;

		for (int i = 0; i < CONNECTIONS / PROCESSES; i++) {
			ssize_t n = send(fds[i], text + at[i], len - at[i], MSG_NOSIGNAL | MSG_DONTWAIT);

			if (n > 0) {
				at[i] = (at[i] + (size_t)n) % len;
				idle = false;
			}
			if (reads)
				drain(fds[i]);
		}
		if (idle)
			(void)usleep(100);
	}
}

static _Noreturn void
connects(void)
{
	for (;;) {
		int fd = dial(0);

		if (fd != -1)
			(void)close(fd);
	}
}

static _Noreturn void
hellos(void)
{
	for (;;) {
		int fd = dial(0);

		if (fd != -1) {
			say(fd, "HELLO 1\n");
			(void)close(fd);
		}
	}
}

/* A request that never ends, a byte at a time. */
static _Noreturn void
halves(void)
{
	push("PUB attack 0 262144\n", "x", false);
}

static _Noreturn void
lines(void)
{
	static char text[4096];

	(void)memset(text, 'x', sizeof text - 1);
	(void)memcpy(text, "SHOW ", 5);
	text[sizeof text - 2] = '\n';
	text[sizeof text - 1] = '\0';
	push("", text, true);
}

static char *
batch(const char *topic)
{
	enum { COUNT = 1000, EACH = 106 };
	char *text = calloc(1, COUNT * EACH + 64);
	int len;

	if (text == NULL)
		err(1, "memory");
	len = sprintf(text, "RESUME\nPUBS %s %d %d\n", topic, COUNT, COUNT * EACH);
	for (int i = 0; i < COUNT; i++)
		len += sprintf(text + len, "0 100\n%0100d", i);
	return text;
}

static _Noreturn void
publishes(void)
{
	push("", batch("attack"), true);
}

static _Noreturn void
quota(void)
{
	push("", batch("full"), true);
}

static _Noreturn void
refused(void)
{
	push("", batch("nothing"), true);
}

/* Subscribers of what the bystander publishes who stopped reading. */
static _Noreturn void
stopped(void)
{
	char text[64];

	(void)sprintf(text, "SUB orders s%d\nTAKE 1000000\n", (int)getpid());
	(void)many(text);
	for (;;)
		(void)pause();
}

/* The backlog of a topic again and again. */
static _Noreturn void
reads(void)
{
	push("READ attack 1 1000000000\n", "TAKE 1000000\n", true);
}

static _Noreturn void
topics(void)
{
	char text[128];

	(void)sprintf(text, "CREATE t%d\nDELETE t%d\n", (int)getpid(), (int)getpid());
	push("", text, true);
}

static _Noreturn void
lists(void)
{
	push("", "LIST\nSTAT\n", true);
}

static const struct attack {
	const char *name;
	void (*run)(void);
} attacks[] = {
	{ "connections", connects },
	{ "greetings", hellos },
	{ "half-requests", halves },
	{ "maximal-lines", lines },
	{ "publishes", publishes },
	{ "over-quota", quota },
	{ "refused", refused },
	{ "stopped-readers", stopped },
	{ "backlog-reads", reads },
	{ "topics", topics },
	{ "lists", lists },
};
#define ATTACKS (sizeof attacks / sizeof attacks[0])

static void
start(const struct attack *a, pid_t *pids)
{
	for (int i = 0; i < PROCESSES; i++) {
		if ((pids[i] = fork()) == -1)
			err(1, "fork");
		if (pids[i] != 0)
			continue;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* else it is killed by who started it */
		become(ATTACKER);
		a->run();
	}
	(void)usleep(SETTLE_US);
}

static void
stop(const pid_t *pids)
{
	for (int i = 0; i < PROCESSES; i++)
		(void)kill(pids[i], SIGKILL);
	for (int i = 0; i < PROCESSES; i++)
		(void)waitpid(pids[i], NULL, 0);
	(void)usleep(SETTLE_US);
}

/* --- figures ------------------------------------------------------------ */

static long
rss_kib(const char *pid)
{
	char file[64], line[256];
	long kib = -1;
	FILE *f;

	(void)snprintf(file, sizeof file, "/proc/%s/status", pid); /* cut is found by fopen */
	if ((f = fopen(file, "re")) == NULL)
		err(1, "%s", file);
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	(void)fclose(f);
	return kib;
}

static double
median(double *v)
{
	qsort(v, ROUNDS, sizeof *v, by_value);
	return v[ROUNDS / 2];
}

static void
compare(const struct attack *a, const char *engine)
{
	double idle50[ROUNDS], idle99[ROUNDS], busy50[ROUNDS], busy99[ROUNDS], i50, i99, b50, b99;
	pid_t pids[PROCESSES];
	long kib = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct figures f = measured();

		idle50[i] = f.p50;
		idle99[i] = f.p99;
		start(a, pids);
		f = measured();
		kib = rss_kib(engine);
		stop(pids);
		busy50[i] = f.p50;
		busy99[i] = f.p99;
	}
	i50 = median(idle50);
	i99 = median(idle99);
	b50 = median(busy50);
	b99 = median(busy99);
	(void)printf("%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%ld\n", a->name, i50, i99, b50, b99,
	    b50 / i50, b99 / i99, kib);
	(void)fflush(stdout);
}

static bool
is_wanted(const char *name, char *const *names)
{
	if (*names == NULL)
		return true;
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

int
main(int argc, char *argv[])
{
	if (argc < 3)
		errx(64, "usage: bystander SOCKET ENGINE-PID [ATTACK...]");
	path = argv[1];
	(void)printf("attack\tidle-p50-us\tidle-p99-us\tp50-us\tp99-us\tp50-ratio\tp99-ratio\tengine-KiB\n");
	for (size_t i = 0; i < ATTACKS; i++)
		if (is_wanted(attacks[i].name, argv + 3))
			compare(&attacks[i], argv[2]);
	return 0;
}
