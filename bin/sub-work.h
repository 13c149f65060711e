/* SPDX-License-Identifier: ISC */
/*
 * mess-sub: what the two files that work by handlers share.
 */
#ifndef SUB_WORK_H
#define SUB_WORK_H

#include "handler.h"
#include "sub.h"

#define JOBS_MOST ((size_t)2 * SUB_JOBS_MAX)	/* with those whose leases are gone */

/* A message in hand. */
struct job {
	struct handler *h;
	const char *topic;	/* NULL: a free place */
	uint64_t seq, attempt;
	uint64_t sec;
	uint32_t nsec;
	bool over;		/* ended, and not settled yet */
	bool lost;		/* its lease ended with the connection */
	bool damaged;		/* its body is: whatever becomes of the handler */
};

struct work {
	struct sub *s;
	struct job jobs[JOBS_MOST];
	size_t cap;		/* how many of them are used */
	uint64_t credit;	/* allowed, and not come */
	bool ended;		/* the engine had nothing more that was ready */
	bool body;		/* a large body is coming */
	struct job *reader;	/* who gets it; NULL: nobody any more */
	bool connected;
	uint64_t retry_at, retry_ms;
	enum stop stopping;	/* why nothing new is begun */
	unsigned signals;	/* how often we were asked */
	uint64_t grace_until;	/* UINT64_MAX: over, or not begun */
	bool cut;		/* handlers were ended before they were done */
	int always;		/* readable: calls of the library do not wait */
	struct pollfd fds[2 + HANDLER_FDS * JOBS_MOST];
};

/* ---- sub-job.c ---- */

/* How many are leased to us. */
size_t job_count(const struct work *w);
/* Places that are free, or are when they are needed. */
size_t job_room(const struct work *w);
/* Handlers that run, or ended and are not settled. */
bool job_any(const struct work *w);
/* A message begins, or goes on with who is at work on it already. */
void job_begin(struct work *w, const struct mess_received *msg);
/* What is not begun goes back uncounted. */
void job_give_back(struct work *w, const struct mess_received *msg);
/* What becomes of one that ended; it stays when we were interrupted. */
void job_settle(struct work *w, struct job *j);
void job_free(struct work *w, struct job *j);

/* ---- sub-work.c ---- */

/* Nothing new; what runs has its time. */
void work_stop(struct work *w, enum stop why);
/* A call to the library failed. */
void work_failed(struct work *w, enum mess_err err);

#endif
