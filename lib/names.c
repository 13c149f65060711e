/* SPDX-License-Identifier: ISC */
/*
 * Names.
 *
 * Promise: what passes here is safe as one component of a path and as one
 * word of a line, and means the same to engine and clients.
 */
#include "names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a name is made of, gathered in one walk over its labels. */
struct shape {
	size_t len;
	size_t labels;
	const char *last;	/* label */
	bool wild;		/* some label is * or ** */
};

static enum mess_err
refuse(const char **why, const char *rule)
{
	if (why != NULL)
		*why = rule;
	return MESS_BADNAME;
}

static bool
alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Length of the label at s; it ends at a dot, at the end, or where it is too long. */
static size_t
label_len(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0' && s[n] != '.' && n <= NAME_LABEL_MAX)
		n++;
	return n;
}

static bool
label_is(const char *label, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(label, text, len) == 0;
}

static enum mess_err
check_label(const char *s, size_t len, const char **why)
{
	if (len == 0)
		return refuse(why, "a name is labels joined by single dots, and no label is empty");
	if (len > NAME_LABEL_MAX)
		return refuse(why, "a label is at most 63 bytes");
	for (size_t i = 0; i < len; i++)
		if (!alphanumeric(s[i]) && s[i] != '-' && s[i] != '_')
			return refuse(why, "a label is made of a-z, 0-9, - and _");
	if (!alphanumeric(s[0]) || !alphanumeric(s[len - 1]))
		return refuse(why, "a label starts and ends with a letter or a digit");
	return MESS_OK;
}

/* ** matches any number of labels, so that only the last can be it. */
static enum mess_err
check_pattern_label(const char *s, size_t len, bool *wild, const char **why)
{
	if (label_is(s, len, "**") && s[len] == '.')
		return refuse(why, "** is the last label of a pattern");
	if (label_is(s, len, "*") || label_is(s, len, "**")) {
		*wild = true;
		return MESS_OK;
	}
	return check_label(s, len, why);
}

/* Walk the labels; stops at the first that is one too many. */
static enum mess_err
check_labels(const char *name, bool pattern, struct shape *out, const char **why)
{
	struct shape shape = { 0 };
	const char *s = name;
	enum mess_err err;

	if (*name == '\0')
		return refuse(why, "a name is not empty");
	for (;; s++) {
		size_t n = label_len(s);

		err = pattern ? check_pattern_label(s, n, &shape.wild, why) : check_label(s, n, why);
		if (err != MESS_OK)
			return err;
		shape.last = s;
		s += n;
		if (++shape.labels > NAME_TOPIC_LABELS || *s == '\0')
			break;
	}
	shape.len = (size_t)(s - name);
	*out = shape;
	return MESS_OK;
}

static enum mess_err
check_name(const char *name, bool pattern, const char **why)
{
	struct shape shape;
	enum mess_err err;
	bool dead;

	if ((err = check_labels(name, pattern, &shape, why)) != MESS_OK)
		return err;
	/* Every name leaves room for the .dead that the engine may add to it. */
	dead = strcmp(shape.last, "dead") == 0;
	if (shape.labels > NAME_TOPIC_LABELS - (dead ? 0 : 1))
		return refuse(why, "a name is at most 7 labels");
	if (shape.len > (dead ? NAME_TOPIC_MAX : NAME_TOPIC_USER_MAX))
		return refuse(why, "a name is at most 195 bytes");
	return MESS_OK;
}

enum mess_err
name_check_topic(const char *name, const char **why)
{
	return check_name(name, false, why);
}

enum mess_err
name_check_pattern(const char *pattern, const char **why)
{
	return check_name(pattern, true, why);
}

enum mess_err
name_check_sub(const char *name, const char **why)
{
	size_t n = label_len(name);

	if (*name == '\0')
		return refuse(why, "a name is not empty");
	if (name[n] == '.')
		return refuse(why, "a subscription's name is one label, without dots");
	return check_label(name, n, why);
}

