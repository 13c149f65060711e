/* SPDX-License-Identifier: ISC */
/*
 * Freeing: the first number kept rises, by a commit; what lies wholly below
 * it is unlinked once no live journal entry names it.  And what is kept
 * measured in bytes, which are known at any time without a look at the disk.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "log_private.h"

/* --- bytes -------------------------------------------------------------- */

enum mess_err
log_have_body(struct log *l)
{
	struct log_body *list;
	size_t cap;

	if (l->body_end < l->body_cap)
		return MESS_OK;
	if (l->body_head > l->body_cap / 2) {
		memmove(l->body_list, l->body_list + l->body_head,
		    (l->body_end - l->body_head) * sizeof *list);
		l->body_end -= l->body_head;
		l->body_head = 0;
		return MESS_OK;
	}
	cap = l->body_cap == 0 ? 16 : l->body_cap * 2;
	if ((list = reallocarray(l->body_list, cap, sizeof *list)) == NULL)
		return MESS_LIMIT;
	l->body_list = list;
	l->body_cap = cap;
	return MESS_OK;
}

void
log_add_body(struct log *l, uint64_t seq, uint64_t bytes)
{
	l->body_list[l->body_end++] = (struct log_body){ seq, bytes };
	l->body_bytes += bytes;
}

void
log_rewind_bodies(struct log *l, uint64_t next)
{
	char name[SEGMENT_NAME_LEN + 8];

	while (l->body_end > l->body_head && l->body_list[l->body_end - 1].seq >= next) {
		l->body_bytes -= l->body_list[--l->body_end].bytes;
		segment_name(l->body_list[l->body_end].seq, BODY_SUFFIX, name);
		(void)unlinkat(l->cur, name, 0); /* the next opening finds it again */
	}
}

static void
drop_bodies(struct log *l)
{
	while (l->body_head < l->body_end && l->body_list[l->body_head].seq < l->first)
		l->body_bytes -= l->body_list[l->body_head++].bytes;
	if (l->body_head == l->body_end)
		l->body_head = l->body_end = 0;
}

static void
drop_files(struct log *l)
{
	while (l->low + 1 < l->segments && l->files[l->low + 1].first <= l->first)
		l->full_bytes -= l->files[l->low++].bytes;
}

void
log_count_bytes(struct log *l)
{
	l->low = 0;
	l->full_bytes = 0;
	for (size_t i = 0; i + 1 < l->segments; i++)
		l->full_bytes += l->files[i].bytes;
	drop_files(l);
	drop_bodies(l);
}

/* Of the file that holds the first message, what is freed counts no more, by number. */
uint64_t
log_bytes(const struct log *l)
{
	const struct log_file *f = &l->files[l->low];
	bool tail = l->low + 1 == l->segments;
	uint64_t bytes = tail ? l->tail_off : f->bytes;
	uint64_t end = tail ? l->next : l->files[l->low + 1].first;

	if (l->first >= l->next)
		return 0;
	if (l->first > f->first)
		bytes = bytes * (end - l->first) / (end - f->first);
	return bytes + l->body_bytes + (tail ? 0 : l->full_bytes - f->bytes + l->tail_off);
}

void
log_limit_segments(struct log *l, uint64_t max_bytes)
{
	uint64_t cap = SEGMENT_MIN;

	if (max_bytes == 0)
		cap = SEGMENT_MAX;
	while (cap < SEGMENT_MAX && cap * 2 <= max_bytes / 8)
		cap *= 2;
	l->segment_cap = cap;
}

/* --- files that go ------------------------------------------------------ */

/* Files wholly below a first number that is durable; no live entry names them. */
static void
sweep(void *arg)
{
	struct log *l = arg;
	char name[SEGMENT_NAME_LEN + 8];
	size_t gone = 0;

	l->sweep_set = false;
	while (gone + 1 < l->segments && l->files[gone + 1].first <= l->sweep_below) {
		segment_name(l->files[gone].first, "", name);
		if (segment_remove(l->cur, name) != MESS_OK)
			break;
		gone++;
	}
	l->segments -= gone;
	l->low -= gone;
	memmove(l->files, l->files + gone, l->segments * sizeof *l->files);
	if (l->recent != NULL && l->recent->first < l->files[0].first) {
		segment_unref(l->recent);
		l->recent = NULL;
	}
	if (l->bodies)
		body_sweep_below(l->cur, l->sweep_below);
	/* More was freed since this was set. */
	if (l->sweep_below < l->first_durable) {
		l->free_wanted = true;
		log_set_sweep(l);
	}
}

/* Now that the first number is durable: files may go once no live entry names them. */
void
log_set_sweep(struct log *l)
{
	if (!l->free_wanted || l->sweep_set)
		return;
	/* What the commit being gathered frees is for the next time. */
	l->free_wanted = l->first != l->first_durable;
	l->sweep_set = true;
	l->sweep_below = l->first_durable;
	l->sweep = (struct journal_after){ .fn = sweep, .arg = l };
	journal_after(store_journal(l->store), &l->sweep);
}

/* --- the first number --------------------------------------------------- */

enum mess_err
log_free_below(struct log *l, uint64_t n, enum log_count why)
{
	enum mess_err err;

	if (n <= l->first)
		return MESS_OK;
	if (store_is_sick(l->store))
		return MESS_SICK;
	if ((err = store_room(l->store, l->part.most)) != MESS_OK)
		return err;
	l->counts[why] += n - l->first;
	l->first = n;
	store_join(l->store, &l->part);
	drop_files(l);
	drop_bodies(l);
	if (l->bodies || (l->segments > 1 && l->files[1].first <= n))
		l->free_wanted = true;
	return MESS_OK;
}

/*
 * The tail is partly used and holds nothing that is kept; a small segment
 * takes its place, so that it can go.  Where none can be made it goes when
 * the next messages have filled it.
 */
void
log_free_tail(struct log *l)
{
	if (l->first < l->next || l->tail->first == l->next || store_is_sick(l->store) ||
	    log_roll(l) != MESS_OK)
		return;
	drop_files(l);
	l->free_wanted = true;
}

uint64_t
log_next_loss(const struct log *l)
{
	const struct log_file *f = &l->files[l->low];
	bool tail = l->low + 1 == l->segments;
	uint64_t n = tail ? l->next : l->files[l->low + 1].first;

	if (l->body_head < l->body_end && l->body_list[l->body_head].seq + 1 < n)
		return l->body_list[l->body_head].seq + 1;
	/* Only the file that is written to is left: some of it, by number. */
	if (tail && n - l->first > 1)
		n = l->first + 1 + (n - f->first) / 8;
	return n < l->next ? n : l->next - 1;
}

/* --- counts ------------------------------------------------------------- */

/* A count is not worth a commit of its own failing: without room it is told by the next one. */
void
log_count(struct log *l, enum log_count what, uint64_t n)
{
	l->counts[what] += n;
	if (!store_is_sick(l->store) && store_room(l->store, l->part.most) == MESS_OK)
		store_join(l->store, &l->part);
}

/* Nor is one that callers can drive up at will worth a commit at all. */
void
log_note(struct log *l, enum log_count what, uint64_t n)
{
	l->counts[what] += n;
}

uint64_t
log_counted(const struct log *l, enum log_count what)
{
	return l->counts[what];
}
