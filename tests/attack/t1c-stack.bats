#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: what is nested, or matched against many things, until the stack or
# the time is used up (D-Bus CVE-2010-4352).
# Defence: nothing in the protocol is nested, names have 7 labels, and how far
# a name is from another is looked at for three edits only (lib/names.c).
# Asserted: an engine with 128 KiB of stack answers all of it, soon.

load attack

@test "attack: what is nested or matched is bounded" {
	attack_start <<<'allow create,admin bob on **'
	as mess prlimit --pid "$DELIVERD_PID" --stack=131072:131072
	local far near dots
	far=$(printf '%0.sab' {1..30})
	near=$(printf '%0.sba' {1..30})
	dots=$(printf '%0.sa.' {1..2000})
	for i in 1 2 3; do
		as bob mess-topic create "$far.$far.$i"
	done
	as bob mess-pub -H "X: $(printf '%0.sa' {1..4000})" -m x "$far.$far.1"

	SECONDS=0
	run -0 each_hello bob <<-E
	SHOW $near.$near.1\n
	SHOW ${dots}a\n
	LIST *.*.*.*.*.*.**\n
	LIST ${dots}**\n
	SUB ** mine\n
	ACK $far.$far.1 $(printf '1-%d ' {1..400} | sed 's/ $//')\n
	$(printf '{%.0s' {1..4000})\n
	E
	assert_equal "$(wc -l <<<"$output")" 7
	assert_equal "$(grep -c '^ERR ' <<<"$output")" 5
	[ "$SECONDS" -le 5 ]

	# A pattern whose stars could each stand for anything.
	run -0 as bob timeout 10 mess-sub -e -q -s bomb --match "X=$(printf '*a%.0s' {1..200})*b" "$far.$far.1"
	refute_output
	assert_serves
}
