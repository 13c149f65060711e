/* SPDX-License-Identifier: ISC */
/*
 * Configuration texts: one directive a line, # begins a comment, and what
 * is not known refuses the whole file.
 */
#include "conf.h"

#include <bsd/string.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC_FIRST_LINE "messtopic1"

void
conf_free(struct conf *c)
{
	free(c->spool);
	free(c->socket);
	free(c->user);
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
	if (memchr(value, '\0', len) != NULL)
		return "the value has a NUL byte";
	if (path && value[0] != '/')
		return "the path must begin with /";
	return (*to = strndup(value, len)) == NULL ? "out of memory" : NULL;
}

static const char *
directive(struct conf *c, const char *line, size_t len)
{
	const char *v;
	size_t n;

	if (word_is(line, len, "spool", &v, &n))
		return set_string(&c->spool, v, n, true);
	if (word_is(line, len, "socket", &v, &n))
		return set_string(&c->socket, v, n, true);
	if (word_is(line, len, "user", &v, &n))
		return set_string(&c->user, v, n, false);
	if (word_is(line, len, "sandbox", &v, &n)) {
		if (n != 2 || memcmp(v, "no", 2) != 0)
			return "only `sandbox no' can be said";
		c->sandbox = false;
		return NULL;
	}
	return "no such directive";
}

enum mess_err
conf_read(const char *text, size_t len, struct conf *out, struct conf_error *error)
{
	struct conf c = { .sandbox = true };
	const char *line;
	size_t n;

	*error = (struct conf_error){ 0 };
	while (next_line(&text, &len, &line, &n)) {
		error->line++;
		while (n > 0 && (*line == ' ' || *line == '\t')) {
			line++;
			n--;
		}
		if (n > 0 && (error->why = directive(&c, line, n)) != NULL) {
			conf_free(&c);
			return MESS_CONFIG;
		}
	}
	*out = c;
	return MESS_OK;
}

/* --- a topic's file ----------------------------------------------------- */

#define CENTURY ((uint64_t)100 * 366 * 24 * 3600)

const struct conf_number conf_numbers[CONF_NUMBERS] = {
	{ "max-age", offsetof(struct conf_topic, max_age), 1, CENTURY },
	{ "max-bytes", offsetof(struct conf_topic, max_bytes), 64 * 1024, INT64_MAX },
	{ "max-messages", offsetof(struct conf_topic, max_messages), 1, INT64_MAX },
	{ "max-size", offsetof(struct conf_topic, max_size), 1, INT64_MAX },
	{ "keep", offsetof(struct conf_topic, keep), 1, CENTURY },
	{ "max-attempts", offsetof(struct conf_topic, max_attempts), 1, 65535 },
};

uint64_t
conf_number(const struct conf_topic *t, const struct conf_number *n)
{
	uint64_t value;

	memcpy(&value, (const char *)t + n->offset, sizeof value);
	return value;
}

void
conf_set_number(struct conf_topic *t, const struct conf_number *n, uint64_t value)
{
	memcpy((char *)t + n->offset, &value, sizeof value);
}

const char *
conf_paused(const struct conf_topic *t)
{
	if (t->paused_in)
		return t->paused_out ? "both" : "in";
	return t->paused_out ? "out" : "no";
}

enum mess_err
conf_write_settings(const struct conf_topic *t, struct buf *out)
{
	enum mess_err err;
	uint64_t value;

	for (size_t i = 0; i < CONF_NUMBERS; i++)
		if ((value = conf_number(t, &conf_numbers[i])) != 0 &&
		    (err = buf_printf(out, "%s %llu\n", conf_numbers[i].word,
		    (unsigned long long)value)) != MESS_OK)
			return err;
	if (t->full_drop && (err = buf_printf(out, "full drop-oldest\n")) != MESS_OK)
		return err;
	if ((t->paused_in || t->paused_out) &&
	    (err = buf_printf(out, "paused %s\n", conf_paused(t))) != MESS_OK)
		return err;
	return t->describe[0] == '\0' ? MESS_OK : buf_printf(out, "describe %s\n", t->describe);
}

enum mess_err
conf_write_topic(const struct conf_topic *t, struct buf *out)
{
	enum mess_err err;

	if ((err = buf_printf(out, TOPIC_FIRST_LINE "\nowner %u %s\nincarnation %s\ncreated %llu.%09u\n",
	    t->uid, t->login, t->incarnation, (unsigned long long)t->created_sec,
	    t->created_nsec)) != MESS_OK)
		return err;
	return conf_write_settings(t, out);
}

static bool
read_number(const char *line, struct conf_topic *t)
{
	size_t n;

	for (size_t i = 0; i < CONF_NUMBERS; i++) {
		const struct conf_number *c = &conf_numbers[i];
		uint64_t value;

		n = strlen(c->word);
		if (strncmp(line, c->word, n) != 0 || line[n] != ' ')
			continue;
		value = strtoull(line + n + 1, NULL, 10);
		if (value < c->least || value > c->most)
			return false;
		conf_set_number(t, c, value);
		return true;
	}
	return false;
}

static bool
read_setting(const char *line, struct conf_topic *t)
{
	if (strncmp(line, "describe ", 9) == 0)
		return strlcpy(t->describe, line + 9, sizeof t->describe) < sizeof t->describe;
	if (strcmp(line, "full drop-oldest") == 0)
		return t->full_drop = true;
	if (strncmp(line, "paused ", 7) != 0)
		return read_number(line, t);
	t->paused_in = strcmp(line + 7, "out") != 0;
	t->paused_out = strcmp(line + 7, "in") != 0;
	return true;
}

/* Lines of a text that ends with NUL; each ends where its newline was. */
static bool
read_settings(char *text, struct conf_topic *t)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL && *line != '\0')
		if (!read_setting(line, t))
			return false;
	return true;
}

/* Only what conf_write_topic would have written is a topic's file. */
enum mess_err
conf_read_topic(const char *text, size_t len, struct conf_topic *out)
{
	AUTO_BUF struct buf again = BUF_INIT(CONF_TEXT_MAX);
	AUTO_BUF struct buf copy = BUF_INIT(CONF_TEXT_MAX);
	struct conf_topic t = { 0 };
	unsigned long long sec;
	enum mess_err err;
	int used = 0;

	if ((err = buf_append(&copy, text, len)) != MESS_OK ||
	    (err = buf_append(&copy, "", 1)) != MESS_OK)
		return err;
	if (sscanf(buf_data(&copy), TOPIC_FIRST_LINE "\nowner %u %64s\nincarnation %32s\ncreated %llu.%9u\n%n",
	    &t.uid, t.login, t.incarnation, &sec, &t.created_nsec, &used) != 5 || used == 0)
		return MESS_CORRUPT;
	t.created_sec = sec;
	if (!read_settings(buf_data(&copy) + used, &t))
		return MESS_CORRUPT;
	if ((err = conf_write_topic(&t, &again)) != MESS_OK)
		return err;
	if (buf_len(&again) != len || memcmp(buf_data(&again), text, len) != 0)
		return MESS_CORRUPT;
	*out = t;
	return MESS_OK;
}
