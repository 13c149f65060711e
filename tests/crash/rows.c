/* SPDX-License-Identifier: ISC */
/*
 * Which rows of mess-spool(5)'s tables an image shows before its recovery,
 * as far as names and first bytes tell.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fs.h"
#include "crash.h"
#include "journal_entry.h"

static const char *const names[ROWS] = { "N1", "N3", "N4/N5", "N6", "S2", "S5", "J1", "J2", "J3", "J4",
	"J5", "J8", "G1", "P1", "P3", "I1", "T1", "T3", "T4", "T5", "T6", "T7" };

struct rows {
	int spool;
	_Atomic uint64_t *met;
};

static void
meet(const struct rows *r, const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(names[i], name) == 0)
			r->met[i]++;
}

/* Of a directory below the spool that is there: tell each name, dots too. */
static void
each(const struct rows *r, const char *dir, void (*fn)(const struct rows *, const char *, const char *))
{
	AUTO_FD int fd = openat(r->spool, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd == -1 || (d = fdopendir(TAKE(fd, -1))) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(r, dir, e->d_name);
	(void)closedir(d);
}

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len >= n && strcmp(name + len - n, suffix) == 0;
}

static void
see_file(const struct rows *r, const char *dir, const char *name)
{
	char path[PATH_LEN];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name); /* cut off it is found nowhere */
	if (has_suffix(dir, "/tmp"))
		meet(r, strncmp(name, ".body-", 6) == 0 ? "S2" : "N1");
	else if (has_suffix(dir, "/new"))
		meet(r, fstatat(r->spool, path, &st, 0) == 0 && st.st_nlink > 1 ? "N6" : "N3");
	else if (has_suffix(dir, "/cur") && strstr(name, ".take") != NULL)
		meet(r, "N4/N5");
	else if (has_suffix(dir, "/cur") && strcmp(name, ".ready") == 0)
		meet(r, "G1");
	else if (has_suffix(dir, "/sub") && name[0] == '.')
		meet(r, has_suffix(name, ".new") ? "P1" : "P3");
	else if (strcmp(name, ".ids-new") == 0)
		meet(r, "I1");
	else if (strcmp(name, ".topic.new") == 0)
		meet(r, "T7");
}

static void
see_topic(const struct rows *r, const char *dot, const char *name)
{
	static const char *const dirs[] = { "", "/tmp", "/new", "/cur", "/sub" };
	char path[PATH_LEN];

	(void)dot;
	if (strncmp(name, ".new-", 5) == 0)
		meet(r, "T1");
	if (name[0] == '.')
		return;
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		(void)snprintf(path, sizeof path, "%s%s", name, dirs[i]); /* as see_file */
		each(r, path, see_file);
	}
}

static void
see_tomb(const struct rows *r, const char *dir, const char *name)
{
	char path[PATH_LEN], grave[PATH_LEN];
	struct stat st, tomb;

	(void)snprintf(path, sizeof path, "%s/topic", name); /* as see_file, all of these */
	(void)snprintf(grave, sizeof grave, "%s/%s", dir, name);
	if (fstatat(r->spool, grave, &tomb, 0) == 0 && fstatat(r->spool, path, &st, 0) == 0)
		meet(r, st.st_ino == tomb.st_ino ? "T5" : "T4");
	else if (faccessat(r->spool, name, F_OK, 0) == 0)
		meet(r, "T3");
}

static void
see_trash(const struct rows *r, const char *dir, const char *name)
{
	(void)dir;
	(void)name;
	meet(r, "T6");
}

/* True when it has entries. */
static bool
see_half(const struct rows *r, const char *path)
{
	AUTO_FD int fd = openat(r->spool, path, O_RDONLY | O_CLOEXEC);
	unsigned char key[JOURNAL_ID_LEN], head[JOURNAL_HEAD_LEN];
	uint64_t first;

	if (fd == -1) {
		meet(r, "J1");
		return false;
	}
	if (journal_read_line(fd, key, &first) != MESS_OK) {
		meet(r, "J3");
		return false;
	}
	if (pread(fd, head, sizeof head, JOURNAL_LINE_BLOCK) != sizeof head || memcmp(head, key, sizeof key) != 0) {
		meet(r, "J4");
		return false;
	}
	meet(r, "J5");
	meet(r, "S5");
	return true;
}

void
rows_see(int spool, _Atomic uint64_t *met)
{
	struct rows r = { .spool = spool, .met = met };
	bool a = see_half(&r, ".journal/a"), b = see_half(&r, ".journal/b");

	if (a && b)
		meet(&r, "J8");
	if (faccessat(spool, ".journal/new", F_OK, 0) == 0)
		meet(&r, "J2");
	each(&r, ".", see_topic);
	each(&r, ".tomb", see_tomb);
	each(&r, ".trash", see_trash);
}

void
rows_say(const _Atomic uint64_t *met)
{
	(void)printf("# met:");
	for (size_t i = 0; i < ROWS; i++)
		if (met[i] > 0)
			(void)printf(" %s %llu", names[i], (unsigned long long)met[i]);
	(void)printf("\n");
}
