/* SPDX-License-Identifier: ISC */
/*
 * The table of errors: one line for each of enum mess_err, whose words are
 * unique and lead back.
 */
#include "base/err.h"

#include <errno.h>
#include <sysexits.h>

#include "test.h"

static const struct {
	enum mess_err err;
	const char *word;
	int exit_status;
	enum err_fault fault;
	const char *text;
} table[] = {
#define MESS_ERROR(name, word, status, fault, text) \
	{ name, word, status, ERR_FAULT_##fault, text },
#include "base/errors.def"
#undef MESS_ERROR
};

#define TABLE_LEN (sizeof table / sizeof table[0])

TEST("errors: errors.def has each of enum mess_err once, in its order")
{
	CHECK(TABLE_LEN == MESS_PAUSED);
	for (size_t i = 0; i < TABLE_LEN; i++)
		CHECK((size_t)table[i].err == i + 1);
}

TEST("errors: every function answers what the table says")
{
	for (size_t i = 0; i < TABLE_LEN; i++) {
		CHECK(strcmp(err_word(table[i].err), table[i].word) == 0);
		CHECK(strcmp(mess_strerror(table[i].err), table[i].text) == 0);
		CHECK(mess_exit_status(table[i].err) == table[i].exit_status);
		CHECK(err_fault(table[i].err) == table[i].fault);
	}
}

TEST("errors: only MESS_OK exits with 0, the others with a status of sysexits")
{
	CHECK(mess_exit_status(MESS_OK) == EX_OK);
	CHECK(err_fault(MESS_OK) == ERR_FAULT_NONE);
	for (size_t i = 0; i < TABLE_LEN; i++) {
		CHECK(table[i].exit_status >= EX__BASE && table[i].exit_status <= EX__MAX);
		CHECK(table[i].fault != ERR_FAULT_NONE);
	}
}

TEST("errors: words are lower-case, unique, and the way back")
{
	for (size_t i = 0; i < TABLE_LEN; i++) {
		const char *word = table[i].word;
		char *copy = test_copy(word, strlen(word));

		CHECK(word[strspn(word, "abcdefghijklmnopqrstuvwxyz")] == '\0' && *word != '\0');
		CHECK(err_from_word(copy, strlen(word)) == table[i].err);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(table[k].word, word) != 0);
		free(copy);
	}
}

TEST("errors: an unknown word, a part of one or more than one is MESS_PROTOCOL")
{
	CHECK(err_from_word("nonsense", 8) == MESS_PROTOCOL);
	CHECK(err_from_word("", 0) == MESS_PROTOCOL);
	CHECK(err_from_word("ok", 2) == MESS_PROTOCOL);
	CHECK(err_from_word("USAGE", 5) == MESS_PROTOCOL);
	CHECK(err_from_word("usage ", 6) == MESS_PROTOCOL);
	CHECK(err_from_word("usag", 4) == MESS_PROTOCOL);
}

TEST("errors: texts are one line, without a full stop")
{
	for (size_t i = 0; i < TABLE_LEN; i++) {
		const char *text = table[i].text;

		CHECK(*text != '\0' && strpbrk(text, "\r\n") == NULL);
		CHECK(text[strlen(text) - 1] != '.');
	}
}

TEST("errors: what is no error is internal, never NULL")
{
	volatile int beyond = MESS_PAUSED + 1;

	CHECK(strcmp(err_word((enum mess_err)beyond), "bug") == 0);
	CHECK(mess_exit_status((enum mess_err)beyond) == EX_SOFTWARE);
}

TEST("errors: errno becomes one of ours and stays as it is")
{
	static const struct {
		int no;
		enum mess_err err;
	} cases[] = {
		{ EMFILE, MESS_LIMIT }, { ENFILE, MESS_LIMIT }, { ENOMEM, MESS_LIMIT },
		{ ENOSPC, MESS_FULL }, { EDQUOT, MESS_FULL },
		{ EIO, MESS_IO }, { EROFS, MESS_IO },
		{ EACCES, MESS_DENIED }, { EPERM, MESS_DENIED },
		{ ENOENT, MESS_SYSTEM }, { EINVAL, MESS_SYSTEM },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		errno = cases[i].no;
		CHECK(err_from_errno() == cases[i].err);
		CHECK(errno == cases[i].no);
	}
}
