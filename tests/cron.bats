#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-sub(1) as cron and shell scripts use it: ends, exit statuses, silence,
# and leases for what cannot be a handler.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's and handlers' words; each test is a subshell; run sets $stderr
load helper

teardown() {
	[ -z "${CRON_PID:-}" ] || kill "$CRON_PID" 2>/dev/null || :
	mess_teardown
}

counts() {
	[ "$(stat_of "$1" "$2" "${4:-default}")" = "$3" ]
}

# lease_of JSON, body_of JSON
lease_of() {
	sed -E 's/.*,"lease":"([^"]*)"\}$/\1/' <<<"$1"
}

body_of() {
	sed -E 's/.*,"body":"([^"]*)".*/\1/' <<<"$1"
}

# --- ends ---------------------------------------------------------------------

@test "cron: -e of an empty topic is 0 and silent, with a command and without" {
	run -0 --separate-stderr mess-sub -e t
	assert_equal "$output$stderr" ""
	run -0 --separate-stderr mess-sub -e -q -j4 t -- false
	assert_equal "$output$stderr" ""
}

@test "cron: -E is 1 when not one message was received, else 0" {
	run -1 --separate-stderr mess-sub -e -E t
	assert_equal "$output$stderr" ""
	run -1 mess-sub -eE t -- true
	run -1 mess-sub -E --peek t

	mess-pub -m x t
	run -0 mess-sub -E --peek t
	run -0 mess-sub -e -E t -- true
	run -1 mess-sub -e -E t
	mess-pub -m x t
	run -0 mess-sub -e -E t
	run -1 mess-sub -e -E t
}

@test "cron: -e is 123 when some handler failed, 0 when all were acked" {
	printf 'good\nbad\ngood\n' | mess-pub -l t

	run -123 mess-sub -e -q t -- grep -q good
	counts t acked 2
	counts t delayed 1

	printf 'good\n' | mess-pub t
	run -0 mess-sub -e -q t -- grep -q good
}

@test "cron: -e does not wait for what is to be tried again later" {
	mess-pub -m x t

	run -123 mess-sub -e -q t -- false
	run -0 mess-sub -e t -- touch ran
	assert [ ! -e ran ]
	counts t delayed 1
}

@test "cron: -W is 124 when -n was not reached, 0 when it was" {
	run -124 mess-sub -n1 -W0 t -- cat
	mess-pub -m x t
	run -0 mess-sub -n1 -W30 t -- cat
	assert_output x
}

@test "cron: what is done is done, though it ran out of time with -e" {
	seq 1 3 | mess-pub -l t

	run -124 mess-sub -e -W 1 t -- sh -c 'sleep 0.7'
	counts t pending 1
}

@test "cron: 127 and 126 consume nothing" {
	seq 1 100 | mess-pub -l t
	: >plain

	run -127 mess-sub -e -q -j8 t -- no-such-command
	run -126 mess-sub -W 20 -q -j8 t -- ./plain

	counts t pending 100
	counts t acked 0
	run -0 mess-sub -n 100 -W 20 -F '%a\n' t
	assert_equal "$(sort -u <<<"$output")" 1
}

@test "cron: no engine is 69" {
	run -69 mess-sub --socket "$BATS_TEST_TMPDIR/nowhere" -e -q t -- true
}

@test "cron: in a system spool an unknown topic is 66, also as one of several" {
	system_start
	mess-topic create orders

	run -66 --separate-stderr mess-sub -e orders nothing -- true
	assert_one_error mess-sub
}

# --- leases by time -----------------------------------------------------------

