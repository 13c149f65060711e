#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: connections until the engine has no descriptors, so that accept
# fails, again and again, at once.
# Defence: accepting pauses for 100 ms then (lib/engine.c).
# Asserted: it does not run in circles, and serves again when there is room.

load attack

@test "attack: an engine without descriptors waits, and comes back" {
	attack_start </dev/null
	as mess prlimit --pid "$DELIVERD_PID" --nofile=64:64
	behind mallory attack hold "$SOCKET" 100 </dev/null >held
	wait_for "$MESS_PATIENCE" grep -q held held

	local before
	before=$(engine_cpu)
	sleep 1
	[ $(($(engine_cpu) - before)) -lt 30 ]
	kill "$BEHIND"
	wait_for "$MESS_PATIENCE" as root timeout 2 mess-topic list
	assert_serves
}
