#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-deliverd(8): the engine of a spool.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

teardown() {
	local pid

	for pid in ${listener:-} ${liar:-}; do # where a test failed before it could
		kill "$pid" 2>/dev/null || :
	done
	mess_teardown
	[ -z "${OPEN:-}" ] || rm -rf "$OPEN"
}

# A directory that other users can get into, $OPEN, with the programs in it.
open_directory() {
	OPEN=$(mktemp -d /tmp/mess-test.XXXXXX)
	chmod 755 "$OPEN"
	mkdir "$OPEN/bin"
	cp "$MESS_BUILD"/bin/mess-pub "$MESS_BUILD"/bin/mess-sub "$MESS_BUILD"/bin/mess-topic \
		"$MESS_BUILD"/bin/mess-deliverd "$OPEN/bin"
}

# as_other COMMAND...: with nothing of ours.
as_other() {
	(
		cd /
		exec setpriv --reuid=games --regid=games --clear-groups \
			env -i PATH="$OPEN/bin:/usr/bin:/bin" HOME="$OPEN" \
			${MESS_SOCKET:+MESS_SOCKET="$MESS_SOCKET"} ${MESS_SPOOL:+MESS_SPOOL="$MESS_SPOOL"} "$@"
	)
}

# --- one engine ---------------------------------------------------------------

@test "deliverd: a second engine on a spool is 75, the first serves on" {
	deliverd_start

	run -75 --separate-stderr mess-deliverd --spool "$MESS_SPOOL"
	assert_one_error mess-deliverd
	[[ $stderr == *"in use by another engine"* ]]

	mess-pub -m x t
	run -0 mess-sub -n 1 t
	assert_output x
}

@test "deliverd: an engine that was killed leaves nothing that stops the next one" {
	local i

	for i in 1 2 3 4 5; do
		deliverd_start
		mess-pub -m "$i" t
		deliverd_kill
	done
	deliverd_start
	assert_equal "$(mess-sub -e -l t | xargs)" "1 2 3 4 5"
}

@test "deliverd: makes a missing personal spool, 0700" {
	mess-deliverd --spool "$BATS_TEST_TMPDIR/a/b/c" </dev/null 2>/dev/null 3>&- &
	DELIVERD_PID=$!
	MESS_SPOOL=$BATS_TEST_TMPDIR/a/b/c
	wait_for "$MESS_PATIENCE" deliverd_answers

	assert_equal "$(stat -c %a "$BATS_TEST_TMPDIR/a/b/c")" 700
	deliverd_stop
}

@test "deliverd: a spool may be in the working directory, and named so" {
	mkdir here
	cd here
	mess-deliverd --spool queue </dev/null 2>/dev/null 3>&- &
	DELIVERD_PID=$!
	MESS_SPOOL=queue
	wait_for "$MESS_PATIENCE" deliverd_answers
	mess-pub -m x t
	run -0 mess-sub --spool ./queue -n 1 t
	assert_output x
	deliverd_stop
}

# --- what it refuses ------------------------------------------------------------

@test "deliverd: -t of a spool that is fit is 0, says what confines, and changes nothing" {
	mkdir -m 0700 "$MESS_SPOOL"

	run -0 --separate-stderr mess-deliverd -t --spool "$MESS_SPOOL"
	assert_equal "$stderr" ""
	assert_line "uid $(id -u)"
	assert_line "seccomp yes"
	assert_equal "$(ls -A "$MESS_SPOOL")" ""
}

@test "deliverd: -t is 78 for a spool that others may open, and serving it, too" {
	local mode

	mkdir "$MESS_SPOOL"
	for mode in 0755 0770 0701 0777; do
		chmod "$mode" "$MESS_SPOOL"
		run -78 --separate-stderr mess-deliverd -t --spool "$MESS_SPOOL"
		assert_one_error mess-deliverd
		[[ $stderr == *0700* ]]
		run -78 mess-deliverd --spool "$MESS_SPOOL"
		run mess-pub -m x t
		assert [ "$status" -ne 0 ]
	done
	assert_equal "$(ls -A "$MESS_SPOOL")" ""
}

