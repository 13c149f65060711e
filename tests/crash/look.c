/* SPDX-License-Identifier: ISC */
/*
 * Looking at a spool after a power cut, with the engine's own code: it is
 * recovered as a start does it, and then read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/work.h"
#include "crash.h"
#include "engine.h"
#include "fsck.h"
#include "ids.h"
#include "log_read.h"
#include "subscription.h"

#define READ_BYTES ((size_t)256 * 1024)

static void
say(void *arg, const char *line)
{
	(void)fprintf(arg, "%s\n", line == NULL ? "(no memory)" : line);
}

/* --- recovery ----------------------------------------------------------- */

static int
start_engine(int spool, FILE *said, struct engine **out)
{
	struct engine_setup setup = { .spool = spool, .acl = { .personal = true, .owner = geteuid() },
		.security = "", .report = { say, said } };
	enum mess_err err = engine_new(&setup, out);

	if (err != MESS_OK)
		(void)fprintf(said, "the engine does not start: %s\n", mess_strerror(err));
	return err == MESS_OK ? 0 : -1;
}

/* What the process says comes through a pipe, until it is gone. */
static void
copy_said(int from, FILE *said)
{
	char text[1024];
	ssize_t n;

	while ((n = read(from, text, sizeof text)) > 0)
		(void)fwrite(text, 1, (size_t)n, said); /* memory */
	(void)close(from);
}

/* In a process of its own, which ends as by kill -9. */
static int
recover_and_die(int spool, FILE *said)
{
	int status = -1, out[2];
	struct engine *e;
	pid_t pid;

	if (pipe(out) == -1)
		abort();
	(void)fflush(NULL);
	if ((pid = fork()) == 0) {
		FILE *f = fdopen(out[1], "w");

		status = f != NULL ? start_engine(spool, f, &e) : -1;
		_exit(fflush(f) == 0 && status == 0 ? 0 : 1);
	}
	(void)close(out[1]);
	copy_said(out[0], said);
	if (pid == -1 || waitpid(pid, &status, 0) != pid || status != 0) {
		(void)fprintf(said, "recovery ended with status %#x\n", (unsigned)status);
		return -1;
	}
	return 0;
}

int
look_recover(int spool, bool clean, FILE *said)
{
	struct engine *e;

	if (!clean)
		return recover_and_die(spool, said);
	if (start_engine(spool, said, &e) == -1)
		return -1;
	engine_free(e);
	return 0;
}

static void
found(void *arg, const struct fsck_finding *f)
{
	(void)fprintf(arg, "fsck: %s %s: %s\n", f->topic, f->sub != NULL ? f->sub : "", f->what);
}

int
look_fsck(int spool, FILE *said)
{
	struct fsck f = { .found = found, .said = say, .arg = said };
	enum mess_err err = fsck_spool(spool, &f);

	if (err != MESS_OK)
		(void)fprintf(said, "fsck: %s\n", mess_strerror(err));
	return err == MESS_OK ? 0 : -1;
}

/* --- reading ------------------------------------------------------------ */

struct looker {
	struct work *work;
	struct store *store;
	struct topics *topics;
	struct log_reader *reader;
	struct seen *seen;
	FILE *wrong, *text;
};

/* A body in a file of its own, in memory with a zero behind it. */
static char *
read_body(const struct log *l, const struct record *r)
{
	char name[SEGMENT_NAME_LEN + 8], *mem = malloc(r->body_len + 1);
	AUTO_FD int fd = -1;

	segment_name(r->seq, ".body", name);
	if (mem == NULL)
		abort();
	mem[r->body_len] = '\0';
	if (fs_open_file(log_cur(l), name, O_RDONLY, &fd) != MESS_OK ||
	    fd_pread_full(fd, mem, r->body_len, 0) != (ssize_t)r->body_len)
		mem[0] = '\0';
	return mem;
}

