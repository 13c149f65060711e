#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-sub(1), Handlers: a command for each message, and what its end means.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # the handlers' variables; each test is a subshell; run sets $stderr
load helper

# handler NAME: an executable shell script ./NAME from standard input.
handler() {
	{
		echo '#!/bin/sh'
		cat
	} >"$1"
	chmod 755 "$1"
}

# work OPTION...: a mess-sub in the background; its pid is $WORKER, its
# output and words in ./out and ./said.
work() {
	mess-sub "$@" </dev/null >out 2>said 3>&- &
	WORKER=$!
}

worker_ends() {
	wait_for "$MESS_PATIENCE" process_ended "$WORKER" || return
	wait "$WORKER"
}

has_lines() {
	[ "$(wc -l <"$1")" -eq "$2" ]
}

counts() {
	[ "$(stat_of "$1" "$2" default)" = "$3" ]
}

process_is_gone() {
	process_ended "$1"
}

# --- the table ----------------------------------------------------------------

@test "handler: 0 is acked" {
	printf 'a\nb\n' | mess-pub -l t

	run -0 --separate-stderr mess-sub -e t -- true
	assert_equal "$output$stderr" ""

	counts t pending 0
	counts t acked 2
	deliverd_answers
}

@test "handler: 75, 111, any other status and a signal are tried again later, counted" {
	local how n=0

	for how in 'exit 75' 'exit 111' 'exit 1' 'exit 3' 'exit 255' 'exit 64' 'exit 101' 'kill -SEGV $$' \
		'kill -KILL $$' 'kill -TERM $$'; do
		n=$((n + 1))
		mess-pub -m x "t$n"
		run -123 --separate-stderr mess-sub -e "t$n" -- sh -c "$how"
		assert_one_error mess-sub
		[ "$(stat_of "t$n" delayed default)" = 1 ] || fail "$how: not delayed"
		[ "$(stat_of "t$n" acked default)" = 0 ] || fail "$how: acked"

		run -0 mess-sub -n 1 -F '%a' "t$n"
		assert_output 2
	done
}

@test "handler: 99 is given back: not counted, and not at once" {
	mess-pub -m x t

	run -123 mess-sub -e t -- sh -c 'exit 99'

	counts t delayed 1
	run -0 mess-sub -n 1 -F '%a' t
	assert_output 1
}

@test "handler: 65 and 100 are dead at once" {
	mess-pub -m x t
	mess-pub -m y t

	run -123 mess-sub -n 1 t -- sh -c 'exit 65'
	run -123 mess-sub -n 1 t -- sh -c 'exit 100'

	counts t dead 2
	counts t pending 0
	run -0 mess-sub -e -F '%h{Mess-Dead-Status} %h{Mess-Dead-Attempts} %b\n' t.dead
	assert_output $'65 1 x\n100 1 y'
}

@test "handler: what is dead waits while no letter of it can be kept" {
	deliverd_start
	mess-pub -m x t
	run -123 mess-sub -e t -- sh -c 'exit 65'
	deliverd_stop
	mv "$MESS_SPOOL/t.dead/topic" whole
	echo damaged >"$MESS_SPOOL/t.dead/topic"
	chmod 600 "$MESS_SPOOL/t.dead/topic"

	deliverd_start
	mess-pub -m y t
	run -123 mess-sub -e t -- sh -c 'exit 65'
	counts t damaged 0
	counts t delayed 1

	deliverd_stop
	mv whole "$MESS_SPOOL/t.dead/topic"
	deliverd_start
	mess-topic sub seek t default 2
	run -123 mess-sub -e t -- sh -c 'exit 65'
	run -0 mess-sub -e t.dead
	assert_output xy
}

@test "handler: not found is 127: given back, nothing else taken, one line" {
	printf 'a\nb\nc\n' | mess-pub -l t

	run -127 --separate-stderr mess-sub -e t -- no-such-command
	assert_one_error mess-sub
	[[ $stderr == *no-such-command* ]]
	# What was given back comes again in a second.
	run -127 mess-sub -W 20 -j4 t -- ./none
	run -127 mess-sub -W 20 t -- /nowhere/none x y

	counts t pending 3
	run -0 mess-sub -n 3 -W 20 -F '%s %a\n' t
	assert_equal "$(sort <<<"$output")" $'1 1\n2 1\n3 1'
}

