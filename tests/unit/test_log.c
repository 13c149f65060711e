/* SPDX-License-Identifier: ISC */
/*
 * The log of a topic: what was committed is read as it was written, in
 * order of number, for ever; what was not is nowhere.
 */
#include "log.h"

#include <time.h>
#include <xxhash.h>

#include "base/le.h"
#include "body.h"
#include "log_private.h"
#include "storage.h"

/* Sizes around every limit that there is. */
static size_t
some_size(uint64_t n)
{
	static const size_t sizes[] = { 0, 1, 5, 100, 1000, 4096, 30000, 65000, 65536, 70000,
		131072, 200000, MESS_INLINE_MAX - 1, MESS_INLINE_MAX };

	return sizes[n % (sizeof sizes / sizeof sizes[0])];
}

static void
append_many(struct storage *g, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t next = log_next(storage_log(g));

		CHECK(storage_append(g, some_size(next)) == next);
		if (i % 7 == 6)
			storage_commit(g);
	}
	storage_commit(g);
}

static size_t
count_suffix(const struct storage *g, const char *suffix)
{
	char **names;
	size_t count, n = 0;

	CHECK(fs_list(log_cur(storage_log(g)), &names, &count) == MESS_OK);
	for (size_t i = 0; i < count; i++) {
		const char *s;
		uint64_t seq;

		n += segment_parse_name(names[i], &seq, &s) && strcmp(s, suffix) == 0;
	}
	fs_free_names(names, count);
	return n;
}

TEST("log: messages of all sizes, over several segments, are read as they were written")
{
	struct storage g;

	storage_begin(&g);

	append_many(&g, 150);

	CHECK(log_first(storage_log(&g)) == 1 && log_next(storage_log(&g)) == 151);
	CHECK(log_durable(storage_log(&g)) == 151 && count_suffix(&g, "") >= 3);
	CHECK(storage_reads(&g, 1, 150, 256 * 1024) && storage_reads(&g, 1, 150, 1));
	CHECK(storage_reads(&g, 1, 150, SIZE_MAX));
	storage_reopen(&g);
	CHECK(storage_reads(&g, 1, 150, 256 * 1024) && g.said == 0);
	storage_end(&g);
}

TEST("log: the first message of all may be as large as any")
{
	static const size_t sizes[] = { 65000, 65200, 65400, 65536, 70000, MESS_INLINE_MAX };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct storage g;

		storage_begin(&g);
		if (!CHECK(storage_append(&g, sizes[i]) == 1))
			printf("# %zu bytes\n", sizes[i]);
		storage_commit(&g);
		CHECK(storage_append(&g, 10) == 2);
		storage_commit(&g);
		CHECK(storage_reads(&g, 1, 2, 100000));
		storage_end(&g);
	}
}

TEST("log: the longest record, with headers of the engine beside a caller's, is read back")
{
	static char headers[RECORD_BLOCK_MAX], body[MESS_INLINE_MAX];
	struct mess_message msg = { .headers = headers, .headers_len = sizeof headers, .body = body,
		.body_len = sizeof body };
	struct log_cursor cursor = { 0 };
	struct log_run run;
	struct storage g;
	uint64_t seq;

	memset(headers, 'x', sizeof headers);
	storage_begin(&g);
	CHECK(storage_append(&g, 10) == 1);
	CHECK(log_append(storage_log(&g), &somebody, &msg, &seq) == MESS_OK && seq == 2);
	CHECK(storage_append(&g, 10) == 3);
	storage_commit(&g);
	storage_reopen(&g);
	CHECK(log_read(g.reader, storage_log(&g), &cursor, 2, 2, RECORD_MAX, &run) == MESS_OK);
	CHECK(run.first == 2 && run.last == 2 && run.len > sizeof headers + sizeof body);
	log_cursor_drop(&cursor);
	storage_end(&g);
}

