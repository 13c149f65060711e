#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-deliverd(8), Confinement and Deployment: what an engine gives up, what
# it says of that, and that it holds.  tests/unit/test_sandbox.c tries each
# call and each file.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

teardown() {
	mess_teardown
	[ -z "${OPEN:-}" ] || rm -rf "$OPEN"
}

# of_all_threads KEY: the values that /proc has of the engine's threads, each once.
of_all_threads() {
	local task

	for task in "/proc/$DELIVERD_PID/task"/*; do
		sed -n "s/^$1:[ \t]*//p" "$task/status"
	done | sort -u
}

# security KEY: what the engine says of it.
security() {
	mess-topic stat --security | sed -n "s/^$1 //p"
}

# A system spool in $OPEN, of nobody's; the programs in $OPEN/bin.
nobodys_spool() {
	[ "$(id -u)" -eq 0 ] || skip "needs root and a second user"
	OPEN=$(mktemp -d /tmp/mess-test.XXXXXX)
	chmod 755 "$OPEN"
	mkdir "$OPEN/bin"
	cp "$MESS_BUILD"/bin/mess-{deliverd,pub,sub,topic} "$OPEN/bin"
	install -d -o nobody -m 0755 "$OPEN/run"
	install -d -o nobody -m 0700 "$OPEN/spool"
	printf 'spool %s\nsocket %s\nuser nobody\n' "$OPEN/spool" "$OPEN/run/sock" >"$OPEN/conf"
	unset MESS_SPOOL
	export MESS_SOCKET=$OPEN/run/sock
}

# engine_with COMMAND...: a system engine that is started by COMMAND, which is
# followed by the program.
engine_with() {
	local dir=$BATS_TEST_TMPDIR/system

	install -d -m 0755 "$dir"
	install -d -m 0700 "$dir/spool"
	[ -e "$dir/mess.conf" ] ||
		printf 'spool %s\nsocket %s\nuser %s\n' "$dir/spool" "$dir/sock" "$(id -un)" >"$dir/mess.conf"
	unset MESS_SPOOL
	export MESS_SOCKET=$dir/sock
	ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 "$@" mess-deliverd -c "$dir/mess.conf" \
		</dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
}

# --- what is in force -----------------------------------------------------------

