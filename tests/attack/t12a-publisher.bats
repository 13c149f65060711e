#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a message says that somebody else published it.
# Defence: the envelope is the engine's, with what the kernel says
# (lib/request_publish.c); headers that begin with Mess- are the engine's
# (lib/record.c); counted bytes are never searched.
# Asserted: no header, record or body makes a message another's.

load attack

@test "attack: who published is what the kernel says" {
	attack_start <<<'allow publish bob,mallory on orders'
	as root mess-topic create orders
	as root mess-pub -m of-root orders
	run -0 as root mess-sub --peek --records orders
	echo "$output" >records
	grep -q '^mess1 1 [0-9.]* 0 0 ' records

	for name in Mess-Publisher Mess-Uid Mess-Original-Uid mess-redrive-to MESS-X Mess-; do
		printf 'PUB orders %d 1\\n%s: 0\\nx\n' $((${#name} + 4)) "$name"
	done | each_hello mallory >answers
	assert_equal "$(grep -c '^ERR baddata ' answers)" 6
	as mallory mess-pub --records orders <records
	as mallory mess-pub -f records orders || as mallory mess-pub orders <records

	run -0 as root mess-sub --peek --json orders
	echo "$output" >all
	assert_equal "$(jq -r '"\(.seq) \(.uid) \(.user)"' all | xargs)" '1 0 root 2 6104 mallory 3 6104 mallory'
	# shellcheck disable=SC2016 # the inner shell's
	run -0 as root mess-sub -e orders -- sh -c 'echo "$MESS_UID"'
	assert_output $'0\n6104\n6104'
}
