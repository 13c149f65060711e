/* SPDX-License-Identifier: ISC */
/*
 * One helper thread for what would make the loop wait for a disk: syncs of
 * a checkpoint, of a large body, the filling of a segment.
 *
 * Promise: jobs run one at a time in the order they were given; done runs
 * on the loop's thread, or in work_wait.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include <stdbool.h>
#include <sys/queue.h>

#include "err.h"

struct work;

/* A job, embedded in its owner, which must stay until done was called. */
struct work_job {
	void (*run)(void *arg);		/* on the helper's thread: touches its own arg only */
	void (*done)(void *arg);	/* on the caller's thread */
	void *arg;
	bool pending;			/* given and done not yet called */
	bool ran;			/* under the lock: waits for its done */
	TAILQ_ENTRY(work_job) link;
};

NODISCARD enum mess_err work_new(struct work **out);
/* Waits for what is running; every done is called. */
void work_free(struct work *w);

/* Readable when work_collect has something to do. */
int work_fd(const struct work *w);
void work_give(struct work *w, struct work_job *job);
/* Call done of the finished jobs. */
void work_collect(struct work *w);
/*
 * Return when job is done and its done was called, and nobody else's: a
 * done in the middle of what the caller is doing could change it under him.
 */
void work_wait(struct work *w, struct work_job *job);

#endif
