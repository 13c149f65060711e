/* SPDX-License-Identifier: ISC */
/*
 * The engine: the five components wired to one loop.
 *
 * A turn reads what callers sent, gathers it into one commit, makes that
 * durable, and only then answers and delivers.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "acl.h"
#include "audit.h"
#include "store.h"

struct engine;

struct engine_setup {
	int spool;			/* held, private, locked */
	struct acl acl;
	const char *security;		/* what is in force, lines for whoever asks; borrowed */
	unsigned idle_exit;		/* seconds without callers; 0: never */
	struct store_report report;
	struct store_report audit;	/* of a system spool: each line of it, as it comes */
	void (*reload)(void *arg);	/* on SIGHUP */
	void *arg;
};

/* Other rules from now on, for live sessions too; borrowed until the next. */
void engine_set_rules(struct engine *e, const struct conf *site);

/* What its program decided, into the audit of a system spool. */
void engine_audit(struct engine *e, const struct audit_event *event);

/* Recovers, takes in what waits in new/; serves nobody yet. */
NODISCARD enum mess_err engine_new(const struct engine_setup *setup, struct engine **out);

/*
 * Serve the listening socket until SIGTERM or SIGINT, or idle.  Before an
 * idle exit leaving(arg) takes the socket's name away.
 */
struct engine_service {
	int listener;
	uint64_t watchdog_ms;		/* 0: none */
	void (*watchdog)(void *arg);
	void (*leaving)(void *arg);
	void *arg;
};
NODISCARD enum mess_err engine_serve(struct engine *e, const struct engine_service *service);

/* All that was answered is durable; nothing is left for the next start to recover. */
void engine_free(struct engine *e);

#endif