TEST("log: an append that is refused takes nothing away that was there")
{
	static char body[MESS_INLINE_MAX];
	struct mess_message msg = { .body = body, .body_len = sizeof body };
	uint64_t seq;
	struct storage g;

	storage_begin(&g);
	/* Refused or not; there was no room in the first segment. */
	ERR_IGNORE(log_append(storage_log(&g), &somebody, &msg, &seq));

	CHECK(file_exists(log_cur(storage_log(&g)), "00000000000000000001"));
	storage_end(&g);
}

TEST("log: any number is found at once, and any stretch of them")
{
	struct storage g;

	storage_begin(&g);
	append_many(&g, 100);
	for (int i = 0; i < 2000; i++)
		(void)storage_append(&g, 50);
	storage_commit(&g);

	for (int i = 0; i < 300; i++) {
		uint64_t first = 1 + test_random() % 2100, last = first + test_random() % 40;

		CHECK(storage_reads(&g, first, last < 2100 ? last : 2100, 1 + test_random() % 5000));
	}
	storage_end(&g);
}

TEST("log: a run is as long as was asked for, and one message at least")
{
	struct log_cursor c = { 0 };
	struct storage g;
	struct log_run run;

	storage_begin(&g);
	for (int i = 0; i < 100; i++)
		(void)storage_append(&g, 100);
	storage_commit(&g);

	CHECK(log_read(g.reader, storage_log(&g), &c, 1, 100, 2000, &run) == MESS_OK);
	CHECK(run.first == 1 && run.last > 4 && run.last < 20 && run.len <= 2000);
	CHECK(log_read(g.reader, storage_log(&g), &c, run.last + 1, 30, 1 << 20, &run) == MESS_OK);
	CHECK(run.last == 30);
	CHECK(log_read(g.reader, storage_log(&g), &c, 31, 100, 1, &run) == MESS_OK);
	CHECK(run.first == 31 && run.last == 31 && run.len > 100);
	log_cursor_drop(&c);
	storage_end(&g);
}

TEST("log: readers at different places do not disturb each other")
{
	struct log_cursor c[3] = { 0 };
	uint64_t at[3] = { 1, 40, 70 };
	struct storage g;

	storage_begin(&g);
	append_many(&g, 100);

	while (at[0] <= 100 || at[1] <= 100 || at[2] <= 100) {
		size_t i = test_random() % 3;
		struct log_run run;
		struct record rec;

		if (at[i] > 100)
			continue;
		if (test_random() % 4 == 0)
			log_reader_rest(g.reader);
		CHECK(log_read(g.reader, storage_log(&g), &c[i], at[i], 100, 100000, &run) == MESS_OK);
		if (!CHECK(run.first == at[i] && storage_record(run.data, run.len, at[i], &rec) != 0))
			break;
		at[i] = run.last + 1;
	}
	for (size_t i = 0; i < 3; i++)
		log_cursor_drop(&c[i]);
	storage_end(&g);
}

TEST("log: what is not committed is not there for readers, and nowhere after a reopening")
{
	struct storage g;
	struct log_cursor c = { 0 };
	struct log_run run;

	storage_begin(&g);
	(void)storage_append(&g, 10);
	storage_commit(&g);

	CHECK(storage_append(&g, 10) == 2);

	CHECK(log_durable(storage_log(&g)) == 2 && log_next(storage_log(&g)) == 3);
	CHECK(log_read(g.reader, storage_log(&g), &c, 1, 1, 100000, &run) == MESS_OK && run.last == 1);
	log_cursor_drop(&c);
	storage_commit(&g);
	CHECK(log_durable(storage_log(&g)) == 3 && storage_reads(&g, 1, 2, 100000));
	storage_end(&g);
}

static unsigned grown;

static void
grew(void *arg)
{
	CHECK(arg == &grown);
	grown++;
}

