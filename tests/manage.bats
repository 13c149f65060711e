#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-topic(1) sub, redrive, wait, and what keeps a hand from slipping.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

pending() {
	mess-topic sub list --json "$1" | jq ".[] | select(.name == \"$2\") | .pending"
}

taken() {
	[ "$(grep -ac '^mess1 ' said)" -ge "$1" ]
}

# bury TOPIC SEQ...: a consumer of default takes all up to the last and declares these dead.
bury() {
	local topic=$1 options seq feed talker

	shift
	mkfifo feed
	talk <feed >said 3>&- &
	talker=$!
	exec {feed}>feed
	printf 'HELLO 1\nSUB %s default\nTAKE %d\n' "$topic" "${*: -1}" >&"$feed"
	wait_for "$MESS_PATIENCE" taken "${*: -1}"
	for seq; do
		options=$(printf 'Reason: exit status 65\nStatus: 65\nStderr: no such user %s\\nbye\n.' "$seq")
		options=${options%.}
		printf 'DEAD %s %s %d\n%s' "$topic" "$seq" "${#options}" "$options" >&"$feed"
	done
	exec {feed}>&-
	wait "$talker"
	rm feed
	run ! grep -a '^ERR' said
}

dead_of() {
	mess-topic stat --json "$1" | jq '.[0].dead'
}

@test "sub: add, list and rm" {
	deliverd_start
	seq 1 10 | mess-pub -l t

	run -0 --separate-stderr mess-topic sub add t all
	assert_equal "$output$stderr" ""
	mess-topic sub add t fresh now
	mess-topic sub add t third 4
	mess-topic sub add t tail -3
	mess-topic sub add t old 2001-01-01T00:00:00Z
	mess-topic sub add t future 2999-01-01T00:00:00Z
	mess-topic sub add t red --match 'X-Color=red'

	assert_equal "$(mess-topic sub list t | xargs)" "all fresh future old red tail third"
	assert_equal "$(pending t all) $(pending t fresh) $(pending t third) $(pending t tail)" "10 0 7 3"
	assert_equal "$(pending t old) $(pending t future)" "10 0"
	mess-topic sub list --json t | jq -e --arg user "$(id -un)" '
		(.[] | select(.name == "red") | .match) == "X-Color=red" and all(.owner == $user)'
	mess-pub -m no t
	mess-pub -H 'X-Color: red' -m yes t
	assert_equal "$(mess-sub -e -l -s fresh t | xargs)" "no yes"
	assert_equal "$(mess-sub -e -l -s red t)" yes

	run -73 --separate-stderr mess-topic sub add t all
	assert_one_error mess-topic
	mess-topic sub rm t all
	refute_line_of "$(mess-topic sub list t)" all
	run -66 --separate-stderr mess-topic sub rm t all
	assert_one_error mess-topic
	run -66 --separate-stderr mess-topic sub list nothing
	assert_one_error mess-topic
}

# refute_line_of TEXT LINE
refute_line_of() {
	! grep -qxF "$2" <<<"$1"
}

@test "sub: seek goes forth, skipping, and back, bringing all again" {
	deliverd_start
	mess-topic create t
	mess-topic sub add t slow
	mess-topic sub add t fast
	seq 1 10 | mess-pub -l t

	mess-sub -n 5 -s fast t >/dev/null
	mess-topic sub seek t fast 8
	assert_equal "$(mess-sub -e -l -s fast t | xargs)" "8 9 10"
	mess-topic sub seek t fast oldest
	assert_equal "$(mess-sub -e -l -s fast t | xargs)" "$(seq 1 10 | xargs)"
	mess-topic sub seek t fast -2
	assert_equal "$(mess-sub -e -l -s fast t | xargs)" "9 10"
	mess-topic sub seek t slow now
	assert_equal "$(pending t slow)" 0
	assert_equal "$(mess-topic stat --json t | jq '.[0].subscriptions[] | select(.name == "fast") | .start < 1')" true
	run -66 --separate-stderr mess-topic sub seek t none now
	assert_one_error mess-topic
	assert_equal "$stderr" "mess-topic: t: none: no such subscription"
}

