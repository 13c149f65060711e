/* SPDX-License-Identifier: ISC */
/*
 * The journal: what was committed is rewritten whole after a crash, and
 * nothing else is, whatever else lies in the journal's files.
 */
#include "journal.h"

#include <xxhash.h>

#include "base/le.h"
#include "spool.h"

#define FIRST_ENTRY 4096	/* where a half's entries begin */
#define HEAD 40			/* of an entry: key 16, number 8, length 4, 0 4, sum 8 */

/* --- a spool with a journal and files f1, f2, .. ------------------------- */

struct bench {
	struct spool spool;
	struct work *work;
	struct journal *journal;
	struct journal_file *file[3];
	struct journal_target target;
	enum mess_err answer[3];	/* of the target, when not MESS_OK */
};

static void
file_name(char *name, uint64_t n)
{
	(void)snprintf(name, 32, "f%llu", (unsigned long long)n);
}

static enum mess_err
find(void *arg, const struct journal_name *name, int *fd)
{
	struct bench *b = arg;
	char path[32];

	if (name->first < 1 || name->first > 3 || strcmp(name->topic, "orders") != 0 ||
	    name->kind != JOURNAL_SEGMENT || name->id[0] != 7)
		return MESS_BUG;
	if (b->answer[name->first - 1] != MESS_OK)
		return b->answer[name->first - 1];
	file_name(path, name->first);
	/* As topic.c does: what is missing is damage. */
	return fs_open_file(b->spool.dir, path, O_RDWR, fd) == MESS_OK ? MESS_OK : MESS_CORRUPT;
}

static void
begin(struct bench *b)
{
	char path[32];

	*b = (struct bench){ .target = { .open = find } };
	b->target.arg = b;
	spool_begin(&b->spool);
	for (uint64_t n = 1; n <= 3; n++) {
		file_name(path, n);
		file_text(b->spool.dir, path, "................................");
	}
}

static void
end(struct bench *b)
{
	spool_end(&b->spool);
}

static void
open_journal(struct bench *b)
{
	struct journal_name name = { .kind = JOURNAL_SEGMENT, .id = { 7 }, .topic = "orders" };
	char path[32];

	CHECK(work_new(&b->work) == MESS_OK);
	CHECK(journal_open(b->spool.dir, b->work, &b->journal) == MESS_OK);
	for (int i = 0; i < 3; i++) {
		name.first = (uint64_t)i + 1;
		file_name(path, name.first);
		b->file[i] = journal_file_new(openat(b->spool.dir, path, O_RDWR | O_CLOEXEC), &name);
	}
}

static void
close_journal(struct bench *b)
{
	for (int i = 0; i < 3; i++)
		journal_file_unref(b->file[i]);
	journal_close(b->journal);
	work_free(b->work);
}

static void
put(struct bench *b, int file, uint64_t off, const void *data, size_t len)
{
	char *p;

	if (CHECK(journal_put(b->journal, b->file[file - 1], off, len, &p) == MESS_OK) && len > 0)
		memcpy(p, data, len);
}

static void
put_text(struct bench *b, int file, uint64_t off, const char *text)
{
	put(b, file, off, text, strlen(text));
}

static void
commit_text(struct bench *b, int file, uint64_t off, const char *text)
{
	put_text(b, file, off, text);
	CHECK(journal_commit(b->journal) == MESS_OK);
}

/* The files as they were before any put: what a power cut may leave of unsynced puts. */
static void
wipe(struct bench *b)
{
	char path[32];

	for (uint64_t n = 1; n <= 3; n++) {
		file_name(path, n);
		file_text(b->spool.dir, path, "................................");
	}
}

static struct journal_recovered
recover(struct bench *b)
{
	struct journal_recovered done = { 99, 99 };

	CHECK(journal_recover(b->spool.dir, &b->target, &done) == MESS_OK);
	return done;
}

static bool
have(const struct bench *b, int file, const char *text)
{
	char path[32], full[33];

	file_name(path, (uint64_t)file);
	(void)snprintf(full, sizeof full, "%s%s", text, &"................................"[strlen(text)]);
	return file_is(b->spool.dir, path, full);
}

/* All jobs given so far have run and are told. */
static void
nothing(void *arg)
{
	(void)arg;
}

