#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Dead letters of a system spool: who administers a topic has all of them, and
# who has a subscription of their own what that gave up.

load helper
load users

teardown() {
	users_stop
	mess_teardown
}

# gives_up USER SUBSCRIPTION [TEXT]: that, or standard input, is published to orders for it alone, and dies there.
gives_up() {
	if [ $# -gt 2 ]; then
		as root mess-pub -H "For: $1" -m "$3" orders
	else
		as root mess-pub -H "For: $1" orders
	fi
	run -123 as "$1" mess-sub -e -q -s "$2" orders -- sh -c 'exit 65'
}

# subscribes USER: with a subscription of its own.
subscribes() {
	as "$1" mess-sub -e -q -s mine --match "For=$1" orders
}

@test "letters: the owner of a subscription looks at what that gave up, and at nothing else" {
	users_start </dev/null
	as root mess-topic create orders --subscribe bob,carol
	subscribes bob
	subscribes carol
	as root mess-topic sub add --match For=root orders ours
	run -66 as bob mess-topic peek orders.dead
	gives_up bob mine b1
	gives_up carol mine c1
	gives_up carol mine c2
	gives_up bob mine b2
	gives_up root ours d1
	head -c 400000 /dev/zero | tr '\0' B | gives_up bob mine

	run -0 as root mess-sub --peek -e -F '%s %h{Mess-Dead-Subscription}\n' orders.dead
	assert_output "$(cat <<-'E'
	1 6102.mine
	2 6103.mine
	3 6103.mine
	4 6102.mine
	5 ours
	6 6102.mine
	E
	)"
	run -0 as bob mess-sub --peek -e -F '%s\n' orders.dead
	assert_output $'1\n4\n6'
	run -0 as carol mess-topic peek orders.dead
	assert_output c1c2
	run -0 as bob mess-topic peek orders.dead 1-5
	assert_output b1b2
	run -0 as bob mess-topic peek orders.dead 4
	assert_output b2
	assert_equal "$(as bob mess-topic peek orders.dead 6 | wc -c)" 400000
	for n in 2 5; do
		run -66 as bob mess-topic peek orders.dead "$n"
		assert_output --partial "there is no message $n"
	done
	# What came back has gone from there.
	as bob mess-topic redrive orders 4
	run -0 as bob mess-sub --peek -e -F '%s\n' orders.dead
	assert_output $'1\n6'
	run -0 as carol mess-topic peek orders.dead
	assert_output c1c2
}

@test "letters: they are looked at, not taken; without a right, or a subscription, there are none" {
	users_start <<<'deny subscribe mallory on orders.dead'
	as root mess-topic create orders --subscribe alice,bob,carol,mallory
	for user in bob carol mallory; do
		subscribes "$user"
		gives_up "$user" mine "$user"
	done
	run -66 as bob mess-sub -e orders.dead
	run -66 as bob mess-sub -n 1 --tail orders.dead
	run -66 as bob mess-topic show orders.dead
	run -66 as bob mess-topic stat orders.dead
	run -66 as bob mess-topic purge --yes orders.dead
	run -66 as bob mess-pub -m x orders.dead
	run -66 as bob mess-topic sub list orders.dead
	run -0 as bob mess-topic list
	assert_output orders
	# Alice has none; a rule of the site comes first.
	run -66 as alice mess-topic peek orders.dead
	run -66 as mallory mess-topic peek orders.dead
	run -66 as bob mess-topic peek stock.dead

	as root mess-topic revoke orders subscribe bob
	run -66 as bob mess-topic peek orders.dead
	as carol mess-topic sub rm orders mine
	run -66 as carol mess-topic peek orders.dead
	run -0 as root mess-topic peek orders.dead
	assert_output bobcarolmallory
}

# sub_count KEY: of the topic's default subscription.
sub_count() {
	as root mess-topic stat --json orders | jq ".[0].subscriptions[] | select(.name == \"default\") | .$1"
}

@test "letters: a large body that cannot be read now waits, and is not called damaged" {
	users_start </dev/null
	as root mess-topic create orders
	head -c 400000 /dev/zero | as root mess-pub orders
	lease=$(as root mess-sub --reserve orders | jq -r .lease)
	chmod 000 "$LAND"/spool/orders/cur/*.body

	as root mess-sub --dead "$lease"
	assert_equal "$(sub_count dead) $(sub_count damaged) $(sub_count delayed)" '0 0 1'

	chmod 600 "$LAND"/spool/orders/cur/*.body
	as root mess-topic sub seek orders default oldest
	lease=$(as root mess-sub --reserve -W 30 orders | jq -r .lease)
	as root mess-sub --dead "$lease"
	assert_equal "$(sub_count dead) $(sub_count damaged)" '1 0'
	as root mess-topic peek orders.dead 1 | cmp - <(head -c 400000 /dev/zero)
}
