#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Messages that are delivered later, and those that are not delivered after a time.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

setup() {
	mess_setup
	deliverd_start
}

now_ms() {
	date +%s%3N
}

counted() {
	[ "$(stat_of "$1" "$2" "${4:-default}")" = "$3" ]
}

@test "delay: a message comes when it is due, and holds nothing back until then" {
	local began came

	mess-sub -e t
	began=$(now_ms)
	mess-pub --delay 2 -m later t
	mess-pub -m now t

	assert_equal "$(mess-sub -e -l t)" now
	counted t delayed 1
	[ $(($(now_ms) - began)) -lt 1500 ] || skip "this machine is too slow to tell"
	assert_equal "$(mess-sub -n 1 -l t)" later
	came=$(now_ms)

	[ $((came - began)) -ge 2000 ] || fail "it came after $((came - began)) ms"
	mess-fsck-free t
}

# mess-fsck-free TOPIC: nothing is left, and the account holds.
mess-fsck-free() {
	counted "$1" pending 0
	assert_equal "$(stat_of "$1" present)" 0
	mess-topic fsck
}

@test "delay: many of them come in order of their times, to a consumer that waits" {
	local i

	mess-sub -l -n 6 t >out &
	consumer=$!
	for i in 3 1 2; do
		mess-pub --delay "$i" -m "$i" t
		mess-pub -m now t
	done

	wait "$consumer"

	assert_equal "$(xargs <out)" "now now now 1 2 3"
	mess-fsck-free t
}

@test "delay: a thousand of one moment come all" {
	seq 1000 | mess-pub -l --delay 1 t
	assert_equal "$(mess-sub -e t)" ""
	counted t delayed 1000

	assert_equal "$(mess-sub -n 1000 -l t | sort -n | md5sum)" "$(seq 1000 | md5sum)"
	mess-fsck-free t
}

@test "delay: it survives a restart and a kill, and an engine that leaves meanwhile" {
	mess-sub -e t
	mess-pub --delay 3 -m later t
	assert_equal "$(mess-sub -e t)" ""
	deliverd_kill
	deliverd_start
	assert_equal "$(mess-sub -e t)" ""
	deliverd_stop

	# "Personal": the next use starts one.
	assert_equal "$(mess-sub -n 1 -l t)" later
	mess-fsck-free t
}

@test "delay: --at, also of a time that is over" {
	mess-pub --at @1 -m over t
	mess-pub --at 2999-01-01 -m far t

	assert_equal "$(mess-sub -e -l t)" over
	counted t delayed 1
	assert_equal "$(mess-sub --peek -l t)" far
}

@test "delay: a time after the year 9999 is refused, 64, with the rule and the value" {
	local options

	mess-topic create t
	for options in '--at @253402300800' '--at @9223372036854776' '--at @99999999999999999' \
		'--delay 106751991167d' '--ttl 106751991167d' '--ttl 3000000d' '--at 9999-12-31 --ttl 2d'; do
		# shellcheck disable=SC2086 # words
		run -64 --separate-stderr mess-pub $options -m x t
		assert_one_error mess-pub
		assert_regex "$stderr" "${options##* }.*9999"
	done
	run -64 --separate-stderr mess-pub --ttl 0 -m x t
	assert_one_error mess-pub
	published_is t 0

	mess-pub --at 9999-12-31T23:59:59Z -m far t
	mess-pub --at 9999-12-31 --ttl 1h -m far t
	assert_equal "$(mess-sub -e t)" ""
	counted t delayed 2
}

@test "ttl: what is not taken in time expires, is counted, and is freed" {
	mess-sub -e t
	mess-pub --ttl 1 -m milk t
	mess-pub --ttl 1h -m honey t
	mess-pub -m bread t
	sleep 1.1 # the time that is asked of the message

	assert_equal "$(mess-sub -e -l t | xargs)" "honey bread"

	counted t expired 1
	mess-fsck-free t
}

@test "ttl: what has expired does not wait: not for stat, check, wait, peek, --unless-queued and max-messages" {
	mess-topic create full --max-messages 2
	for topic in t peeked key full; do
		mess-sub -e "$topic"
		mess-sub -e -s other "$topic"
	done
	mess-pub --ttl 1 -m milk t
	mess-pub --ttl 1h -m honey t
	printf '%s\n' a b | mess-pub --ttl 1 -l peeked
	mess-pub --ttl 1 --unless-queued k -m one key
	printf '%s\n' a b | mess-pub --ttl 1 -l full
	assert_equal "$(mess-topic peek peeked)" ab
	assert_equal "$(mess-pub -v --unless-queued k -m two key)" ""
	run -75 mess-pub -m three full
	sleep 1.1 # the time that is asked of the messages

	assert_equal "$(mess-topic peek peeked)" ""
	assert_equal "$(mess-sub --peek -s other peeked)" ""
	assert_equal "$(mess-pub -v --unless-queued k -m two key)" key:2
	mess-pub -m three full
	mess-topic wait peeked --empty -W 0
	assert_equal "$(stat_of peeked present)" 0
	counted t waiting 1
	counted t expired 1
	counted t expired 1 other
	assert_equal "$(stat_of t depth)" 1
	run -0 mess-topic check t --depth 1,1
}

@test "ttl: --unless-queued waits for who is at work on a message that has expired" {
	mess-pub --ttl 1 --unless-queued k -m one t
	mess-sub t -- sh -c 'touch begun; while ! [ -e go ]; do sleep 0.05; done' 3>&- &
	worker=$!
	wait_for "$MESS_PATIENCE" test -e begun
	sleep 1.1 # the time that is asked of the message

	assert_equal "$(mess-pub -v --unless-queued k -m two t)" ""
	touch go
	wait_for "$MESS_PATIENCE" counted t acked 1
	assert_equal "$(mess-pub -v --unless-queued k -m two t)" t:2
	kill -TERM "$worker"
	wait "$worker"
}

@test "ttl: much that has expired is settled in a few looks" {
	mess-sub -e t
	seq 200000 | mess-pub --ttl 1 -l t
	mess-pub -m last t
	sleep 1.1 # the time that is asked of the messages

	wait_for "$MESS_PATIENCE" counted t waiting 1
	counted t expired 200000
	assert_equal "$(mess-sub -e t)" last
	mess-fsck-free t
}

@test "ttl: counts from when the message is due" {
	mess-sub -e t
	mess-pub --delay 2 --ttl 60 -m late t

	assert_equal "$(mess-sub -n 1 -l t)" late
	mess-fsck-free t
}

@test "ttl: one that expires while it waits to be tried again is not tried again" {
	mess-pub --ttl 2 -m x t
	mess-sub -e -q t -- false || [ $? = 123 ]
	counted t delayed 1
	sleep 2

	assert_equal "$(mess-sub -W 3 -n 1 t || echo $?)" 124
	counted t expired 1
	mess-fsck-free t
}
