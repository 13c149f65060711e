#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: signals and deadlines that arrive while the engine is in the middle
# of something (CVE-2024-6387).
# Defence: there are no handlers; signals come by a descriptor (lib/base/loop.c).
# Asserted: the engine catches none, and a storm of SIGHUP does it no harm.

load attack

@test "attack: no signal is caught" {
	attack_start <<<'allow publish bob on orders'
	as root mess-topic create orders
	local caught
	caught=$(awk '/^SigCgt:/ { print $2 }' "/proc/$DELIVERD_PID/status")
	# A sanitizer has its own for bus errors and the like; libc two for threads.
	has_sanitizer && caught=$(printf '%x' $((0x$caught & ~0x4d8)))
	assert_equal "$(printf '%x' $((0x$caught & ~0x180000000)))" 0

	for i in {1..300}; do
		kill -HUP "$DELIVERD_PID"
		[ $((i % 30)) -ne 0 ] || as bob mess-pub -m "$i" orders
	done
	assert_serves
	assert_equal "$(number orders published)" 10
}

