#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: the engine is killed while it deletes a topic, so that half of it can
# be used again.
# Defence: the topic's file becomes its tombstone first; what is found without
# it is deleted to its end at the next start (lib/topic.c).
# Asserted: what is half deleted is no topic, and its messages are in no other.

load attack

@test "attack: a topic that is half deleted is deleted" {
	attack_start <<<'allow create bob on **'
	as root mess-topic create orders --publish bob --subscribe carol
	as root mess-pub -m secret orders
	deliverd_kill
	# What stands on disk when the first step is done.
	mv "$LAND/spool/orders/topic" "$LAND/spool/.tomb/orders"

	users_engine
	run -0 as root mess-topic list
	assert_output mess.audit
	refute [ -e "$LAND/spool/orders" ]
	run -77 as bob mess-topic create orders
	as root mess-topic create orders
	run -0 as root mess-sub -e orders
	refute_output
	deliverd_stop
	run -0 as mess mess-topic --spool "$LAND/spool" fsck
}
