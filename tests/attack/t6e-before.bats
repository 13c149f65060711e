#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a request before the caller has said HELLO, or after a HELLO that was
# refused (NATS 2026-16).
# Defence: the first request is HELLO, and only the first (lib/input.c).
# Asserted: every verb is refused, the connection ends, and nothing was done.

load attack

@test "attack: nothing comes before HELLO" {
	attack_start </dev/null
	as root mess-topic create orders
	spool_tree >before
	printf '%s\\n\n' 'PUB orders 0 1\nx' 'PUBS orders 1 5\n0 1\nx' 'STREAM orders 0\n1\nx0' RESUME 'SUB orders default' \
		'TAIL orders' 'PEEK orders default' 'READ orders 1 1' 'TAKE 1' 'ACK orders 1' 'NACK orders 1' \
		'RETRY orders 1 0' 'DEAD orders 1 0' 'HOLD orders 1 1' 'SETTLE ack orders default 1 0123456789abcdef 0' \
		'SUBADD orders more 0' 'SUBRM orders default' 'SEEK orders default now' 'RELEASE orders default' \
		'REDRIVE orders 0' 'CREATE stock' 'SET orders 13\nMax-Age: 100' 'PURGE orders' 'DELETE orders' \
		'LIST **' 'SHOW orders' 'STAT *' 'CHECK orders admin root' >verbs
	sed 's/$/LIST **\\n/' verbs | each root >answers
	assert_equal "$(sort -u answers)" 'ERR protocol HELLO comes first, and once\n'
	assert_equal "$(wc -l <answers)" 28
	run -0 each root <<-'E'
	HELLO 2\nDELETE orders\n
	HELLO 1\nHELLO 1\nDELETE orders\n
	E
	run ! grep -v 'ERR protocol [^\\]*\\n$' <<<"$output"
	diff before <(spool_tree)
	assert_equal "$(number orders published)" 0
}
