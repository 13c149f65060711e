#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: what is stored goes on being sent after the right to it is gone (NATS
# 2026-26).
# Defence: a change of rules looks at every consumer again (lib/request_access.c,
# lib/delivery.c).
# Asserted: of a backlog that is under way what the sockets hold arrives, the
# rest does not.

load attack

@test "attack: a right that is revoked in the middle of a backlog" {
	attack_start </dev/null
	as root mess-topic create orders --subscribe carol
	yes "$(printf 'x%.0s' {1..9000})" | head -n 2000 | as root mess-pub -l orders
	mkfifo in out
	for kind in 'SUB orders default' 'READ orders 1 2000'; do
		exec 7<>in 8<>out
		behind carol socat -t 1 - "UNIX-CONNECT:$SOCKET" <in >out
		printf 'HELLO 1\n%s\nTAKE 2000\n' "$kind" >&7
		# The rest is not read yet: the engine has sent what there is room for.
		read -r -t 10 <&8
		as root mess-topic revoke orders subscribe carol
		run -66 as carol mess-sub -e orders
		cat <out >heard 7>&- 8>&- 3>&- &
		exec 7>&- 8>&-
		wait_for "$MESS_PATIENCE" process_ended $!
		run -0 grep -c '^mess1 ' heard
		[ "$output" -gt 0 ]
		[ "$output" -lt 1000 ]
		as root mess-topic grant orders subscribe carol
	done
	assert_serves
}