TEST("log: who waits is told once for each commit that made more durable")
{
	struct storage g;

	storage_begin(&g);
	log_on_durable(storage_log(&g), grew, &grown);
	grown = 0;
	(void)storage_append(&g, 10);
	(void)storage_append(&g, 10);
	CHECK(grown == 0);

	storage_commit(&g);
	CHECK(grown == 1);
	CHECK(log_free_below(storage_log(&g), 2, LOG_SETTLED) == MESS_OK);
	storage_commit(&g);
	CHECK(grown == 1);
	storage_end(&g);
}

TEST("log: numbers go on after a reopening")
{
	struct storage g;

	storage_begin(&g);
	for (uint64_t n = 1; n <= 30; n++) {
		CHECK(storage_append(&g, some_size(n)) == n);
		storage_commit(&g);
		if (n % 3 == 0)
			storage_reopen(&g);
	}
	CHECK(storage_reads(&g, 1, 30, 100000) && g.said == 0);
	storage_end(&g);
}

/* --- envelopes --------------------------------------------------------------- */

static struct record
record_of(struct storage *g, uint64_t seq)
{
	struct log_cursor c = { 0 };
	struct record rec = { 0 };
	struct log_run run;

	CHECK(log_read(g->reader, storage_log(g), &c, seq, seq, 1, &run) == MESS_OK);
	CHECK(storage_record(run.data, run.len, seq, &rec) == run.len);
	log_cursor_drop(&c);
	return rec;
}

TEST("log: the envelope says who and when")
{
	time_t before = time(NULL);
	struct storage g;
	struct record rec;

	storage_begin(&g);
	(void)storage_append(&g, 10);
	storage_commit(&g);

	rec = record_of(&g, 1);

	CHECK(rec.uid == 1000 && rec.gid == 1001 && rec.pid == 1002 && rec.body_len == 10);
	CHECK(rec.sec >= (uint64_t)before && rec.sec <= (uint64_t)time(NULL) + 1);
	storage_end(&g);
}

TEST("log: time never goes back, whatever the clock says after a reopening")
{
	struct record last = { 0 }, rec;
	uint64_t future;
	struct storage g;
	char state[192];

	storage_begin(&g);
	(void)storage_append(&g, 10);
	storage_commit(&g);
	storage_close(&g);
	/* The last message came from a clock that was a year ahead. */
	CHECK(file_read_at(g.spool.dir, "orders/state", state, sizeof state, 0) == sizeof state);
	future = le64_get(state + 48) + 365 * 86400;
	le64_put(state + 48, future);
	le64_put(state + 184, XXH3_64bits(state, 184));
	file_write_at(g.spool.dir, "orders/state", state, sizeof state, 0);
	storage_open(&g);

	for (int i = 0; i < 50; i++)
		(void)storage_append(&g, 10);
	storage_commit(&g);

	for (uint64_t seq = 2; seq <= 51; seq++) {
		rec = record_of(&g, seq);
		CHECK(rec.sec >= future);
		CHECK(rec.sec > last.sec || (rec.sec == last.sec && rec.nsec >= last.nsec));
		last = rec;
	}
	storage_end(&g);
}

/* --- batches ------------------------------------------------------------------ */

TEST("log: a batch taken back leaves no trace, and the next messages take its numbers")
{
	struct log_mark mark;
	struct storage g;

	storage_begin(&g);
	(void)storage_append(&g, 100);
	CHECK(log_begin(storage_log(&g), 3, 3000, &mark) == MESS_OK);
	for (int i = 0; i < 3; i++)
		(void)storage_append(&g, 900);

	log_rewind(storage_log(&g), &mark);

	CHECK(log_next(storage_log(&g)) == 2);
	CHECK(storage_append(&g, 50) == 2 && storage_append(&g, 60) == 3);
	storage_commit(&g);
	CHECK(storage_reads(&g, 1, 3, 100000));
	storage_reopen(&g);
	CHECK(storage_reads(&g, 1, 3, 100000) && log_next(storage_log(&g)) == 4 && g.said == 0);
	storage_end(&g);
}

