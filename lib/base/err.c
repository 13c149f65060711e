/* SPDX-License-Identifier: ISC */
/*
 * Errors: what each is called, and what it means to a program's exit.
 */
#include "err.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

struct err_entry {
	enum mess_err err;
	const char *word;
	int exit_status;
	enum err_fault fault;
	const char *text;
};

static const struct err_entry table[] = {
	{ MESS_OK, "ok", EX_OK, ERR_FAULT_NONE, "no error" },
#define MESS_ERROR(name, word, status, fault, text) \
	[name] = { name, word, status, ERR_FAULT_##fault, text },
#include "errors.def"
#undef MESS_ERROR
};

#define TABLE_LEN (sizeof table / sizeof table[0])
_Static_assert(TABLE_LEN == MESS_PAUSED + 1, "errors.def and enum mess_err differ");

static const struct err_entry *
entry(enum mess_err err)
{
	return (size_t)err < TABLE_LEN && table[err].word != NULL ? &table[err] : &table[MESS_BUG];
}

const char *
mess_strerror(enum mess_err err)
{
	return entry(err)->text;
}

int
mess_exit_status(enum mess_err err)
{
	return entry(err)->exit_status;
}

const char *
err_word(enum mess_err err)
{
	return entry(err)->word;
}

enum err_fault
err_fault(enum mess_err err)
{
	return entry(err)->fault;
}

enum mess_err
err_from_word(const char *word, size_t len)
{
	for (size_t i = 1; i < TABLE_LEN; i++)
		if (strlen(table[i].word) == len && memcmp(table[i].word, word, len) == 0)
			return table[i].err;
	return MESS_PROTOCOL;
}

enum mess_err
err_from_errno(void)
{
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return MESS_LIMIT;
	case ENOSPC:
	case EDQUOT:
		return MESS_FULL;
	case EIO:
	case EROFS:
		return MESS_IO;
	case EACCES:
	case EPERM:
		return MESS_DENIED;
	default:
		return MESS_SYSTEM;
	}
}
