/* SPDX-License-Identifier: ISC */
/*
 * mess-topic import: the tar of a maildir.  mess-untar reads the archive and
 * gives us its messages, each a line with its length and then its bytes: so
 * mess-topic itself is not linked with what reads archives, and what reads
 * archives can publish nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "topic-import.h"

#define LINE_MAX_LEN ((size_t)8192)	/* a length, or a sentence with a file's name in it */
#define HEX_MAX (2 * IMPORT_START + 1)

/* The program beside this one, as in a build tree, else the installed one. */
static char *
find_untar(void)
{
	AUTO_FREE char *self = realpath("/proc/self/exe", NULL);
	char *slash = self != NULL ? strrchr(self, '/') : NULL;
	AUTO_FREE char *beside = NULL;

	if (slash != NULL) {
		*slash = '\0';
		if (asprintf(&beside, "%s/mess-untar", self) == -1)
			beside = NULL;
	}
	if (beside != NULL && access(beside, X_OK) == 0)
		return TAKE(beside, NULL);
	return strdup(LIBEXECDIR "/mess/mess-untar");
}

/* The bytes of the input that were read already go along as a word. */
static void
as_hex(const struct import *i, char *out)
{
	for (size_t k = 0; k < buf_len(&i->in); k++)
		out += sprintf(out, "%02x", (unsigned char)buf_data(&i->in)[k]);
	*out = '\0';
}

/* Its standard input is ours; *out is where it writes. */
static enum mess_err
start(struct import *i, pid_t *pid, int *out)
{
	AUTO_FREE char *program = find_untar();
	char hex[HEX_MAX];
	int ends[2];

	if (program == NULL || pipe2(ends, O_CLOEXEC) == -1)
		return import_bad(i, MESS_SYSTEM, "a pipe: %s", strerror(errno));
	as_hex(i, hex);
	if ((*pid = fork()) == 0) {
		if (dup2(ends[1], STDOUT_FILENO) != -1)
			(void)execl(program, "mess-untar", hex, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	if (*pid == -1) {
		(void)close(ends[0]);
		return import_bad(i, MESS_SYSTEM, "fork: %s", strerror(errno));
	}
	*out = ends[0];
	return MESS_OK;
}

/* ---- what it says ---- */

/* The next line of it, in line; *more is false at its end. */
static enum mess_err
next_line(struct import *i, char *line, bool *more)
{
	const char *nl;
	enum mess_err err;
	size_t len;

	while (buf_len(&i->in) == 0 ||
	    (nl = memchr(buf_data(&i->in), '\n', buf_len(&i->in))) == NULL) {
		if (i->eof || buf_len(&i->in) >= LINE_MAX_LEN)
			return import_bad(i, MESS_SYSTEM, "mess-untar, which reads archives, failed");
		if ((err = import_more(i)) != MESS_OK)
			return err;
	}
	len = (size_t)(nl - buf_data(&i->in));
	if (len >= LINE_MAX_LEN)
		return import_bad(i, MESS_SYSTEM, "mess-untar, which reads archives, failed");
	memcpy(line, buf_data(&i->in), len);
	line[len] = '\0';
	buf_consume(&i->in, len + 1);
	*more = strcmp(line, "end") != 0;
	return MESS_OK;
}

static enum mess_err
small_file(struct import *i, size_t len)
{
	struct mess_message msg = { .body_len = len };
	enum mess_err err;

	while (buf_len(&i->in) < len) {
		if (i->eof)
			return import_bad(i, MESS_BADDATA, "the archive ends within it");
		if ((err = import_more(i)) != MESS_OK)
			return err;
	}
	msg.body = len > 0 ? buf_data(&i->in) : "";
	if ((err = import_message(i, &msg)) == MESS_OK)
		buf_consume(&i->in, len);
	return err;
}

static enum mess_err
large_file(struct import *i, uint64_t len)
{
	enum mess_err err;

	if ((err = import_begin(i, NULL, 0)) != MESS_OK || (err = import_body(i, len, NULL)) != MESS_OK)
		return err;
	return import_end(i);
}

static enum mess_err
take_files(struct import *i)
{
	char line[LINE_MAX_LEN];
	bool more = true;
	enum mess_err err;
	uint64_t len;

	while ((err = next_line(i, line, &more)) == MESS_OK && more) {
		if (line[0] == '?')
			cli_warn("%s: %s", i->topic, line + 1);
		else if (line[0] == '!')
			return import_bad(i, MESS_BADDATA, "%s", line + 1);
		else if (!cli_number(line, 0, INT64_MAX, &len))
			return import_bad(i, MESS_SYSTEM, "mess-untar, which reads archives, failed");
		else if ((err = len <= MESS_INLINE_MAX ? small_file(i, (size_t)len) : large_file(i, len)) != MESS_OK)
			return err;
	}
	return err;
}

enum mess_err
import_tar(struct import *i)
{
	enum mess_err err;
	pid_t pid;
	int fd = i->fd;

	i->unit = "file";
	if ((err = start(i, &pid, &i->fd)) != MESS_OK)
		return err;
	buf_reset(&i->in, 0);
	i->eof = false;
	err = take_files(i);
	fd_close(&i->fd); /* one that is still writing gets SIGPIPE */
	i->fd = fd;
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	return err;
}
