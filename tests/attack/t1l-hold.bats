#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: mallory, who may only subscribe, makes subscriptions that never settle
# anything, in every way there is, and so fills topics that are bob's to publish to.
# Defence: at a limit users' own subscriptions give up their oldest before a
# publisher is refused (lib/retention_limit.c, lib/quota.c).
# Asserted: bob publishes on, the topic's own subscription gets all, and what
# mallory's lost is counted there.

load attack

@test "attack: a subscription that settles nothing does not fill a topic" {
	attack_start <<-'E'
	allow publish bob on orders
	allow subscribe mallory on **
	allow subscribe mallory on user.alice.box
	limit alice spool-bytes 1M
	E
	as root mess-topic create orders --max-messages 20
	as alice mess-topic create user.alice.box --publish bob
	as mallory mess-sub -e -q -s a '**'
	as mallory mess-sub -e -q -s a user.alice.box
	as mallory mess-sub -e -q -s b --match 'No=thing' orders
	# One holds by connection, and one by time.
	behind mallory mess-sub -s c orders -- sleep infinity
	as bob mess-pub -m 0 orders
	as mallory mess-sub -q --reserve=30d -s d orders >/dev/null
	for n in {1..60}; do
		as bob mess-pub -m "$n" orders
		as root mess-sub -e -l orders >>got
	done
	assert_equal "$(cat got)" "$(seq 0 60)"
	head -c 100000 /dev/zero >body
	for n in {1..20}; do
		as bob mess-pub user.alice.box <body
		as alice mess-sub -e -q user.alice.box >/dev/null
	done
	assert_equal "$(number orders refused)" 0
	# Those that no longer fit, and a part of what is kept.
	assert [ "$(number orders dropped)" -ge 41 ]
	assert [ "$(number orders dropped)" -le 44 ]
	assert_serves
}
