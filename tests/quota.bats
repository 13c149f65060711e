#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# How much a user may have and do: mess.conf's limits, each refused with 75
# and named with its value, and nobody else's business.

load helper
load users

teardown() {
	users_stop
	mess_teardown
}

@test "quota: connections at once, of one user and no other" {
	users_start <<-E
	limit bob connections 3
	E
	as root mess-topic create t --subscribe bob,carol
	for i in 1 2 3; do
		become bob
		"${AS[@]}" mess-sub t 3>&- &
		eval "c$i=\$!"
	done
	wait_for "$MESS_PATIENCE" stat_says t consumers 3
	run -75 as bob mess-sub -e t
	assert_output --partial 'limit connections: a user has at most 3 connections at once; you have 3'
	as carol mess-sub -e t
	as root mess-sub -e t
	# shellcheck disable=SC2154 # set by eval
	kill -TERM "$c1"
	wait "$c1"
	as bob mess-sub -e t
	# shellcheck disable=SC2154 # set by eval
	kill -TERM "$c2" "$c3"
	wait "$c2" "$c3"
}

stat_says() {
	[ "$(as root mess-topic stat --json "$1" | jq ".[0].subscriptions[0].$2")" = "$3" ]
}

@test "quota: new connections a second" {
	users_start <<-E
	limit bob connects 5
	E
	as root mess-topic create t --publish bob,carol
	local refused=0
	for _ in $(seq 30); do
		as bob mess-pub -q -m x t 2>>said || refused=$((refused + 1))
	done
	assert [ "$refused" -gt 0 ]
	grep -q 'limit connects: a user has at most 5 new connections a second' said
	as carol mess-pub -m x t
}

@test "quota: messages and bytes a second; what was taken is durable and told" {
	users_start <<-E
	limit @shop messages 100
	limit carol bytes 10K
	E
	as root mess-topic create t --publish bob,carol,alice
	run -75 as bob mess-pub -l t < <(seq 5000)
	assert_output --partial 'limit messages: a user has at most 100 messages a second'
	[[ $output =~ ([0-9]+)\ messages\ are\ durable ]]
	n=${BASH_REMATCH[1]}
	assert [ "$n" -lt 5000 ]
	assert_equal "$(as root mess-topic stat --json t | jq '.[0].published')" "$n"

	head -c 200000 /dev/zero >zeros
	as carol mess-pub t <zeros || :
	run -75 as carol mess-pub t <zeros
	assert_output --partial 'limit bytes: a user has at most 10240 bytes a second'
	as alice mess-pub -l t < <(seq 5000)
}

@test "quota: requests a second wait instead" {
	users_start <<-E
	limit bob requests 50
	E
	as root mess-topic create t --publish bob,carol
	local began=$SECONDS
	printf 'PUB t 0 1\nx%.0s' {1..150} >many
	{ echo "HELLO 1"; cat many; } | as bob socat -t 20 - "UNIX-CONNECT:$LAND/run/mess.sock" >replies 3>&- &
	local bob=$!
	as carol mess-pub -m y t
	assert [ $((SECONDS - began)) -lt 2 ]
	wait "$bob"
	assert_equal "$(grep -c '^OK [0-9]' replies)" 150
	assert [ $((SECONDS - began)) -ge 2 ]
}

@test "quota: topics, and subscriptions of one's own" {
	users_start <<-E
	limit * topics 2 subscriptions 2
	E
	as bob mess-topic create user.bob.a
	as bob mess-topic create user.bob.b
	run -75 as bob mess-topic create user.bob.c
	assert_output --partial 'limit topics: a user has at most 2 topics; you have 2'
	as carol mess-topic create user.carol.a
	as bob mess-topic delete user.bob.a
	as bob mess-topic create user.bob.c

	as root mess-topic create t --subscribe bob,carol
	as bob mess-sub -q -e -s one t
	as bob mess-sub -q -e -s two t
	run -75 as bob mess-sub -q -e -s three t
	assert_output --partial 'limit subscriptions: a user has at most 2 subscriptions of their own; you have 2'
	as carol mess-sub -q -e -s three t
	# What is there is counted after a restart, too.
	deliverd_stop
	users_engine
	wait_for "$MESS_PATIENCE" refuses_third
	as bob mess-topic sub rm t one
	as bob mess-sub -q -e -s three t
}

refuses_third() {
	! as bob mess-sub -q -e -s three t 2>/dev/null
}

@test "quota: bytes and messages that are kept, given back when they go" {
	users_start <<-E
	limit bob spool-messages 10
	limit carol spool-bytes 100K
	E
	as bob mess-topic create user.bob.t
	as bob mess-pub -l user.bob.t < <(seq 10)
	run -75 as bob mess-pub -m more user.bob.t
	assert_output --partial 'limit spool-messages: a user has at most 10 messages kept in their topics; you have 10'
	as bob mess-sub -n 3 -q user.bob.t >/dev/null
	as bob mess-pub -l user.bob.t < <(seq 3)
	run -75 as bob mess-pub -m more user.bob.t
	as bob mess-topic purge user.bob.t
	as bob mess-pub -m more user.bob.t

	head -c 60000 /dev/zero >zeros
	as carol mess-topic create user.carol.t
	as carol mess-pub user.carol.t <zeros
	run -75 as carol mess-pub user.carol.t <zeros
	assert_output --partial 'limit spool-bytes'
	# Many topics are no more room.
	as carol mess-topic create user.carol.u
	run -75 as carol mess-pub user.carol.u <zeros
	as carol mess-topic purge user.carol.t
	as carol mess-pub user.carol.u <zeros
	run -75 as carol mess-pub user.carol.t <zeros
	as carol mess-topic delete user.carol.u
	as carol mess-pub user.carol.t <zeros
}

@test "quota: an unfinished request is charged as memory" {
	users_start <<-E
	limit mallory memory 1M
	E
	as root mess-topic create t --publish mallory,bob
	{ printf 'HELLO 1\nPUBS t 1 4000000\n'; head -c 3900000 /dev/zero; } >half
	run as mallory timeout 20 socat -t 5 - "UNIX-CONNECT:$LAND/run/mess.sock" <half
	# Who only writes hears it by the end of the connection.
	[[ $output == *'limit memory: a user has at most 1048576 bytes'* || $output == *'Broken pipe'* || \
		$output == *reset* ]]
	assert_equal "$(as root mess-topic stat --json t | jq '.[0].published')" 0
	as bob mess-pub -m x t
}

@test "quota: a user's own limit beats the group's, that beats everybody's; HUP changes them; malformed ones refuse the file" {
	users_start <<-E
	limit * topics 1
	limit @shop topics 2
	E
	as bob mess-topic create user.bob.a
	as bob mess-topic create user.bob.b
	run -75 as bob mess-topic create user.bob.c
	as carol mess-topic create user.carol.a
	run -75 as carol mess-topic create user.carol.b
	users_rules <<-E
	limit * topics 1
	limit @shop topics 2
	limit bob topics none
	E
	as bob mess-topic create user.bob.c
	for limit in 'bob' 'bob topics' 'bob topics x' 'bob topics -1' 'bob topcis 1' 'bob topics 1 topics 2' \
		'nobody-here topics 1' 'bob topics 1K' 'bob topics 99999999999999999999'; do
		users_write_rules <<<"limit $limit"
		run -78 as mess mess-deliverd -t -c "$LAND/mess.conf"
	done
}
