/* SPDX-License-Identifier: ISC */
/*
 * Privileges given up for good.
 *
 * The list names what an intruder would want next and the engine never
 * needs; what is on it fails with EPERM.
 */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

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

static const int forbidden[] = {
#ifndef MESS_SANITIZE /* the leak checker traces its own process */
	SCMP_SYS(ptrace),
#endif
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown),
	SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink),
	SCMP_SYS(symlinkat), SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(io_uring_setup),
};

static enum mess_err
add_rules(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp not_unix = { .arg = 0, .op = SCMP_CMP_NE, .datum_a = AF_UNIX };

	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
		/* EDOM: this architecture has no such call, so nobody can make it. */
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0) < 0)
			return MESS_SYSTEM;
	if (seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &not_unix) < 0)
		return MESS_SYSTEM;
	return MESS_OK;
}

static enum mess_err
filter_calls(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	enum mess_err err;

	if (ctx == NULL)
		return MESS_LIMIT;
	/* The helper thread is there already: the filter is for all threads. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) < 0)
		err = MESS_SYSTEM;
	else if ((err = add_rules(ctx)) == MESS_OK && seccomp_load(ctx) < 0)
		err = MESS_SYSTEM;
	seccomp_release(ctx);
	return err;
}

enum mess_err
sandbox_enter(void)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_from_errno();
#ifndef MESS_SANITIZE
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return err_from_errno();
#endif
	return filter_calls();
}
