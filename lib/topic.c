/* SPDX-License-Identifier: ISC */
/*
 * Topic Manager.
 *
 * A topic is made in .new-INCARNATION and renamed to its name; deleted, it
 * is renamed to .trash/INCARNATION, and removed there once no journal entry
 * names its files.  The rename is the one moment that decides, in both
 * directions.  A tombstone in .tomb/ keeps the last owner.
 */
#include "topic.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/fd.h"
#include "base/fs.h"
#include "ids.h"
#include "limit.h"
#include "place.h"

#define MAKING ".new-"
#define TOPIC_FILE "topic"

RB_HEAD(topic_tree, topic);

struct topics {
	struct store *store;
	int dir;
	struct topic_tree tree;
	unsigned count;
	TAILQ_HEAD(, topic) open;
	unsigned open_count;
	struct topic_hooks hooks;
};

/* What is left of deleted topics, on its way out. */
struct trash {
	int dir;
	char name[STORE_HEX_LEN + 8];	/* .trash/INCARNATION */
	struct store *store;
	struct journal_after after;
	struct work_job job;
};

static int
by_name(struct topic *a, struct topic *b)
{
	return strcmp(a->name, b->name);
}

RB_GENERATE_INTERNAL(topic_tree, topic, link, by_name, __attribute__((unused)) static)

/* --- files -------------------------------------------------------------- */

static enum mess_err
read_conf(int dir, const char *name, struct conf_topic *out)
{
	char text[CONF_TOPIC_MAX];
	AUTO_FD int fd = -1;
	enum mess_err err;
	ssize_t n;

	if ((err = fs_open_file(dir, name, O_RDONLY, &fd)) != MESS_OK)
		return err;
	if ((n = fd_pread_full(fd, text, sizeof text, 0)) == -1)
		return MESS_IO;
	return conf_read_topic(text, (size_t)n, out);
}

/* Again, perhaps: what was known of it before is let go. */
static enum mess_err
reread_conf(int dir, const char *name, struct conf_topic *conf)
{
	struct conf_topic now;
	enum mess_err err;

	if ((err = read_conf(dir, name, &now)) != MESS_OK)
		return err;
	conf_topic_free(conf);
	*conf = now;
	return MESS_OK;
}

static enum mess_err
write_conf(int dir, const char *name, const struct conf_topic *conf)
{
	AUTO_BUF struct buf text = BUF_INIT(CONF_TOPIC_MAX);
	enum mess_err err;

	if ((err = conf_write_topic(conf, &text)) != MESS_OK)
		return err;
	return fs_replace(dir, name, buf_data(&text), buf_len(&text));
}

/* --- recovery ----------------------------------------------------------- */

static enum mess_err
open_topic_file(int spool, const struct journal_name *name, int *out)
{
	AUTO_FD int topic = -1, fd = -1;
	enum mess_err err;

	if ((err = name_check_topic(name->topic, NULL)) != MESS_OK ||
	    (err = fs_open_dir(spool, name->topic, &topic)) != MESS_OK)
		return err;
	/* One that cannot be read is not another: its entries would be let go. */
	if ((err = log_check_incarnation(topic, name->id)) != MESS_OK)
		return err;
	if (name->kind == JOURNAL_IDS)
		return ids_open_file(topic, name->first, out);
	if (name->kind != JOURNAL_PLACE)
		return log_open_file(topic, name, out);
	if ((err = place_open_file(topic, name->sub, &fd)) == MESS_OK)
		err = place_check_id(fd, name->first);
	if ((err == MESS_NOSUB || err == MESS_CORRUPT) && place_was_removed(topic, name->first))
		return MESS_NOTOPIC; /* nothing of it is wanted */
	if (err != MESS_OK)
		return err;
	*out = TAKE(fd, -1);
	return MESS_OK;
}