@test "handler: not found is 127 also beside a directory of PATH that is closed to us" {
	local closed=()

	# No directory is closed to root, unless it is made so.
	[ "$(id -u)" -ne 0 ] || closed=(setpriv --bounding-set=-dac_override,-dac_read_search)
	mkdir -m 0 closed
	mess-pub -m a t
	PATH=$PWD/closed:$PATH run -127 "${closed[@]}" mess-sub -e t -- no-such-command
	mess-sub -W 20 -n 1 t
}

@test "handler: not executable is 126" {
	mess-pub -m a t
	echo 'exit 0' >plain
	mkdir dir
	printf 'no program at all' >data
	chmod 755 data

	run -126 --separate-stderr mess-sub t -- ./plain
	assert_one_error mess-sub
	run -126 mess-sub -W 5 t -- ./dir
	run -126 mess-sub -W 5 t -- ./data
	run -126 mess-sub -W 5 t -- ./plain/x

	counts t pending 1
	run -0 mess-sub -n 1 -F '%a' t
	assert_output 1
}

@test "handler: one that exits 126 or 127 itself has failed like any other" {
	mess-pub -m a t
	mess-pub -m b t

	run -123 mess-sub -n 1 t -- sh -c 'exit 127'
	run -123 mess-sub -n 1 t -- sh -c 'exit 126'
	counts t delayed 2

	run -0 mess-sub -n 2 -F '%a' t
	assert_output 22
}

@test "handler: one that works beside one that cannot be run is heard" {
	mess-pub -m a t
	handler h <<-'H'
		mv "$0" gone
		touch started
		while ! [ -e go ]; do sleep 0.05; done
	H
	work -j2 t -- ./h
	wait_for "$MESS_PATIENCE" test -e started

	mess-pub -m b t
	wait_for "$MESS_PATIENCE" test -s said
	touch go

	status=0
	worker_ends || status=$?
	assert_equal "$status" 127
	counts t acked 1
	counts t pending 1
}

# --- what it gets -------------------------------------------------------------

@test "handler: the body is its standard input, byte for byte" {
	head -c 100000 /dev/urandom >body
	mess-pub t <body
	: | mess-pub t

	mess-sub -n 1 t -- sh -c 'cat >got'
	cmp body got
	mess-sub -n 1 t -- sh -c 'cat >got'
	assert [ ! -s got ]
}

@test "handler: a large body streams, and memory stays small" {
	# Not one that a pipe or two hold.
	head -c 50000000 /dev/urandom >body
	mess-pub t <body

	handler h <<-'H'
		sha256sum >sum
		grep VmHWM "/proc/$PPID/status" >peak
	H
	run -0 mess-sub -e t -- ./h

	assert_equal "$(<sum)" "$(sha256sum <body)"
	has_sanitizer || assert [ "$(awk '{ print $2 }' peak)" -lt 16000 ]
	counts t pending 0
}

@test "handler: one that never reads, or closes its stdin early, is judged by its status" {
	head -c 3000000 /dev/zero | mess-pub t
	head -c 200000 /dev/zero | mess-pub t
	head -c 3000000 /dev/zero | mess-pub t
	seq 1 3 | mess-pub -l t

	run -0 --separate-stderr mess-sub -n 2 t -- true
	assert_equal "$output$stderr" ""
	run -0 mess-sub -n 1 t -- sh -c 'exec <&-; sleep 0.3'
	run -0 mess-sub -e t -- sh -c 'head -c 1 >/dev/null'

	counts t pending 0
}

@test "handler: a slow reader of a large body does not keep others from being settled" {
	deliverd_start
	mess-pub -m small t
	head -c 3000000 /dev/zero | mess-pub t
	handler h <<-'H'
		if [ "$MESS_SEQ" = 2 ]; then
			while ! [ -e go ]; do sleep 0.05; done
			wc -c >size
		else
			while ! [ -e one ]; do sleep 0.05; done
		fi
	H
	work -j2 -n 2 t -- ./h
	wait_for "$MESS_PATIENCE" counts t leased 2

	touch one
	wait_for "$MESS_PATIENCE" counts t acked 1
	touch go

	worker_ends
	assert_equal "$(<size)" 3000000
	counts t acked 2
}

