/* SPDX-License-Identifier: ISC */
/*
 * Intake.
 *
 * A file X of new/ is checked, then renamed to cur/N.take (N.take.rec for
 * records), N the number its first message will have; both directories are
 * synced; its messages are committed; it is unlinked.  So after a crash a
 * take below the log's next number was committed and goes, and one at or
 * above it was not, and goes back to new/.  Committing before the rename
 * could take a file in twice; unlinking before the commit could lose it.
 */
#include "intake.h"

#include <bsd/string.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "base/fd.h"
#include "base/fs.h"
#include "body.h"
#include "limit.h"
#include "publish.h"
#include "retention.h"

#define TAKE_SUFFIX ".take"
#define REC_SUFFIX ".rec"
#define ROUND 64	/* files of a topic in one commit */
#define RETRY_MS 1000
#define COPY_STEP ((size_t)256 * 1024)

RB_HEAD(watch_tree, topic);

struct intake {
	struct topics *topics;
	struct loop *loop;
	struct loop_source source;	/* inotify */
	struct loop_timer rescan;
	uid_t owner;
	uint64_t body_max;
	struct watch_tree watches;
	TAILQ_HEAD(, topic) due;
};

/* A file being taken in. */
struct take {
	struct topic *topic;
	int fd;
	char name[SEGMENT_NAME_LEN + 12];	/* in cur/ */
	bool records;
	uint64_t size;
	uint64_t count;			/* of messages */
	size_t asks;			/* of those with instructions: some may be there already */
	struct mess_peer from;
};

static int
by_watch(struct topic *a, struct topic *b)
{
	return (a->watch > b->watch) - (a->watch < b->watch);
}

RB_GENERATE_INTERNAL(watch_tree, topic, watch_link, by_watch, __attribute__((unused)) static)

/* --- waking ------------------------------------------------------------- */

static void
due(struct intake *in, struct topic *t)
{
	if (t->intake_due)
		return;
	t->intake_due = true;
	TAILQ_INSERT_TAIL(&in->due, t, intake_link);
}

void
intake_rescan(struct intake *in)
{
	struct topic *t;

	for (t = topics_after(in->topics, ""); t != NULL; t = topics_after(in->topics, t->name)) {
		t->intake_waits = false;
		due(in, t);
	}
}

void
intake_wake(struct intake *in, struct topic *t)
{
	due(in, t);
}

static void
on_event(struct intake *in, const struct inotify_event *e)
{
	struct topic key = { .watch = e->wd }, *t;

	if ((e->mask & IN_Q_OVERFLOW) != 0)
		intake_rescan(in);
	else if ((t = RB_FIND(watch_tree, &in->watches, &key)) != NULL && !t->intake_waits)
		due(in, t);
}

