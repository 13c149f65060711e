/* SPDX-License-Identifier: ISC */
/*
 * Damage: a byte that is wrong on disk costs the message that it is in, or
 * what an envelope's loss costs, and nothing is handed out wrong.
 */
#include "log_private.h"
#include "storage.h"

#define SEGMENT "orders/cur/00000000000000000001"

/* Where each message's record stands in the first segment. */
struct map {
	uint64_t count;
	uint64_t at[400], line[400], end[400];
};

/* What reading all says of each number. */
struct seen {
	bool whole[400], damaged[400];
	bool in_order;
};

static void
map_records(struct storage *g, uint64_t count, struct map *m)
{
	struct log_cursor c = { 0 };
	struct log_run run;
	struct record rec;

	m->count = count;
	for (uint64_t seq = 1; seq <= count; seq++) {
		CHECK(log_read(g->reader, storage_log(g), &c, seq, seq, 1, &run) == MESS_OK);
		CHECK(storage_record(run.data, run.len, seq, &rec) == run.len);
		m->at[seq] = run.off;
		m->line[seq] = run.off + (uint64_t)((const char *)memchr(run.data, '\n', run.len) + 1 - run.data);
		m->end[seq] = run.off + run.len;
	}
	log_cursor_drop(&c);
}

static void
read_all(struct storage *g, uint64_t first, uint64_t last, struct seen *out)
{
	struct log_cursor c = { 0 };
	struct log_run run;
	struct record rec;

	*out = (struct seen){ .in_order = true };
	log_reader_rest(g->reader);
	for (uint64_t seq = first; seq <= last && out->in_order; seq = run.last + 1) {
		size_t used = 0, n;

		if (log_read(g->reader, storage_log(g), &c, seq, last, 100000, &run) != MESS_OK ||
		    run.first > seq || run.last < seq || run.last > g->topic->log->next) {
			out->in_order = false;
			break;
		}
		for (uint64_t i = run.first; i <= run.last; i++) {
			if (run.damaged) {
				out->damaged[i] = true;
				continue;
			}
			/* What is handed out must be right: it goes to a consumer as it is. */
			if ((n = storage_record(run.data + used, run.len - used, i, &rec)) == 0)
				out->in_order = false;
			out->whole[i] = n != 0;
			used += n;
		}
		out->in_order = out->in_order && (run.damaged || used == run.len);
	}
	log_cursor_drop(&c);
}

/* Messages first to last all told as damaged, the rest whole? */
static bool
costs(const struct seen *s, uint64_t count, uint64_t first, uint64_t last)
{
	if (!s->in_order)
		return false;
	for (uint64_t seq = 1; seq <= count; seq++) {
		bool lost = seq >= first && seq <= last;

		if (s->damaged[seq] != lost || s->whole[seq] == lost)
			return false;
	}
	return true;
}

static void
small_segment(struct storage *g, struct map *m)
{
	storage_begin(g);
	for (int i = 0; i < 6; i++)
		(void)storage_append(g, (size_t)i * 7);
	storage_commit(g);
	map_records(g, 6, m);
}

/* What byte i of the file costs at least and at most. */
static bool
is_fair(const struct map *m, const struct seen *s, uint64_t i)
{
	uint64_t seq = 1;

	if (i >= m->end[m->count])
		return costs(s, m->count, 1, 0);
	if (i < m->at[1])
		return costs(s, m->count, 1, m->count); /* not this topic's segment any more */
	while (i >= m->end[seq])
		seq++;
	/* In a body or header, one; in an envelope perhaps all behind it: one that is none ends nothing. */
	return costs(s, m->count, seq, seq) ||
	    (i < m->line[seq] && costs(s, m->count, seq, m->count));
}