static void
settle(struct bench *b)
{
	struct work_job job = { .run = nothing, .done = nothing };

	work_give(b->work, &job);
	work_wait(b->work, &job);
	work_collect(b->work);
}

/* Half a as it stands, cut to size bytes, to be put back as often as needed. */
struct half {
	char bytes[64 * 1024];
	size_t len;
};

static void
half_save(const struct bench *b, struct half *h)
{
	ssize_t n = file_read_at(b->spool.dir, ".journal/a", h->bytes, sizeof h->bytes, 0);

	if (CHECK(n == (ssize_t)sizeof h->bytes))
		h->len = (size_t)n;
}

static void
half_restore(const struct bench *b, const struct half *h)
{
	file_write(b->spool.dir, ".journal/a", h->bytes, h->len);
}

/* Behind the entry at off: its length rounded up to 8. */
static size_t
entry_end(const struct half *h, size_t off)
{
	return off + ((HEAD + le32_get(h->bytes + off + 24) + 7) & ~(size_t)7);
}

static size_t
entry_len(const struct half *h, size_t off)
{
	return HEAD + le32_get(h->bytes + off + 24);
}

static void
seal(char *entry, size_t len)
{
	le64_put(entry + 32, XXH3_64bits_withSeed(entry + HEAD, len - HEAD, XXH3_64bits(entry, 32)));
}

/* --- recovery ------------------------------------------------------------ */

static void
three_commits(void *arg)
{
	struct bench *b = arg;

	open_journal(b);
	put_text(b, 1, 0, "one");
	put_text(b, 2, 0, "ONE");
	CHECK(journal_commit(b->journal) == MESS_OK);
	put_text(b, 1, 3, "two");
	put_text(b, 2, 3, "TWO");
	put_text(b, 1, 6, "+");
	CHECK(journal_commit(b->journal) == MESS_OK);
	put_text(b, 2, 6, "THREE");
	put_text(b, 1, 7, "three");
	CHECK(journal_commit(b->journal) == MESS_OK);
}

TEST("journal: a commit puts its bytes into their files at once")
{
	struct bench b;

	begin(&b);

	crash(three_commits, &b);

	CHECK(have(&b, 1, "onetwo+three") && have(&b, 2, "ONETWOTHREE"));
	end(&b);
}

TEST("journal: after a crash all puts are rewritten, also where they never reached their files")
{
	struct journal_recovered done;
	struct bench b;

	begin(&b);
	crash(three_commits, &b);
	wipe(&b);

	done = recover(&b);

	CHECK(done.entries == 3 && done.damaged == 0);
	CHECK(have(&b, 1, "onetwo+three") && have(&b, 2, "ONETWOTHREE") && have(&b, 3, ""));
	end(&b);
}

TEST("journal: a second recovery finds nothing to do")
{
	struct journal_recovered done;
	struct bench b;

	begin(&b);
	crash(three_commits, &b);
	(void)recover(&b);
	wipe(&b);

	done = recover(&b);

	CHECK(done.entries == 0 && done.damaged == 0 && have(&b, 1, "") && have(&b, 2, ""));
	end(&b);
}

TEST("journal: a recovery that is repeated from the start ends the same")
{
	struct journal_recovered done;
	struct bench b;
	struct half h;

	begin(&b);
	crash(three_commits, &b);
	half_save(&b, &h);
	(void)recover(&b);

	half_restore(&b, &h); /* as if the crash came before the halves were retired */
	done = recover(&b);

	CHECK(done.entries == 3 && done.damaged == 0);
	CHECK(have(&b, 1, "onetwo+three") && have(&b, 2, "ONETWOTHREE"));
	end(&b);
}

TEST("journal: a spool without a journal has nothing to recover")
{
	struct journal_recovered done;
	struct bench b;

	begin(&b);

	done = recover(&b);

	CHECK(done.entries == 0 && done.damaged == 0);
	end(&b);
}

static void
gather_only(void *arg)
{
	struct bench *b = arg;

	open_journal(b);
	commit_text(b, 1, 0, "one");
	put_text(b, 1, 0, "two");
}

