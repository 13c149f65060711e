/* SPDX-License-Identifier: ISC */
/*
 * mess-topic create, set, pause, resume: a topic and its settings.
 */
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "topic-verb.h"

#define SETTINGS_MAX ((size_t)8192)

/* How the settings' options are written, and what they are called on the wire. */
static const struct setting {
	enum topic_option option;
	enum { DURATION, SIZE, NUMBER, TEXT } kind;
	const char *written, *name;
} settings[] = {
	{ OPT_MAX_AGE, DURATION, "--max-age", "Max-Age" },
	{ OPT_MAX_BYTES, SIZE, "--max-bytes", "Max-Bytes" },
	{ OPT_MAX_MESSAGES, NUMBER, "--max-messages", "Max-Messages" },
	{ OPT_MAX_SIZE, SIZE, "--max-size", "Max-Size" },
	{ OPT_KEEP, DURATION, "--keep", "Keep" },
	{ OPT_MAX_ATTEMPTS, NUMBER, "--max-attempts", "Max-Attempts" },
	{ OPT_FULL, TEXT, "--full", "Full" },
	{ OPT_DESCRIBE, TEXT, "--describe", "Describe" },
	{ OPT_PUBLISH, TEXT, "--publish", "Publish" },
	{ OPT_SUBSCRIBE, TEXT, "--subscribe", "Subscribe" },
	{ OPT_ADMIN, TEXT, "--admin", "Admin" },
};

/* 4096, 64K, 1M, 2G, 1T. */
static bool
read_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	size_t len = strlen(text);
	const char *unit = len > 1 ? strchr(units, text[len - 1]) : NULL;
	unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - units + 1);
	char digits[32];

	if (unit == NULL)
		return cli_number(text, 0, INT64_MAX, out);
	if (len > sizeof digits)
		return false;
	memcpy(digits, text, len - 1);
	digits[len - 1] = '\0';
	if (!cli_number(digits, 0, (uint64_t)INT64_MAX >> shift, out))
		return false;
	*out <<= shift;
	return true;
}

/* none is 0, for all that count. */
static bool
read_count(const struct setting *s, const char *text, uint64_t *out)
{
	uint64_t ms;

	*out = 0;
	if (strcmp(text, "none") == 0)
		return true;
	if (s->kind == SIZE)
		return read_size(text, out);
	if (s->kind == NUMBER)
		return cli_number(text, 0, INT64_MAX, out);
	if (!cli_duration(text, &ms))
		return false;
	*out = ms / 1000 + (ms % 1000 != 0);
	return true;
}

static enum mess_err
add_setting(const struct setting *s, const char *text, struct buf *out)
{
	static const char *const wanted[] = { [DURATION] = "a duration like 90, 5m, 2h or 7d",
		[SIZE] = "a size like 4096, 64K, 1M or 2G", [NUMBER] = "a number" };
	uint64_t n;

	if (s->kind == TEXT) {
		if (strpbrk(text, "\n") != NULL)
			call_usage("%s: one line is enough: %s", s->written, cli_cut(text));
		return buf_printf(out, "%s: %s\n", s->name, text);
	}
	if (!read_count(s, text, &n))
		call_usage("%s: %s, or none; not %s", s->written, wanted[s->kind], cli_cut(text));
	return buf_printf(out, "%s: %llu\n", s->name, (unsigned long long)n);
}

/* The settings' lines that the call asks for, ended by NUL; their number. */
static int
read_settings(const struct topic_call *c, struct buf *out)
{
	int count = 0;

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		if (!call_has(c, settings[i].option))
			continue;
		count++;
		if (add_setting(&settings[i], c->value[settings[i].option], out) != MESS_OK)
			call_usage("%s: too long", settings[i].written);
	}
	if (buf_append(out, "", 1) != MESS_OK)
		call_usage("the settings are too long");
	return count;
}

static int
ended(struct mess *m, enum mess_err err, const char *topic)
{
	return err == MESS_OK ? EX_OK : cli_fail_mess(m, err, "%s", cli_cut(topic));
}

int
verb_create(struct mess *m, const struct topic_call *c)
{
	AUTO_BUF struct buf lines = BUF_INIT(SETTINGS_MAX);
	enum mess_err err;

	(void)read_settings(c, &lines); /* none is as good */
	err = mess_topic_create(m, c->args[0], buf_data(&lines));
	if (err == MESS_OK && c->verbose >= 0 && mess_alike(m) != NULL)
		cli_warn("%s is made; it looks like %s, which is another topic", c->args[0], mess_alike(m));
	return ended(m, err, c->args[0]);
}

int
verb_set(struct mess *m, const struct topic_call *c)
{
	AUTO_BUF struct buf lines = BUF_INIT(SETTINGS_MAX);

	if (read_settings(c, &lines) == 0)
		call_usage("set: what? there are --max-age, --max-bytes, --max-messages, --max-size, "
		    "--keep, --max-attempts, --full, --describe, --publish, --subscribe, --admin");
	return ended(m, mess_topic_set(m, c->args[0], buf_data(&lines)), c->args[0]);
}

/* in, out, or both. */
static int
set_pause(struct mess *m, const struct topic_call *c, const char *verb, const char *word)
{
	AUTO_BUF struct buf lines = BUF_INIT(SETTINGS_MAX);
	const char *way = c->count > 1 ? c->args[1] : NULL;

	if (way != NULL && strcmp(way, "in") != 0 && strcmp(way, "out") != 0)
		call_usage("%s: in or out, or neither for both; not %s", verb, cli_cut(way));
	if (((way == NULL || way[0] == 'i') && buf_printf(&lines, "Pause-In: %s\n", word) != MESS_OK) ||
	    ((way == NULL || way[0] == 'o') && buf_printf(&lines, "Pause-Out: %s\n", word) != MESS_OK) ||
	    buf_append(&lines, "", 1) != MESS_OK)
		return cli_fail(MESS_LIMIT, "%s", verb);
	return ended(m, mess_topic_set(m, c->args[0], buf_data(&lines)), c->args[0]);
}

int
verb_pause(struct mess *m, const struct topic_call *c)
{
	return set_pause(m, c, "pause", "yes");
}

int
verb_resume(struct mess *m, const struct topic_call *c)
{
	return set_pause(m, c, "resume", "no");
}
