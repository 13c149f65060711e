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
	struct who_word rights, who, on, pattern, more;
	const char *rule;
	struct rule r = { 0 };
	enum mess_err err;

	if (!who_next_word(&text, &len, &rights) || !who_next_word(&text, &len, &who) ||
	    !who_next_word(&text, &len, &on) || on.len != 2 || memcmp(on.at, "on", 2) != 0 ||
	    !who_next_word(&text, &len, &pattern) || who_next_word(&text, &len, &more))
		rule = form;
	else if ((rule = who_read_rights(rights.at, rights.len, &r.rights)) == NULL)
		rule = read_pattern(&r, pattern.at, pattern.len);
	if (rule != NULL) {
		(void)snprintf(why, WHO_WHY, "%s", rule); /* rules fit */
		return MESS_BADDATA;
	}
	if ((err = who_read_list(who.at, who.len, names, &r.who, why)) != MESS_OK)
		return err;
	*out = r;
	return MESS_OK;
}

enum mess_err
rule_write(const struct rule *r, struct buf *out)
{
	const char *comma = "";
	enum mess_err err;

	if ((err = buf_printf(out, r->deny ? "deny " : "allow ")) != MESS_OK)
		return err;
	for (unsigned right = 0; right < ACL_RIGHTS; right++)
		if ((r->rights & ACL_BIT(right)) != 0) {
			if ((err = buf_printf(out, "%s%s", comma, who_right_word(right))) != MESS_OK)
				return err;
			comma = ",";
		}
	if ((err = buf_printf(out, " ")) != MESS_OK || (err = who_list_write(&r->who, out)) != MESS_OK)
		return err;
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
