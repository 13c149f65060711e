/* SPDX-License-Identifier: ISC */
/*
 * Little-endian numbers in byte blocks: what is on disk never depends on
 * a struct's layout.
 */
#ifndef BASE_LE_H
#define BASE_LE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void
le32_put(void *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof v);
}

static inline void
le64_put(void *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof v);
}

static inline uint32_t
le32_get(const void *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof v);
	return le32toh(v);
}

static inline uint64_t
le64_get(const void *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof v);
	return le64toh(v);
}

#endif
