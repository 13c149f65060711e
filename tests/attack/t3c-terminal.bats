#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a message that commands the terminal of whoever looks at it, or an
# error that does.
# Defence: what goes to a terminal is escaped (bin/cli.c).
# Asserted: neither ESC nor BEL nor a C1 control reaches a terminal, by any
# tool that shows a message, nor one that complains.

load attack

@test "attack: a message does not command a terminal" {
	attack_start <<<'allow publish mallory on orders'
	as root mess-topic create orders
	local evil
	evil=$(printf 'a\033]0;owned\007\233\061m\302\233\062m\rz')
	as mallory mess-pub -m "$evil" orders

	become root
	for tool in 'mess-sub --peek orders' 'mess-sub -F %b --peek orders' 'mess-topic peek orders'; do
		socat -t 5 "EXEC:\"${AS[*]} $tool\",pty,raw" - </dev/null >shown
		grep -aq owned shown
		run ! env LC_ALL=C grep -aqP '[\x1b\x07\x9b]' shown
	done
	run as root mess-pub -m x "$evil"
	run ! env LC_ALL=C grep -aqP '[\x1b\x07\x9b]' <<<"$output"
	run as root mess-sub -e orders -- "$evil"
	run ! env LC_ALL=C grep -aqP '[\x1b\x07\x9b]' <<<"$output"
}
