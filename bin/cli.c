/* SPDX-License-Identifier: ISC */
/*
 * What the tools share.  Words go to stderr, one line an error, and what a
 * stranger may have written is escaped on its way there.
 */
#include "cli.h"

/* We use none of the functions that NetBSD and OpenBSD disagree about. */
#define LIBBSD_NETBSD_VIS

#include <bsd/stdlib.h>
#include <bsd/vis.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "base/fd.h"

#define VALUE_MAX 60	/* bytes that a message shows of a value */

/*
 * A closed one would be given to a socket or a file of the spool, and what
 * is read and written as standard input, output and error would go there.
 * What takes its place fails as a closed one does; words to stderr vanish.
 */
static void
keep_std_fds(void)
{
	static const int how[] = { [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY,
		[STDERR_FILENO] = O_RDWR };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", how[fd]) != fd)
			exit(EX_OSERR); /* nobody can be told */
}

void
cli_init(char *argv[])
{
	keep_std_fds();
	(void)setlocale(LC_CTYPE, ""); /* an unknown one: plain ASCII */
	if (argv[0] == NULL)
		exit(EX_USAGE);
	setprogname(argv[0]);
	/* Where getopt has words of its own they begin like ours. */
	argv[0] = (char *)(uintptr_t)getprogname();
}

/* ---- words ---- */

/* One character: its bytes, or 0 when it is not whole or none of the locale's. */
static size_t
printable(const char *data, size_t len)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	size_t n = mbrtowc(&wide, data, len, &state);

	return n != 0 && n <= len && iswprint((wint_t)wide) ? n : 0;
}

/* strvisx passes bytes that are no character of the locale as they are; a terminal acts on some. */
static size_t
escape(char *out, const char *data, size_t len, int how)
{
	char *to = out;

	for (size_t i = 0, n; i < len; i += n) {
		if ((n = printable(data + i, len - i)) > 0) {
			to = mempcpy(to, data + i, n);
			continue;
		}
		to = vis(to, (unsigned char)data[i], how | VIS_CSTYLE | VIS_NOSLASH | VIS_NOLOCALE,
		    i + 1 < len ? (unsigned char)data[i + 1] : 0);
		n = 1;
	}
	*to = '\0';
	return (size_t)(to - out);
}

size_t
cli_escape(char *out, const char *data, size_t len)
{
	return escape(out, data, len, 0);
}

size_t
cli_unfinished(const char *data, size_t len)
{
	for (size_t n = 1; n < MB_CUR_MAX && n <= len; n++) {
		mbstate_t state = { 0 };

		if (mbrtowc(NULL, data + len - n, n, &state) == (size_t)-2)
			return n;
	}
	return 0;
}

const char *
cli_cut(const char *value)
{
	static char shown[3][VALUE_MAX + sizeof "..."];
	static unsigned next;
	char *out = shown[next++ % 3];
	size_t n = VALUE_MAX;

	if (strlen(value) <= n)
		return value;
	n -= cli_unfinished(value, n);
	(void)snprintf(out, sizeof shown[0], "%.*s...", (int)n, value); /* it fits */
	return out;
}

/* The one place that writes to stderr: one line, one write. */
static void
say(const char *text)
{
	size_t len = strlen(text);
	AUTO_FREE char *safe = malloc(4 * len + 1);

	if (safe != NULL)
		(void)escape(safe, text, len, VIS_NL | VIS_TAB);
	/* Nobody can be told that stderr does not work. */
	(void)fprintf(stderr, "%s: %s\n", getprogname(), safe != NULL ? safe : "out of memory");
}

static void
say_why(const char *what, const char *why)
{
	AUTO_FREE char *line = NULL;

	if (asprintf(&line, "%s: %s", what, why) == -1)
		line = NULL;
	say(line != NULL ? line : what);
}

static char *format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static char *
format(const char *fmt, va_list ap)
{
	char *text;

	return vasprintf(&text, fmt, ap) == -1 ? NULL : text;
}

static int fail_status;	/* 0: as the table says */

void
cli_fail_as(int status)
{
	fail_status = status;
}

static int
status_of(enum mess_err err)
{
	return fail_status != 0 ? fail_status : mess_exit_status(err);
}

