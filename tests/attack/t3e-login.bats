#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a login that means something else where rules are read: everybody, a
# group, a path, another's number (mosquitto CVE-2017-7650).
# Defence: rules hold numbers when they are read (lib/conf.c, lib/acl.c);
# nothing a caller is called goes into a pattern; a login that is no label, or
# begins with uid-, has the name of its number (lib/acl.c).
# Asserted: users who are called so may do what everybody may.

load attack

@test "attack: a login is a name and nothing else" {
	attack_start <<-E
	allow publish alice,@ops on orders
	allow create,admin root on **
	E
	as root mess-topic create orders --subscribe alice,@ops
	local uid=6111 login
	for login in '*' '@ops' '..' '%u' '**' 'alice ' 'uid-6101' 'user.alice' 'alice,bob'; do
		echo "$login:x:$uid:$uid::/nonexistent:/bin/sh" >>"$LAND/etc/passwd"
		run -66 as $uid mess-pub -m x orders
		run -66 as $uid mess-sub -e orders
		run -66 as $uid mess-sub -e -s alice/mine orders
		run -0 as $uid mess-topic list
		refute_output
		for name in user.alice.x user.uid-6101.x user.x.y 'user.*.x' stock; do
			run ! as $uid mess-topic create -- "$name"
		done
		as $uid mess-topic create "user.uid-$uid.inbox"
		uid=$((uid + 1))
	done
	run -0 as root mess-topic list
	# Theirs, and the engine's mess.audit.
	assert_equal "$(wc -l <<<"$output")" 11
}
