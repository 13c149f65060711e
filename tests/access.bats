#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Who may what: rights by mess.conf and by a topic's list, for real users.

load helper
load users

teardown() {
	users_stop
	mess_teardown
}

@test "access: nobody may anything with a topic that is not theirs" {
	users_start </dev/null
	as root mess-topic create orders
	as root mess-pub -m x orders

	for user in alice bob carol mallory; do
		run -66 as "$user" mess-pub -m y orders
		assert_output 'mess-pub: orders: no such topic'
		run -66 as "$user" mess-sub -e orders
		run -66 as "$user" mess-topic show orders
		run -66 as "$user" mess-topic stat orders
		run -66 as "$user" mess-topic purge --yes orders
		run -66 as "$user" mess-topic delete --yes orders
		run -66 as "$user" mess-topic grant orders publish "$user"
		run -0 as "$user" mess-topic list
		assert_output ""
		run -77 as "$user" mess-topic create invoices
	done
	run -0 as root mess-sub -e orders
	assert_output x
}

@test "access: create --publish --subscribe --admin: each gets that and no more" {
	users_start </dev/null
	as root mess-topic create orders --publish @shop --subscribe @analytics --admin alice

	as bob mess-pub -m one orders
	run -77 as carol mess-pub -m y orders
	assert_output 'mess-pub: orders: permission denied: publish needs one of @shop'
	run -66 as mallory mess-pub -m y orders

	run -77 as bob mess-sub -e orders
	assert_output 'mess-sub: orders: permission denied: subscribe needs one of @analytics'
	run -77 as bob mess-topic stat orders
	run -0 as carol mess-sub -e orders
	assert_output one

	run -77 as bob mess-topic set orders --keep 1h
	run -77 as carol mess-topic purge --yes orders
	as alice mess-pub -m two orders
	as alice mess-topic set orders --keep 1h
	run -0 as alice mess-sub -e orders
	assert_output two
	run -0 as bob mess-topic show orders
	assert_line 'publish @shop'
	assert_line 'admin alice'
	refute_output --partial subscription
	run -0 as bob mess-topic list
	assert_output orders
}

@test "access: grant and revoke, which also ends what is going on" {
	users_start </dev/null
	as root mess-topic create orders
	as root mess-topic grant orders publish,subscribe bob,@analytics
	run -0 as root mess-topic show orders
	assert_line 'publish @analytics,bob'
	assert_line 'subscribe @analytics,bob'

	as bob mess-pub -m 1 orders
	become carol
	"${AS[@]}" mess-sub -l orders >heard 2>said 3>&- &
	local carol=$!
	wait_for "$MESS_PATIENCE" grep -qx 1 heard
	as root mess-topic revoke orders subscribe @analytics
	wait_for "$MESS_PATIENCE" process_ended "$carol"
	run -77 wait "$carol"
	as bob mess-pub -m 2 orders
	assert_equal "$(cat heard)" 1
	run -0 as bob mess-sub -e orders
	assert_output 2
	as root mess-topic revoke orders publish,subscribe '@analytics,bob'
	run -66 as bob mess-pub -m 3 orders
	run -0 as root mess-topic show orders
	refute_output --partial publish
}

@test "access: what is granted to a user or group that there is not is refused whole" {
	users_start </dev/null
	as root mess-topic create orders
	for who in nobody-here @nobody-here bob,@nobody-here '' 'bob,,carol' '@' 'key:' 'key:A b' '**' 'a=1'; do
		run -64 as root mess-topic grant orders publish "$who"
	done
	run -64 as root mess-topic grant orders create bob
	run -64 as root mess-topic grant orders read bob
	run -0 as root mess-topic show orders
	refute_output --partial publish
}

