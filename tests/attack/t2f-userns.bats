#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: root of a user namespace of one's own; and an unmapped uid, which is
# many people's at once.
# Defence: the kernel says the uid outside; 65534 is nobody, not even one of
# everybody (lib/acl.c).
# Asserted: alice's root is alice; 65534 may do nothing that everybody may.

load attack

@test "attack: root of a namespace is who made it, and an unmapped uid nobody" {
	attack_start <<<'allow publish,subscribe,create * on open.**'
	as root mess-topic create orders
	as root mess-topic create open.day
	as alice unshare --user --map-root-user true || skip "needs user namespaces"

	run -77 as alice unshare --user --map-root-user mess-topic create stock
	run -66 as alice unshare --user --map-root-user mess-topic delete --yes orders
	as alice unshare --user --map-root-user mess-topic create user.alice.inbox
	run -0 as root mess-topic show user.alice.inbox
	assert_line 'owner 6101 alice'

	as mallory mess-pub -m x open.day
	become 65534
	run -66 "${AS[@]}" mess-pub -m x open.day
	run -66 "${AS[@]}" mess-sub -e open.day
	run -77 "${AS[@]}" mess-topic create open.night
}
