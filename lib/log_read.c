/* SPDX-License-Identifier: ISC */
/*
 * Reading a log.
 *
 * One piece of memory holds what was read last, and the run that was found
 * in it: many subscribers at the same place are served from one reading.
 */
#include "log_read.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"

#define MEM_LEN ((size_t)512 * 1024)
#define READ_LEN ((size_t)64 * 1024)
_Static_assert(MEM_LEN >= RECORD_MAX, "a record must fit the reader's memory");

struct log_reader {
	char *mem;
	struct segment *segment;	/* whose bytes mem has; held */
	uint64_t off;
	size_t len;
	struct log_run run;		/* the last one, and what was asked for it */
	uint64_t run_last;
	size_t run_max;
};

enum mess_err
log_reader_new(struct log_reader **out)
{
	struct log_reader *r = calloc(1, sizeof *r);

	if (r == NULL)
		return MESS_LIMIT;
	r->mem = mmap(NULL, MEM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->mem == MAP_FAILED) {
		free(r);
		return MESS_LIMIT;
	}
	*out = r;
	return MESS_OK;
}

static void
forget(struct log_reader *r)
{
	segment_unref(r->segment);
	r->segment = NULL;
	r->len = 0;
	r->run.segment = NULL;
}

void
log_reader_rest(struct log_reader *r)
{
	if (r->segment == NULL)
		return;
	forget(r);
	(void)madvise(r->mem, MEM_LEN, MADV_DONTNEED); /* only memory is at stake */
}

void
log_reader_free(struct log_reader *r)
{
	if (r == NULL)
		return;
	forget(r);
	(void)munmap(r->mem, MEM_LEN); /* mapped by us */
	free(r);
}

void
log_cursor_drop(struct log_cursor *c)
{
	segment_unref(c->segment);
	*c = (struct log_cursor){ 0 };
}

/* --- bytes -------------------------------------------------------------- */

/* Bytes of s that are durable. */
static uint64_t
readable(const struct log *l, const struct segment *s)
{
	return log_is_tail(l, s) ? log_end(l) : s->size;
}

/*
 * At least want bytes of s at off in memory, fewer only at its end.  The
 * tail grows under us: what is in memory counts as far as it was read.
 */
static enum mess_err
load(struct log_reader *r, const struct log *l, struct segment *s, uint64_t off, size_t want)
{
	uint64_t end = readable(l, s);
	ssize_t n;

	if (want > end - off)
		want = (size_t)(end - off);
	if (r->segment == s && off >= r->off && off + want <= r->off + r->len)
		return MESS_OK;
	if (want < READ_LEN)
		want = end - off < READ_LEN ? (size_t)(end - off) : READ_LEN;
	if (r->segment != s) {
		forget(r);
		r->segment = segment_ref(s);
	}
	r->len = 0;
	r->run.segment = NULL;
	if ((n = fd_pread_full(s->file->fd, r->mem, want, (off_t)off)) == -1)
		return MESS_IO;
	r->off = off;
	r->len = (size_t)n;
	return MESS_OK;
}

static const char *
bytes(const struct log_reader *r, uint64_t off, size_t *left)
{
	*left = (size_t)(r->off + r->len - off);
	return r->mem + (off - r->off);
}

/* The record at off, whole; its bytes at *data. */
static enum mess_err
read_at(struct log_reader *r, const struct log *l, struct segment *s, uint64_t off,
    struct record *rec, size_t *len, const char **data)
{
	enum mess_err err = MESS_TOOBIG;
	size_t left;

	if (r->segment == s && off >= r->off && off < r->off + r->len) {
		*data = bytes(r, off, &left);
		err = record_read(*data, left, rec, len);
	}
	if (err != MESS_TOOBIG)
		return err;
	/* Not all of it was there: read from here, a usual piece, then the longest there can be. */
	for (size_t want = READ_LEN; err == MESS_TOOBIG; want = RECORD_MAX) {
		if ((err = load(r, l, s, off, want)) != MESS_OK)
			return err;
		*data = bytes(r, off, &left);
		if ((err = record_read(*data, left, rec, len)) == MESS_TOOBIG && want == RECORD_MAX)
			return MESS_BADDATA; /* it goes beyond what is durable */
	}
	return err;
}

/* --- places ------------------------------------------------------------- */

/* From the index place at or below seq, line by line. */
static enum mess_err
walk_to(struct log_reader *r, struct log *l, struct log_cursor *c, uint64_t seq)
{
	struct segment_place at, next;
	struct record rec;
	const char *data;
	enum mess_err err;
	size_t len;

	if ((err = segment_find(c->segment, seq, &at, &next)) != MESS_OK)
		return err;
	while (at.seq < seq) {
		err = read_at(r, l, c->segment, at.off, &rec, &len, &data);
		if ((err != MESS_OK && err != MESS_CORRUPT) || rec.seq != at.seq)
			break; /* log_read meets the damage, from here */
		at.off += len;
		at.seq++;
	}
	c->seq = at.seq;
	c->off = at.off;
	return MESS_OK;
}

static enum mess_err
seek(struct log_reader *r, struct log *l, struct log_cursor *c, uint64_t seq)
{
	enum mess_err err;

	log_cursor_drop(c);
	if ((err = log_segment(l, seq, &c->segment)) != MESS_OK)
		return err;
	return walk_to(r, l, c, seq);
}

/* --- damage ------------------------------------------------------------- */

/*
 * An envelope that is none: all up to the next index place (or segment) is
 * lost, because a body could hold anything that looks like an envelope.
 */
