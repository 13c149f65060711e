/* SPDX-License-Identifier: ISC */
/*
 * Places by time.  Times never go back within a log, so some twenty records
 * tell where a time is among millions, wherever the log is read from.
 */
#include <string.h>

#include "log_read.h"

/* The first message at or after from that can be read; MESS_NOTOPIC when there is none below end. */
static enum mess_err
first_readable(struct log_reader *r, struct log *l, uint64_t from, uint64_t end, struct record *out)
{
	struct log_cursor c = { 0 };
	struct log_run run = { 0 };
	enum mess_err err = MESS_NOTOPIC;
	size_t len;

	for (; from < end; from = run.last + 1) {
		if ((err = log_read(r, l, &c, from, end - 1, 1, &run)) != MESS_OK || !run.damaged)
			break;
		err = MESS_NOTOPIC;
	}
	if (err == MESS_OK)
		err = record_read(run.data, run.len, out, &len);
	log_cursor_drop(&c);
	return err;
}

enum mess_err
log_oldest_time(struct log *l, struct log_reader *r, uint64_t *sec, uint32_t *nsec)
{
	struct record rec;
	enum mess_err err;

	if ((err = first_readable(r, l, log_first(l), log_durable(l), &rec)) != MESS_OK)
		return err;
	*sec = rec.sec;
	*nsec = rec.nsec;
	return MESS_OK;
}

enum mess_err
log_seek_time(struct log *l, struct log_reader *r, uint64_t sec, uint32_t nsec, uint64_t *out)
{
	uint64_t lo = log_first(l), hi = log_durable(l), mid;
	struct record rec;
	enum mess_err err;

	if (lo > hi)
		lo = hi;
	/* The first look is at the oldest: mostly nothing is before the time asked for. */
	for (mid = lo; lo < hi; mid = lo + (hi - lo) / 2) {
		err = first_readable(r, l, mid, hi, &rec);
		if (err != MESS_OK && err != MESS_NOTOPIC)
			return err;
		if (err == MESS_NOTOPIC || rec.sec > sec || (rec.sec == sec && rec.nsec >= nsec))
			hi = mid;
		else
			lo = rec.seq + 1;
	}
	*out = lo;
	return MESS_OK;
}