@test "sub: a number that was not given yet is behind the last message, and that is said" {
	deliverd_start
	seq 1 10 | mess-pub -l t

	run -0 --separate-stderr mess-topic sub add t a 2026
	assert_equal "$stderr" "mess-topic: t: there is no message 2026; the last is 10, and a is behind it"
	run -0 --separate-stderr mess-topic sub seek t a 12
	assert_equal "$stderr" "mess-topic: t: there is no message 12; the last is 10, and a is behind it"
	for position in 11 5 now -3 2026-01-01; do
		run -0 --separate-stderr mess-topic sub seek t a "$position"
		assert_equal "$stderr" ""
	done
}

@test "errors: without an engine they name what does not answer, not a verb that was not given" {
	for verb in verify fsck stat list; do
		run -69 --separate-stderr mess-topic --socket "$PWD/nowhere" "$verb"
		assert_equal "$stderr" "mess-topic: $PWD/nowhere: no mess-deliverd answers"
	done
}

@test "sub: release frees what a consumer holds, and another gets it" {
	local feed talker

	deliverd_start
	seq 1 3 | mess-pub -l t
	mkfifo feed
	talk <feed >said 3>&- &
	talker=$!
	exec {feed}>feed
	printf 'HELLO 1\nSUB t default\nTAKE 3\n' >&"$feed"
	wait_for "$MESS_PATIENCE" taken 3
	assert_equal "$(mess-sub -e -l t)" ""

	run -0 --separate-stderr mess-topic -v sub release t default
	assert_equal "$output" ""
	[[ $stderr == 'mess-topic: t: default: 3 released' ]]
	assert_equal "$(mess-sub -e -l t | xargs)" "1 2 3"
	exec {feed}>&-
	wait "$talker"
}

@test "sub: usage" {
	local words

	mess-pub -m x t
	for words in '' 'frob t' 'list' 'add t' 'rm t' 'seek t' 'seek t s' 'seek t s yesterday' 'seek t s 1 2' 'list t s' \
		'add t s --json' 'add t s --match x' 'rm t s 5' 'release t s -5' 'add t S'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr mess-topic sub $words
		[ "$status" -eq 64 ] || fail "sub $words: exit status $status, not 64"
		assert_one_error mess-topic
	done
	run -64 --separate-stderr mess-topic stat t -5
	assert_one_error mess-topic
}

@test "redrive: all, by number, by range, by header" {
	local i

	deliverd_start
	for i in {1..6}; do
		printf '%s' "$i" | mess-pub -H "X-Odd: $((i % 2))" mailout
	done
	bury mailout 1 2 3 4 5 6
	assert_equal "$(dead_of mailout)" 6
	run -0 mess-topic wait mailout --empty -W 0

	run -0 --separate-stderr mess-topic redrive mailout 2
	assert_equal "$output$stderr" ""
	assert_equal "$(mess-sub -e -l mailout)" 2
	run -0 --separate-stderr mess-topic -v redrive mailout.dead 4-9 --header 'X-Odd=0'
	[[ $stderr == "mess-topic: mailout: 2 redriven" ]]
	assert_equal "$(mess-sub -e -l mailout | xargs)" "4 6"
	run -66 --separate-stderr mess-topic redrive mailout 2
	assert_one_error mess-topic
	run -0 mess-topic redrive mailout -s other
	assert_equal "$(dead_of mailout)" 3
	run -0 --separate-stderr mess-topic redrive mailout
	assert_equal "$(mess-sub -e -l mailout | xargs)" "1 3 5"
	assert_equal "$(dead_of mailout)" 0
}

@test "redrive: letters of a subscription that was removed stay, with a line about what to do, and 66" {
	deliverd_start
	mess-topic create mailout
	mess-topic sub add mailout nightly
	printf '%s\n' 1 2 | mess-pub -l mailout
	bury mailout 1
	run -123 mess-sub -e -q -s nightly mailout -- sh -c 'exit 65'
	mess-topic sub rm mailout nightly

	run -66 --separate-stderr mess-topic redrive mailout

	assert_one_error mess-topic
	assert_equal "$stderr" "mess-topic: mailout: 2 letters stay in mailout.dead: subscription nightly does not exist: make it again (mess-topic sub add mailout nightly now) and redrive"
	assert_equal "$(dead_of mailout)" 2
	assert_equal "$(mess-sub -e -l mailout | xargs)" "2 1"
	run -66 --separate-stderr mess-topic redrive -s nightly mailout.dead 2
	[[ $stderr == "mess-topic: mailout: 1 letter stays in mailout.dead: "* ]]
	run -0 --separate-stderr mess-topic redrive -s default mailout
	assert_equal "$stderr" ""
	# What the line says is what to do.
	mess-topic sub add mailout nightly now
	run -0 --separate-stderr mess-topic redrive mailout
	assert_equal "$stderr" ""
	assert_equal "$(mess-sub -e -l -s nightly mailout | xargs)" "1 2"
	assert_equal "$(dead_of mailout)" 0
}

