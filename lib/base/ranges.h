/* SPDX-License-Identifier: ISC */
/*
 * A set of numbers kept as sorted ranges that neither touch nor overlap.
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct range {
	uint64_t lo, hi;	/* both within */
};

struct ranges {
	struct range *r;
	size_t count, cap;
};

void ranges_free(struct ranges *set);
/* MESS_LIMIT without memory; the set is then as it was. */
NODISCARD enum mess_err ranges_add(struct ranges *set, uint64_t lo, uint64_t hi);
NODISCARD enum mess_err ranges_remove(struct ranges *set, uint64_t lo, uint64_t hi);
bool ranges_contain(const struct ranges *set, uint64_t lo, uint64_t hi);
/* The first range with a number at or above n, or NULL. */
const struct range *ranges_from(const struct ranges *set, uint64_t n);
/* How many numbers. */
uint64_t ranges_total(const struct ranges *set);

#endif