static void
read_events(void *arg, uint32_t events)
{
	char mem[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct intake *in = arg;
	ssize_t n;

	(void)events;
	while ((n = read(in->source.fd, mem, sizeof mem)) > 0)
		for (char *p = mem; p < mem + n;) {
			const struct inotify_event *e = (const void *)p;

			on_event(in, e);
			p += sizeof *e + e->len;
		}
}

bool
intake_is_due(struct intake *in)
{
	read_events(in, 0);
	return !TAILQ_EMPTY(&in->due);
}

static void
rescan_now(void *arg)
{
	struct intake *in = arg;

	intake_rescan(in);
	loop_timer_set(in->loop, &in->rescan, LIMIT_RESCAN_MS);
}

/* Without a watch (there are only so many) the rescan finds what comes. */
static void
watch(struct intake *in, struct topic *t)
{
	char path[NAME_TOPIC_MAX + 64];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d/%s/new",
	    store_dir(topics_store(in->topics)), t->name); /* fits by the name's limit */
	t->watch = inotify_add_watch(in->source.fd, path, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
	if (t->watch != -1)
		(void)RB_INSERT(watch_tree, &in->watches, t); /* a descriptor is given once */
}

void
intake_add(struct intake *in, struct topic *t)
{
	/* Watch first, then look: the other order could miss what comes in between. */
	watch(in, t);
	due(in, t);
}

void
intake_remove(struct intake *in, struct topic *t)
{
	if (t->watch != -1) {
		(void)RB_REMOVE(watch_tree, &in->watches, t); /* it is in there */
		(void)inotify_rm_watch(in->source.fd, t->watch); /* gone with the directory else */
	}
	t->watch = -1;
	if (t->intake_due)
		TAILQ_REMOVE(&in->due, t, intake_link);
	t->intake_due = false;
}

enum mess_err
intake_new(struct topics *topics, struct loop *loop, uid_t owner, uint64_t body_max,
    struct intake **out)
{
	struct intake *in = calloc(1, sizeof *in);
	enum mess_err err;
	struct topic *t;

	if (in == NULL)
		return MESS_LIMIT;
	*in = (struct intake){ .topics = topics, .loop = loop, .owner = owner, .body_max = body_max };
	RB_INIT(&in->watches);
	TAILQ_INIT(&in->due);
	in->rescan = (struct loop_timer){ .fire = rescan_now, .arg = in };
	in->source = (struct loop_source){ .events = EPOLLIN, .ready = read_events, .arg = in };
	if ((in->source.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) == -1) {
		free(in);
		return err_from_errno();
	}
	if ((err = loop_add(loop, &in->source)) != MESS_OK) {
		intake_free(in);
		return err;
	}
	for (t = topics_after(topics, ""); t != NULL; t = topics_after(topics, t->name))
		intake_add(in, t);
	loop_timer_set(loop, &in->rescan, LIMIT_RESCAN_MS);
	*out = in;
	return MESS_OK;
}

void
intake_free(struct intake *in)
{
	if (in == NULL)
		return;
	loop_timer_clear(in->loop, &in->rescan);
	loop_remove(in->loop, &in->source);
	fd_close(&in->source.fd);
	free(in);
}

/* --- what is in new/ ---------------------------------------------------- */

struct candidate {
	char *name;
	struct timespec mtime;
};

static int
by_age(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->mtime.tv_sec != y->mtime.tv_sec)
		return x->mtime.tv_sec < y->mtime.tv_sec ? -1 : 1;
	if (x->mtime.tv_nsec != y->mtime.tv_nsec)
		return x->mtime.tv_nsec < y->mtime.tv_nsec ? -1 : 1;
	return strcmp(x->name, y->name);
}

struct candidates {
	struct candidate *list;
	size_t count;
};

/* By time of change, then name. */
static enum mess_err
list_new(int dir, struct candidates *out)
{
	struct candidate *c = NULL;
	enum mess_err err;
	struct stat st;
	char **names;
	size_t n;

	if ((err = fs_list(dir, &names, &n)) != MESS_OK)
		return err;
	if (n > 0 && (c = calloc(n, sizeof *c)) == NULL) {
		fs_free_names(names, n);
		return MESS_LIMIT;
	}
	for (size_t i = 0; i < n; i++) {
		c[i].name = names[i];
		if (fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			c[i].mtime = st.st_mtim;
	}
	free(names);
	if (n > 0)
		qsort(c, n, sizeof *c, by_age);
	*out = (struct candidates){ .list = c, .count = n };
	return MESS_OK;
}

static void
free_candidates(struct candidates *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->list[i].name);
	free(c->list);
}

static bool
ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* --- checking ----------------------------------------------------------- */

/* Set aside what is no message; said loudly, for somebody may have meant it as one. */
static void
set_aside(struct intake *in, struct topic *t, int new_dir, const char *name, const char *why)
{
	struct store *s = topics_store(in->topics);
	AUTO_FREE char *to = NULL;

	store_say(s, "%s: new/%s: %s; set aside in .quarantine", t->name, name, why);
	if (asprintf(&to, ".quarantine/%s.%s", t->name, name) == -1) {
		to = NULL;
		return;
	}
	/* Plain rename: a name set aside twice keeps the later file. */
	if (renameat(new_dir, name, store_dir(s), to) == -1)
		store_say(s, "%s: new/%s: cannot be set aside", t->name, name);
}

