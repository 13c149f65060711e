#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: carol takes from bob's own subscription, or from one of the topic's
# that is shared with others, and so what was for them; or she acks, moves,
# removes it, or learns that it is there.
# Defence: LOGIN/NAME is its owner's and the topic's administrators', a shared
# one theirs and who is named's (lib/request_access.c).
# Asserted: she gets nothing of it and changes nothing, and he gets all; what she is
# told is what is told of a name that was never used.

load attack

@test "attack: nobody takes from another's subscription" {
	attack_start <<<'allow subscribe bob,carol on orders'
	as root mess-topic create orders
	as bob mess-sub -e -q -s mine orders
	as root mess-pub -l orders <<<$'1\n2'
	for sub in bob/mine uid-6102/mine; do
		run -66 as carol mess-sub -e -s "$sub" orders
	done
	run -0 each_hello carol <<-'E'
	SUB orders bob/mine\nTAKE 9 now\n
	SUB ** bob/mine\nTAKE 9 now\n
	SUB orders 6102.mine\nTAKE 9 now\n
	E
	refute_output --partial MSG
	run -0 as bob mess-sub -e -l -s mine orders
	assert_output $'1\n2'
}

@test "attack: nobody takes from, moves or sees a subscription that is shared with others" {
	attack_start <<<'allow subscribe bob,carol on orders'
	as root mess-topic create orders
	as root mess-topic sub add --share bob orders shared
	as root mess-topic sub add --share @shop orders groups
	as root mess-topic sub add --share bob orders mine
	as carol mess-sub -e -q -s mine orders
	as root mess-pub -l orders <<<$'1\n2'
	# Bob's lease is not hers to settle, whatever she knows of it.
	local lease
	lease=$(as bob mess-sub --reserve -s shared orders | jq -r .lease)
	run -66 as carol mess-sub --ack "$lease"

	# The same words as of one that nobody made.
	for name in shared groups absent; do
		each_hello carol <<-E | sed "s/$name/NAME/g" >"$BATS_TEST_TMPDIR/$name"
		SUBRM orders $name\n
		SEEK orders $name now\n
		RELEASE orders $name\n
		REDRIVE orders 21\nSubscription: $name\n
		SETTLE ack orders $name 1 0123456789abcdef 0\n
		E
	done
	diff "$BATS_TEST_TMPDIR/absent" "$BATS_TEST_TMPDIR/shared"
	run -0 as carol mess-topic show orders
	refute_output --regexp 'subscription (shared|groups|mine)$'
	run -0 as carol mess-topic stat --json orders
	refute_output --regexp '"(shared|groups|mine)"'
	# A name of theirs is hers to use: that is another subscription, also where she may have all.
	run -0 as carol mess-sub -e -q -l -s shared orders
	assert_output $'1\n2'
	run -0 as carol mess-sub -e -q -l -s groups '**'
	assert_output $'1\n2'
	run -0 as carol mess-sub -e -l -s mine orders
	as carol mess-topic sub seek orders shared now
	as carol mess-topic sub rm orders shared

	as bob mess-sub --nack "$lease"
	for sub in shared groups mine; do
		assert_equal "$(as root mess-topic stat --json orders |
			jq --arg sub "$sub" '.[0].subscriptions[] | select(.name == $sub) | .pending')" 2
	done
	run -0 as bob mess-sub -n 2 -l -s shared orders
	assert_equal "$(sort <<<"$output")" $'1\n2'
	run -0 as bob mess-sub -e -l -s groups orders
	assert_output $'1\n2'
}