/* What was published with an id, which is its key then, has it durably. */
static void
check_ids(struct looker *k, const struct seen_topic *t, const struct topic *topic)
{
	struct ids *ids = NULL;
	uint64_t seq;

	for (size_t i = 0; i < t->count; i++) {
		const struct seen_message *m = &t->messages[i];
		struct ids_key id = { .kind = IDS_ID, .uid = geteuid(), .key = m->key, .len = strlen(m->key) };

		if (strncmp(m->key, "once.", 5) != 0)
			continue;
		if (ids == NULL && ids_open(k->store, topic->dir, log_name(topic->log), &ids) != MESS_OK) {
			(void)fprintf(k->wrong, "%s: its ids cannot be opened\n", t->name);
			return;
		}
		if (!ids_find(ids, &id, &seq) || seq != m->seq)
			(void)fprintf(k->wrong, "%s: %llu, %s: its id is not known\n", t->name,
			    (unsigned long long)m->seq, m->key);
	}
	ids_free(ids);
}

static void
add_message(struct looker *k, struct seen_topic *t, const struct log *l, const struct record *r,
    const char *body)
{
	struct seen_message *m;
	char *apart = r->apart ? read_body(l, r) : NULL;

	t->messages = reallocarray(t->messages, t->count + 1, sizeof *t->messages);
	if (t->messages == NULL)
		abort();
	m = &t->messages[t->count++];
	*m = (struct seen_message){ .seq = r->seq };
	if (!text_is_whole(apart != NULL ? apart : body, r->body_len, m->key, sizeof m->key)) {
		m->key[0] = '\0';
		(void)fprintf(k->wrong, "%s: the body of %llu is not whole\n", t->name,
		    (unsigned long long)r->seq);
	}
	(void)fprintf(k->text, "%s %llu %llu.%09u %s\n", t->name, (unsigned long long)r->seq,
	    (unsigned long long)r->sec, r->nsec, m->key);
	free(apart);
}

/* The records of a run; those whose bodies are apart come alone. */
static void
add_run(struct looker *k, struct seen_topic *t, const struct log *l, const struct log_run *run)
{
	struct record r;
	size_t len;

	if (run->apart) {
		add_message(k, t, l, &run->record, NULL);
		return;
	}
	for (const char *p = run->data; p < run->data + run->len; p += len) {
		const char *payload;

		if (record_read(p, (size_t)(run->data + run->len - p), &r, &len) != MESS_OK) {
			(void)fprintf(k->wrong, "%s: a record among %llu to %llu cannot be read\n", t->name,
			    (unsigned long long)run->first, (unsigned long long)run->last);
			return;
		}
		payload = (const char *)memchr(p, '\n', len) + 1;
		add_message(k, t, l, &r, payload + r.headers_len + 1);
	}
}

static void
read_messages(struct looker *k, struct seen_topic *t, struct log *l)
{
	struct log_cursor c = { 0 };
	struct log_run run;

	for (uint64_t seq = t->first; seq < t->next; seq = run.last + 1) {
		enum mess_err err = log_read(k->reader, l, &c, seq, t->next - 1, READ_BYTES, &run);

		if (err != MESS_OK || run.damaged || run.first != seq) {
			(void)fprintf(k->wrong, "%s: %llu cannot be read: %s\n", t->name,
			    (unsigned long long)seq, err != MESS_OK ? mess_strerror(err) : "damaged");
			break;
		}
		add_run(k, t, l, &run);
	}
	log_cursor_drop(&c);
}

static void
add_sub(struct looker *k, struct seen_topic *t, const struct subscription *s)
{
	const struct place *p = &s->place;
	struct seen_sub *u;

	t->subs = reallocarray(t->subs, t->sub_count + 1, sizeof *t->subs);
	if (t->subs == NULL)
		abort();
	u = &t->subs[t->sub_count++];
	*u = (struct seen_sub){ .floor = p->floor, .next = p->next, .start = p->start };
	(void)snprintf(u->name, sizeof u->name, "%s", s->name); /* as long at most */
	if ((u->settled = calloc(t->count + 1, sizeof *u->settled)) == NULL)
		abort();
	(void)fprintf(k->text, "%s sub %s floor %llu start %lld next %llu settled", t->name, s->name,
	    (unsigned long long)p->floor, (long long)p->start, (unsigned long long)p->next);
	for (int i = 0; i < PLACE_COUNTS; i++)
		(void)fprintf(k->text, " %llu", (unsigned long long)p->counts[i]);
	for (size_t i = 0; i < t->count; i++) {
		uint64_t seq = t->messages[i].seq;

		u->settled[i] = seq < p->floor || ranges_contain(&p->settled, seq, seq);
		(void)putc(u->settled[i] ? '+' : '-', k->text);
	}
	(void)putc('\n', k->text);
}