static const char *
check_file(const struct intake *in, struct take *k)
{
	struct stat st;

	if (fstat(k->fd, &st) == -1)
		return "cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (st.st_nlink != 1)
		return "has more than one link";
	if (st.st_uid != in->owner && st.st_uid != 0)
		return "belongs to neither the spool's owner nor root";
	k->size = (uint64_t)st.st_size;
	k->from = (struct mess_peer){ .uid = st.st_uid, .gid = st.st_gid };
	if (!k->records && k->size > in->body_max)
		return "larger than a body may be";
	return NULL;
}

/* Records of a file that is in memory. */
struct records {
	char *mem;
	size_t left;
	char *at;
};

/* The next record's headers, as they are to be stored, and body; false at the end or at damage. */
static bool
next_record(struct records *rs, struct mess_message *out, struct publish_ask *ask)
{
	const char *line_end;
	struct record rec;
	size_t len;

	if (rs->left == 0 || record_read(rs->at, rs->left, &rec, &len) != MESS_OK || rec.apart ||
	    rec.body_len > MESS_INLINE_MAX)
		return false;
	line_end = memchr(rs->at, '\n', len);
	*out = (struct mess_message){ .headers = line_end + 1, .headers_len = rec.headers_len,
		.body = line_end + 1 + rec.headers_len + 1, .body_len = rec.body_len };
	rs->at += len;
	rs->left -= len;
	return publish_accept(ask, out) == MESS_OK;
}

static enum mess_err
load_records(struct take *k, struct records *out)
{
	if ((out->mem = malloc(k->size + 1)) == NULL)
		return MESS_LIMIT;
	if (fd_pread_full(k->fd, out->mem, k->size, 0) != (ssize_t)k->size) {
		free(TAKE(out->mem, NULL));
		return MESS_IO;
	}
	out->at = out->mem;
	out->left = k->size;
	return MESS_OK;
}

static enum mess_err
count_records(struct take *k, const char **why)
{
	struct mess_message msg;
	struct publish_ask ask;
	struct records rs;
	enum mess_err err;

	*why = NULL;
	if (k->size > RECORD_FILE_MAX) {
		*why = "larger than a file of records may be (2 MiB)";
		return MESS_OK;
	}
	if ((err = load_records(k, &rs)) != MESS_OK)
		return err;
	while (next_record(&rs, &msg, &ask)) {
		k->count++;
		k->asks += ask.asked;
	}
	if (rs.left > 0)
		*why = "not records, or damaged ones, or with a body above 256 KiB";
	else if (k->count == 0)
		*why = "holds no record";
	else if (k->count > RECORD_FILE_COUNT)
		*why = "more records than one file may hold (8192)";
	free(rs.mem);
	return MESS_OK;
}

/* --- taking ------------------------------------------------------------- */

static enum mess_err
append_body(struct take *k, struct log *l)
{
	AUTO_FREE char *mem = malloc(COPY_STEP);
	struct body *b;
	enum mess_err err;
	uint64_t seq;
	ssize_t n = 0;

	if (mem == NULL)
		return MESS_LIMIT;
	if ((err = body_new(log_dir(l), store_work(log_store(l)), NULL, 0, &b)) != MESS_OK)
		return err;
	for (uint64_t at = 0; err == MESS_OK && at < k->size; at += (uint64_t)n) {
		if ((n = fd_pread_full(k->fd, mem, COPY_STEP, (off_t)at)) <= 0)
			err = MESS_IO;
		else
			err = body_write(b, mem, (size_t)n);
	}
	if (err == MESS_OK && (err = body_sync_now(b)) == MESS_OK)
		err = log_append_body(l, &k->from, b, &seq);
	body_free(b);
	return err;
}

static enum mess_err
append_raw(struct take *k, struct log *l)
{
	struct mess_message msg = { .body_len = k->size };
	AUTO_FREE char *mem = NULL;
	uint64_t seq;

	if (k->size > MESS_INLINE_MAX)
		return append_body(k, l);
	if ((mem = malloc(k->size + 1)) == NULL)
		return MESS_LIMIT;
	if (fd_pread_full(k->fd, mem, k->size, 0) != (ssize_t)k->size)
		return MESS_IO;
	msg.body = mem;
	return log_append(l, &k->from, &msg, &seq);
}

