/* SPDX-License-Identifier: ISC */
/*
 * The model test: whatever a random program does to a spool, no message is
 * lost, none comes out of order or once more than it may, and the account
 * holds at every look.
 *
 *	MESS_SEED=N	repeat this round
 *	MESS_STEPS=N	instead of 100,000; more than that are rounds of as many
 *	MESS_KEEP=1	leave the spool of a round that failed
 */
#include "model.h"

#include <signal.h>
#include <unistd.h>

#include "test.h"

#define ROUND 100000
#define NOTES 400
#define NOTE_LEN 200

struct world w;
static char notes[NOTES][NOTE_LEN];
static uint64_t noted, random_state;

/* --- reports ------------------------------------------------------------ */

void
note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(notes[noted++ % NOTES], NOTE_LEN, fmt, ap); /* cut is harmless */
	va_end(ap);
}

static void
say_notes(void)
{
	const char *all = getenv("MESS_NOTES");
	uint64_t n = all != NULL ? strtoull(all, NULL, 10) : 60;

	if (n > NOTES)
		n = NOTES;
	for (uint64_t i = noted > n ? noted - n : 0; i < noted; i++)
		printf("#   %s\n", notes[i % NOTES]);
}

void
wrong(const char *fmt, ...)
{
	va_list ap;

	say_notes();
	printf("# wrong: ");
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	longjmp(w.out, 1);
}

/* --- chance ------------------------------------------------------------- */

/* splitmix64 */
uint64_t
rnd(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t
below(uint64_t n)
{
	return rnd() % n;
}

bool
chance(unsigned percent)
{
	return below(100) < percent;
}

void *
grow(void *p, size_t have, size_t *cap, size_t want, size_t size)
{
	size_t n = *cap == 0 ? 64 : *cap;

	(void)have;
	if (want <= *cap)
		return p;
	while (n < want)
		n *= 2;
	if ((p = reallocarray(p, n, size)) == NULL)
		abort();
	memset((char *)p + *cap * size, 0, (n - *cap) * size);
	*cap = n;
	return p;
}

/* --- rounds ------------------------------------------------------------- */

static void
let_go(void)
{
	for (int i = 0; i < CLIENTS; i++) {
		wire_close(i);
		free(w.clients[i].in);
		free(w.clients[i].asks);
		free(w.clients[i].voided);
	}
	free(w.times);
	ref_end();
}

static bool
says_sanitizer(void)
{
	char line[4096];
	bool found = false;
	FILE *f = fopen(w.log, "r");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		found |= strstr(line, "Sanitizer") != NULL || strstr(line, "runtime error:") != NULL;
	if (f != NULL)
		(void)fclose(f); /* it was only read */
	return found;
}

/* steps 0: the crowd. */
static bool
play_round(uint64_t seed, uint64_t steps)
{
	uint64_t begun;
	volatile bool good = false;

	memset(&w, 0, sizeof w);
	for (int i = 0; i < CLIENTS; i++)
		w.clients[i].fd = -1;
	random_state = seed;
	noted = 0;
	engine_make_dir();
	printf("# MESS_SEED=%llu MESS_STEPS=%llu\n", (unsigned long long)seed, (unsigned long long)steps);
	begun = clock_real();
	if (setjmp(w.out) == 0) {
		if (steps > 0)
			play(steps);
		else
			crowd_play();
		good = !says_sanitizer();
	} else
		engine_end(SIGKILL);
	printf("# %llu steps in %lld s: %llu consumers killed, %llu with a process of their own, "
	    "the engine %llu times by TERM, %llu by KILL\n", (unsigned long long)w.steps,
	    (long long)(clock_real() - begun) / 1000, (unsigned long long)w.counts[60],
	    (unsigned long long)w.counts[61], (unsigned long long)w.counts[63],
	    (unsigned long long)w.counts[62]);
	if (!good)
		engine_say_log();
	let_go();
	engine_end_dir(!good && getenv("MESS_KEEP") != NULL);
	return good;
}

static uint64_t
env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

TEST("model: whatever is played, the engine does what the model says")
{
	uint64_t steps = env_number("MESS_STEPS", ROUND), seed = env_number("MESS_SEED", test_random());

	for (uint64_t done = 0; done < steps; done += ROUND, seed++)
		if (!CHECK(play_round(seed, steps - done < ROUND ? steps - done : ROUND)))
			return;
}

TEST("model: thousands that are not due between what is settled, and places that are full: nothing is lost")
{
	CHECK(play_round(env_number("MESS_SEED", test_random()), 0));
}
