/* SPDX-License-Identifier: ISC */
/*
 * From a recording to the images that a power cut could have left.
 *
 * What was written before the last flush is there.  Of what was written
 * since, any part may be: the order of writes between two flushes is the
 * disk's own.  Where those writes are few every subset is an image; else
 * each prefix, each but one, each alone, and some at random; and a disk
 * that loses power in a write leaves its first sectors.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash.h"
#include "disk.h"

#define FEW 6		/* writes, so few that every subset is made */
#define RANDOM 64
#define SECTOR 512

/* --- the recording ------------------------------------------------------ */

static char *
map_file(const char *dir, const char *name, size_t *len)
{
	char path[PATH_LEN];
	struct stat st;
	void *p = NULL;
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name); /* cut off it is found nowhere */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		*len = (size_t)st.st_size;
	}
	(void)close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static void
add(struct recording *r, const struct disk_entry *e, const char *data)
{
	if ((r->count & (r->count - 1)) == 0) {
		r->entries = reallocarray(r->entries, r->count == 0 ? 1 : 2 * r->count, sizeof *r->entries);
		r->epochs = reallocarray(r->epochs, r->count == 0 ? 2 : 2 * r->count + 1, sizeof *r->epochs);
	}
	if (r->entries == NULL || r->epochs == NULL)
		abort();
	if (r->count == 0)
		r->epochs[r->epoch_count++] = 0;
	else if (r->entries[r->count - 1].kind == DISK_FLUSH)
		r->epochs[r->epoch_count++] = r->count;
	if (e->kind == DISK_WRITE && r->first == 0)
		r->first = r->count;
	r->entries[r->count++] = (struct entry){ .kind = e->kind, .len = e->len, .off = e->off, .data = data };
}

int
recording_open(const char *dir, struct recording *out)
{
	struct disk_entry e;

	*out = (struct recording){ 0 };
	if ((out->base = map_file(dir, "base", &out->size)) == NULL ||
	    (out->log = map_file(dir, "log", &out->log_len)) == NULL)
		return -1;
	for (size_t at = 0; at + sizeof e <= out->log_len; at += sizeof e + e.len) {
		const char *data = out->log + at + sizeof e;

		memcpy(&e, out->log + at, sizeof e);
		if (e.len > out->log_len - at - sizeof e)
			break;
		if (e.kind == DISK_MARK && e.len == strlen(DISK_END) && memcmp(data, DISK_END, e.len) == 0)
			return 0;
		add(out, &e, data);
	}
	errno = EINVAL; /* it has no end */
	return -1;
}

void
recording_close(struct recording *r)
{
	(void)munmap(r->base, r->size); /* mapped by us, here and below */
	(void)munmap(r->log, r->log_len);
	free(r->entries);
	free(r->epochs);
}

/* --- images ------------------------------------------------------------- */

static size_t
epoch_end(const struct recording *r, size_t epoch)
{
	return epoch + 1 < r->epoch_count ? r->epochs[epoch + 1] - 1 : r->count;
}

/* The epoch's writes before a cut. */
static size_t
writes_of(const struct recording *r, size_t epoch, size_t *out)
{
	size_t n = 0;

	for (size_t i = r->epochs[epoch]; i < epoch_end(r, epoch); i++)
		if (r->entries[i].kind == DISK_WRITE && n < IMAGE_WRITES)
			out[n++] = i;
	return n;
}

uint64_t
image_number(const struct recording *r, size_t epoch)
{
	size_t writes[IMAGE_WRITES], n = writes_of(r, epoch, writes);

	return 2 * n + 1 + (n <= FEW ? (uint64_t)1 << n : 2 * n + RANDOM);
}

/* splitmix64 */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void
tear(const struct recording *r, struct image *out, uint64_t *state)
{
	uint32_t len = out->count > 0 ? r->entries[out->writes[out->count - 1]].len : 0;

	if (len > SECTOR)
		out->torn = SECTOR * (uint32_t)(1 + next_random(state) % (len / SECTOR - 1));
}

/* The first n writes, and the power went before the next one. */
static void
take_prefix(const struct recording *r, const size_t *writes, size_t all, size_t n, struct image *out)
{
	memcpy(out->writes, writes, n * sizeof *writes);
	out->count = n;
	out->cut = n < all ? writes[n] : epoch_end(r, out->epoch);
}

static void
take_random(const struct recording *r, const size_t *writes, size_t all, struct image *out, uint64_t *state)
{
	uint64_t share = 1 + next_random(state) % 7;
	size_t n = 1 + next_random(state) % all;

	take_prefix(r, writes, all, n, out);
	out->count = 0;
	for (size_t i = 0; i < n; i++)
		if (next_random(state) % 8 < share)
			out->writes[out->count++] = writes[i];
	if (next_random(state) % 2 == 0)
		tear(r, out, state);
}

/* Of many writes: each but one, each alone, some at random. */
static void
take_part(const struct recording *r, const size_t *writes, size_t n, uint64_t k, struct image *out,
    uint64_t *state)
{
	if (k >= 2 * n) {
		take_random(r, writes, n, out, state);
		return;
	}
	out->cut = epoch_end(r, out->epoch);
	out->count = 0;
	for (size_t i = 0; i < n; i++)
		if (k < n ? i != k : i == k - n)
			out->writes[out->count++] = writes[i];
}

static void
choose(const struct recording *r, size_t epoch, uint64_t k, uint64_t seed, struct image *out)
{
	uint64_t state = seed ^ (uint64_t)epoch << 32 ^ k;
	size_t writes[IMAGE_WRITES], n = writes_of(r, epoch, writes);

	out->epoch = epoch;
	out->torn = 0;
	if (k <= n) {
		take_prefix(r, writes, n, k, out);
		return;
	}
	k -= n + 1;
	if (k < n) {
		take_prefix(r, writes, n, k + 1, out);
		tear(r, out, &state);
		return;
	}
	k -= n;
	if (n > FEW) {
		take_part(r, writes, n, k, out, &state);
		return;
	}
	take_prefix(r, writes, n, n, out);
	out->count = 0;
	for (size_t i = 0; i < n; i++)
		if ((k >> i & 1) != 0)
			out->writes[out->count++] = writes[i];
}

void
image_choose(const struct recording *r, size_t epoch, uint64_t k, uint64_t seed, struct image *out)
{
	choose(r, epoch, k, seed, out);
	/* What was marked before the disk was used was promised before. */
	if (out->cut < r->first)
		out->cut = r->first;
}

void
image_say(const struct image *i, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "cut %zu, %zu writes since the last flush:", i->cut, i->count);

	for (size_t k = 0; k < i->count && used < size; k++)
		used += (size_t)snprintf(out + used, size - used, " %zu", i->writes[k]);
	if (i->torn != 0 && used < size)
		(void)snprintf(out + used, size - used, " torn at %u", i->torn);
}
