#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a name that looks like another: capitals, Cyrillic letters, a dash of
# another kind; 0 for o, 1 for l, a letter twice.
# Defence: names are lower-case ASCII; who makes one that looks like a topic that
# they can see is told of it (lib/names.c, lib/request_topic.c).
# Asserted: none of the first kind can be made, by nobody; of the second all are
# told, of what may be seen, and of nothing else.

load attack

@test "attack: no name looks like another" {
	attack_start </dev/null
	as root mess-topic create orders
	for name in Orders ORDERS ordеrs оrders 'orders​' ordérs оrdеrs 'or-ders‐eu' ｏrders 'orders '; do
		run -64 as root mess-topic create "$name"
		run -64 as root mess-pub -m x "$name"
		run -64 as root mess-sub -e "$name"
	done
	run -0 as root mess-topic list
	assert_output $'mess.audit\norders'
}

@test "attack: a name that may be taken for another is told of, if that may be seen" {
	attack_start <<<'allow create alice,bob on **'
	as root mess-topic create orders.intake --publish alice
	for name in 0rders.intake orders-intake orders.1ntake orders.lntake orders.inntake ordres.intake orders.intak; do
		run -0 --separate-stderr as alice mess-topic create "$name"
		refute_output
		assert_regex "$stderr" "^mess-topic: $name is made; it looks like [a-z0-9.-]*, which is another topic$"
		as root mess-topic delete --yes "$name"
		# Bob may not know that there is one.
		run -0 --separate-stderr as bob mess-topic create "x$name"
		refute_output
		assert_equal "$stderr" ''
		as root mess-topic delete --yes "x$name"
	done
	run -0 as bob mess-topic create order.intake
	refute_output
	run -0 as alice mess-topic create -q 0rders.intake
	refute_output
	run -0 as alice mess-topic create orders.intake2
	refute_output
	run -0 as alice mess-topic create invoices
	refute_output
	as root mess-topic delete --yes 0rders.intake
	run -0 says root 'CREATE 0rder.intake' 'CREATE stock'
	assert_output $'OK alike order.intake\nOK'
}