@test "access: a site's rules come before the topic's list, the most specific first, deny before allow" {
	users_start <<-E
	allow publish,subscribe @shop on orders.**
	deny publish bob on orders.eu
	allow publish bob on orders.us.*
	deny publish bob on orders.us.*
	E
	for topic in orders.eu orders.us.ny orders.uk; do
		as root mess-topic create "$topic"
		as root mess-topic grant "$topic" publish bob,carol
	done

	run -77 as bob mess-pub -m x orders.eu
	run -77 as bob mess-pub -m x orders.us.ny
	as bob mess-pub -m x orders.uk
	as carol mess-pub -m x orders.eu

	run -1 as root mess-topic check orders.eu --user bob publish
	assert_output 'bob may not publish: mess.conf line 4: deny publish bob on orders.eu'
	run -0 as root mess-topic check orders.uk --user=bob subscribe
	assert_output 'bob may subscribe: mess.conf line 3: allow publish,subscribe @shop on orders.**'
	run -0 as root mess-topic check orders.eu --user carol publish
	assert_output "carol may publish: the topic's list: carol"
	run -1 as root mess-topic check orders.eu --user carol admin
	assert_output "carol may not admin: neither mess.conf nor the topic's list allows it"
	run -0 as root mess-topic check orders.eu --user root admin
	run -0 as bob mess-topic check orders.uk --user bob subscribe
	run -66 as mallory mess-topic check orders.uk --user bob subscribe
	run -66 as mallory mess-topic check orders.uk --user mallory subscribe
	run -66 as bob mess-topic check orders.uk --user carol publish
	run -65 as root mess-topic check orders.uk --user nobody-here publish
}

@test "access: a reload is in force at once, for live sessions too" {
	users_start <<-E
	allow publish bob on orders
	allow subscribe carol on **
	E
	as root mess-topic create orders
	become carol
	"${AS[@]}" mess-sub -l '**' >heard 2>said 3>&- &
	local carol=$!
	mkfifo in
	become bob
	"${AS[@]}" mess-pub -l orders <in 2>bobsaid 3>&- &
	local bob=$!
	exec 7>in
	echo 1 >&7
	wait_for "$MESS_PATIENCE" grep -qx 1 heard

	users_rules <<-E
	allow subscribe carol on nothing
	E
	echo 2 >&7
	wait_for "$MESS_PATIENCE" process_ended "$bob"
	exec 7>&-
	run wait "$bob"
	[[ $status -eq 66 || $status -eq 77 ]]
	as root mess-pub -m 3 orders
	run -0 as root mess-sub -e orders
	assert_output 3
	run -0 as root mess-topic stat --json orders
	assert_equal "$(jq '.[0].published' <<<"$output")" 2
	assert_equal "$(cat heard)" 1
	kill -TERM "$carol" 2>/dev/null || :
	wait "$carol" || :
}

@test "access: rules that are malformed, empty, or others may write are refused whole" {
	users_start <<-E
	allow publish bob on orders
	E
	as root mess-topic create orders
	for rule in 'allow publish nobody-here on orders' 'allow publsh bob on orders' 'deny publish bob' \
		'allow publish bob on Orders' 'frobnicate'; do
		users_write_rules <<<"$rule"
		: >"$DELIVERD_LOG"
		kill -HUP "$DELIVERD_PID"
		wait_for "$MESS_PATIENCE" grep -q 'stays$' "$DELIVERD_LOG"
		as bob mess-pub -m x orders
		run -78 as mess mess-deliverd -t -c "$LAND/mess.conf"
	done
	: >"$LAND/mess.conf"
	: >"$DELIVERD_LOG"
	kill -HUP "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" grep -q 'stays$' "$DELIVERD_LOG"
	as bob mess-pub -m x orders

	users_write_rules <<<'deny publish bob on orders'
	chmod 666 "$LAND/mess.conf"
	: >"$DELIVERD_LOG"
	kill -HUP "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" grep -q 'stays$' "$DELIVERD_LOG"
	as bob mess-pub -m x orders
	run -78 as mess mess-deliverd -t -c "$LAND/mess.conf"
	assert_output --partial 'others than its owner may write it'
}

@test "access: admin WHO names administrators" {
	users_start <<-E
	admin @ops
	E
	as alice mess-topic create orders
	as alice mess-pub -m x orders
	as root mess-topic create invoices
	run -0 as alice mess-topic list
	assert_output $'invoices\nmess.audit\norders'
	run -77 as bob mess-topic create stock
	users_rules </dev/null
	run -77 as alice mess-topic create stock
	run -0 as alice mess-topic list
	assert_output orders
}

