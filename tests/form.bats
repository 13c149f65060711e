#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-sub(1): what is written of a message, and of several topics.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's words; each test is a subshell; run sets $stderr
load helper

follow() {
	mess-sub "$@" </dev/null >out 2>said 3>&- &
	FOLLOWER=$!
}

follower_ends() {
	wait_for "$MESS_PATIENCE" process_ended "$FOLLOWER" || return
	wait "$FOLLOWER"
}

has_lines() {
	[ "$(wc -l <"$1")" -eq "$2" ]
}

consumers_are() {
	[ "$(stat_of "$1" consumers "${3:-default}")" = "$2" ]
}

# --- JSON ---------------------------------------------------------------------

@test "form: --json has these keys, in this order, on one line" {
	mess-pub -H 'X-Color: red' -H 'Lang: en' -H 'X-Color: blue' -m $'a "quoted"\n\tline' t

	run -0 mess-sub -e --json -s nightly t
	assert_equal "${#lines[@]}" 1
	jq -e . <<<"$output" >/dev/null
	assert_equal "$(jq -c keys_unsorted <<<"$output")" \
		'["topic","seq","time","uid","gid","pid","user","attempt","subscription","headers","body"]'
	assert_equal "$(jq -c '[.topic, .seq, .uid, .gid, .user, .attempt, .subscription, .headers, .body]' <<<"$output")" \
		"[\"t\",1,$(id -u),$(id -g),\"$(id -un)\",1,\"nightly\",{\"X-Color\":[\"red\",\"blue\"],\"Lang\":\"en\"},\"a \\\"quoted\\\"\\n\\tline\"]"
	# A time that others read, to the nanosecond.
	assert_regex "$(jq -r .time <<<"$output")" '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z$'
	assert [ $(($(date +%s) - $(date -d "$(jq -r .time <<<"$output")" +%s))) -lt 60 ]
}

@test "form: --json has body64 where the body is not UTF-8, and not both" {
	head -c 1000 /dev/urandom >random
	printf '\377' >>random
	mess-pub t <random
	mess-pub -m 'grün €' t
	printf 'nul\0in it' | mess-pub t
	: | mess-pub t

	mess-sub -e --json t >out
	assert_equal "$(wc -l <out)" 4
	sed -n 1p out | jq -e 'has("body") | not'
	sed -n 1p out | jq -r .body64 | base64 -d | cmp - random
	assert_equal "$(sed -n 2p out | jq -r .body)" "grün €"
	sed -n 3p out | jq -j .body | cmp - <(printf 'nul\0in it')
	assert_equal "$(sed -n 4p out | jq -c '[.body, has("body64")]')" '["",false]'
}

@test "form: --json of a body above 256 KiB is body64, whatever its length" {
	local n

	for n in 262144 262145 300000 1000001 1000002 1000003; do
		head -c "$n" /dev/zero | tr '\0' x | mess-pub t
	done

	mess-sub -e --json t >out
	assert_equal "$(wc -l <out)" 6
	assert_equal "$(jq -c '[has("body"), has("body64")]' out | uniq -c | awk '{ print $1, $2 }')" \
		$'1 [true,false]\n5 [false,true]'
	k=1
	for n in 262145 300000 1000001 1000002 1000003; do
		k=$((k + 1))
		sed -n "${k}p" out | jq -r .body64 | base64 -d | cmp - <(head -c "$n" /dev/zero | tr '\0' x)
	done
}

@test "form: --json of --tail has no subscription: null" {
	deliverd_start
	follow --tail --json -n 1 t
	wait_for "$MESS_PATIENCE" publish_until_ended
	assert_equal "$(jq -c '[.subscription, .attempt]' out)" '[null,1]'
}

publish_until_ended() {
	mess-pub -m new t
	process_ended "$FOLLOWER"
}

# --- -F -----------------------------------------------------------------------

