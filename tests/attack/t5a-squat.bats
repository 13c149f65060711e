#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: mallory makes billing before the service does, or a name that is
# another user's or the engine's.
# Defence: without the right to create there is only user.LOGIN. (lib/acl.c),
# and mess, user and dead are the engine's (lib/names.c).
# Asserted: none of these names can be made.

load attack

@test "attack: names are not taken in advance" {
	attack_start <<<'allow create alice on billing.**'
	for name in billing billing.eu user.alice.inbox user.mallory user user.uid-6104.x mallory; do
		run -77 as mallory mess-topic create "$name" || [ "$name" = user ]
	done
	for name in user mess mess.audit user.mallory.x.dead; do
		run -64 as mallory mess-topic create "$name"
		run -64 as root mess-topic create "$name"
	done
	as mallory mess-topic create user.mallory.inbox
	as alice mess-topic create billing.eu
	run -77 as alice mess-topic create billing
	run -0 as root mess-topic list
	assert_output $'billing.eu\nmess.audit\nuser.mallory.inbox'
}
