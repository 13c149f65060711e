#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: mallory connects, and makes a program of root's write to that
# connection (CVE-2014-0181).  The other way about, root connects and then
# becomes somebody else: that keeps root's rights, which mess-security(7) says.
# Defence: who a caller is, is asked once, of the connection (lib/auth.c), never
# of the process that has it now.
# Asserted: what root writes on mallory's connection has mallory's rights.

load attack

# lent FROM TO LINE...: one connects, the other speaks; what was answered.
lent() {
	local from=$1 to=$2

	shift 2
	rm -f lent
	behind root attack lend "$SOCKET" "$from" "$to" "$DELIVERD_PID" < <(printf '%s\n' 'HELLO 1' "$@") >lent
	wait_for "$MESS_PATIENCE" grep -q said lent
	kill -CONT "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" process_ended "$BEHIND"
	sed -n 's/^OK mess 1 [a-z]* [0-9]*\\n//p' lent
}

@test "attack: a connection has the rights of who made it" {
	attack_start </dev/null
	as root mess-topic create orders
	run -0 lent 6104 0 'DELETE orders' 'CREATE stock'
	assert_output --regexp '^ERR notopic .*\\nERR denied '
	run -0 lent 0 6104 'CREATE stock'
	assert_output 'OK\n'
	run -0 as root mess-topic list
	assert_output $'mess.audit\norders\nstock'
}
