#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: every connection, topic and subscription brings another allowance, so
# that many of them make one without end (dbus-daemon's multi-tier quotas).
# Defence: what a user has is counted once, by uid, whatever it is reached
# through (lib/user_limits.c, lib/request.c, lib/quota.c).
# Asserted: on many connections mallory gets her topics, her subscriptions and
# her memory, and no more; bob has his.

load attack

@test "attack: more connections are not more of anything" {
	attack_start <<-E
	allow subscribe mallory,bob on orders
	allow publish mallory on orders
	limit mallory topics 5 subscriptions 7 memory 2M
	E
	as root mess-topic create orders
	for i in {1..20}; do
		printf '%s\\n\n' "CREATE user.mallory.t$i" "SUB orders s$i" "SUB user.mallory.t1 s$i"
	done | each_hello mallory >answers
	assert_equal "$(grep -c '^OK\\n' answers)" 5
	assert_equal "$(grep -c '^OK .* made' answers)" 7
	assert_equal "$(grep -c '^ERR limit ' answers)" $((60 - 12))

	local before
	before=$(engine_rss)
	{
		printf 'HELLO 1\nPUBS orders 1 4194304\n'
		head -c 65000 /dev/zero
	} >half
	behind mallory attack hold "$SOCKET" 200 <half >held
	wait_for "$MESS_PATIENCE" grep -q held held
	assert_serves
	has_sanitizer || [ $(($(engine_rss) - before)) -lt 6144 ]

	as bob mess-topic create user.bob.inbox
	as bob mess-sub -e -q -s mine orders
}
