/* SPDX-License-Identifier: ISC */
/*
 * A clock that stands still until the test moves it.  The model test and
 * its engine have it in one page of a file; programs that link clock.c
 * without the page have the real one.
 */
#ifndef MODEL_CLOCK_H
#define MODEL_CLOCK_H

#include <stdint.h>

/* The file is made; engines that are started from here on have it too. */
void clock_begin(const char *path);
void clock_end(void);
void clock_move(uint64_t ms);
/* Nanoseconds of the time of day. */
uint64_t clock_wall(void);
/* What loop_now will say at that time of day, rounded up as whole milliseconds. */
uint64_t clock_boot_at(uint64_t wall_ns);
/* Milliseconds that pass by themselves: how long a test waits. */
uint64_t clock_real(void);

#endif
