#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: mallory removes, moves or empties somebody's subscription, or settles
# what they have.
# Defence: a subscription has an owner, the topic's is its administrators'; a
# lease by time is its holder's uid's (lib/request_sub.c, lib/request_access.c,
# lib/subscription.c).
# Asserted: whoever is neither is told what is told of a subscription that is
# not there, and the place does not move.

load attack

@test "attack: nobody moves or settles another's subscription" {
	attack_start <<<'allow subscribe bob,carol on orders'
	as root mess-topic create orders
	as root mess-pub -l orders <<<$'1\n2\n3'
	local lease token
	lease=$(as bob mess-sub --reserve -q -s mine orders | jq -r .lease)
	token=$(grep -oE '[0-9a-f]{16}' <<<"$lease" | head -n 1)
	[ -n "$token" ]

	for verb in SUBRM RELEASE SEEK 'SETTLE ack' 'SETTLE dead'; do
		for sub in bob/mine bob/nothing; do
			case $verb in
			SEEK) printf '%s\\n\n' "SEEK orders $sub now" ;;
			SETTLE*) printf '%s\\n\n' "$verb orders $sub 1 $token 0" ;;
			*) printf '%s\\n\n' "$verb orders $sub" ;;
			esac
		done
	done | each_hello carol | sed 's,bob/[a-z]*,WHOSE,' >answers
	assert_equal "$(wc -l <answers)" 10
	assert_lines answers '^ERR nosub '
	assert_equal "$(sed 'N; s/^\(.*\)\n\1$//' answers | tr -d '\n')" ''
	run ! as carol mess-sub --ack "$lease"

	run -0 each_hello carol <<-'E'
	SUBRM orders default\n
	SEEK orders default now\n
	RELEASE orders default\n
	ACK orders 1\n
	E
	assert_equal "$(grep -cE '^ERR (denied|usage) ' <<<"$output")" 4
	as bob mess-sub --ack "$lease"
	run -0 as bob mess-sub -e -l -s mine orders
	assert_output $'2\n3'
	run -0 as carol mess-sub -e -l orders
	assert_output $'1\n2\n3'
}
