/* SPDX-License-Identifier: ISC */
/*
 * The helper thread: two lists under one lock, an eventfd to say that the
 * second is not empty.
 */
#include "work.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "fd.h"

TAILQ_HEAD(job_list, work_job);

struct work {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t given;
	pthread_cond_t finished;
	struct job_list todo;
	struct job_list ran;
	int event;
	bool leave;
};

static void
announce(struct work *w)
{
	uint64_t one = 1;

	/* Only fails when the counter is full: then it is readable anyway. */
	if (write(w->event, &one, sizeof one) == -1)
		return;
}

static void *
run(void *arg)
{
	struct work *w = arg;
	struct work_job *job;

	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		while ((job = TAILQ_FIRST(&w->todo)) == NULL && !w->leave)
			(void)pthread_cond_wait(&w->given, &w->lock);
		if (job == NULL)
			break;
		TAILQ_REMOVE(&w->todo, job, link);
		(void)pthread_mutex_unlock(&w->lock);
		job->run(job->arg);
		(void)pthread_mutex_lock(&w->lock);
		job->ran = true;
		TAILQ_INSERT_TAIL(&w->ran, job, link);
		(void)pthread_cond_signal(&w->finished);
		announce(w);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* The thread takes no signals: they are the loop's. */
static int
start_thread(struct work *w)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, run, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

enum mess_err
work_new(struct work **out)
{
	struct work *w = calloc(1, sizeof *w);

	if (w == NULL)
		return MESS_LIMIT;
	TAILQ_INIT(&w->todo);
	TAILQ_INIT(&w->ran);
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->given, NULL);
	(void)pthread_cond_init(&w->finished, NULL);
	if ((w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1 || start_thread(w) != 0) {
		fd_close(&w->event);
		free(w);
		return MESS_LIMIT;
	}
	*out = w;
	return MESS_OK;
}

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	(void)pthread_mutex_lock(&w->lock);
	w->leave = true;
	(void)pthread_cond_signal(&w->given);
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	work_collect(w);
	fd_close(&w->event);
	(void)pthread_cond_destroy(&w->given);
	(void)pthread_cond_destroy(&w->finished);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
}

int
work_fd(const struct work *w)
{
	return w->event;
}

void
work_give(struct work *w, struct work_job *job)
{
	job->pending = true;
	job->ran = false;
	(void)pthread_mutex_lock(&w->lock);
	TAILQ_INSERT_TAIL(&w->todo, job, link);
	(void)pthread_cond_signal(&w->given);
	(void)pthread_mutex_unlock(&w->lock);
}

void
work_collect(struct work *w)
{
	struct work_job *job;
	uint64_t count;

	if (read(w->event, &count, sizeof count) == -1)
		count = 0; /* nothing announced; the list decides */
	for (;;) {
		(void)pthread_mutex_lock(&w->lock);
		if ((job = TAILQ_FIRST(&w->ran)) != NULL)
			TAILQ_REMOVE(&w->ran, job, link);
		(void)pthread_mutex_unlock(&w->lock);
		if (job == NULL)
			return;
		job->pending = false;
		job->done(job->arg);
	}
}

void
work_wait(struct work *w, struct work_job *job)
{
	if (!job->pending)
		return;
	(void)pthread_mutex_lock(&w->lock);
	while (!job->ran)
		(void)pthread_cond_wait(&w->finished, &w->lock);
	TAILQ_REMOVE(&w->ran, job, link);
	(void)pthread_mutex_unlock(&w->lock);
	job->pending = false;
	job->done(job->arg);
}
