#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: one user fills the disk, or everybody's topics, with messages.
# Defence: what is kept is charged to the owner of its topic, who has so many
# bytes; a topic has its own limit (lib/quota.c, lib/retention.c).  Whoever
# publishes, a part of the disk stays free (lib/minfree.c).
# Asserted: mallory gets so far and is refused, by any kind of publish; bob
# publishes meanwhile; what is taken frees her room again.  Of a disk that
# many fill a twentieth stays free, and what settles and purges works.

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

# free_share: thousandths of the spool's disk.
free_share() {
	as root stat -f -c '%a %b' "$LAND/spool" | awk '{ print int($1 * 1000 / $2) }'
}

# refused COMMAND...: with 75, for want of disk.
refused() {
	run -75 "$@"
	assert_output --regexp 'spool.s disk has [0-9]+ bytes free; [0-9]+ stay free'
}

published() {
	as bob mess-pub -m x orders 2>said
}

@test "attack: a twentieth of the disk is left, whoever publishes" {
	SPOOL_DISK=size=256m attack_start <<-E
	allow publish mallory,bob on **
	allow subscribe bob on orders
	limit mallory spool-bytes none
	E
	as root mess-topic create orders
	as root mess-topic create big
	seq 100 | as bob mess-pub -l orders
	head -c 100000 /dev/zero | tr '\0' x >body
	run -75 as mallory mess-pub -l big < <(yes "$(cat body)" | head -n 3000)
	assert_output --partial 'stay free'
	head -c 3000000 /dev/zero >large

	refused as mallory mess-pub big <body
	refused as mallory mess-pub -l big < <(fold -w 1000 body)
	refused as mallory mess-pub big <large
	refused as bob mess-pub orders <body
	refused as root mess-pub orders <body
	assert [ "$(free_share)" -ge 20 ] # the journal and audit take of what is left

	as bob mess-sub -l -n 100 orders >taken
	diff taken <(seq 100)
	as root mess-topic purge --yes big
	wait_for "$MESS_PATIENCE" published
	as root mess-topic create another
	assert_serves
}