/* What is there already is counted and dropped: whoever put it here was told OK. */
static enum mess_err
append_records(struct take *k, struct topic *t)
{
	struct publish_batch all = { .count = k->count, .bytes = k->size, .asks = k->asks };
	struct publish_result done;
	struct publish_mark mark;
	struct publish_ask ask;
	struct mess_message msg;
	uint64_t duplicates = 0;
	struct records rs;
	enum mess_err err;

	if ((err = load_records(k, &rs)) != MESS_OK)
		return err;
	if ((err = publish_begin(t, &all, &mark)) != MESS_OK) {
		free(rs.mem);
		return err;
	}
	while (err == MESS_OK && next_record(&rs, &msg, &ask)) {
		err = publish_add(t, &k->from, &ask, &msg, &done);
		duplicates += err == MESS_OK && done.fate == PUBLISH_DUPLICATE;
	}
	if (err != MESS_OK)
		publish_rewind(t, &mark);
	else if (duplicates > 0)
		log_note(t->log, LOG_DUPLICATES, duplicates);
	free(rs.mem);
	return err;
}

/*
 * What is here was acknowledged: where the topic is full or paused it waits,
 * and all behind it, until retention_room says that something changed.
 */
static bool
has_room(struct take *k, uint64_t seq, uint64_t bytes)
{
	uint64_t taken = seq - log_next(k->topic->log);
	struct retention_load load = { .count = taken + k->count, .bytes = bytes + k->size };

	k->topic->intake_waits = !retention_has_room(k->topic, &load, taken == 0);
	return !k->topic->intake_waits;
}

/*
 * Judge, count, and give it the name that says which numbers it has.
 * MESS_PAUSED when it has to wait; bytes: of those taken before it.
 * MESS_BUSY when it has to be the first of a commit: of messages with ids
 * some may be dropped, so the number of the file behind is not known before.
 */
static enum mess_err
take_one(struct intake *in, struct take *k, int new_dir, const char *name, uint64_t seq,
    uint64_t bytes)
{
	const char *why;
	enum mess_err err;

	if ((k->fd = fs_open(new_dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)) == -1) {
		if (errno == ENOENT)
			return MESS_NOTOPIC; /* taken back by whoever put it there */
		if (errno == EACCES || errno == EPERM)
			set_aside(in, k->topic, new_dir, name, "cannot be read");
		else if (errno == ELOOP || errno == EXDEV || errno == ENXIO)
			set_aside(in, k->topic, new_dir, name, "not a regular file");
		else
			return err_from_errno();
		return MESS_NOTOPIC;
	}
	k->records = ends_with(name, REC_SUFFIX);
	k->count = k->records ? 0 : 1;
	if ((why = check_file(in, k)) == NULL && k->records &&
	    (err = count_records(k, &why)) != MESS_OK)
		return err;
	if (why != NULL) {
		set_aside(in, k->topic, new_dir, name, why);
		return MESS_NOTOPIC;
	}
	if (k->asks > 0 && seq != log_next(k->topic->log))
		return MESS_BUSY;
	if (!has_room(k, seq, bytes))
		return MESS_PAUSED;
	segment_name(seq, TAKE_SUFFIX, k->name);
	if (k->records)
		(void)strlcat(k->name, REC_SUFFIX, sizeof k->name); /* fits by its size */
	return fs_move(new_dir, name, log_cur(k->topic->log), k->name);
}

static void
unlink_takes(struct take *k, size_t count, struct log *l)
{
	/* One that a crash brings back is below the next number, and goes then. */
	for (size_t i = 0; i < count; i++)
		(void)unlinkat(log_cur(l), k[i].name, 0);
}

static enum mess_err
commit_takes(struct take *k, size_t count, struct log *l, int new_dir)
{
	enum mess_err err;

	if ((err = fs_sync(log_cur(l))) != MESS_OK || (err = fs_sync(new_dir)) != MESS_OK) {
		journal_fail(store_journal(log_store(l)));
		return MESS_SICK;
	}
	for (size_t i = 0; i < count; i++)
		if ((err = k[i].records ? append_records(&k[i], k->topic) : append_raw(&k[i], l)) != MESS_OK)
			return err;
	retention_stored(k->topic);
	if ((err = store_commit(log_store(l))) != MESS_OK)
		return err;
	unlink_takes(k, count, l);
	return MESS_OK;
}