@test "access: users make topics below their own name, others by the right to create" {
	users_start <<-E
	allow create @shop on shop.**
	E
	as alice mess-topic create user.alice.inbox
	as bob mess-topic create shop.orders
	run -77 as alice mess-topic create shop.orders
	run -77 as alice mess-topic create user.bob.inbox
	run -73 as bob mess-topic create shop.orders
	run -77 as bob mess-topic create shop
	run -64 as bob mess-topic create mess.shop
	as alice mess-topic grant user.alice.inbox publish '*'
	as mallory mess-pub -m hello user.alice.inbox
	run -0 as alice mess-sub -e user.alice.inbox
	assert_output hello
}

followers_are() {
	as root mess-topic stat "$1" | grep -qx "consumers $2"
}

@test "access: dead letters are for who administers what they were sent to" {
	users_start </dev/null
	as root mess-topic create orders --publish bob --subscribe carol --admin alice
	as bob mess-pub -m x orders
	run -123 as carol mess-sub -e orders -- sh -c 'exit 65'

	run -0 as alice mess-topic peek orders.dead
	assert_output x
	for user in bob carol mallory; do
		run -66 as "$user" mess-topic peek orders.dead
		run as "$user" mess-topic redrive orders
		run -66 as "$user" mess-pub -m y orders.dead
	done
	run -0 as alice mess-topic peek orders.dead
	assert_output x
	as alice mess-topic redrive orders
	run -0 as carol mess-sub -e orders
	assert_output x
}

@test "access: a pattern gives what may be had, now and later" {
	users_start </dev/null
	for i in 1 2 3 4; do
		as root mess-topic create "t.$i"
		as root mess-pub -m "$i" "t.$i"
	done
	as root mess-topic grant t.2 subscribe carol
	become carol
	"${AS[@]}" mess-sub -l 't.*' >heard 2>/dev/null 3>&- &
	local carol=$!
	wait_for "$MESS_PATIENCE" grep -qx 2 heard
	as root mess-topic grant t.4 subscribe carol
	wait_for "$MESS_PATIENCE" grep -qx 4 heard
	as root mess-topic create t.5 --subscribe carol
	as root mess-pub -m 5 t.5
	wait_for "$MESS_PATIENCE" grep -qx 5 heard
	as root mess-topic revoke t.2 subscribe carol
	as root mess-pub -m 22 t.2
	as root mess-pub -m 44 t.4
	wait_for "$MESS_PATIENCE" grep -qx 44 heard
	assert_equal "$(xargs <heard)" "2 4 5 44"
	kill -TERM "$carol"
	wait "$carol"
}

@test "access: who may not subscribe any more is told, and ends with 77, or 66 where nothing is to be seen" {
	local bob carol status=0

	users_start </dev/null
	as root mess-topic create t --publish bob --subscribe bob,carol
	become bob
	"${AS[@]}" mess-sub t 2>said.bob 3>&- &
	bob=$!
	become carol
	"${AS[@]}" mess-sub t 2>said.carol 3>&- &
	carol=$!
	wait_for "$MESS_PATIENCE" followers_are t 2

	as root mess-topic revoke t subscribe bob,carol

	wait_for "$MESS_PATIENCE" process_ended "$bob"
	wait "$bob" || status=$?
	assert_equal "$status" 77
	wait_for "$MESS_PATIENCE" process_ended "$carol"
	wait "$carol" || status=$?
	assert_equal "$status" 66
	assert_equal "$(cat said.bob said.carol)" "mess-sub: t: it may not be subscribed to any more
mess-sub: t: it may not be subscribed to any more"
}

@test "access: an owner's uid that was given to somebody new carries nothing over" {
	users_start </dev/null
	as alice mess-topic create user.alice.inbox --publish bob
	as bob mess-pub -m secret user.alice.inbox
	as root mess-topic create orders --subscribe alice
	as root mess-pub -m secret orders

	users_rename alice eve
	kill -HUP "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" grep -q 'read again' "$DELIVERD_LOG"
	run -66 as eve mess-sub -e user.alice.inbox
	run -66 as eve mess-topic delete --yes user.alice.inbox
	run -66 as eve mess-sub -e orders
	run -66 as bob mess-pub -m more user.alice.inbox
	run -0 as root mess-sub -e user.alice.inbox
	assert_output secret
	run -1 as root mess-topic check user.alice.inbox --user bob publish
	assert_output --partial frozen
}

# --- subscriptions --------------------------------------------------------------

