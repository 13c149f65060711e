#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a descriptor of the spool's in a process that should have none.
# Defence: every descriptor is closed by exec (lib/base/), and the engine may
# not run anything (lib/base/sandbox.c).
# Asserted: each that the engine has open says so.

load attack

@test "attack: no descriptor of the engine's outlives an exec" {
	attack_start </dev/null
	as root mess-topic create orders
	as root mess-pub -m x orders
	behind root mess-sub -l orders >heard
	wait_for "$MESS_PATIENCE" grep -qx x heard
	local info n=0 flags
	for info in "/proc/$DELIVERD_PID/fdinfo"/*; do
		# Not what was open before it began.
		[[ $(readlink "${info/fdinfo/fd}") == @("$LAND"/*|anon_inode:*|socket:*) ]] || continue
		[ "${info##*/}" -gt 2 ] || continue
		flags=$(awk '/^flags:/ { print $2 }' "$info")
		[ $((0$flags & 02000000)) -ne 0 ] || fail "$(readlink "${info/fdinfo/fd}")"
		n=$((n + 1))
	done
	[ "$n" -gt 5 ]
}
