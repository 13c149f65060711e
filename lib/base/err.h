/* SPDX-License-Identifier: ISC */
/*
 * Errors: one table (errors.def) gives each its word on the wire, its exit
 * status, its text and whose fault it is.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "../mess.h"

#define NODISCARD MESS_NODISCARD

/* For the rare error that changes nothing; say why beside it. */
#define ERR_IGNORE(call) \
	do { \
		enum mess_err ignored_ = (call); \
		(void)ignored_; \
	} while (0)

/* What the engine does about an error follows from whose fault it is. */
enum err_fault {
	ERR_FAULT_NONE,
	ERR_FAULT_CALLER,	/* reply; at most close that caller */
	ERR_FAULT_LOAD,		/* reply; carry on */
	ERR_FAULT_SPOOL,	/* set that entry aside; carry on */
	ERR_FAULT_HOST,		/* fail that request */
};

/* The word an error has on the wire, and the way back (MESS_PROTOCOL if unknown). */
const char *err_word(enum mess_err err);
enum mess_err err_from_word(const char *word, size_t len);
enum err_fault err_fault(enum mess_err err);

/*
 * errno as one of ours, errno intact: no descriptors or memory is
 * MESS_LIMIT, no space is MESS_FULL, a failed device is MESS_IO, no
 * permission is MESS_DENIED, the rest MESS_SYSTEM.
 */
enum mess_err err_from_errno(void);

#endif
