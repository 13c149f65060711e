#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-topic(1) peek and check: looking at single messages, and at a topic
# with a monitor's eyes.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

# sequences TOPIC ARGUMENT...: the numbers that peek shows.
sequences() {
	mess-topic peek --json "$@" | jq -r .seq | xargs
}

@test "peek: into a pipe a body is what was published, nothing added" {
	head -c 10000 /dev/urandom >body
	mess-pub orders <body
	printf 'no newline' | mess-pub orders

	mess-topic peek orders 1 | cmp - body
	assert_equal "$(mess-topic peek orders 2)" "no newline"
	mess-topic peek orders | cmp - <(cat body; printf 'no newline')
	mess-topic peek --records orders | payloads >peeked
	mess-sub -e --records orders | payloads | cmp - peeked
}

@test "peek: a large body too, in every form" {
	head -c 3000001 /dev/urandom >body
	mess-pub -H 'X-Kind: large' orders <body

	mess-topic peek orders | cmp - body
	mess-topic peek --raw orders 1 | cmp - body
	mess-topic peek --json orders | jq -r .body64 | base64 -d | cmp - body
	mess-topic peek --records orders | mess-pub --records copy
	mess-topic peek copy | cmp - body
	run -0 mess-topic peek --text orders
	assert_line --index 0 --regexp '^orders:1  20..-..-..T..:..:..Z \(.* ago\)  .*  2\.9M bytes$'
	assert_line '  X-Kind: large'
	assert_line '... and 2995905 bytes more'
}

@test "peek: a number, a range, -n and a header choose; nothing is taken" {
	deliverd_start
	for i in {1..9}; do
		printf '%s' "$i" | mess-pub -H "X-Odd: $((i % 2))" -H "X-Name: n$i" t
	done
	mess-sub -n 4 t >/dev/null
	mess-sub -e -s later t >/dev/null

	assert_equal "$(sequences t)" "5 6 7 8 9"
	assert_equal "$(sequences t -n 2)" "5 6"
	assert_equal "$(sequences t -s later)" ""
	assert_equal "$(sequences t 6)" "6"
	assert_equal "$(sequences t 6-8)" "6 7 8"
	assert_equal "$(sequences t 8-100)" "8 9"
	assert_equal "$(sequences t 6-9 -n 2)" "6 7"
	assert_equal "$(sequences t --header 'X-Odd=0')" "6 8"
	assert_equal "$(sequences t --header 'x-name=n[78]')" "7 8"
	assert_equal "$(sequences t --header 'X-Odd=1' -n 2)" "5 7"
	assert_equal "$(mess-sub -e -l t | xargs)" "5 6 7 8 9"
}

@test "peek: what is settled but present is found by its number" {
	deliverd_start
	mess-sub -e -s slow t
	seq 1 3 | mess-pub -l t
	mess-sub -e t >/dev/null

	assert_equal "$(sequences t)" ""
	assert_equal "$(mess-topic peek t 2)" 2
}

@test "peek: a number that is gone, or not there yet, is 66 and says so" {
	seq 1 5 | mess-pub -l t
	mess-sub -n 2 t >/dev/null

	run -66 --separate-stderr mess-topic peek t 1
	assert_one_error mess-topic
	[[ $stderr == *"the oldest kept is 3"* ]]
	run -66 --separate-stderr mess-topic peek t 6
	assert_one_error mess-topic
	[[ $stderr == *"the last is 5"* ]]
	run -66 --separate-stderr mess-topic peek nothing
	assert_one_error mess-topic
	run -0 mess-topic peek t 6-9
	assert_output ""
}

@test "peek: usage" {
	local words

	mess-pub -m x t
	for words in 't 0' 't 3-2' 't x' 't -n 0' 't --header X' 't --header =x' 't --json --raw' 't 1 2' \
		't 1 -s default'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr mess-topic peek $words
		[ "$status" -eq 64 ] || fail "$words: exit status $status, not 64"
		assert_one_error mess-topic
	done
}

