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

@test "attack: while others keep the engine busy every reader gets all" {
	attack_start <<<'allow subscribe mallory,carol on orders'
	as root mess-topic create orders
	seq 100000 | as root mess-pub -l orders

	while [ ! -e stop ]; do
		as mallory mess-topic list orders
	done >/dev/null &
	local pids=()
	for s in a b c d e f; do
		as carol timeout 60 mess-sub -e -l -s "$s" orders >"got.$s" 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	touch stop
	for s in a b c d e f; do
		cmp "got.$s" <(seq 100000)
	done
	assert_serves
}