/* A deleted topic's files are in the trash until no entry names them: nothing to report. */
enum mess_err
topic_open_target(void *arg, const struct journal_name *name, int *out)
{
	int spool = *(const int *)arg;
	char path[STORE_HEX_LEN + 8] = ".trash/";
	enum mess_err err = open_topic_file(spool, name, out);

	if (err == MESS_SYSTEM && errno == ENOENT)
		err = MESS_CORRUPT;
	if (err != MESS_CORRUPT && err != MESS_NOSUB && err != MESS_BADNAME)
		return err;
	store_hex(name->id, path + 7);
	return faccessat(spool, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? MESS_NOTOPIC : MESS_CORRUPT;
}

/* --- the names ---------------------------------------------------------- */

static enum mess_err
add(struct topics *t, const char *name, struct topic **out)
{
	struct topic *topic = calloc(1, sizeof *topic);

	if (topic == NULL)
		return MESS_LIMIT;
	topic->set = t;
	topic->dir = topic->watch = -1;
	(void)strlcpy(topic->name, name, sizeof topic->name); /* checked to fit */
	(void)RB_INSERT(topic_tree, &t->tree, topic); /* callers found no such name */
	t->count++;
	*out = topic;
	return MESS_OK;
}

/*
 * The file that both names are of is the topic's still: a power cut came
 * into the rename that buries it, and a file system may bring back both.
 */
static bool
is_half_deleted(const struct topics *t, const char *name)
{
	char path[NAME_TOPIC_MAX + 16], grave[NAME_TOPIC_MAX + 16];
	struct stat st, tomb;

	(void)snprintf(path, sizeof path, "%s/" TOPIC_FILE, name); /* fits by the name's limit */
	(void)snprintf(grave, sizeof grave, ".tomb/%s", name); /* likewise */
	if (fstatat(t->dir, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT && faccessat(t->dir, grave, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (st.st_nlink > 1 && fstatat(t->dir, grave, &tomb, AT_SYMLINK_NOFOLLOW) == 0 &&
	    tomb.st_ino == st.st_ino)
		(void)unlinkat(t->dir, grave, 0); /* what stays makes the topic damaged, aloud */
	return false;
}

static enum mess_err move_to_trash(struct topics *t, const char *name, const char *incarnation);

/* A crash came between the tombstone and the trash.  What goes there now stays until the next start. */
static enum mess_err
finish_delete(struct topics *t, const char *name)
{
	char path[NAME_TOPIC_MAX + 8];
	struct conf_topic tomb;
	enum mess_err err;

	(void)snprintf(path, sizeof path, ".tomb/%s", name); /* fits by the name's limit */
	if ((err = read_conf(t->dir, path, &tomb)) != MESS_OK)
		return err;
	err = move_to_trash(t, name, tomb.incarnation);
	conf_topic_free(&tomb);
	return err;
}

static enum mess_err
load(struct topics *t)
{
	enum mess_err err;
	struct topic *topic;
	char **names;
	size_t count;

	if ((err = fs_list(t->dir, &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < count; i++) {
		if (name_check_topic(names[i], NULL) != MESS_OK)
			store_say(t->store, "%s: not a topic's name; left alone", names[i]);
		else if (!is_half_deleted(t, names[i]))
			err = add(t, names[i], &topic);
		else
			err = finish_delete(t, names[i]);
	}
	fs_free_names(names, count);
	return err;
}

static void
remove_trash(void *arg)
{
	struct trash *trash = arg;

	ERR_IGNORE(fs_remove_tree(trash->dir, trash->name)); /* the next start tries again */
}

static void
trash_removed(void *arg)
{
	free(arg);
}

static void
trash_free_to_go(void *arg)
{
	struct trash *trash = arg;

	trash->job = (struct work_job){ .run = remove_trash, .done = trash_removed, .arg = trash };
	work_give(store_work(trash->store), &trash->job);
}

static enum mess_err
trash_new(struct topics *t, const char *path, struct trash **out)
{
	struct trash *trash = calloc(1, sizeof *trash);

	if (trash == NULL)
		return MESS_LIMIT;
	trash->dir = t->dir;
	trash->store = t->store;
	(void)strlcpy(trash->name, path, sizeof trash->name); /* fits by its callers */
	*out = trash;
	return MESS_OK;
}

/* Recovery is over, so no entry names anything: all that is half made or deleted goes. */
static enum mess_err
clean(struct topics *t)
{
	AUTO_FD int trash = -1;
	enum mess_err err;
	char **names;
	size_t count;
	struct dirent *e;
	DIR *d;
	int fd;

	if ((err = fs_open_dir(t->dir, ".trash", &trash)) != MESS_OK ||
	    (err = fs_list(trash, &names, &count)) != MESS_OK)
		return err;
	for (size_t i = 0; err == MESS_OK && i < count; i++)
		err = fs_remove_tree(trash, names[i]);
	fs_free_names(names, count);
	if (err != MESS_OK || (fd = openat(t->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return err != MESS_OK ? err : err_from_errno();
	if ((d = fdopendir(fd)) == NULL) {
		fd_close(&fd);
		return err_from_errno();
	}
	while (err == MESS_OK && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, MAKING, strlen(MAKING)) == 0)
			err = fs_remove_tree(t->dir, e->d_name);
	(void)closedir(d);
	return err;
}

enum mess_err
topics_new(struct store *s, struct topics **out)
{
	struct topics *t = calloc(1, sizeof *t);
	enum mess_err err;

	if (t == NULL)
		return MESS_LIMIT;
	*t = (struct topics){ .store = s, .dir = store_dir(s) };
	RB_INIT(&t->tree);
	TAILQ_INIT(&t->open);
	if ((err = clean(t)) != MESS_OK || (err = load(t)) != MESS_OK) {
		topics_free(t);
		return err;
	}
	*out = t;
	return MESS_OK;
}

struct store *
topics_store(const struct topics *t)
{
	return t->store;
}

void
topics_hook(struct topics *t, const struct topic_hooks *hooks)
{
	t->hooks = *hooks;
}

struct topic *
topics_find(struct topics *t, const char *name)
{
	struct topic key;

	(void)strlcpy(key.name, name, sizeof key.name); /* too long is found nowhere */
	return RB_FIND(topic_tree, &t->tree, &key);
}

struct topic *
topics_after(struct topics *t, const char *after)
{
	struct topic key, *topic;

	(void)strlcpy(key.name, after, sizeof key.name); /* too long sorts the same */
	topic = RB_NFIND(topic_tree, &t->tree, &key);
	return topic != NULL && strcmp(topic->name, after) == 0 ?
	    RB_NEXT(topic_tree, &t->tree, topic) : topic;
}

unsigned
topics_count(const struct topics *t)
{
	return t->count;
}

/* --- open and close ----------------------------------------------------- */

static enum mess_err
open_log(struct topics *t, struct topic *topic)
{
	struct journal_name name = { 0 };
	enum mess_err err;

	if ((err = fs_open_dir(t->dir, topic->name, &topic->dir)) != MESS_OK ||
	    (err = reread_conf(topic->dir, TOPIC_FILE, &topic->conf)) != MESS_OK ||
	    (err = store_unhex(topic->conf.incarnation, name.id)) != MESS_OK)
		return err;
	(void)strlcpy(name.topic, topic->name, sizeof name.topic); /* the same size */
	return log_open(t->store, topic->dir, &name, &topic->log);
}

enum mess_err
topic_look(struct topics *t, struct topic *topic)
{
	char path[NAME_TOPIC_MAX + 16];

	if (topic->conf.incarnation[0] != '\0')
		return MESS_OK;
	(void)snprintf(path, sizeof path, "%s/" TOPIC_FILE, topic->name); /* fits by the name's limit */
	return reread_conf(t->dir, path, &topic->conf);
}

static void
shut(struct topics *t, struct topic *topic)
{
	if (topic->subs != NULL)
		topic->subs_free(topic->subs);
	topic->subs = NULL;
	ids_free(topic->ids);
	topic->ids = NULL;
	log_close(topic->log);
	topic->log = NULL;
	fd_close(&topic->dir);
	if (topic->is_open) {
		TAILQ_REMOVE(&t->open, topic, open_link);
		t->open_count--;
	}
	topic->is_open = false;
}

/* Descriptors are few: those that nobody uses and nothing waits for are closed, oldest first. */
static void
close_idle(struct topics *t)
{
	struct topic *topic, *next;

	for (topic = TAILQ_FIRST(&t->open);
	    topic != NULL && t->open_count >= LIMIT_TOPICS_OPEN; topic = next) {
		next = TAILQ_NEXT(topic, open_link);
		if (topic->refs == 0 && log_is_idle(topic->log) && ids_is_idle(topic->ids))
			shut(t, topic);
	}
}

void
topics_rest(struct topics *t)
{
	struct topic *topic;

	TAILQ_FOREACH(topic, &t->open, open_link)
		if (topic->ids != NULL && ids_is_idle(topic->ids)) {
			ids_free(topic->ids);
			topic->ids = NULL;
		}
}

enum mess_err
topic_use(struct topics *t, struct topic *topic)
{
	enum mess_err err;

	if (topic->is_open) {
		TAILQ_REMOVE(&t->open, topic, open_link);
		TAILQ_INSERT_TAIL(&t->open, topic, open_link);
		topic->refs++;
		return MESS_OK;
	}
	close_idle(t);
	if ((err = open_log(t, topic)) != MESS_OK) {
		store_say(t->store, "%s: cannot be opened: %s", topic->name, mess_strerror(err));
		shut(t, topic);
		return err == MESS_SYSTEM || err == MESS_DENIED ? MESS_CORRUPT : err;
	}
	topic->is_open = true;
	TAILQ_INSERT_TAIL(&t->open, topic, open_link);
	t->open_count++;
	topic->refs++;
	if (t->hooks.opened != NULL)
		t->hooks.opened(t->hooks.arg, topic);
	return MESS_OK;
}

void
topic_release(struct topics *t, struct topic *topic)
{
	if (topic == NULL || --topic->refs > 0 || !topic->gone)
		return;
	shut(t, topic);
	conf_topic_free(&topic->conf);
	free(topic);
}

void
topics_free(struct topics *t)
{
	struct topic *topic, *next;

	if (t == NULL)
		return;
	RB_FOREACH_SAFE(topic, topic_tree, &t->tree, next) {
		(void)RB_REMOVE(topic_tree, &t->tree, topic); /* it is in there */
		shut(t, topic);
		conf_topic_free(&topic->conf);
		free(topic);
	}
	free(t);
}

/* --- create ------------------------------------------------------------- */

static enum mess_err
check_tombstone(struct topics *t, const struct topic_making *m)
{
	char path[NAME_TOPIC_MAX + 8];
	struct conf_topic tomb;
	struct stat st;
	bool mine;

	(void)snprintf(path, sizeof path, ".tomb/%s", m->name); /* fits by the name's limit */
	if (fstatat(t->dir, path, &st, AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT)
		return MESS_OK;
	/* It was moved there when the topic was deleted: that changed it last. */
	if (m->admin || time(NULL) - st.st_ctime > LIMIT_TOMBSTONE_SECONDS)
		return MESS_OK;
	/* One that cannot be read keeps the name for administrators. */
	if (read_conf(t->dir, path, &tomb) != MESS_OK)
		return MESS_DENIED;
	/* A uid that was given to somebody new is not the last owner. */
	mine = tomb.uid == m->owner && strcmp(tomb.login, m->login) == 0;
	conf_topic_free(&tomb);
	return mine ? MESS_OK : MESS_DENIED;
}

static enum mess_err
make_dir(struct topics *t, const char *making, const char *name, const struct conf_topic *conf)
{
	struct journal_name as = { 0 };
	AUTO_FD int dir = -1;
	enum mess_err err;

	(void)strlcpy(as.topic, name, sizeof as.topic); /* checked to fit */
	if ((err = store_unhex(conf->incarnation, as.id)) != MESS_OK ||
	    (err = fs_make_dir(t->dir, making)) != MESS_OK ||
	    (err = fs_open_dir(t->dir, making, &dir)) != MESS_OK ||
	    (err = log_create(dir, &as)) != MESS_OK ||
	    (err = write_conf(dir, TOPIC_FILE, conf)) != MESS_OK)
		return err;
	/* Whole and synced before it has its name. */
	if ((err = fs_move(t->dir, making, t->dir, name)) != MESS_OK)
		return err;
	return fs_sync(t->dir);
}

static void
remove_tombstone(struct topics *t, const char *name)
{
	char path[NAME_TOPIC_MAX + 8];

	(void)snprintf(path, sizeof path, ".tomb/%s", name); /* fits by the name's limit */
	(void)unlinkat(t->dir, path, 0); /* one beside a living topic says nothing */
}

/* Who it is: beside its settings, what they do not change. */
static void
identify(const struct topic_making *m, struct conf_topic *out)
{
	unsigned char id[JOURNAL_ID_LEN];
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with a known clock */
	arc4random_buf(id, sizeof id);
	store_hex(id, out->incarnation);
	out->uid = m->owner;
	out->created_sec = (uint64_t)now.tv_sec;
	out->created_nsec = (uint32_t)now.tv_nsec;
	(void)strlcpy(out->login, m->login, sizeof out->login); /* checked by the caller */
}

enum mess_err
topic_make(struct topics *t, const struct topic_making *m, struct topic **out)
{
	struct conf_topic conf = { 0 };
	char making[sizeof MAKING + STORE_HEX_LEN];
	enum mess_err err;

	if (topics_find(t, m->name) != NULL)
		return MESS_EXISTS;
	if ((err = check_tombstone(t, m)) != MESS_OK)
		return err;
	if (m->settings != NULL)
		conf = *m->settings; /* its grants stay the caller's */
	identify(m, &conf);
	(void)snprintf(making, sizeof making, MAKING "%s", conf.incarnation); /* fits by its size */
	if ((err = make_dir(t, making, m->name, &conf)) != MESS_OK) {
		/* A name whose sync failed may come back after a power cut, or not. */
		if (err == MESS_IO)
			journal_fail(store_journal(t->store));
		ERR_IGNORE(fs_remove_tree(t->dir, making)); /* the next start tries again */
		return err;
	}
	remove_tombstone(t, m->name);
	return add(t, m->name, out);
}

enum mess_err
topic_create(struct topics *t, const char *name, uid_t owner, const char *login, bool admin,
    struct topic **out)
{
	struct topic_making m = { .name = name, .owner = owner, .login = login, .admin = admin };

	return topic_make(t, &m, out);
}

enum mess_err
topic_settled(struct topic *topic, uint64_t n)
{
	const struct topic_hooks *hooks = &topic->set->hooks;
	enum mess_err err = MESS_OK;

	if (topic->conf.keep == 0)
		err = log_free_below(topic->log, n, LOG_SETTLED);
	if (hooks->settled != NULL)
		hooks->settled(hooks->arg, topic);
	return err;
}

/* --- settings ----------------------------------------------------------- */

/* Only the settings: whose it is and which one it is stay. */
enum mess_err
topic_set(struct topics *t, struct topic *topic, const struct conf_topic *settings)
{
	struct conf_topic conf = *settings;
	enum mess_err err;

	if (store_is_sick(t->store))
		return MESS_SICK;
	conf.uid = topic->conf.uid;
	memcpy(conf.login, topic->conf.login, sizeof conf.login);
	memcpy(conf.incarnation, topic->conf.incarnation, sizeof conf.incarnation);
	conf.created_sec = topic->conf.created_sec;
	conf.created_nsec = topic->conf.created_nsec;
	if ((err = write_conf(topic->dir, TOPIC_FILE, &conf)) != MESS_OK) {
		/* Renamed or not, known to be durable or not: nothing may be promised on it. */
		if (err == MESS_IO)
			journal_fail(store_journal(t->store));
		return err;
	}
	conf_topic_free(&topic->conf);
	conf_topic_copy(&topic->conf, &conf);
	return MESS_OK;
}

/* --- delete ------------------------------------------------------------- */

/*
 * The topic's file becomes its tombstone: a rename needs no space, so a
 * full disk can be emptied.  From now on the topic is as good as deleted:
 * a start that finds it without its file finishes that.
 */
static enum mess_err
bury(int tombs, const struct topic *topic)
{
	enum mess_err err;

	if (renameat(topic->dir, TOPIC_FILE, tombs, topic->name) == -1)
		return err_from_errno();
	if ((err = fs_sync(tombs)) != MESS_OK)
		return err;
	return fs_sync(topic->dir);
}

static enum mess_err
move_to_trash(struct topics *t, const char *name, const char *incarnation)
{
	AUTO_FD int dir = -1;
	enum mess_err err;

	if ((err = fs_open_dir(t->dir, ".trash", &dir)) != MESS_OK ||
	    (err = fs_move(t->dir, name, dir, incarnation)) != MESS_OK ||
	    (err = fs_sync(t->dir)) != MESS_OK)
		return err;
	return fs_sync(dir);
}

/*
 * Out of its place before the answer: a publisher that writes to new/ by
 * itself looks the name up after its last sync, and must not find it.
 */
enum mess_err
topic_delete(struct topics *t, struct topic *topic)
{
	AUTO_FD int tombs = -1;
	struct trash *trash;
	char path[STORE_HEX_LEN + 8];
	enum mess_err err;

	(void)snprintf(path, sizeof path, ".trash/%s", topic->conf.incarnation); /* fits by its size */
	if ((err = fs_open_dir(t->dir, ".tomb", &tombs)) != MESS_OK ||
	    (err = store_commit(t->store)) != MESS_OK ||
	    (err = trash_new(t, path, &trash)) != MESS_OK)
		return err;
	if ((err = bury(tombs, topic)) != MESS_OK ||
	    (err = move_to_trash(t, topic->name, topic->conf.incarnation)) != MESS_OK) {
		/* Half deleted, or not known to be: nothing may be promised in it. */
		journal_fail(store_journal(t->store));
		free(trash);
		return err;
	}
	trash->after = (struct journal_after){ .fn = trash_free_to_go, .arg = trash };
	journal_after(store_journal(t->store), &trash->after);
	(void)RB_REMOVE(topic_tree, &t->tree, topic); /* it is in there */
	t->count--;
	topic->gone = true;
	return MESS_OK;
}
