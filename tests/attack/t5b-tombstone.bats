#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a name is made again as soon as it is deleted, to get what others go
# on publishing to it.
# Defence: for 30 days only its last owner and administrators make it again
# (lib/topic.c).
# Asserted: not another who may create, also after a restart; and the new one
# has nothing of the old.

load attack

@test "attack: a deleted name is kept for its owner" {
	attack_start <<<'allow create alice,mallory on **'
	as alice mess-topic create orders --publish bob
	as bob mess-pub -m secret orders
	as alice mess-topic delete --yes orders

	run -77 as mallory mess-topic create orders
	deliverd_stop
	users_engine
	run -77 as mallory mess-topic create orders
	as alice mess-topic create orders
	run -0 as alice mess-sub -e orders
	refute_output
	run -66 as bob mess-pub -m more orders
	as mallory mess-topic create stock
}