/* One commit's worth of the list from *at on. */
static enum mess_err
take_round(struct intake *in, struct topic *t, int new_dir, const struct candidates *c, size_t *at)
{
	enum mess_err err, committed = MESS_OK;
	struct take takes[ROUND];
	uint64_t seq, bytes = 0;
	size_t n = 0;

	/* Nothing else is in this commit: the numbers in the names are those it will have. */
	if ((err = store_commit(log_store(t->log))) != MESS_OK)
		return err;
	seq = log_next(t->log);
	for (; *at < c->count && n < ROUND && bytes < JOURNAL_ENTRY_MAX / 2; (*at)++) {
		takes[n] = (struct take){ .topic = t, .fd = -1 };
		err = take_one(in, &takes[n], new_dir, c->list[*at].name, seq, bytes);
		if (err == MESS_OK) {
			seq += takes[n].count;
			bytes += takes[n].size + 200 * takes[n].count;
			if (takes[n++].asks == 0)
				continue;
			(*at)++;
			break;
		}
		fd_close(&takes[n].fd);
		if (err != MESS_NOTOPIC)
			break;
		err = MESS_OK;
	}
	if (err == MESS_BUSY)
		err = MESS_OK;
	/* What came before the one that failed is taken in all the same. */
	if (n > 0)
		committed = commit_takes(takes, n, t->log, new_dir);
	while (n > 0)
		fd_close(&takes[--n].fd);
	return committed != MESS_OK ? committed : err;
}

/*
 * A power cut in a rename may leave both names of a file: btrfs logs the
 * directory that was synced and not the other.  The name in dir, to be
 * freed; NULL when this is the only one.
 */
static char *
second_name(int dir, int from, const char *name)
{
	struct stat st, other;
	char **names, *found = NULL;
	size_t count;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == -1 || st.st_nlink == 1 ||
	    fs_list(dir, &names, &count) != MESS_OK)
		return NULL;
	for (size_t i = 0; i < count && found == NULL; i++)
		if (fstatat(dir, names[i], &other, AT_SYMLINK_NOFOLLOW) == 0 && other.st_ino == st.st_ino)
			found = TAKE(names[i], NULL);
	fs_free_names(names, count);
	return found;
}

static enum mess_err
finish_take(const struct log *l, int new_dir, const char *name, uint64_t seq)
{
	AUTO_FREE char *second = second_name(new_dir, log_cur(l), name);
	bool committed = seq < log_durable(l);
	enum mess_err err;

	if (!committed && second == NULL)
		return fs_move(log_cur(l), name, new_dir, name);
	if (committed && second != NULL) {
		/* First, and durably: alone in new/ it would be taken in again. */
		if (unlinkat(new_dir, second, 0) == -1)
			return err_from_errno();
		if ((err = fs_sync(new_dir)) != MESS_OK)
			return err;
	}
	return unlinkat(log_cur(l), name, 0) == 0 ? MESS_OK : err_from_errno();
}

