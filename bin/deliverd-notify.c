/* SPDX-License-Identifier: ISC */
/*
 * Speaking to a service manager.
 */
#include "deliverd-notify.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define FIRST_FD 3

/* A number from the environment that is meant for this process; -1 else. */
static long long
env_number(const char *name, long long max)
{
	const char *text = getenv(name), *err = NULL;
	long long n;

	if (text == NULL)
		return -1;
	n = strtonum(text, 0, max, &err);
	return err == NULL ? n : -1;
}

static bool
is_passed_socket(void)
{
	return env_number("LISTEN_PID", INT_MAX) == getpid() && env_number("LISTEN_FDS", INT_MAX) == 1;
}

void
notify_close_others(void)
{
	(void)close_range(FIRST_FD + is_passed_socket(), ~0U, 0); /* an old kernel keeps them */
}

int
notify_inherited_socket(void)
{
	int listening = 0;
	socklen_t len = sizeof listening;

	if (!is_passed_socket())
		return -1;
	if (getsockopt(FIRST_FD, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == -1 || !listening)
		return -1;
	if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	return FIRST_FD;
}

static int manager = -1;

void
notify_open(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	AUTO_FD int fd = -1;
	size_t len;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    (len = strlen(path)) >= sizeof sun.sun_path)
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1 ||
	    connect(fd, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == -1)
		return;
	manager = TAKE(fd, -1);
}

void
notify_say(const char *state)
{
	/* A manager that does not listen is no reason not to serve. */
	if (manager != -1)
		(void)send(manager, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
}

uint64_t
notify_watchdog_ms(void)
{
	long long usec = env_number("WATCHDOG_USEC", LLONG_MAX), pid = env_number("WATCHDOG_PID", INT_MAX);

	if (usec < 2000 || (getenv("WATCHDOG_PID") != NULL && pid != getpid()))
		return 0;
	return (uint64_t)usec / 2000;
}
