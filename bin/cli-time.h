/* SPDX-License-Identifier: ISC */
/*
 * Moments on the command line: RFC 3339 or @epoch, and places in a topic.
 */
#ifndef CLI_TIME_H
#define CLI_TIME_H

#include <stdbool.h>
#include <stdint.h>

/*
 * 2026-11-21T05:33:57Z, with a fraction of a second or without, with Z or
 * +01:00, t and z or a space for the letters; a date alone is its midnight,
 * UTC; or @SECONDS, with a fraction or without.  False for anything else and
 * for what is before 1970 or after 9999.
 */
#define CLI_TIME_LAST UINT64_C(253402300799)	/* 9999-12-31T23:59:59Z */
bool cli_time(const char *text, uint64_t *sec, uint32_t *nsec);

/*
 * A place to begin at, as the protocol has it: oldest, now, N, -N, or a time
 * as above, which becomes @SECONDS.NANOSECONDS.
 */
#define CLI_POSITION_MAX sizeof "@18446744073709551615.999999999"
bool cli_position(const char *text, char out[CLI_POSITION_MAX]);

#endif