@test "handler: its argv is as given, and no shell sees it" {
	mess-pub -m x t
	handler h <<-'H'
		printf '<%s>' "$@"
	H

	run -0 mess-sub -e t -- ./h '$HOME' 'a b' '' '*' -n --peek --
	assert_output '<$HOME><a b><><*><-n><--peek><-->'
}

@test "handler: MESS_ variables say what the envelope says" {
	mess-pub -m x t
	mess-pub -m y t
	mess-sub --peek -F '%t %s %T\n' t >want

	MESS_H_OLD=1 MESS_SEQ=9 run -0 mess-sub -n 2 -s s t -- sh -c \
		'echo "$MESS_TOPIC $MESS_SEQ $MESS_TIME ${MESS_H_OLD-unset} $MESS_ATTEMPT $MESS_SUBSCRIPTION $MESS_UID $MESS_GID $MESS_USER $MESS_ID"'

	assert_equal "$output" "$(while read -r topic seq time; do
		echo "$topic $seq $time unset 1 s $(id -u) $(id -g) $(id -un) t:$seq"
	done <want)"
}

@test "handler: MESS_ATTEMPT counts" {
	mess-pub -m x t

	run -123 mess-sub -e t -- sh -c 'echo "$MESS_ATTEMPT" >>seen; exit 1'
	run -0 mess-sub -n 1 t -- sh -c 'echo "$MESS_ATTEMPT" >>seen'

	assert_equal "$(<seen)" $'1\n2'
}

@test "handler: headers are MESS_H_ variables, repeated ones joined by newlines" {
	mess-pub -H 'X-Color: red' -H 'Lang: en-GB' -H 'x-color: dark blue' -H 'E: ' -m x t

	run -0 mess-sub -e t -- sh -c 'echo "<$MESS_H_X_COLOR><$MESS_H_LANG><${MESS_H_E-unset}>"; env | grep -c ^MESS_H_'
	assert_output $'<red\ndark blue><en-GB><>\n3'
}

@test "handler: the engine's headers are no MESS_H_ variables" {
	mess-pub -m x t
	run -123 mess-sub -e t -- sh -c 'exit 65'

	run -0 mess-sub -e t.dead -- sh -c 'env | grep -c ^MESS_H_ || :'
	assert_output 0
}

@test "handler: it has descriptors 0 to 2 and no others" {
	mess-pub -m x t
	handler h <<-'H'
		ls /proc/$$/fd
	H

	exec 7</dev/null
	run -0 mess-sub -e t -- ./h
	# A shell keeps its script open.
	run -0 grep -vx 10 <<<"$output"
	assert_output $'0\n1\n2'
}

@test "handler: also when mess-sub has neither stdin nor stderr" {
	mess-pub -m body t

	mess-sub -e t -- sh -c 'cat >got; echo word >&2' <&- 2>&-
	assert_equal "$(<got)" body
}

@test "handler: signals have their default, and none is blocked" {
	mess-pub -m x t

	# SIGPIPE ignored and SIGUSR1 blocked outside.
	run -0 perl -MPOSIX -e '$SIG{PIPE} = "IGNORE"; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1)); exec @ARGV' \
		mess-sub -e t -- awk '$1 == "SigBlk:" || $1 == "SigIgn:" { print $1, $2 }' /proc/self/status
	assert_equal "${lines[0]}" "SigBlk: 0000000000000000"
	# The C library has 32 and 33 for itself, and ignores them across exec.
	assert_equal "$((16#${lines[1]#* } & ~0x180000000))" 0
}

@test "handler: it has a process group of its own" {
	mess-pub -m x t

	run -0 mess-sub -e t -- sh -c 'ps -o pid=,pgid= -p $$; ps -o pgid= -p $PPID'
	read -r pid pgid <<<"${lines[0]}"
	assert_equal "$pid" "$pgid"
	assert [ "$pgid" -ne "${lines[1]}" ]
}