TEST("log: a batch taken back across a new segment, or two, leaves no trace")
{
	for (uint64_t before = 0; before < 24; before += 3) {
		struct log_mark mark;
		struct storage g;
		uint64_t next;

		storage_begin(&g);
		append_many(&g, before);
		(void)storage_append(&g, 100);
		CHECK(log_begin(storage_log(&g), 12, (size_t)12 * 262144, &mark) == MESS_OK);
		next = log_next(storage_log(&g));
		for (int i = 0; i < 12; i++)
			(void)storage_append(&g, 262144 - 100);
		CHECK(log_next(storage_log(&g)) == next + 12);

		log_rewind(storage_log(&g), &mark);

		CHECK(log_next(storage_log(&g)) == next);
		append_many(&g, 30);
		CHECK(storage_reads(&g, 1, next + 29, 100000));
		storage_reopen(&g);
		CHECK(storage_reads(&g, 1, next + 29, 100000) && g.said == 0);
		CHECK(log_next(storage_log(&g)) == next + 30);
		storage_end(&g);
	}
}

TEST("log: a batch that is not taken back is in one commit")
{
	struct journal_stat was, is;
	struct log_mark mark;
	struct storage g;

	storage_begin(&g);
	(void)storage_append(&g, 10);
	for (int i = 0; i < 9; i++)
		(void)storage_append(&g, 200000);
	CHECK(log_begin(storage_log(&g), 8000, (size_t)2 * 1024 * 1024, &mark) == MESS_OK);
	journal_stat(store_journal(g.store), &was);

	for (int i = 0; i < 8000; i++)
		(void)storage_append(&g, 240);

	journal_stat(store_journal(g.store), &is);
	CHECK(is.commits == was.commits && log_durable(storage_log(&g)) <= 11);
	storage_commit(&g);
	CHECK(storage_reads(&g, 1, 8010, 100000));
	storage_end(&g);
}

/* --- large bodies --------------------------------------------------------------- */

#define LARGE ((size_t)3 * 1024 * 1024 + 17)

static uint64_t
append_large(struct storage *g, size_t len)
{
	char *piece = malloc(100000);
	struct body *b;
	uint64_t seq = 0;

	CHECK(body_new(log_dir(storage_log(g)), g->work, "Kind: large\n", 12, &b) == MESS_OK);
	for (size_t at = 0; at < len; at += 100000) {
		size_t n = len - at < 100000 ? len - at : 100000;

		memset(piece, 'a' + (int)(at / 100000 % 26), n);
		CHECK(body_write(b, piece, n) == MESS_OK);
	}
	CHECK(body_len(b) == len && body_sync_now(b) == MESS_OK);
	CHECK(log_append_body(storage_log(g), &somebody, b, &seq) == MESS_OK);
	body_free(b);
	free(piece);
	return seq;
}

static bool
large_is_whole(struct storage *g, uint64_t seq, size_t len)
{
	struct log_cursor c = { 0 };
	struct log_run run = { 0 };
	char name[SEGMENT_NAME_LEN + 8], line[RECORD_LINE_MAX];
	char *mem = malloc(len + 1);
	struct record rec;
	bool good;

	segment_name(seq, BODY_SUFFIX, name);
	good = log_read(g->reader, storage_log(g), &c, seq, log_durable(storage_log(g)) - 1, 1 << 20,
	    &run) == MESS_OK && run.apart && run.first == seq && run.last == seq &&
	    run.record.body_len == len &&
	    file_read_at(log_cur(storage_log(g)), name, mem, len + 1, 0) == (ssize_t)len &&
	    record_sum_holds(&run.record, record_payload_sum(run.data + run.line_len,
	    run.record.headers_len, mem, len)) &&
	    record_read_line(line, log_run_line(&run, line), &rec) == MESS_OK && !rec.apart;
	log_cursor_drop(&c);
	free(mem);
	return good;
}

