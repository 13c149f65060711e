/* SPDX-License-Identifier: ISC */
/*
 * libmess: topics, and the engine itself.  Lists and numbers come in pages; the caller gets them
 * as one text.
 */
#include "client.h"

#define TEXT_MAX ((size_t)256 << 20)

/* VERB TOPIC, and the settings' lines behind it. */
static enum mess_err
say_settings(struct mess *m, const char *verb, const char *topic, const char *settings)
{
	size_t len = settings == NULL ? 0 : strlen(settings);
	enum mess_err err;

	if (len > PROTOCOL_OPTIONS_MAX)
		return client_fail(m, MESS_TOOBIG, "settings are at most %zu bytes, not %zu",
		    (size_t)PROTOCOL_OPTIONS_MAX, len);
	if ((err = client_check_topic(m, topic)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "%s %s %zu\n", verb, topic, len)) != MESS_OK ||
	    (err = client_add(m, settings, len)) != MESS_OK)
		return err;
	return client_finish_call(m);
}

enum mess_err
mess_topic_create(struct mess *m, const char *topic, const char *settings)
{
	enum mess_err err;

	if (settings != NULL && *settings != '\0')
		return say_settings(m, "CREATE", topic, settings);
	if ((err = client_check_topic(m, topic)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "CREATE %s\n", topic)) != MESS_OK)
		return err;
	return client_finish_call(m);
}

const char *
mess_alike(const struct mess *m)
{
	return m->call.alike[0] != '\0' ? m->call.alike : NULL;
}

enum mess_err
mess_topic_set(struct mess *m, const char *topic, const char *settings)
{
	return say_settings(m, "SET", topic, settings);
}

enum mess_err
mess_topic_purge(struct mess *m, const char *topic, const struct mess_time *before, uint64_t *count)
{
	enum mess_err err;

	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	err = before == NULL ? client_say(m, PENDING_CALL, "PURGE %s\n", topic) :
	    client_say(m, PENDING_CALL, "PURGE %s %llu.%09u\n", topic,
	    (unsigned long long)before->sec, before->nsec);
	if (err != MESS_OK || (err = client_finish_call(m)) != MESS_OK)
		return err;
	*count = m->call.number[0];
	return MESS_OK;
}

enum mess_err
mess_topic_delete(struct mess *m, const char *topic)
{
	enum mess_err err;

	if ((err = client_check_topic(m, topic)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "DELETE %s\n", topic)) != MESS_OK)
		return err;
	return client_finish_call(m);
}

/* Where the next page of a list begins: after its last line. */
static bool
last_line(const struct buf *page, char *after, size_t size)
{
	const char *data = buf_data(page);
	size_t len = buf_len(page), start;

	if (len == 0 || data[len - 1] != '\n' || len == 1)
		return false;
	for (start = len - 1; start > 0 && data[start - 1] != '\n'; start--)
		;
	if (len - 1 - start >= size)
		return false;
	memcpy(after, data + start, len - 1 - start);
	after[len - 1 - start] = '\0';
	return true;
}

/* The same for numbers: after the topic named last. */
static bool
last_topic(const struct buf *page, char *after, size_t size)
{
	static const char key[] = "topic ";
	const char *end = buf_data(page) + buf_len(page);
	bool found = false;

	for (const char *p = buf_data(page); p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl != NULL ? nl : end) - p), name = len - (sizeof key - 1);

		if (len >= sizeof key && memcmp(p, key, sizeof key - 1) == 0 && name < size) {
			memcpy(after, p + sizeof key - 1, name);
			after[name] = '\0';
			found = true;
		}
		p += len + 1;
	}
	return found;
}

static enum mess_err
finish_text(struct mess *m, struct buf *all, char **out)
{
	enum mess_err err;

	if ((err = buf_append(all, "", 1)) != MESS_OK)
		return client_fail(m, err, "%s", mess_strerror(err));
	*out = strdup(buf_data(all));
	return *out != NULL ? MESS_OK : client_fail(m, MESS_LIMIT, "%s", mess_strerror(MESS_LIMIT));
}

/* VERB WHAT, again with AFTER while the engine has more. */
static enum mess_err
pages(struct mess *m, const char *verb, const char *what,
    bool (*next)(const struct buf *, char *, size_t), char **out)
{
	AUTO_BUF struct buf all = BUF_INIT(TEXT_MAX);
	char after[NAME_TOPIC_MAX + 1] = "";
	enum mess_err err;

	do {
		if ((err = client_say(m, PENDING_TEXT, "%s %s%s%s\n", verb, what,
			after[0] != '\0' ? " " : "", after)) != MESS_OK)
			return err;
		if ((err = client_finish_call(m)) != MESS_OK)
			return err;
		if ((err = buf_append(&all, buf_data(&m->text), buf_len(&m->text))) != MESS_OK)
			return client_fail(m, err, "%s", mess_strerror(err));
	} while (m->call.number[1] != 0 && next != NULL && next(&m->text, after, sizeof after));
	return finish_text(m, &all, out);
}

enum mess_err
mess_topic_list(struct mess *m, const char *pattern, char **out)
{
	const char *why;
	enum mess_err err;

	if (pattern == NULL)
		pattern = "**";
	if ((err = name_check_pattern(pattern, &why)) != MESS_OK)
		return client_fail(m, err, "%s: %s", mess_strerror(err), why);
	return pages(m, "LIST", pattern, last_line, out);
}

enum mess_err
mess_topic_show(struct mess *m, const char *topic, char **out)
{
	enum mess_err err;

	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	return pages(m, "SHOW", topic, NULL, out);
}

enum mess_err
mess_topic_may(struct mess *m, const char *topic, const char *right, const char *login, bool *may,
    char **why)
{
	enum mess_err err;

	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	if (right[strcspn(right, " \n")] != '\0' || login[strcspn(login, " \n")] != '\0' || *login == '\0')
		return client_fail(m, MESS_USAGE, "a right and a login are each one word");
	if ((err = client_say(m, PENDING_TEXT, "CHECK %s %s %s\n", topic, right, login)) != MESS_OK ||
	    (err = client_finish_call(m)) != MESS_OK)
		return err;
	*may = m->call.number[1] != 0;
	return finish_text(m, &m->text, why);
}

enum mess_err
mess_security(struct mess *m, char **out)
{
	enum mess_err err;

	if ((err = client_say(m, PENDING_TEXT, "SECURITY\n")) != MESS_OK ||
	    (err = client_finish_call(m)) != MESS_OK)
		return err;
	return finish_text(m, &m->text, out);
}

enum mess_err
mess_topic_stat(struct mess *m, const char *topic, char **out)
{
	enum mess_err err;

	if (topic == NULL)
		return pages(m, "STAT", "*", last_topic, out);
	if ((err = client_check_topic(m, topic)) != MESS_OK)
		return err;
	return pages(m, "STAT", topic, NULL, out);
}