enum mess_err
name_check_sub_of(const char *name, const char **why)
{
	const char *slash = strchr(name, '/');

	if (slash == NULL)
		return name_check_sub(name, why);
	if (slash == name || slash - name > NAME_LOGIN_MAX)
		return refuse(why, "somebody's subscription is LOGIN/NAME");
	for (const char *p = name; p < slash; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return refuse(why, "a login has no blanks and no control characters");
	return name_check_sub(slash + 1, why);
}

enum mess_err
name_check_sub_file(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	char *end;

	if (name[digits] != '.')
		return name_check_sub(name, NULL);
	/* One way to write a number, and one that is a uid. */
	if (digits == 0 || digits > 10 || (name[0] == '0' && digits > 1) ||
	    strtoull(name, &end, 10) >= UINT32_MAX)
		return MESS_BADNAME;
	return name_check_sub(name + digits + 1, NULL);
}

static const char *
last_label(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot == NULL ? name : dot + 1;
}

enum mess_err
name_check_new_topic(const char *name, const char **why)
{
	enum mess_err err;

	if ((err = name_check_topic(name, why)) != MESS_OK)
		return err;
	if (label_is(name, label_len(name), "mess"))
		return refuse(why, "names that start with the label mess are the engine's");
	if (strcmp(name, "user") == 0)
		return refuse(why, "user is the engine's; user.LOGIN.NAME is yours");
	if (strcmp(last_label(name), "dead") == 0)
		return refuse(why, "names that end with the label dead are the engine's");
	return MESS_OK;
}

/* Labels that a wildcard does not stand for: they have to be spelled. */
static bool
must_be_spelled(const char *label, size_t len, bool first)
{
	if (first && (label_is(label, len, "mess") || label_is(label, len, "user")))
		return true;
	return label[len] == '\0' && label_is(label, len, "dead");
}

bool
name_match(const char *pattern, const char *name)
{
	for (bool first = true;; first = false) {
		size_t plen = label_len(pattern), nlen = label_len(name);

		if (label_is(pattern, plen, "**"))
			return !must_be_spelled(name, nlen, first) &&
			    strcmp(last_label(name), "dead") != 0;
		if (label_is(pattern, plen, "*")) {
			if (must_be_spelled(name, nlen, first))
				return false;
		} else if (plen != nlen || memcmp(pattern, name, plen) != 0) {
			return false;
		}
		pattern += plen;
		name += nlen;
		if (*pattern == '\0' || *name == '\0')
			return *pattern == *name;
		pattern++;
		name++;
	}
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits from a to b, or most when they are more; tries 3^most ways at worst. */
static size_t
edits(const char *a, const char *b, size_t most)
{
	size_t ways;

	if (most == 0)
		return 0;
	for (; *a != '\0' && *a == *b; a++)
		b++;
	if (*a == '\0' || *b == '\0')
		return least(strlen(a) + strlen(b), most);
	ways = edits(a + 1, b + 1, most - 1);
	ways = least(ways, edits(a + 1, b, most - 1));
	ways = least(ways, edits(a, b + 1, most - 1));
	return ways + 1;
}

unsigned
name_distance(const char *a, const char *b)
{
	return (unsigned)edits(a, b, 3);
}

/* --- looking alike ------------------------------------------------------ */

static bool
is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

/* As a hurried reader sees it; out is as large as the name. */
static void
write_look(const char *name, char *out)
{
	char *to = out;

	for (const char *at = name; *at != '\0'; at++) {
		char look = *at == '0' ? 'o' : *at == '1' || *at == 'i' ? 'l' :
		    *at == '_' || *at == '.' ? '-' : *at;

		if ((at[0] == 'r' && at[1] == 'n') || (at[0] == 'v' && at[1] == 'v')) {
			look = *at++ == 'r' ? 'm' : 'w';
		} else if (at > name && at[0] == at[-1] && (is_letter(*at) || look == '-')) {
			continue; /* once or twice */
		}
		*to++ = look;
	}
	*to = '\0';
}

static bool
looks_like(const char *a, const char *b)
{
	char look[NAME_TOPIC_MAX + 1], other[NAME_TOPIC_MAX + 1];

	write_look(a, look);
	write_look(b, other);
	return strcmp(look, other) == 0;
}

/* Of the label that at is in. */
static size_t
label_around(const char *name, size_t at)
{
	size_t from = at;

	while (from > 0 && name[from - 1] != '.')
		from--;
	return label_len(name + from);
}

/* One letter more, one fewer, another one, or two that changed places. */
static bool
is_mistyped(const char *a, const char *b)
{
	size_t alen = strlen(a), blen = strlen(b), same = 0, end = 0, more, fewer;

	while (a[same] != '\0' && a[same] == b[same])
		same++;
	while (end < alen - same && end < blen - same && a[alen - 1 - end] == b[blen - 1 - end])
		end++;
	more = alen - same - end;
	fewer = blen - same - end;
	if (label_around(alen > blen ? a : b, same) < 4)
		return false;
	for (size_t i = 0; i < more; i++)
		if (!is_letter(a[same + i]))
			return false;
	for (size_t i = 0; i < fewer; i++)
		if (!is_letter(b[same + i]))
			return false;
	return (more <= 1 && fewer <= 1) ||
	    (more == 2 && fewer == 2 && a[same] == b[same + 1] && a[same + 1] == b[same]);
}

bool
name_is_alike(const char *a, const char *b)
{
	return strcmp(a, b) != 0 && (looks_like(a, b) || is_mistyped(a, b));
}
