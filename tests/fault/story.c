/* SPDX-License-Identifier: ISC */
/*
 * What is played with faults: the engine under a caller, and its start on a
 * spool that an engine which was killed left.
 */
#include "rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- how a program may end ---------------------------------------------- */

static bool
was_killed(int status)
{
	return page->kill && WIFEXITED(status) && WEXITSTATUS(status) == FAULT_KILLED;
}

/* --- the engine --------------------------------------------------------- */

static void
nothing(void)
{
}

/* A caller talks, the engine stops: acked, dead, published or not. */
static void
judge_engine_start(int status)
{
	if (was_killed(status))
		return;
	if (status == -1)
		wrong("the engine does not serve, and does not end");
	else if (!WIFEXITED(status) || WEXITSTATUS(status) == 0)
		wrong("the engine did not start, with status %#x", (unsigned)status);
	else if (strstr(rig_said(), "mess-deliverd: ") == NULL)
		wrong("the engine did not start, with status %d, and does not say why", WEXITSTATUS(status));
}

static void
judge_engine_end(bool stopped, int status)
{
	if (was_killed(status))
		return;
	if (status == -1)
		wrong("the engine does not stop");
	else if (!WIFEXITED(status))
		wrong("the engine died of signal %d", WTERMSIG(status));
	else if (!stopped)
		wrong("the engine ended while it served, with status %d", WEXITSTATUS(status));
	else if (WEXITSTATUS(status) != 0 && strstr(rig_said(), "mess-deliverd: ") == NULL)
		wrong("the engine ended with status %d, and does not say why", WEXITSTATUS(status));
}

static void
play_engine(void)
{
	int status = 0;
	pid_t pid = engine_start(true, &status);
	bool stopped;

	if (pid == 0) {
		judge_engine_start(status);
	} else {
		talk_all();
		stopped = engine_stop(pid, &status);
		judge_engine_end(stopped, status);
	}
	judge_spool();
}

/* --- a restart: what is there is taken up with faults ------------------- */

static void
prepare_spool(void)
{
	int status = 0;
	pid_t pid = engine_start(false, &status);

	if (pid == 0)
		abort();
	talk_all();
	(void)kill(pid, SIGKILL); /* it is our child: it is there */
	(void)waitpid(pid, &status, 0);
}

static void
play_restart(void)
{
	int status = 0;
	pid_t pid = engine_start(true, &status);
	bool stopped;

	if (pid == 0) {
		judge_engine_start(status);
	} else {
		stopped = engine_stop(pid, &status);
		judge_engine_end(stopped, status);
	}
	judge_spool();
}

const struct story stories[] = {
	{ "engine", nothing, play_engine, { 5, 10 } },
	{ "restart", prepare_spool, play_restart, { 5, 10 } },
	{ NULL, NULL, NULL, { 0 } },
};