@test "deliverd: -t is 78 for what is missing or no directory" {
	run -78 --separate-stderr mess-deliverd -t --spool "$BATS_TEST_TMPDIR/nowhere"
	assert_one_error mess-deliverd
	: >file
	run -78 --separate-stderr mess-deliverd -t --spool "$BATS_TEST_TMPDIR/file"
	assert_one_error mess-deliverd
}

@test "deliverd: -t is 78 below a directory that others may write to, sticky ones aside" {
	mkdir -m 0777 shared
	chmod 0777 shared
	mkdir -m 0700 shared/spool

	run -78 --separate-stderr mess-deliverd -t --spool "$BATS_TEST_TMPDIR/shared/spool"
	assert_one_error mess-deliverd
	run -78 mess-deliverd --spool "$BATS_TEST_TMPDIR/shared/spool"
	chmod 1777 shared
	run -0 mess-deliverd -t --spool "$BATS_TEST_TMPDIR/shared/spool"
}

@test "deliverd: -t is 78 for a spool, or below a directory, of somebody else's" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a directory of somebody else's"
	mkdir -m 0755 foreign
	mkdir -m 0700 foreign/spool
	chown nobody foreign

	run -78 --separate-stderr mess-deliverd -t --spool "$BATS_TEST_TMPDIR/foreign/spool"
	assert_one_error mess-deliverd
	open_directory
	mkdir -m 0700 "$OPEN/spool"
	MESS_SPOOL=$OPEN/spool run as_other mess-deliverd -t --spool "$OPEN/spool"
	assert_equal "$status" 78
}

@test "deliverd: a configuration with a line that is not valid is 78, with file and line" {
	local line

	mkdir -m 0700 spool
	for line in 'nonsense' 'spool relative' 'spool' 'spool  /x' 'socket rel' 'user no-such-user-here' 'sandbox yes' \
		"spool $BATS_TEST_TMPDIR/spool" 'socket'; do
		printf '# comment\nspool %s\nsocket %s\nuser %s\n%s\n' "$BATS_TEST_TMPDIR/spool" \
			"$BATS_TEST_TMPDIR/sock" "$(id -un)" "$line" >conf
		[ "${line#user}" = "$line" ] || sed -i 4d conf
		run --separate-stderr mess-deliverd -t -c conf
		[ "$status" -eq 78 ] || fail "\"$line\": exit status $status, not 78"
		assert_one_error mess-deliverd
		[[ $stderr == *conf* ]]
	done
	run -78 mess-deliverd -t -c missing
	printf 'spool %s\nsocket %s\nuser %s\n' "$BATS_TEST_TMPDIR/spool" "$BATS_TEST_TMPDIR/sock" "$(id -un)" >conf
	run -0 mess-deliverd -t -c conf
}

@test "deliverd: a command line that makes no sense is 64" {
	run -64 mess-deliverd operand
	run -64 mess-deliverd --nonsense
	run -64 mess-deliverd --spool "$MESS_SPOOL" --idle-exit 1x
	assert [ ! -e "$MESS_SPOOL" ]
}

# --- ends -----------------------------------------------------------------------

@test "deliverd: --idle-exit leaves with 0 when nobody needs it, and state is kept" {
	deliverd_start --idle-exit 1
	mess-pub -m kept t
	mess-sub -n 1 t < <(mess-pub -m second t)

	deliverd_wait
	assert [ ! -e "$MESS_SPOOL/.sock" ]

	run -0 mess-sub -e t
	assert_output second
}

@test "deliverd: --idle-exit does not leave while somebody is connected" {
	deliverd_start --idle-exit 1
	mess-sub -l t >out 3>&- &
	follower=$!
	wait_for "$MESS_PATIENCE" test -d "$MESS_SPOOL/t/sub"

	# Two seconds without any work.
	run -124 mess-sub -n 1 -W 2 other
	run -124 mess-sub -n 1 -W 2 other
	run process_ended "$DELIVERD_PID"
	assert_equal "$status" 1

	kill -TERM "$follower"
	wait "$follower"
	deliverd_wait
}

