/* SPDX-License-Identifier: ISC */
/*
 * What an attacker does to an engine's socket that a shell cannot.
 *
 *	attack each SOCKET		a connection for each line of standard input
 *	attack drip SOCKET N		N connections that send a byte now and then
 *	attack flood SOCKET N		N connections that say HELLO, held until killed
 *	attack hold SOCKET N		N connections that say the input, held until killed
 *	attack hoard SOCKET N		the input N times over, reading nothing, held until killed
 *	attack fds SOCKET N		N messages with 253 descriptors each
 *	attack lend SOCKET FROM TO PID	connect as one uid, speak as another
 *	attack spy PID			what may be had of another process
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define LINE_MAX_BYTES 65536
#define FDS 253			/* SCM_MAX_FD of Linux */

/* --- a connection ------------------------------------------------------- */

static int
try_connect(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof sun.sun_path)
		errx(1, "%s: too long", path);
	(void)strcpy(sun.sun_path, path); /* it fits */
	if (fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof sun) == -1) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int
must_connect(const char *path)
{
	int fd = try_connect(path);

	if (fd == -1)
		err(1, "%s", path);
	return fd;
}

static bool
ready(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms) > 0;
}

static void
put(int c)
{
	if (c == '\n')
		(void)printf("\\n");
	else if (c == '\\' || c < ' ' || c > '~')
		(void)printf("\\x%02x", (unsigned)c);
	else
		(void)putchar(c);
}

/* All that comes until the engine closes, on one line. */
static void
print_answer(int fd)
{
	unsigned char mem[4096];
	ssize_t n;

	while (ready(fd, POLLIN, PATIENCE_MS) && (n = read(fd, mem, sizeof mem)) > 0)
		for (ssize_t i = 0; i < n; i++)
			put(mem[i]);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void
send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n == -1)
			return; /* closed already: its answer says why */
		data += n;
		len -= (size_t)n;
	}
}

/* --- each --------------------------------------------------------------- */

static unsigned
hex(int c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* \n, \s (a space), \\ and \xHH, in place. */
static size_t
unescape(char *s)
{
	char *to = s;

	for (const char *p = s; *p != '\0'; p++) {
		if (*p != '\\' || p[1] == '\0') {
			*to++ = *p;
			continue;
		}
		p++;
		if (*p == 'n')
			*to++ = '\n';
		else if (*p == 's')
			*to++ = ' ';
		else if (*p == 'x' && p[1] != '\0' && p[2] != '\0') {
			*to++ = (char)(hex(p[1]) << 4 | hex(p[2]));
			p += 2;
		} else
			*to++ = *p;
	}
	return (size_t)(to - s);
}

static int
each(const char *path)
{
	static char line[LINE_MAX_BYTES];
	size_t len;
	int fd;

	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		len = unescape(line);
		fd = must_connect(path);
		send_all(fd, line, len);
		(void)shutdown(fd, SHUT_WR);
		print_answer(fd);
		(void)close(fd);
	}
	return 0;
}

/* --- many --------------------------------------------------------------- */

static int *
many(const char *path, int count)
{
	int *fds = calloc((size_t)count, sizeof *fds);

	if (fds == NULL)
		err(1, "memory");
	for (int i = 0; i < count; i++)
		fds[i] = try_connect(path);
	return fds;
}

