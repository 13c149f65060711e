/* SPDX-License-Identifier: ISC */
/*
 * The filter of system calls.
 *
 * Three lists.  What the engine, the C library and the modules that look up
 * users and groups need is allowed.  What an intruder would want next, and
 * those never do, ends the process: whoever asks for it is not the engine
 * any more, and the journal is made for sudden ends.  All else fails with
 * ENOSYS: a C library newer than this list tries new calls first and has
 * another way when the kernel does not know them; it has none for EPERM,
 * and killing it for that would be an outage by upgrade.
 *
 * Two things that look like an intruder's are refused and not killed for.
 * Memory that can be executed, by mmap: the C library loads another module
 * by itself when /etc/nsswitch.conf was changed.  And clone3, to which
 * clone is the other way, because its flags are out of a filter's sight.
 */
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof (array) / sizeof (array)[0])
#define INT 0xffffffffU		/* of an argument: what the kernel looks at */

#ifndef MESS_SANITIZE
static const int allowed[] = {
	/* files */
	SCMP_SYS(access), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2),
	SCMP_SYS(dup3), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate), SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(fstat),
	SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(getdents64),
	SCMP_SYS(lseek), SCMP_SYS(lstat), SCMP_SYS(mkdirat), SCMP_SYS(newfstatat), SCMP_SYS(open),
	SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev), SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(readv),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(sendfile), SCMP_SYS(stat),
	SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(sync_file_range), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(write), SCMP_SYS(writev),
	/* waiting, time */
	SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2), SCMP_SYS(gettimeofday), SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init1), SCMP_SYS(inotify_rm_watch), SCMP_SYS(nanosleep), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(pselect6), SCMP_SYS(restart_syscall), SCMP_SYS(signalfd4),
	SCMP_SYS(time), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	/* callers; services that names are looked up with */
	SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt), SCMP_SYS(listen), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(shutdown),
	/* memory, threads, itself */
	SCMP_SYS(brk), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(getegid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom),
	SCMP_SYS(getrlimit), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(madvise),
	SCMP_SYS(membarrier), SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list),
	SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo), SCMP_SYS(umask), SCMP_SYS(uname),
};

/* Allowed when the bits of one argument are so. */
static const struct {
	int call;
	unsigned arg;
	uint64_t mask, bits;
} limited[] = {
	{ SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD },
	{ SCMP_SYS(fcntl), 1, INT, F_DUPFD_CLOEXEC },
	{ SCMP_SYS(fcntl), 1, INT, F_GETFD },
	{ SCMP_SYS(fcntl), 1, INT, F_GETFL },
	{ SCMP_SYS(fcntl), 1, INT, F_SETFD },
	{ SCMP_SYS(fcntl), 1, INT, F_SETFL },
	{ SCMP_SYS(ioctl), 1, INT, FIONREAD },
	{ SCMP_SYS(ioctl), 1, INT, TCGETS },	/* stdio asks whether it writes to a terminal */
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(prlimit64), 2, UINT64_MAX, 0 },	/* ask, not set */
	/* not SO_ATTACH_FILTER and its like, which hand the kernel programs */
	{ SCMP_SYS(setsockopt), 2, INT, SO_PASSCRED },
	{ SCMP_SYS(setsockopt), 2, INT, SO_RCVBUF },
	{ SCMP_SYS(setsockopt), 2, INT, SO_RCVTIMEO },
	{ SCMP_SYS(setsockopt), 2, INT, SO_SNDBUF },
	{ SCMP_SYS(setsockopt), 2, INT, SO_SNDTIMEO },
	{ SCMP_SYS(socket), 0, INT, AF_UNIX },
};
#endif

