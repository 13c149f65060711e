/* SPDX-License-Identifier: ISC */
/*
 * The sandbox, from inside: each attempt is made by a process of its own
 * that entered it, and must end as promised; what matters is tried outside,
 * too, where it must succeed, so that it is the sandbox that stopped it.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/landlock.h"
#include "test.h"

#define KILLED 1000		/* more than any errno */
#define DIED 1001		/* by another signal */
#define NO_SANDBOX 1002

static int work = -1, names = -1, readable = -1, outside = -1;

static int
make_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0700) == -1)
		abort();
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
make_file(int at, const char *name)
{
	AUTO_FD int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, "x", 1) != 1)
		abort();
}

static void
set_up(void)
{
	char path[] = "test_sandbox.XXXXXX";
	AUTO_FD int dir = -1, tmp = -1, new = -1;

	if (work != -1)
		return;
	if (mkdtemp(path) == NULL || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		abort();
	work = make_dir(dir, "work");
	names = make_dir(dir, "names");
	readable = make_dir(dir, "readable");
	outside = make_dir(dir, "outside");
	tmp = make_dir(work, "tmp");
	new = make_dir(work, "new");
	make_file(tmp, "file");
	make_file(names, "socket");
	make_file(readable, "file");
	make_file(outside, "file");
}

/* What an attempt came to: 0, errno, or KILLED. */
static int
outcome(bool confined, int (*attempt)(void))
{
	struct sandbox_allow allow;
	struct sandbox_state state;
	int status;
	pid_t pid;

	set_up();
	allow = (struct sandbox_allow){ .work = work, .names = names, .read = readable };
	if ((pid = fork()) == 0) {
		if (confined && sandbox_enter(&allow, &state) != MESS_OK)
			_exit(255);
		errno = 0;
		_exit(attempt() == -1 ? errno : 0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : DIED;
	return WEXITSTATUS(status) == 255 ? NO_SANDBOX : WEXITSTATUS(status);
}

#define INSIDE(attempt) outcome(true, attempt)
#define OUTSIDE(attempt) outcome(false, attempt)
/* With sanitizers some are not tried. */
#define SYSCALL(name, call) \
	static int name(void) __attribute__((unused)); \
	static int name(void) { return (int)(call); }

static bool
has_landlock(void)
{
	if (landlock_abi() >= LANDLOCK_ABI_LEAST)
		return true;
	printf("# this kernel has no Landlock: not tested\n");
	return false;
}

/* --- files -------------------------------------------------------------- */

SYSCALL(read_outside, openat(outside, "file", O_RDONLY))
SYSCALL(list_outside, openat(outside, ".", O_RDONLY | O_DIRECTORY))
SYSCALL(write_outside, openat(outside, "file", O_WRONLY))
SYSCALL(empty_outside, openat(outside, "file", O_WRONLY | O_TRUNC))
SYSCALL(make_outside, openat(outside, "made", O_WRONLY | O_CREAT, 0600))
SYSCALL(mkdir_outside, mkdirat(outside, "dir", 0700))
SYSCALL(remove_outside, unlinkat(outside, "file", 0))
SYSCALL(move_outside, renameat(work, "tmp/file", outside, "moved"))
SYSCALL(read_own, open("/proc/self/environ", O_RDONLY))
SYSCALL(read_other, open("/proc/1/status", O_RDONLY))
SYSCALL(write_etc, open("/etc/passwd", O_WRONLY))
SYSCALL(write_readable, openat(readable, "file", O_WRONLY))
SYSCALL(make_name, openat(names, "other", O_WRONLY | O_CREAT, 0600))
SYSCALL(read_name, openat(names, "socket", O_RDONLY))

TEST("files: nothing outside can be read, written, made or removed")
{
	if (!CHECK(OUTSIDE(read_outside) == 0 && OUTSIDE(write_outside) == 0) || !has_landlock())
		return;
#ifndef MESS_SANITIZE
	CHECK(INSIDE(read_outside) == EACCES);
	CHECK(INSIDE(list_outside) == EACCES);
	CHECK(INSIDE(read_own) == EACCES);
	CHECK(INSIDE(read_other) == EACCES);
	CHECK(INSIDE(read_name) == EACCES);
#endif
	CHECK(INSIDE(write_outside) == EACCES);
	CHECK(INSIDE(empty_outside) == EACCES);
	CHECK(INSIDE(make_outside) == EACCES);
	CHECK(INSIDE(mkdir_outside) == EACCES);
	CHECK(INSIDE(remove_outside) == EACCES);
	CHECK(INSIDE(move_outside) == EXDEV || INSIDE(move_outside) == EACCES);
	CHECK(INSIDE(write_etc) == EACCES);
	CHECK(INSIDE(write_readable) == EACCES);
	CHECK(INSIDE(make_name) == EACCES);
}

static int
work_inside(void)
{
	AUTO_FD int fd = openat(work, "tmp/made", O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd == -1 || pwrite(fd, "x", 1, 0) != 1 || fdatasync(fd) == -1)
		return -1;
	/* REFER: from one directory to another. */
	if (renameat2(work, "tmp/made", work, "new/made", RENAME_NOREPLACE) == -1)
		return -1;
	if (mkdirat(work, "topic", 0700) == -1 || unlinkat(work, "topic", AT_REMOVEDIR) == -1)
		return -1;
	return unlinkat(work, "new/made", 0);
}

static int
set_fifo_aside(void)
{
	return renameat(work, "new/fifo", work, "tmp/fifo");
}

SYSCALL(read_readable, openat(readable, "file", O_RDONLY))
SYSCALL(remove_name, unlinkat(names, "socket", 0))

TEST("files: in the spool everything can be done that the engine does, the socket's name can go")
{
	set_up();
	CHECK(INSIDE(work_inside) == 0);
	CHECK(mkfifoat(work, "new/fifo", 0600) == 0);
	CHECK(INSIDE(set_fifo_aside) == 0);
	CHECK(INSIDE(read_readable) == 0);
	CHECK(INSIDE(remove_name) == 0);
	CHECK(faccessat(names, "socket", F_OK, 0) == -1);
}

static int
look_up(void)
{
	struct passwd *pw = getpwuid(0);

	return pw != NULL && strcmp(pw->pw_name, "root") == 0 ? 0 : -1;
}

TEST("files: users are looked up")
{
	CHECK(INSIDE(look_up) == 0);
}

/* --- what ends the process ---------------------------------------------- */

static char *const no_args[] = { NULL };

SYSCALL(call_execve, execve("/bin/true", no_args, no_args))
SYSCALL(call_chmod, fchmodat(work, "tmp", 0700, 0))
SYSCALL(call_fchmod, fchmod(work, 0700))
SYSCALL(call_fchown, fchown(work, (uid_t)-1, (gid_t)-1))
SYSCALL(call_fchownat, fchownat(work, "tmp", (uid_t)-1, (gid_t)-1, 0))
SYSCALL(call_linkat, linkat(work, "tmp/file", work, "tmp/link", 0))
SYSCALL(call_symlinkat, symlinkat("x", work, "tmp/symlink"))
SYSCALL(call_mknodat, mknodat(work, "tmp/node", S_IFREG, 0))
SYSCALL(call_inet, socket(AF_INET, SOCK_STREAM, 0))
SYSCALL(call_inet6, socket(AF_INET6, SOCK_DGRAM, 0))
SYSCALL(call_netlink, socket(AF_NETLINK, SOCK_RAW, 0))
SYSCALL(call_packet, socket(AF_PACKET, SOCK_RAW, 0))
SYSCALL(call_vsock, socket(AF_VSOCK, SOCK_STREAM, 0))
SYSCALL(call_queue, syscall(SYS_rt_sigqueueinfo, getppid(), 0, NULL))
SYSCALL(call_setuid, syscall(SYS_setuid, geteuid()))
SYSCALL(call_setresgid, syscall(SYS_setresgid, -1, -1, -1))
SYSCALL(call_setgroups, syscall(SYS_setgroups, 0, NULL))
SYSCALL(call_capset, syscall(SYS_capset, NULL, NULL))
SYSCALL(call_readv, process_vm_readv(getppid(), NULL, 0, NULL, 0, 0))
SYSCALL(call_writev, process_vm_writev(getppid(), NULL, 0, NULL, 0, 0))
SYSCALL(call_pidfd, syscall(SYS_pidfd_open, getppid(), 0))
SYSCALL(call_getfd, syscall(SYS_pidfd_getfd, -1, 0, 0))
SYSCALL(call_mount, syscall(SYS_mount, "x", "/", "x", 0, NULL))
SYSCALL(call_fsopen, syscall(SYS_fsopen, "tmpfs", 0))
SYSCALL(call_chroot, syscall(SYS_chroot, "."))
SYSCALL(call_unshare, unshare(CLONE_NEWUSER))
SYSCALL(call_setns, setns(-1, 0))
SYSCALL(call_handle, syscall(SYS_open_by_handle_at, -1, NULL, 0))
SYSCALL(call_bpf, syscall(SYS_bpf, 0, NULL, 0))
SYSCALL(call_perf, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
SYSCALL(call_fault, syscall(SYS_userfaultfd, 0))
SYSCALL(call_keyctl, syscall(SYS_keyctl, 0, 0, 0))
SYSCALL(call_ring, syscall(SYS_io_uring_setup, 1, NULL))
SYSCALL(call_module, syscall(SYS_finit_module, -1, "", 0))
SYSCALL(call_persona, syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */))

TEST("calls: what only an intruder makes ends the process")
{
	CHECK(OUTSIDE(call_execve) == 0 && OUTSIDE(call_chmod) == 0);
	CHECK(INSIDE(call_execve) == KILLED);
	CHECK(INSIDE(call_chmod) == KILLED);
	CHECK(INSIDE(call_fchmod) == KILLED);
	CHECK(INSIDE(call_fchown) == KILLED);
	CHECK(INSIDE(call_fchownat) == KILLED);
	CHECK(INSIDE(call_linkat) == KILLED);
	CHECK(INSIDE(call_symlinkat) == KILLED);
	CHECK(INSIDE(call_mknodat) == KILLED);
	CHECK(INSIDE(call_queue) == KILLED);
	CHECK(INSIDE(call_setuid) == KILLED);
	CHECK(INSIDE(call_setresgid) == KILLED);
	CHECK(INSIDE(call_setgroups) == KILLED);
	CHECK(INSIDE(call_capset) == KILLED);
	CHECK(INSIDE(call_readv) == KILLED);
	CHECK(INSIDE(call_writev) == KILLED);
	CHECK(INSIDE(call_pidfd) == KILLED);
	CHECK(INSIDE(call_getfd) == KILLED);
	CHECK(INSIDE(call_mount) == KILLED);
	CHECK(INSIDE(call_fsopen) == KILLED);
	CHECK(INSIDE(call_chroot) == KILLED);
	CHECK(INSIDE(call_unshare) == KILLED);
	CHECK(INSIDE(call_setns) == KILLED);
	CHECK(INSIDE(call_handle) == KILLED);
	CHECK(INSIDE(call_bpf) == KILLED);
	CHECK(INSIDE(call_perf) == KILLED);
	CHECK(INSIDE(call_fault) == KILLED);
	CHECK(INSIDE(call_keyctl) == KILLED);
	CHECK(INSIDE(call_ring) == KILLED);
	CHECK(INSIDE(call_module) == KILLED);
	CHECK(INSIDE(call_persona) == KILLED);
}

SYSCALL(call_unix, socket(AF_UNIX, SOCK_STREAM, 0))

TEST("calls: a socket of another family ends the process, a Unix one is made")
{
	CHECK(OUTSIDE(call_inet) == 0);
	CHECK(INSIDE(call_inet) == KILLED);
	CHECK(INSIDE(call_inet6) == KILLED);
	CHECK(INSIDE(call_netlink) == KILLED);
	CHECK(INSIDE(call_packet) == KILLED);
	CHECK(INSIDE(call_vsock) == KILLED);
	CHECK(INSIDE(call_unix) == 0);
}

#ifdef __x86_64__
/* getpid by its number on i386: there are other lists of calls than the one that is filtered. */
static int
call_i386(void)
{
	long n = 20;

	__asm__ volatile("int $0x80" : "+a"(n) : : "memory");
	return n < 0 ? -1 : 0;
}

SYSCALL(call_x32, syscall(0x40000000L + SYS_getpid))

TEST("calls: those of another architecture end the process")
{
	CHECK(INSIDE(call_i386) == KILLED);
#ifndef MESS_SANITIZE
	CHECK(INSIDE(call_x32) == KILLED);
#endif
}
#endif

/* --- what a build with sanitizers does not hold -------------------------- */

#ifndef MESS_SANITIZE

static int
send_kill(void)
{
	return kill(getppid(), 0);
}

static int
call_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1 ? -1 : 0;
}

SYSCALL(call_tgkill, syscall(SYS_tgkill, getpid(), gettid(), SIGCONT))
SYSCALL(call_tgkill_other, syscall(SYS_tgkill, getppid(), getppid(), SIGABRT))
SYSCALL(call_tkill, syscall(SYS_tkill, gettid(), SIGCONT))
SYSCALL(call_ptrace, ptrace(PTRACE_TRACEME, 0, NULL, NULL))

static int
call_abort(void)
{
	abort();
}

TEST("calls: no other process is made, traced or sent a signal; abort() is one's own")
{
	CHECK(OUTSIDE(call_fork) == 0 && OUTSIDE(send_kill) == 0 && OUTSIDE(call_ptrace) == 0);
	CHECK(INSIDE(call_fork) == KILLED);
	CHECK(INSIDE(send_kill) == KILLED);
	CHECK(INSIDE(call_tkill) == KILLED);
	CHECK(INSIDE(call_tgkill) == KILLED);
	CHECK(INSIDE(call_tgkill_other) == KILLED);
	CHECK(INSIDE(call_ptrace) == KILLED);
	CHECK(INSIDE(call_abort) == DIED);
}

static int
change_memory(void)
{
	void *mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mem == MAP_FAILED ? -1 : mprotect(mem, 4096, PROT_READ | PROT_EXEC);
}

static int
map_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED ? -1 : 0;
}

TEST("memory: nothing new can be executed")
{
	CHECK(OUTSIDE(change_memory) == 0 && OUTSIDE(map_executable) == 0);
	CHECK(INSIDE(change_memory) == KILLED);
	CHECK(INSIDE(map_executable) == EACCES);
}

#ifndef MESS_STRICT_CALLS /* which ends the process for these, too */
static int
attach_filter(void)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &code };

	return setsockopt(socket(AF_UNIX, SOCK_DGRAM, 0), SOL_SOCKET, SO_ATTACH_FILTER, &program,
	    sizeof program);
}

