/* SPDX-License-Identifier: ISC */
/*
 * Privileges given up for good.
 *
 * The order is a promise.  Users are looked up once before anything is given
 * up, so that the modules which do it are loaded, and once after, so that a
 * module which cannot live in here fails the start and not the first caller.
 * no_new_privs comes before Landlock and seccomp, which need it; seccomp
 * comes last, because it forbids the calls that all others are made of.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"
#include "landlock.h"
#include "syscalls.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65		/* Linux 6.3 */
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

#define TOO_OLD "this kernel is too old"
#define NOBODY "mess.nobody"	/* found nowhere, so that all places are asked */
#define GROUPS 64

enum mess_err
sandbox_become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return err_from_errno();
	/* A set-uid that can be undone would be none. */
	if (uid != 0 && (setuid(0) == 0 || geteuid() != uid || getegid() != gid))
		return MESS_SYSTEM;
	return MESS_OK;
}

static void
look_up_nobody(void)
{
	struct passwd pw, *user;
	struct group gr, *group;
	gid_t groups[GROUPS];
	int count = GROUPS;
	char mem[4096];

	/* What is found, and whether, does not matter. */
	(void)getpwnam_r(NOBODY, &pw, mem, sizeof mem, &user);
	(void)getgrnam_r(NOBODY, &gr, mem, sizeof mem, &group);
	(void)getgrouplist(NOBODY, (gid_t)-1, groups, &count);
}

/* --- one defence each --------------------------------------------------- */

static enum mess_err
no_capabilities(struct sandbox_state *s)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3];

	(void)s;
	if (syscall(SYS_capget, &header, has) == -1)
		return err_from_errno();
	/* A service manager may have taken them, and the call with them. */
	if (memcmp(has, none, sizeof none) == 0)
		return MESS_OK;
	return syscall(SYS_capset, &header, none) == 0 ? MESS_OK : err_from_errno();
}

static enum mess_err
no_core(struct sandbox_state *s)
{
	struct rlimit none = { 0, 0 };

	(void)s;
	return setrlimit(RLIMIT_CORE, &none) == 0 ? MESS_OK : err_from_errno();
}

static enum mess_err
no_dump(struct sandbox_state *s)
{
#ifdef MESS_SANITIZE /* the leak checker traces its own process */
	s->lacks[SANDBOX_NO_DUMP] = "built with sanitizers";
	return MESS_OK;
#else
	(void)s;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? MESS_OK : err_from_errno();
#endif
}

static enum mess_err
no_new_privs(struct sandbox_state *s)
{
	(void)s;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? MESS_OK : err_from_errno();
}

static enum mess_err
mdwe(struct sandbox_state *s)
{
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0)
		return MESS_OK;
	if (errno != EINVAL)
		return err_from_errno();
	s->lacks[SANDBOX_MDWE] = TOO_OLD;
	return MESS_OK;
}

/*
 * Where users and groups are looked up, and the sockets of services that do
 * it.  What does not exist when the engine starts is not there for it.
 */
static const struct {
	const char *path;
	unsigned use;
} places[] = {
	{ "/etc", LANDLOCK_USE_READ },
	{ "/run/host/userdb", LANDLOCK_USE_READ },
	{ "/run/nscd", LANDLOCK_USE_READ | LANDLOCK_USE_CONNECT },
	{ "/run/nslcd", LANDLOCK_USE_CONNECT },
	{ "/run/systemd/userdb", LANDLOCK_USE_READ | LANDLOCK_USE_CONNECT },
	{ "/run/userdb", LANDLOCK_USE_READ },
	{ "/usr/lib/userdb", LANDLOCK_USE_READ },
	{ "/usr/local/lib/userdb", LANDLOCK_USE_READ },
	{ "/var/lib/extrausers", LANDLOCK_USE_READ },
	{ "/var/lib/sss/mc", LANDLOCK_USE_READ },
	{ "/var/lib/sss/pipes", LANDLOCK_USE_CONNECT },
#ifdef MESS_SANITIZE
	{ "/", LANDLOCK_USE_READ },	/* for stack traces, and what the leak checker asks /proc */
#endif
};

