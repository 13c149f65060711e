#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: connections that send a byte now and then and never say who they are
# (slow loris).
# Defence: HELLO has to come within 5 seconds (lib/session.c).
# Asserted: all of them are cut soon after, and others are served meanwhile.

load attack

@test "attack: connections that never say HELLO are cut" {
	attack_start <<<'allow publish bob on orders'
	as root mess-topic create orders
	behind mallory attack drip "$SOCKET" 200 >ended
	until process_ended "$BEHIND"; do
		as bob timeout 2 mess-pub -m x orders
		sleep 0.2
	done
	run -0 cat ended
	assert_output --regexp '^200 cut in [5-9]$'
}
