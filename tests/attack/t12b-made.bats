#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: what the engine makes by itself, dead letters above all, carries a
# message where its publisher may not publish (NATS CVE-2026-33249).
# Defence: letters go to NAME.dead only, which a wildcard does not stand for
# (lib/names.c), nobody names another place, and redriving is by right
# (lib/request_sub.c).
# Asserted: with every right on every name bob reaches neither dead letters nor
# the engine's names.

load attack

@test "attack: nothing reaches a topic of the engine's but by the engine" {
	attack_start <<-E
	allow publish,subscribe,create bob on **
	allow publish,subscribe,create bob on *.*
	allow subscribe carol on orders
	E
	as root mess-topic create orders
	as root mess-pub -m x orders
	run -123 as carol mess-sub -e orders -- sh -c 'exit 65'
	run -0 as root mess-topic list
	assert_line orders.dead

	run -0 each_hello bob <<-'E'
	PUB orders.dead 0 1\nx
	SUB orders.dead default\nTAKE 9 now\n
	READ orders.dead 1 9\nTAKE 9 now\n
	SHOW orders.dead\n
	DELETE orders.dead\n
	PUB user.alice.inbox 0 1\nx
	E
	assert_equal "$(grep -c '^ERR notopic ' <<<"$output")" 6
	run -0 each_hello bob <<<'SUB ** mine\nTAKE 9 now\n'
	refute_output --partial orders.dead
	run -64 as bob mess-topic create stock.dead
	run -64 as bob mess-topic create mess.stock
	run -77 as bob mess-topic create user.alice.inbox
	run -0 as bob mess-topic redrive orders
	assert_equal "$(number orders published)" 1
	assert_equal "$(number orders.dead published)" 1
}