TEST("journal: what was gathered and not committed is nowhere")
{
	struct bench b;

	begin(&b);
	crash(gather_only, &b);
	wipe(&b);

	CHECK(recover(&b).entries == 1 && have(&b, 1, "one"));
	end(&b);
}

TEST("journal: a close leaves nothing to recover and everything in its place")
{
	struct journal_recovered done;
	struct bench b;

	begin(&b);
	open_journal(&b);
	commit_text(&b, 1, 0, "one");
	put_text(&b, 1, 3, "never");

	close_journal(&b);

	done = recover(&b);
	CHECK(done.entries == 0 && done.damaged == 0 && have(&b, 1, "one"));
	end(&b);
}

/* --- the last entry, torn ------------------------------------------------ */

enum tear { TEAR_ZERO, TEAR_GARBAGE, TEAR_SHORT, TEARS };

/* The entry at `at` as a crash may leave it: only its first n bytes are its own. */
static void
tear(struct half *h, size_t at, size_t n, enum tear how)
{
	size_t last = entry_end(h, at);

	for (size_t i = at + n; i < last; i++)
		h->bytes[i] = how == TEAR_ZERO ? 0 : (char)((uint64_t)h->bytes[i] ^ (1 + test_random() % 255));
	if (how == TEAR_SHORT)
		h->len = at + n;
}

TEST("journal: the last entry cut at any byte is absent whole, those before it are there whole")
{
	struct half whole, torn;
	size_t last, len;
	struct bench b;

	begin(&b);
	crash(three_commits, &b);
	half_save(&b, &whole);
	whole.len = 8192; /* a short half, to be quick */
	last = entry_end(&whole, entry_end(&whole, FIRST_ENTRY));
	len = entry_len(&whole, last);

	for (int how = 0; how < TEARS; how++)
		for (size_t n = 0; n < len; n++) {
			struct journal_recovered done;

			torn = whole;
			tear(&torn, last, n, how);
			half_restore(&b, &torn);
			wipe(&b);
			done = recover(&b);
			/* Bytes that happen to be zero anyway are not torn off. */
			if (memcmp(whole.bytes + last, torn.bytes + last, len) == 0 && how == TEAR_ZERO)
				continue;
			if (!CHECK(done.entries == 2 && done.damaged == 0 && have(&b, 1, "onetwo+") &&
			    have(&b, 2, "ONETWO")))
				printf("# way %d, %zu of %zu bytes\n", how, n, len);
		}
	end(&b);
}

/* --- damage in the middle ------------------------------------------------- */

TEST("journal: any byte wrong in an entry with good ones behind it is damage, and they are still made")
{
	struct half whole, bad;
	size_t second, len;
	struct bench b;

	begin(&b);
	crash(three_commits, &b);
	half_save(&b, &whole);
	whole.len = 8192;
	second = entry_end(&whole, FIRST_ENTRY);
	len = entry_len(&whole, second);

	for (size_t i = 0; i < len; i++) {
		struct journal_recovered done;

		bad = whole;
		bad.bytes[second + i] ^= (char)(1 + test_random() % 255);
		half_restore(&b, &bad);
		wipe(&b);
		done = recover(&b);
		if (!CHECK(done.entries == 2 && done.damaged == 1 &&
		    have(&b, 1, "one....three") && have(&b, 2, "ONE...THREE")))
			printf("# byte %zu: %llu entries, %llu damaged\n", i,
			    (unsigned long long)done.entries, (unsigned long long)done.damaged);
	}
	end(&b);
}

TEST("journal: a half whose first line has any byte changed is never half replayed")
{
	struct half whole, bad;
	struct bench b;

	begin(&b);
	crash(three_commits, &b);
	half_save(&b, &whole);
	whole.len = 8192;

	for (size_t i = 0; i < 84; i++) {
		uint64_t entries;

		bad = whole;
		bad.bytes[i] ^= (char)(1 + test_random() % 255);
		half_restore(&b, &bad);
		wipe(&b);
		entries = recover(&b).entries;
		CHECK(entries == 0 ? have(&b, 1, "") && have(&b, 2, "") :
		    entries == 3 && have(&b, 1, "onetwo+three") && have(&b, 2, "ONETWOTHREE"));
	}
	end(&b);
}

/* --- what only looks like an entry ---------------------------------------- */