int
cli_fail(enum mess_err err, const char *fmt, ...)
{
	AUTO_FREE char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	say_why(what != NULL ? what : "", mess_strerror(err));
	return status_of(err);
}

int
cli_fail_mess(const struct mess *m, enum mess_err err, const char *fmt, ...)
{
	const char *why = mess_detail(m)[0] != '\0' ? mess_detail(m) : mess_strerror(err);
	AUTO_FREE char *what = NULL;
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	/* A detail that names the thing itself need not hear it twice. */
	len = what != NULL ? strlen(what) : 0;
	if (len == 0 || (strncmp(why, what, len) == 0 && strncmp(why + len, ": ", 2) == 0))
		say(why);
	else
		say_why(what, why);
	return status_of(err);
}

int
cli_fail_errno(int status, const char *fmt, ...)
{
	AUTO_FREE char *what = NULL;
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	say_why(what != NULL ? what : "", strerror(saved));
	return fail_status != 0 ? fail_status : status;
}

void
cli_warn(const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = format(fmt, ap);
	va_end(ap);
	say(text != NULL ? text : "out of memory");
}

void
cli_usage(const struct cli_text *text, const char *fmt, ...)
{
	AUTO_FREE char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = format(fmt, ap);
	va_end(ap);
	(void)text; /* too much to show for every mistake: --help prints it */
	if (what != NULL && what[0] != '\0')
		cli_warn("%s (%s --help says more)", what, getprogname());
	exit(fail_status != 0 ? fail_status : EX_USAGE);
}

int
cli_check_stdout(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);

	if (flags != -1 && (flags & O_ACCMODE) != O_RDONLY)
		return EX_OK;
	errno = EBADF; /* as a write would */
	return cli_fail_errno(EX_IOERR, "standard output");
}

int
cli_flush_stdout(void)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return EX_OK;
	return cli_fail_errno(EX_IOERR, "standard output");
}

/* ---- the command line ---- */

int
cli_getopt(int argc, char *argv[], const char *letters, const struct option *longs,
    const struct cli_text *text)
{
	const char *word;
	int c;

	opterr = 0;
	if ((c = getopt_long(argc, argv, letters, longs, NULL)) != '?')
		return c;
	word = argv[optind - 1];
	if (optopt == 0)
		cli_usage(text, "%s: no such option", cli_cut(word));
	if (optopt >= CLI_OPTION_SPOOL && strchr(word, '=') != NULL)
		cli_usage(text, "%s: this option takes no value", cli_cut(word));
	if (optopt >= CLI_OPTION_SPOOL)
		cli_usage(text, "%s: its value is missing", cli_cut(word));
	if (optopt == ':' || strchr(letters, optopt) == NULL)
		cli_usage(text, "-%c: no such option", optopt);
	cli_usage(text, "-%c: its value is missing", optopt);
}

/* One says where; the same one again says it better. */
static void
where(struct cli_where *w, const char **place, const char *arg, const struct cli_text *text)
{
	if (arg[0] == '\0')
		cli_usage(text, "--%s: an empty path", place == &w->spool ? "spool" : "socket");
	*place = arg;
}

void
cli_option(struct cli_where *w, int option, const char *arg, const struct cli_text *text)
{
	switch (option) {
	case CLI_OPTION_SPOOL:
		where(w, &w->spool, arg, text);
		break;
	case CLI_OPTION_SOCKET:
		where(w, &w->socket, arg, text);
		break;
	case CLI_OPTION_USER:
		w->user = true;
		break;
	case CLI_OPTION_HELP:
		(void)printf("usage: %s\n\n%s", text->synopsis, text->help); /* judged below */
		exit(cli_flush_stdout());
	case CLI_OPTION_VERSION:
		(void)printf("%s %s\n", getprogname(), PACKAGE_VERSION); /* judged below */
		exit(cli_flush_stdout());
	default:
		/* getopt has said which. */
		cli_usage(text, "%s", "");
	}
	if ((w->spool != NULL) + (w->socket != NULL) + w->user > 1)
		cli_usage(text, "only one of --spool, --socket and --user");
}

bool
cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return false;
	if (n < min || n > max)
		return false;
	*out = n;
	return true;
}

