#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: the name of a subscription is taken, so that its user gets somebody
# else's place, or none.
# Defence: what a user makes is their own, by uid (lib/subscription_list.c).
# Asserted: the same name is another's too, and takes nothing from them.

load attack

@test "attack: a subscription's name is each user's own" {
	attack_start <<<'allow subscribe bob,carol on orders'
	as root mess-topic create orders
	as root mess-pub -l orders <<<$'1\n2'
	run -0 as bob mess-sub -e -q -l -s audit orders
	assert_output $'1\n2'
	run -0 as carol mess-sub -e -q -l -s audit orders
	assert_output $'1\n2'
	run -77 as bob mess-topic sub add orders nightly
	run -66 as bob mess-topic sub rm orders carol/audit
	run -0 as carol mess-topic sub list orders
	refute_output --partial bob
}