TEST("damage: each byte changed costs its message, or an envelope's followers; the others come in order")
{
	struct storage g;
	struct seen s;
	struct map m;

	small_segment(&g, &m);

	for (uint64_t i = 0; i < m.end[6] + 16; i++) {
		unsigned char masks[2] = { 1, (unsigned char)(1 + test_random() % 255) };

		for (int k = 0; k < 2; k++) {
			file_flip(g.spool.dir, SEGMENT, (off_t)i, masks[k]);
			read_all(&g, 1, 6, &s);
			if (!CHECK(is_fair(&m, &s, i)))
				printf("# byte %llu mask %d\n", (unsigned long long)i, masks[k]);
			file_flip(g.spool.dir, SEGMENT, (off_t)i, masks[k]);
		}
	}
	read_all(&g, 1, 6, &s);
	CHECK(costs(&s, 6, 1, 0));
	storage_end(&g);
}

TEST("damage: what is appended behind damage is read")
{
	struct storage g;
	struct seen s;
	struct map m;

	small_segment(&g, &m);
	file_flip(g.spool.dir, SEGMENT, (off_t)m.at[3], 1); /* no envelope: 3 to 6 are lost */
	read_all(&g, 1, 6, &s);
	CHECK(costs(&s, 6, 3, 6));

	for (int i = 0; i < 60; i++)
		(void)storage_append(&g, 4000);
	storage_commit(&g);

	/* At least from the next index place or segment on. */
	CHECK(storage_reads(&g, 30, 66, 100000));
	storage_end(&g);
}

TEST("damage: a reader that stands behind it goes on")
{
	struct log_cursor c = { 0 };
	struct storage g;
	struct log_run run;
	struct record rec;
	struct map m;

	small_segment(&g, &m);
	CHECK(log_read(g.reader, storage_log(&g), &c, 1, 6, 1 << 20, &run) == MESS_OK && run.last == 6);
	file_flip(g.spool.dir, SEGMENT, (off_t)m.at[3], 1);

	(void)storage_append(&g, 50);
	storage_commit(&g);

	CHECK(log_read(g.reader, storage_log(&g), &c, 7, 7, 1 << 20, &run) == MESS_OK);
	CHECK(!run.damaged && storage_record(run.data, run.len, 7, &rec) == run.len);
	log_cursor_drop(&c);
	storage_end(&g);
}

/* A second segment of several blocks, of messages of 1 KiB; its first number. */
static uint64_t
large_segment(struct storage *g)
{
	uint64_t first;

	storage_begin(g);
	for (int i = 0; i < 330; i++) {
		(void)storage_append(g, 1000);
		if (i % 10 == 0)
			storage_commit(g);
	}
	storage_commit(g);
	first = g->topic->log->files[1].first;
	CHECK(g->topic->log->segments >= 2 && g->topic->log->tail->index != NULL && first < 80);
	return first;
}

TEST("damage: an envelope's loss costs at most what follows up to the next index place")
{
	struct storage g;
	struct seen s;
	uint64_t first, end;
	char name[64] = "orders/cur/";
	struct map m;

	first = large_segment(&g);
	segment_name(first, "", name + 11);
	map_records(&g, 330, &m);

	end = g.topic->log->segments > 2 ? g.topic->log->files[2].first : 331;
	for (uint64_t seq = first; seq < end; seq += 23) {
		uint64_t next = seq + 1;

		while (next < end && m.at[next] / SEGMENT_BLOCK == m.at[next - 1] / SEGMENT_BLOCK)
			next++;
		file_flip(g.spool.dir, name, (off_t)m.at[seq], 1);
		read_all(&g, 1, 330, &s);
		if (!CHECK(costs(&s, 330, seq, next - 1)))
			printf("# message %llu\n", (unsigned long long)seq);
		file_flip(g.spool.dir, name, (off_t)m.at[seq], 1);
	}
	storage_end(&g);
}

