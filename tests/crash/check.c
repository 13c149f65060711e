/* SPDX-License-Identifier: ISC */
/*
 * Many images of one recording, each mounted, recovered and judged.
 *
 * An image is made in memory, below a loop device that stays.  What the
 * last check changed is put back by comparing the pages that are there with
 * what is durable, so an image costs what was written, not the disk's size.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"
#include "disk.h"

#define PAGE 4096

/* What workers tell. */
struct tally {
	_Atomic uint64_t images, wrong, unmounted;
	_Atomic uint64_t met[ROWS];
};

/* One worker's disk. */
struct bench {
	const struct check_setup *setup;
	struct tally *tally;
	const struct recording *r;
	struct judge *judge;
	char *durable;		/* the base, and all before the epoch */
	size_t done;		/* so many entries are in it */
	int file, loop;
	char *bytes;		/* of the file */
	char loop_path[32], at[PATH_LEN], spool[PATH_LEN + 128];
	struct image image;
};

/* --- an image in memory ------------------------------------------------- */

static int
bench_open(struct bench *b, unsigned worker)
{
	(void)snprintf(b->at, sizeof b->at, "%s/check.%u", b->setup->dir, worker); /* cut off it is found nowhere */
	(void)snprintf(b->spool, sizeof b->spool, "%s/%s", b->at, b->setup->spool); /* likewise */
	b->durable = mmap(NULL, b->r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b->file = memfd_create("crash", MFD_CLOEXEC);
	if (b->durable == MAP_FAILED || b->file == -1 || ftruncate(b->file, (off_t)b->r->size) == -1 ||
	    (mkdir(b->at, 0755) == -1 && errno != EEXIST))
		return -1;
	b->bytes = mmap(NULL, b->r->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->file, 0);
	if (b->bytes == MAP_FAILED || (b->loop = disk_loop(b->file, b->loop_path)) == -1)
		return -1;
	for (size_t at = 0; at < b->r->size; at += PAGE)
		for (size_t i = 0; i < PAGE; i += 8)
			if (*(const uint64_t *)(const void *)(b->r->base + at + i) != 0) {
				memcpy(b->durable + at, b->r->base + at, PAGE);
				memcpy(b->bytes + at, b->r->base + at, PAGE);
				break;
			}
	b->judge = judge_new(b->r);
	return 0;
}

/* All before the epoch is durable: in both memories, as if it had been there from the start. */
static void
advance(struct bench *b, size_t upto)
{
	for (; b->done < upto; b->done++) {
		const struct entry *e = &b->r->entries[b->done];

		if (e->kind == DISK_WRITE)
			memcpy(b->durable + e->off, e->data, e->len);
	}
}

/* The pages that are there are all that can differ: what was never written is zero. */
static void
put_back(struct bench *b)
{
	off_t at = 0, end;

	while ((at = lseek(b->file, at, SEEK_DATA)) != -1) {
		end = lseek(b->file, at, SEEK_HOLE);
		for (; at < end; at += PAGE)
			if (memcmp(b->bytes + at, b->durable + at, PAGE) != 0)
				memcpy(b->bytes + at, b->durable + at, PAGE);
	}
}

static void
apply_write(struct bench *b, size_t entry, uint32_t len)
{
	memcpy(b->bytes + b->r->entries[entry].off, b->r->entries[entry].data, len);
}

static void
make_image(struct bench *b)
{
	const struct image *i = &b->image;
	size_t before = b->done;

	advance(b, b->r->epochs[i->epoch]);
	put_back(b);
	/* Pages that were not there yet. */
	for (; before < b->done; before++)
		if (b->r->entries[before].kind == DISK_WRITE)
			memcpy(b->bytes + b->r->entries[before].off, b->durable + b->r->entries[before].off,
			    b->r->entries[before].len);
	for (size_t k = 0; k < i->count; k++)
		apply_write(b, i->writes[k], k + 1 == i->count && i->torn != 0 ? i->torn :
		    b->r->entries[i->writes[k]].len);
	/* No page of the last image may be in the device's cache. */
	(void)ioctl(b->loop, BLKFLSBUF, 0);
}

/* --- one image ---------------------------------------------------------- */

/* The first start makes the spool. */
static int
open_spool(const struct bench *b)
{
	if (mkdir(b->spool, 0700) == -1 && errno != EEXIST)
		return -1;
	return open(b->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Recovered, by an engine that then ends well (or by kill -9), read, which
 * recovers again, and so on: what comes later must find what the first left.
 */
static void
recover_and_judge(struct bench *b, int spool, uint64_t k, FILE *why)
{
	struct seen first = { 0 }, second = { 0 };

	if (look_recover(spool, k % 2 == 0, why) == -1)
		return;
	if (look_read(spool, why, &first) == 0) {
		(void)fputs(first.wrong, why);
		(void)judge_image(b->judge, b->image.cut, &first, why);
		/* An engine's end takes long, so only some are started twice. */
		if (look_fsck(spool, why) == 0 && (k % 8 != 0 || look_recover(spool, true, why) == 0) &&
		    look_read(spool, why, &second) == 0 && strcmp(first.text, second.text) != 0)
			(void)fprintf(why, "another recovery changed it from\n%sto\n%s", first.text, second.text);
	}
	seen_free(&first);
	seen_free(&second);
}

static void
inspect(struct bench *b, uint64_t k, FILE *why)
{
	int spool;

	/* Every worker's image is of the same disk. */
	if (mount(b->loop_path, b->at, b->setup->type, 0,
	    strcmp(b->setup->type, "xfs") == 0 ? "nouuid" : NULL) == -1) {
		/* Of a block that the disk tore, as a superblock, the file system may say so: not ours. */
		if (b->image.torn != 0)
			b->tally->unmounted++;
		else
			(void)fprintf(why, "it cannot be mounted: %s\n", strerror(errno));
		return;
	}
	if ((spool = open_spool(b)) == -1)
		(void)fprintf(why, "there is no spool: %s\n", strerror(errno));
	else {
		rows_see(spool, b->tally->met);
		recover_and_judge(b, spool, k, why);
		(void)close(spool);
	}
	if (umount2(b->at, 0) == -1) {
		(void)fprintf(why, "it cannot be unmounted: %s\n", strerror(errno));
		(void)umount2(b->at, MNT_DETACH);
	}
}

/* True when nothing is wrong with it. */
static bool
check_image(struct bench *b, size_t epoch, uint64_t k)
{
	char *why, said[256];
	size_t len;
	FILE *f = open_memstream(&why, &len);
	bool good;

	if (f == NULL)
		abort();
	image_choose(b->r, epoch, k, b->setup->seed, &b->image);
	make_image(b);
	inspect(b, k, f);
	(void)fclose(f); /* memory */
	good = len == 0;
	if (!good) {
		image_say(&b->image, said, sizeof said);
		(void)printf("# violation: seed %llu, image %zu.%llu: %s\n", (unsigned long long)b->setup->seed,
		    epoch, (unsigned long long)k, said);
		for (char *save, *line = strtok_r(why, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
			(void)printf("#   %s\n", line);
		(void)fflush(stdout);
	}
	free(why);
	return good;
}

/* --- many --------------------------------------------------------------- */

/* The n-th of all images, by epoch. */
static void
locate(const struct recording *r, uint64_t n, size_t *epoch, uint64_t *k)
{
	uint64_t number;

	for (*epoch = 0; n >= (number = image_number(r, *epoch)); (*epoch)++)
		n -= number;
	*k = n;
}

static uint64_t
image_total(const struct recording *r)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->epoch_count; i++)
		n += image_number(r, i);
	return n;
}

/* One of each of equal shares, at random: every part of the run has its images. */
static uint64_t
pick(uint64_t i, uint64_t images, uint64_t total, uint64_t seed)
{
	uint64_t from = (uint64_t)((__uint128_t)i * total / images);
	uint64_t to = (uint64_t)((__uint128_t)(i + 1) * total / images);
	uint64_t z = (seed ^ i) * 0x9e3779b97f4a7c15;

	return to > from ? from + (z ^ z >> 29) % (to - from) : from;
}

static void
work(const struct check_setup *s, const struct recording *r, unsigned worker, struct tally *tally)
{
	struct bench *b = calloc(1, sizeof *b);
	uint64_t total = image_total(r), images = s->images == 0 || s->images > total ? total : s->images;
	size_t epoch;
	uint64_t k;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (b == NULL)
		_exit(71);
	b->setup = s;
	b->tally = tally;
	b->r = r;
	if (bench_open(b, worker) == -1) {
		perror("crash: an image's disk");
		_exit(71);
	}
	for (uint64_t i = images * worker / s->workers; i < images * (worker + 1) / s->workers; i++) {
		locate(r, pick(i, images, total, s->seed), &epoch, &k);
		tally->images++;
		if (!check_image(b, epoch, k) && ++tally->wrong >= s->most)
			break;
		if (tally->wrong >= s->most)
			break;
	}
	_exit(0); /* descriptors, mounts and the device go with the process */
}

/* One image, alone; its bytes are kept where that is asked. */
static void
work_one(const struct check_setup *s, const struct recording *r, struct tally *tally)
{
	struct bench *b = calloc(1, sizeof *b);
	size_t epoch = 0;
	char path[PATH_LEN + 8];
	uint64_t k = 0;
	FILE *f;

	if (b == NULL || sscanf(s->only, "%zu.%llu", &epoch, (unsigned long long *)&k) != 2 ||
	    epoch >= r->epoch_count)
		_exit(64);
	b->setup = s;
	b->tally = tally;
	b->r = r;
	if (bench_open(b, 0) == -1)
		_exit(71);
	image_choose(r, epoch, k, s->seed, &b->image);
	if (s->keep != NULL) {
		make_image(b);
		(void)snprintf(path, sizeof path, "%s/base", s->keep); /* cut off it fails */
		f = fopen(path, "w");
		if (f == NULL || fwrite(b->bytes, 1, r->size, f) != r->size || fclose(f) != 0)
			_exit(74);
		(void)snprintf(path, sizeof path, "%s/marks", s->keep); /* likewise */
		if ((f = fopen(path, "w")) == NULL)
			_exit(74);
		for (size_t i = 0; i < b->image.cut; i++)
			if (r->entries[i].kind == DISK_MARK)
				(void)fwrite(r->entries[i].data, 1, r->entries[i].len, f); /* fclose tells */
		if (fclose(f) != 0)
			_exit(74);
	}
	tally->images++;
	tally->wrong += !check_image(b, epoch, k);
	_exit(0);
}

static int
list_images(const struct check_setup *s, const struct recording *r)
{
	uint64_t total = image_total(r), images = s->images == 0 || s->images > total ? total : s->images, k;
	size_t epoch;

	for (uint64_t i = 0; i < images; i++) {
		locate(r, pick(i, images, total, s->seed), &epoch, &k);
		(void)printf("%zu.%llu\n", epoch, (unsigned long long)k);
	}
	return fflush(stdout) == 0 ? 0 : 74;
}

static double
seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail with a known clock */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
wait_all(unsigned workers)
{
	int status, worst = 0;

	for (unsigned i = 0; i < workers; i++) {
		if (wait(&status) == -1)
			return 71;
		if (!WIFEXITED(status))
			(void)printf("# a worker died of signal %d\n", WTERMSIG(status));
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			worst = WIFEXITED(status) ? WEXITSTATUS(status) : 70;
	}
	return worst;
}

static int
start_workers(const struct check_setup *s, const struct recording *r, struct tally *tally)
{
	unsigned workers = s->only != NULL ? 1 : s->workers;

	(void)fflush(stdout);
	for (unsigned i = 0; i < workers; i++)
		switch (fork()) {
		case -1:
			return 71;
		case 0:
			if (s->only != NULL)
				work_one(s, r, tally);
			work(s, r, i, tally);
		}
	return wait_all(workers);
}

int
check(const struct check_setup *s)
{
	struct tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double began = seconds(), took;
	struct recording r;
	int status;

	if (tally == MAP_FAILED || recording_open(s->dir, &r) == -1) {
		perror("crash: the recording");
		return 74;
	}
	if (s->list)
		return list_images(s, &r);
	if (unshare(CLONE_NEWNS) == -1 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1) {
		perror("crash: mounts of one's own");
		return 71;
	}
	status = start_workers(s, &r, tally);
	took = seconds() - began;
	rows_say(tally->met);
	(void)printf("%llu images of %llu, %llu violations, %llu not mounted, seed %llu, %zu epochs, %.1f s, %.0f/s\n",
	    (unsigned long long)tally->images, (unsigned long long)image_total(&r),
	    (unsigned long long)tally->wrong, (unsigned long long)tally->unmounted,
	    (unsigned long long)s->seed, r.epoch_count, took, (double)tally->images / took);
	recording_close(&r);
	if (status != 0)
		return status;
	return tally->wrong == 0 ? 0 : 1;
}