@test "cron: --reserve prints one message with its lease; --ack settles it" {
	printf 'one\ntwo\n' | mess-pub -l -H 'Lang: en' t

	run -0 --separate-stderr mess-sub --reserve t
	assert_equal "$stderr" ""
	assert_equal "${#lines[@]}" 1
	assert_regex "$output" '^\{"topic":"t","seq":1,"time":"[0-9TZ:.-]+","uid":[0-9]+,"gid":[0-9]+,"pid":[0-9]+,"user":"[^"]+","attempt":1,"subscription":"default","headers":\{"Lang":"en"\},"body":"one","lease":"t/default/1/[0-9a-f]{16}"\}$'
	lease=$(lease_of "$output")
	counts t leased 1

	# Nobody else gets it.
	run -0 mess-sub -e -l t
	assert_output two
	run -0 --separate-stderr mess-sub --ack "$lease"
	assert_equal "$output$stderr" ""
	counts t pending 0
	counts t acked 2
}

@test "cron: a lease is good across a restart and kill -9 of the engine" {
	deliverd_start
	seq 1 4 | mess-pub -l t
	for i in 1 2 3 4; do
		leases[i]=$(lease_of "$(mess-sub --reserve=1h t)")
	done

	deliverd_kill
	deliverd_start
	run -0 mess-sub -e t
	assert_output ""
	mess-sub --ack "${leases[1]}"
	mess-sub --dead "${leases[2]}"
	deliverd_stop
	deliverd_start
	mess-sub --nack "${leases[3]}"

	counts t acked 1
	counts t dead 1
	run -0 mess-sub -n 1 -W 20 -F '%s %a' t
	assert_output '3 1'
	run -0 mess-sub -e -F '%b %h{Mess-Dead-Reason}' t.dead
	assert_output '2 mess-sub --dead'
	counts t leased 1
	mess-sub --ack "${leases[4]}"
	counts t pending 0
}

@test "cron: a lease that is over, settled or never was is 66" {
	mess-pub -m x t
	lease=$(lease_of "$(mess-sub --reserve=1s t)")

	# It comes again, counted.
	run -0 mess-sub -n 1 -W 20 -F '%a' t
	assert_output 2
	run -66 --separate-stderr mess-sub --ack "$lease"
	assert_one_error mess-sub

	mess-pub -m y t
	lease=$(lease_of "$(mess-sub --reserve t)")
	mess-sub --ack "$lease"
	run -66 mess-sub --ack "$lease"
	run -66 mess-sub --dead "$lease"
	run -66 mess-sub --nack t/default/1/0123456789abcdef
	run -66 mess-sub --nack t/other/1/0123456789abcdef
	run -66 mess-sub --nack nothing/default/1/0123456789abcdef
}

@test "cron: --reserve with nothing there: -e is 0, -E 1, -W 124" {
	run -0 mess-sub --reserve -e t
	assert_output ""
	run -1 mess-sub --reserve -e -E t
	run -124 mess-sub --reserve -W 1 t
	assert_output ""

	mess-pub -m x t
	run -0 mess-sub --reserve -e -E t
	assert_output --partial '"body":"x"'
}

@test "cron: --reserve waits for a message" {
	mess-sub --reserve t >out 3>&- &
	mess-pub -m late t

	wait $!
	assert_equal "$(body_of "$(<out)")" late
}

@test "cron: --reserve with -W that runs out is 124, and prints nothing" {
	mess-topic create t

	run -124 mess-sub --reserve -W 1 t
	assert_output ""
	mess-pub -m x t
	run -0 mess-sub --reserve=30d -W 10 t
	assert_equal "$(body_of "$output")" x
}

@test "cron: --reserve of a large body" {
	head -c 1000000 /dev/urandom >body
	mess-pub t <body

	mess-sub --reserve t >out

	assert_equal "$(wc -l <out)" 1
	sed -E 's/.*"body64":"([^"]*)".*/\1/' out | base64 -d | cmp - body
	mess-sub --ack "$(lease_of "$(<out)")"
	counts t pending 0
}

@test "cron: a lease that could not be printed is given back" {
	[ -w /dev/full ] || skip "no /dev/full"
	mess-pub -m x t

	run -74 sh -c 'exec mess-sub --reserve t >/dev/full'

	run -0 mess-sub -n 1 -W 20 -F '%b %a' t
	assert_output 'x 1'
}