TEST("log: a large body is a file of its own, and its record stands between the others")
{
	struct storage g;

	storage_begin(&g);
	(void)storage_append(&g, 10);
	CHECK(append_large(&g, LARGE) == 2);
	(void)storage_append(&g, 10);
	CHECK(append_large(&g, MESS_INLINE_MAX + 1) == 4);
	storage_commit(&g);

	for (int i = 0; i < 2; i++) {
		CHECK(storage_reads(&g, 1, 1, 100000) && storage_reads(&g, 3, 3, 100000));
		CHECK(large_is_whole(&g, 2, LARGE) && large_is_whole(&g, 4, MESS_INLINE_MAX + 1));
		CHECK(dir_count(log_dir(storage_log(&g)), "tmp") == 0);
		storage_reopen(&g);
	}
	storage_end(&g);
}

TEST("log: a body that was streamed is read back, however short it is")
{
	static const size_t sizes[] = { 0, 1, 1000, MESS_INLINE_MAX };
	struct log_cursor c = { 0 };
	struct log_run run;
	struct storage g;

	storage_begin(&g);
	for (uint64_t i = 0; i < 4; i++) {
		CHECK(append_large(&g, sizes[i]) == 2 * i + 1);
		(void)storage_append(&g, 10);
	}
	storage_commit(&g);

	for (uint64_t i = 0; i < 4; i++) {
		CHECK(log_read(g.reader, storage_log(&g), &c, 2 * i + 1, 2 * i + 1, 1 << 20, &run) == MESS_OK);
		CHECK(!run.damaged && run.last == 2 * i + 1);
		CHECK(storage_reads(&g, 2 * i + 2, 2 * i + 2, 100000));
	}
	CHECK(g.said == 0);
	log_cursor_drop(&c);
	storage_end(&g);
}

TEST("log: a body that is given up leaves nothing")
{
	struct storage g;
	struct body *b;

	storage_begin(&g);
	CHECK(body_new(log_dir(storage_log(&g)), g.work, NULL, 0, &b) == MESS_OK);
	CHECK(body_write(b, "hello", 5) == MESS_OK);
	CHECK(file_exists(g.spool.dir, "orders/tmp"));

	body_free(b);

	CHECK(unlinkat(g.spool.dir, "orders/tmp", AT_REMOVEDIR) == 0 || errno == ENOTEMPTY);
	CHECK(!file_exists(g.spool.dir, "orders/tmp")); /* it was empty, dot files included */
	CHECK(mkdirat(g.spool.dir, "orders/tmp", 0700) == 0);
	CHECK(count_suffix(&g, BODY_SUFFIX) == 0);
	storage_end(&g);
}

/* --- freeing ---------------------------------------------------------------------- */

TEST("log: files below the first number go after the checkpoint and not before")
{
	struct storage g;
	size_t segments;

	storage_begin(&g);
	append_many(&g, 60);
	CHECK(append_large(&g, LARGE) == 61);
	(void)storage_append(&g, 10);
	storage_commit(&g);
	segments = count_suffix(&g, "");
	CHECK(segments > 2);

	CHECK(log_free_below(storage_log(&g), 62, LOG_SETTLED) == MESS_OK);
	CHECK(count_suffix(&g, "") == segments);
	storage_commit(&g);
	CHECK(count_suffix(&g, "") == segments && count_suffix(&g, BODY_SUFFIX) == 1);
	CHECK(!log_is_idle(storage_log(&g)));
	storage_checkpoint(&g);

	CHECK(count_suffix(&g, "") < segments && count_suffix(&g, BODY_SUFFIX) == 0);
	CHECK(log_first(storage_log(&g)) == 62 && storage_reads(&g, 62, 62, 100000));
	CHECK(log_counted(storage_log(&g), LOG_SETTLED) == 61);
	storage_settle(&g);
	CHECK(log_is_idle(storage_log(&g)));
	storage_reopen(&g);
	CHECK(log_first(storage_log(&g)) == 62 && storage_reads(&g, 62, 62, 100000));
	CHECK(log_counted(storage_log(&g), LOG_SETTLED) == 61);
	storage_end(&g);
}

