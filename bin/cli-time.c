/* SPDX-License-Identifier: ISC */
/*
 * Moments on the command line.
 */
#include "cli-time.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* Exactly n digits. */
static bool
digits(const char **at, unsigned n, uint64_t *out)
{
	uint64_t value = 0;

	for (; n > 0; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (uint64_t)(**at - '0');
	}
	*out = value;
	return true;
}

static bool
one_of(const char **at, const char *letters)
{
	if (**at == '\0' || strchr(letters, **at) == NULL)
		return false;
	(*at)++;
	return true;
}

/* ".5" is 500000000; what is finer than a nanosecond is cut off.  No dot: 0. */
static bool
fraction(const char **at, uint32_t *nsec)
{
	uint32_t unit = 100000000;

	*nsec = 0;
	if (!one_of(at, "."))
		return true;
	if (**at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
		*nsec += (uint32_t)(**at - '0') * unit;
	return true;
}

/* Days from 1970-01-01 in the Gregorian calendar; the year begins with March, so that leap days end it. */
static int64_t
days(uint64_t year, uint64_t month, uint64_t day)
{
	int64_t y = (int64_t)year - (month <= 2), shifted = (int64_t)(month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * shifted + 2) / 5 + (int64_t)day - 1 - 719468;
}

static uint64_t
days_of_month(uint64_t year, uint64_t month)
{
	static const uint8_t of[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return of[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static bool
date(const char **at, int64_t *out)
{
	uint64_t year, month, day;

	if (!digits(at, 4, &year) || !one_of(at, "-") || !digits(at, 2, &month) || !one_of(at, "-") ||
	    !digits(at, 2, &day) || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
		return false;
	*out = days(year, month, day) * 86400;
	return true;
}

/* Z, or how far local time is ahead. */
static bool
zone(const char **at, int64_t *out)
{
	uint64_t hours, minutes;
	bool behind;

	*out = 0;
	if (one_of(at, "Zz"))
		return true;
	behind = **at == '-';
	if (!one_of(at, "+-") || !digits(at, 2, &hours) || !one_of(at, ":") || !digits(at, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*out = (int64_t)(hours * 60 + minutes) * (behind ? -60 : 60);
	return true;
}

/* A leap second is the one after it, as the system's clock has it. */
static bool
read_rfc3339(const char *at, int64_t *sec, uint32_t *nsec)
{
	uint64_t hour, minute, second;
	int64_t day, ahead;

	*nsec = 0;
	if (!date(&at, &day))
		return false;
	*sec = day;
	if (*at == '\0')
		return true;
	if (!one_of(&at, "Tt ") || !digits(&at, 2, &hour) || !one_of(&at, ":") || !digits(&at, 2, &minute) ||
	    !one_of(&at, ":") || !digits(&at, 2, &second) || !fraction(&at, nsec) || !zone(&at, &ahead) ||
	    *at != '\0' || hour > 23 || minute > 59 || second > 60)
		return false;
	*sec = day + (int64_t)(hour * 3600 + minute * 60 + second) - ahead;
	return true;
}

static bool
read_epoch(const char *at, int64_t *sec, uint32_t *nsec)
{
	int64_t n = 0;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *at - '0', &n))
			return false;
	*sec = n;
	return fraction(&at, nsec) && *at == '\0';
}

bool
cli_time(const char *text, uint64_t *sec, uint32_t *nsec)
{
	int64_t s;
	uint32_t ns;

	if (!(text[0] == '@' ? read_epoch(text + 1, &s, &ns) : read_rfc3339(text, &s, &ns)) || s < 0 ||
	    (uint64_t)s > CLI_TIME_LAST)
		return false;
	*sec = (uint64_t)s;
	*nsec = ns;
	return true;
}

bool
cli_position(const char *text, char out[CLI_POSITION_MAX])
{
	bool from_end = text[0] == '-';
	uint64_t n;
	uint32_t nsec;

	/* All fit. */
	if (strcmp(text, "oldest") == 0 || strcmp(text, "now") == 0)
		(void)snprintf(out, CLI_POSITION_MAX, "%s", text);
	else if (cli_number(text + from_end, 0, INT64_MAX, &n))
		(void)snprintf(out, CLI_POSITION_MAX, "%s%" PRIu64, from_end ? "-" : "", n);
	else if (cli_time(text, &n, &nsec))
		(void)snprintf(out, CLI_POSITION_MAX, "@%" PRIu64 ".%09" PRIu32, n, nsec);
	else
		return false;
	return true;
}