@test "handler: its stdout is mess-sub's" {
	seq 1 3 | mess-pub -l t

	run -0 mess-sub -e t -- sed 's/^/got /'
	assert_output 'got 1got 2got 3'
}

# --- stderr -------------------------------------------------------------------

@test "handler: its stderr passes through, and its end goes with a dead letter" {
	mess-pub -H 'Lang: en' -m x t

	run -123 --separate-stderr mess-sub -q -e t -- sh -c 'echo "first	line" >&2; printf "\033[1mbold\\n\377" >&2; exit 65'
	assert_equal "$stderr" "$(printf 'first\tline\n\033[1mbold\n\377')"

	run -0 mess-sub -e -F '%h{Mess-Dead-Stderr}|%h{Mess-Dead-Reason}|%h{Mess-Dead-Subscription}|%h{Mess-Original-Topic}|%h{Mess-Original-Seq}|%h{Mess-Original-Uid}|%h{Lang}|%b' t.dead
	assert_output "first\\tline\\n\\^[[1mbold\\n\\M^?|exit status 65|default|t|1|$(id -u)|en|x"
}

@test "handler: a megabyte of stderr passes through; the last 4 KiB go with the dead letter" {
	mess-pub -m x t
	handler h <<-'H'
		seq -f '%0127.0f' 1 8192 >&2
		exit 100
	H

	status=0
	mess-sub -q -e t -- ./h 2>words || status=$?
	assert_equal "$status" 123
	seq -f '%0127.0f' 1 8192 | cmp - words

	mess-sub -e -F '%h{Mess-Dead-Stderr}' t.dead >kept
	assert [ "$(wc -c <kept)" -le 4096 ]
	assert [ "$(wc -c <kept)" -gt 4000 ]
	[[ $(<kept) == *"$(printf '%0127d' 8192)" ]]
}

@test "handler: stderr that is escaped to four times its length still fits the letter" {
	mess-pub -m x t

	run -123 mess-sub -q -e t -- sh -c 'head -c 6000 /dev/zero | tr "\000" "\377" >&2; printf end >&2; exit 65'

	mess-sub -e -F '%h{Mess-Dead-Stderr}' t.dead >kept
	assert [ "$(wc -c <kept)" -le 4096 ]
	assert [ "$(wc -c <kept)" -gt 4080 ]
	[[ $(<kept) == *'\M^?end' ]]
}

@test "handler: -q says nothing of what is tried again; without it a line each" {
	seq 1 3 | mess-pub -l t
	seq 1 3 | mess-pub -l u

	run -123 --separate-stderr mess-sub -q -e t -- false
	assert_equal "$output$stderr" ""
	run -123 --separate-stderr mess-sub -e u -- false
	assert_equal "$stderr" "$(printf 'mess-sub: u: message %d: attempt 1: exit status 1\n' 1 2 3)"
}

# --- attempts -----------------------------------------------------------------

@test "handler: after --max-attempts it is dead" {
	mess-pub -m x t

	run -123 mess-sub --max-attempts 2 -e t -- false
	counts t delayed 1
	run -123 mess-sub --max-attempts 2 -n 1 t -- sh -c 'kill -9 $$'

	counts t pending 0
	run -0 mess-sub -e -F '%h{Mess-Dead-Attempts} %h{Mess-Dead-Status}' t.dead
	assert_output '2 SIGKILL'
}

@test "handler: a message that failed does not hold up the others" {
	seq 1 20 | mess-pub -l t

	run -123 mess-sub -q -e t -- sh -c 'read -r n; [ "$n" != 3 ] && echo "$n"'
	assert_output "$(seq 1 20 | grep -vx 3)"
	counts t delayed 1
}

# --- at once ------------------------------------------------------------------

