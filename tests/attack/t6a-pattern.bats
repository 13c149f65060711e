#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a pattern takes in topics that are forbidden by name.
# Defence: a pattern is looked at topic by topic, now and for each that is made
# (lib/request_consume.c).
# Asserted: of many topics only the permitted ones are heard.

load attack

@test "attack: a pattern gives no topic that is forbidden" {
	attack_start <<-E
	allow subscribe carol on open.**
	deny subscribe carol on open.secret.*
	E
	for i in {1..10}; do
		printf '%s\\n\n' "CREATE open.t$i" "CREATE shut.t$i" "CREATE open.secret.t$i"
	done | each_hello root >made
	assert_equal "$(grep -c '^OK' made)" 30
	for i in {1..10}; do
		printf '%s\n' "PUB open.t$i 0 4\\nopen" "PUB shut.t$i 0 6\\nsecret" "PUB open.secret.t$i 0 6\\nsecret"
	done | each_hello root >said

	for request in 'SUB ** mine' 'TAIL **' 'SUB open.** mine' 'SUB open.*.* mine' 'SUB *.t1 mine'; do
		printf '%s\n' "$request"
	done >patterns
	sed 's/$/\\nTAKE 1000 now\\n/' patterns | each_hello carol >heard
	assert_equal "$(wc -l <heard)" 5
	grep -q open heard
	run ! grep -qE 'secret|shut' heard

	# Those that are made later, too.
	behind carol mess-sub -l '**' >heard
	as root mess-topic create shut.later
	as root mess-topic create open.secret.later
	as root mess-pub -m secret shut.later
	as root mess-pub -m secret open.secret.later
	as root mess-topic create open.later
	as root mess-pub -m last open.later
	wait_for "$MESS_PATIENCE" grep -qx last heard
	run ! grep -q secret heard
}
