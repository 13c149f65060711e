#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-sub(1): take messages from a topic and print them.

# shellcheck disable=SC2030,SC2031,SC2094,SC2154 # each test is a subshell; run sets $stderr
load helper

# follow OPTION...: a mess-sub in the background; its pid is $FOLLOWER, its
# output in $OUT, its words in $OUT.err.
follow() {
	OUT=${OUT:-$BATS_TEST_TMPDIR/out}
	mess-sub "$@" </dev/null >"$OUT" 2>"$OUT.err" 3>&- &
	FOLLOWER=$!
}

# Its exit status; one that does not end is a failure.
follower_ends() {
	wait_for "$MESS_PATIENCE" process_ended "$FOLLOWER" || return
	wait "$FOLLOWER"
}

has_lines() {
	[ "$(wc -l <"$1")" -eq "$2" ]
}

has_consumers() {
	[ "$(stat_of "$1" consumers "${3:-default}")" = "$2" ]
}

# --- the happy path -----------------------------------------------------------

@test "sub: a body is written exactly as it was published, nothing added" {
	printf 'no newline' | mess-pub t
	printf '\n\n' | mess-pub t

	mess-sub -e t >out

	printf 'no newline\n\n' | cmp - out
}

@test "sub: -l ends each body with a newline, -0 with a NUL" {
	mess-sub -e t
	mess-sub -e -s other t
	printf "a\nb\n" | mess-pub -l t

	mess-sub -e -s other t >plain
	mess-sub -e -l t >lines
	mess-pub -m c t
	mess-sub -e -0 t >nuls

	printf 'ab' | cmp - plain
	printf 'a\nb\n' | cmp - lines
	printf 'c\0' | cmp - nuls
}

@test "sub: --records writes records as mess-spool(5) describes them" {
	mess-pub -H 'Lang: en-GB' -m hello t

	mess-sub -e --records t >out

	run -0 head -n 1 out
	assert_output --regexp "^mess1 1 [0-9]+\.[0-9]{9} $(id -u) $(id -g) [0-9]+ 12 5 [0-9a-f]{16}\$"
	printf 'Lang: en-GB\n\nhello\n' | cmp - <(tail -n +2 out)
}

@test "sub: every envelope says who published: uid, gid and pid of the process" {
	mess-pub -m x t 3>&- &
	pid=$!
	wait "$pid"

	run -0 mess-sub -e --records t
	assert_equal "$(head -n 1 <<<"$output" | cut -d ' ' -f 4-6)" "$(id -u) $(id -g) $pid"
}

@test "sub: -n stops after so many messages and leaves the others" {
	seq 1 10 | mess-pub -l t

	run -0 mess-sub -n 3 -l t
	assert_output $'1\n2\n3'
	run -0 mess-sub -n 1 -l t
	assert_output 4
	pending_is t 6
}

@test "sub: -n waits until they have come" {
	follow -n 3 -l t
	mess-pub -m one t
	printf 'two\nthree\nfour\n' | mess-pub -l t

	follower_ends
	assert_equal "$(<"$OUT")" $'one\ntwo\nthree'
	pending_is t 1
}

@test "sub: -e of an empty topic is 0 at once, and makes topic and subscription" {
	run -0 --separate-stderr mess-sub -e t
	assert_equal "$output$stderr" ""

	run -0 mess-topic show t
	assert_output --partial "subscription default"
}

@test "sub: -e does not wait for what others hold" {
	deliverd_start
	seq 1 3 | mess-pub -l t
	# A consumer that takes and does not settle.
	mkfifo pipe
	talk 60 <pipe >held 3>&- &
	exec {hold}>pipe
	printf 'HELLO 1\nSUB t default\nTAKE 2\n' >&"$hold"
	wait_for "$MESS_PATIENCE" grep -qa '^MSG' held

	run -0 mess-sub -e -l t
	assert_output 3

	exec {hold}>&-
}