@test "handler: -j N runs N at once, and no more" {
	seq 1 6 | mess-pub -l t
	# Each waits until four are there.
	handler h <<-'H'
		touch "here.$MESS_SEQ"
		ls here.* | wc -l >>most
		while [ "$(ls here.* done.* 2>/dev/null | wc -l)" -lt 4 ]; do sleep 0.05; done
		mv "here.$MESS_SEQ" "done.$MESS_SEQ"
	H

	run -0 mess-sub -j4 -e t -- ./h

	counts t acked 6
	assert [ "$(sort -n most | tail -n 1)" -le 4 ]
	assert_equal "$(find . -name 'done.*' | wc -l)" 6
}

@test "handler: without -j one at a time, in order" {
	seq 1 50 | mess-pub -l t

	run -0 mess-sub -e t -- sh -c 'mkdir busy && cat && echo && rmdir busy'
	assert_output "$(seq 1 50)"
}

@test "handler: it holds no more messages than it has hands" {
	deliverd_start
	seq 1 100 | mess-pub -l t
	work -j3 t -- sh -c 'touch "s.$MESS_SEQ"; while ! [ -e go ]; do sleep 0.05; done'
	wait_for "$MESS_PATIENCE" test -e s.3

	counts t leased 3
	assert [ ! -e s.4 ]
	run -0 mess-sub -n 1 -F '%s' t
	assert_output 4

	touch go
	wait_for "$MESS_PATIENCE" counts t pending 0
	kill -TERM "$WORKER"
	worker_ends
}

@test "handler: -n N stops after N, whatever became of them" {
	seq 1 9 | mess-pub -l t

	run -123 mess-sub -n 5 -j2 t -- sh -c 'read -r n; [ "$n" -gt 2 ]'
	counts t acked 3
	counts t delayed 2
	counts t waiting 4
}

@test "handler: -e takes what is published while the last ones run" {
	mess-pub -m first t

	run -0 mess-sub -e -j2 t -- sh -c 'read -r w; echo "$w"; [ "$w" = second ] || mess-pub -m second t'
	assert_output $'first\nsecond'
	counts t pending 0
}

# --- time ---------------------------------------------------------------------

@test "handler: --timeout ends one that runs longer, and it is tried again" {
	mess-pub -m x t

	run -123 --separate-stderr mess-sub --timeout 1s -e t -- sh -c 'trap "echo ended >mark; exit 0" TERM; sleep 60 & wait'
	assert_equal "$stderr" "mess-sub: t: message 1: attempt 1: timed out after 1s"
	assert_equal "$(<mark)" ended
	counts t delayed 1
	counts t acked 0
}

@test "handler: one that ignores SIGTERM is killed, and so is what it left in its group" {
	mess-pub -m x t
	handler h <<-'H'
		trap "" TERM
		sh -c 'trap "" TERM; echo $$ >child; while :; do sleep 1; done' &
		while :; do sleep 1; done
	H

	run -123 mess-sub --max-attempts 1 --timeout 1 -e t -- ./h
	wait_for "$MESS_PATIENCE" process_is_gone "$(<child)"

	run -0 mess-sub -e -F '%h{Mess-Dead-Reason}, %h{Mess-Dead-Status}' t.dead
	assert_output 'timed out after 1, SIGKILL'
}

@test "handler: children that outlive it are neither waited for nor killed" {
	mess-pub -m x t
	handler h <<-'H'
		sh -c 'echo $$ >child; exec sleep 60' &
		while ! [ -s child ]; do sleep 0.05; done
	H
	start=$SECONDS

	# Its stdout is a file: bats waits for what holds a pipe.
	mess-sub -e t -- ./h >out

	assert [ $((SECONDS - start)) -lt 30 ]
	counts t acked 1
	run ! process_ended "$(<child)"
	kill "$(<child)"
}

@test "handler: SIGTERM lets the running one finish, and takes no new one" {
	seq 1 3 | mess-pub -l t
	work t -- sh -c 'touch running; while ! [ -e go ]; do sleep 0.05; done; cat'
	wait_for "$MESS_PATIENCE" test -e running

	kill -TERM "$WORKER"
	run ! process_ended "$WORKER"
	touch go
	worker_ends

	assert_equal "$(<out)" 1
	counts t acked 1
	run -0 mess-sub -n 2 -W 20 -F '%a' t
	assert_output 11
}

