#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack, or only bad luck: a publisher's connection ends before the answer, and
# it sends again.
# Defence: an id makes it one message, and the answer the number of the first
# (lib/publish.c).
# Asserted: also when the engine was killed in between; without an answer
# nothing is taken for stored.

load attack

@test "attack: what is sent again after no answer is one message" {
	attack_start <<<'allow publish bob on orders'
	as root mess-topic create orders
	for i in 1 2 3 4 5; do
		printf 'HELLO 1\nPUB orders 15 1\nMess-Ask-Id: %d\nx' "$i" | as bob socat -u - "UNIX-CONNECT:$SOCKET"
		if [ $((i % 2)) -eq 0 ]; then
			deliverd_kill
			users_engine
		fi
		run -0 as bob mess-pub --id "$i" -m x orders
	done
	assert_equal "$(number orders published)" 5
	run -0 each_hello bob <<<'PUB orders 15 1\nMess-Ask-Id: 3\nx'
	assert_output 'OK 3 duplicate\n'
}