@test "form: -F writes what it says" {
	mess-pub -H 'X-Color: red' -H 'x-color: blue' -m hello t

	run -0 mess-sub --peek -F '%t|%s|%u|%U|%a|%h{X-Color}|%h{None}|%b|%%|\t|\\|\n' t
	assert_output "$(printf 't|1|%d|%s|1|red\nblue||hello|%%|\t|\\|' "$(id -u)" "$(id -un)")"
	mess-sub --peek -F '%b\0' t | cmp - <(printf 'hello\0')
	assert_equal "$(mess-sub --peek -F %T t)" "$(mess-sub --peek --json t | jq -r .time)"
}

@test "form: -F of a large body has what is around it" {
	head -c 1000000 /dev/urandom >body
	mess-pub -H 'L: en' t <body
	mess-pub -m small t

	mess-sub -e -F '<%s %h{L} %b %t %s>\n' t >out

	{ printf '<1 en '; cat body; printf ' t 1>\n<2  small t 2>\n'; } | cmp - out
	mess-pub t <body
	run -0 mess-sub -e -F '%s\n' t
	assert_output 3
}

# --- a terminal ---------------------------------------------------------------

@test "form: on a terminal -F and --json give it nothing to obey; --raw does" {
	deliverd_start
	printf 'a\033[31mb' | mess-pub -H 'X: plain' t

	socat -t 5 EXEC:"mess-sub --peek -F '%b.\n' t",pty,raw - </dev/null >shown
	assert_equal "$(<shown)" "a^[[31mb."
	socat -t 5 EXEC:"mess-sub --peek --json t",pty,raw - </dev/null >shown
	run ! grep -q "$(printf '\033')" shown
	assert_equal "$(jq -r .body shown)" "$(printf 'a\033[31mb')"
	socat -t 5 EXEC:"mess-sub --peek --raw -F '%b' t",pty,raw - </dev/null >shown
	printf 'a\033[31mb' | cmp - shown
}

# --- several topics -----------------------------------------------------------

@test "form: several topics and patterns, each message once, acked in its topic" {
	seq 1 100 | mess-pub -l orders
	seq 1 100 | mess-pub -l logs.a
	seq 1 100 | mess-pub -l logs.b
	mess-pub -m no logs.x.y

	mess-sub -e -F '%t %s %b\n' 'logs.*' orders >out

	{
		for t in orders logs.a logs.b; do
			for i in {1..100}; do echo "$t $i $i"; done
		done
	} | sort | cmp - <(sort out)
	for t in orders logs.a logs.b; do
		pending_is "$t" 0
		grep "^$t " out | awk '{ print $2 }' | sort -n -c
	done
	run -0 mess-sub -e logs.x.y
	assert_output no
}

@test "form: topics that are named twice, or match twice, come once" {
	mess-pub -m x logs.a

	run -0 mess-sub -e -l logs.a 'logs.*' logs.a
	assert_output x
	pending_is logs.a 0
}

@test "form: -n counts over all topics" {
	seq 1 5 | mess-pub -l one
	seq 1 5 | mess-pub -l two

	run -0 mess-sub -n 7 -l one two
	assert_equal "${#lines[@]}" 7
	assert_equal $(($(stat_of one pending default) + $(stat_of two pending default))) 3
}

@test "form: a topic that matches later joins while it follows" {
	deliverd_start
	mess-pub -m first logs.a
	follow -F '%t %b\n' 'logs.*'
	wait_for "$MESS_PATIENCE" has_lines out 1

	mess-pub -m second logs.b
	wait_for "$MESS_PATIENCE" has_lines out 2
	kill -TERM "$FOLLOWER"
	follower_ends

	assert_equal "$(<out)" $'logs.a first\nlogs.b second'
	pending_is logs.b 0
}

@test "form: a plain name is made in a personal spool, a pattern makes nothing" {
	run -0 mess-sub -e orders 'logs.*'

	run -0 mess-topic list
	assert_output orders
}