@test "handler: what --grace ends is given back, not counted" {
	mess-pub -m x t
	work --grace 1s t -- sh -c 'touch running; sleep 60'
	wait_for "$MESS_PATIENCE" test -e running

	kill -TERM "$WORKER"
	worker_ends

	counts t pending 1
	run -0 mess-sub -n 1 -F '%a' t
	assert_output 1
}

@test "handler: a second SIGTERM does not wait for --grace, a third kills" {
	mess-pub -m x t
	work --grace 1h t -- sh -c 'trap "touch told" TERM; touch running; while :; do sleep 0.05; done'
	wait_for "$MESS_PATIENCE" test -e running

	kill -TERM "$WORKER"
	kill -INT "$WORKER"
	kill -TERM "$WORKER"
	kill -TERM "$WORKER"
	# Signals that are pending are one: again, until it is seen.
	wait_for "$MESS_PATIENCE" ended_by_more_of_it

	# One that comes when the handler is gone and acks are waited for ends it as any program.
	worker_ends || [ $? = 143 ]
	counts t pending 1
}

ended_by_more_of_it() {
	process_ended "$WORKER" || { kill -TERM "$WORKER"; false; }
}

@test "handler: -W ends it as a signal does, and is 124 with -n" {
	mess-pub -m x t

	run -124 mess-sub -n 2 -W 1 t -- cat
	assert_output x
	run -0 mess-sub -W 1 t -- cat
	counts t acked 1
}

@test "handler: one that is cut off at the end of -W is 124 with -n or -e, 0 without" {
	mess-pub -m x t

	for options in '-s a -n 1' '-s b -e' '-s c -n 1 -e'; do
		# shellcheck disable=SC2086 # words
		run -124 mess-sub $options -W 1 --grace 0 t -- sleep 60
	done
	run -0 mess-sub -W 1 --grace 0 t -- sleep 60
	# One that failed by itself did fail, and what was done in the grace is done.
	run -123 mess-sub -s failed -n 1 -W 1 t -- sh -c 'sleep 1.5; exit 1'
	run -0 mess-sub -s other -n 1 -W 1 t -- sleep 1.5
}

# --- the engine goes away -----------------------------------------------------

@test "handler: one that runs while the engine is restarted keeps its message" {
	deliverd_start
	mess-pub -m one t
	work --socket "$MESS_SPOOL/.sock" t -- sh -c 'echo "$MESS_SEQ" >>begun; while ! [ -e go ]; do sleep 0.05; done; cat; echo'
	wait_for "$MESS_PATIENCE" test -s begun

	deliverd_kill
	deliverd_start
	wait_for "$MESS_PATIENCE" counts t leased 1
	touch go
	wait_for "$MESS_PATIENCE" counts t acked 1
	mess-pub -m two t
	wait_for "$MESS_PATIENCE" counts t acked 2
	kill -TERM "$WORKER"
	worker_ends

	assert_equal "$(<begun)" $'1\n2'
	assert_equal "$(<out)" $'one\ntwo'
	assert_equal "$(grep -c 'trying again' said)" 1
}

@test "handler: one that is done while no engine runs is acked when there is one" {
	deliverd_start
	mess-pub -m one t
	work --socket "$MESS_SPOOL/.sock" t -- sh -c 'echo "$MESS_SEQ" >>begun; while ! [ -e go ]; do sleep 0.05; done; touch over'
	wait_for "$MESS_PATIENCE" test -s begun

	deliverd_kill
	wait_for "$MESS_PATIENCE" grep -q 'trying again' said
	touch go
	wait_for "$MESS_PATIENCE" test -e over
	deliverd_start

	wait_for "$MESS_PATIENCE" counts t acked 1
	kill -TERM "$WORKER"
	worker_ends
	assert_equal "$(<begun)" 1
}