@test "deliverd: TERM and INT finish what is in hand and exit 0" {
	local signal

	for signal in TERM INT; do
		perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' mess-deliverd --spool "$MESS_SPOOL" \
			</dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
		DELIVERD_PID=$!
		wait_for "$MESS_PATIENCE" deliverd_answers
		mess-pub -m "$signal" t
		kill -"$signal" "$DELIVERD_PID"
		deliverd_wait
		DELIVERD_PID=
		assert [ ! -e "$MESS_SPOOL/.sock" ]
	done
	assert_equal "$(mess-sub -e -l t | xargs)" "TERM INT"
}

@test "deliverd: TERM under load: what was answered is there, and it ends in time" {
	local pids=() i

	deliverd_start
	mess-topic create t
	for i in 1 2 3 4; do
		(
			n=0
			while mess-pub --socket "$MESS_SPOOL/.sock" -m "$i $((n + 1))" t 2>/dev/null; do
				n=$((n + 1))
			done
			echo "$n" >"told.$i"
		) 3>&- &
		pids+=($!)
	done
	wait_for "$MESS_PATIENCE" published_at_least t 50

	deliverd_stop
	wait "${pids[@]}"

	mess-sub -e -l t >out
	for k in 1 2 3 4; do # run uses i
		run -0 grep -c "^$k " out
		assert [ "$output" -ge "$(<"told.$k")" ]
		assert [ "$output" -le $(($(<"told.$k") + 1)) ]
	done
}

published_at_least() {
	[ "$(stat_of "$1" published)" -ge "$2" ]
}

@test "deliverd: HUP harms no personal engine" {
	deliverd_start
	mess-sub -e t
	kill -HUP "$DELIVERD_PID"
	mess-pub -m x t
	run -0 mess-sub -e t
	assert_output x
	deliverd_stop
}

@test "deliverd: HUP reads the configuration again, all or nothing" {
	system_start
	conf=$BATS_TEST_TMPDIR/system/mess.conf
	mess-topic create t

	kill -HUP "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" grep -q 'read again' "$DELIVERD_LOG"
	echo nonsense >>"$conf"
	kill -HUP "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" grep -q 'line 4' "$DELIVERD_LOG"
	sed -i -e 4d -e 's,^socket .*,socket /elsewhere,' "$conf"
	kill -HUP "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" grep -q 'need a restart' "$DELIVERD_LOG"

	mess-pub -m x t
	run -0 mess-sub -n 1 t
	assert_output x
	deliverd_stop
}

# --- started by systemd ---------------------------------------------------------

@test "deliverd: a listening socket that LISTEN_FDS says is used instead of a new one" {
	mkdir -m 0700 "$MESS_SPOOL"
	perl -MSocket -MPOSIX -e '
		$^F = 9;
		my $path = shift;
		socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
		bind($s, pack_sockaddr_un($path)) or die "$path: $!";
		listen($s, 100) or die;
		fileno($s) == 3 or POSIX::dup2(fileno($s), 3);
		@ENV{"LISTEN_FDS", "LISTEN_PID"} = (1, $$);
		exec @ARGV' "$BATS_TEST_TMPDIR/given" mess-deliverd --spool "$MESS_SPOOL" \
		</dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" mess-topic --socket "$BATS_TEST_TMPDIR/given" list

	mess-pub --socket "$BATS_TEST_TMPDIR/given" -m x t
	run -0 mess-sub --socket "$BATS_TEST_TMPDIR/given" -n 1 t
	assert_output x
	assert [ ! -e "$MESS_SPOOL/.sock" ]
	deliverd_stop
	# It is not ours to remove.
	assert [ -e "$BATS_TEST_TMPDIR/given" ]
}

@test "deliverd: LISTEN_FDS that is meant for another process is not used" {
	LISTEN_FDS=1 LISTEN_PID=1 deliverd_start
	assert [ -S "$MESS_SPOOL/.sock" ]
}

@test "deliverd: readiness is told to NOTIFY_SOCKET, and the end" {
	socat -u UNIX-RECV:"$BATS_TEST_TMPDIR/notify" CREATE:said 3>&- &
	listener=$!
	wait_for "$MESS_PATIENCE" test -S notify

	NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify deliverd_start
	wait_for "$MESS_PATIENCE" grep -q READY=1 said
	deliverd_stop
	wait_for "$MESS_PATIENCE" grep -q STOPPING=1 said
	kill "$listener" 2>/dev/null || :
}

