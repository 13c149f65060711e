/* SPDX-License-Identifier: ISC */
/*
 * What the tools share: where the spool is, numbers and durations on the
 * command line, one line for an error, and text that is safe to look at.
 */
#ifndef CLI_H
#define CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mess.h"

#define CLI_SYSTEM_SOCKET "/run/mess/mess.sock"
#define CLI_IDLE_EXIT 60	/* seconds; of a personal engine that a tool started */

/* Values of long options without a letter; a tool's own begin at CLI_OPTION_OWN. */
enum {
	CLI_OPTION_SPOOL = 256,
	CLI_OPTION_SOCKET,
	CLI_OPTION_USER,
	CLI_OPTION_HELP,
	CLI_OPTION_VERSION,
	CLI_OPTION_OWN,
};

/* For the end of a tool's struct option table. */
#define CLI_LONG_OPTIONS \
	{ "spool", required_argument, NULL, CLI_OPTION_SPOOL }, \
	{ "socket", required_argument, NULL, CLI_OPTION_SOCKET }, \
	{ "user", no_argument, NULL, CLI_OPTION_USER }, \
	{ "help", no_argument, NULL, CLI_OPTION_HELP }, \
	{ "version", no_argument, NULL, CLI_OPTION_VERSION }, \
	{ NULL, 0, NULL, 0 }

#define CLI_WHERE_USAGE "[--spool DIR | --socket PATH | --user]"
#define CLI_WHERE_HELP \
	"      --spool DIR      a personal spool (or MESS_SPOOL)\n" \
	"      --socket PATH    an engine's socket (or MESS_SOCKET)\n" \
	"      --user           your own personal spool\n" \
	"      --help, --version\n"

/* Where the options said the spool is. */
struct cli_where {
	const char *spool;
	const char *socket;
	bool user;
};

/* What --help prints; the synopsis is one line. */
struct cli_text {
	const char *synopsis;
	const char *help;
};

/*
 * First thing in main: descriptors 0 to 2 are nobody else's from here on, the
 * program has its name, and the locale its characters.
 */
void cli_init(char *argv[]);

/* getopt_long, but what is wrong with an option is said in our words: exits with EX_USAGE. */
int cli_getopt(int argc, char *argv[], const char *letters, const struct option *longs,
    const struct cli_text *text);

/*
 * An option that all tools have; exits for --help and --version, and with
 * EX_USAGE for one that nobody has, or that does not go with another.
 */
void cli_option(struct cli_where *w, int option, const char *arg, const struct cli_text *text);

/* One line about what is wrong (nothing when that is empty: it was said); exits with EX_USAGE. */
_Noreturn void cli_usage(const struct cli_text *text, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The path of the caller's personal spool, to be freed; NULL without a home directory. */
char *cli_personal_spool(void);

/* The one operand that is left, a topic; exits with EX_USAGE for none, an empty one, or more. */
const char *cli_topic(int argc, char *argv[], const struct cli_text *text);

/* The directory of the spool that cli_open would use, to be freed; NULL where that is a socket. */
char *cli_spool(const struct cli_where *w);

/* A handle for where options, environment and installation say; exits when that fails. */
struct mess *cli_open(const struct cli_where *w);

/* From now on every failure that is told has this exit status, whatever the table says. */
void cli_fail_as(int status);

/* `PROG: what: text of err`, escaped, on stderr; returns the exit status. */
int cli_fail(enum mess_err err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same with what m knows about the error. */
int cli_fail_mess(const struct mess *m, enum mess_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* `PROG: what: text of errno`. */
int cli_fail_errno(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `PROG: text` as it is given. */
void cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* `90`, `90s`, `5m`, `2h`, `7d` in milliseconds; a plain count.  False when it is neither. */
bool cli_duration(const char *text, uint64_t *out_ms);
bool cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/*
 * What of a caller's value a message shows: a long one is cut.  Borrowed
 * from value, or until the third next call.
 */
const char *cli_cut(const char *value);

/* Can anything be written to stdout?  If not that is reported: 0 or the exit status. */
int cli_check_stdout(void);
/* What stdio holds for stdout is written, or that is reported: 0 or the exit status. */
int cli_flush_stdout(void);

/*
 * Write len bytes so that a terminal shows and does not obey them: what is
 * no printable character of the locale becomes visible, newlines and tabs
 * stay.  Room for 4 * len + 1 bytes in out.  Returns the length.
 */
size_t cli_escape(char *out, const char *data, size_t len);
/* How many bytes at the end are the beginning of a character. */
size_t cli_unfinished(const char *data, size_t len);

#endif
