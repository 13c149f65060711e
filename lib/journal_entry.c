/* SPDX-License-Identifier: ISC */
/*
 * The journal as bytes.  What does not check is nothing: no entry of an
 * older turn, and no copy of one inside a message, has the key of this one.
 */
#include "journal_entry.h"

#include <stdio.h>
#include <xxhash.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/le.h"

#define DIR_NAME ".journal"
#define LINE_LEN 84			/* "messjournal1 KEY FIRST SUM\n" */
#define RETIRED "retired     "		/* over the line's first word */

const char *const journal_half_name[2] = { "a", "b" };

enum mess_err
journal_open_dir(int spool, int *out)
{
	enum mess_err err;

	if ((err = fs_make_dir(spool, DIR_NAME)) != MESS_OK)
		return err;
	return fs_open_dir(spool, DIR_NAME, out);
}

/* --- the first line ---------------------------------------------------- */

int
journal_write_line(int fd, const unsigned char *key, uint64_t first)
{
	char line[LINE_LEN + 1], hex[2 * JOURNAL_ID_LEN + 1];
	int n;

	for (int i = 0; i < JOURNAL_ID_LEN; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", key[i]); /* two digits always */
	n = snprintf(line, sizeof line, "messjournal1 %s %020llu ", hex, (unsigned long long)first);
	n += snprintf(line + n, sizeof line - (size_t)n, "%016llx\n",
	    (unsigned long long)XXH3_64bits(line, (size_t)n));
	return fd_pwrite_all(fd, line, (size_t)n, 0);
}

enum mess_err
journal_read_line(int fd, unsigned char *key, uint64_t *first)
{
	char line[LINE_LEN + 1] = "", hex[33];
	unsigned long long number, sum;
	int end = 0;
	ssize_t n;

	if ((n = fd_pread_full(fd, line, LINE_LEN, 0)) == -1)
		return MESS_IO;
	if (n != LINE_LEN ||
	    sscanf(line, "messjournal1 %32[0-9a-f] %20llu %n%16llx\n", hex, &number, &end, &sum) != 3 ||
	    XXH3_64bits(line, (size_t)end) != sum)
		return MESS_CORRUPT;
	for (int i = 0; i < JOURNAL_ID_LEN; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &key[i]) != 1)
			return MESS_CORRUPT;
	*first = number;
	return MESS_OK;
}

enum mess_err
journal_retire(int fd)
{
	if (fd == -1)
		return MESS_OK;
	return pwrite(fd, RETIRED, sizeof RETIRED - 1, 0) == sizeof RETIRED - 1 &&
	    fdatasync(fd) == 0 ? MESS_OK : MESS_IO;
}

/* --- entries ------------------------------------------------------------ */

static uint64_t
entry_sum(const char *entry, size_t payload)
{
	return XXH3_64bits_withSeed(entry + JOURNAL_HEAD_LEN, payload,
	    XXH3_64bits(entry, JOURNAL_HEAD_LEN - 8));
}

void
journal_seal_entry(char *entry, size_t len, const unsigned char *key, uint64_t number)
{
	size_t payload = len - JOURNAL_HEAD_LEN;

	memcpy(entry, key, JOURNAL_ID_LEN);
	le64_put(entry + 16, number);
	le32_put(entry + 24, (uint32_t)payload);
	le32_put(entry + 28, 0);
	le64_put(entry + 32, entry_sum(entry, payload));
}

size_t
journal_check_entry(const char *p, size_t left, const unsigned char *key, uint64_t number)
{
	size_t payload;

	if (left < JOURNAL_HEAD_LEN || memcmp(p, key, JOURNAL_ID_LEN) != 0 || le64_get(p + 16) != number)
		return 0;
	payload = le32_get(p + 24);
	if (payload > left - JOURNAL_HEAD_LEN || le64_get(p + 32) != entry_sum(p, payload))
		return 0;
	return JOURNAL_HEAD_LEN + payload;
}

static bool
walk_file(struct journal_walk *w)
{
	size_t topic, sub;

	if (w->left < JOURNAL_FILE_LEN)
		return false;
	topic = (unsigned char)w->p[2];
	sub = (unsigned char)w->p[3];
	if (topic > NAME_TOPIC_MAX || sub > NAME_SUB_MAX || w->left < JOURNAL_FILE_LEN + topic + sub)
		return false;
	w->name = (struct journal_name){ .kind = (unsigned char)w->p[1], .first = le64_get(w->p + 20) };
	memcpy(w->name.id, w->p + 4, JOURNAL_ID_LEN);
	memcpy(w->name.topic, w->p + JOURNAL_FILE_LEN, topic);
	memcpy(w->name.sub, w->p + JOURNAL_FILE_LEN + topic, sub);
	w->p += JOURNAL_FILE_LEN + topic + sub;
	w->left -= JOURNAL_FILE_LEN + topic + sub;
	return true;
}

bool
journal_walk(struct journal_walk *w, struct journal_piece *out)
{
	while (w->left > 0 && w->p[0] == JOURNAL_ITEM_FILE)
		if (!walk_file(w))
			return false;
	if (w->left < JOURNAL_PUT_LEN || w->p[0] != JOURNAL_ITEM_PUT)
		return false;
	*out = (struct journal_piece){ .off = le64_get(w->p + 8), .data = w->p + JOURNAL_PUT_LEN,
		.len = le32_get(w->p + 4) };
	if (out->len > w->left - JOURNAL_PUT_LEN)
		return false;
	w->p += JOURNAL_PUT_LEN + out->len;
	w->left -= JOURNAL_PUT_LEN + out->len;
	return true;
}