TEST("log: freeing never goes back, and counts each number once")
{
	struct storage g;

	storage_begin(&g);
	append_many(&g, 20);

	CHECK(log_free_below(storage_log(&g), 11, LOG_SETTLED) == MESS_OK);
	CHECK(log_free_below(storage_log(&g), 5, LOG_SETTLED) == MESS_OK);
	CHECK(log_free_below(storage_log(&g), 11, LOG_SETTLED) == MESS_OK);
	CHECK(log_free_below(storage_log(&g), 21, LOG_SETTLED) == MESS_OK);
	storage_commit(&g);

	CHECK(log_first(storage_log(&g)) == 21 && log_counted(storage_log(&g), LOG_SETTLED) == 20);
	storage_end(&g);
}

TEST("log: the bytes kept are the same after a reopening, whatever was appended and freed")
{
	struct storage g;
	uint64_t had, seq;

	storage_begin(&g);
	CHECK(log_bytes(storage_log(&g)) == 0);
	for (int i = 0; i < 60; i++) {
		if (test_random() % 8 == 0)
			seq = append_large(&g, LARGE + test_random() % 1000);
		else
			seq = storage_append(&g, test_random() % 40000);
		storage_commit(&g);
		had = log_bytes(storage_log(&g));
		CHECK(log_free_below(storage_log(&g), seq + 1 - test_random() % (seq + 1), LOG_SETTLED) == MESS_OK);
		CHECK(log_bytes(storage_log(&g)) <= had);
		had = log_bytes(storage_log(&g));
		CHECK((had == 0) == (log_first(storage_log(&g)) > seq));
		if (test_random() % 4 == 0)
			storage_reopen(&g);
		CHECK(log_bytes(storage_log(&g)) == had);
	}
	storage_end(&g);
}

TEST("log: a batch taken back takes its bytes with it")
{
	struct mess_message big = { .body = test_copy("", 0), .body_len = 0 };
	struct log_mark mark;
	struct storage g;
	uint64_t had, seq;

	storage_begin(&g);
	append_many(&g, 7);
	had = log_bytes(storage_log(&g));

	CHECK(log_begin(storage_log(&g), 300, 300 * 1000, &mark) == MESS_OK);
	free((char *)(uintptr_t)big.body);
	big = (struct mess_message){ .body = calloc(1, 1000), .body_len = 1000 };
	for (int i = 0; i < 300; i++)
		CHECK(log_append(storage_log(&g), &somebody, &big, &seq) == MESS_OK);
	CHECK(log_bytes(storage_log(&g)) >= had + 300000);
	log_rewind(storage_log(&g), &mark);

	CHECK(log_bytes(storage_log(&g)) == had);
	free((char *)(uintptr_t)big.body);
	storage_end(&g);
}

TEST("log: with all of it freed the last file goes too, and what was made ahead")
{
	struct storage g;
	struct stat st;
	uint64_t next;

	storage_begin(&g);
	append_many(&g, 200);
	storage_settle(&g);
	next = log_next(storage_log(&g));

	CHECK(log_free_below(storage_log(&g), next, LOG_PURGED) == MESS_OK);
	log_free_tail(storage_log(&g));
	storage_commit(&g);
	storage_checkpoint(&g);

	CHECK(count_suffix(&g, "") == 1 && log_bytes(storage_log(&g)) == 0);
	CHECK(fstatat(log_cur(storage_log(&g)), LOG_READY, &st, 0) == -1);
	CHECK(storage_append(&g, 10) == next);
	storage_commit(&g);
	storage_reopen(&g);
	CHECK(storage_reads(&g, next, next, 100000));
	CHECK(log_counted(storage_log(&g), LOG_PURGED) == next - 1);
	storage_end(&g);
}

