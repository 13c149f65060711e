/* SPDX-License-Identifier: ISC */
/*
 * What an engine without faults says of the spool: what was acknowledged is
 * there, all else is whole or absent, and the account holds.
 */
#include "rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"

/* --- the engine --------------------------------------------------------- */

/* Until it serves; 0 when it ended before, with *status -1 when it hung. */
pid_t
engine_start(bool faulty, int *status)
{
	static const char *const argv[] = { "mess-deliverd", "--spool", spool, NULL };
	uint64_t until = loop_now() + PATIENCE_MS;
	pid_t pid = rig_start(faulty, argv);

	while (!talk_open()) {
		if (rig_is_gone(pid, status))
			return 0;
		if (loop_now() > until) {
			(void)kill(pid, SIGKILL); /* it is our child: it is there */
			(void)waitpid(pid, status, 0);
			*status = -1;
			return 0;
		}
		(void)usleep(300);
	}
	talk_close();
	return pid;
}

/* By TERM; false when it had ended before. */
bool
engine_stop(pid_t pid, int *status)
{
	if (rig_is_gone(pid, status))
		return false;
	(void)kill(pid, SIGTERM); /* it is our child: it is there */
	*status = rig_wait(pid);
	return true;
}

/* --- the account -------------------------------------------------------- */

/* A number of STAT's text: of the topic, or behind its first subscription. */
static long long
number_of(const char *text, const char *word)
{
	char at[32];
	const char *found;

	(void)snprintf(at, sizeof at, "\n%s ", word); /* fits */
	found = strstr(text, at);
	return found != NULL ? strtoll(found + strlen(at), NULL, 10) : 0;
}

static void
judge_account(const char *topic)
{
	static char text[8192];
	const char *sub;
	long long published, settled, pending;

	if (!talk_stat(topic, text, sizeof text))
		return; /* it was not made */
	published = number_of(text, "published");
	if (number_of(text, "damaged") != 0)
		wrong("%s: %lld are damaged", topic, number_of(text, "damaged"));
	if (number_of(text, "present") + number_of(text, "settled") + number_of(text, "expired") +
	    number_of(text, "purged") + number_of(text, "dropped") != published)
		wrong("%s: the account does not hold:\n%s", topic, text);
	if ((sub = strstr(text, "\nsubscription default\n")) == NULL)
		return;
	pending = number_of(sub, "pending");
	settled = number_of(sub, "acked") + number_of(sub, "dead") + number_of(sub, "expired") +
	    number_of(sub, "purged") + number_of(sub, "dropped") + number_of(sub, "damaged") +
	    number_of(sub, "skipped");
	if (settled + pending != published + 1 - number_of(sub, "start") ||
	    number_of(sub, "waiting") + number_of(sub, "leased") + number_of(sub, "delayed") != pending)
		wrong("%s: the account of default does not hold:\n%s", topic, text);
}

/* --- messages ----------------------------------------------------------- */

static void
judge_message(int i, unsigned letters)
{
	const struct told *t = &told[i];
	const char *body;

	(void)body_of(i, &body);
	if (t->seen > 1 || letters > 1)
		wrong("%.10s: it is there %u times, and %u times dead", body, t->seen, letters);
	if (!t->pub_asked && (t->seen > 0 || letters > 0))
		wrong("%.10s: it is there, and was not published", body);
	if (t->pub_ok && !t->ack_asked && !t->dead_asked && t->seen == 0)
		wrong("%.10s: published, and lost", body);
	if (t->ack_ok && t->seen > 0)
		wrong("%.10s: acked, and there again", body);
	if (t->dead_ok && letters == 0 && t->seen == 0)
		wrong("%.10s: dead, and its letter is lost", body);
	if (t->pub_ok && t->dead_asked && letters + t->seen != 1)
		wrong("%.10s: it is there %u times, and %u times dead", body, t->seen, letters);
}

static void
judge_messages(void)
{
	unsigned letters[BODIES] = { 0 }, batch = 0;
	bool settled = false;

	if (talk_peek("orders.dead"))
		for (int i = 0; i < BODIES; i++)
			letters[i] = told[i].seen;
	if (!talk_peek("orders"))
		for (int i = 0; i < BODIES; i++)
			if (told[i].pub_ok && !told[i].ack_asked)
				wrong("orders cannot be read, and something was published");
	for (int i = 0; i < BODIES; i++)
		judge_message(i, letters[i]);
	for (int i = BATCH1; i <= BATCH3; i++) {
		batch += told[i].seen + letters[i];
		settled |= told[i].ack_asked;
	}
	if (!settled && batch != 0 && batch != 3)
		wrong("of three that are one batch there are %u", batch);
}

void
judge_spool(void)
{
	int status = 0;
	pid_t pid = engine_start(false, &status);

	if (pid == 0) {
		wrong("the engine does not start again: status %#x", (unsigned)status);
		return;
	}
	judge_messages();
	judge_account("orders");
	judge_account("orders.dead");
	talk_close();
	if (!engine_stop(pid, &status))
		wrong("the engine without faults ended by itself: status %#x", (unsigned)status);
	else if (status != 0)
		wrong("the engine without faults did not end well: status %#x", (unsigned)status);
}
