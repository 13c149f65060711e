#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: what was never handed out is settled, and so lost to the others.
# Defence: a consumer settles what it was sent and has (lib/request_settle.c).
# Asserted: every such range is refused whole, and nothing is missing.

load attack

@test "attack: nothing is settled that was not handed out" {
	attack_start <<<'allow subscribe carol on orders'
	as root mess-topic create orders
	as root mess-pub -l orders <<<$'1\n2\n3'
	for range in 1 3 1-3 2-9223372036854775807 1-18446744073709551615 0 4 '1 2 3'; do
		for verb in ACK NACK; do
			printf '%s\\n\n' "SUB orders default\\n$verb orders $range"
		done
	done | each_hello carol >answers
	each_hello carol <<<'SUB orders default\nRETRY orders 2 0\nDEAD orders 2 0\nHOLD orders 2 1000\nACK stock 1\n' >>answers
	assert_equal "$(wc -l <answers)" 17
	assert_lines answers '^OK 1\\n(ERR (usage|protocol) [^\\]*\\n)+$'
	run -0 as carol mess-sub -e -l orders
	assert_output $'1\n2\n3'
}
