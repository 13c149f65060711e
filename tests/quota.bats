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
	assert_output --partial 'connections: a user has at most 3 connections at once; you have 3'
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
	grep -q 'connects: a user has at most 5 new connections a second' said
	as carol mess-pub -m x t
}

@test "quota: messages and bytes a second; what was taken is durable and told" {
	users_start <<-E
	limit @shop messages 100
	limit carol bytes 10K
	E
	as root mess-topic create t --publish bob,carol,alice
	run -75 as bob mess-pub -l t < <(seq 5000)
	assert_output --partial 'messages: a user has at most 100 messages a second'
	[[ $output =~ ([0-9]+)\ messages\ are\ durable ]]
	n=${BASH_REMATCH[1]}
	assert [ "$n" -lt 5000 ]
	assert_equal "$(as root mess-topic stat --json t | jq '.[0].published')" "$n"

	head -c 200000 /dev/zero >zeros
	as carol mess-pub t <zeros || :
	run -75 as carol mess-pub t <zeros
	assert_output --partial 'bytes: a user has at most 10240 bytes a second'
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
	assert_output --partial 'topics: a user has at most 2 topics; you have 2'
	as carol mess-topic create user.carol.a
	as bob mess-topic delete user.bob.a
	as bob mess-topic create user.bob.c

	as root mess-topic create t --subscribe bob,carol
	as bob mess-sub -q -e -s one t
	as bob mess-sub -q -e -s two t
	run -75 as bob mess-sub -q -e -s three t
	assert_output --partial 'subscriptions: a user has at most 2 subscriptions of their own; you have 2'
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
	assert_output --partial 'spool-messages: a user has at most 10 messages kept in their topics; you have 10'
	as bob mess-sub -n 3 -q user.bob.t >/dev/null
	as bob mess-pub -l user.bob.t < <(seq 3)
	run -75 as bob mess-pub -m more user.bob.t
	as bob mess-topic purge user.bob.t
	as bob mess-pub -m more user.bob.t

	head -c 60000 /dev/zero >zeros
	as carol mess-topic create user.carol.t
	as carol mess-pub user.carol.t <zeros
	run -75 as carol mess-pub user.carol.t <zeros
	assert_output --partial 'spool-bytes: a user'
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
	[[ $output == *'memory: a user has at most 1048576 bytes'* || $output == *'Broken pipe'* || \
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

# sub_number TOPIC SUBSCRIPTION KEY
sub_number() {
	as root mess-topic stat --json "$1" | jq --arg sub "$2" ".[0].subscriptions[] | select(.name == \$sub) | .$3"
}

audited() {
	as root mess-sub --peek -e mess.audit | grep -E "$1"
}

@test "quota: at a topic's limit users' own subscriptions give up their oldest, counted and audited once" {
	users_start <<<'admin carol'
	as root mess-topic create t --publish bob --subscribe alice,bob,carol,mallory --max-messages 5
	as mallory mess-sub -e -q -s forgotten t
	as bob mess-sub -e -q -s mine t
	seq 3 | as bob mess-pub -l t
	as bob mess-sub -e -q -s mine t
	as root mess-sub -e -q t
	# Default has settled 3, bob 3, mallory none.
	seq 4 20 | while read -r n; do
		as bob mess-pub -m "$n" t
		as root mess-sub -e -q t
	done
	assert_equal "$(sub_number t mallory/forgotten dropped)" 15
	assert_equal "$(sub_number t bob/mine dropped)" 12
	assert_equal "$(sub_number t default dropped)" 0
	assert_equal "$(as root mess-topic stat --json t | jq -c '.[0] | [.present, .dropped, .settled, .refused]')" '[5,15,0,0]'
	wait_for "$MESS_PATIENCE" audited 'sub=6104.forgotten'
	for sub in 6102.mine 6104.forgotten; do
		run -0 audited "action=drop object=t sub=$sub "
		assert_equal "${#lines[@]}" 1
		assert_output --regexp '^event=subscription uid=- .* result=ok rule=full:.040max-messages.040is.0405'
	done
	run -0 as mallory mess-sub -e -l -s forgotten t
	assert_output "$(seq 16 20)"
	# A batch for which there is room takes as many at once.
	run -0 as bob mess-sub -e -l -s mine t
	seq 21 25 | as bob mess-pub -l --atomic t
	as root mess-sub -e -q t
	seq 26 29 | as bob mess-pub -l --atomic t
	assert_equal "$(as root mess-topic stat --json t | jq '.[0].present')" 5
	# One for which there never is takes nothing from anybody.
	seq 6 | {
		run -75 as bob mess-pub -l --atomic t
	}
	assert_equal "$(as root mess-topic stat --json t | jq '.[0].present')" 5
}

@test "quota: what the topic's subscriptions want, its owner's, an administrator's, or what keep holds, is not given up" {
	users_start <<<'admin carol'
	as root mess-topic create t --publish bob --subscribe bob,carol,mallory --max-messages 3
	as mallory mess-sub -e -q -s forgotten t
	seq 3 | as bob mess-pub -l t
	run -75 as bob mess-pub -m 4 t
	assert_output --partial 'max-messages is 3, 3 are kept'
	assert_equal "$(sub_number t mallory/forgotten dropped)" 0
	as root mess-sub -e -q t
	as bob mess-pub -m 4 t
	assert_equal "$(sub_number t mallory/forgotten dropped)" 1

	as root mess-topic purge --yes t
	as carol mess-sub -e -q -s mine t
	seq 3 | as bob mess-pub -l t
	as root mess-sub -e -q t
	run -75 as bob mess-pub -m 4 t
	as carol mess-sub -e -q -s mine t
	as root mess-topic set t --keep 1h
	run -75 as bob mess-pub -m 4 t
	assert_equal "$(sub_number t mallory/forgotten dropped)" 1
	as root mess-topic set t --keep none
	as bob mess-pub -m 4 t

	as alice mess-topic create user.alice.u --max-messages 2 --publish bob
	as alice mess-sub -e -q -s mine user.alice.u
	seq 2 | as bob mess-pub -l user.alice.u
	as root mess-sub -e -q user.alice.u
	run -75 as bob mess-pub -m 3 user.alice.u
}

@test "quota: at max-bytes, and with a consumer that holds them, the oldest of users' own go, too" {
	local sub

	users_start </dev/null
	as root mess-topic create t --publish bob --subscribe mallory --max-bytes 1M
	become mallory
	"${AS[@]}" mess-sub -s slow t -- sh -c 'cat >/dev/null; sleep infinity' >said 2>&1 3>&- &
	sub=$!
	wait_for "$MESS_PATIENCE" mallory_consumes
	head -c 100000 /dev/zero >small
	head -c 400000 /dev/zero >large
	for body in small large small small large small large large small; do
		as bob mess-pub t <$body
		as root mess-sub -e -q t >/dev/null
	done
	[ "$(sub_number t mallory/slow dropped)" -ge 4 ]
	[ "$(number_of t bytes)" -le 1048576 ]
	assert_equal "$(number_of t refused)" 0
	kill -TERM "$sub"
	wait "$sub" || :
	deliverd_stop
	run -0 as mess mess-topic --spool "$LAND/spool" fsck
	users_engine
	as mallory mess-sub -e -q -s slow t >/dev/null
}

mallory_consumes() {
	[ "$(sub_number t mallory/slow consumers)" = 1 ]
}

number_of() {
	as root mess-topic stat --json "$1" | jq ".[0].$2"
}

@test "quota: at its owner's limit, what others' own subscriptions hold of any topic of theirs is given up" {
	users_start <<<'limit alice spool-messages 10'
	for topic in a b; do
		as alice mess-topic create user.alice.$topic --publish bob --subscribe mallory
		as mallory mess-sub -e -q -s forgotten user.alice.$topic
	done
	seq 9 | as bob mess-pub -l user.alice.a
	as alice mess-sub -e -q user.alice.a
	seq 4 | as bob mess-pub -l user.alice.b
	# As many as come, or a part of what is kept, each time.
	local dropped
	dropped=$(sub_number user.alice.a mallory/forgotten dropped)
	assert [ "$dropped" -ge 3 ]
	assert [ "$dropped" -le 5 ]
	assert_equal "$(sub_number user.alice.a mallory/forgotten pending)" $((9 - dropped))
	# There it waits for default, too.
	run -75 as bob mess-pub -l --atomic user.alice.b < <(seq 7)
	assert_output --partial 'spool-messages: a user'
	as alice mess-sub -e -q user.alice.b
	# What she has elsewhere is looked at once a second.
	seq 8 | as bob mess-pub -l --wait=60 user.alice.b
	assert_equal "$(sub_number user.alice.b default pending)" 8
}