static int
raise_limit(void)
{
	struct rlimit most = { 1 << 20, 1 << 20 };

	return setrlimit(RLIMIT_CORE, &most);
}

SYSCALL(call_clone3, syscall(SYS_clone3, NULL, 0))
SYSCALL(call_msgget, syscall(SYS_msgget, 0, 0))
SYSCALL(call_bind, bind(-1, NULL, 0))
SYSCALL(call_prctl, syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0))
SYSCALL(call_unknown, syscall(100000))

TEST("calls: others do not exist")
{
	CHECK(OUTSIDE(attach_filter) == 0);
	CHECK(INSIDE(attach_filter) == ENOSYS);
	CHECK(INSIDE(raise_limit) == ENOSYS);
	CHECK(INSIDE(call_clone3) == ENOSYS);
	CHECK(INSIDE(call_msgget) == ENOSYS);
	CHECK(INSIDE(call_bind) == ENOSYS);
	CHECK(INSIDE(call_prctl) == ENOSYS);
	CHECK(INSIDE(call_unknown) == ENOSYS);
}
#endif

static void *
in_thread(void *arg)
{
	int *err = arg;

	*err = read_outside() == -1 ? errno : 0;
	return NULL;
}

static int
start_thread(void)
{
	pthread_t thread;
	int err = 0;

	if (pthread_create(&thread, NULL, in_thread, &err) != 0 || pthread_join(thread, NULL) != 0)
		return 0;
	errno = err;
	return err == 0 ? 0 : -1;
}

