/* SPDX-License-Identifier: ISC */
/*
 * A site's rules as words.
 */
#include "rule.h"

#include <stdio.h>
#include <string.h>

void
rule_free(struct rule *r)
{
	who_list_free(&r->who);
}

/* The next word between blanks; false at the end. */
static bool
next_word(const char **text, size_t *len, const char **word, size_t *word_len)
{
	size_t n = 0;

	while (*len > 0 && (**text == ' ' || **text == '\t')) {
		(*text)++;
		(*len)--;
	}
	while (n < *len && (*text)[n] != ' ' && (*text)[n] != '\t')
		n++;
	*word = *text;
	*word_len = n;
	*text += n;
	*len -= n;
	return n > 0;
}

static const char *
read_pattern(struct rule *r, const char *text, size_t len)
{
	const char *why = "too long for a pattern";

	if (len >= sizeof r->pattern)
		return why;
	memcpy(r->pattern, text, len);
	r->pattern[len] = '\0';
	return name_check_pattern(r->pattern, &why) == MESS_OK ? NULL : why;
}

enum mess_err
rule_read(const char *text, size_t len, const struct who_names *names, struct rule *out, char *why)
{
	static const char form[] = "a rule is RIGHT,... WHO,... on PATTERN";
	const char *rights, *who, *on, *pattern, *more, *rule;
	size_t rights_len, who_len, on_len, pattern_len, more_len;
	struct rule r = { 0 };
	enum mess_err err;

	if (!next_word(&text, &len, &rights, &rights_len) || !next_word(&text, &len, &who, &who_len) ||
	    !next_word(&text, &len, &on, &on_len) || on_len != 2 || memcmp(on, "on", 2) != 0 ||
	    !next_word(&text, &len, &pattern, &pattern_len) || next_word(&text, &len, &more, &more_len))
		rule = form;
	else if ((rule = who_read_rights(rights, rights_len, &r.rights)) == NULL)
		rule = read_pattern(&r, pattern, pattern_len);
	if (rule != NULL) {
		(void)snprintf(why, WHO_WHY, "%s", rule); /* rules fit */
		return MESS_BADDATA;
	}
	if ((err = who_read_list(who, who_len, names, &r.who, why)) != MESS_OK)
		return err;
	*out = r;
	return MESS_OK;
}

enum mess_err
rule_write(const struct rule *r, struct buf *out)
{
	const char *comma = "";
	char text[WHO_TEXT];
	enum mess_err err;

	if ((err = buf_printf(out, r->deny ? "deny " : "allow ")) != MESS_OK)
		return err;
	for (unsigned right = 0; right < ACL_RIGHTS; right++)
		if ((r->rights & ACL_BIT(right)) != 0) {
			if ((err = buf_printf(out, "%s%s", comma, who_right_word(right))) != MESS_OK)
				return err;
			comma = ",";
		}
	comma = " ";
	for (size_t i = 0; i < r->who.count; i++) {
		who_write(&r->who.who[i], text);
		if ((err = buf_printf(out, "%s%s", comma, text)) != MESS_OK)
			return err;
		comma = ",";
	}
	return buf_printf(out, " on %s", r->pattern);
}

/* 0 for a word, 1 for `*', 2 for `**'; steps over the label. */
static int
label_rank(const char **p)
{
	const char *label = *p;
	size_t n = strcspn(label, ".");

	*p += n + (label[n] == '.');
	if (label[0] != '*')
		return 0;
	return n == 1 ? 1 : 2;
}

int
rule_compare_patterns(const char *a, const char *b)
{
	while (*a != '\0' && *b != '\0') {
		int x = label_rank(&a), y = label_rank(&b);

		if (x != y)
			return x - y;
	}
	return 0; /* both match one name, so both end here */
}
