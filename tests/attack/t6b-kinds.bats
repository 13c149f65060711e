#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: one kind of subscription asks for less than another (NATS 2026-18).
# Defence: all kinds go through one function (lib/request_consume.c).
# Asserted: whoever may not subscribe gets not a byte by any of them.

load attack

@test "attack: every kind of consumer needs the same right" {
	attack_start </dev/null
	as root mess-topic create orders --publish bob --subscribe carol
	as root mess-topic sub add orders shared
	as carol mess-sub -e -q -s mine orders
	as root mess-pub -m secret orders

	for kind in 'SUB orders default' 'SUB orders shared' 'SUB orders mine' 'SUB orders carol/mine' 'SUB ** mine' \
		'SUB orders new 13\nFrom: oldest' 'TAIL orders' 'TAIL **' 'PEEK orders default' 'PEEK orders carol/mine' \
		'READ orders 1 1' 'READ orders 0 9223372036854775807'; do
		printf '%s\\nTAKE 100 now\\n\n' "$kind"
	done >kinds
	for user in bob mallory; do
		each_hello $user <kinds >answers
		assert_equal "$(wc -l <answers)" 12
		run ! grep -qE 'secret|MSG' answers
		assert_equal "$(grep -cE '^ERR ' answers)" 10
	done
	assert_equal "$(each_hello carol <kinds | grep -c MSG)" 10
}

@test "attack: whoever has letters of their own sees no others" {
	attack_start </dev/null
	as root mess-topic create orders --subscribe bob,carol
	for user in bob carol; do
		as "$user" mess-sub -e -q -s mine --match "For=$user" orders
		for _ in 1 2 3; do
			as root mess-pub -H "For: $user" -m "for-$user" orders
			# shellcheck disable=SC2016 # the inner shell's
			run -123 as "$user" mess-sub -e -q -s mine orders -- sh -c 'echo "it was $0" >&2; exit 65' "$user"
		done
	done
	for kind in 'PEEK orders.dead default' 'PEEK orders.dead mine' 'PEEK orders.dead carol/mine' \
		'READ orders.dead 1 99' 'READ orders.dead 4 4' 'READ orders.dead 0 9223372036854775807'; do
		printf '%s\\nTAKE 100 now\\n\n' "$kind"
	done >kinds
	each_hello bob <kinds >answers
	assert_equal "$(wc -l <answers)" 6
	assert_equal "$(grep -c for-bob answers)" 5
	run ! grep -qE 'carol|6103' answers
}