static void *
exec_in_thread(void *arg)
{
	(void)arg;
	(void)call_execve();
	return NULL;
}

static int
exec_beside(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, exec_in_thread, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0 ? -1 : 0;
}

TEST("threads: one can be started, is confined too, and takes all with it")
{
	if (has_landlock())
		CHECK(INSIDE(start_thread) == EACCES);
	CHECK(INSIDE(exec_beside) == KILLED);
}

/* --- the rest ------------------------------------------------------------ */

static int
core_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) == -1)
		return -1;
	errno = EDOM;
	return limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0 : -1;
}

TEST("process: no core file")
{
	CHECK(INSIDE(core_limit) == 0);
}
#endif

static struct sockaddr_un abstract = { .sun_family = AF_UNIX };

static int
connect_abstract(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return connect(fd, (struct sockaddr *)&abstract, sizeof abstract);
}

TEST("sockets: an abstract one of somebody else's is out of reach")
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "mess-test-%d", getpid());
	CHECK(bind(fd, (struct sockaddr *)&abstract, sizeof abstract) == 0 && listen(fd, 9) == 0);
	CHECK(OUTSIDE(connect_abstract) == 0);
	if (landlock_abi() >= 6)
		CHECK(INSIDE(connect_abstract) == EPERM);
	else
		printf("# this kernel cannot: not tested\n");
}

TEST("state: a line for each, with the reason where it is not in force")
{
	AUTO_BUF struct buf text = BUF_INIT(4096);
	struct sandbox_state s;

	sandbox_none(&s, "because");
	s.lacks[SANDBOX_LANDLOCK] = s.lacks[SANDBOX_SECCOMP] = NULL;
	s.landlock = 2;
	CHECK(sandbox_write(&s, &text) == MESS_OK && buf_append(&text, "", 1) == MESS_OK);
	CHECK(strcmp(buf_data(&text), "no-capabilities no: because\nno-core no: because\n"
	    "no-dump no: because\nno-new-privs no: because\nmdwe no: because\nlandlock 2\n"
	    "seccomp yes\nno-passrights no: because\n") == 0);
}