@test "deliverd: a NOTIFY_SOCKET that nobody reads is no reason not to serve" {
	NOTIFY_SOCKET=$BATS_TEST_TMPDIR/nowhere deliverd_start
	mess-pub -m x t
	deliverd_stop
}

# --- closed to others -----------------------------------------------------------

@test "deliverd: all that is in a spool is 0700 and 0600, whatever the umask" {
	umask 000
	mess-pub -m x t
	head -c 400000 /dev/zero | mess-pub t
	head -c 2000000 /dev/zero | tr '\0' '\n' | mess-pub -l t
	mess-sub -n 2 -s a t >/dev/null
	mess-topic create gone
	mess-pub -m x gone
	mess-topic delete gone
	mkfifo "$MESS_SPOOL/t/tmp/fifo"
	mv "$MESS_SPOOL/t/tmp/fifo" "$MESS_SPOOL/t/new/fifo"
	wait_for "$MESS_PATIENCE" test -e "$MESS_SPOOL/.quarantine/t.fifo"
	end_processes
	umask 022
	mess-pub -m direct t
	mess-pub -H 'A: b' -m direct t

	run find "$MESS_SPOOL" -type d ! -perm 0700 -print
	assert_output ""
	run find "$MESS_SPOOL" ! -type d ! -type p ! -perm 0600 -print
	assert_output ""
	deliverd_start
	assert_equal "$(stat -c %a "$MESS_SPOOL/.sock")" 600
}

@test "deliverd: a socket path longer than 108 bytes works" {
	MESS_SPOOL=$BATS_TEST_TMPDIR/$(printf 'x%.0s' {1..120})/$(printf 'y%.0s' {1..120})
	unset MESS_SOCKET

	mess-pub -m x t
	run -0 mess-sub -n 1 t
	assert_output x
	run -0 mess-topic --socket "$MESS_SPOOL/.sock" list
	assert_output t
}

@test "deliverd: started with closed descriptors it never writes its words into the spool" {
	deliverd_start
	seq 1 100 | mess-pub -l t
	mkfifo "$MESS_SPOOL/t/tmp/f"
	deliverd_stop

	sh -c 'exec mess-deliverd -v --spool "$MESS_SPOOL" <&- >&- 2>&- 3>&-' &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" deliverd_answers
	# Something to complain about.
	mv "$MESS_SPOOL/t/tmp/f" "$MESS_SPOOL/t/new/f"
	kill -HUP "$DELIVERD_PID"
	seq 101 200 | mess-pub -l t
	wait_for "$MESS_PATIENCE" test -e "$MESS_SPOOL/.quarantine/t.f"
	deliverd_kill

	run grep -rlaF 'mess-deliverd: ' "$MESS_SPOOL"
	assert_output ""
	deliverd_start
	mess-sub -e -l t | cmp - <(seq 1 200)
}

@test "deliverd: a personal spool serves its owner only" {
	[ "$(id -u)" -eq 0 ] || skip "needs root and a second user"
	open_directory
	MESS_SPOOL=$OPEN/spool
	deliverd_start
	mess-pub -m secret t

	# Its directory lets nobody in; nor does the engine where one gets that far.
	run as_other mess-sub -e t
	assert [ "$status" -ne 0 ]
	refute_output --partial secret
	chmod 711 "$OPEN/spool"
	chmod 666 "$OPEN/spool/.sock"
	as_other sh -c "printf 'HELLO 1\nPEEK t default\nTAKE 5\n' | socat -t 5 - UNIX-CONNECT:$OPEN/spool/.sock" >said 2>/dev/null || :
	run cat said
	refute_output --partial OK
	refute_output --partial secret
	chmod 700 "$OPEN/spool"
}

