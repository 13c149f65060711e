/* SPDX-License-Identifier: ISC */
/*
 * The bounded buffer: it never holds more than its maximum, and a failed
 * call leaves it as it was.
 */
#include "base/buf.h"

#include "test.h"

static bool
holds(const struct buf *b, const char *text)
{
	return buf_len(b) == strlen(text) &&
	    (buf_len(b) == 0 || memcmp(buf_data(b), text, buf_len(b)) == 0);
}

TEST("buf: what is appended is there, in order")
{
	AUTO_BUF struct buf b = BUF_INIT(100);

	CHECK(holds(&b, ""));
	CHECK(buf_append(&b, "ab", 2) == MESS_OK);
	CHECK(buf_append(&b, "c", 1) == MESS_OK);
	CHECK(buf_append(&b, NULL, 0) == MESS_OK);
	CHECK(holds(&b, "abc"));
}

TEST("buf: max - 1 and max bytes fit, max + 1 do not, and nothing changes")
{
	for (size_t max = 0; max < 600; max++) {
		AUTO_BUF struct buf b = BUF_INIT(max);

		for (size_t i = 0; i < max; i++) {
			char c = (char)('a' + i % 26);

			CHECK(buf_append(&b, &c, 1) == MESS_OK);
		}
		CHECK(buf_len(&b) == max);
		CHECK(buf_append(&b, "!", 1) == MESS_TOOBIG);
		CHECK(buf_printf(&b, "!") == MESS_TOOBIG);
		CHECK(buf_len(&b) == max);
		for (size_t i = 0; i < max; i++)
			CHECK(buf_data(&b)[i] == (char)('a' + i % 26));
	}
}

TEST("buf: one large request is refused whole, and sizes do not wrap")
{
	AUTO_BUF struct buf b = BUF_INIT(1000);

	CHECK(buf_append(&b, "abc", 3) == MESS_OK);
	CHECK(buf_reserve(&b, 998) == MESS_TOOBIG);
	CHECK(buf_reserve(&b, SIZE_MAX) == MESS_TOOBIG);
	CHECK(buf_reserve(&b, SIZE_MAX - 2) == MESS_TOOBIG);
	CHECK(buf_reserve(&b, 997) == MESS_OK);
	CHECK(holds(&b, "abc"));
}

TEST("buf: reserved room is writable to its last byte")
{
	AUTO_BUF struct buf b = BUF_INIT(5000);

	CHECK(buf_append(&b, "abc", 3) == MESS_OK);
	CHECK(buf_reserve(&b, 4997) == MESS_OK);
	memset(buf_end(&b), 'x', 4997);
	buf_grew(&b, 4997);
	CHECK(buf_len(&b) == 5000);
	CHECK(memcmp(buf_data(&b), "abcx", 4) == 0);
}

TEST("buf: consumed bytes make room again")
{
	AUTO_BUF struct buf b = BUF_INIT(8);

	CHECK(buf_append(&b, "abcdefgh", 8) == MESS_OK);
	buf_consume(&b, 5);
	CHECK(holds(&b, "fgh"));
	CHECK(buf_append(&b, "ijklm", 5) == MESS_OK);
	CHECK(holds(&b, "fghijklm"));
	CHECK(buf_append(&b, "n", 1) == MESS_TOOBIG);
	buf_consume(&b, 8);
	CHECK(holds(&b, ""));
	CHECK(b.head == 0 && b.tail == 0);
}

TEST("buf: printf is exact to the maximum")
{
	AUTO_BUF struct buf b = BUF_INIT(10);

	CHECK(buf_printf(&b, "%s-%d", "abc", 123456) == MESS_OK);
	CHECK(holds(&b, "abc-123456"));
	CHECK(buf_printf(&b, "%s", "") == MESS_OK);
	CHECK(buf_printf(&b, "%d", 1) == MESS_TOOBIG);
	buf_consume(&b, 4);
	CHECK(buf_printf(&b, "%d", 7890) == MESS_OK);
	CHECK(holds(&b, "1234567890"));
}

TEST("buf: reset forgets all and gives memory back above what is kept")
{
	AUTO_BUF struct buf b = BUF_INIT(100000);

	CHECK(buf_reserve(&b, 50000) == MESS_OK);
	buf_reset(&b, 100000);
	CHECK(b.cap >= 50000 && buf_len(&b) == 0);
	buf_reset(&b, 4096);
	CHECK(b.mem == NULL && b.cap == 0);
	CHECK(buf_append(&b, "again", 5) == MESS_OK);
	CHECK(holds(&b, "again"));
}

TEST("buf: free leaves an empty buffer with its maximum")
{
	struct buf b = BUF_INIT(3);

	CHECK(buf_append(&b, "abc", 3) == MESS_OK);
	buf_free(&b);
	CHECK(holds(&b, "") && b.max == 3);
	CHECK(buf_append(&b, "abcd", 4) == MESS_TOOBIG);
	CHECK(buf_append(&b, "abc", 3) == MESS_OK);
	buf_free(&b);
	buf_free(&b);
}

/* Held against an array that never moves. */
TEST("buf: any order of appends and consumes keeps the bytes")
{
	enum { ALL = 200000, MAX = 3000 };
	static char model[ALL + MAX];
	AUTO_BUF struct buf b = BUF_INIT(MAX);
	size_t first = 0, last = 0;

	while (last < ALL) {
		size_t n = test_random() % 700;
		bool fits = last - first + n <= MAX;

		for (size_t i = 0; i < n; i++)
			model[last + i] = (char)test_random();
		if (!CHECK(buf_append(&b, model + last, n) == (fits ? MESS_OK : MESS_TOOBIG)))
			return;
		last += fits ? n : 0;
		n = test_random() % (last - first + 1);
		buf_consume(&b, n);
		first += n;
		if (!CHECK(buf_len(&b) == last - first) ||
		    !CHECK(first == last || memcmp(buf_data(&b), model + first, last - first) == 0))
			return;
	}
}
