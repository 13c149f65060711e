#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: one user fills the disk, or everybody's topics, with messages.
# Defence: what is kept is charged to the owner of its topic, who has so many
# bytes; a topic has its own limit (lib/quota.c, lib/retention.c).
# Asserted: mallory gets so far and is refused, by any kind of publish; bob
# publishes meanwhile; what is taken frees her room again.

load attack

publishes() {
	as mallory mess-pub user.mallory.b <body
}

@test "attack: one user's messages are not everybody's disk" {
	attack_start <<-E
	allow publish mallory,bob on orders
	limit mallory spool-bytes 2M
	E
	as root mess-topic create orders
	as root mess-topic set orders --max-bytes 1M
	as mallory mess-topic create user.mallory.a
	as mallory mess-topic create user.mallory.b
	head -c 100000 /dev/zero | tr '\0' x >body
	for topic in user.mallory.a user.mallory.b; do
		for i in {1..40}; do
			as mallory mess-pub -q "$topic" <body || echo $? >>refused
		done
	done
	assert_equal "$(sort -u refused)" 75
	[ "$(wc -l <refused)" -ge 55 ]
	head -c 3000000 /dev/zero >large
	run -75 as mallory mess-pub user.mallory.b <large
	run -75 as mallory mess-pub -l user.mallory.b < <(fold -w 1000 body | yes "$(cat)" | head -n 3000)
	[ "$(du -sk "$LAND/spool/user.mallory.a" "$LAND/spool/user.mallory.b" | awk '{ n += $1 } END { print n }')" -lt 8192 ]

	as bob mess-pub -m x orders
	as mallory mess-topic delete --yes user.mallory.a
	wait_for "$MESS_PATIENCE" publishes
	for i in {1..12}; do
		as mallory mess-pub orders <body || break
	done
	[ "$i" -lt 12 ]
	assert_serves
}
