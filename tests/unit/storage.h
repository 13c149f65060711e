/* SPDX-License-Identifier: ISC */
/*
 * A spool with its storage and one topic, `orders', as the engine has them.
 */
#ifndef STORAGE_H
#define STORAGE_H

#include "log_read.h"
#include "spool.h"
#include "topic.h"

struct storage {
	struct spool spool;
	struct work *work;
	struct store *store;
	struct topics *topics;
	struct topic *topic;
	struct log_reader *reader;
	unsigned said;		/* lines for the administrator */
	bool loud;		/* print them */
};

static const struct mess_peer somebody = { .uid = 1000, .gid = 1001, .pid = 1002 };

static inline void
storage_say(void *arg, const char *line)
{
	struct storage *g = arg;

	g->said++;
	if (g->loud)
		printf("# %s\n", line);
}

/* Recover, open, and hold the topic if there is one. */
static inline void
storage_open(struct storage *g)
{
	struct store_report report = { storage_say, g };
	struct journal_target find = { topic_open_target, &g->spool.dir };

	if (!CHECK(work_new(&g->work) == MESS_OK) ||
	    !CHECK(store_open(g->spool.dir, g->work, &report, &find, &g->store) == MESS_OK) ||
	    !CHECK(topics_new(g->store, &g->topics) == MESS_OK) ||
	    !CHECK(log_reader_new(&g->reader) == MESS_OK))
		abort();
	g->topic = topics_find(g->topics, "orders");
	if (g->topic != NULL && !CHECK(topic_use(g->topics, g->topic) == MESS_OK))
		abort();
}

/* As the engine does at its end: no part of a commit may be left. */
static inline void
storage_close(struct storage *g)
{
	if (!store_is_sick(g->store))
		CHECK(store_commit(g->store) == MESS_OK);
	log_reader_free(g->reader);
	topic_release(g->topics, g->topic);
	topics_free(g->topics);
	store_close(g->store);
	work_free(g->work);
}

static inline void
storage_begin(struct storage *g)
{
	*g = (struct storage){ 0 };
	spool_begin(&g->spool);
	storage_open(g);
	if (!CHECK(topic_create(g->topics, "orders", 1000, "eve", true, &g->topic) == MESS_OK) ||
	    !CHECK(topic_use(g->topics, g->topic) == MESS_OK))
		abort();
}

static inline void
storage_end(struct storage *g)
{
	storage_close(g);
	spool_end(&g->spool);
}

static inline void
storage_reopen(struct storage *g)
{
	storage_close(g);
	storage_open(g);
}

static inline struct log *
storage_log(const struct storage *g)
{
	return g->topic->log;
}

static inline void
storage_commit(struct storage *g)
{
	CHECK(store_commit(g->store) == MESS_OK);
}

static inline void
storage_nothing(void *arg)
{
	(void)arg;
}

/* All that the helper was given so far is done and told. */
static inline void
storage_settle(struct storage *g)
{
	struct work_job job = { .run = storage_nothing, .done = storage_nothing };

	work_give(g->work, &job);
	work_wait(g->work, &job);
	work_collect(g->work);
}

/* What waits for a checkpoint has it. */
static inline void
storage_checkpoint(struct storage *g)
{
	for (int i = 0; i < 4 && journal_has_after(store_journal(g->store)); i++) {
		CHECK(journal_checkpoint(store_journal(g->store)) == MESS_OK);
		storage_settle(g);
	}
	CHECK(!journal_has_after(store_journal(g->store)));
}

/* Message number n has a body of len bytes, that its number says. */
static inline void
body_fill(char *body, size_t len, uint64_t n)
{
	for (size_t i = 0; i < len; i++)
		body[i] = (char)(n * 7 + i * 13 + i / 251);
}

static inline bool
body_holds(const char *body, size_t len, uint64_t n)
{
	for (size_t i = 0; i < len; i++)
		if (body[i] != (char)(n * 7 + i * 13 + i / 251))
			return false;
	return true;
}

/* Append the next message, not committed; its number. */
static inline uint64_t
storage_append(struct storage *g, size_t len)
{
	static char body[MESS_INLINE_MAX];
	struct mess_message msg = { .headers = "Kind: test\n", .headers_len = 11,
		.body = body, .body_len = len };
	uint64_t seq = 0;

	body_fill(body, len, log_next(storage_log(g)));
	CHECK(log_append(storage_log(g), &somebody, &msg, &seq) == MESS_OK);
	return seq;
}

/* Is the record at the front of run the message seq?  Its length, or 0. */
static inline size_t
storage_record(const char *data, size_t len, uint64_t seq, struct record *rec)
{
	const char *headers;
	size_t n;

	if (record_read(data, len, rec, &n) != MESS_OK || rec->seq != seq || rec->headers_len != 11)
		return 0;
	headers = (const char *)memchr(data, '\n', n) + 1;
	if (memcmp(headers, "Kind: test\n", 11) != 0 || headers[11] != '\n' || rec->apart ||
	    !body_holds(headers + 12, (size_t)rec->body_len, seq))
		return 0;
	return n;
}

/* Read all from first to last; every number whole and in order? */
static inline bool
storage_reads(struct storage *g, uint64_t first, uint64_t last, size_t max)
{
	struct log_cursor c = { 0 };
	struct log_run run;
	struct record rec;
	bool good = true;

	for (uint64_t seq = first; good && seq <= last;) {
		const char *p;
		size_t n;

		good = log_read(g->reader, storage_log(g), &c, seq, last, max, &run) == MESS_OK &&
		    run.first == seq && !run.damaged;
		for (p = run.data; good && p < run.data + run.len; p += n, seq++)
			good = (n = storage_record(p, (size_t)(run.data + run.len - p), seq, &rec)) != 0;
		good = good && seq == run.last + 1;
		if (!good)
			printf("# reading %llu to %llu fails at %llu\n", (unsigned long long)first,
			    (unsigned long long)last, (unsigned long long)seq);
	}
	log_cursor_drop(&c);
	return good;
}

#endif
