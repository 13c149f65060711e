/* SPDX-License-Identifier: ISC */
/*
 * Instructions of a publisher: what is one, and what is stored for it.
 */
#include "instruct.h"

#include "test.h"

static enum mess_err
read_text(const char *text, struct instruct *out)
{
	const char *why = NULL;
	enum mess_err err = instruct_read(text, strlen(text), out, &why);

	CHECK((err == MESS_OK) == (why == NULL));
	return err;
}

static bool
stores(const char *text, const char *stored, size_t len)
{
	char out[INSTRUCT_MAX];
	struct instruct i;
	size_t n;

	if (read_text(text, &i) != MESS_OK || i.len != len)
		return false;
	n = instruct_write(&i, out);
	return n == strlen(stored) && memcmp(out, stored, n) == 0;
}

TEST("instruct: headers without instructions are as they were")
{
	CHECK(stores("", "", 0));
	CHECK(stores("A: b\n", "", 0));
	CHECK(stores("A: b\nMess-Ask-Id: x\n", "", 0));	/* not in front: for record_headers_check */
	CHECK(stores("Mess-Other: x\n", "", 0));
	CHECK(!instruct_begins("Mess-Ask", 8) && instruct_begins("Mess-Ask-", 9));
}

TEST("instruct: each becomes its header, in one order, whatever was theirs")
{
	CHECK(stores("Mess-Ask-Id: load7:1\n", "Mess-Id: load7:1\n", 21));
	CHECK(stores("Mess-Ask-Key: nightly\nA: b\n", "Mess-Key: nightly\n", 22));
	CHECK(stores("Mess-Ask-Key: k\nMess-Ask-Id: i\nMess-Ask-Expires: 7.000000001\nMess-Ask-Due: 5.500000000\nX: y\n",
	    "Mess-Due: 5.500000000\nMess-Expires: 7.000000001\nMess-Id: i\nMess-Key: k\n", 87));
}

TEST("instruct: one that is not known, said twice or not valid is refused")
{
	static const char *const bad[] = {
		"Mess-Ask-Whatever: x\n", "Mess-Ask-: x\n", "Mess-Ask-ID: x\n", "Mess-Ask-Id: a\nMess-Ask-Id: a\n",
		"Mess-Ask-Id: \n", "Mess-Ask-Id:x\n", "Mess-Ask-Id x\n", "Mess-Ask-Id: x", "Mess-Ask-Id: a\tb\n",
		"Mess-Ask-Key: \xff\n", "Mess-Ask-Due: 1\n", "Mess-Ask-Due: 1.0\n", "Mess-Ask-Due: 01.000000000\n",
		"Mess-Ask-Due: -1.000000000\n", "Mess-Ask-Due: 1.00000000x\n", "Mess-Ask-Due: 1.0000000000\n",
		"Mess-Ask-Due: 9223372036854775808.000000000\n", "Mess-Ask-Expires: \n",
	};
	struct instruct i;

	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
		if (!CHECK(read_text(bad[k], &i) == MESS_BADDATA))
			printf("# %s", bad[k]);
}

TEST("instruct: a key has 255 bytes at most, and all of them have room")
{
	char text[INSTRUCT_MAX + 64], out[INSTRUCT_MAX], key[257];
	struct instruct i;

	memset(key, 'k', 256);
	key[256] = '\0';
	(void)snprintf(text, sizeof text, "Mess-Ask-Id: %s\n", key);
	CHECK(read_text(text, &i) == MESS_BADDATA);
	key[255] = '\0';
	(void)snprintf(text, sizeof text, "Mess-Ask-Due: 9223372036854775807.999999999\n"
	    "Mess-Ask-Expires: 9223372036854775807.999999999\nMess-Ask-Id: %s\nMess-Ask-Key: %s\n", key, key);
	CHECK(read_text(text, &i) == MESS_OK && i.len == strlen(text) && i.len <= INSTRUCT_MAX);
	CHECK(instruct_write(&i, out) < i.len);
}