@test "sub: -W that runs out is 124 with -n or -e, 0 without" {
	run -124 --separate-stderr mess-sub -n 1 -W 1 t
	assert_equal "$output" ""
	run -0 mess-sub -W 1 t
	mess-pub -m x t
	run -124 mess-sub -n 2 -W 1s -l t
	assert_output x
	run -0 mess-sub -n 1 -W 1m t < <(mess-pub -m y t)
	assert_output y
}

@test "sub: -W 0 takes a look and leaves" {
	run -124 mess-sub -n 1 -W 0 t
}

@test "sub: options that make no sense are 64" {
	local options

	for options in '-n 0' '-n x' '-n -1' '-W x' '-W 1y' '-W -1' '-l -0' '-l --records' '--tail --peek' \
		'--tail -s x' '-s A' '-s a.b' '-s -x' '--nonsense' '-l --json' '-F %q' '-F %h' '-F %h{}' '-F %b%b' '-F \x' \
		'-E' '-j 0' '-j 257' '-j 2' '--timeout 5' '--grace 5' '--from x' '--from 2026-13-01' '--match x' \
		'--match =x' '--tail --from now' '--max-attempts 0' '--max-attempts 65536' '--reserve=0' '--reserve=x' \
		'--reserve=31d' '--reserve=2592001' '--reserve -n 1' \
		'--reserve -l' '--reserve --tail' '--ack x/y/1/0123456789abcdef' '--reserve --ack x'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr mess-sub $options t
		[ "$status" -eq 64 ] || fail "$options: exit status $status, not 64"
		assert_equal "$output" ""
	done
	run -64 mess-sub -e
	run -64 mess-sub -e 'No Name'
	run -64 mess-sub -e t ''
	run -64 mess-sub -e 't.*x'
	run -64 mess-sub -e t --
	run -64 mess-sub -e t -- ''
	run -64 mess-sub -e -- t
	run -64 mess-sub -l t -- cat
	run -64 mess-sub --peek t -- cat
	run -64 mess-sub --ack t/default/1
	run -64 mess-sub --ack t/default/x/0123456789abcdef
	run -64 mess-sub --ack t/default/1/0123456789abcdeF
	run -64 mess-sub -e -s "$(printf 'x%.0s' {1..64})" t
	run -0 mess-sub -e -s "$(printf 'x%.0s' {1..63})" t
}

@test "sub: in a system spool an unknown topic is 66" {
	system_start
	mess-topic create orders

	run -66 --separate-stderr mess-sub -e ordres
	assert_one_error mess-sub
	[[ $stderr == *'did you mean "orders"?'* ]]
	run -66 mess-sub --tail ordres
	run -66 mess-sub --peek ordres
}

# --- looking ------------------------------------------------------------------

@test "sub: --peek shows what is not settled, also what others hold, and changes nothing" {
	deliverd_start
	seq 1 5 | mess-pub -l t
	mess-sub -n 1 t
	mkfifo pipe
	talk 60 <pipe >held 3>&- &
	exec {hold}>pipe
	printf 'HELLO 1\nSUB t default\nTAKE 2\n' >&"$hold"
	wait_for "$MESS_PATIENCE" grep -qa '^MSG' held

	run -0 mess-sub --peek -l t
	assert_output $'2\n3\n4\n5'
	run -0 mess-sub --peek -l t
	assert_output $'2\n3\n4\n5'
	run -0 mess-sub --peek -n 2 -l t
	assert_output $'2\n3'

	pending_is t 4
	assert_equal "$(stat_of t leased default)" 2
	exec {hold}>&-
}

@test "sub: --peek shows all where nobody subscribed yet; another name that is not there is 66, and not made" {
	local where

	seq 1 3 | mess-pub -l t
	seq 4 5 | mess-pub -l u

	run -0 mess-sub --peek -l t
	assert_output $'1\n2\n3'
	run -0 mess-topic peek t -n 1
	assert_output 1
	for where in 'mess-sub --peek' 'mess-topic peek'; do
		# shellcheck disable=SC2086 # two words
		run -66 --separate-stderr $where -s billing t
		assert_one_error "${where%% *}"
		assert_equal "$stderr" "${where%% *}: t: billing: no such subscription"
	done
	# Of a pattern's topics those that have it are shown.
	mess-topic sub add u billing
	run -0 mess-sub --peek -l -s billing '*'
	assert_output $'4\n5'
	run -66 --separate-stderr mess-sub --peek -l -s nightly '*'
	assert_one_error mess-sub
	run -0 mess-topic show t
	refute_output --partial billing
}

