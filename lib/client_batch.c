/* SPDX-License-Identifier: ISC */
/*
 * libmess: many messages that are stored all or not at all: one batch of
 * the engine's, or one file in new/.
 */
#include "client.h"
#include "maildir.h"

/* What one takes at most, whichever way it goes. */
static enum mess_err
check(struct mess *m, const struct mess_message *msgs, size_t count)
{
	size_t bytes = 0;
	enum mess_err err;

	if (count == 0 || count > RECORD_FILE_COUNT)
		return client_fail(m, MESS_TOOBIG, "1 to %d messages are stored together; these are %zu",
		    RECORD_FILE_COUNT, count);
	for (size_t i = 0; i < count; i++) {
		if ((err = client_check_message(m, &msgs[i])) != MESS_OK)
			return err;
		bytes += RECORD_LINE_MAX + msgs[i].headers_len + 1 + msgs[i].body_len + 1;
	}
	if (bytes > RECORD_FILE_MAX)
		return client_fail(m, MESS_TOOBIG, "at most %zu bytes are stored together, %d for each message "
		    "counted; these are %zu", RECORD_FILE_MAX, RECORD_LINE_MAX + 2, bytes);
	return MESS_OK;
}

static enum mess_err
put_file(struct mess *m, const char *topic, const struct mess_message *msgs, size_t count)
{
	AUTO_BUF struct buf b = BUF_INIT(RECORD_FILE_MAX);
	enum mess_err err;

	for (size_t i = 0; i < count; i++)
		if ((err = client_append_record(&b, &msgs[i])) != MESS_OK)
			return client_fail(m, err, "%s", mess_strerror(err));
	err = maildir_put(m->spool_dir, topic, MAILDIR_RECORDS, buf_data(&b), buf_len(&b));
	return err == MESS_OK ? err : client_published(m, client_direct_failed(m, err));
}

static enum mess_err
say_batch(struct mess *m, const char *topic, const struct mess_message *msgs, size_t count)
{
	AUTO_BUF struct buf b = BUF_INIT(PROTOCOL_BATCH_MAX);
	enum mess_err err;

	for (size_t i = 0; i < count; i++)
		if ((err = buf_printf(&b, "%zu %zu\n", msgs[i].headers_len, msgs[i].body_len)) != MESS_OK ||
		    (msgs[i].headers_len > 0 &&
		    (err = buf_append(&b, msgs[i].headers, msgs[i].headers_len)) != MESS_OK) ||
		    (err = buf_append(&b, msgs[i].body, msgs[i].body_len)) != MESS_OK)
			return client_fail(m, err, "%s", mess_strerror(err));
	if ((err = client_resume(m)) != MESS_OK ||
	    (err = client_say(m, PENDING_CALL, "PUBS %s %zu %zu\n", topic, count, buf_len(&b))) != MESS_OK)
		return err;
	return client_add(m, buf_data(&b), buf_len(&b));
}

enum mess_err
mess_publish_all(struct mess *m, const char *topic, const struct mess_message *msgs, size_t count,
    uint64_t *first)
{
	enum mess_err err;
	bool direct;

	m->in_doubt = false;
	if ((err = check(m, msgs, count)) != MESS_OK || (err = client_reach(m, topic, &direct)) != MESS_OK)
		return err;
	if (direct) {
		*first = 0;
		return put_file(m, topic, msgs, count);
	}
	if ((err = say_batch(m, topic, msgs, count)) == MESS_OK)
		err = client_finish_call(m);
	if (err != MESS_OK) {
		m->aborting = m->fd != -1;
		return client_published(m, err);
	}
	/* Which of them were there before the reply does not say. */
	*first = m->call.number[2] == 0 ? m->call.number[0] : 0;
	return MESS_OK;
}