static void
read_topic(struct looker *k, struct topic *topic)
{
	struct seen *seen = k->seen;
	struct subscriptions *subs;
	struct subscription *s;
	struct seen_topic *t;

	seen->topics = reallocarray(seen->topics, seen->count + 1, sizeof *seen->topics);
	if (seen->topics == NULL)
		abort();
	t = &seen->topics[seen->count++];
	*t = (struct seen_topic){ .first = log_first(topic->log), .next = log_durable(topic->log) };
	(void)snprintf(t->name, sizeof t->name, "%s", topic->name); /* as long at most */
	(void)snprintf(t->incarnation, sizeof t->incarnation, "%s", topic->conf.incarnation); /* likewise */
	(void)fprintf(k->text, "%s %s %llu to %llu, counts", t->name, t->incarnation,
	    (unsigned long long)t->first, (unsigned long long)t->next);
	for (int i = 0; i < LOG_COUNTS; i++)
		(void)fprintf(k->text, " %llu", (unsigned long long)log_counted(topic->log, (enum log_count)i));
	(void)putc('\n', k->text);
	read_messages(k, t, topic->log);
	check_ids(k, t, topic);
	if (subscriptions_of(topic, &subs) != MESS_OK) {
		(void)fprintf(k->wrong, "%s: its subscriptions cannot be read\n", t->name);
		return;
	}
	TAILQ_FOREACH(s, &subs->list, link)
		add_sub(k, t, s);
}

static void
read_topics(struct looker *k)
{
	struct topic *t;
	enum mess_err err;

	for (t = topics_after(k->topics, ""); t != NULL; t = topics_after(k->topics, t->name)) {
		if ((err = topic_use(k->topics, t)) != MESS_OK) {
			(void)fprintf(k->wrong, "%s: %s\n", t->name, mess_strerror(err));
			continue;
		}
		read_topic(k, t);
		topic_release(k->topics, t);
	}
}

/* What recovery should have left nothing of. */
static void
read_leavings(struct looker *k, int spool)
{
	AUTO_FD int trash = -1;
	char **names;
	size_t count;

	if (fs_open_dir(spool, ".trash", &trash) != MESS_OK || fs_list(trash, &names, &count) != MESS_OK) {
		(void)fprintf(k->wrong, ".trash cannot be read\n");
		return;
	}
	for (size_t i = 0; i < count; i++)
		(void)fprintf(k->wrong, ".trash/%s is left\n", names[i]);
	fs_free_names(names, count);
}

int
look_read(int spool, FILE *said, struct seen *out)
{
	struct looker k = { .seen = out };
	struct journal_target find = { topic_open_target, &spool };
	struct store_report report = { say, said };
	size_t wrong_len, text_len;
	enum mess_err err;

	*out = (struct seen){ 0 };
	k.wrong = open_memstream(&out->wrong, &wrong_len);
	k.text = open_memstream(&out->text, &text_len);
	if (k.wrong == NULL || k.text == NULL || log_reader_new(&k.reader) != MESS_OK)
		abort();
	if ((err = work_new(&k.work)) == MESS_OK &&
	    (err = store_open(spool, k.work, &report, &find, &k.store)) == MESS_OK &&
	    (err = topics_new(k.store, &k.topics)) == MESS_OK) {
		read_topics(&k);
		read_leavings(&k, spool);
	} else
		(void)fprintf(k.wrong, "the spool cannot be opened: %s\n", mess_strerror(err));
	log_reader_free(k.reader);
	topics_free(k.topics);
	store_close(k.store);
	work_free(k.work);
	(void)fclose(k.wrong); /* memory, as the next */
	(void)fclose(k.text);
	return err == MESS_OK ? 0 : -1;
}

void
seen_free(struct seen *s)
{
	for (size_t i = 0; i < s->count; i++) {
		for (size_t j = 0; j < s->topics[i].sub_count; j++)
			free(s->topics[i].subs[j].settled);
		free(s->topics[i].subs);
		free(s->topics[i].messages);
	}
	free(s->topics);
	free(s->text);
	free(s->wrong);
}