@test "peek: --json has envelope, headers and body" {
	printf 'a"\n\xff' | mess-pub -H 'X-One: 1' -H 'X-Two: a' -H 'x-two: b' t
	printf 'text' | mess-pub t

	mess-topic peek --json t 1 | jq -e --argjson uid "$(id -u)" --arg user "$(id -un)" '
		.topic == "t" and .seq == 1 and .uid == $uid and .user == $user and .gid >= 0 and .pid >= 0 and
		(.time | test("^20..-..-..T..:..:..\\.[0-9]{9}Z$")) and
		.headers == {"X-One": "1", "X-Two": ["a", "b"]} and .body64 == "YSIK/w==" and (has("body") | not)'
	mess-topic peek --json t 2 | jq -e '.body == "text" and .headers == {}'
}

@test "peek: on a terminal a body is escaped, has a heading and shows its beginning" {
	printf 'a\033[31mred\007\n\303\244\nlast' | mess-pub -H 'X-Color: red' t
	head -c 5000 /dev/zero | tr '\0' x | mess-pub t

	run -0 script -qec 'TERM=dumb mess-topic peek t 1' /dev/null
	output=${output//$'\r'/}
	mapfile -t lines <<<"$output"
	assert_line --index 0 --regexp "^t:1  20..-..-..T..:..:..Z \(.* ago\)  $(id -un)  [0-9]+ bytes\$"
	assert_line '  X-Color: red'
	assert_line 'a^[[31mred\a'
	assert_line 'ä'
	assert_line 'last'
	refute_output --partial $'\033'
	run -0 mess-topic peek --text t 2
	assert_line '... and 904 bytes more'
	run -0 mess-topic peek -v --text t 2
	refute_output --partial more
	run -0 script -qec 'TERM=dumb mess-topic peek --raw t 1' /dev/null
	assert_output --partial $'\033[31m'
}

@test "check: 0, 1, 2 by the limits, one line with what was measured" {
	deliverd_start
	seq 1 10 | mess-pub -l t

	run -0 --separate-stderr mess-topic check t
	assert_equal "$stderr" ""
	assert_output --regexp '^MESS OK: t: depth 10, age [0-9]+s, dead 0 \| depth=10;;;0 age=[0-9]+s;;;0 dead=0;;;0$'
	run -0 mess-topic check t --depth 10,20 --age 1h,2h --dead 0,1
	assert_output --regexp '\| depth=10;10;20;0 age=[0-9]+s;3600;7200;0 dead=0;0;1;0$'
	run -1 --separate-stderr mess-topic check t --depth 9,10
	assert_output --partial 'MESS WARNING: t: depth 10 (limit 9)'
	assert_equal "$stderr" ""
	run -2 mess-topic check t --depth 5,9
	assert_output --partial 'MESS CRITICAL: t: depth 10 (limit 9)'
	run -2 mess-topic check t --depth ,9
	run -1 mess-topic check t --depth 9,
	# The worst of them counts.
	run -2 mess-topic check t --depth 9,10 --dead 0,0 --depth 1,2
	sleep_until_old
	run -1 mess-topic check t --age 1,1h
	assert_output --partial 'MESS WARNING: t: depth 10, age '
}

@test "check: --age is that of the oldest message that is not settled, whatever --keep keeps" {
	mess-topic create t --keep 1h
	mess-sub -e -s slow t
	mess-pub -m old t
	mess-sub -e t >/dev/null
	sleep_until_old
	run -2 mess-topic check t --age 1,1

	mess-sub -e -s slow t >/dev/null

	assert_equal "$(stat_of t present)" 1
	run -0 mess-topic check t --age 1,1
	assert_output --partial "age 0s"
	mess-pub -m new t
	run -0 mess-topic check t --age 1,1
}

# The topic's oldest message is more than 1 s old.
sleep_until_old() {
	wait_for "$MESS_PATIENCE" is_old
}

is_old() {
	[ "$(mess-topic stat --json t | jq '.[0].oldest_age > 1.5')" = true ]
}

@test "check: whatever is wrong with the question is 3" {
	run -3 --separate-stderr mess-topic check nothing
	assert_output 'MESS UNKNOWN: nothing: no such topic'
	run -3 --separate-stderr mess-topic --socket "$PWD/none" check t
	[[ $output == 'MESS UNKNOWN: t: '* ]]
	mess-pub -m x t
	for words in '' 't --depth' 't --depth 5' 't --depth 6,5' 't --depth x,5' 't --age 5,x' 't --bogus' 't u' \
		't --json'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr mess-topic check $words
		[ "$status" -eq 3 ] || fail "check $words: exit status $status, not 3"
		assert_equal "$(wc -l <<<"$stderr")" 1
	done
}