bool
cli_duration(const char *text, uint64_t *out_ms)
{
	static const struct { char letter; uint64_t ms; } units[] = {
		{ 's', 1000 }, { 'm', 60 * 1000 }, { 'h', 3600 * 1000 }, { 'd', 86400 * 1000 },
	};
	AUTO_FREE char *digits = strdup(text);
	size_t len = strlen(text);
	uint64_t n, unit = 1000;

	if (digits == NULL)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (len > 1 && digits[len - 1] == units[i].letter) {
			unit = units[i].ms;
			digits[len - 1] = '\0';
			break;
		}
	}
	if (!cli_number(digits, 0, UINT64_MAX, &n) || __builtin_mul_overflow(n, unit, &n))
		return false;
	*out_ms = n;
	return true;
}

/* ---- where ---- */

static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static char *
joined(const char *a, const char *b)
{
	char *path;

	return asprintf(&path, "%s%s", a, b) == -1 ? NULL : path;
}

/* What is not absolute would be another spool in every directory: it does not count. */
const char *
cli_topic(int argc, char *argv[], const struct cli_text *text)
{
	if (optind == argc)
		cli_usage(text, "which topic?");
	if (optind + 1 < argc)
		cli_usage(text, "one operand too many: %s", cli_cut(argv[optind + 1]));
	if (argv[optind][0] == '\0')
		cli_usage(text, "a topic's name is not empty");
	return argv[optind];
}

char *
cli_personal_spool(void)
{
	const char *state = environment("XDG_STATE_HOME");
	const char *home = environment("HOME");
	const struct passwd *pw;

	if (state != NULL && state[0] == '/')
		return joined(state, "/mess");
	if ((home == NULL || home[0] != '/') && (pw = getpwuid(getuid())) != NULL)
		home = pw->pw_dir;
	return home != NULL && home[0] == '/' ? joined(home, "/.local/state/mess") : NULL;
}

/* The engine beside this program, as in a build tree, else the installed one. */
static char *
find_deliverd(void)
{
	AUTO_FREE char *self = realpath("/proc/self/exe", NULL);
	char *slash = self != NULL ? strrchr(self, '/') : NULL;
	AUTO_FREE char *beside = NULL;

	if (slash != NULL) {
		*slash = '\0';
		beside = joined(self, "/mess-deliverd");
	}
	if (beside != NULL && access(beside, X_OK) == 0)
		return TAKE(beside, NULL);
	return strdup(SBINDIR "/mess-deliverd");
}

/*
 * An option beats the environment and a socket a spool; without either the
 * system's engine where one is configured, else the personal spool.
 */
static void
decide(const struct cli_where *w, const char **socket, const char **spool)
{
	bool said = w->socket != NULL || w->spool != NULL || w->user;

	*socket = w->socket;
	*spool = w->socket == NULL ? w->spool : NULL;
	if (said)
		return;
	*socket = environment("MESS_SOCKET");
	*spool = *socket == NULL ? environment("MESS_SPOOL") : NULL;
	if (*socket == NULL && *spool == NULL && access(SYSCONFDIR "/mess.conf", F_OK) == 0)
		*socket = CLI_SYSTEM_SOCKET;
}

char *
cli_spool(const struct cli_where *w)
{
	const char *socket, *spool;

	decide(w, &socket, &spool);
	if (socket != NULL)
		return NULL;
	return spool != NULL ? strdup(spool) : cli_personal_spool();
}

struct mess *
cli_open(const struct cli_where *w)
{
	AUTO_FREE char *personal = NULL;
	AUTO_FREE char *deliverd = NULL;
	struct mess_where where = { .idle_exit = CLI_IDLE_EXIT };
	struct mess *m;
	enum mess_err err;

	decide(w, &where.socket, &where.spool);
	if (where.socket == NULL && where.spool == NULL) {
		if ((personal = cli_personal_spool()) == NULL)
			exit(cli_fail(MESS_CONFIG, "no home directory, and neither --spool nor --socket"));
		where.spool = personal;
	}
	if (where.spool != NULL)
		where.deliverd = deliverd = find_deliverd();
	if ((err = mess_open(&where, &m)) != MESS_OK)
		exit(cli_fail(err, "%s", where.socket != NULL ? where.socket : where.spool));
	return m;
}
