/* SPDX-License-Identifier: ISC */
/*
 * A topic's file, and its tombstone: only what would have been written is
 * read, so that there is one way to say a thing.
 */
#include "conf_topic.h"

#include <bsd/string.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC_FIRST_LINE "messtopic1"

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
conf_write_grants(const struct conf_topic *t, bool numbers, struct buf *out)
{
	enum mess_err err;

	for (enum acl_right right = ACL_PUBLISH; right <= ACL_ADMIN; right++) {
		AUTO_BUF struct buf list = BUF_INIT(CONF_TOPIC_MAX);

		if ((err = grants_write(t->grants, right, numbers, &list)) != MESS_OK)
			return err;
		if (buf_len(&list) > 0 && (err = buf_printf(out, "%s %.*s\n", who_right_word(right),
		    (int)buf_len(&list), buf_data(&list))) != MESS_OK)
			return err;
	}
	return MESS_OK;
}

void
conf_topic_free(struct conf_topic *t)
{
	grants_unref(t->grants);
	t->grants = NULL;
}

void
conf_topic_copy(struct conf_topic *to, const struct conf_topic *from)
{
	*to = *from;
	(void)grants_ref(to->grants); /* the same */
}

enum mess_err
conf_write_topic(const struct conf_topic *t, struct buf *out)
{
	enum mess_err err;

	if ((err = buf_printf(out, TOPIC_FIRST_LINE "\nowner %u %s\nincarnation %s\ncreated %llu.%09u\n",
	    t->uid, t->login, t->incarnation, (unsigned long long)t->created_sec,
	    t->created_nsec)) != MESS_OK ||
	    (err = conf_write_grants(t, true, out)) != MESS_OK)
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
read_grants(const char *line, struct conf_topic *t)
{
	for (enum acl_right right = ACL_PUBLISH; right <= ACL_ADMIN; right++) {
		const char *word = who_right_word(right);
		size_t n = strlen(word);

		if (strncmp(line, word, n) == 0 && line[n] == ' ')
			return grants_read(&t->grants, right, line + n + 1) == MESS_OK;
	}
	return false;
}

static bool
read_setting(const char *line, struct conf_topic *t)
{
	if (read_grants(line, t))
		return true;
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
	AUTO_BUF struct buf again = BUF_INIT(CONF_TOPIC_MAX);
	AUTO_BUF struct buf copy = BUF_INIT(CONF_TOPIC_MAX);
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
		err = MESS_CORRUPT;
	else if ((err = conf_write_topic(&t, &again)) == MESS_OK &&
	    (buf_len(&again) != len || memcmp(buf_data(&again), text, len) != 0))
		err = MESS_CORRUPT;
	if (err == MESS_OK)
		*out = t;
	else
		conf_topic_free(&t);
	return err;
}