#define PLACES (sizeof places / sizeof places[0])
#define ALLOWED 3

static size_t
fill_rules(const struct sandbox_allow *allow, struct landlock_rule *rules)
{
	size_t n = 0;

	if (allow->work != -1)
		rules[n++] = (struct landlock_rule){ allow->work, LANDLOCK_USE_WORK };
	if (allow->names != -1)
		rules[n++] = (struct landlock_rule){ allow->names, LANDLOCK_USE_REMOVE };
	if (allow->read != -1)
		rules[n++] = (struct landlock_rule){ allow->read, LANDLOCK_USE_READ };
	return n;
}

static enum mess_err
restrict_files(const struct sandbox_allow *allow, struct sandbox_state *s)
{
	struct landlock_rule rules[ALLOWED + PLACES];
	size_t mine = fill_rules(allow, rules), n = mine;
	int abi = landlock_abi();
	enum mess_err err;

	if (abi < LANDLOCK_ABI_LEAST) {
		s->lacks[SANDBOX_LANDLOCK] = abi == 0 ? "this kernel has none, or it is switched off" :
		    TOO_OLD;
		return MESS_OK;
	}
	for (size_t i = 0; i < PLACES; i++) {
		int fd = open(places[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd != -1)
			rules[n++] = (struct landlock_rule){ fd, places[i].use };
	}
	err = landlock_restrict(abi, rules, n);
	while (n-- > mine)
		fd_close(&rules[n].dir);
	s->landlock = err == MESS_OK ? abi : 0;
	return err;
}

/* --- all of them -------------------------------------------------------- */

static const char *const names[SANDBOX_COUNT] = {
	[SANDBOX_NO_CAPABILITIES] = "no-capabilities",
	[SANDBOX_NO_CORE] = "no-core",
	[SANDBOX_NO_DUMP] = "no-dump",
	[SANDBOX_NO_NEW_PRIVS] = "no-new-privs",
	[SANDBOX_MDWE] = "mdwe",
	[SANDBOX_LANDLOCK] = "landlock",
	[SANDBOX_SECCOMP] = "seccomp",
	[SANDBOX_NO_PASSRIGHTS] = "no-passrights",
};

/* In this order; Landlock, which needs to know what is allowed, between them. */
static enum mess_err (*const before[])(struct sandbox_state *s) = {
	[SANDBOX_NO_CAPABILITIES] = no_capabilities,
	[SANDBOX_NO_CORE] = no_core,
	[SANDBOX_NO_DUMP] = no_dump,
	[SANDBOX_NO_NEW_PRIVS] = no_new_privs,
	[SANDBOX_MDWE] = mdwe,
};

void
sandbox_none(struct sandbox_state *s, const char *why)
{
	*s = (struct sandbox_state){ 0 };
	for (size_t i = 0; i < SANDBOX_COUNT; i++)
		s->lacks[i] = why;
}

enum mess_err
sandbox_enter(const struct sandbox_allow *allow, struct sandbox_state *out)
{
	enum mess_err err;

	*out = (struct sandbox_state){ .lacks[SANDBOX_NO_PASSRIGHTS] = TOO_OLD };
	look_up_nobody();
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
		if ((err = before[i](out)) != MESS_OK) {
			out->failed = names[i];
			return err;
		}
	out->failed = names[SANDBOX_LANDLOCK];
	if ((err = restrict_files(allow, out)) != MESS_OK)
		return err;
	out->failed = names[SANDBOX_SECCOMP];
	if ((err = syscalls_restrict()) != MESS_OK)
		return err;
	out->failed = NULL;
	look_up_nobody();
	return MESS_OK;
}

enum mess_err
sandbox_write(const struct sandbox_state *s, struct buf *out)
{
	enum mess_err err = MESS_OK;

	for (size_t i = 0; i < SANDBOX_COUNT && err == MESS_OK; i++)
		if (s->lacks[i] != NULL)
			err = buf_printf(out, "%s no: %s\n", names[i], s->lacks[i]);
		else if (i == SANDBOX_LANDLOCK)
			err = buf_printf(out, "%s %d\n", names[i], s->landlock);
		else
			err = buf_printf(out, "%s yes\n", names[i]);
	return err;
}
