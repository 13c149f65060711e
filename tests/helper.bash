# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What every bats file begins with: load helper
#
# Each test has its own spool, $MESS_SPOOL, its own home and its own engine,
# all below $BATS_TEST_TMPDIR.  Whatever runs for it is ended after it.  A
# file with a setup or teardown of its own calls mess_setup and mess_teardown
# there.

bats_require_minimum_version 1.5.0

export BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_load_library bats-file

# tests/run sets these; without it, so that "bats tests/x.bats" works, too:
: "${MESS_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
if [ -z "${MESS_BUILD:-}" ]; then
	MESS_BUILD=$MESS_SOURCE
	[ -e "$MESS_BUILD/config.status" ] || MESS_BUILD=$MESS_SOURCE/build
	PATH=$MESS_BUILD/bin:$PATH
fi
export MESS_SOURCE MESS_BUILD PATH

# How long anything that should happen soon may take.
MESS_PATIENCE=${MESS_PATIENCE:-20}

setup() {
	mess_setup
}

teardown() {
	mess_teardown
}

mess_setup() {
	umask 022
	unset MESS_SOCKET
	export HOME=$BATS_TEST_TMPDIR/home
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	export MESS_SPOOL=$BATS_TEST_TMPDIR/spool
	mkdir -p "$HOME" "$XDG_STATE_HOME"
	cd "$BATS_TEST_TMPDIR" || return
	DELIVERD_LOG=$BATS_TEST_TMPDIR/deliverd.log
	DELIVERD_PID=
	: >"$DELIVERD_LOG"
}

mess_teardown() {
	end_processes
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -s "$DELIVERD_LOG" ]; then
		echo "mess-deliverd said:"
		cat "$DELIVERD_LOG"
	fi
	# A sanitizer that ends an engine does not fail a test by itself.
	! grep -E '(Address|Leak)Sanitizer|runtime error:' "$DELIVERD_LOG"
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; its last words if not.
wait_for() {
	local deadline=$((SECONDS + $1)) said

	shift
	while ! said=$("$@" 2>&1); do
		if [ "$SECONDS" -gt "$deadline" ]; then
			printf 'waited in vain for: %s\n%s\n' "$*" "$said" >&2
			return 1
		fi
		sleep 0.05
	done
}

# Does an engine serve MESS_SPOOL?  It does when it answers HELLO.  From
# inside, because a socket's path has 107 bytes at most.
deliverd_answers() {
	local reply

	reply=$(cd "$MESS_SPOOL" 2>/dev/null &&
		printf 'HELLO 1\n' | socat -t 2 - UNIX-CONNECT:.sock 2>/dev/null) || return
	[[ $reply == "OK mess 1 "* ]]
}

# deliverd_start [OPTION...]: start an engine for MESS_SPOOL and wait until
# it serves.  What it writes is in $DELIVERD_LOG; its pid is $DELIVERD_PID.
deliverd_start() {
	mess-deliverd --spool "$MESS_SPOOL" "$@" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" deliverd_serves_or_died
	if ! deliverd_answers; then
		echo "mess-deliverd did not start" >&2
		return 1
	fi
}

deliverd_serves_or_died() {
	deliverd_answers || process_ended "$DELIVERD_PID"
}

# End the engine as an administrator would; it must leave in time with 0.
deliverd_stop() {
	local status=0

	kill -TERM "$DELIVERD_PID"
	deliverd_wait || status=$?
	assert_equal "$status" 0
}

# End the engine as a crash would.
deliverd_kill() {
	kill -KILL "$DELIVERD_PID"
	deliverd_wait || :
}

# Wait for the engine's end; its exit status.  One that stays is a failure.
deliverd_wait() {
	local pid=$DELIVERD_PID

	wait_for "$MESS_PATIENCE" process_ended "$pid" || return
	DELIVERD_PID=
	wait "$pid"
}