/* The same of a publisher's rename from tmp/: what it was told OK for has one name, in new/. */
static enum mess_err
finish_moves(const struct topic *t, int new_dir)
{
	AUTO_FD int tmp = -1;
	enum mess_err err;
	char **names;
	size_t count;

	if ((err = fs_open_dir(t->dir, "tmp", &tmp)) != MESS_OK ||
	    (err = fs_list(new_dir, &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; i < count; i++) {
		AUTO_FREE char *second = second_name(tmp, new_dir, names[i]);

		if (second != NULL && strcmp(second, names[i]) == 0)
			(void)unlinkat(tmp, second, 0); /* what stays makes it be set aside, aloud */
	}
	fs_free_names(names, count);
	return MESS_OK;
}

/*
 * What an engine before this one had begun: committed if its number is in
 * the log, else as if it had never left new/.
 */
static enum mess_err
finish_takes(struct topic *t, int new_dir)
{
	enum mess_err err;
	const char *suffix;
	char **names;
	size_t count;
	uint64_t seq;

	/* What is gathered is in the log only when it is durable. */
	if ((err = store_commit(log_store(t->log))) != MESS_OK ||
	    (err = fs_list(log_cur(t->log), &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < count; i++)
		if (segment_parse_name(names[i], &seq, &suffix) &&
		    strncmp(suffix, TAKE_SUFFIX, strlen(TAKE_SUFFIX)) == 0)
			err = finish_take(t->log, new_dir, names[i], seq);
	fs_free_names(names, count);
	return err;
}

/* Listed once, however much there is: a look for each round would grow with its square. */
static enum mess_err
take_list(struct intake *in, struct topic *t, int new_dir, bool *any)
{
	struct candidates c;
	enum mess_err err;
	uint64_t before = log_next(t->log);
	size_t at = 0;

	if ((err = list_new(new_dir, &c)) != MESS_OK)
		return err;
	while (err == MESS_OK && at < c.count)
		err = take_round(in, t, new_dir, &c, &at);
	free_candidates(&c);
	*any = log_next(t->log) != before;
	return err;
}

static enum mess_err
take_topic(struct intake *in, struct topic *t)
{
	AUTO_FD int new_dir = -1;
	bool more = true;
	enum mess_err err;

	if ((err = fs_open_dir(t->dir, "new", &new_dir)) != MESS_OK)
		return err;
	if (!t->takes_finished && ((err = finish_takes(t, new_dir)) != MESS_OK ||
	    (err = finish_moves(t, new_dir)) != MESS_OK))
		return err;
	t->takes_finished = true;
	while (err == MESS_OK && more)
		err = take_list(in, t, new_dir, &more);
	if (err == MESS_OK || err == MESS_PAUSED)
		return MESS_OK; /* or it waits */
	/*
	 * At once: the number that a file in cur/ is named for may be another's
	 * in a moment, and then it would pass for one that was committed.
	 */
	if (err != MESS_SICK && finish_takes(t, new_dir) != MESS_OK)
		journal_fail(store_journal(log_store(t->log)));
	return err;
}

/* Anything in new/ or left half taken?  Most topics have nothing, and stay closed. */
static bool
has_work(struct intake *in, const struct topic *t)
{
	char path[NAME_TOPIC_MAX + 8];
	const char *suffix;
	AUTO_FD int dir = -1;
	bool found = false;
	char **names;
	size_t count;
	uint64_t seq;

	(void)snprintf(path, sizeof path, "%s/new", t->name); /* fits by the name's limit */
	if (fs_open_dir(store_dir(topics_store(in->topics)), path, &dir) == MESS_OK &&
	    fs_list(dir, &names, &count) == MESS_OK) {
		found = count > 0;
		fs_free_names(names, count);
	}
	fd_close(&dir);
	if (found || t->takes_finished)
		return found;
	(void)snprintf(path, sizeof path, "%s/cur", t->name); /* fits by the name's limit */
	if (fs_open_dir(store_dir(topics_store(in->topics)), path, &dir) != MESS_OK ||
	    fs_list(dir, &names, &count) != MESS_OK)
		return false;
	for (size_t i = 0; i < count && !found; i++)
		found = segment_parse_name(names[i], &seq, &suffix) &&
		    strncmp(suffix, TAKE_SUFFIX, strlen(TAKE_SUFFIX)) == 0;
	fs_free_names(names, count);
	return found;
}

enum mess_err
intake_run(struct intake *in)
{
	enum mess_err err;
	struct topic *t;

	while ((t = TAILQ_FIRST(&in->due)) != NULL) {
		TAILQ_REMOVE(&in->due, t, intake_link);
		t->intake_due = false;
		if (!has_work(in, t)) {
			t->takes_finished = true;
			continue;
		}
		if ((err = topic_use(in->topics, t)) != MESS_OK)
			continue; /* said by topic_use; the files stay where they are */
		err = take_topic(in, t);
		topic_release(in->topics, t);
		if (err == MESS_SICK)
			return err;
		if (err == MESS_OK)
			continue;
		loop_timer_set(in->loop, &in->rescan, RETRY_MS);
		store_say(topics_store(in->topics), "%s: new/ cannot be taken in now: %s", t->name,
		    mess_strerror(err));
	}
	return MESS_OK;
}