@test "sandbox: every thread of an engine is confined, whoever started it" {
	deliverd_start
	mess-pub -m x t

	assert_equal "$(of_all_threads NoNewPrivs)" 1
	assert_equal "$(of_all_threads Seccomp)" 2
	assert_equal "$(of_all_threads CapEff)$(of_all_threads CapPrm)" 00000000000000000000000000000000
	assert [ "$(compgen -G "/proc/$DELIVERD_PID/task/*" | wc -l)" -gt 1 ]
	run -0 grep '^Max core file size' "/proc/$DELIVERD_PID/limits"
	assert_equal "$(xargs <<<"$output")" "Max core file size 0 0 bytes"
	deliverd_stop

	# One that a tool started.
	mess-pub -m y t
	mess-sub -n 1 t
	DELIVERD_PID=$(deliverd_pid)
	assert_equal "$(of_all_threads Seccomp)" 2
}

@test "sandbox: another process of the same user can neither read nor trace the engine" {
	nobodys_spool
	mess-deliverd -c "$OPEN/conf" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" mess-topic list

	if has_sanitizer; then # its leak checker traces the process
		assert_equal "$(security no-dump)" "no: built with sanitizers"
		return
	fi
	assert_equal "$(stat -c %U "/proc/$DELIVERD_PID/mem")" root
	run setpriv --reuid=nobody --regid=nogroup --clear-groups cat "/proc/$DELIVERD_PID/environ"
	assert [ "$status" -ne 0 ]
	assert_output --partial "ermission denied"
	run setpriv --reuid=nobody --regid=nogroup --clear-groups strace -p "$DELIVERD_PID"
	assert [ "$status" -ne 0 ]
	assert_output --partial "not permitted"
}

@test "sandbox: descriptors that an engine inherits by mistake are closed" {
	echo secret >secret
	exec 7<secret
	deliverd_start
	exec 7<&-

	run -0 readlink "/proc/$DELIVERD_PID/fd"/*
	refute_output --partial secret
}

# --- what is said of it ---------------------------------------------------------

@test "sandbox: mess-deliverd -t and mess-topic stat --security say what is in force" {
	mkdir -m 0700 "$MESS_SPOOL"
	run -0 --separate-stderr mess-deliverd -t --spool "$MESS_SPOOL"
	told=$output
	assert_equal "$stderr" ""

	deliverd_start
	run -0 --separate-stderr mess-topic stat --security
	assert_output "$told"
	assert_line --index 0 "uid $(id -u)"
	for key in no-capabilities no-core no-dump no-new-privs mdwe landlock seccomp no-passrights; do
		assert_equal "$(grep -cE "^$key (yes|[0-9]+|no: .+)$" <<<"$output")" 1
	done
	assert_line "seccomp yes"
	assert_line "no-new-privs yes"

	run -0 jq -e '.uid == '"$(id -u)"' and .seccomp == "yes"' < <(mess-topic stat --security --json)
	run -64 mess-topic stat --security t
	run -64 mess-topic stat --security --watch
	run -64 mess-topic list --security
}

@test "sandbox: whoever may connect may ask, and learns nothing of topics" {
	nobodys_spool
	mess-deliverd -c "$OPEN/conf" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" mess-topic list
	mess-topic create secret

	run -0 setpriv --reuid=daemon --regid=daemon --clear-groups \
		env HOME=/ "$OPEN/bin/mess-topic" stat --security
	assert_line "uid $(id -u nobody)"
	assert_line "seccomp yes"
	refute_output --partial secret
}

# --- what cannot be done --------------------------------------------------------

@test "sandbox: one that cannot be set up is fatal, and named" {
	local call

	command -v strace >/dev/null || skip "no strace"
	mkdir -m 0700 "$MESS_SPOOL"
	for call in seccomp landlock_restrict_self landlock_add_rule capset; do
		[ "$call" != capset ] || [ "$(id -u)" -eq 0 ] || continue
		ASAN_OPTIONS=detect_leaks=0 run -71 --separate-stderr strace -f -o /dev/null \
			-e inject="$call":error=EPERM mess-deliverd --spool "$MESS_SPOOL"
		assert_one_error mess-deliverd
		[[ $stderr == *"sandbox: "*"sandbox no"* ]]
		ASAN_OPTIONS=detect_leaks=0 run -71 strace -f -o /dev/null \
			-e inject="$call":error=EPERM mess-deliverd -t --spool "$MESS_SPOOL"
	done
	assert [ ! -e "$MESS_SPOOL/.sock" ]

	# Nothing is asked of the kernel when nobody wants it.
	install -d -m 0755 system
	printf 'spool %s\nsocket %s\nuser %s\nsandbox no\n' "$BATS_TEST_TMPDIR/system/spool" \
		"$BATS_TEST_TMPDIR/system/sock" "$(id -un)" >system/mess.conf
	engine_with strace -D -f -o /dev/null -e inject=seccomp:error=EPERM
	wait_for "$MESS_PATIENCE" mess-topic list
}

@test "sandbox: 'sandbox no' confines nothing, and it is said" {
	install -d -m 0755 system
	printf 'spool %s\nsocket %s\nuser %s\nsandbox no\n' "$BATS_TEST_TMPDIR/system/spool" \
		"$BATS_TEST_TMPDIR/system/sock" "$(id -un)" >system/mess.conf
	engine_with env
	wait_for "$MESS_PATIENCE" mess-topic list

	assert_equal "$(of_all_threads Seccomp)" 0
	assert_equal "$(security seccomp)" "no: the configuration says \`sandbox no'"
	assert_equal "$(security landlock)" "no: the configuration says \`sandbox no'"
}

# Which of an engine's prctl calls is the one for MDWE.
prctl_of_mdwe() {
	mkdir -m 0700 prctl
	ASAN_OPTIONS=detect_leaks=0 strace -f -o prctl.log -e trace=prctl mess-deliverd -t --spool prctl >/dev/null
	grep -nE 'prctl\((0x41|PR_SET_MDWE)' prctl.log | cut -d : -f 1
}

# Debian 12: Landlock of ABI 2, no MDWE, no SO_PASSRIGHTS.  Then a kernel
# without Landlock, too.
@test "sandbox: what an older kernel does not have is left out, one by one, and said" {
	local no="no: this kernel is too old" landlock

	command -v strace >/dev/null || skip "no strace"
	nth=$(prctl_of_mdwe)
	for landlock in retval=2:when=1 error=EOPNOTSUPP; do
		engine_with strace -D -f -o /dev/null -e inject=landlock_create_ruleset:"$landlock" \
			-e inject=prctl:error=EINVAL:when="$nth" -e inject=setsockopt:error=ENOPROTOOPT
		wait_for "$MESS_PATIENCE" mess-topic list

		assert_equal "$(security mdwe)" "$no"
		assert_equal "$(security no-passrights)" "$no"
		if [ "$landlock" = error=EOPNOTSUPP ]; then
			assert_equal "$(security landlock)" "no: this kernel has none, or it is switched off"
		else
			assert_equal "$(security landlock)" 2
		fi
		assert_equal "$(security seccomp) $(security no-new-privs) $(security no-core)" "yes yes yes"

		# All of it works: large bodies, what is moved into new/, deleting.
		mess-topic create t
		head -c 300000 /dev/zero | mess-pub t
		printf 'by hand' >"$BATS_TEST_TMPDIR/system/spool/t/tmp/x"
		mv "$BATS_TEST_TMPDIR/system/spool/t/tmp/x" "$BATS_TEST_TMPDIR/system/spool/t/new/x"
		wait_for "$MESS_PATIENCE" published_is t 2
		run -0 mess-sub -e --raw t
		mess-topic delete t
		kill -TERM "$DELIVERD_PID"
		deliverd_wait
	done
}

# --- an engine that was taken over ------------------------------------------------

# A body of EXPLOIT and a word makes this engine do what the word says.
take_over() {
	cat >exploit.c <<-'C'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <string.h>
		#include <sys/ptrace.h>
		#include <sys/socket.h>
		#include <sys/stat.h>
		#include <sys/types.h>
		#include <unistd.h>

		static void
		exploit(const char *word)
		{
			char *argv[] = { (char *)"sh", NULL };

			if (strncmp(word, "exec", 4) == 0)
				execv("/bin/sh", argv);
			else if (strncmp(word, "chmod", 5) == 0)
				chmod(".", 0777);
			else if (strncmp(word, "inet", 4) == 0)
				socket(AF_INET, SOCK_STREAM, 0);
			else if (strncmp(word, "pidfd", 5) == 0)
				syscall(434, 1, 0);
		}

		static ssize_t
		look(const void *mem, ssize_t n)
		{
			const char *at = n > 0 ? memmem(mem, (size_t)n, "EXPLOIT ", 8) : NULL;

			if (at != NULL)
				exploit(at + 8);
			return n;
		}

		ssize_t
		recv(int fd, void *mem, size_t len, int flags)
		{
			ssize_t (*real)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");

			return look(mem, real(fd, mem, len, flags));
		}

		ssize_t
		read(int fd, void *mem, size_t len)
		{
			ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");

			return look(mem, real(fd, mem, len));
		}
	C
	# shellcheck disable=SC2086 # CC may be a compiler with options
	${CC:-cc} -shared -fPIC -o exploit.so exploit.c -ldl
}

@test "sandbox: a forbidden call kills the engine and only that; nothing that was told OK is lost" {
	local word status n=0

	take_over
	for word in exec chmod inet pidfd; do
		n=$((n + 1))
		engine_with env LD_PRELOAD="$BATS_TEST_TMPDIR/exploit.so"
		wait_for "$MESS_PATIENCE" mess-topic list
		if [ "$n" -eq 1 ]; then
			mess-topic create t
			mess-sub -l -s bystander t >seen 2>said 3>&- &
			bystander=$!
		fi
		mess-pub -m "before $word" t

		# Whoever asks is not told OK.
		run mess-pub -m "EXPLOIT $word" t
		assert [ "$status" -ne 0 ]
		status=0
		deliverd_wait || status=$?
		assert_equal "$status" 159 # SIGSYS
		assert_equal "$(stat -c %a "$BATS_TEST_TMPDIR/system/spool")" 700
	done

	engine_with env
	wait_for "$MESS_PATIENCE" mess-topic list
	run -0 mess-sub -e -l t
	assert_output "$(printf 'before %s\n' exec chmod inet pidfd)"
	# Another caller outlived them all.
	wait_for "$MESS_PATIENCE" grep -qx 'before pidfd' seen
	assert_equal "$(sort -u seen)" "$(sort <<<"$output")"
	run process_ended "$bystander"
	assert_equal "$status" 1
}

# --- deployment -----------------------------------------------------------------

unit=$MESS_SOURCE/contrib/systemd/mess-deliverd.service

@test "sandbox: the unit's exposure is at most 1.5, as systemd-analyze judges" {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	run -0 systemd-analyze security --offline=true --no-pager "$unit"
	exposure=$(sed -n 's/.*Overall exposure level for mess-deliverd.service: \([0-9.]*\) .*/\1/p' <<<"$output")
	assert [ -n "$exposure" ]
	echo "exposure: $exposure"
	run -0 awk -v is="$exposure" 'BEGIN { exit !(is <= 1.5) }'
}

@test "sandbox: systemd understands every line of the units" {
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	sed "s,/usr/sbin/,$MESS_BUILD/bin/," "$unit" >mess-deliverd.service
	cp "${unit%service}socket" .
	run systemd-analyze verify --man=no ./mess-deliverd.service ./mess-deliverd.socket
	refute_output --partial mess-deliverd
}

# What the unit lets an engine call is all that it calls before it confines itself.
@test "sandbox: the unit allows every call that an engine makes" {
	command -v strace >/dev/null || skip "no strace"
	command -v systemd-analyze >/dev/null || skip "no systemd-analyze"
	mkdir -m 0700 "$MESS_SPOOL"
	setpriv_all=()
	[ "$(id -u)" -ne 0 ] || setpriv_all=(setpriv --bounding-set=-all --inh-caps=-all)
	ASAN_OPTIONS=detect_leaks=0 strace -D -f -o calls "${setpriv_all[@]}" mess-deliverd --spool "$MESS_SPOOL" </dev/null \
		>>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" deliverd_answers
	mess-pub -m x t
	mess-sub -n 1 t
	deliverd_stop

	systemd-analyze syscall-filter --no-pager >groups
	perl -e '
		my (%in, $group);
		open my $g, "<", "groups" or die;
		while (<$g>) {
			if (/^(@\S+)/) { $group = $1 }
			elsif (/^\s+([@\w]\S*)/) { push @{$in{$group}}, $1 }
		}
		sub calls { map { /^@/ ? calls($_) : $_ } @{$in{$_[0]} // []} }
		my %may = map { $_ => 1 } calls("\@default");
		open my $u, "<", $ARGV[0] or die;
		while (<$u>) {
			next unless s/^SystemCallFilter=//;
			my $no = s/^~//;
			for (map { /^@/ ? calls($_) : $_ } split) {
				if ($no) { delete $may{$_} } else { $may{$_} = 1 }
			}
		}
		$may{execve} = 1; # the manager starts it
		my $setpriv = @ARGV > 1;
		open my $c, "<", "calls" or die;
		while (<$c>) {
			next unless /^\d+ +([a-z]\w*)\(/ && !$may{$1};
			next if $setpriv && $1 eq "capset"; # not ours
			print "$1\n";
		}' "$unit" "${setpriv_all[@]}" >denied
	run sort -u denied
	has_sanitizer || refute_output # it makes calls of its own
}

@test "sandbox: sysusers.d and tmpfiles.d make the user, /run/mess and the spool" {
	command -v systemd-sysusers >/dev/null || skip "no systemd-sysusers"
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	mkdir -p root/etc root/usr/lib/sysusers.d root/usr/lib/tmpfiles.d
	cp "$MESS_SOURCE/contrib/sysusers.d/mess.conf" root/usr/lib/sysusers.d
	cp "$MESS_SOURCE/contrib/tmpfiles.d/mess.conf" root/usr/lib/tmpfiles.d

	run -0 systemd-sysusers --root="$PWD/root" mess.conf
	uid=$(awk -F : '$1 == "mess" { print $3 }' root/etc/passwd)
	assert [ "$uid" -gt 0 ]
	run -0 grep '^mess:.*nologin$' root/etc/passwd
	run -0 systemd-tmpfiles --root="$PWD/root" --create mess.conf
	assert_equal "$(stat -c '%a %u' root/run/mess)" "755 $uid"
	assert_equal "$(stat -c '%a %u' root/var/spool/mess)" "700 $uid"
}

@test "sandbox: an engine that systemd starts for a caller leaves when idle, and comes back" {
	mkdir -m 0700 "$MESS_SPOOL"
	cat >manager <<-'PERL'
		use Socket;
		use POSIX;
		$^F = 9;
		socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
		bind($s, pack_sockaddr_un(shift)) or die $!;
		listen($s, 100) or die;
		fileno($s) == 3 or POSIX::dup2(fileno($s), 3);
		$SIG{TERM} = sub { kill "TERM", $pid if $pid; exit 0 };
		for (;;) {
			my $in = "";
			vec($in, 3, 1) = 1;
			select($in, undef, undef, undef) > 0 or next;
			$pid = fork();
			if ($pid == 0) {
				@ENV{"LISTEN_FDS", "LISTEN_PID"} = (1, $$);
				exec @ARGV;
			}
			waitpid($pid, 0);
			syswrite(STDOUT, "ended $?\n");
		}
	PERL
	perl manager "$BATS_TEST_TMPDIR/given" mess-deliverd --spool "$MESS_SPOOL" --idle-exit 1 \
		</dev/null >ends 2>>"$DELIVERD_LOG" 3>&- &
	manager=$!
	wait_for "$MESS_PATIENCE" test -S given

	mess-pub --socket "$BATS_TEST_TMPDIR/given" -m first t
	wait_for "$MESS_PATIENCE" grep -q 'ended 0' ends
	assert [ -S given ]
	mess-pub --socket "$BATS_TEST_TMPDIR/given" -m second t
	run -0 mess-sub --socket "$BATS_TEST_TMPDIR/given" -e -l t
	assert_output "$(printf 'first\nsecond')"
	kill "$manager"
	wait "$manager" || :
}

@test "sandbox: without systemd, su starts an engine as its user, confined" {
	nobodys_spool
	su -s /bin/sh nobody -c "exec $OPEN/bin/mess-deliverd -c $OPEN/conf" \
		</dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	wait_for "$MESS_PATIENCE" mess-topic list
	DELIVERD_PID=$(pgrep -u nobody -f "^$OPEN/bin/mess-deliverd")

	assert_equal "$(security uid)" "$(id -u nobody)"
	assert_equal "$(of_all_threads Seccomp)" 2
	assert_equal "$(stat -c '%U %a' "$OPEN/run/sock")" "nobody 666"
	mess-topic create t
	mess-pub -m x t
	run -0 mess-sub -n 1 t
	assert_output x
	kill "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" process_ended "$DELIVERD_PID"
}
