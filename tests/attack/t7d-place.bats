#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: the file of a subscription's place is changed, or half written, so
# that it passes over what was never delivered.
# Defence: a place has a sum over all of it (lib/place.c).
# Asserted: such a place is said to be damaged, and begins again.

load attack

@test "attack: a place that does not check moves nothing" {
	attack_start </dev/null
	as root mess-topic create orders
	as root mess-pub -l orders <<<$'1\n2\n3'
	deliverd_stop
	# The first number that is not settled, at byte 24: 4 where it was 1.
	printf '\004' | dd of="$LAND/spool/orders/sub/default" bs=1 seek=24 conv=notrunc status=none
	users_engine
	run -0 as root mess-sub -e -l orders
	assert_output $'1\n2\n3'
	grep -q 'its place is damaged' "$DELIVERD_LOG"
	assert_serves
}