static void
same_again(void *arg)
{
	struct bench *b = arg;

	open_journal(b);
	commit_text(b, 2, 0, "new");
}

TEST("journal: entries that an earlier engine left behind the new ones are never replayed")
{
	struct journal_recovered done;
	struct bench b;

	begin(&b);
	open_journal(&b);
	for (int i = 0; i < 8; i++)
		commit_text(&b, 1, 0, "old");
	close_journal(&b);
	crash(same_again, &b);
	wipe(&b);

	done = recover(&b);

	CHECK(done.entries == 1 && done.damaged == 0 && have(&b, 1, "") && have(&b, 2, "new"));
	end(&b);
}

/* A commit's entry as it stands in half a, changed by change, is what a message contains. */
struct forger {
	struct bench *b;
	void (*change)(char *entry, size_t len);
};

static void
forge(void *arg)
{
	struct forger *f = arg;
	struct bench *b = f->b;
	static struct half h;
	char mem[8 * 256] = "";
	size_t len;

	open_journal(b);
	commit_text(b, 1, 0, "forged");
	half_save(b, &h);
	len = entry_len(&h, FIRST_ENTRY);
	/* At all eight places that an entry's alignment could be. */
	for (size_t i = 0; i < 8; i++) {
		memcpy(mem + i * 256 + i, h.bytes + FIRST_ENTRY, len);
		f->change(mem + i * 256 + i, len);
	}
	commit_text(b, 1, 0, "real..");
	put(b, 2, 32, mem, sizeof mem);
	CHECK(journal_commit(b->journal) == MESS_OK);
	commit_text(b, 3, 0, "later");
}

static void
check_forged(void (*change)(char *entry, size_t len))
{
	struct journal_recovered done;
	struct half whole, bad;
	struct bench b;
	size_t third;

	begin(&b);
	crash(forge, &(struct forger){ &b, change });
	half_save(&b, &whole);
	third = entry_end(&whole, entry_end(&whole, FIRST_ENTRY));

	/* Beside good entries, after a damaged one, and at the torn end. */
	wipe(&b);
	done = recover(&b);
	CHECK(done.entries == 4 && done.damaged == 0 && have(&b, 1, "real..") && have(&b, 3, "later"));
	bad = whole;
	bad.bytes[third + 33] ^= 1;
	half_restore(&b, &bad);
	wipe(&b);
	done = recover(&b);
	CHECK(done.entries == 3 && done.damaged == 1 && have(&b, 1, "real..") && have(&b, 3, "later"));
	memset(bad.bytes + entry_end(&whole, third), 0, 256);
	half_restore(&b, &bad);
	wipe(&b);
	done = recover(&b);
	CHECK(done.entries == 2 && done.damaged == 0 && have(&b, 1, "real..") && have(&b, 3, ""));
	end(&b);
}

static void
with_another_key(char *entry, size_t len)
{
	entry[0] ^= 1;
	le64_put(entry + 16, 4);
	seal(entry, len);
}

static void
with_its_own_number(char *entry, size_t len)
{
	(void)entry;
	(void)len;
}

TEST("journal: an entry with another key inside a message is never replayed")
{
	check_forged(with_another_key);
}

TEST("journal: a copy of an earlier entry inside a message is never replayed")
{
	check_forged(with_its_own_number);
}

/* --- targets -------------------------------------------------------------- */

TEST("journal: a target that is missing is damage; the others are made")
{
	struct journal_recovered done;
	struct bench b;

	begin(&b);
	crash(three_commits, &b);
	wipe(&b);
	CHECK(unlinkat(b.spool.dir, "f2", 0) == 0);

	done = recover(&b);

	CHECK(done.damaged == 3 && have(&b, 1, "onetwo+three") && !file_exists(b.spool.dir, "f2"));
	end(&b);
}

TEST("journal: a target that was deleted is nothing to report; the others are made")
{
	struct journal_recovered done;
	struct bench b;

	begin(&b);
	crash(three_commits, &b);
	wipe(&b);
	b.answer[1] = MESS_NOTOPIC;

	done = recover(&b);

	CHECK(done.entries == 3 && done.damaged == 0 && have(&b, 1, "onetwo+three") && have(&b, 2, ""));
	end(&b);
}

