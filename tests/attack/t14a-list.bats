#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: asking which topics there are, how much is in them, and who reads.
# Defence: a name is shown to whoever has a right on it, counts to subscribers
# and administrators, who granted what to those who see the topic, and others'
# subscriptions to administrators (lib/request_look.c).
# Asserted: for each user, what list, stat, show and sub list say.

load attack

@test "attack: only what one may see is listed" {
	attack_start </dev/null
	for topic in orders stock news; do
		as root mess-topic create $topic
		as root mess-pub -m x $topic
	done
	as root mess-topic grant orders publish bob
	as root mess-topic grant stock subscribe bob,carol
	as root mess-topic grant news admin alice
	as carol mess-sub -e -q -s hers stock

	run -0 as mallory mess-topic list
	refute_output
	run -0 as bob mess-topic list
	assert_output $'orders\nstock'
	run -0 as alice mess-topic list
	assert_output news
	run -0 each_hello bob <<<'STAT *\n'
	assert_output --partial 'topic stock'
	refute_output --partial orders
	refute_output --partial news
	refute_output --partial hers
	run -77 as bob mess-topic stat orders
	run -0 as bob mess-topic show orders
	refute_output --partial 'subscription '
	run -0 as bob mess-topic sub list stock
	refute_output --partial hers
	run -0 each_hello mallory <<<$'LIST ** new\\n\nLIST stock\\n\nLIST *\\n\nSTAT * news\\n'
	assert_equal "$(sort -u <<<"$output")" 'OK 0 0\n'
}
