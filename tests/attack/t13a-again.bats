#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a message that had an id is sent again, later, elsewhere, by another.
# Defence: ids are kept by topic and uid, in the commit of their message
# (lib/ids.c, lib/publish.c).
# Asserted: at once, after a restart and after a crash it is a duplicate, with
# the number of the first; another topic, another user, and a topic made anew
# know nothing of it.

load attack

say_it() {
	each_hello "$1" <<<"PUB ${2:-orders} 16 1\\nMess-Ask-Id: 42\\nx"
}

@test "attack: what is sent again is stored once" {
	attack_start <<<'allow publish bob,carol on **'
	as root mess-topic create orders
	as root mess-topic create stock
	assert_equal "$(say_it bob)" 'OK 1\n'
	assert_equal "$(say_it bob)" 'OK 1 duplicate\n'
	as root mess-sub -e -q orders >taken
	deliverd_stop
	users_engine
	assert_equal "$(say_it bob)" 'OK 1 duplicate\n'
	deliverd_kill
	users_engine
	assert_equal "$(say_it bob)" 'OK 1 duplicate\n'
	assert_equal "$(number orders published)" 1

	assert_equal "$(say_it carol)" 'OK 2\n'
	assert_equal "$(say_it bob stock)" 'OK 1\n'
	as root mess-topic delete --yes orders
	as root mess-topic create orders
	assert_equal "$(say_it bob)" 'OK 1\n'
}