TEST("journal: a target that cannot be opened now leaves all to the next recovery")
{
	static const enum mess_err errors[] = { MESS_IO, MESS_LIMIT };
	struct journal_recovered done;
	struct bench b;

	for (size_t i = 0; i < 2; i++) {
		begin(&b);
		crash(three_commits, &b);
		wipe(&b);
		b.answer[1] = errors[i];

		CHECK(journal_recover(b.spool.dir, &b.target, &done) == errors[i]);
		b.answer[1] = MESS_OK;
		done = recover(&b);

		CHECK(done.entries == 3 && done.damaged == 0);
		CHECK(have(&b, 1, "onetwo+three") && have(&b, 2, "ONETWOTHREE"));
		end(&b);
	}
}

static void
put_read_only(void *arg)
{
	struct bench *b = arg;
	struct journal_file *f;

	open_journal(b);
	f = journal_file_new(openat(b->spool.dir, "f3", O_RDONLY | O_CLOEXEC), &b->file[2]->name);
	journal_file_unref(b->file[2]);
	b->file[2] = f;
	commit_text(b, 1, 0, "before");
	put_text(b, 3, 0, "cannot");
	CHECK(journal_commit(b->journal) == MESS_SICK && journal_is_sick(b->journal));
	put_text(b, 1, 0, "after.");
	CHECK(journal_commit(b->journal) == MESS_SICK && journal_is_empty(b->journal));
	CHECK(journal_checkpoint(b->journal) == MESS_SICK);
	close_journal(b);
}

TEST("journal: a put that fails makes it sick for ever; what was committed is recovered")
{
	struct bench b;

	begin(&b);
	crash(put_read_only, &b);
	CHECK(have(&b, 1, "before"));
	wipe(&b);

	CHECK(recover(&b).damaged == 0 && have(&b, 1, "before"));
	end(&b);
}

/* --- gathering ------------------------------------------------------------ */

TEST("journal: nothing gathered is nothing to commit")
{
	struct journal_stat stat;
	struct bench b;

	begin(&b);
	open_journal(&b);

	CHECK(journal_is_empty(b.journal) && journal_commit(b.journal) == MESS_OK);

	journal_stat(b.journal, &stat);
	CHECK(stat.commits == 0 && stat.p50_us == 0);
	close_journal(&b);
	end(&b);
}

static void
rewind_to_mark(void *arg)
{
	struct bench *b = arg;
	struct journal_mark mark;

	open_journal(b);
	put_text(b, 1, 0, "kept");
	CHECK(journal_last_is(b->journal, b->file[0], 4));
	mark = journal_mark(b->journal);
	memcpy(journal_extend(b->journal, 5), "taken", 5);
	put_text(b, 2, 0, "taken");
	put_text(b, 1, 16, "taken");
	CHECK(!journal_last_is(b->journal, b->file[0], 9));
	journal_rewind(b->journal, mark);
	CHECK(journal_last_is(b->journal, b->file[0], 4));
	memcpy(journal_extend(b->journal, 1), "!", 1);
	put_text(b, 3, 0, "too");
	CHECK(journal_commit(b->journal) == MESS_OK);
}

TEST("journal: a rewind takes back what came since the mark and nothing else")
{
	struct bench b;

	begin(&b);
	crash(rewind_to_mark, &b);
	CHECK(have(&b, 1, "kept!") && have(&b, 2, "") && have(&b, 3, "too"));
	wipe(&b);

	CHECK(recover(&b).damaged == 0);

	CHECK(have(&b, 1, "kept!") && have(&b, 2, "") && have(&b, 3, "too"));
	end(&b);
}

static void
rewind_to_nothing(void *arg)
{
	struct bench *b = arg;
	struct journal_mark mark;

	open_journal(b);
	mark = journal_mark(b->journal);
	put_text(b, 1, 0, "taken");
	journal_rewind(b->journal, mark);
	CHECK(journal_is_empty(b->journal) && journal_commit(b->journal) == MESS_OK);
	commit_text(b, 2, 0, "two");
}

TEST("journal: a rewind to the beginning leaves nothing to commit")
{
	struct bench b;

	begin(&b);
	crash(rewind_to_nothing, &b);
	wipe(&b);

	CHECK(recover(&b).entries == 1 && have(&b, 1, "") && have(&b, 2, "two"));
	end(&b);
}

