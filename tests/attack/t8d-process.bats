#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: messages are read out of the engine's memory: by a debugger, a core
# dump, another process of its user's.
# Defence: the engine is not dumpable and leaves no core (lib/base/sandbox.c).
# Asserted: neither its own user nor another can trace it, read its memory or
# take a descriptor from it; its core limit is 0.

load attack

@test "attack: the engine's memory is nobody's" {
	attack_start </dev/null
	for user in mess mallory; do
		# A sanitizer has to trace its own process.
		if [ "$user" = mallory ] || ! has_sanitizer; then
			run -0 as $user attack spy "$DELIVERD_PID"
			refute_output
		fi
	done
	run -0 grep '^Max core file size' "/proc/$DELIVERD_PID/limits"
	assert_output --regexp '^Max core file size +0 +0 '
	assert_serves
}
