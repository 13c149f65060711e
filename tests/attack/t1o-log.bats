#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: mallory fills the disk of the log, and drowns others' lines, with what is
# refused: many requests of each kind, on connection after connection.
# Defence: a bucket of lines for each uid and event; what does not fit is
# counted (lib/flood.c).
# Asserted: the log and mess.audit grow by little, written and suppressed lines
# together are exactly as many as were refused, and bob's is among them.

load attack

SENT=12000

@test "attack: a flood of refusals is counted, and does not fill the log" {
	attack_start </dev/null
	as root mess-topic create orders
	{
		yes 'SHOW orders\nDELETE orders\nPUB orders 0 0\nRESUME\nSUBRM orders x\nSEEK orders x now\nSET orders 0\n' |
			head -n $((SENT / 600)) | tr -d '\n'
	} >line
	for _ in {1..100}; do
		cat line
		echo
	done | each_hello mallory >answers
	assert_equal "$(grep -o 'ERR [a-z]*' answers | wc -l)" "$SENT"
	run -66 as bob mess-sub -e orders

	deliverd_stop
	users_engine
	as root mess-sub -e mess.audit >lines
	written=$(grep -cE '^event=(denied|refused) uid=6104 ' lines)
	suppressed=$(sed -n 's/^event=suppressed uid=6104 .*action=\(denied\|refused\) .* suppressed=//p' lines | paste -sd+ | bc)
	assert_equal $((written + suppressed)) "$SENT"
	[ "$written" -lt 2000 ] || fail "$written lines"
	[ "$(wc -c <lines)" -lt 524288 ] || fail "$(wc -c <lines) bytes"
	[ "$(wc -c <"$DELIVERD_LOG")" -lt 524288 ]
	run -0 grep -c '^event=denied uid=6102 .*object=orders' lines
	assert_output 1
	assert_serves
}
