/* SPDX-License-Identifier: ISC */
/*
 * mess-untar: what mess-topic import runs to read the tar of a maildir.
 *
 * Standard input is the archive, behind the bytes that the one argument has
 * in hex.  Standard output: for each regular file right below a directory
 * new or cur a line with its length, then its bytes; then the line `end'.  A
 * line that begins with ? is a warning, one with ! the reason to stop.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define START_MAX 64
#define PIECE (64 * 1024)

struct untar {
	struct archive *archive;
	unsigned char start[START_MAX];	/* of the input: read by who started us */
	size_t start_len;
	char piece[PIECE];
	unsigned long long files;
};

/* One line; a name's newline must not end it. */
static void say(char kind, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
say(char kind, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		text = NULL;
	va_end(ap);
	if (text != NULL)
		for (char *p = text; (p = strchr(p, '\n')) != NULL;)
			*p = ' ';
	printf("%c%.4000s\n", kind, text != NULL ? text : "out of memory");
	free(text);
}

static _Noreturn void
stop(const char *why)
{
	say('!', "%s", why);
	(void)fflush(stdout); /* whoever reads it sees that no end came */
	exit(EX_DATAERR);
}

/* ---- the input ---- */

static la_ssize_t
read_input(struct archive *a, void *arg, const void **out)
{
	struct untar *u = arg;
	ssize_t n;

	if (u->start_len > 0) {
		*out = u->start;
		n = (ssize_t)u->start_len;
		u->start_len = 0;
		return n;
	}
	do
		n = read(STDIN_FILENO, u->piece, sizeof u->piece);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		archive_set_error(a, errno, "reading the input: %s", strerror(errno));
	*out = u->piece;
	return n;
}

static bool
read_start(struct untar *u, const char *hex)
{
	unsigned byte;

	for (; *hex != '\0'; hex += 2) {
		if (u->start_len == START_MAX || sscanf(hex, "%2x", &byte) != 1 || hex[1] == '\0')
			return false;
		u->start[u->start_len++] = (unsigned char)byte;
	}
	return true;
}

/* tar, packed in the usual ways; nothing that runs another program. */
static void
open_archive(struct untar *u)
{
	if ((u->archive = archive_read_new()) == NULL)
		stop("out of memory");
	if (archive_read_support_format_tar(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_gzip(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_bzip2(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_xz(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_filter_zstd(u->archive) < ARCHIVE_WARN)
		stop("libarchive cannot read tar");
	if (archive_read_open(u->archive, u, NULL, read_input, NULL) != ARCHIVE_OK)
		stop("this is neither records nor a tar archive");
}

/* ---- the files ---- */

/* Is it DIR/new/FILE or DIR/cur/FILE? */
static bool
is_message(const char *path)
{
	const char *slash = strrchr(path, '/'), *dir;

	if (slash == NULL || slash[1] == '\0' || slash - path < 3)
		return false;
	dir = slash - 3;
	if (dir != path && dir[-1] != '/')
		return false;
	return strncmp(dir, "new", 3) == 0 || strncmp(dir, "cur", 3) == 0;
}

static void
put_file(struct untar *u, la_int64_t size)
{
	static char piece[PIECE];
	la_int64_t left = size;
	la_ssize_t n;

	printf("%lld\n", (long long)size);
	while (left > 0) {
		n = archive_read_data(u->archive, piece, left < PIECE ? (size_t)left : PIECE);
		if (n <= 0) /* its length was said: no word can come now */
			exit(EX_DATAERR);
		if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
			exit(EX_IOERR);
		left -= n;
	}
	u->files++;
}

static void
take_entry(struct untar *u, struct archive_entry *e)
{
	const char *path = archive_entry_pathname(e), *link = archive_entry_hardlink(e);

	if (path == NULL)
		say('?', "a file whose name does not read is left out");
	else if (!is_message(path))
		return;
	else if (link != NULL)
		say('?', "%s is in the archive as %s, and not once more", path, link);
	else if (archive_entry_filetype(e) == AE_IFREG)
		put_file(u, archive_entry_size(e));
	else if (archive_entry_filetype(e) != AE_IFDIR)
		say('?', "%s is no regular file: left out", path);
}

int
main(int argc, char *argv[])
{
	static struct untar u;
	struct archive_entry *e;
	int got;

	(void)setlocale(LC_CTYPE, ""); /* names are bytes to us: any will do */
	if (argc != 2 || !read_start(&u, argv[1])) {
		(void)fprintf(stderr, "mess-untar: mess-topic import runs this\n");
		return EX_USAGE;
	}
	open_archive(&u);
	while ((got = archive_read_next_header(u.archive, &e)) == ARCHIVE_OK || got == ARCHIVE_WARN)
		take_entry(&u, e);
	if (got != ARCHIVE_EOF)
		stop(archive_filter_code(u.archive, 0) == ARCHIVE_FILTER_NONE && archive_format(u.archive) == 0 ?
		    "this is neither records nor a tar archive" : archive_error_string(u.archive));
	if (u.files == 0)
		stop("there is no file below new/ or cur/ in the archive");
	puts("end");
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
