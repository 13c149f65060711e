#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: publishing or subscribing makes a topic, which nobody was asked for.
# Defence: in a system spool only CREATE creates (lib/request.c).
# Asserted: also who could create it gets "no such topic", and nothing is made.

load attack

@test "attack: no verb but CREATE makes a topic" {
	attack_start <<<'allow create,admin bob on **'
	spool_tree >before
	for topic in stock user.alice.inbox user.bob.inbox orders.dead; do
		printf '%s\n' "PUB $topic 0 1\\nx" "PUBS $topic 1 5\\n0 1\\nx" "STREAM $topic 0\\n1\\nx0\\n" \
			"SUB $topic default\\n" "TAIL $topic\\n" "PEEK $topic default\\n" "READ $topic 1 2\\n" \
			"SUBADD $topic mine 0\\n" "REDRIVE $topic 0\\n" "SET $topic 12\\nMax-Age: 60\\n" \
			"PURGE $topic\\n" "SEEK $topic default now\\n" "DELETE $topic\\n"
	done >requests
	for user in alice bob mallory; do
		each_hello $user <requests >answers
		assert_equal "$(wc -l <answers)" 52
		assert_lines answers '^ERR notopic '
		run -66 as $user mess-pub -m x stock
	done
	diff before <(spool_tree)
}
