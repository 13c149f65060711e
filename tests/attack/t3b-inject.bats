#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a line of one's own in what the engine keeps by lines: headers, a
# topic's file, a reply (OpenSMTPD CVE-2020-8794).
# Defence: texts are UTF-8 without control characters (lib/record.c); lengths
# delimit, nothing is searched for.
# Asserted: of all bytes in a header, an id and a description those that could
# end a line are refused; what was taken is read again as it was, also after a
# restart.

load attack

@test "attack: no text is a line of its own" {
	attack_start <<<'allow publish bob on orders'
	as root mess-topic create orders
	local byte
	for ((byte = 0; byte < 256; byte++)); do
		printf 'PUB orders 7 1\\nX: a\\x%02xc\\nb\n' "$byte"
		printf 'PUB orders 18 1\\nMess-Ask-Id: a\\x%02xcd\\nb\n' "$byte"
	done | each_hello bob >answers
	[ "$(grep -c '^OK' answers)" -eq $((2 * 95)) ]
	[ "$(grep -cE '^ERR baddata ' answers)" -eq $((2 * 161)) ]

	for ((byte = 0; byte < 32; byte++)); do
		printf 'SET orders 19\\nDescribe: a\\x%02xadmin *\\n\n' "$byte"
	done | each_hello root >answers
	[ "$(grep -cE '^ERR ' answers)" -eq 32 ]
	as root mess-topic set orders --describe 'admin * #~'

	deliverd_stop
	users_engine
	run -0 as root mess-topic show orders
	assert_line 'describe admin * #~'
	refute_line --regexp '^admin'
	as root mess-sub -e --json orders >all
	assert_equal "$(jq -r '.headers.X // empty' all | grep -c '^a.c$')" 95
}
