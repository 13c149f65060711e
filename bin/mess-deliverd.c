/* SPDX-License-Identifier: ISC */
/*
 * mess-deliverd: the engine's program.  Options, configuration, the spool
 * and its lock, privileges, the socket; then lib/engine.c.
 *
 * Only start-up may exit; the order of it is a promise: privileges dropped
 * before a socket is opened, the lock before anything in the spool is
 * touched, the sandbox before the engine reads what is in it, starts its
 * thread, or hears a caller.
 */
#include <bsd/stdlib.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/fd.h"
#include "base/fs.h"
#include "base/sandbox.h"
#include "base/sock.h"
#include "cli.h"
#include "conf.h"
#include "deliverd-audit.h"
#include "deliverd-confine.h"
#include "deliverd-notify.h"
#include "deliverd-spool.h"
#include "engine.h"

#define LOCK_FILE ".lock"
#define SOCKET_FILE ".sock"
#define SYSTEM_CONF SYSCONFDIR "/mess.conf"

static const struct cli_text text = {
	"mess-deliverd [-tTv] [-c FILE] [--spool DIR] [--socket PATH] [--idle-exit DUR] [--detach]",
	"The engine of a mess spool: takes messages in, makes them durable, hands them out.\n\n"
	"  -c FILE              the system engine's configuration (" SYSTEM_CONF ")\n"
	"      --spool DIR      a personal spool\n"
	"      --socket PATH    where to listen\n"
	"      --idle-exit DUR  leave after this time without callers\n"
	"      --detach         once it serves, close standard input, output and error\n"
	"  -t                   check configuration and spool: 0 or 78; say what the\n"
	"                       sandbox can do here\n"
	"  -T                   print the configuration in force\n"
	"  -v                   say more\n"
	"      --help, --version\n"
};

struct deliverd {
	const char *conf_file;
	const char *spool_option, *socket_option;
	uint64_t idle_ms;
	bool check, print, detach;
	int verbose;
	bool personal;
	struct conf conf;
	char *spool_path;
	char *socket_path;
	int spool, lock;
	uid_t uid;		/* it runs as */
	gid_t gid;
	int socket_dir;		/* of a socket that we made, else -1 */
	const char *socket_name;
	int listener;
	int null;		/* for detach */
	struct buf security;	/* what is in force, for whoever asks */
	dev_t socket_dev;	/* of the name we made */
	ino_t socket_ino;
	struct engine *engine;
};

/* --- words -------------------------------------------------------------- */

static void
report(void *arg, const char *line)
{
	(void)arg;
	cli_warn("%s", line);
}

/* --- configuration ------------------------------------------------------ */

/* Who could write it could let anybody in; NULL when nobody else can. */
static const char *
conf_file_check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return "not a file";
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return "belongs neither to root nor to the user that reads it";
	return (st.st_mode & 022) == 0 ? NULL : "others than its owner may write it";
}

static int
read_conf_file(const char *path, struct conf *out)
{
	AUTO_FREE char *mem = malloc(CONF_TEXT_MAX + 1);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	static const struct who_names names = { auth_find_user, auth_find_group };
	struct conf_error error;
	const char *why;
	ssize_t n;

	if (mem == NULL)
		return cli_fail(MESS_LIMIT, "%s", path);
	if (fd != -1 && (why = conf_file_check(fd)) != NULL) {
		cli_warn("%s: %s", path, why);
		return EX_CONFIG;
	}
	if (fd == -1 || (n = fd_read_full(fd, mem, CONF_TEXT_MAX + 1)) == -1)
		return cli_fail_errno(EX_CONFIG, "%s", path);
	if ((size_t)n > CONF_TEXT_MAX) {
		cli_warn("%s: at most %zu bytes", path, CONF_TEXT_MAX);
		return EX_CONFIG;
	}
	if (conf_read(mem, (size_t)n, &names, out, &error) != MESS_OK) {
		cli_warn("%s: line %u: %s", path, error.line, error.why);
		return EX_CONFIG;
	}
	return EX_OK;
}

/*
 * Personal unless a configuration is named, or there is the system's and no
 * spool was named.
 */
