/* SPDX-License-Identifier: ISC */
/*
 * Faults: a program of mess runs once for every call that it makes of the C
 * library, and that call fails, or the process is killed there.  What was
 * acknowledged must be there afterwards, by an engine without faults.
 *
 *	fault.h   the page that the program and the rig share
 *	shim.c    linked into the programs: counts, and fails
 *	rig.c     processes and the page
 *	talk.c    a caller of the engine, who notes what was acknowledged
 *	judge.c   what an engine without faults then says
 *	story.c   what is played: the engine under a caller, and its start
 *	fault.c   every position
 */
#ifndef RIG_H
#define RIG_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

#include "fault.h"

#define PATIENCE_MS 30000

/* --- rig.c -------------------------------------------------------------- */

extern struct fault_page *page;
extern char dir[88], spool[96];	/* of this run */

/* The run is over, and what it proved is wrong. */
__attribute__((format(printf, 1, 2))) void wrong(const char *fmt, ...);
extern unsigned wrongs;

/* Told to end: what is being played is the last. */
extern volatile sig_atomic_t rig_stopped;
void rig_begin(void);
void rig_end(void);
void rig_clean(void);
/* The program of that name with the fault that the page asks for, or none. */
pid_t rig_start(bool faulty, const char *const *argv);
/* How it ended; -1 when it had to be killed. */
int rig_wait(pid_t pid);
bool rig_is_gone(pid_t pid, int *status);
/* What the engines wrote since it was forgotten; the first part of it. */
const char *rig_said(void);
void rig_forget_said(void);
const char *rig_function(unsigned f);
unsigned rig_ways(unsigned f);
const char *rig_way(void);

/* --- talk.c ------------------------------------------------------------- */

#define BODIES 6
enum { ONE, TWO, BATCH1, BATCH2, BATCH3, LARGE };

/* What was asked, and what was acknowledged. */
struct told {
	bool pub_asked, pub_ok, ack_asked, ack_ok, dead_asked, dead_ok;
	unsigned seen;		/* times that PEEK or TAKE had it, in this talk */
	unsigned long long seq;
};
extern struct told told[BODIES];

size_t body_of(int which, const char **out);
bool talk_open(void);
void talk_close(void);
/* Everything that a caller may do, as far as the engine lets it. */
void talk_all(void);
/* What a subscription has not settled: told[].seen. */
bool talk_peek(const char *topic);
bool talk_stat(const char *topic, char *out, size_t size);

/* --- judge.c, story.c --------------------------------------------------- */

/* The engine is started without faults, asked, and stopped. */
void judge_spool(void);

/* The engine, when it serves; 0 when it ended before, with *status -1 when it hung. */
pid_t engine_start(bool faulty, int *status);
/* By TERM; false when it had ended before. */
bool engine_stop(pid_t pid, int *status);

struct story {
	const char *name;
	void (*prepare)(void);	/* without faults */
	void (*play)(void);	/* with; judges */
	unsigned steps[2];	/* in a short test: every so-many-th call fails once, is the last */
};
extern const struct story stories[];

#endif