TEST("damage: an index with any byte changed costs no message")
{
	struct storage g;
	uint64_t first;
	char name[64] = "orders/cur/";

	first = large_segment(&g);
	segment_name(first, ".idx", name + 11);

	for (off_t i = 0; i < 4 * SEGMENT_PLACE_LEN; i++) {
		uint64_t seq = first + test_random() % (330 - first);

		file_flip(g.spool.dir, name, i, (unsigned char)(1 + test_random() % 255));
		log_reader_rest(g.reader);
		CHECK(storage_reads(&g, seq, seq, 100000));
	}
	CHECK(storage_reads(&g, 1, 330, 100000) && g.said == 0);
	storage_end(&g);
}

TEST("damage: a body may look like records; none of them is believed")
{
	char body[2000], *p = body;
	struct mess_message msg = { .body = body };
	struct storage g;
	struct seen s;
	struct map m;
	uint64_t seq;

	small_segment(&g, &m);
	/* Good records 7 to 9 by every sum, inside a message that is 7 itself. */
	for (uint64_t n = 7; n < 10; n++) {
		struct record r = { .seq = n, .sec = 1, .headers_len = 11, .body_len = 3 };

		p += record_write_line(&r, record_payload_sum("Kind: test\n", 11, "bad", 3), p);
		p += sprintf(p, "Kind: test\n\nbad\n");
	}
	msg.body_len = (size_t)(p - body);
	CHECK(log_append(storage_log(&g), &somebody, &msg, &seq) == MESS_OK && seq == 7);
	(void)storage_append(&g, 10);
	storage_commit(&g);

	file_flip(g.spool.dir, SEGMENT, (off_t)m.end[6], 1); /* the envelope around them */

	read_all(&g, 1, 8, &s);
	CHECK(costs(&s, 8, 7, 8));
	storage_end(&g);
}

TEST("damage: it is kept in the quarantine, once, and told")
{
	struct storage g;
	struct seen s;
	struct map m;
	char have[4096];

	small_segment(&g, &m);
	file_flip(g.spool.dir, SEGMENT, (off_t)m.end[4] - 2, 1);

	for (int i = 0; i < 3; i++)
		read_all(&g, 1, 6, &s);

	CHECK(costs(&s, 6, 4, 4) && g.said > 0 && dir_count(g.spool.dir, ".quarantine") == 1);
	CHECK(file_read_at(g.spool.dir, ".quarantine/orders.4", have, sizeof have, 0) ==
	    (ssize_t)(m.end[4] - m.at[4]));
	CHECK(memcmp(have, "mess1 4 ", 8) == 0);
	storage_end(&g);
}

TEST("damage: a segment that is missing costs its messages, and those behind it are read")
{
	struct storage g;
	uint64_t first;
	struct seen s;

	first = large_segment(&g);
	storage_close(&g);
	CHECK(unlinkat(g.spool.dir, SEGMENT, 0) == 0);

	storage_open(&g);

	read_all(&g, 1, 330, &s);
	CHECK(costs(&s, 330, 1, first - 1));
	storage_end(&g);
}

TEST("damage: a state that does not check refuses its topic, never starts anew")
{
	struct storage g;
	struct map m;

	small_segment(&g, &m);
	storage_close(&g);

	for (off_t i = 0; i < 192; i += 5) {
		struct store_report report = { storage_say, &g };
		struct journal_target find = { topic_open_target, &g.spool.dir };

		file_flip(g.spool.dir, "orders/state", i, 0x10);
		CHECK(work_new(&g.work) == MESS_OK);
		CHECK(store_open(g.spool.dir, g.work, &report, &find, &g.store) == MESS_OK);
		CHECK(topics_new(g.store, &g.topics) == MESS_OK);
		CHECK(topic_use(g.topics, topics_find(g.topics, "orders")) == MESS_CORRUPT);
		topics_free(g.topics);
		store_close(g.store);
		work_free(g.work);
		file_flip(g.spool.dir, "orders/state", i, 0x10);
	}
	storage_open(&g);
	CHECK(storage_reads(&g, 1, 6, 100000));
	storage_end(&g);
}
