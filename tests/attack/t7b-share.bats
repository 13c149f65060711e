#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: carol takes from bob's own subscription, and so what was for him.
# Defence: LOGIN/NAME is its owner's and the topic's administrators'
# (lib/request_access.c).
# Asserted: she gets nothing of it, and he all.

load attack

@test "attack: nobody takes from another's subscription" {
	attack_start <<<'allow subscribe bob,carol on orders'
	as root mess-topic create orders
	as bob mess-sub -e -q -s mine orders
	as root mess-pub -l orders <<<$'1\n2'
	for sub in bob/mine uid-6102/mine; do
		run -66 as carol mess-sub -e -s "$sub" orders
	done
	run -0 each_hello carol <<-'E'
	SUB orders bob/mine\nTAKE 9 now\n
	SUB ** bob/mine\nTAKE 9 now\n
	SUB orders 6102.mine\nTAKE 9 now\n
	E
	refute_output --partial MSG
	run -0 as bob mess-sub -e -l -s mine orders
	assert_output $'1\n2'
}
