/* SPDX-License-Identifier: ISC */
/*
 * What systemd's manager and a service say to each other, without its
 * library: LISTEN_FDS, NOTIFY_SOCKET, WATCHDOG_USEC (sd_listen_fds(3),
 * sd_notify(3), sd_watchdog_enabled(3)).
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

/* The one listening socket passed to this process, -1 if there is none. */
int notify_inherited_socket(void);
/* Close what was inherited besides that and the first three. */
void notify_close_others(void);
/* Connect to the manager, if there is one: from the sandbox it may be out of reach. */
void notify_open(void);
/* Tell it, if there is one. */
void notify_say(const char *state);
/* How often to say WATCHDOG=1: half the time allowed; 0 for never. */
uint64_t notify_watchdog_ms(void);

#endif
