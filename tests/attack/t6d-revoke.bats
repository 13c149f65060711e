#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a session outlives its rights.
# Defence: every publish asks again when rules have changed
# (lib/request_publish.c); SIGHUP looks at every session (lib/engine.c).
# Asserted: an open publisher is refused after revoke, and after a reload; an
# open subscriber ends.

load attack

answered() {
	[ "$(wc -l <said)" -ge "$1" ]
}

@test "attack: an open connection loses its rights at once" {
	attack_start <<<'allow publish bob on stock'
	as root mess-topic create orders --publish bob --subscribe carol
	as root mess-topic create stock
	mkfifo in
	exec 7<>in
	behind bob socat -t 5 - "UNIX-CONNECT:$SOCKET" <in >said
	behind carol mess-sub -l orders >heard
	local carol=$BEHIND
	printf 'HELLO 1\nPUB orders 0 2\n1\n' >&7
	wait_for "$MESS_PATIENCE" grep -qx 1 heard
	as root mess-topic revoke orders publish bob
	as root mess-topic revoke orders subscribe carol
	printf 'PUB orders 0 2\n2\nRESUME\nPUB stock 0 2\n3\n' >&7
	wait_for "$MESS_PATIENCE" process_ended "$carol"
	wait_for "$MESS_PATIENCE" answered 5
	assert_equal "$(cut -d ' ' -f 1-2 said | tail -n 4)" $'OK 1\nERR notopic\nOK\nOK 1'
	assert_equal "$(number orders published)" 1

	users_rules </dev/null
	printf 'PUB stock 0 2\n4\n' >&7
	wait_for "$MESS_PATIENCE" answered 6
	[[ $(tail -n 1 said) == 'ERR notopic '* ]]
	assert_equal "$(number stock published)" 1
	exec 7>&-
}
