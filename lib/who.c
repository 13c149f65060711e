/* SPDX-License-Identifier: ISC */
/*
 * Rights and lists of who has them, as words.
 */
#include "who.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>

#include "names.h"

static const char *const words[ACL_RIGHTS] = { [ACL_PUBLISH] = "publish", [ACL_SUBSCRIBE] = "subscribe",
	[ACL_ADMIN] = "admin", [ACL_CREATE] = "create" };

const char *
who_right_word(enum acl_right right)
{
	return words[right];
}

bool
who_next_word(const char **text, size_t *len, struct who_word *out)
{
	size_t n = 0;

	while (*len > 0 && (**text == ' ' || **text == '\t')) {
		(*text)++;
		(*len)--;
	}
	while (n < *len && (*text)[n] != ' ' && (*text)[n] != '\t')
		n++;
	*out = (struct who_word){ *text, n };
	*text += n;
	*len -= n;
	return n > 0;
}

/* The next piece between commas; an empty one is a piece too. */
static bool
next_piece(const char **text, size_t *len, const char **piece, size_t *piece_len)
{
	const char *comma;

	if (*text == NULL)
		return false;
	comma = memchr(*text, ',', *len);
	*piece = *text;
	*piece_len = comma == NULL ? *len : (size_t)(comma - *text);
	*len -= comma == NULL ? *len : *piece_len + 1;
	*text = comma == NULL ? NULL : comma + 1;
	return true;
}

const char *
who_read_rights(const char *text, size_t len, unsigned *out)
{
	const char *piece;
	size_t n;

	*out = 0;
	while (next_piece(&text, &len, &piece, &n)) {
		unsigned right = 0;

		while (right < ACL_RIGHTS && (strlen(words[right]) != n || memcmp(words[right], piece, n) != 0))
			right++;
		if (right == ACL_RIGHTS)
			return "rights are publish, subscribe, admin and create";
		*out |= ACL_BIT(right);
	}
	return NULL;
}

static bool
any_name(const char *name, uint32_t *out)
{
	(void)name;
	*out = 0;
	return true;
}

const struct who_names who_any_names = { any_name, any_name };

void
who_list_free(struct who_list *l)
{
	free(l->who);
	*l = (struct who_list){ 0 };
}

int
who_compare(const struct who *a, const struct who *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int
by_order(const void *a, const void *b)
{
	return who_compare(a, b);
}

/* The name of a piece behind its first mark, NUL-ended; false when it cannot be one. */
static bool
take_name(struct who *w, const char *text, size_t len)
{
	if (len == 0 || len > AUTH_NAME_MAX || text[0] == '@' || text[0] == '*')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || strchr(",=:#", text[i]) != NULL)
			return false;
	memcpy(w->name, text, len);
	w->name[len] = '\0';
	return true;
}

static bool
is_mark(const char *text, size_t len, const char *mark)
{
	return len >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0;
}

/* NULL, or the rule that is broken. */
static const char *
read_one(const char *text, size_t len, const struct who_names *names, struct who *w)
{
	*w = (struct who){ .kind = WHO_USER };
	if (len == 1 && text[0] == '*') {
		w->kind = WHO_EVERYONE;
		return NULL;
	}
	if (is_mark(text, len, "@")) {
		w->kind = WHO_GROUP;
		if (!take_name(w, text + 1, len - 1))
			return "who is user, @group, key:NAME or *";
		return names->group(w->name, &w->id) && !auth_is_overflow(w->id) ? NULL : "no such group";
	}
	if (is_mark(text, len, "key:")) {
		w->kind = WHO_KEY;
		return take_name(w, text + 4, len - 4) && name_check_sub(w->name, NULL) == MESS_OK ? NULL :
		    "a key's name is a label";
	}
	if (!take_name(w, text, len))
		return "who is user, @group, key:NAME or *";
	return names->user(w->name, &w->id) && !auth_is_overflow(w->id) ? NULL : "no such user";
}

enum mess_err
who_read_list(const char *text, size_t len, const struct who_names *names, struct who_list *out,
    char *why)
{
	struct who_list l = { 0 };
	const char *piece, *rule;
	size_t n, kept = 0;

	if ((l.who = calloc(WHO_LIST_MAX, sizeof *l.who)) == NULL)
		return MESS_LIMIT;
	while (next_piece(&text, &len, &piece, &n)) {
		rule = l.count < WHO_LIST_MAX ? read_one(piece, n, names, &l.who[l.count]) : "at most 64 in a list";
		if (rule != NULL) {
			(void)snprintf(why, WHO_WHY, "%.*s: %s", n < 40 ? (int)n : 40, piece, rule); /* fits */
			who_list_free(&l);
			return MESS_BADDATA;
		}
		l.count++;
	}
	qsort(l.who, l.count, sizeof *l.who, by_order);
	for (size_t i = 0; i < l.count; i++)
		if (i == 0 || who_compare(&l.who[i], &l.who[kept - 1]) != 0)
			l.who[kept++] = l.who[i];
	l.count = kept;
	*out = l;
	return MESS_OK;
}

void
who_write(const struct who *w, char *text)
{
	static const char *const marks[] = { [WHO_EVERYONE] = "*", [WHO_GROUP] = "@", [WHO_USER] = "",
		[WHO_KEY] = "key:" };

	(void)strlcpy(text, marks[w->kind], WHO_TEXT); /* fits by its size */
	(void)strlcat(text, w->name, WHO_TEXT); /* likewise */
}

enum mess_err
who_list_write(const struct who_list *l, struct buf *out)
{
	char text[WHO_TEXT];
	enum mess_err err;

	for (size_t i = 0; i < l->count; i++) {
		who_write(&l->who[i], text);
		if ((err = buf_printf(out, "%s%s", i > 0 ? "," : "", text)) != MESS_OK)
			return err;
	}
	return MESS_OK;
}
