/* SPDX-License-Identifier: ISC */
/*
 * What has expired: a consumer that comes by settles it.  Where none comes
 * it would be counted as waiting for ever: a monitor would alarm, and a
 * topic be full of what nobody may have.
 */
#include "expiry.h"

#include "sift.h"

#define PIECE_FIRST ((size_t)4096)	/* enough to see that nothing has */
#define PIECE ((size_t)256 * 1024)

/* The first messages of what waits, if they have expired: the bytes of those that were settled. */
static size_t
sweep_run(struct subscription *s, struct log_reader *r, struct log_cursor *c, size_t most)
{
	struct handout h;
	struct log_run run;
	struct sifted first;

	if (!subscription_ready(s, UINT64_MAX, &h) ||
	    log_read(r, s->topic->log, c, h.run.lo, h.run.hi, most, &run) != MESS_OK ||
	    run.damaged || !run.special)
		return 0;
	sift(s, &run, &first);
	if (first.last < run.last) {
		c->seq = first.last + 1;
		c->off = run.off + first.len;
	}
	if (first.verdict != SIFT_EXPIRED ||
	    subscription_pass(s, &(struct range){ run.first, first.last }, PLACE_EXPIRED) != MESS_OK)
		return 0;
	return first.len;
}

/* What it cost, in bytes: a look that finds nothing costs, too. */
static size_t
sweep_sub(struct subscription *s, struct log_reader *r, size_t bytes)
{
	struct log_cursor c = { 0 };
	size_t done = sweep_run(s, r, &c, PIECE_FIRST), len = done;

	while (len > 0 && done < bytes) {
		len = sweep_run(s, r, &c, PIECE);
		done += len;
	}
	log_cursor_drop(&c);
	return done + PIECE_FIRST;
}

void
expiry_sweep(struct topic *t, struct log_reader *r, size_t bytes)
{
	struct subscriptions *set;
	struct subscription *s;

	/* Nothing is settled there, and what is passed over would be looked at again and again. */
	if (store_is_sick(log_store(t->log)) || subscriptions_of(t, &set) != MESS_OK)
		return;
	TAILQ_FOREACH(s, &set->list, link) {
		size_t cost = sweep_sub(s, r, bytes);

		if (cost >= bytes)
			return;
		bytes -= cost;
	}
}

bool
expiry_is_over(struct topic *t, uint64_t seq)
{
	struct log_cursor c = { 0 };
	struct log_reader *r;
	struct log_run run;
	bool over;

	/* One that is not durable yet has a second at least. */
	if (seq >= log_durable(t->log) || log_reader_new(&r) != MESS_OK)
		return false;
	over = log_read(r, t->log, &c, seq, seq, PIECE_FIRST, &run) == MESS_OK && !run.damaged &&
	    run.special && sift_is_over(&run);
	log_cursor_drop(&c);
	log_reader_free(r);
	/* Last: it asks every consumer. */
	return over && !subscriptions_have(t, seq);
}
