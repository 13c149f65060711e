/* SPDX-License-Identifier: ISC */
/*
 * Audit lines, said.
 */
#include "deliverd-audit.h"

#include <poll.h>
#include <stddef.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"

static bool to_syslog;
static unsigned long unsaid;

void
deliverd_audit_open(bool detached)
{
	to_syslog = detached;
	if (detached)
		openlog("mess-deliverd", LOG_NDELAY | LOG_PID, LOG_AUTHPRIV);
}

/* A pipe that has room at all takes a line of this length whole. */
static bool
has_room(void)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT) != 0;
}

void
deliverd_audit_say(void *arg, const char *line)
{
	(void)arg;
	if (to_syslog) {
		syslog(LOG_NOTICE, "audit: %s", line);
		return;
	}
	if (!has_room()) {
		unsaid++;
		return;
	}
	if (unsaid > 0)
		cli_warn("audit: %lu lines could not be written here", unsaid);
	unsaid = 0;
	cli_warn("audit: %s", line);
}