@test "peek: a dead letter tells why it is dead, what the handler said, and where it was" {
	deliverd_start
	printf 'To: nobody\n\nHello' | mess-pub -H 'X-Mail: 1' mailout
	bury mailout 1

	run -0 mess-topic peek --text mailout.dead
	assert_line --index 0 --regexp '^mailout.dead:1  20'
	assert_line '  reason        exit status 65'
	assert_line '  status        65'
	assert_line --regexp '^  attempts      1$'
	assert_line '  subscription  default'
	assert_line '  stderr        no such user 1'
	assert_line '                bye'
	assert_line --regexp "^  original      mailout:1, published 20..-..-..T..:..:..Z by uid $(id -u)\$"
	assert_line '  X-Mail: 1'
	assert_line 'Hello'
	refute_output --partial Mess-
	run -2 mess-topic check mailout --dead ,0
	assert_output --partial 'dead 1 (limit 0)'
	mess-topic peek --json mailout.dead | jq -e '.headers | .["Mess-Dead-Reason"] == "exit status 65" and
		.["Mess-Original-Seq"] == "1" and .["X-Mail"] == "1"'
}

@test "wait: --empty ends when all is settled, with 124 when the time is over before" {
	deliverd_start
	seq 1 3 | mess-pub -l t
	mess-topic sub add t other

	run -124 --separate-stderr mess-topic wait t --empty -W 1s
	assert_equal "$output$stderr" ""
	mess-sub -e t >/dev/null
	run -124 mess-topic wait t --empty -W 0
	mess-topic wait t --empty -W 1m &
	waiter=$!
	mess-sub -e -s other t >/dev/null
	wait "$waiter"
	run -0 mess-topic wait t --empty
	run -66 --separate-stderr mess-topic wait nothing --empty
	assert_one_error mess-topic
	run -64 --separate-stderr mess-topic wait t
	assert_one_error mess-topic
	run -64 --separate-stderr mess-topic wait t --empty -W soon
	assert_one_error mess-topic
}

@test "wait: what is leased is not settled; a topic without subscriptions is empty when nothing is there" {
	local feed talker

	deliverd_start
	mess-pub -m x t
	run -124 mess-topic wait t --empty -W 0
	mkfifo feed
	talk <feed >said 3>&- &
	talker=$!
	exec {feed}>feed
	printf 'HELLO 1\nSUB t default\nTAKE 1\n' >&"$feed"
	wait_for "$MESS_PATIENCE" taken 1
	run -124 mess-topic wait t --empty -W 0
	printf 'ACK t 1\n' >&"$feed"
	run -0 mess-topic wait t --empty -W 20
	exec {feed}>&-
	wait "$talker"
	mess-topic create none
	run -0 mess-topic wait none --empty -W 0
}

@test "delete and sub rm: --dry-run says what would go; at a terminal they want --yes" {
	seq 1 3 | mess-pub -l t
	mess-topic sub add t one
	mess-topic sub add t two

	run -0 --separate-stderr mess-topic delete --dry-run t
	assert_equal "$output" "would delete t: 3 messages, 2 subscriptions (one, two)"
	run -0 --separate-stderr mess-topic sub rm --dry-run t one
	assert_equal "$output" "would remove one of t: 3 pending"
	run -66 --separate-stderr mess-topic sub rm --dry-run t three
	assert_one_error mess-topic
	run -66 --separate-stderr mess-topic delete --dry-run nothing
	assert_one_error mess-topic
	assert_equal "$(mess-topic sub list t | xargs)" "one two"

	run -64 script -qec 'mess-topic delete t' /dev/null
	assert_output --partial -- '--yes'
	assert_equal "$(mess-topic list)" t
	run -0 script -qec 'mess-topic delete --yes t' /dev/null
	assert_equal "$(mess-topic list)" ""
}