@test "deliverd: a system spool denies by default" {
	[ "$(id -u)" -eq 0 ] || skip "needs root and a second user"
	open_directory
	mkdir -m 0755 "$OPEN/run"
	mkdir -m 0700 "$OPEN/spool"
	printf 'spool %s\nsocket %s\nuser root\n' "$OPEN/spool" "$OPEN/run/sock" >"$OPEN/conf"
	unset MESS_SPOOL
	export MESS_SOCKET=$OPEN/run/sock
	mess-deliverd -c "$OPEN/conf" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" mess-topic list
	mess-topic create orders
	mess-pub -m secret orders

	# What one may not see is not there.
	run -66 as_other mess-pub -m x orders
	refute_output --partial 'did you mean'
	run -66 as_other mess-sub -e orders
	run -66 as_other mess-sub --tail orders
	run -66 as_other mess-sub --peek orders
	run -66 as_other mess-topic show orders
	run -66 as_other mess-topic stat orders
	run -66 as_other mess-topic delete orders
	run -66 as_other mess-topic show nothing
	run -0 as_other mess-topic list
	assert_output ""
	run -0 as_other mess-topic stat
	assert_output ""
	# Nor is anything made.
	run -77 as_other mess-topic create another
	run -77 as_other mess-topic create orders
	run -77 as_other mess-topic create user.somebody.x
	run -66 as_other mess-pub -m x ordres
	# Its own corner is its own.
	run -0 as_other mess-topic create user.games.notes
	run -0 as_other mess-pub -m milk user.games.notes
	run -0 as_other mess-sub -n 1 --records user.games.notes
	assert_equal "$(head -n 1 <<<"$output" | cut -d ' ' -f 4)" "$(id -u games)"
	run -0 as_other mess-topic list
	assert_output user.games.notes

	run -0 mess-sub -e orders
	assert_output secret
	deliverd_stop
}

@test "deliverd: a client refuses a socket of another uid's, 77, and sends no byte" {
	[ "$(id -u)" -eq 0 ] || skip "needs root and a second user"
	open_directory
	mkdir -m 1777 "$OPEN/run"
	chmod 1777 "$OPEN/run"
	setpriv --reuid=nobody --regid=nogroup --clear-groups \
		socat -u "UNIX-LISTEN:$OPEN/run/sock,fork" "OPEN:$OPEN/run/heard,creat,append" 3>&- &
	liar=$!
	wait_for "$MESS_PATIENCE" test -S "$OPEN/run/sock"

	unset MESS_SPOOL
	run -77 --separate-stderr mess-pub --socket "$OPEN/run/sock" -m secret t
	assert_one_error mess-pub
	run -77 --separate-stderr mess-sub --socket "$OPEN/run/sock" -e t
	run -77 --separate-stderr mess-topic --socket "$OPEN/run/sock" list

	kill "$liar"
	wait "$liar" 2>/dev/null || :
	assert [ ! -s "$OPEN/run/heard" ]
}

@test "deliverd: started as root it becomes the spool's owner before it opens a socket" {
	[ "$(id -u)" -eq 0 ] || skip "needs root and a second user"
	open_directory
	install -d -o nobody -m 0755 "$OPEN/run"
	install -d -o nobody -m 0700 "$OPEN/spool"
	printf 'spool %s\nsocket %s\n' "$OPEN/spool" "$OPEN/run/sock" >"$OPEN/conf"
	unset MESS_SPOOL
	export MESS_SOCKET=$OPEN/run/sock
	mess-deliverd -c "$OPEN/conf" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" mess-topic list

	nobody=$(id -u nobody)
	assert_equal "$(sed -n 's/^Uid:\t//p' "/proc/$DELIVERD_PID/status" | xargs)" "$nobody $nobody $nobody $nobody"
	assert_equal "$(sed -n 's/^Groups:\t//p' "/proc/$DELIVERD_PID/status" | xargs)" ""
	assert_equal "$(sed -n 's/^CapEff:\t//p' "/proc/$DELIVERD_PID/status")" 0000000000000000
	assert_equal "$(stat -c '%U %a' "$OPEN/run/sock")" "nobody 666"
	mess-topic create t
	mess-pub -m x t
	run find "$OPEN/spool" ! -user nobody
	assert_output ""
	deliverd_stop
}

@test "deliverd: a system spool that root owns needs 'user root'" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	mkdir -m 0700 spool
	printf 'spool %s\nsocket %s\n' "$BATS_TEST_TMPDIR/spool" "$BATS_TEST_TMPDIR/sock" >conf

	run -78 --separate-stderr mess-deliverd -t -c conf
	assert_one_error mess-deliverd
	echo 'user root' >>conf
	run -0 mess-deliverd -t -c conf
}
