#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: somebody else listens where clients look for the engine, and is
# handed their messages (containerd CVE-2020-15257).
# Defence: clients ask the kernel who listens before they send a byte
# (lib/base/sock.c); the engine makes no socket where others could take its
# name (bin/mess-deliverd.c).
# Asserted: mess-pub exits 77 and has sent nothing; mess-deliverd exits 78.

load attack

@test "attack: a socket that somebody else made hears nothing" {
	attack_start </dev/null
	install -d -m 1777 "$LAND/open"
	behind mallory socat -u "UNIX-LISTEN:$LAND/open/mess.sock,mode=666" "CREATE:$LAND/open/heard"
	wait_for "$MESS_PATIENCE" test -S "$LAND/open/mess.sock"

	run -77 as bob env MESS_SOCKET="$LAND/open/mess.sock" mess-pub -m secret orders
	wait_for "$MESS_PATIENCE" process_ended "$BEHIND"
	refute [ -s "$LAND/open/heard" ]

	# In the engine's own directory there is nothing for her.
	run ! as mallory rm -f "$SOCKET"
	run ! as mallory socat -u "UNIX-LISTEN:$LAND/run/other.sock" /dev/null
}

@test "attack: the engine does not listen where others could take its place" {
	attack_start </dev/null
	deliverd_stop
	chmod 1777 "$LAND/run"
	run -78 as mess timeout 5 mess-deliverd -c "$LAND/mess.conf"
	assert_output --partial 'may be written by others'
}
