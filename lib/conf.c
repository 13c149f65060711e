/* SPDX-License-Identifier: ISC */
/*
 * Configuration texts: one directive a line, # begins a comment, and what
 * is not known refuses the whole file.
 */
#include "conf.h"

#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

void
conf_free(struct conf *c)
{
	free(c->spool);
	free(c->socket);
	free(c->user);
	who_list_free(&c->admins);
	for (size_t i = 0; i < c->rule_count; i++)
		rule_free(&c->rules[i]);
	free(c->rules);
	for (size_t i = 0; i < c->limit_count; i++)
		limit_rule_free(&c->limits[i]);
	free(c->limits);
	*c = (struct conf){ 0 };
}

/* A line without its newline, trailing blanks and comment; false at the end. */
static bool
next_line(const char **text, size_t *len, const char **line, size_t *line_len)
{
	const char *nl, *hash;
	size_t n;

	if (*len == 0)
		return false;
	nl = memchr(*text, '\n', *len);
	n = nl == NULL ? *len : (size_t)(nl - *text);
	*line = *text;
	*text += nl == NULL ? n : n + 1;
	*len -= nl == NULL ? n : n + 1;
	if ((hash = memchr(*line, '#', n)) != NULL)
		n = (size_t)(hash - *line);
	while (n > 0 && ((*line)[n - 1] == ' ' || (*line)[n - 1] == '\t'))
		n--;
	*line_len = n;
	return true;
}

static bool
word_is(const char *line, size_t len, const char *word, const char **value, size_t *value_len)
{
	size_t n = strlen(word);

	if (len < n || memcmp(line, word, n) != 0 || (len > n && line[n] != ' ' && line[n] != '\t'))
		return false;
	while (n < len && (line[n] == ' ' || line[n] == '\t'))
		n++;
	*value = line + n;
	*value_len = len - n;
	return true;
}

static const char *
set_string(char **to, const char *value, size_t len, bool path)
{
	if (*to != NULL)
		return "given twice";
	if (len == 0)
		return "a value is missing";
	if (path && value[0] != '/')
		return "the path must begin with /";
	return (*to = strndup(value, len)) == NULL ? "out of memory" : NULL;
}

static const char *
set_sandbox(struct conf *c, const char *value, size_t len)
{
	if (len != 2 || memcmp(value, "no", 2) != 0)
		return "only `sandbox no' can be said";
	c->sandbox = false;
	return NULL;
}

/* A file being read: what it said so far, and why it is refused. */
struct reading {
	struct conf conf;
	const struct who_names *names;
	struct conf_error *error;
};

/* More administrators; the directive may be repeated. */
static enum mess_err
add_admins(struct reading *r, const char *value, size_t len)
{
	struct who_list *all = &r->conf.admins, more = { 0 };
	enum mess_err err;
	struct who *grown;

	if ((err = who_read_list(value, len, r->names, &more, r->error->why)) != MESS_OK)
		return err;
	grown = reallocarray(all->who, all->count + more.count, sizeof *grown);
	if (grown != NULL) {
		memcpy(grown + all->count, more.who, more.count * sizeof *grown);
		all->who = grown;
		all->count += more.count;
	}
	who_list_free(&more);
	return grown != NULL ? MESS_OK : MESS_LIMIT;
}

static enum mess_err
add_rule(struct reading *r, bool deny, const char *value, size_t len)
{
	struct conf *c = &r->conf;
	struct rule *grown;
	enum mess_err err;

	if ((grown = reallocarray(c->rules, c->rule_count + 1, sizeof *grown)) == NULL)
		return MESS_LIMIT;
	c->rules = grown;
	if ((err = rule_read(value, len, r->names, &grown[c->rule_count], r->error->why)) != MESS_OK)
		return err;
	grown[c->rule_count].deny = deny;
	grown[c->rule_count++].line = r->error->line;
	return MESS_OK;
}

static enum mess_err
add_limits(struct reading *r, const char *value, size_t len)
{
	struct conf *c = &r->conf;
	struct limit_rule *grown;
	enum mess_err err;

	if ((grown = reallocarray(c->limits, c->limit_count + 1, sizeof *grown)) == NULL)
		return MESS_LIMIT;
	c->limits = grown;
	if ((err = limit_rule_read(value, len, r->names, &grown[c->limit_count], r->error->why)) != MESS_OK)
		return err;
	grown[c->limit_count++].line = r->error->line;
	return MESS_OK;
}

static enum mess_err
refuse(struct reading *r, const char *why)
{
	if (why == NULL)
		return MESS_OK;
	(void)strlcpy(r->error->why, why, sizeof r->error->why); /* a line of ours fits */
	return MESS_CONFIG;
}

static enum mess_err
directive(struct reading *r, const char *line, size_t len)
{
	const char *v;
	size_t n;

	if (word_is(line, len, "spool", &v, &n))
		return refuse(r, set_string(&r->conf.spool, v, n, true));
	if (word_is(line, len, "socket", &v, &n))
		return refuse(r, set_string(&r->conf.socket, v, n, true));
	if (word_is(line, len, "user", &v, &n))
		return refuse(r, set_string(&r->conf.user, v, n, false));
	if (word_is(line, len, "sandbox", &v, &n))
		return refuse(r, set_sandbox(&r->conf, v, n));
	if (word_is(line, len, "admin", &v, &n))
		return add_admins(r, v, n);
	if (word_is(line, len, "allow", &v, &n))
		return add_rule(r, false, v, n);
	if (word_is(line, len, "deny", &v, &n))
		return add_rule(r, true, v, n);
	if (word_is(line, len, "limit", &v, &n))
		return add_limits(r, v, n);
	return refuse(r, "no such directive");
}

enum mess_err
conf_read(const char *text, size_t len, const struct who_names *names, struct conf *out,
    struct conf_error *error)
{
	struct reading r = { .conf = { .sandbox = true }, .names = names, .error = error };
	bool whole = len == 0 || text[len - 1] == '\n';
	enum mess_err err = MESS_OK;
	const char *line;
	size_t n;

	*error = (struct conf_error){ 0 };
	while (err == MESS_OK && next_line(&text, &len, &line, &n)) {
		error->line++;
		while (n > 0 && (*line == ' ' || *line == '\t')) {
			line++;
			n--;
		}
		if (n > 0)
			err = memchr(line, '\0', n) != NULL ? refuse(&r, "the line has a NUL byte") :
			    directive(&r, line, n);
	}
	/* Half a file may lack just the rule that denies. */
	if (err == MESS_OK && !whole)
		err = refuse(&r, "the last line does not end: is the file whole?");
	if (err == MESS_OK) {
		*out = r.conf;
		return MESS_OK;
	}
	if (error->why[0] == '\0')
		ERR_IGNORE(refuse(&r, mess_strerror(err))); /* it is refused */
	conf_free(&r.conf);
	return MESS_CONFIG;
}
