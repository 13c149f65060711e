#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: one user opens connections until there are none for others
# (CVE-2014-3639).
# Defence: whose a connection is, is known when it is accepted; a user has 256
# (lib/engine.c).
# Asserted: the 257th is refused, others connect and publish as before.

load attack

@test "attack: one user's connections are not everybody's" {
	attack_start <<<'allow publish bob on orders'
	as root mess-topic create orders
	behind mallory attack flood "$SOCKET" 300 </dev/null >flooded
	wait_for "$MESS_PATIENCE" grep -q welcome flooded
	assert_equal "$(cat flooded)" '256 welcome 44 refused'

	for i in {1..10}; do
		as bob timeout 2 mess-pub -m "$i" orders
	done
	run -75 as mallory mess-topic list
	kill "$BEHIND"
	wait_for "$MESS_PATIENCE" as mallory mess-topic list
}
