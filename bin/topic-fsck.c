/* SPDX-License-Identifier: ISC */
/*
 * mess-topic fsck: is every number accounted for?  Asked of the engine where
 * one serves the spool; else the spool is locked and looked at itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fs.h"
#include "fsck.h"
#include "topic-stat.h"

#define LOCK_FILE ".lock"
#define TRIES 4		/* counts of one topic are from one moment, but in the middle of a commit */

struct findings {
	unsigned found, mended;
};

static void
found(void *arg, const struct fsck_finding *f)
{
	struct findings *all = arg;

	all->found++;
	all->mended += f->mended;
	cli_warn("%s: %s%s%s%s", f->topic, f->sub != NULL ? f->sub : "", f->sub != NULL ? ": " : "", f->what,
	    f->mended ? ": mended" : "");
}

static void
said(void *arg, const char *line)
{
	(void)arg;
	cli_warn("%s", line);
}

static int
verdict(const struct topic_call *c, const struct findings *all, unsigned topics, unsigned subs)
{
	if (c->verbose > 0 && all->found == 0)
		cli_warn("%u topic%s, %u subscription%s: every number is accounted for", topics,
		    topics == 1 ? "" : "s", subs, subs == 1 ? "" : "s");
	return all->found > all->mended ? EX_DATAERR : EX_OK;
}

/* ---- by the engine ---- */

static void
read_topic(const struct counts *c, struct fsck_topic *out)
{
	*out = (struct fsck_topic){ .published = counts_number(c, "published"),
		.first = counts_number(c, "first"), .present = counts_number(c, "present"),
		.settled = counts_number(c, "settled"), .expired = counts_number(c, "expired"),
		.purged = counts_number(c, "purged"), .dropped = counts_number(c, "dropped") };
}

static void
read_sub(const struct counts *c, struct fsck_sub *out)
{
	static const char *const reasons[] = { "acked", "dead", "expired", "purged", "dropped", "damaged",
		"skipped" };
	const char *start = counts_get(c, "start");

	*out = (struct fsck_sub){ .start = start != NULL ? strtoll(start, NULL, 10) : 0,
		.floor = counts_number(c, "floor"), .pending = counts_number(c, "pending"),
		.waiting = counts_number(c, "waiting"), .leased = counts_number(c, "leased"),
		.delayed = counts_number(c, "delayed") };
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		out->settled += counts_number(c, reasons[i]);
}

/* How much of a topic does not hold; told only when it is to stay so. */
static unsigned
judge(const struct counts_topic *t, struct findings *all)
{
	struct fsck_finding f = { .topic = t->own.name };
	struct fsck_topic topic;
	struct fsck_sub sub;
	unsigned wrong = 0;
	char why[256];

	f.what = why;
	read_topic(&t->own, &topic);
	if (!fsck_topic_holds(&topic, why, sizeof why)) {
		wrong++;
		if (all != NULL)
			found(all, &f);
	}
	for (size_t i = 0; i < t->subs; i++) {
		read_sub(&t->sub[i], &sub);
		f.sub = t->sub[i].name;
		if (fsck_sub_holds(&topic, &sub, why, sizeof why))
			continue;
		wrong++;
		if (all != NULL)
			found(all, &f);
	}
	return wrong;
}

/* Counts that change while they are read may not fit; asked again they do, if they are right. */
static int
ask_again(struct mess *m, const char *topic, struct findings *all)
{
	unsigned wrong = 1;
	int status = EX_OK;

	for (int i = 1; i <= TRIES && wrong > 0 && status == EX_OK; i++) {
		AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
		struct counts_all now;

		if ((status = stat_look_at(m, topic, &text, &now)) != EX_OK)
			break;
		wrong = judge(&now.topics[0], i == TRIES ? all : NULL);
		counts_free(&now);
	}
	return status;
}

static int
by_engine(struct mess *m, const struct topic_call *c)
{
	AUTO_BUF struct buf text = BUF_INIT(STAT_TEXT_MAX);
	struct findings findings = { 0, 0 };
	struct counts_all all;
	unsigned subs = 0;
	int status;

	if ((status = stat_look(m, c, &text, &all)) != EX_OK)
		return status;
	for (size_t i = 0; i < all.count && status == EX_OK; i++) {
		subs += (unsigned)all.topics[i].subs;
		if (judge(&all.topics[i], NULL) > 0)
			status = ask_again(m, all.topics[i].own.name, &findings);
	}
	if (status == EX_OK)
		status = verdict(c, &findings, (unsigned)all.count, subs);
	counts_free(&all);
	return status;
}

/* ---- by ourselves ---- */

/* The lock of the spool: -1 with errno EWOULDBLOCK when an engine has it. */
static int
lock_spool(int spool)
{
	int lock = fs_open(spool, LOCK_FILE, O_RDWR | O_CREAT, 0600);

	if (lock != -1 && flock(lock, LOCK_EX | LOCK_NB) == -1)
		fd_close(&lock);
	return lock;
}

static int
by_ourselves(const struct topic_call *c, const char *path, int spool)
{
	struct findings findings = { 0, 0 };
	struct fsck f = { .repair = call_has(c, OPT_REPAIR), .found = found, .said = said, .arg = &findings };
	enum mess_err err = fsck_spool(spool, &f);

	if (err != MESS_OK)
		return cli_fail(err, "%s", path);
	return verdict(c, &findings, f.topics, f.subs);
}

/* A spool of the caller's own: what another's files became here would not be theirs. */
static int
open_spool(const char *path, int *out)
{
	AUTO_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir == -1 || fstat(dir, &st) == -1)
		return cli_fail_errno(errno == ENOENT ? EX_NOINPUT : EX_CONFIG, "%s", path);
	if (st.st_uid != geteuid()) {
		cli_warn("%s: belongs to uid %lu; fsck without an engine is for that user", path,
		    (unsigned long)st.st_uid);
		return EX_NOPERM;
	}
	if (fs_check_private(dir) != MESS_OK)
		return cli_fail(MESS_CONFIG, "%s: open to others", path);
	*out = TAKE(dir, -1);
	return EX_OK;
}

int
verb_fsck(struct mess *m, const struct topic_call *c)
{
	AUTO_FREE char *path = cli_spool(&c->where);
	AUTO_FD int spool = -1, lock = -1;
	bool repair = call_has(c, OPT_REPAIR);
	int status;

	if (path == NULL && repair)
		call_usage("fsck: --repair is for a spool of your own: say --spool DIR");
	if (path == NULL)
		return by_engine(m, c);
	if ((status = open_spool(path, &spool)) != EX_OK)
		return status;
	if ((lock = lock_spool(spool)) != -1)
		return by_ourselves(c, path, spool);
	if (errno != EWOULDBLOCK)
		return cli_fail_errno(EX_IOERR, "%s/" LOCK_FILE, path);
	if (repair) {
		cli_warn("%s: an engine serves it; stop it, or wait until it leaves", path);
		return EX_TEMPFAIL;
	}
	return by_engine(m, c);
}