@test "sub: --tail shows what is published from now on and remembers nothing" {
	mess-pub -m before t
	follow --tail -l t
	wait_for "$MESS_PATIENCE" tail_shows

	kill -TERM "$FOLLOWER"
	follower_ends
	run ! grep before "$OUT"
	run -0 mess-topic show t
	refute_output --partial subscription
	assert_equal "$(mess-sub -e -l t | head -n 1)" before
}

# Publish until the one who watches has seen one: when it is there is not known.
tail_shows() {
	mess-pub -m new t
	grep -q new "$OUT"
}

@test "sub: --tail -n stops after so many" {
	deliverd_start
	follow --tail -n 2 -l t
	wait_for "$MESS_PATIENCE" publish_until_ended
	follower_ends
	assert_equal "$(<"$OUT")" $'new\nnew'
}

publish_until_ended() {
	mess-pub -m new t
	process_ended "$FOLLOWER"
}

# --- subscriptions ------------------------------------------------------------

@test "sub: two subscriptions each get everything" {
	mess-sub -e -s billing t
	mess-sub -e -s archive t
	seq 1 1000 | mess-pub -l t

	mess-sub -e -l -s billing t >billing
	mess-sub -e -l -s archive t >archive

	seq 1 1000 | cmp - billing
	seq 1 1000 | cmp - archive
}

@test "sub: two consumers of one subscription share the messages" {
	deliverd_start
	OUT=$BATS_TEST_TMPDIR/a follow -l t
	a=$FOLLOWER
	OUT=$BATS_TEST_TMPDIR/b follow -l t
	b=$FOLLOWER
	wait_for "$MESS_PATIENCE" has_consumers t 2

	for i in {1..40}; do
		seq $((i * 50 - 49)) $((i * 50)) | mess-pub -l t
	done
	wait_for "$MESS_PATIENCE" pending_is t 0
	kill -TERM "$a" "$b"
	wait "$a" "$b"

	sort -n a b | cmp - <(seq 1 2000)
	assert [ -s a ]
	assert [ -s b ]
	sort -n -c a
	sort -n -c b
}

@test "sub: a new subscription begins with the oldest message that is kept" {
	mess-sub -e -s keeper t
	seq 1 5 | mess-pub -l t
	mess-sub -n 2 t >/dev/null

	run -0 mess-sub -e -l -s late t
	assert_output $'1\n2\n3\n4\n5'
}

@test "sub: a subscription keeps its place across a restart of the engine and kill -9" {
	deliverd_start
	seq 1 9 | mess-pub -l t
	assert_equal "$(mess-sub -n 3 -l t)" $'1\n2\n3'

	deliverd_stop
	deliverd_start
	assert_equal "$(mess-sub -n 3 -l t)" $'4\n5\n6'

	deliverd_kill
	deliverd_start
	assert_equal "$(mess-sub -e -l t)" $'7\n8\n9'
	assert_equal "$(mess-sub -e -l t)" ""
	pending_is t 0
}

@test "sub: an acknowledgement is durable before mess-sub exits, each time" {
	deliverd_start
	seq 1 20 | mess-pub -l t

	for k in {1..20}; do # run uses i
		run -0 mess-sub -n 1 t
		assert_output "$k"
		if [ $((k % 4)) -eq 0 ]; then
			deliverd_kill
			deliverd_start
		fi
	done
}

@test "sub: messages settled out of order keep their holes across kill -9" {
	deliverd_start
	seq 1 10 | mess-pub -l t
	mkfifo pipe
	talk <pipe >replies 3>&- &
	talker=$!
	exec {feed}>pipe
	printf "HELLO 1\nSUB t default\nTAKE 10\n" >&"$feed"
	wait_for "$MESS_PATIENCE" grep -qx 10 replies
	printf "ACK t 2 4-5 9\n" >&"$feed"
	exec {feed}>&-
	wait "$talker"
	assert_equal "$(tail -n 1 replies)" OK

	deliverd_kill
	deliverd_start

	run -0 mess-sub -e -l t
	assert_output $'1\n3\n6\n7\n8\n10'
}