# --- as the cookbook has it ---------------------------------------------------

@test "cron: two that drain at once do each message once" {
	deliverd_start
	seq 1 200 | mess-pub -l t

	mess-sub -e -q -j4 t -- sh -c 'echo "$(cat)"' >a 3>&- &
	mess-sub -e -q -j4 t -- sh -c 'echo "$(cat)"' >b
	wait $!

	sort -n a b | cmp - <(seq 1 200)
	counts t acked 200
}

@test "cron: waiting for one message, or not for ever" {
	run -0 --separate-stderr sh -c 'mess-sub -n1 -W1 deploy.done >result || [ $? -ne 124 ] || echo "deploy timed out" >&2'
	assert_equal "$stderr" "deploy timed out"

	mess-pub -m v7 deploy.done
	run -0 --separate-stderr sh -c 'mess-sub -n1 -W30 deploy.done >result || [ $? -ne 124 ] || echo "deploy timed out" >&2'
	assert_equal "$stderr" ""
	assert_equal "$(<result)" v7
}

# cron_start: Debian's cron, in a mount namespace of its own where it finds
# ./cron.d and ./sbin/sendmail and nothing of the system's.  Its pid is CRON_PID.
cron_start() {
	mkdir run crontabs
	: >no-entries
	install -m 755 /usr/sbin/cron sbin/cron
	cat >in-cron <<-H
		set -e
		mount --bind "$BATS_TEST_TMPDIR/cron.d" /etc/cron.d
		mount --bind "$BATS_TEST_TMPDIR/crontabs" /var/spool/cron/crontabs
		mount --bind "$BATS_TEST_TMPDIR/run" /run
		mount --bind "$BATS_TEST_TMPDIR/sbin" /usr/sbin
		[ ! -e /etc/crontab ] || mount --bind "$BATS_TEST_TMPDIR/no-entries" /etc/crontab
		exec "$BATS_TEST_TMPDIR/sbin/cron" -f
	H
	unshare -m sh in-cron </dev/null >cron.log 2>&1 3>&- &
	CRON_PID=$!
}

cron_is_idle() {
	[ -z "$(pgrep -P "$CRON_PID")" ]
}

# Cron wakes at full minutes: the one test that takes up to 70 seconds.
@test "cron: Debian's cron drains a topic, and mails nothing on success" {
	[ "$(id -u)" -eq 0 ] || skip "cron needs root"
	[ -x /usr/sbin/cron ] || skip "no /usr/sbin/cron"
	unshare -m true || skip "no mount namespaces"

	deliverd_start
	printf 'a.jpg\nb.jpg\nc.jpg\n' | mess-pub -l thumbnails
	mess-pub -m x broken
	mkdir cron.d sbin
	cat >make-thumb <<-H
		#!/bin/sh
		echo "\$(cat)" >>"$BATS_TEST_TMPDIR/made"
	H
	cat >sbin/sendmail <<-H
		#!/bin/sh
		cat >>"$BATS_TEST_TMPDIR/mail"
	H
	chmod 755 make-thumb sbin/sendmail
	# The cookbook's line, each minute; and one that has a reason to mail.
	cat >cron.d/mess <<-C
		PATH=$MESS_BUILD/bin:/usr/bin:/bin
		MESS_SPOOL=$MESS_SPOOL
		MAILTO=root
		* * * * *  root  mess-sub -e -q -j4 thumbnails -- $BATS_TEST_TMPDIR/make-thumb
		* * * * *  root  mess-sub -e -q -j4 broken -- no-such-command
	C
	cron_start

	wait_for 75 test -s mail
	wait_for "$MESS_PATIENCE" cron_is_idle
	assert_equal "$(sort made)" $'a.jpg\nb.jpg\nc.jpg'
	counts thumbnails acked 3
	assert_equal "$(grep -c '^Subject:' mail)" 1
	assert_equal "$(sed '1,/^$/d' mail)" "mess-sub: no-such-command: No such file or directory"
}