@test "access: -s NAME is one's own, and said once; default is the topic's" {
	users_start </dev/null
	as root mess-topic create orders --subscribe bob,carol
	as root mess-pub -l orders <<<$'1\n2'

	run -0 --separate-stderr as bob mess-sub -e -l -s audit orders
	assert_output $'1\n2'
	assert_equal "$stderr" 'mess-sub: orders: subscription audit is made, your own'
	run -0 --separate-stderr as bob mess-sub -e -l -s audit orders
	assert_output ""
	assert_equal "$stderr" ""
	# The same name is somebody else's too, and takes nothing from them.
	run -0 as carol mess-sub -e -q -l -s audit orders
	assert_output $'1\n2'

	# What is the topic's is shared.
	run -0 as bob mess-sub -n 1 orders
	assert_output 1
	run -0 as carol mess-sub -e orders
	assert_output 2
	run -0 as bob mess-topic sub list orders
	assert_output --partial bob/audit
	refute_output --partial carol
	run -0 as root mess-topic sub list orders
	assert_output --partial bob/audit
	assert_output --partial carol/audit
	run -0 as carol mess-topic show orders
	refute_output --partial bob/
}

@test "access: a shared subscription is for who is named, of those who may subscribe, and the topic's administrators" {
	users_start <<<'deny subscribe mallory on orders'
	as root mess-topic create orders --subscribe bob,carol,@analytics --admin alice
	as alice mess-topic sub add --share @shop,mallory orders nightly
	as root mess-pub -l orders <<<$'1\n2\n3\n4'

	run -0 as bob mess-sub -n 1 -s nightly orders
	assert_output 1
	run -0 as alice mess-sub -n 1 -s nightly orders
	assert_output 2
	run -66 as mallory mess-sub -e -s nightly orders
	# To others it is not there: theirs is another.
	run -0 --separate-stderr as carol mess-sub -n 1 -s nightly orders
	assert_output 1
	assert_regex "$stderr" 'nightly.* is made'
	run -0 as carol mess-topic sub list orders
	assert_output $'carol/nightly\ndefault'
	as carol mess-topic sub rm orders nightly
	run -66 as carol mess-topic sub rm orders nightly
	run -66 as carol mess-topic sub seek orders nightly now
	run -66 as carol mess-topic sub release orders nightly
	run -66 as carol mess-topic redrive -s nightly orders
	# Who is named takes from it; it is the topic's.
	run -77 as bob mess-topic sub rm orders nightly
	run -0 as bob mess-topic sub list --json orders
	run -0 jq -r '.[] | select(.name == "nightly") | .share' <<<"$output"
	assert_output @shop,mallory

	users_engine_again
	run -0 as bob mess-sub -e -l -s nightly orders
	assert_output $'3\n4'
	run -0 --separate-stderr as carol mess-sub -n 1 -s nightly orders
	assert_output 1
	as alice mess-topic sub rm orders nightly
	run -66 as bob mess-topic sub rm orders nightly
}

@test "access: who shares a subscription is a list of names that exist, once, and no longer than there is room for" {
	users_start </dev/null
	as root mess-topic create orders --subscribe bob
	run -64 as root mess-topic sub add --share nobody-here orders x
	assert_output 'mess-topic: orders: x: Share: nobody-here: no such user'
	run -64 as root mess-topic sub add --share '' orders x
	run -64 as root mess-topic sub add --share "$(yes bob,alice, | head -n 33 | tr -d '\n')bob" orders x
	run -64 as root mess-topic set --share bob orders
	run says root $'SUBADD orders x 22\nShare: bob\nShare: bob'
	assert_output 'ERR usage Share: once'
	run says root $'SUB orders x 11\nShare: bob'
	assert_output 'ERR usage Share: no such option'
	run says bob $'SUBADD orders x 11\nShare: bob'
	assert_output --partial 'ERR denied'
	run -0 as root mess-topic sub list orders
	assert_output default
}

