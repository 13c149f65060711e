/* SPDX-License-Identifier: ISC */
/*
 * A consumer in a process of its own, through libmess.  It says through a
 * pipe what it got and what it settled, and is killed: when it has said
 * all, or at any moment.
 */
#include "model.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"

#define KID_TAKES 12

/* What the kid says, a fixed size each. */
struct said {
	char what;		/* g: got, w: will ack, a: acked, n: gave back, r: failed, e: end, x: error */
	uint64_t seq, attempt;
};

/* --- the kid ------------------------------------------------------------ */

static void
say(int fd, char what, uint64_t seq, uint64_t attempt)
{
	struct said s = { what, seq, attempt };

	if (write(fd, &s, sizeof s) != sizeof s)
		_exit(1);
}

static void
try(int fd, struct mess *m, enum mess_err err)
{
	(void)m;
	if (err == MESS_OK)
		return;
	say(fd, 'x', (uint64_t)err, 0);
	_exit(1);
}

static size_t
get(int fd, struct mess *m, uint64_t *got)
{
	enum mess_event event = MESS_EVENT_NONE;
	struct mess_received r;
	size_t n = 0;

	while (event != MESS_EVENT_END && n < KID_TAKES) {
		try(fd, m, mess_next(m, 20000, &event, &r));
		if (event == MESS_EVENT_END)
			say(fd, 'E', 0, 0);
		if (event != MESS_EVENT_MESSAGE)
			continue;
		say(fd, 'g', r.seq, r.attempt);
		got[n++] = r.seq;
	}
	return n;
}

static void
be_kid(int fd)
{
	struct mess_where where = { .spool = w.spool };
	const char *topic = w.topics[0].name;
	uint64_t got[KID_TAKES];
	struct mess *m;
	size_t n;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* best effort */
	try(fd, NULL, mess_open(&where, &m));
	try(fd, m, mess_subscribe(m, topic, sub_names[S_KID], NULL));
	try(fd, m, mess_take(m, KID_TAKES, true));
	n = get(fd, m, got);
	for (size_t i = 0; i < n; i++)
		if (i % 3 != 2) {
			say(fd, 'w', got[i], 0);
			try(fd, m, mess_ack(m, topic, got[i], got[i]));
		}
	try(fd, m, mess_ack_wait(m));
	for (size_t i = 0; i < n; i++)
		if (i % 3 != 2)
			say(fd, 'a', got[i], 0);
	say(fd, 'e', 0, 0);
	for (;;)
		(void)pause(); /* until it is killed */
}

/* --- its parent --------------------------------------------------------- */

/* What it said is what became of it; false at its last word. */
static bool
hear(const struct said *s)
{
	struct sub *sub = sub_of(0, S_KID);

	note("kid: %c %llu %llu", s->what, (unsigned long long)s->seq, (unsigned long long)s->attempt);
	switch (s->what) {
	case 'g':
		ref_hand_out(KID, 0, s->seq, s->attempt);
		return true;
	case 'w':
		num_of(sub, s->seq)->maybe = MAYBE_ACKED;
		return true;
	case 'a':
		ref_settle(sub, s->seq, PLACE_ACKED);
		return true;
	case 'x':
		wrong("the kid: %s", mess_strerror((enum mess_err)s->seq));
	case 'E':
		ref_check_order(0, S_KID, w.topics[0].published + 1, "END came");
		return true;
	default:
		return false;
	}
}

/* All that it says until its end, or that it gets to say by then. */
static void
listen(int fd, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct said s;

	for (;;) {
		uint64_t now = clock_real();

		if (poll(&p, 1, until > now ? (int)(until - now) : 0) == 0)
			return;
		if (read(fd, &s, sizeof s) != sizeof s || !hear(&s))
			return;
	}
}

static void
join_kid(void)
{
	struct client *c = &w.clients[KID];

	c->joined[0].topic = 0;
	c->joined[0].sub = S_KID;
	c->joins = 1;
	c->credit = KID_TAKES;
	c->now = true;
}

/* One that was killed at any moment may have been sent more, or have said less than it did. */
void
kid_play(void)
{
	bool early = chance(40);
	int fd[2];
	pid_t pid;

	if (!sub_of(0, S_KID)->exists)
		return;
	if (pipe(fd) == -1)
		abort();
	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		(void)close(fd[0]);
		be_kid(fd[1]);
	}
	if (pid == -1)
		abort();
	(void)close(fd[1]);
	join_kid();
	note("kid: %s", early ? "to be killed early" : "to be killed at its end");
	listen(fd[0], clock_real() + (early ? below(8) : 20000));
	(void)kill(pid, SIGKILL); /* it is our child: it is there */
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	listen(fd[0], clock_real() + 1000);
	fd_close(&fd[0]);
	ref_drop_client(KID, !early);
	quiet();
	if (early)
		look_uncertain(sub_of(0, S_KID));
}
