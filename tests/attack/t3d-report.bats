#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a line of the engine's log is forged by a name with a newline.
# Defence: what is told is escaped, one line each (bin/cli.c).
# Asserted: the name of a file in new/ stays inside the line that tells of it.

load attack

@test "attack: no line of the log is forged" {
	attack_start </dev/null
	as root mess-topic create orders
	: >"$DELIVERD_LOG"
	local name=$'x\nmess-deliverd: all is well\033[2J.rec'
	echo nothing >"$LAND/spool/orders/tmp/x"
	chown 6100:6100 "$LAND/spool/orders/tmp/x"
	mv "$LAND/spool/orders/tmp/x" "$LAND/spool/orders/new/$name"
	wait_for "$MESS_PATIENCE" grep -q 'set aside' "$DELIVERD_LOG"
	run ! grep -q '^mess-deliverd: all is well' "$DELIVERD_LOG"
	run ! grep -qP '\x1b' "$DELIVERD_LOG"
	assert_serves
}