TEST("log: segments stay small where little may be kept")
{
	struct storage g;

	storage_begin(&g);
	log_limit_segments(storage_log(&g), 1024 * 1024);
	for (int i = 0; i < 400; i++) {
		(void)storage_append(&g, 5000);
		if (i % 50 == 0)
			storage_commit(&g);
	}
	CHECK(storage_append(&g, 200000) == log_next(storage_log(&g)) - 1);
	(void)storage_append(&g, 100);
	storage_commit(&g);

	for (size_t i = 0; i + 1 < storage_log(&g)->segments; i++)
		CHECK(storage_log(&g)->files[i].bytes <= (i + 2 < storage_log(&g)->segments ?
		    128 * 1024 : 256 * 1024));
	storage_end(&g);
}

/* --- time ----------------------------------------------------------------------- */

TEST("log: a time is found, before, between, at and after all messages, freed and damaged ones too")
{
	enum { N = 40 };
	uint64_t sec[N + 1], out;
	uint32_t nsec[N + 1];
	struct storage g;

	storage_begin(&g);
	for (uint64_t i = 1; i <= N; i++) {
		CHECK(storage_append(&g, test_random() % 9000) == i);
		sec[i] = storage_log(&g)->sec;
		nsec[i] = storage_log(&g)->nsec;
	}
	CHECK(log_seek_time(storage_log(&g), g.reader, 0, 0, &out) == MESS_OK && out == 1);
	storage_commit(&g);

	for (uint64_t i = 1; i <= N; i++) {
		CHECK(log_seek_time(storage_log(&g), g.reader, sec[i], nsec[i], &out) == MESS_OK);
		CHECK(out <= i && sec[out] == sec[i] && nsec[out] == nsec[i]);
		CHECK(log_seek_time(storage_log(&g), g.reader, sec[i], nsec[i] + 1, &out) == MESS_OK);
		CHECK(out == N + 1 || sec[out] > sec[i] || nsec[out] > nsec[i]);
	}
	CHECK(log_seek_time(storage_log(&g), g.reader, 0, 0, &out) == MESS_OK && out == 1);
	CHECK(log_seek_time(storage_log(&g), g.reader, UINT64_MAX, 0, &out) == MESS_OK && out == N + 1);
	CHECK(log_free_below(storage_log(&g), 11, LOG_EXPIRED) == MESS_OK);
	storage_commit(&g);
	CHECK(log_seek_time(storage_log(&g), g.reader, sec[3], nsec[3], &out) == MESS_OK && out == 11);
	CHECK(log_oldest_time(storage_log(&g), g.reader, sec, nsec) == MESS_OK && sec[0] == sec[11]);
	storage_end(&g);
}

TEST("log: what a reader holds stays readable while it is freed")
{
	struct log_cursor c = { 0 };
	struct log_run run;
	struct record rec;
	struct storage g;

	storage_begin(&g);
	append_many(&g, 60);
	CHECK(log_read(g.reader, storage_log(&g), &c, 1, 60, 1, &run) == MESS_OK);
	CHECK(log_free_below(storage_log(&g), 61, LOG_SETTLED) == MESS_OK);
	storage_commit(&g);
	storage_checkpoint(&g);

	CHECK(fd_pread_full(c.segment->file->fd, (char[16]){ 0 }, 16, 0) == 16);
	CHECK(storage_record(run.data, run.len, 1, &rec) == run.len);
	log_cursor_drop(&c);
	storage_end(&g);
}

/* --- crashes -------------------------------------------------------------------- */

static void
fill_and_crash(void *arg)
{
	struct storage *g = arg;

	storage_open(g);
	append_many(g, 60);
	CHECK(append_large(g, LARGE) == 61);
	storage_commit(g);
	(void)storage_append(g, 100);
	CHECK(append_large(g, LARGE) == 63);
}

