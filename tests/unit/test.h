/* SPDX-License-Identifier: ISC */
/*
 * A unit test program: include this once, write TEST("...") { CHECK(...); }
 * as often as needed, and there is a main that runs them in order and
 * prints TAP.  A failed CHECK is reported and the test goes on; the first
 * one of a test is named on its line.
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_last = &test_first;
static const char *test_failed_expr, *test_failed_file;
static int test_failed_line;

static inline void
test_add(struct test *t)
{
	*test_last = t;
	test_last = &t->next;
}

#define TEST(name) TEST_AT(name, __LINE__)
#define TEST_AT(name, line) TEST_NUMBERED(name, line)
#define TEST_NUMBERED(name, line) TEST_DEFINE(name, test_##line, test_entry_##line, test_add_##line)
#define TEST_DEFINE(title, fn, entry, add) \
	static void fn(void); \
	static struct test entry = { .name = title, .run = fn }; \
	__attribute__((constructor)) static void add(void) { test_add(&entry); } \
	static void fn(void)

#define CHECK(expr) test_check((expr), __FILE__, __LINE__, #expr)

static inline bool
test_check(bool holds, const char *file, int line, const char *expr)
{
	if (!holds && test_failed_expr == NULL) {
		test_failed_expr = expr;
		test_failed_file = file;
		test_failed_line = line;
	}
	return holds;
}

/* A copy in memory of exactly that size, so that a sanitizer sees the byte after it. */
static inline void *
test_copy(const void *data, size_t len)
{
	void *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

/* Random numbers (splitmix64); TEST_SEED=N in the environment repeats a run. */
static inline uint64_t
test_random(void)
{
	static uint64_t state;
	static bool seeded;
	uint64_t z;

	if (!seeded) {
		const char *seed = getenv("TEST_SEED");

		if (seed != NULL)
			state = strtoull(seed, NULL, 10);
		else if (getrandom(&state, sizeof state, 0) != sizeof state)
			abort();
		printf("# TEST_SEED=%llu\n", (unsigned long long)state);
		seeded = true;
	}
	z = state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

int
main(void)
{
	int count = 0, failed = 0;

	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* what was said before a crash is seen */
	for (struct test *t = test_first; t != NULL; t = t->next) {
		test_failed_expr = NULL;
		t->run();
		count++;
		if (test_failed_expr == NULL) {
			printf("ok %d - %s\n", count, t->name);
			continue;
		}
		failed++;
		printf("not ok %d - %s # %s:%d %s\n", count, t->name,
		    test_failed_file, test_failed_line, test_failed_expr);
	}
	printf("1..%d\n", count);
	return failed == 0 ? 0 : 1;
}

#endif