static int
configure(struct deliverd *d)
{
	const char *spool = d->spool_option != NULL ? d->spool_option : getenv("MESS_SPOOL");
	int status;

	d->conf.sandbox = true;
	if (d->conf_file == NULL && spool == NULL && access(SYSTEM_CONF, F_OK) == 0)
		d->conf_file = SYSTEM_CONF;
	d->personal = d->conf_file == NULL;
	if (!d->personal) {
		if ((status = read_conf_file(d->conf_file, &d->conf)) != EX_OK)
			return status;
		spool = d->spool_option != NULL ? d->spool_option : d->conf.spool;
		if (spool == NULL) {
			cli_warn("%s: `spool DIR' is missing", d->conf_file);
			return EX_CONFIG;
		}
	}
	d->spool_path = spool != NULL ? strdup(spool) : cli_personal_spool();
	if (d->spool_path == NULL)
		return cli_fail(MESS_LIMIT, "spool");
	if (d->socket_option != NULL)
		d->socket_path = strdup(d->socket_option);
	else if (!d->personal)
		d->socket_path = strdup(d->conf.socket != NULL ? d->conf.socket : CLI_SYSTEM_SOCKET);
	else if (asprintf(&d->socket_path, "%s/" SOCKET_FILE, d->spool_path) == -1)
		d->socket_path = NULL;
	return d->socket_path != NULL ? EX_OK : cli_fail(MESS_LIMIT, "socket");
}