@test "form: several topics follow across a restart of the engine" {
	deliverd_start
	follow --socket "$MESS_SPOOL/.sock" -F '%t %b\n' one 'two.*'
	wait_for "$MESS_PATIENCE" consumers_are one 1
	mess-pub -m a one
	mess-pub -m b two.x
	wait_for "$MESS_PATIENCE" has_lines out 2
	wait_for "$MESS_PATIENCE" pending_is one 0
	wait_for "$MESS_PATIENCE" pending_is two.x 0

	deliverd_kill
	deliverd_start
	mess-pub -m c two.x
	mess-pub -m d one
	mess-pub -m e two.y
	wait_for "$MESS_PATIENCE" has_lines out 5 || { cat out said; mess-topic stat; false; }
	kill -TERM "$FOLLOWER"
	follower_ends

	assert_equal "$(sort out)" $'one a\none d\ntwo.x b\ntwo.x c\ntwo.y e'
}

@test "form: --tail of several topics" {
	deliverd_start
	mess-sub -e one
	mess-sub -e two
	follow --tail -F '%t\n' one two
	wait_for "$MESS_PATIENCE" both_are_seen
	kill -TERM "$FOLLOWER"
	follower_ends
	run -0 mess-sub -e -s other 'one'
}

both_are_seen() {
	mess-pub -m x one
	mess-pub -m x two
	grep -qx one out && grep -qx two out
}

@test "form: --peek of several topics shows one after the other, a pattern's by name" {
	mess-pub -m 3 orders
	mess-pub -m 1 logs.a
	mess-pub -m 2 logs.b

	run -0 mess-sub --peek -l 'logs.*' orders
	assert_output $'1\n2\n3'
	run -0 mess-sub --peek -n 2 -l orders 'logs.*'
	assert_output $'3\n1'
	# Nothing was taken, and no subscription made.
	run -0 mess-topic show orders
	refute_output --partial subscription
}

# --- where a subscription begins ------------------------------------------------

@test "form: --from begins a new subscription there, and only a new one" {
	mess-sub -e -s keeper t
	seq 1 10 | mess-pub -l t

	run -0 mess-sub -e -l -s a --from 8 t
	assert_output $'8\n9\n10'
	run -0 mess-sub -e -l -s b --from -2 t
	assert_output $'9\n10'
	run -0 mess-sub -e -l -s c --from now t
	assert_output ""
	run -0 mess-sub -e -l -s d --from oldest t
	assert_equal "${#lines[@]}" 10
	run -0 mess-sub -e -l -s c --from oldest t
	assert_output ""
	when=$(mess-sub --peek -s keeper -F '%s %T\n' t | awk '$1 == 6 { print $2 }')
	run -0 mess-sub -e -s f --from "$when" -F '%T\n' t
	assert_equal "${lines[0]}" "$when"
}

@test "form: --match gets what has such a header, and counts the others as skipped" {
	mess-sub -e -s keeper t
	mess-pub -H 'Kind: urgent' -m 1 t
	mess-pub -H 'Kind: later' -m 2 t
	mess-pub -m 3 t
	mess-pub -H 'kind: urgently' -m 4 t

	run -0 mess-sub -e -l -s hot --match 'Kind=urgent*' t
	assert_output $'1\n4'
	assert_equal "$(stat_of t skipped hot)" 2
	assert_equal "$(stat_of t pending hot)" 0
}

# --- words ----------------------------------------------------------------------

@test "form: options and topics may be mixed; POSIXLY_CORRECT ends options at the first topic" {
	mess-pub -m x t
	mess-pub -m y u

	run -0 mess-sub t -e -l u -s s
	assert_equal "$(sort <<<"$output")" $'x\ny'
	run -64 env POSIXLY_CORRECT=1 mess-sub -e t -l
	# What all had settled is gone.
	mess-pub -m x t
	mess-pub -m y u
	run -0 env POSIXLY_CORRECT=1 mess-sub -e t u -- cat -u
	assert_equal "$(fold -w 1 <<<"$output" | sort)" $'x\ny'
}
