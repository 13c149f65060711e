#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a caller who asks and never reads, so that answers and messages pile
# up in the engine.
# Defence: requests wait while 64 KiB of replies do (lib/session.c, limit.h),
# and of messages only their place in a file is kept (lib/output.c).
# Asserted: the engine's memory stays, and others get all they ask for.

load attack

@test "attack: what is not read takes no memory" {
	attack_start <<<'allow subscribe mallory,carol on orders'
	as root mess-topic create orders
	head -c 20M /dev/zero | tr '\0' x | fold -w 100000 | as root mess-pub -l orders

	local before
	before=$(engine_rss)
	behind mallory attack hoard "$SOCKET" 200000 <<<'STAT *' >hoarded
	behind mallory attack hold "$SOCKET" 10 <<<$'HELLO 1\nTAIL orders\nTAKE 100000' >held
	wait_for "$MESS_PATIENCE" grep -q held held
	behind carol attack hold "$SOCKET" 10 <<<$'HELLO 1\nSUB orders mine\nTAKE 100000' >held
	wait_for "$MESS_PATIENCE" grep -q held held
	wait_for "$MESS_PATIENCE" grep -q sent hoarded
	run -0 as carol mess-sub -e -q -l -s other orders
	assert_equal "${#lines[@]}" 210
	has_sanitizer || [ $(($(engine_rss) - before)) -lt 16384 ]
	assert_serves
}