@test "access: who loses a right on a topic leaves the subscription that it was for" {
	local alice

	users_start </dev/null
	as root mess-topic create orders --subscribe alice,bob,carol --admin alice
	as root mess-topic sub add --share bob orders nightly
	as carol mess-sub -e -q -s mine orders
	for sub in nightly carol/mine; do
		as root mess-topic grant orders admin alice
		become alice
		"${AS[@]}" mess-sub -s "$sub" orders >heard 2>&1 3>&- &
		alice=$!
		wait_for "$MESS_PATIENCE" consumers_are orders 1
		# It may still subscribe, and it was an administrator's.
		as root mess-topic revoke orders admin alice
		wait_for "$MESS_PATIENCE" consumers_are orders 0
		kill "$alice" 2>/dev/null || :
		wait "$alice" || :
	done
}

# consumers_are TOPIC N: of its subscriptions that are there, but for those of who is cut off.
consumers_are() {
	[ "$(as root mess-topic stat --json "$1" |
		jq '[.[0].subscriptions[] | select(.name == "nightly" or .name == "carol/mine") | .consumers] | add')" = "$2" ]
}

@test "access: what is another's subscription is taken, moved and removed by its owner and the topic's administrators" {
	users_start </dev/null
	as root mess-topic create orders --subscribe bob,carol --admin alice
	as bob mess-sub -e -q -s mine orders
	as root mess-topic sub add orders shared
	as root mess-pub -l orders <<<$'1\n2'

	for verb in rm release; do
		run -66 as carol mess-topic sub "$verb" orders bob/mine
		run -66 as mallory mess-topic sub "$verb" orders bob/mine
		run -77 as carol mess-topic sub "$verb" orders shared
		run -66 as carol mess-topic sub "$verb" orders mine
	done
	run -66 as carol mess-topic sub seek orders bob/mine now
	run -77 as carol mess-topic sub seek orders shared now
	run -77 as bob mess-topic sub seek orders default now
	run -77 as bob mess-topic sub add orders more
	run -66 as carol mess-sub -e -s bob/mine orders
	run -66 as carol mess-sub -e -s nobody-here/mine orders

	as bob mess-topic sub seek orders mine 2
	run -0 as alice mess-sub -e -s bob/mine orders
	assert_output 2
	as alice mess-topic sub seek orders bob/mine 1
	run -0 as bob mess-sub -e -l -s mine orders
	assert_output $'1\n2'
	as bob mess-topic sub rm orders mine
	run -66 as alice mess-topic sub rm orders bob/mine
	as alice mess-topic sub rm orders shared
}

@test "access: own subscriptions survive a restart and a crash" {
	users_start </dev/null
	as root mess-topic create orders --subscribe bob
	as root mess-pub -l orders < <(seq 4)
	run -0 as bob mess-sub -n 1 -q -s mine orders
	assert_output 1
	deliverd_stop
	users_engine
	run -0 as bob mess-sub -n 1 -q -s mine orders
	assert_output 2
	deliverd_kill
	users_engine
	run -0 as bob mess-sub -e -l -s mine orders
	assert_output $'3\n4'
	deliverd_stop
	run -0 as mess mess-topic --spool "$LAND/spool" fsck
}

@test "access: a lease by time is its holder's, in a subscription of their own too" {
	users_start </dev/null
	as root mess-topic create orders --subscribe bob,carol
	as root mess-pub -m x orders
	lease=$(as bob mess-sub --reserve -s mine -q orders | jq -r .lease)
	run -66 as carol mess-sub --ack "$lease"
	as bob mess-sub --ack "$lease"
	run -66 as bob mess-sub --ack "$lease"
}

@test "access: a user brings back what their own subscription gave up, and nothing else" {
	users_start </dev/null
	as root mess-topic create orders --subscribe bob,carol
	as root mess-pub -m x orders
	run -123 as bob mess-sub -e -q -s mine orders -- sh -c 'exit 65'
	run -123 as carol mess-sub -e -q -s mine orders -- sh -c 'exit 65'
	run -123 as carol mess-sub -e orders -- sh -c 'exit 65'

	run -0 as bob mess-topic redrive -v orders
	run -0 as bob mess-sub -e -s mine orders
	assert_output x
	run -0 as carol mess-sub -e -s mine orders
	assert_output ""
	run -77 as carol mess-topic redrive -s default orders
	run -66 as bob mess-topic redrive -s carol/mine orders
	as root mess-topic redrive -s carol/mine orders
	run -0 as carol mess-sub -e -s mine orders
	assert_output x
	run -0 as carol mess-sub -e orders
	assert_output ""
}