static enum mess_err
lost_envelope(struct log *l, struct log_cursor *c, struct log_run *out)
{
	struct segment_place at, next = { 0 };
	uint64_t end = log_segment_end(l, c->segment), upto = readable(l, c->segment);

	/* An index or first line that cannot be read says nothing about the rest either. */
	if (segment_find(c->segment, c->seq, &at, &next) != MESS_OK || next.seq >= end)
		next.seq = 0;
	out->first = c->seq;
	out->last = (next.seq != 0 ? next.seq : end) - 1;
	out->len = (size_t)((next.seq != 0 ? next.off : upto) - c->off);
	c->off += out->len;
	c->seq = out->last + 1;
	return MESS_OK;
}

static enum mess_err
damage(struct log *l, struct log_cursor *c, bool envelope, size_t len, struct log_run *out)
{
	char name[NAME_TOPIC_MAX + 32];

	*out = (struct log_run){ .first = c->seq, .last = c->seq, .off = c->off, .len = len,
		.segment = c->segment, .damaged = true };
	if (!envelope) {
		c->seq++;
		c->off += len;
	} else if (lost_envelope(l, c, out) != MESS_OK)
		return MESS_CORRUPT;
	(void)snprintf(name, sizeof name, "%s.%llu", log_name(l)->topic,
	    (unsigned long long)out->first); /* fits by its size */
	if (store_quarantine(log_store(l), name, out->segment->file->fd, out->off, out->len))
		log_count(l, LOG_DAMAGED, out->last - out->first + 1);
	return MESS_OK;
}

/* Numbers that no segment holds: a file is missing. */
static enum mess_err
missing(struct log *l, struct log_cursor *c, uint64_t last, struct log_run *out)
{
	store_say(log_store(l), "%s: messages %llu to %llu are missing", log_name(l)->topic,
	    (unsigned long long)c->seq, (unsigned long long)last);
	*out = (struct log_run){ .first = c->seq, .last = last, .damaged = true };
	log_cursor_drop(c);
	return MESS_OK;
}

/* --- runs --------------------------------------------------------------- */

static void
take_apart(struct log_run *run, const struct record *rec, const char *data, size_t len)
{
	run->apart = true;
	run->record = *rec;
	run->line_len = (size_t)((const char *)memchr(data, '\n', len) + 1 - data);
}

/* The engine's headers come first, and among them those that decide a delivery. */
static bool
is_special(const struct record *rec, const char *data, size_t len)
{
	static const char *const first[] = { "Mess-Due: ", "Mess-Expires: ", "Mess-Redrive-To: " };
	const char *headers = data + len - record_rest_len(rec);

	if (rec->headers_len < 16 || memcmp(headers, "Mess-", 5) != 0)
		return false;
	for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
		if (rec->headers_len > strlen(first[i]) && memcmp(headers, first[i], strlen(first[i])) == 0)
			return true;
	return false;
}

static enum mess_err
read_run(struct log_reader *r, struct log *l, struct log_cursor *c, uint64_t last,
    size_t max_bytes, struct log_run *out)
{
	struct log_run run = { .first = c->seq, .off = c->off, .segment = c->segment };
	enum mess_err err = MESS_OK;
	struct record rec;
	const char *data;
	size_t len = 0;

	for (uint64_t seq = c->seq; seq <= last; seq++) {
		/* Only what one reading has: the run is contiguous in memory. */
		if (run.len > 0 && run.off + run.len >= r->off + r->len)
			break;
		if (run.len == 0)
			err = read_at(r, l, c->segment, run.off, &rec, &len, &data);
		else {
			data = bytes(r, run.off + run.len, &len);
			err = record_read(data, len, &rec, &len);
		}
		if (err != MESS_OK || rec.seq != seq || (run.len > 0 && (rec.apart ||
		    run.len + len > max_bytes)))
			break;
		run.len += len;
		run.last = seq;
		run.special |= is_special(&rec, data, len);
		if (rec.apart) {
			take_apart(&run, &rec, data, len);
			break;
		}
	}
	if (run.len == 0) {
		if (err == MESS_IO)
			return err;
		return damage(l, c, err != MESS_CORRUPT || rec.seq != c->seq, len, out);
	}
	run.data = r->mem + (run.off - r->off);
	*out = run;
	return MESS_OK;
}

enum mess_err
log_read(struct log_reader *r, struct log *l, struct log_cursor *c, uint64_t from, uint64_t last,
    size_t max_bytes, struct log_run *out)
{
	enum mess_err err;
	uint64_t end;

	if (c->segment == NULL || c->seq != from || from >= log_segment_end(l, c->segment)) {
		err = seek(r, l, c, from);
		if (err == MESS_CORRUPT && c->segment != NULL) {
			/* Its first line is not its own: nothing in it can be told apart. */
			end = log_segment_end(l, c->segment);
			c->seq = from;
			return missing(l, c, end == 0 ? last : end - 1, out);
		}
		if (err != MESS_OK)
			return err;
	}
	end = log_segment_end(l, c->segment);
	if (from < c->segment->first || from >= end) {
		c->seq = from;
		return missing(l, c, from < c->segment->first ? c->segment->first - 1 : last, out);
	}
	if (last >= end)
		last = end - 1;
	if (r->run.segment == c->segment && r->run.off == c->off && r->run_last == last &&
	    r->run_max == max_bytes)
		*out = r->run;
	else if ((err = read_run(r, l, c, last, max_bytes, out)) != MESS_OK || out->damaged)
		return err;
	r->run = *out;
	r->run_last = last;
	r->run_max = max_bytes;
	c->seq = out->last + 1;
	c->off += out->len;
	return MESS_OK;
}

size_t
log_run_line(const struct log_run *run, char *out)
{
	/* The same line but for its kind; SUM is that of the mess1 record. */
	memcpy(out, run->data, run->line_len);
	memcpy(out, "mess1", 5);
	return run->line_len;
}