/* Cut is what can be read to its end. */
static bool
is_cut(int fd)
{
	char mem[512];
	ssize_t n;

	while ((n = recv(fd, mem, sizeof mem, MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

static int
drip(const char *path, int count)
{
	static const char text[] = "HELLO 11111111111111111111111111111111111111111111111111";
	time_t start = time(NULL);
	int *fds = many(path, count), left = count;

	for (size_t at = 0; left > 0 && at < sizeof text - 1; at++) {
		for (int i = 0; i < count; i++) {
			if (fds[i] == -1)
				continue;
			(void)send(fds[i], text + at, 1, MSG_NOSIGNAL); /* being cut is looked at next */
			if (is_cut(fds[i])) {
				(void)close(fds[i]);
				fds[i] = -1;
				left--;
			}
		}
		(void)usleep(250000);
	}
	(void)printf("%d cut in %ld\n", count - left, (long)(time(NULL) - start));
	free(fds);
	return 0;
}

/* The first line of the answer to HELLO. */
static bool
is_welcome(int fd)
{
	char mem[64] = "";

	send_all(fd, "HELLO 1\n", 8);
	return ready(fd, POLLIN, PATIENCE_MS) && recv(fd, mem, sizeof mem - 1, 0) > 0 &&
	    strncmp(mem, "OK ", 3) == 0;
}

static _Noreturn void
flood(const char *path, int count)
{
	int *fds = many(path, count), welcome = 0, refused = 0;

	for (int i = 0; i < count; i++)
		if (fds[i] != -1 && is_welcome(fds[i]))
			welcome++;
		else
			refused++;
	(void)printf("%d welcome %d refused\n", welcome, refused);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

/* --- hold, hoard -------------------------------------------------------- */

static _Noreturn void
hold(const char *path, int count)
{
	static char text[LINE_MAX_BYTES];
	size_t len = fread(text, 1, sizeof text, stdin);
	int *fds = many(path, count);

	for (int i = 0; i < count; i++)
		if (fds[i] != -1)
			send_all(fds[i], text, len);
	(void)printf("held\n");
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

static _Noreturn void
hoard(const char *path, int count)
{
	static char text[LINE_MAX_BYTES];
	size_t len = fread(text, 1, sizeof text, stdin), sent = 0;
	int fd = must_connect(path);
	ssize_t n;

	send_all(fd, "HELLO 1\n", 8);
	for (size_t left = len * (size_t)count; left > 0 && ready(fd, POLLOUT, 1000); left -= (size_t)n) {
		size_t at = sent % len;

		if ((n = send(fd, text + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT)) == -1)
			break;
		sent += (size_t)n;
	}
	(void)printf("sent %zu\n", sent);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

/* --- descriptors -------------------------------------------------------- */

static _Noreturn void
fds(const char *path, int count)
{
	union {
		char mem[CMSG_SPACE(FDS * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)"H", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.mem,
		.msg_controllen = sizeof control.mem };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = must_connect(path), taken = 0;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(FDS * sizeof(int));
	for (size_t i = 0; i < FDS; i++)
		memcpy(CMSG_DATA(c) + i * sizeof null, &null, sizeof null);
	for (int i = 0; i < count; i++) {
		if (sendmsg(fd, &msg, MSG_NOSIGNAL) != -1)
			taken++;
		else if (errno == EPERM)
			break;
	}
	if (taken == 0 && errno == EPERM)
		(void)printf("refused\n");
	else
		(void)printf("taken %d\n", taken);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

/* --- lend --------------------------------------------------------------- */

/* The engine stands still meanwhile: it meets the connection when the uid has changed. */
static int
lend(const char *path, uid_t from, uid_t to, pid_t engine)
{
	static char text[LINE_MAX_BYTES];
	size_t len = fread(text, 1, sizeof text, stdin);
	int fd;

	if (kill(engine, SIGSTOP) == -1)
		err(1, "kill");
	if (seteuid(from) == -1)
		err(1, "seteuid");
	fd = must_connect(path);
	if (seteuid(0) == -1 || setresuid(to, to, to) == -1)
		err(1, "setresuid");
	send_all(fd, text, len);
	(void)shutdown(fd, SHUT_WR);
	/* Whoever runs this lets the engine go on. */
	(void)printf("said\n");
	(void)fflush(stdout);
	print_answer(fd);
	return 0;
}

/* --- spy ---------------------------------------------------------------- */

static bool
reads(pid_t pid, const char *what)
{
	char path[64], byte;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, &byte, 1);
	(void)close(fd);
	return n >= 0 || strcmp(what, "mem") == 0; /* opened is enough of that */
}

static bool
attaches(pid_t pid)
{
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == -1)
		return false;
	(void)waitpid(pid, NULL, 0);
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return true;
}

static bool
takes_fd(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd != -1 && syscall(SYS_pidfd_getfd, pidfd, 0, 0) != -1;
}

static bool
reads_memory(pid_t pid)
{
	char here;
	struct iovec local = { &here, 1 }, remote = { &here, 1 };

	/* At an address that may not be there: what counts is whether it is allowed. */
	return process_vm_readv(pid, &local, 1, &remote, 1, 0) != -1 || errno != EPERM;
}

static int
spy(pid_t pid)
{
	if (attaches(pid))
		(void)printf("traced\n");
	if (reads_memory(pid))
		(void)printf("read memory\n");
	if (takes_fd(pid))
		(void)printf("took a descriptor\n");
	if (reads(pid, "mem"))
		(void)printf("opened mem\n");
	if (reads(pid, "environ"))
		(void)printf("read environ\n");
	return 0;
}

int
main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";
	int n = argc > 3 ? atoi(argv[3]) : 0;

	if (strcmp(what, "each") == 0)
		return each(path);
	if (strcmp(what, "drip") == 0)
		return drip(path, n);
	if (strcmp(what, "flood") == 0)
		flood(path, n);
	if (strcmp(what, "hold") == 0)
		hold(path, n);
	if (strcmp(what, "hoard") == 0)
		hoard(path, n);
	if (strcmp(what, "fds") == 0)
		fds(path, n);
	if (strcmp(what, "lend") == 0 && argc == 6)
		return lend(path, (uid_t)n, (uid_t)atoi(argv[4]), atoi(argv[5]));
	if (strcmp(what, "spy") == 0)
		return spy(atoi(path));
	errx(1, "which attack?");
}
