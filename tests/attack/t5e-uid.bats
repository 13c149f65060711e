#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a new account has the uid of one that is gone, and with it its topics,
# what was granted to it, and the names it may make again.
# Defence: an owner is uid and login; where they no longer match all is kept for
# administrators (lib/acl.c, lib/topic.c).
# Asserted: the new account has nothing of the old, nor has who was let in by it.

load attack

@test "attack: a uid that was given to somebody new carries nothing over" {
	attack_start <<<'allow create * on **'
	as alice mess-topic create orders --subscribe carol
	as alice mess-topic create stock
	as alice mess-topic delete --yes stock
	as root mess-pub -m secret orders
	as root mess-topic create news --subscribe alice
	users_rename alice eve
	kill -HUP "$DELIVERD_PID"
	# The rules name nobody who is gone: they are read again.
	wait_for "$MESS_PATIENCE" grep -q 'read again' "$DELIVERD_LOG"

	run -66 as eve mess-sub -e orders
	run -66 as eve mess-topic delete --yes orders
	run -66 as eve mess-sub -e news
	run -66 as carol mess-sub -e orders
	run -77 as eve mess-topic create stock
	run -0 as root mess-sub -e orders
	assert_output secret
}
