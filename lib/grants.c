/* SPDX-License-Identifier: ISC */
/*
 * A topic's own list.
 *
 * In the topic's file users and groups stand with their numbers,
 * `bob=1000,@web=33': both must still be one when it is used, so that a
 * number which was given to somebody new carries nothing over.
 */
#include "grants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct grants *
grants_ref(struct grants *g)
{
	if (g != NULL)
		g->refs++;
	return g;
}

void
grants_unref(struct grants *g)
{
	if (g != NULL && --g->refs == 0)
		free(g);
}

/* With room for more. */
static struct grants *
copy(const struct grants *g, size_t more)
{
	size_t count = g == NULL ? 0 : g->count;
	struct grants *to = calloc(1, sizeof *to + (count + more) * sizeof to->g[0]);

	if (to == NULL)
		return NULL;
	to->refs = 1;
	to->count = count;
	if (count > 0)
		memcpy(to->g, g->g, count * sizeof g->g[0]);
	return to;
}

enum mess_err
grants_nobody(struct grants **out)
{
	return (*out = copy(NULL, 0)) == NULL ? MESS_LIMIT : MESS_OK;
}

/* The place of somebody, or where they would stand. */
static size_t
find(const struct grants *g, const struct who *w, bool *found)
{
	size_t i = 0;
	int order = -1;

	while (i < g->count && (order = who_compare(&g->g[i].who, w)) < 0)
		i++;
	*found = i < g->count && order == 0;
	return i;
}

enum mess_err
grants_add(const struct grants *g, unsigned rights, const struct who_list *who, struct grants **out)
{
	struct grants *to = copy(g, who->count);
	bool found;
	size_t at;

	if (to == NULL)
		return MESS_LIMIT;
	for (size_t i = 0; i < who->count; i++) {
		at = find(to, &who->who[i], &found);
		if (!found) {
			memmove(&to->g[at + 1], &to->g[at], (to->count - at) * sizeof to->g[0]);
			to->g[at] = (struct grant){ .who = who->who[i] };
			to->count++;
		}
		/* Granted again, a name means who has it now. */
		to->g[at].who.id = who->who[i].id;
		to->g[at].rights |= rights;
	}
	if (to->count > GRANTS_MAX) {
		grants_unref(to);
		return MESS_LIMIT;
	}
	*out = to;
	return MESS_OK;
}

/* Who has nothing left leaves the list. */
static struct grants *
shrink(struct grants *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->count; i++)
		if (g->g[i].rights != 0)
			g->g[kept++] = g->g[i];
	g->count = kept;
	if (kept > 0)
		return g;
	grants_unref(g);
	return NULL;
}

enum mess_err
grants_remove(const struct grants *g, unsigned rights, const struct who_list *who, struct grants **out)
{
	struct grants *to = copy(g, 0);
	bool found;
	size_t at;

	if (to == NULL)
		return MESS_LIMIT;
	for (size_t i = 0; i < who->count; i++) {
		at = find(to, &who->who[i], &found);
		if (found)
			to->g[at].rights &= ~rights;
	}
	*out = shrink(to);
	return MESS_OK;
}

enum mess_err
grants_clear(const struct grants *g, enum acl_right right, struct grants **out)
{
	struct grants *to = copy(g, 0);

	if (to == NULL)
		return MESS_LIMIT;
	for (size_t i = 0; i < to->count; i++)
		to->g[i].rights &= ~ACL_BIT(right);
	*out = shrink(to);
	return MESS_OK;
}

enum mess_err
grants_write(const struct grants *g, enum acl_right right, bool numbers, struct buf *out)
{
	const char *comma = "";
	char text[WHO_TEXT];
	enum mess_err err;

	for (size_t i = 0; g != NULL && i < g->count; i++) {
		const struct who *w = &g->g[i].who;

		if ((g->g[i].rights & ACL_BIT(right)) == 0)
			continue;
		who_write(w, text);
		if ((err = buf_printf(out, "%s%s", comma, text)) != MESS_OK)
			return err;
		if (numbers && (w->kind == WHO_USER || w->kind == WHO_GROUP) &&
		    (err = buf_printf(out, "=%u", w->id)) != MESS_OK)
			return err;
		comma = ",";
	}
	return MESS_OK;
}

/* --- reading ------------------------------------------------------------ */

/* One of the file's list: its words and, where it has one, its number. */
static enum mess_err
read_one(const char *text, size_t len, struct who_list *out)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals == NULL ? len : (size_t)(equals - text);
	char why[WHO_WHY], number[16];
	enum mess_err err;

	if ((err = who_read_list(text, name_len, &who_any_names, out, why)) != MESS_OK)
		return err == MESS_LIMIT ? err : MESS_CORRUPT;
	if (equals == NULL)
		return MESS_OK;
	(void)snprintf(number, sizeof number, "%.*s", (int)(len - name_len - 1), equals + 1);
	out->who[0].id = (uint32_t)strtoul(number, NULL, 10); /* what is not a number is written otherwise */
	return MESS_OK;
}

enum mess_err
grants_read(struct grants **g, enum acl_right right, const char *text)
{
	const char *end;
	enum mess_err err;

	do {
		struct who_list one = { 0 };
		struct grants *more;

		end = strchrnul(text, ',');
		if (*g != NULL && (*g)->count >= GRANTS_MAX)
			return MESS_CORRUPT;
		if ((err = read_one(text, (size_t)(end - text), &one)) != MESS_OK)
			return err;
		err = grants_add(*g, ACL_BIT(right), &one, &more);
		who_list_free(&one);
		if (err != MESS_OK)
			return err;
		grants_unref(*g);
		*g = more;
		text = end + 1;
	} while (*end != '\0');
	return MESS_OK;
}