# --- ends ---------------------------------------------------------------------

@test "sub: when the reader goes away it gives back the rest and dies of SIGPIPE" {
	# More than a pipe holds, so that something is left.
	seq -f '%0100.0f' 1 20000 | mess-pub -l t

	status=0
	(mess-sub -e -l t; echo $? >status) | head -n 1 >first || :
	wait_for "$MESS_PATIENCE" test -s status

	assert_equal "$(<status)" $((128 + 13))
	assert_equal "$(<first)" "$(seq -f '%0100.0f' 1 1)"
	mess-sub -e -l t >rest
	assert [ "$(wc -l <rest)" -gt 15000 ]
	seq -f '%0100.0f' 1 20000 | tail -n "$(wc -l <rest)" | cmp - rest
}

@test "sub: when the reader of an idle pipe goes away it ends, too" {
	deliverd_start
	mkfifo pipe
	(mess-sub -l t >pipe 2>/dev/null || echo $? >status) 3>&- &
	exec {out}<pipe
	mess-pub -m one t
	read -r line <&"$out"
	assert_equal "$line" one

	exec {out}<&-

	wait_for "$MESS_PATIENCE" test -s status
	assert_equal "$(<status)" $((128 + 13))
	pending_is t 0
}

@test "sub: a standard output that is full is 74, and nothing is acknowledged" {
	[ -w /dev/full ] || skip "no /dev/full"
	mess-pub -m x t

	run -74 --separate-stderr sh -c 'exec mess-sub -e t >/dev/full'
	assert_one_error mess-sub
	run -74 sh -c 'exec mess-sub -e t >&-'

	assert_equal "$(mess-sub -e t)" x
}

@test "sub: SIGTERM, SIGINT and SIGHUP end it: what was written is durable, exit 0" {
	deliverd_start
	local signal n=0

	for signal in TERM INT HUP; do
		# Not as a job of the shell's: those ignore SIGINT.
		OUT=$BATS_TEST_TMPDIR/out.$signal
		perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' mess-sub -l t >"$OUT" 3>&- &
		FOLLOWER=$!
		mess-pub -m "$signal" t
		n=$((n + 1))
		wait_for "$MESS_PATIENCE" has_lines "$OUT" 1
		kill -"$signal" "$FOLLOWER"
		follower_ends
		assert_equal "$(<"$OUT")" "$signal"
		deliverd_kill
		deliverd_start
		pending_is t 0
	done
}

@test "sub: SIGTERM in a steady flow: all that was written is settled, the rest is not" {
	deliverd_start
	seq 1 200000 | mess-pub -l t
	follow -l t
	wait_for "$MESS_PATIENCE" test -s "$OUT"

	kill -TERM "$FOLLOWER"
	follower_ends
	deliverd_kill
	deliverd_start

	mess-sub -e -l t >rest
	cat "$OUT" rest | cmp - <(seq 1 200000)
}

@test "sub: a dead consumer's messages go out again at once" {
	deliverd_start
	seq 1 5 | mess-pub -l t
	mkfifo pipe
	socat - UNIX-CONNECT:"$MESS_SPOOL/.sock" <pipe >held 3>&- &
	holder=$!
	exec {hold}>pipe
	printf 'HELLO 1\nSUB t default\nTAKE 5\n' >&"$hold"
	wait_for "$MESS_PATIENCE" grep -qa '^MSG' held
	follow -n 5 -l t
	wait_for "$MESS_PATIENCE" has_consumers t 2

	kill -KILL "$holder"

	follower_ends
	assert_equal "$(<"$OUT")" $'1\n2\n3\n4\n5'
	assert_equal "$(stat_of t redelivered default)" 5
	exec {hold}>&-
}

