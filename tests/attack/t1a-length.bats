#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a length of gigabytes is claimed, before HELLO and after it, so that
# the engine makes room for it.
# Defence: every number has a limit, which is looked at before what it counts
# is waited for (lib/protocol.c); nothing but HELLO is read first (lib/input.c).
# Asserted: each claim is refused at once, and what is claimed and does not
# come takes no memory.

load attack

claims() {
	local n

	for n in 4194305 2147483647 2147483648 4294967295 9223372036854775807 9223372036854775808 \
		18446744073709551615 18446744073709551616 99999999999999999999999999; do
		printf '%s\\n\n' "PUB orders 0 $n" "PUB orders $n 0" "PUBS orders 1 $n" "PUBS orders $n 10" \
			"STREAM orders $n" "STREAM orders 0\\n$n" "SUB orders mine $n" "SET orders $n" \
			"CREATE user.bob.inbox $n" "RETRY orders 1 $n" "SUBADD orders mine $n" "REDRIVE orders $n"
	done
}

@test "attack: a length that is claimed takes no memory" {
	attack_start <<<'allow admin bob on orders'
	as root mess-topic create orders

	claims | each bob >answers
	assert_equal "$(wc -l <answers)" 108
	assert_lines answers '^ERR (toobig|protocol) '
	claims | each_hello bob >answers
	assert_equal "$(wc -l <answers)" 108
	assert_lines answers '^(OK [0-9 ]*\\n)?ERR (toobig|protocol|usage) '

	# The largest there may be, on 200 connections, and nothing behind it.
	local before
	before=$(engine_rss)
	behind bob attack hold "$SOCKET" 200 <<<$'HELLO 1\nPUBS orders 1 4194304' >held
	wait_for "$MESS_PATIENCE" grep -q held held
	assert_serves
	has_sanitizer || [ $(($(engine_rss) - before)) -lt $((200 * 64)) ]
}
