/* SPDX-License-Identifier: ISC */
/*
 * First figures: durable publish one at a time, streamed, and end to end,
 * and how long a dead consumer holds up its messages,
 * beside the floor measured in the same run: an append of 132 bytes with
 * fdatasync into a file made whole, and a round trip over a Unix socket.
 *
 * Usage: bench SPOOL, an engine serving it.  Rounds alternate, medians of
 * five are printed as tab-separated values.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mess.h"

#define ROUNDS 5
#define ONE_BY_ONE 2000
#define STREAMED 500000
#define LEASED 100
#define FLOOR_SIZE (4 * 1024 * 1024)

static char body[100];

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v)
{
	qsort(v, ROUNDS, sizeof *v, by_value);
	return v[ROUNDS / 2];
}

static void
must(enum mess_err err, struct mess *m, const char *what)
{
	if (err != MESS_OK)
		errx(1, "%s: %s", what, m != NULL ? mess_detail(m) : mess_strerror(err));
}

static struct mess *
open_spool(const char *spool)
{
	struct mess_where where = { .spool = spool };
	struct mess *m;

	must(mess_open(&where, &m), NULL, spool);
	return m;
}

/* Seconds for one append with fdatasync. */
static double
floor_append(const char *dir)
{
	static char block[64 * 1024];
	char path[4096], record[132];
	double began;
	int fd;

	(void)snprintf(path, sizeof path, "%s.floor", dir); /* cut is found by open */
	if ((fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)) == -1)
		err(1, "%s", path);
	for (int i = 0; i < FLOOR_SIZE; i += (int)sizeof block)
		if (write(fd, block, sizeof block) != sizeof block)
			err(1, "%s", path);
	if (fsync(fd) == -1)
		err(1, "%s", path);
	memset(record, 'x', sizeof record);
	began = now();
	for (int i = 0; i < ONE_BY_ONE; i++)
		if (pwrite(fd, record, sizeof record, (off_t)i * (off_t)sizeof record) == -1 ||
		    fdatasync(fd) == -1)
			err(1, "%s", path);
	began = (now() - began) / ONE_BY_ONE;
	(void)close(fd); /* scratch */
	(void)unlink(path);
	return began;
}

/* Seconds for one round trip of 132 bytes and a short answer between two processes. */
static double
floor_socket(void)
{
	char record[132] = "";
	double began;
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1 || (pid = fork()) == -1)
		err(1, "socketpair");
	if (pid == 0) {
		(void)close(fds[0]);
		while (read(fds[1], record, sizeof record) > 0)
			if (write(fds[1], record, 8) == -1)
				break;
		_exit(0);
	}
	(void)close(fds[1]);
	began = now();
	for (int i = 0; i < ONE_BY_ONE; i++)
		if (write(fds[0], record, sizeof record) == -1 || read(fds[0], record, sizeof record) <= 0)
			err(1, "socket");
	began = (now() - began) / ONE_BY_ONE;
	(void)close(fds[0]);
	(void)waitpid(pid, NULL, 0);
	return began;
}

static double
one_by_one(const char *spool)
{
	struct mess_message msg = { .body = body, .body_len = sizeof body };
	struct mess *m = open_spool(spool);
	double began;
	uint64_t seq;

	must(mess_publish(m, "bench.one", &msg, &seq), m, "publish");
	began = now();
	for (int i = 0; i < ONE_BY_ONE; i++)
		must(mess_publish(m, "bench.one", &msg, &seq), m, "publish");
	began = (now() - began) / ONE_BY_ONE;
	mess_close(m);
	return began;
}

static double
streamed(const char *spool)
{
	struct mess_message msg = { .body = body, .body_len = sizeof body };
	struct mess *m = open_spool(spool);
	double began = now();

	for (int i = 0; i < STREAMED; i++)
		must(mess_queue(m, "bench.stream", &msg), m, "queue");
	must(mess_wait(m), m, "wait");
	began = STREAMED / (now() - began);
	mess_close(m);
	return began;
}

static double
consumed(const char *spool)
{
	struct mess *m = open_spool(spool);
	struct mess_received r;
	enum mess_event event;
	double began = now();

	must(mess_subscribe(m, "bench.stream", "default", NULL), m, "subscribe");
	must(mess_take(m, STREAMED, false), m, "take");
	for (int i = 0; i < STREAMED; i++) {
		must(mess_next(m, -1, &event, &r), m, "next");
		must(mess_ack(m, r.topic, r.seq, r.seq), m, "ack");
	}
	must(mess_ack_wait(m), m, "ack");
	began = STREAMED / (now() - began);
	mess_close(m);
	return began;
}