@test "sub: a mess-sub that is stopped keeps its messages, one that is killed does not" {
	deliverd_start
	mess-sub -e t
	mkfifo pipe
	mess-sub -l t >pipe 3>&- &
	FOLLOWER=$!
	exec {out}<pipe
	wait_for "$MESS_PATIENCE" has_consumers t 1
	kill -STOP "$FOLLOWER"
	seq 1 3 | mess-pub -l t

	run -0 mess-sub -e -l t
	assert_output ""
	kill -KILL "$FOLLOWER"
	wait "$FOLLOWER" || :
	run -0 mess-sub -W 10 -n 3 -l t
	assert_output $'1\n2\n3'
	exec {out}<&-
}

# --- the engine goes away -----------------------------------------------------

@test "sub: follows across a restart of the engine, and says so" {
	deliverd_start
	follow --socket "$MESS_SPOOL/.sock" -l t
	wait_for "$MESS_PATIENCE" has_consumers t 1
	mess-pub -m one t
	wait_for "$MESS_PATIENCE" has_lines "$OUT" 1
	# Not only written: one whose ack is lost would rightly come again.
	wait_for "$MESS_PATIENCE" pending_is t 0

	deliverd_stop
	deliverd_start
	mess-pub -m two t
	wait_for "$MESS_PATIENCE" has_lines "$OUT" 2
	wait_for "$MESS_PATIENCE" pending_is t 0
	deliverd_kill
	deliverd_start
	mess-pub -m three t
	wait_for "$MESS_PATIENCE" has_lines "$OUT" 3

	kill -TERM "$FOLLOWER"
	follower_ends
	assert_equal "$(<"$OUT")" $'one\ntwo\nthree'
	assert_equal "$(grep -c '^mess-sub: t: .*trying again' "$OUT.err")" 2
}

@test "sub: in a personal spool it starts an engine when the one that ran is gone" {
	deliverd_start
	follow -l t
	wait_for "$MESS_PATIENCE" has_consumers t 1

	deliverd_kill
	wait_for "$MESS_PATIENCE" deliverd_answers
	mess-pub -m one t

	wait_for "$MESS_PATIENCE" has_lines "$OUT" 1
	kill -TERM "$FOLLOWER"
	follower_ends
}

@test "sub: ends at SIGTERM also while it waits for an engine" {
	deliverd_start
	follow --socket "$MESS_SPOOL/.sock" t
	wait_for "$MESS_PATIENCE" has_consumers t 1

	deliverd_stop
	wait_for "$MESS_PATIENCE" grep -q 'trying again' "$OUT.err"
	kill -TERM "$FOLLOWER"

	follower_ends
}

@test "sub: with -e it exits 69 when the engine goes away" {
	deliverd_start
	seq -f '%01000.0f' 1 5000 | mess-pub -l t
	mkfifo pipe
	mess-sub --socket "$MESS_SPOOL/.sock" -e -l t >pipe 2>said 3>&- &
	FOLLOWER=$!
	exec {out}<pipe
	read -r line <&"$out"

	deliverd_kill
	cat <&"$out" >/dev/null

	status=0
	follower_ends || status=$?
	assert_equal "$status" 69
	assert_equal "$(grep -c . said)" 1
	exec {out}<&-
}

@test "sub: no engine at a socket is 69" {
	run -69 --separate-stderr mess-sub --socket "$BATS_TEST_TMPDIR/nowhere" -e t
	assert_one_error mess-sub
	run -69 mess-sub --socket "$BATS_TEST_TMPDIR/nowhere" t
}

@test "sub: a topic that is deleted while one follows it is said, is 66, and is not made again" {
	local status=0

	deliverd_start
	follow -q -l t
	wait_for "$MESS_PATIENCE" has_consumers t 1

	mess-topic delete t

	follower_ends || status=$?
	assert_equal "$status" 66
	assert_equal "$(<"$OUT.err")" "mess-sub: t: the topic was deleted"
	run -66 mess-topic show t
}

