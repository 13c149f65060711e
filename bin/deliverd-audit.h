/* SPDX-License-Identifier: ISC */
/*
 * Where audit lines are said as they come, beside mess.audit: standard
 * error, which is the journal's under systemd; syslog for who has detached
 * from it.
 */
#ifndef DELIVERD_AUDIT_H
#define DELIVERD_AUDIT_H

#include <stdbool.h>

/* Before the sandbox: the way to syslog is opened now. */
void deliverd_audit_open(bool detached);
/* Never waits: what a full pipe does not take is counted, and mess.audit has it. */
void deliverd_audit_say(void *arg, const char *line);

#endif
