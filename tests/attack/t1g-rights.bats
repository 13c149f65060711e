#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: descriptors are sent along, until the engine has no room for its own,
# or has one that hangs.
# Defence: SO_PASSRIGHTS is taken from the listener (lib/base/sock.c); before
# Linux 6.16 a plain recv lets the kernel close them.
# Asserted: the sender is refused, or else the engine has none more.

load attack

engine_fds() {
	find "/proc/$DELIVERD_PID/fd" -mindepth 1 | wc -l
}

@test "attack: descriptors that are sent do not arrive" {
	attack_start </dev/null
	local before
	before=$(engine_fds)
	behind mallory attack fds "$SOCKET" 100 </dev/null >sent
	wait_for "$MESS_PATIENCE" test -s sent
	[ "$(engine_fds)" -le $((before + 1)) ]
	if printf '6.16\n%s\n' "$(uname -r)" | sort -VC; then
		assert_equal "$(cat sent)" refused
	fi
	assert_serves
}