@test "sub: a subscription that is removed is said, is 66, and is not made again" {
	local status=0

	mess-pub -m one t
	deliverd_start
	follow -s nightly -l t
	wait_for "$MESS_PATIENCE" has_lines "$OUT" 1

	mess-topic sub rm t nightly

	follower_ends || status=$?
	assert_equal "$status" 66
	assert_equal "$(<"$OUT.err")" "mess-sub: t: the subscription was removed"
	run -0 mess-topic sub list t
	refute_output --partial nightly
}

@test "sub: one of several topics is deleted: it is said, the others go on, and the last one is 66" {
	local status=0

	deliverd_start
	follow -l a b c
	wait_for "$MESS_PATIENCE" has_consumers c 1

	mess-topic delete a
	wait_for "$MESS_PATIENCE" grep -q . "$OUT.err"
	mess-pub -m two b
	wait_for "$MESS_PATIENCE" has_lines "$OUT" 1
	# What is gone is not made by coming back either.
	deliverd_kill
	deliverd_start
	wait_for "$MESS_PATIENCE" has_consumers c 1
	assert_equal "$(mess-topic list)" $'b\nc'
	mess-topic delete c
	mess-topic delete b

	follower_ends || status=$?
	assert_equal "$status" 66
	assert_equal "$(grep -v 'trying again' "$OUT.err")" "mess-sub: a: the topic was deleted
mess-sub: c: the topic was deleted
mess-sub: b: the topic was deleted"
	assert_equal "$(mess-topic list)" ""
}

@test "sub: a topic of a pattern is deleted: it is said, and what is made later comes" {
	mess-pub -m one logs.a
	deliverd_start
	follow -l 'logs.*'
	wait_for "$MESS_PATIENCE" has_lines "$OUT" 1
	wait_for "$MESS_PATIENCE" pending_is logs.a 0

	mess-topic delete logs.a
	wait_for "$MESS_PATIENCE" grep -q . "$OUT.err"
	mess-pub -m two logs.a
	wait_for "$MESS_PATIENCE" has_lines "$OUT" 2

	kill -TERM "$FOLLOWER"
	follower_ends
	assert_equal "$(<"$OUT")" $'one\ntwo'
	assert_equal "$(<"$OUT.err")" "mess-sub: logs.a: the topic was deleted"
}

@test "sub: a pipe that is full when the topic is deleted is given what was on its way, then it is 66" {
	local out status=0

	deliverd_start
	yes 0123456789 | head -n 400000 | mess-pub -l t
	mkfifo pipe
	mess-sub -l t </dev/null >pipe 2>said 3>&- &
	FOLLOWER=$!
	exec {out}<pipe
	head -c 11 <&"$out" >/dev/null

	mess-topic delete t
	cat <&"$out" >rest

	follower_ends || status=$?
	assert_equal "$status" 66
	assert_equal "$(<said)" "mess-sub: t: the topic was deleted"
	run grep -cvx 0123456789 rest
	assert_output 0
	exec {out}<&-
}

# --- much ---------------------------------------------------------------------

@test "sub: several hundred thousand messages come in order, each once" {
	seq 1 400000 | mess-pub -l t

	mess-sub -e -l t >out

	seq 1 400000 | cmp - out
	pending_is t 0
}

@test "sub: messages of all sizes come in order while they are published" {
	deliverd_start
	awk 'BEGIN { for (i = 1; i <= 3000; i++) printf "%d %0*d\n", i, (i * 7919) % 20000, 0 }' >in
	follow -n 3000 -l t

	mess-pub -l t <in

	follower_ends
	cmp in "$OUT"
}

@test "sub: a terminal is not given what makes it act, unless --raw" {
	deliverd_start
	printf 'a\033[31mb' | mess-pub t

	# socat makes a terminal for it.
	socat -t 5 EXEC:'mess-sub --peek t',pty,raw - </dev/null >shown
	run ! grep -q "$(printf '\033')" shown
	assert_equal "$(<shown)" "a^[[31mb"
	socat -t 5 EXEC:"mess-sub --peek --raw t",pty,raw - </dev/null >shown
	printf "a\033[31mb" | cmp - shown
}
