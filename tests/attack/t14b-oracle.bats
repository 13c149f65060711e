#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: telling by an error whether a topic exists.
# Defence: one answer, after the same work, for what is not there and what one
# may not see (lib/request_access.c).
# Asserted: every verb says the same of both, also to who mistypes a name.

load attack

@test "attack: what one may not see is as if it were not there" {
	attack_start <<<'allow publish mallory on open'
	as root mess-topic create there1
	as root mess-topic create open
	as root mess-topic sub add there1 named
	for topic in there1 there2; do
		printf '%s\n' "PUB $topic 0 1\\nx" "PUBS $topic 1 5\\n0 1\\nx" "STREAM $topic 0\\n1\\nx0\\n" \
			"SUB $topic default\\n" "TAIL $topic\\n" "PEEK $topic named\\n" "READ $topic 1 2\\n" \
			"SUBADD $topic mine 0\\n" "SUBRM $topic named\\n" "SEEK $topic default now\\n" \
			"RELEASE $topic named\\n" "REDRIVE $topic 0\\n" "SET $topic 12\\nMax-Age: 60\\n" \
			"PURGE $topic\\n" "DELETE $topic\\n" "SHOW $topic\\n" "STAT $topic\\n" "CREATE $topic\\n" \
			"CHECK $topic publish mallory\\n" "CHECK $topic create root\\n" "CHECK $topic admin nobody-here\\n" \
			"SETTLE ack $topic named 1 0123456789abcdef 0\\n" "SUB $topic named\\nACK $topic 1\\n" \
			"SHOW ${topic}x\\n" "LIST $topic\\n" | each_hello mallory >"$topic"
	done
	assert_equal "$(wc -l <there1)" 25
	diff there1 there2
	run ! grep -q there there1
}