static const int deadly[] = {
	/* other programs, other processes */
#ifndef MESS_SANITIZE /* the leak checker is a second process that traces the first */
	SCMP_SYS(kill), SCMP_SYS(ptrace), SCMP_SYS(tkill),
#endif
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(kcmp), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal), SCMP_SYS(process_madvise),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(rt_sigqueueinfo),
	SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(vfork),
	/* another user */
	SCMP_SYS(capset), SCMP_SYS(setfsgid), SCMP_SYS(setfsuid), SCMP_SYS(setgid),
	SCMP_SYS(setgroups), SCMP_SYS(setregid), SCMP_SYS(setresgid), SCMP_SYS(setresuid),
	SCMP_SYS(setreuid), SCMP_SYS(setuid),
	/* another view of the files */
	SCMP_SYS(chroot), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fsopen), SCMP_SYS(fspick),
	SCMP_SYS(mount), SCMP_SYS(mount_setattr), SCMP_SYS(move_mount), SCMP_SYS(name_to_handle_at),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(open_tree), SCMP_SYS(pivot_root), SCMP_SYS(setns),
	SCMP_SYS(swapoff), SCMP_SYS(swapon), SCMP_SYS(umount2), SCMP_SYS(unshare),
	/* who may use them, and by which names: Landlock lets most of these pass */
	SCMP_SYS(chmod), SCMP_SYS(chown), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown),
	SCMP_SYS(fchownat), SCMP_SYS(lchown), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(mknod),
	SCMP_SYS(mknodat), SCMP_SYS(symlink), SCMP_SYS(symlinkat),
	/* the kernel's wide parts */
	SCMP_SYS(acct), SCMP_SYS(add_key), SCMP_SYS(adjtimex), SCMP_SYS(bpf), SCMP_SYS(clock_adjtime),
	SCMP_SYS(clock_settime), SCMP_SYS(delete_module), SCMP_SYS(finit_module),
	SCMP_SYS(init_module), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(io_uring_setup), SCMP_SYS(ioperm), SCMP_SYS(iopl), SCMP_SYS(kexec_file_load),
	SCMP_SYS(kexec_load), SCMP_SYS(keyctl), SCMP_SYS(modify_ldt), SCMP_SYS(perf_event_open),
	SCMP_SYS(personality), SCMP_SYS(quotactl), SCMP_SYS(reboot), SCMP_SYS(request_key),
	SCMP_SYS(setdomainname), SCMP_SYS(sethostname), SCMP_SYS(settimeofday), SCMP_SYS(syslog),
	SCMP_SYS(userfaultfd), SCMP_SYS(vhangup),
};

static struct scmp_arg_cmp
differs(unsigned arg, uint64_t value)
{
	return (struct scmp_arg_cmp){ .arg = arg, .op = SCMP_CMP_NE, .datum_a = value };
}

/* EDOM: this architecture has no such call, so nobody can make it. */
static bool
add(scmp_filter_ctx ctx, uint32_t action, int call, struct scmp_arg_cmp arg)
{
	int rc = seccomp_rule_add_array(ctx, action, call, 1, &arg);

	return rc == 0 || rc == -EDOM;
}

static bool
add_all(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int rc = seccomp_rule_add(ctx, action, calls[i], 0);

		if (rc != 0 && rc != -EDOM)
			return false;
	}
	return true;
}

static bool
add_deadly(scmp_filter_ctx ctx)
{
	return add_all(ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly)) &&
	    add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), differs(0, AF_UNIX));
}

#ifdef MESS_SANITIZE
#define OTHERWISE SCMP_ACT_ALLOW /* what the sanitizers need is theirs to say, and changes */

static bool
add_rules(scmp_filter_ctx ctx)
{
	return add_deadly(ctx);
}
#else

/* With CPPFLAGS=-DMESS_STRICT_CALLS a test finds what is missing above: it dies there. */
#ifdef MESS_STRICT_CALLS
#define OTHERWISE SCMP_ACT_TRAP
#else
#define OTHERWISE SCMP_ACT_ERRNO(ENOSYS)
#endif

/* A process, not a thread; memory that is made executable. */
static bool
add_deadly_flags(scmp_filter_ctx ctx)
{
	struct scmp_arg_cmp exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);

	return add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone),
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) &&
	    add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mprotect), exec) &&
	    add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(pkey_mprotect), exec) &&
	    add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), exec);
}

/* abort() sends its signal so; nothing else is sent, and to nobody else. */
static bool
add_abort(scmp_filter_ctx ctx)
{
	uint64_t self = (uint64_t)getpid();

	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, INT, self), SCMP_A2(SCMP_CMP_MASKED_EQ, INT, SIGABRT)) == 0 &&
	    add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), differs(0, self)) &&
	    add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), differs(2, SIGABRT));
}

static bool
add_rules(scmp_filter_ctx ctx)
{
	if (!add_all(ctx, SCMP_ACT_ALLOW, allowed, COUNT(allowed)))
		return false;
	for (size_t i = 0; i < COUNT(limited); i++)
		if (!add(ctx, SCMP_ACT_ALLOW, limited[i].call, SCMP_CMP(limited[i].arg,
			SCMP_CMP_MASKED_EQ, limited[i].mask, limited[i].bits)))
			return false;
#ifdef MESS_STRICT_CALLS
	if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) != 0)
		return false;
#endif
	return add_deadly(ctx) && add_deadly_flags(ctx) && add_abort(ctx);
}
#endif

/* Calls of another architecture's numbers pass no list. */
static bool
set_up(scmp_filter_ctx ctx)
{
	return seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
	    /* Found by halving: the lists are long, and every call goes through them. */
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0;
}

enum mess_err
syscalls_restrict(void)
{
	scmp_filter_ctx ctx = seccomp_init(OTHERWISE);
	bool done;

	if (ctx == NULL)
		return MESS_LIMIT;
	done = set_up(ctx) && add_rules(ctx) && seccomp_load(ctx) == 0;
	seccomp_release(ctx);
	return done ? MESS_OK : MESS_SYSTEM;
}
