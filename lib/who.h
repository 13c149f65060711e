/* SPDX-License-Identifier: ISC */
/*
 * Who may what, as words: rights, and lists of `user', `@group',
 * `key:NAME' and `*'.  Pure: numbers come from functions that are given.
 */
#ifndef WHO_H
#define WHO_H

#include <stdint.h>
#include <sys/types.h>

#include "auth.h"
#include "base/buf.h"

enum acl_right {
	ACL_PUBLISH,
	ACL_SUBSCRIBE,
	ACL_ADMIN,
	ACL_CREATE,
};
#define ACL_RIGHTS 4
#define ACL_BIT(right) (1U << (right))

/* The next word between blanks, borrowed; false at the end. */
struct who_word {
	const char *at;
	size_t len;
};
bool who_next_word(const char **text, size_t *len, struct who_word *out);

const char *who_right_word(enum acl_right right);
/* "publish,admin" to bits; NULL, or what is wrong. */
const char *who_read_rights(const char *text, size_t len, unsigned *out);

enum who_kind {
	WHO_EVERYONE,
	WHO_GROUP,
	WHO_USER,
	WHO_KEY,
};

struct who {
	enum who_kind kind;
	uint32_t id;			/* uid or gid */
	char name[AUTH_NAME_MAX + 1];	/* without @ and key: */
};

/* Sorted, nobody twice; owned. */
#define WHO_LIST_MAX 64
struct who_list {
	struct who *who;
	size_t count;
};
void who_list_free(struct who_list *l);

/* How names become numbers; false for none. */
struct who_names {
	bool (*user)(const char *name, uid_t *out);
	bool (*group)(const char *name, gid_t *out);
};
/* Any name is taken, as number 0: for who is to be taken off a list, and may be gone. */
extern const struct who_names who_any_names;
#define WHO_WHY 128

/* MESS_BADDATA with the reason in why (WHO_WHY bytes): nothing then is in out. */
NODISCARD enum mess_err who_read_list(const char *text, size_t len, const struct who_names *names,
    struct who_list *out, char *why);
/* One of a list, as it is written; false when that is too long for text. */
#define WHO_TEXT (AUTH_NAME_MAX + 16)
void who_write(const struct who *w, char *text);
NODISCARD enum mess_err who_list_write(const struct who_list *l, struct buf *out);
/* Negative, 0 or positive: the order of lists. */
int who_compare(const struct who *a, const struct who *b);

#endif