/* --- sizes ----------------------------------------------------------------- */

static void
fill(char *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (char)(seed + i * 31 + i / 977);
}

static void
largest_entries(void *arg)
{
	struct bench *b = arg;
	size_t room;
	char *p;

	open_journal(b);
	room = journal_room(b->journal);
	CHECK(room > 4000000 && room < JOURNAL_ENTRY_MAX);
	CHECK(journal_put(b->journal, b->file[0], 0, room + 1, &p) == MESS_TOOBIG);
	CHECK(journal_is_empty(b->journal));
	for (unsigned i = 0; i < 4; i++) {
		CHECK(journal_put(b->journal, b->file[0], 0, room - i, &p) == MESS_OK);
		fill(p, room - i, i);
		CHECK(i > 0 || journal_put(b->journal, b->file[1], 0, 1, &p) == MESS_TOOBIG);
		CHECK(journal_commit(b->journal) == MESS_OK);
	}
}

TEST("journal: the largest commit fits, again and again, and one byte more is refused")
{
	size_t len = JOURNAL_ENTRY_MAX;
	char *want = malloc(len), *got = malloc(len);
	struct journal_recovered done;
	ssize_t n;
	struct bench b;

	begin(&b);
	crash(largest_entries, &b);
	n = file_read_at(b.spool.dir, "f1", got, len, 0);
	fill(want, len, 3);
	CHECK(n > 4000000 && memcmp(want, got, (size_t)n - 3) == 0);
	wipe(&b);

	done = recover(&b);

	CHECK(done.entries >= 1 && done.damaged == 0);
	CHECK(file_read_at(b.spool.dir, "f1", got, len, 0) >= n - 3);
	CHECK(memcmp(want, got, (size_t)n - 3) == 0);
	free(want);
	free(got);
	end(&b);
}

/* --- after ----------------------------------------------------------------- */

struct calls {
	struct journal_after after[3];
	char order[4];
	size_t count;
};

struct call {
	struct calls *calls;
	char name;
};

static void
called(void *arg)
{
	struct call *c = arg;

	c->calls->order[c->calls->count++] = c->name;
}

TEST("journal: what waits for the checkpoint is called after it, in order, and not before")
{
	struct calls calls = { 0 };
	struct call call[3] = { { &calls, 'a' }, { &calls, 'b' }, { &calls, 'c' } };
	struct bench b;
	char line[8];

	begin(&b);
	open_journal(&b);
	for (int i = 0; i < 3; i++)
		calls.after[i] = (struct journal_after){ .fn = called, .arg = &call[i] };
	put_text(&b, 1, 0, "one");
	for (int i = 0; i < 3; i++)
		journal_after(b.journal, &calls.after[i]);
	journal_cancel(b.journal, &calls.after[1]);

	CHECK(journal_commit(b.journal) == MESS_OK);
	settle(&b);
	CHECK(calls.count == 0 && journal_has_after(b.journal));
	CHECK(journal_checkpoint(b.journal) == MESS_OK);
	CHECK(calls.count == 0);
	settle(&b);

	CHECK(strcmp(calls.order, "ac") == 0 && !journal_has_after(b.journal));
	CHECK(file_read_at(b.spool.dir, ".journal/a", line, 7, 0) == 7 && memcmp(line, "retired", 7) == 0);
	close_journal(&b);
	end(&b);
}

TEST("journal: with nothing live there is nothing to wait for")
{
	struct calls calls = { 0 };
	struct call call = { &calls, 'a' };
	struct bench b;

	begin(&b);
	open_journal(&b);
	calls.after[0] = (struct journal_after){ .fn = called, .arg = &call };
	journal_after(b.journal, &calls.after[0]);

	CHECK(journal_checkpoint(b.journal) == MESS_OK);

	CHECK(calls.count == 1);
	close_journal(&b);
	end(&b);
}

TEST("journal: a close calls what waits")
{
	struct calls calls = { 0 };
	struct call call = { &calls, 'a' };
	struct bench b;

	begin(&b);
	open_journal(&b);
	commit_text(&b, 1, 0, "one");
	calls.after[0] = (struct journal_after){ .fn = called, .arg = &call };
	journal_after(b.journal, &calls.after[0]);

	close_journal(&b);

	CHECK(calls.count == 1);
	end(&b);
}

