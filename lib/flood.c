/* SPDX-License-Identifier: ISC */
/*
 * Token buckets in a small open table.  A bucket that is full again and has
 * nothing to tell is as good as none, and its place is free.
 */
#include "flood.h"

#include <string.h>

#define FULL ((uint64_t)FLOOD_BURST * 1000)

void
flood_init(struct flood *f)
{
	memset(f, 0, sizeof *f);
	f->buckets[FLOOD_SLOTS].tokens = FULL;
}

/* FLOOD_RATE a second is FLOOD_RATE thousandths a millisecond. */
static void
refill(struct flood_bucket *b, uint64_t now)
{
	uint64_t passed = now > b->at ? now - b->at : 0;

	b->at = now;
	if (passed >= FULL / FLOOD_RATE || (b->tokens += passed * FLOOD_RATE) > FULL)
		b->tokens = FULL;
}

static bool
is(const struct flood_bucket *b, const struct flood_key *key)
{
	return b->key.word != NULL && b->key.uid == key->uid && strcmp(b->key.word, key->word) == 0;
}

static bool
is_free(struct flood_bucket *b, uint64_t now)
{
	if (b->key.word == NULL)
		return true;
	if (b->held > 0)
		return false;
	refill(b, now);
	return b->tokens == FULL;
}

static struct flood_bucket *
bucket_of(struct flood *f, const struct flood_key *key, uint64_t now)
{
	size_t first = key->trusted ? 0 : FLOOD_TRUSTED;
	size_t count = key->trusted ? FLOOD_TRUSTED : FLOOD_SLOTS - FLOOD_TRUSTED;
	struct flood_bucket *b, *empty = NULL;
	size_t hash = key->uid * 2654435761U;

	for (const char *c = key->word; *c != '\0'; c++)
		hash = hash * 31 + (unsigned char)*c;
	for (size_t i = 0; i < count; i++) {
		b = &f->buckets[first + (hash + i) % count];
		if (is(b, key))
			return b;
		if (empty == NULL && is_free(b, now))
			empty = b;
	}
	if (empty == NULL)
		return &f->buckets[FLOOD_SLOTS];
	*empty = (struct flood_bucket){ .key = *key, .tokens = FULL, .at = now };
	return empty;
}

static void
hold(struct flood *f, struct flood_bucket *b, uint64_t n, uint64_t now)
{
	if (b->held == 0 && n > 0) {
		b->since = now;
		f->holding++;
	}
	b->held += n;
}

bool
flood_pass(struct flood *f, const struct flood_key *key, uint64_t now)
{
	struct flood_bucket *b = bucket_of(f, key, now);

	refill(b, now);
	if (b->tokens < 1000) {
		hold(f, b, 1, now);
		return false;
	}
	b->tokens -= 1000;
	return true;
}

void
flood_lost(struct flood *f, const struct flood_key *key, uint64_t n, uint64_t now)
{
	hold(f, key->word != NULL ? bucket_of(f, key, now) : &f->buckets[FLOOD_SLOTS], n, now);
}

bool
flood_told(struct flood *f, uint64_t now, bool all, struct flood_key *key, uint64_t *count)
{
	struct flood_bucket *b;

	if (f->holding == 0)
		return false;
	for (size_t i = 0; i <= FLOOD_SLOTS; i++) {
		b = &f->buckets[i];
		if (b->held == 0)
			continue;
		refill(b, now);
		if (!all && b->tokens < FLOOD_QUIET * 1000 && now - b->since < FLOOD_REPORT_MS)
			continue;
		*key = b->key;
		*count = b->held;
		b->held = 0;
		f->holding--;
		return true;
	}
	return false;
}