static int
print_conf(const struct deliverd *d)
{
	char admin[WHO_TEXT];

	(void)printf("spool %s\nsocket %s\n", d->spool_path, d->socket_path);
	if (d->conf.user != NULL)
		(void)printf("user %s\n", d->conf.user);
	if (!d->conf.sandbox)
		(void)printf("sandbox no\n");
	for (size_t i = 0; i < d->conf.admins.count; i++) {
		who_write(&d->conf.admins.who[i], admin);
		(void)printf("admin %s\n", admin);
	}
	for (size_t i = 0; i < d->conf.rule_count; i++) {
		AUTO_BUF struct buf rule = BUF_INIT(CONF_TEXT_MAX);

		if (rule_write(&d->conf.rules[i], &rule) != MESS_OK)
			return cli_fail(MESS_LIMIT, "%s", d->conf_file);
		(void)printf("%.*s\n", (int)buf_len(&rule), buf_data(&rule));
	}
	for (size_t i = 0; i < d->conf.limit_count; i++) {
		AUTO_BUF struct buf limit = BUF_INIT(CONF_TEXT_MAX);

		if (limit_rule_write(&d->conf.limits[i], &limit) != MESS_OK)
			return cli_fail(MESS_LIMIT, "%s", d->conf_file);
		(void)printf("%.*s\n", (int)buf_len(&limit), buf_data(&limit));
	}
	return cli_flush_stdout();
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
audit_reload(const struct deliverd *d, const char *result, const char *rule)
{
	engine_audit(d->engine, &(struct audit_event){ .event = "config", .action = "reload",
		.object = d->conf_file, .result = result, .rule = rule });
}

/* All or nothing; what is fixed while an engine runs refuses the reload. */
static void
reload(void *arg)
{
	struct deliverd *d = arg;
	struct conf again = { 0 }, old;

	if (d->personal) {
		cli_warn("a personal engine has no configuration to read again");
		return;
	}
	if (read_conf_file(d->conf_file, &again) != EX_OK) {
		cli_warn("%s: the configuration in force stays", d->conf_file);
		audit_reload(d, "refused", "it cannot be read, or is not valid");
		return;
	}
	if (!same(again.spool, d->conf.spool) || !same(again.socket, d->conf.socket) ||
	    !same(again.user, d->conf.user) || again.sandbox != d->conf.sandbox) {
		cli_warn("%s: spool, socket, user and sandbox need a restart; "
		    "the configuration in force stays", d->conf_file);
		audit_reload(d, "refused", "spool, socket, user and sandbox need a restart");
		conf_free(&again);
		return;
	}
	old = d->conf;
	d->conf = again;
	audit_reload(d, "ok", NULL);
	engine_set_rules(d->engine, &d->conf); /* nobody looks at the old ones any more */
	conf_free(&old);
	cli_warn("%s: read again", d->conf_file);
}

/* --- who it runs as ----------------------------------------------------- */

/* Root becomes conf's user, else the spool's owner; a spool of root's own is served to root only. */
static int
decide_user(struct deliverd *d, const struct stat *st)
{
	const struct passwd *pw = NULL;

	if (d->conf.user != NULL && (pw = getpwnam(d->conf.user)) == NULL) {
		cli_warn("%s: user %s: no such user", d->conf_file, d->conf.user);
		return EX_CONFIG;
	}
	d->uid = pw != NULL ? pw->pw_uid : st->st_uid;
	d->gid = pw != NULL ? pw->pw_gid : st->st_gid;
	if (!d->personal && d->uid == 0 && pw == NULL) {
		cli_warn("%s: root owns it: say `user root' in %s if that is meant", d->spool_path,
		    d->conf_file);
		return EX_CONFIG;
	}
	if (d->uid != st->st_uid) {
		cli_warn("%s: belongs to uid %u, the engine's user is uid %u", d->spool_path,
		    st->st_uid, d->uid);
		return EX_CONFIG;
	}
	if (geteuid() != 0 && geteuid() != d->uid) {
		cli_warn("%s: belongs to uid %u, this is uid %u", d->spool_path, d->uid, geteuid());
		return EX_CONFIG;
	}
	return EX_OK;
}

static int
become_user(const struct deliverd *d)
{
	enum mess_err err;

	if (geteuid() != 0 || d->uid == 0)
		return EX_OK;
	if ((err = sandbox_become(d->uid, d->gid)) != MESS_OK)
		return cli_fail(err, "becoming uid %u", d->uid);
	return EX_OK;
}

/* --- spool and socket --------------------------------------------------- */

static int
open_spool(struct deliverd *d)
{
	enum mess_err err;
	const char *why;
	struct stat st;
	int status;

	if (d->personal && !d->check &&
	    (err = fs_make_private_path(d->spool_path)) != MESS_OK)
		return cli_fail_errno(mess_exit_status(err), "%s", d->spool_path);
	if ((d->spool = open(d->spool_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    fstat(d->spool, &st) == -1)
		return cli_fail_errno(EX_CONFIG, "%s", d->spool_path);
	if ((why = spooldir_check(d->spool_path, &st)) != NULL) {
		cli_warn("%s: %s", d->spool_path, why);
		return EX_CONFIG;
	}
	if ((status = decide_user(d, &st)) != EX_OK)
		return status;
	return EX_OK;
}

/* One engine at a time; before anything else in the spool is touched. */
static int
lock_spool(struct deliverd *d)
{
	if ((d->lock = fs_open(d->spool, LOCK_FILE, O_RDWR | O_CREAT, 0600)) == -1)
		return cli_fail_errno(EX_IOERR, "%s/" LOCK_FILE, d->spool_path);
	if (flock(d->lock, LOCK_EX | LOCK_NB) == -1)
		return cli_fail(MESS_BUSY, "%s", d->spool_path);
	return EX_OK;
}

static int
open_socket(struct deliverd *d)
{
	mode_t mode = d->personal ? 0600 : 0666;
	enum mess_err err;
	struct stat st;

	if ((d->listener = notify_inherited_socket()) != -1)
		return EX_OK;
	err = sock_open_parent(d->socket_path, &d->socket_dir, &d->socket_name);
	if (err == MESS_BADNAME) {
		cli_warn("%s: the last part of a socket's path is at most %d bytes", d->socket_path,
		    SOCK_NAME_MAX);
		return mess_exit_status(err);
	}
	if (err != MESS_OK)
		return cli_fail_errno(EX_CONFIG, "%s", d->socket_path);
	if (fstat(d->socket_dir, &st) == -1 || (st.st_mode & 022) != 0) {
		cli_warn("%s: its directory may be written by others: anybody could take its name",
		    d->socket_path);
		return EX_CONFIG;
	}
	err = sock_bind(d->socket_dir, d->socket_name, mode, &d->listener);
	if (err == MESS_BUSY || err == MESS_EXISTS)
		return cli_fail(err, "%s", d->socket_path);
	if (err != MESS_OK)
		return cli_fail_errno(mess_exit_status(err), "%s", d->socket_path);
	if (fstatat(d->socket_dir, d->socket_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		d->socket_dev = st.st_dev;
		d->socket_ino = st.st_ino;
	}
	return EX_OK;
}

static void
leaving(void *arg)
{
	struct deliverd *d = arg;
	struct stat st;

	/* Only our own name: another engine may have taken it since. */
	if (d->socket_dir != -1 && d->listener != -1 &&
	    fstatat(d->socket_dir, d->socket_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == d->socket_dev && st.st_ino == d->socket_ino)
		(void)unlinkat(d->socket_dir, d->socket_name, 0); /* the next engine replaces it */
	fd_close(&d->socket_dir);
}

/* Nobody's directory is kept busy.  What stderr was is kept until it serves. */
static int
prepare_detach(struct deliverd *d)
{
	if (chdir("/") == -1 || (d->null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		return cli_fail_errno(EX_OSERR, "/dev/null");
	return EX_OK;
}

static int
detach(const struct deliverd *d)
{
	if (dup2(d->null, 0) == -1 || dup2(d->null, 1) == -1 || dup2(d->null, 2) == -1)
		return cli_fail_errno(EX_OSERR, "/dev/null");
	return EX_OK;
}

/* --- serving ------------------------------------------------------------ */

static void
watchdog(void *arg)
{
	(void)arg;
	notify_say("WATCHDOG=1");
}

/* Names of what is not in force; they are few and short. */
static void
write_lacks(const char *security, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (const char *at = security, *end; at != NULL && (end = strchr(at, '\n')) != NULL; at = end + 1) {
		const char *space = memchr(at, ' ', (size_t)(end - at));

		if (space == NULL || strncmp(space, " no:", 4) != 0 || size - used < 64)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%.*s", used > 0 ? "," : "without ",
		    (int)(space - at < 40 ? space - at : 40), at); /* fits by its size */
	}
}

static void
audit_start(const struct deliverd *d)
{
	char rules[64], lacks[AUDIT_VALUE_MAX];

	(void)snprintf(rules, sizeof rules, "mess %s, %zu rules", PACKAGE_VERSION, d->conf.rule_count); /* fits */
	engine_audit(d->engine, &(struct audit_event){ .event = "engine", .action = "start",
		.object = d->spool_path, .result = "ok", .detail = rules, .change = true });
	write_lacks(buf_data(&d->security), lacks, sizeof lacks);
	engine_audit(d->engine, &(struct audit_event){ .event = "engine", .action = "sandbox",
		.result = d->conf.sandbox ? "on" : "off", .detail = lacks, .change = true,
		.rule = d->conf.sandbox ? NULL : "sandbox no" });
}

static int
serve(struct deliverd *d, struct engine *e)
{
	struct engine_service service = { .listener = d->listener, .leaving = leaving, .arg = d,
		.watchdog = watchdog, .watchdog_ms = notify_watchdog_ms() };
	enum mess_err err;
	int status;

	if ((err = sock_listen(d->listener)) != MESS_OK)
		return cli_fail_errno(mess_exit_status(err), "%s", d->socket_path);
	audit_start(d);
	notify_say("READY=1");
	if (d->verbose > 0)
		cli_warn("%s: serving %s", d->spool_path, d->socket_path);
	if (d->detach && (status = detach(d)) != EX_OK)
		return status;
	if ((err = engine_serve(e, &service)) != MESS_OK)
		return cli_fail(err, "%s", d->spool_path);
	notify_say("STOPPING=1");
	return EX_OK;
}

static int
run_engine(struct deliverd *d)
{
	struct engine_setup setup = { .spool = d->spool, .reload = reload, .arg = d,
		.acl = { .personal = d->personal, .owner = d->uid, .site = &d->conf },
		.security = buf_data(&d->security),
		.idle_exit = (unsigned)(d->idle_ms / 1000), .report = { .fn = report },
		.audit = { .fn = deliverd_audit_say } };
	enum mess_err err;
	int status;

	if ((err = engine_new(&setup, &d->engine)) != MESS_OK)
		return cli_fail(err, "%s", d->spool_path);
	status = serve(d, d->engine);
	leaving(d);
	engine_free(d->engine);
	return status;
}

static int
confine(struct deliverd *d)
{
	struct confine_setup setup = { .wanted = d->conf.sandbox, .conf_file = d->conf_file,
		.spool = d->spool, .socket_dir = d->socket_dir, .listener = d->listener };

	return confine_enter(&setup, &d->security);
}

static int
run(struct deliverd *d)
{
	int status;

	notify_open();
	if ((status = open_socket(d)) != EX_OK)
		return status;
	deliverd_audit_open(d->detach);
	if ((!d->detach || (status = prepare_detach(d)) == EX_OK) && (status = confine(d)) == EX_OK)
		status = run_engine(d);
	leaving(d);
	return status;
}

/* As it would serve, so that what is said of the sandbox is so. */
static int
check(struct deliverd *d)
{
	int status;

	if ((status = become_user(d)) != EX_OK || (status = confine(d)) != EX_OK)
		return status;
	(void)fputs(buf_data(&d->security), stdout);
	return cli_flush_stdout();
}

/* The engine is everybody's, not only its first caller's. */
static void
raise_limit(int resource)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit((__rlimit_resource_t)resource, &limit); /* with less it serves fewer */
}

static int
deliverd(struct deliverd *d)
{
	int status;

	if ((status = configure(d)) != EX_OK)
		return status;
	if (d->print)
		return print_conf(d);
	if ((status = open_spool(d)) != EX_OK)
		return status;
	if (d->check)
		return check(d);
	raise_limit(RLIMIT_NOFILE);
	raise_limit(RLIMIT_FSIZE);
	if ((status = become_user(d)) != EX_OK || (status = lock_spool(d)) != EX_OK)
		return status;
	return run(d);
}

/* --- options ------------------------------------------------------------ */

static const struct option long_options[] = {
	{ "spool", required_argument, NULL, CLI_OPTION_SPOOL },
	{ "socket", required_argument, NULL, CLI_OPTION_SOCKET },
	{ "idle-exit", required_argument, NULL, CLI_OPTION_OWN },
	{ "detach", no_argument, NULL, CLI_OPTION_OWN + 1 },
	{ "help", no_argument, NULL, CLI_OPTION_HELP },
	{ "version", no_argument, NULL, CLI_OPTION_VERSION },
	{ NULL, 0, NULL, 0 }
};

static void
parse_option(struct deliverd *d, int option)
{
	struct cli_where none = { 0 };

	switch (option) {
	case 'c':
		d->conf_file = optarg;
		return;
	case 't':
		d->check = true;
		return;
	case 'T':
		d->print = true;
		return;
	case 'v':
		d->verbose++;
		return;
	case CLI_OPTION_SPOOL:
		d->spool_option = optarg;
		return;
	case CLI_OPTION_SOCKET:
		d->socket_option = optarg;
		return;
	case CLI_OPTION_OWN:
		if (!cli_duration(optarg, &d->idle_ms) || d->idle_ms < 1000 ||
		    d->idle_ms / 1000 > UINT_MAX)
			cli_usage(&text, "--idle-exit %s: not a time of at least 1s (90, 90s, 5m)", optarg);
		return;
	case CLI_OPTION_OWN + 1:
		d->detach = true;
		return;
	default:
		cli_option(&none, option, optarg, &text);
	}
}

int
main(int argc, char *argv[])
{
	struct deliverd d = { .spool = -1, .lock = -1, .socket_dir = -1, .listener = -1, .null = -1,
		.security = BUF_INIT(CONFINE_TEXT_MAX) };
	int option, status;

	(void)umask(077);
	notify_close_others();
	cli_init(argv);
	while ((option = cli_getopt(argc, argv, "c:tTv", long_options, &text)) != -1)
		parse_option(&d, option);
	if (optind < argc)
		cli_usage(&text, "%s: no operand is expected", argv[optind]);
	/* A peer that goes away is an error of that peer's, not a death. */
	(void)signal(SIGPIPE, SIG_IGN);
	/* Likewise a file larger than the caller's limit. */
	(void)signal(SIGXFSZ, SIG_IGN);
	status = deliverd(&d);
	conf_free(&d.conf);
	buf_free(&d.security);
	free(d.spool_path);
	free(d.socket_path);
	return status;
}