@test "handler: one of several topics is deleted under a command: it is said, and the others go on" {
	local status=0

	deliverd_start
	mess-pub -m one a
	mess-topic create b
	work a b -- sh -c 'echo "$MESS_TOPIC" >>begun; [ "$MESS_TOPIC" = b ] || while ! [ -e go ]; do sleep 0.05; done'
	wait_for "$MESS_PATIENCE" test -s begun

	mess-topic delete a
	wait_for "$MESS_PATIENCE" grep -q . said
	touch go
	mess-pub -m two b
	wait_for "$MESS_PATIENCE" counts b acked 1
	mess-topic delete b

	worker_ends || status=$?
	assert_equal "$status" 66
	assert_equal "$(<begun)" $'a\nb'
	assert_equal "$(<said)" "mess-sub: a: the topic was deleted
mess-sub: b: the topic was deleted"
	assert_equal "$(mess-topic list)" ""
}

@test "handler: what -n counts is what was settled, also when the engine goes away meanwhile" {
	deliverd_start
	seq 1 5 | mess-pub -l t
	work --socket "$MESS_SPOOL/.sock" -n 3 -j 2 t -- sh -c 'echo "$MESS_SEQ" >>begun
		[ "$MESS_SEQ" -gt 2 ] || while ! [ -e "go.$MESS_SEQ" ]; do sleep 0.05; done; touch "over.$MESS_SEQ"'
	wait_for "$MESS_PATIENCE" has_lines begun 2

	deliverd_kill
	wait_for "$MESS_PATIENCE" grep -q 'trying again' said
	touch go.1
	wait_for "$MESS_PATIENCE" test -e over.1
	deliverd_start
	wait_for "$MESS_PATIENCE" counts t acked 2
	touch go.2

	worker_ends
	assert_equal "$(sort begun)" $'1\n2\n3'
	counts t acked 3
}

@test "handler: the last message of -n is waited for when the engine goes away" {
	deliverd_start
	mess-pub -m one t
	work --socket "$MESS_SPOOL/.sock" -n 1 t -- sh -c 'echo "$MESS_SEQ" >>begun; while ! [ -e go ]; do sleep 0.05; done'
	wait_for "$MESS_PATIENCE" test -s begun

	deliverd_kill
	wait_for "$MESS_PATIENCE" grep -q 'trying again' said
	touch go
	deliverd_start

	worker_ends
	assert_equal "$(<begun)" 1
	counts t acked 1
}

@test "handler: with -e it exits 69 when the engine goes away, after what runs" {
	deliverd_start
	mess-pub -m one t
	work --socket "$MESS_SPOOL/.sock" -e t -- sh -c 'touch begun; while ! [ -e go ]; do sleep 0.05; done; touch over'
	wait_for "$MESS_PATIENCE" test -e begun

	deliverd_kill
	wait_for "$MESS_PATIENCE" test -s said
	touch go

	status=0
	worker_ends || status=$?
	assert_equal "$status" 69
	assert [ -e over ]
}

@test "handler: a mess-sub that is killed gives its messages to others at once" {
	deliverd_start
	seq 1 4 | mess-pub -l t
	work -j4 t -- sh -c 'touch "s.$MESS_SEQ"; exec sleep 60'
	wait_for "$MESS_PATIENCE" test -e s.4

	kill -KILL "$WORKER"

	run -0 mess-sub -n 4 -W 10 -F '%s %a\n' t
	assert_output $'1 2\n2 2\n3 2\n4 2'
}

# --- several topics -----------------------------------------------------------

@test "handler: several topics share the hands" {
	mess-pub -m a one
	mess-pub -m b two
	mess-pub -m c three.x

	run -0 mess-sub -e one two 'three.*' -- sh -c 'cat; echo " $MESS_TOPIC $MESS_ID"'
	assert_equal "$(sort <<<"$output")" "$(printf 'a one one:1\nb two two:1\nc three.x three.x:1\n')"
}

@test "handler: --tail runs it for what comes, and settles nothing" {
	deliverd_start
	work --tail -n 1 t -- sh -c 'cat; exit 1'
	wait_for "$MESS_PATIENCE" publish_until_worked

	status=0
	worker_ends || status=$?
	assert_equal "$status" 123
	assert_equal "$(<out)" new
}

publish_until_worked() {
	mess-pub -m new t
	process_ended "$WORKER"
}