/* A publisher and a consumer at the same time. */
static double
end_to_end(const char *spool)
{
	double began = now();
	int status;
	pid_t pid;

	if ((pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0) {
		(void)streamed(spool);
		_exit(0);
	}
	(void)consumed(spool);
	if (waitpid(pid, &status, 0) == -1 || status != 0)
		errx(1, "the publisher failed");
	return STREAMED / (now() - began);
}

/* Takes all that it may, settles nothing, and says through fd when it has them. */
static void
hold(const char *spool, int fd)
{
	struct mess *m = open_spool(spool);
	struct mess_received r;
	enum mess_event event;

	must(mess_subscribe(m, "bench.lease", "default", NULL), m, "subscribe");
	must(mess_take(m, LEASED, false), m, "take");
	for (int i = 0; i < LEASED; i++)
		must(mess_next(m, -1, &event, &r), m, "next");
	if (write(fd, "x", 1) != 1)
		err(1, "pipe");
	(void)pause();
}

/* Seconds from the kill -9 of a consumer with so many leases to the last of them at another one. */
static double
taken_over(const char *spool)
{
	struct mess_message msg = { .body = body, .body_len = sizeof body };
	struct mess *m = open_spool(spool);
	struct mess_received r;
	enum mess_event event;
	double began;
	int fds[2];
	pid_t pid;
	char c;

	for (int i = 0; i < LEASED; i++)
		must(mess_queue(m, "bench.lease", &msg), m, "queue");
	must(mess_wait(m), m, "wait");
	if (pipe(fds) == -1 || (pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0)
		hold(spool, fds[1]);
	if (read(fds[0], &c, 1) != 1)
		err(1, "the first consumer");
	must(mess_subscribe(m, "bench.lease", "default", NULL), m, "subscribe");
	must(mess_take(m, LEASED, false), m, "take");
	must(mess_next(m, 0, &event, &r), m, "next");
	began = now();
	if (kill(pid, SIGKILL) == -1)
		err(1, "kill");
	for (int i = 0; i < LEASED; i++) {
		must(mess_next(m, -1, &event, &r), m, "next");
		must(mess_ack(m, r.topic, r.seq, r.seq), m, "ack");
	}
	began = now() - began;
	must(mess_ack_wait(m), m, "ack");
	(void)waitpid(pid, NULL, 0); /* ours */
	(void)close(fds[0]);
	(void)close(fds[1]);
	mess_close(m);
	return began;
}

int
main(int argc, char *argv[])
{
	double v[7][ROUNDS];

	if (argc != 2)
		errx(64, "usage: bench SPOOL");
	memset(body, 'b', sizeof body);
	for (int i = 0; i < ROUNDS; i++) {
		v[0][i] = floor_append(argv[1]) * 1e6;
		v[1][i] = floor_socket() * 1e6;
		v[2][i] = one_by_one(argv[1]) * 1e6;
		v[3][i] = streamed(argv[1]);
		v[4][i] = consumed(argv[1]);
		v[5][i] = end_to_end(argv[1]);
		v[6][i] = taken_over(argv[1]) * 1e3;
	}
	for (int i = 0; i < 7; i++)
		(void)median(v[i]);
	(void)printf("floor append+fdatasync\t%.1f\tus\n", v[0][ROUNDS / 2]);
	(void)printf("floor socket round trip\t%.1f\tus\n", v[1][ROUNDS / 2]);
	(void)printf("publish one at a time\t%.1f\tus\n", v[2][ROUNDS / 2]);
	(void)printf("ratio to the floor's sum\t%.2f\t\n",
	    v[2][ROUNDS / 2] / (v[0][ROUNDS / 2] + v[1][ROUNDS / 2]));
	(void)printf("publish streamed\t%.0f\tmessages/s\n", v[3][ROUNDS / 2]);
	(void)printf("take and ack a backlog\t%.0f\tmessages/s\n", v[4][ROUNDS / 2]);
	(void)printf("end to end, with acks\t%.0f\tmessages/s\n", v[5][ROUNDS / 2]);
	(void)printf("%d leases of a killed consumer at another one\t%.2f\tms\n", LEASED, v[6][ROUNDS / 2]);
	return 0;
}