TEST("log: after a crash all that was committed is there, and the rest leaves nothing")
{
	struct storage g;

	storage_begin(&g);
	storage_close(&g);
	crash(fill_and_crash, &g);
	CHECK(file_exists(g.spool.dir, "orders/cur/00000000000000000063.body"));

	storage_open(&g);

	CHECK(log_next(storage_log(&g)) == 62 && storage_reads(&g, 1, 60, 100000));
	CHECK(large_is_whole(&g, 61, LARGE) && count_suffix(&g, BODY_SUFFIX) == 1 && g.said == 0);
	append_many(&g, 30);
	CHECK(storage_reads(&g, 62, 91, 100000));
	storage_end(&g);
}

TEST("log: what a crash left beside it is removed when it is opened")
{
	static const char *const left[] = { "orders/cur/.ready", "orders/cur/.ready.idx",
		"orders/cur/00000000000000000900", "orders/cur/00000000000000000900.idx",
		"orders/cur/00000000000000000900.body", "orders/tmp/.body-0123456789abcdef" };
	struct storage g;

	storage_begin(&g);
	append_many(&g, 5);
	storage_close(&g);
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		file_text(g.spool.dir, left[i], "left");

	storage_open(&g);

	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		if (!CHECK(!file_exists(g.spool.dir, left[i])))
			printf("# %s\n", left[i]);
	CHECK(log_next(storage_log(&g)) == 6 && storage_reads(&g, 1, 5, 100000));
	storage_end(&g);
}

TEST("log: freed files that a crash left half removed are removed when it is opened")
{
	static const char *const left[] = { "orders/cur/00000000000000000001.idx",
		"orders/cur/00000000000000000002.body" };
	struct storage g;

	storage_begin(&g);
	append_many(&g, 60);
	CHECK(log_free_below(storage_log(&g), 61, LOG_SETTLED) == MESS_OK);
	storage_commit(&g);
	storage_checkpoint(&g);
	storage_close(&g);
	/* A segment goes before its index: the crash may come between. */
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		file_text(g.spool.dir, left[i], "left");

	storage_open(&g);

	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		if (!CHECK(!file_exists(g.spool.dir, left[i])))
			printf("# %s\n", left[i]);
	storage_end(&g);
}

/* A segment whose messages are all settled while it is the last one, then a new one. */
static void
free_then_roll(void *arg)
{
	struct storage *g = arg;
	uint64_t next;

	storage_open(g);
	for (size_t i = 0; i < 12; i++)
		(void)storage_append(g, 5000);
	storage_commit(g);
	CHECK(count_suffix(g, "") == 1);
	next = log_next(storage_log(g));
	CHECK(log_free_below(storage_log(g), next, LOG_SETTLED) == MESS_OK);
	storage_commit(g);
	(void)storage_append(g, 40000);
	storage_commit(g);
	CHECK(count_suffix(g, "") == 2 && log_first(storage_log(g)) == next);
	storage_settle(g);
	CHECK(log_is_idle(storage_log(g)));
	/* As topics that are idle are closed and opened again when there are many. */
	log_close(g->topic->log);
	g->topic->log = NULL;
	struct journal_name name = { .topic = "orders" };
	CHECK(store_unhex(g->topic->conf.incarnation, name.id) == MESS_OK);
	CHECK(log_open(g->store, g->topic->dir, &name, &g->topic->log) == MESS_OK);
}

TEST("log: closed and opened again, it removes no file that the journal still names")
{
	struct storage g;

	storage_begin(&g);
	storage_close(&g);
	crash(free_then_roll, &g);

	storage_open(&g);

	CHECK(g.said == 0); /* a file that is missing at recovery is told as damage */
	CHECK(storage_reads(&g, 13, 13, 100000));
	storage_end(&g);
}