# Ended, though perhaps not yet waited for.  A thread that is still in a sync
# keeps the process's files, and with them its locks.
process_ended() {
	local stat tasks

	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	tasks=("/proc/$1/task"/*)
	[[ ${stat##*) } == [ZX]* && ${#tasks[@]} -le 1 ]]
}

# The pids of mess's programs that run for this test: those which have its
# directory among their arguments or in their environment.  That finds the
# engines that nobody here started by hand.
mess_processes() {
	local dir

	for dir in /proc/[0-9]*; do
		case $(cat "$dir/comm" 2>/dev/null) in
		mess-deliverd | mess-pub | mess-sub | mess-topic) ;;
		*) continue ;;
		esac
		# Without --: a path never begins with a dash.
		if cat "$dir/cmdline" "$dir/environ" 2>/dev/null |
			grep -qzF -e "$BATS_TEST_TMPDIR/" -e "${LAND:-$BATS_TEST_TMPDIR}/"; then
			echo "${dir#/proc/}"
		fi
	done
}

# The pid of the engine that serves MESS_SPOOL, whoever started it.
deliverd_pid() {
	local pid

	for pid in $(mess_processes); do
		if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = mess-deliverd ] &&
			grep -qzxF "$MESS_SPOOL" "/proc/$pid/cmdline" 2>/dev/null; then
			echo "$pid"
			return
		fi
	done
	return 1
}

no_mess_processes() {
	local pid

	for pid in $(mess_processes); do
		process_ended "$pid" || return
	done
}

# End everything of mess that this test started or made start.
end_processes() {
	local pid

	for pid in $(mess_processes); do
		kill -TERM "$pid" 2>/dev/null || :
		kill -CONT "$pid" 2>/dev/null || :
	done
	if ! wait_for 5 no_mess_processes; then
		for pid in $(mess_processes); do
			kill -KILL "$pid" 2>/dev/null || :
		done
	fi
}

# --- what tests say of topics -------------------------------------------------

# published_is TOPIC N, pending_is TOPIC N [SUBSCRIPTION]
published_is() {
	[ "$(stat_of "$1" published)" = "$2" ]
}

pending_is() {
	[ "$(stat_of "$1" pending "${3:-default}")" = "$2" ]
}

# stat_of TOPIC KEY [SUBSCRIPTION]: one number of mess-topic stat.
stat_of() {
	mess-topic stat "$1" | awk -v key="$2" -v sub_name="${3:-}" '
		$1 == "subscription" { at = $2; next }
		$1 == key && at == sub_name { print $2; exit }'
}

# Words for people are one line that begins with the program's name.
# assert_one_error PROGRAM: about $stderr of run --separate-stderr.
assert_one_error() {
	# shellcheck disable=SC2154 # run sets it
	assert_equal "$output" ""
	# shellcheck disable=SC2154 # run sets it
	assert_equal "$(wc -l <<<"$stderr")" 1
	[[ $stderr == "$1: "* ]] || fail "this does not begin with \"$1: \": $stderr"
}

# --- raw protocol -------------------------------------------------------------

# talk [SECONDS]: standard input goes to MESS_SPOOL's engine, all that it
# answers to standard output.  Ends when the engine closes, or SECONDS after
# the end of the input.
talk() {
	(cd "$MESS_SPOOL" && exec socat -t "${1:-10}" - UNIX-CONNECT:.sock)
}

# --- a system spool -----------------------------------------------------------

# system_start: an engine as mess.conf(5) sets it up, for this user.  The
# tools reach it by MESS_SOCKET from then on.
system_start() {
	local dir=$BATS_TEST_TMPDIR/system

	install -d -m 0755 "$dir"
	install -d -m 0700 "$dir/spool"
	printf 'spool %s\nsocket %s\nuser %s\n' "$dir/spool" "$dir/sock" "$(id -un)" >"$dir/mess.conf"
	unset MESS_SPOOL
	export MESS_SOCKET=$dir/sock
	mess-deliverd -c "$dir/mess.conf" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" mess-topic list
}

# --- records ------------------------------------------------------------------

# payloads <RECORDS: headers and body of each, without the envelope.
payloads() {
	perl -e '
		binmode STDIN; binmode STDOUT;
		while (defined(my $line = <STDIN>)) {
			my @w = split / /, $line;
			@w == 9 && $w[0] eq "mess1" or die "no record: $line";
			my $n = $w[6] + 1 + $w[7] + 1;
			read(STDIN, my $rest, $n) == $n or die "cut off";
			print "$w[6] $w[7]\n", $rest;
		}'
}

# Is mess built with sanitizers?  Its memory and its speed mean nothing then.
has_sanitizer() {
	grep -q '^SAN_CFLAGS = *-' "$MESS_BUILD/Makefile" 2>/dev/null
}