/* --- many turns ------------------------------------------------------------- */

#define AREA (64 * 1024)
#define COMMITS 2600
#define PUTS 3

/* What a crashed process knew: the files as they must be, and each commit's puts. */
struct model {
	unsigned char area[3][AREA];
	struct { uint8_t file; uint32_t off, len; } put[COMMITS][PUTS];
	struct journal_after after[COMMITS];
	unsigned commits;
	unsigned synced;	/* commits below are in their files for good */
	unsigned halves;	/* how often the journal changed its half */
};

struct turns {
	struct bench b;
	struct model *m;
	unsigned commits;
};

static struct model *told;

static void
is_synced(void *arg)
{
	struct journal_after *a = arg;
	unsigned n = (unsigned)(a - told->after) + 1;

	CHECK(n > told->synced);
	told->synced = n;
}

static void
random_put(struct bench *b, struct model *m, unsigned i, unsigned k)
{
	uint32_t len = (uint32_t)(test_random() % 12000), off = (uint32_t)(test_random() % (AREA - len));
	uint8_t file = (uint8_t)(test_random() % 3);
	char *p;

	if (!CHECK(journal_put(b->journal, b->file[file], off, len, &p) == MESS_OK))
		return;
	fill(p, len, (unsigned)test_random());
	if (len > 0)
		memcpy(m->area[file] + off, p, len);
	m->put[i][k].file = file;
	m->put[i][k].off = off;
	m->put[i][k].len = len;
}

static void
many_commits(void *arg)
{
	struct turns *t = arg;
	struct model *m = t->m;
	unsigned half = 0;

	told = m;
	open_journal(&t->b);
	for (unsigned i = 0; i < t->commits; i++) {
		for (unsigned k = 0; k < PUTS; k++)
			random_put(&t->b, m, i, k);
		if (!CHECK(journal_commit(t->b.journal) == MESS_OK))
			return;
		m->after[i] = (struct journal_after){ .fn = is_synced, .arg = &m->after[i] };
		journal_after(t->b.journal, &m->after[i]);
		m->halves += m->after[i].half != half;
		half = m->after[i].half;
		m->commits = i + 1;
		work_collect(t->b.work);
	}
	settle(&t->b);
}

static void
check_turns(unsigned commits, unsigned halves)
{
	struct turns t = { .m = shared_new(sizeof *t.m), .commits = commits };
	static unsigned char got[AREA];
	struct journal_recovered done;
	struct model *m = t.m;
	char path[32];

	begin(&t.b);
	memset(got, 0, sizeof got);
	for (uint64_t n = 1; n <= 3; n++) {
		file_name(path, n);
		file_write(t.b.spool.dir, path, got, sizeof got);
	}
	crash(many_commits, &t);
	CHECK(m->commits == commits && m->halves >= halves);

	/* All that was put since the checkpoint never reached the disk, or only torn. */
	memset(got, 0xaa, sizeof got);
	for (unsigned i = m->synced; i < m->commits; i++)
		for (unsigned k = 0; k < PUTS; k++) {
			file_name(path, m->put[i][k].file + 1u);
			file_write_at(t.b.spool.dir, path, got, m->put[i][k].len, m->put[i][k].off);
		}
	done = recover(&t.b);

	CHECK(done.damaged == 0 && done.entries == m->commits - m->synced);
	for (uint64_t n = 1; n <= 3; n++) {
		file_name(path, n);
		CHECK(file_read_at(t.b.spool.dir, path, got, AREA, 0) == AREA);
		CHECK(memcmp(got, m->area[n - 1], AREA) == 0);
	}
	end(&t.b);
	shared_free(m, sizeof *m);
}

TEST("journal: a crash in any turn of the halves recovers exactly the last state")
{
	check_turns(100 + (unsigned)(test_random() % 100), 0);
	check_turns(260 + (unsigned)(test_random() % 100), 1);
	check_turns(800 + (unsigned)(test_random() % 100), 2);
}

TEST("journal: halves that both wrapped many times still recover exactly the last state")
{
	check_turns(COMMITS, 3);
}
