#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Retention and limits: how much a topic takes, how long it keeps it, and
# the account of all that it ever took.

# shellcheck disable=SC2030,SC2031,SC2094,SC2154 # each test is a subshell; run sets $stderr
load helper

# account: of mess-topic stat's lines, every sum that does not hold.
account() {
	mess-topic stat | awk '
		function topic() {
			if (name == "")
				return
			if (t["published"] != t["present"] + t["settled"] + t["expired"] + t["purged"] + t["dropped"])
				print name ": published is not present and freed"
			if (t["first"] - 1 != t["settled"] + t["expired"] + t["purged"] + t["dropped"])
				print name ": first is not behind what was freed"
			if (t["present"] != t["published"] + 1 - t["first"])
				print name ": present is not from first on"
		}
		function sub_() {
			if (sub_name == "")
				return
			sum = s["acked"] + s["dead"] + s["expired"] + s["purged"] + s["dropped"] + s["damaged"] + s["skipped"]
			if (sum + s["leased"] + s["delayed"] + s["waiting"] != t["published"] + 1 - s["start"])
				print name ": " sub_name ": " sum + s["leased"] + s["delayed"] + s["waiting"] \
				    " numbers of " t["published"] + 1 - s["start"]
		}
		$1 == "topic" { sub_(); topic(); name = $2; sub_name = ""; delete t; next }
		$1 == "subscription" { sub_(); sub_name = $2; delete s; next }
		sub_name == "" { t[$1] = $2; next }
		{ s[$1] = $2 }
		END { sub_(); topic() }'
}

account_holds() {
	run -0 account
	assert_output ""
	run -0 mess-topic fsck
}

count_is() {
	[ "$(stat_of "$1" "$2")" = "$3" ]
}

leased_are() {
	[ "$(stat_of t leased default)" = "$1" ]
}

# The files of a topic's messages, in KiB of disk.
disk() {
	du -sk "$MESS_SPOOL/$1/cur" | cut -f1
}

disk_is_at_most() {
	[ "$(disk "$1")" -le "$2" ]
}

# --- settings -----------------------------------------------------------------

@test "keep: settings are there from the start, are changed one by one, and survive a kill" {
	deliverd_start
	mess-topic create t --max-age 2h --max-bytes 1M --max-messages 1000 --max-size 64K --keep 1d \
		--max-attempts 3 --full drop-oldest --describe 'orders of été'
	settings=$(mess-topic show t | sed -n '/^max-age/,$p')
	assert_equal "$settings" "$(printf '%s\n' 'max-age 7200' 'max-bytes 1048576' 'max-messages 1000' \
		'max-size 65536' 'keep 86400' 'max-attempts 3' 'full drop-oldest' 'describe orders of été')"

	mess-topic set t --max-age none --full reject --max-messages 5
	deliverd_kill
	deliverd_start

	run -0 mess-topic show t
	refute_line --regexp '^(max-age|full) '
	assert_line 'max-messages 5'
	assert_line 'keep 86400'
	count_is t max-messages 5
	count_is t full reject
}

@test "keep: settings that cannot be are refused by name, and change nothing" {
	local bad

	mess-topic create t --max-messages 7
	before=$(mess-topic show t)
	for bad in --max-bytes=10 --max-age=2000000000000 --full=x --max-attempts=65536 "--describe=$(printf 'a\001')" \
	    "--describe=$(printf '%0300d' 0)"; do
		run -64 --separate-stderr mess-topic set t --max-messages 9 "$bad"
		assert_one_error mess-topic
	done
	run -64 --separate-stderr mess-topic set t --full foo
	assert_equal "$stderr" "mess-topic: t: Full: reject or drop-oldest; not foo"
	for bad in --max-bytes=1x --max-age=-1 --max-messages=x --keep=; do
		run -64 --separate-stderr mess-topic create u "$bad"
		assert_one_error mess-topic
	done

	assert_equal "$(mess-topic show t)" "$before"
	assert_equal "$(mess-topic list)" t
	run -64 mess-topic set t
	run -66 mess-topic set nosuch --max-age 1
}

# --- how much -----------------------------------------------------------------

@test "keep: at max-messages a publisher is told 75, the limit and the value, until there is room" {
	mess-topic create t --max-messages 3
	for i in 1 2 3; do mess-pub -m "$i" t; done

	run -75 --separate-stderr mess-pub -m 4 t
	assert_one_error mess-pub
	[[ $stderr == *max-messages*3* ]]
	count_is t refused 1
	count_is t present 3

	mess-sub -n 1 t
	mess-pub -m 4 t
	assert_equal "$(mess-sub -e -l t | tr '\n' ' ')" "2 3 4 "
	account_holds
}

@test "keep: with drop-oldest exactly max-messages are kept, the last ones, and the rest is counted" {
	deliverd_start
	mess-topic create t --max-messages 10 --full drop-oldest
	mess-sub -e t

	seq 100 | mess-pub -l t
	mess-pub -m 101 t

	count_is t present 10
	count_is t dropped 91
	count_is t refused 0
	assert_equal "$(mess-sub -e -l t | tr '\n' ' ')" "92 93 94 95 96 97 98 99 100 101 "
	account_holds
	# Said once, not for each message.
	assert_equal "$(grep -c 'max-messages 10 is reached' "$DELIVERD_LOG")" 1
}

@test "keep: a body above max-size is 65, with limit and size, at once or in a stream" {
	mess-topic create t --max-size 1000
	head -c 1000 /dev/zero | mess-pub t

	run -65 --separate-stderr mess-pub t < <(head -c 1001 /dev/zero)
	assert_one_error mess-pub
	[[ $stderr == *1000*1001* ]]
	run -65 mess-pub t < <(head -c 1000000 /dev/zero)
	run -65 mess-pub -l t < <(head -c 1001 /dev/zero | tr '\0' x)
	count_is t present 1
}

# sampled LIMIT: what stat says of t's bytes while it is filled; the largest.
sampled() {
	local most=0 now

	while kill -0 "$1" 2>/dev/null; do
		now=$(stat_of t bytes)
		[ "$now" -le "$most" ] || most=$now
	done
	echo "$most"
}

@test "keep: max-bytes is not exceeded by more than a commit under load, and publishers are told" {
	deliverd_start
	mess-topic create t --max-bytes 2M
	(yes "$(printf '%0500d' 0)" | head -n 20000 | mess-pub -q -l t || echo $? >status) &
	most=$(sampled $!)

	assert_equal "$(cat status)" 75
	[ "$most" -le $((2 * 1024 * 1024)) ] || fail "$most bytes"
	[ "$(stat_of t bytes)" -gt $((1024 * 1024)) ]
	account_holds
}

@test "keep: with drop-oldest max-bytes holds under load, and the disk holds little more" {
	deliverd_start
	mess-topic create t --max-bytes 2M --full drop-oldest
	yes "$(printf '%0500d' 0)" | head -n 200000 | mess-pub -q -l t &
	most=$(sampled $!)
	wait $!

	# What one commit may bring, 4 MiB, was never seen on top.
	[ "$most" -le $((6 * 1024 * 1024)) ] || fail "$most bytes"
	[ "$(stat_of t bytes)" -le $((2 * 1024 * 1024)) ]
	[ "$(stat_of t present)" -gt 2000 ]
	count_is t published 200000
	account_holds
	wait_for "$MESS_PATIENCE" disk_is_at_most t 8192
}

@test "keep: large bodies count, and the oldest of them go one by one" {
	mess-topic create t --max-bytes 2M --full drop-oldest
	for i in 1 2 3 4 5; do
		head -c 600000 /dev/zero | mess-pub t
		[ "$(stat_of t bytes)" -le $((2 * 1024 * 1024)) ]
	done

	count_is t present 3
	count_is t dropped 2
	run -65 --separate-stderr mess-pub t < <(head -c 3000000 /dev/zero)
	[[ $stderr == *max-bytes*2097152* ]]
	count_is t present 3
	account_holds
}

# --- how long -----------------------------------------------------------------

@test "keep: max-age frees what is old, settled or not, and counts it" {
	deliverd_start
	mess-topic create t --max-age 1
	mess-topic sub add t slow
	mess-pub -m one t
	mess-sub -n 1 -s quick t
	seq 2 5 | mess-pub -l t

	wait_for "$MESS_PATIENCE" count_is t present 0
	count_is t expired 5
	[ "$(stat_of t acked quick)" = 1 ]
	[ "$(stat_of t expired quick)" = 4 ]
	account_holds
	mess-pub -m new t
	assert_equal "$(mess-sub -e -s quick t)" new
}

@test "keep: what grew old while no engine ran goes when the next one starts, unopened" {
	mess-topic create t --max-age 1
	seq 3 | mess-pub -l t
	end_processes
	wait_for 10 no_mess_processes
	sleep 1.1 # the age is what is waited for

	deliverd_start
	wait_for "$MESS_PATIENCE" test -z "$(find "$MESS_SPOOL/t/new" -type f)"
	wait_for "$MESS_PATIENCE" count_is t expired 3
	account_holds
}

@test "keep: what all have settled stays for the time of keep" {
	deliverd_start
	mess-topic create t --keep 2
	seq 3 | mess-pub -l t
	assert_equal "$(mess-sub -e -l t | wc -l)" 3

	count_is t present 3
	pending_is t 0
	assert_equal "$(mess-sub -e -s later -l t | wc -l)" 3
	wait_for "$MESS_PATIENCE" count_is t settled 3
	count_is t present 0
	account_holds
}

@test "keep: an age that is set later frees what is there" {
	deliverd_start
	seq 3 | mess-pub -l t
	sleep 1.1 # the age is what is waited for

	mess-topic set t --max-age 1

	wait_for "$MESS_PATIENCE" count_is t expired 3
}

# --- purge --------------------------------------------------------------------

@test "keep: purge of 1,000,000 messages returns at once, frees the disk, and counts them" {
	deliverd_start
	seq 1000000 | mess-pub -q -l t
	mess-sub -n 1 -s a t >/dev/null
	[ "$(disk t)" -gt 50000 ]

	SECONDS=0
	mess-topic purge --yes t
	[ "$SECONDS" -le 2 ] || has_sanitizer

	count_is t purged 999999 || count_is t purged 1000000
	count_is t present 0
	count_is t bytes 0
	[ "$(stat_of t purged a)" = 999999 ]
	pending_is t 0 a
	wait_for "$MESS_PATIENCE" disk_is_at_most t 256
	account_holds

	mess-pub -m again t
	deliverd_kill
	deliverd_start
	assert_equal "$(mess-sub -e -s a t)" again
	account_holds
}

@test "keep: purge --before frees what came before that time" {
	deliverd_start
	mess-pub -m old t
	when=$(date +@%s.%N)
	mess-pub -m new t

	run -0 mess-topic purge --dry-run --before "$when" t
	count_is t present 2
	mess-topic purge --yes --before "$when" t

	count_is t purged 1
	assert_equal "$(mess-sub -e t)" new
	account_holds
}

@test "keep: what a consumer holds of a purged topic is void, and its ack is no error" {
	deliverd_start
	seq 4 | mess-pub -l t
	mkfifo out in
	talk 60 <in >out &
	exec 4>in 5<out
	printf 'HELLO 1\nSUB t default\nTAKE 2\n' >&4
	wait_for "$MESS_PATIENCE" leased_are 2

	mess-topic purge --yes t
	count_is t purged 4
	leased_are 0
	printf 'ACK t 1-2\nCREATE u\n' >&4
	wait_for "$MESS_PATIENCE" published_is u 0
	exec 4>&-
	refute grep -a ERR <&5

	[ "$(stat_of t acked default)" = 0 ]
	[ "$(stat_of t purged default)" = 4 ]
	account_holds
}

@test "keep: a dead letter for which there is no room waits, and nothing is lost" {
	deliverd_start
	seq 3 | mess-pub -l t
	run -123 mess-sub -n 1 t -- sh -c 'exit 65'
	mess-topic set t.dead --max-messages 1

	run -123 mess-sub -n 1 t -- sh -c 'exit 65'

	count_is t.dead present 1
	[ "$(stat_of t dead default)" = 1 ]
	[ "$(stat_of t delayed default)" = 1 ]
	account_holds
	mess-topic set t --max-messages 2
	run -75 mess-topic redrive t
	count_is t.dead depth 1
}

# --- pause --------------------------------------------------------------------

@test "keep: a topic that is paused takes nothing: 75, with and without an engine" {
	mess-topic create t
	mess-topic pause t in
	run -75 --separate-stderr mess-pub -m x t
	[[ $stderr == *paused* ]]
	count_is t refused 1
	end_processes
	wait_for 10 no_mess_processes

	run -75 --separate-stderr mess-pub -m x t
	[[ $stderr == *paused* ]]
	mess-topic resume t in
	mess-pub -m x t
	assert_equal "$(mess-sub -e t)" x
}

@test "keep: a topic that is paused hands nothing out until it is resumed" {
	deliverd_start
	mess-topic create t
	mess-topic pause t out
	mess-pub -m x t
	run -0 mess-sub -e t
	assert_output ""
	mess-sub -n 1 t >got &

	count_is t paused out
	mess-topic resume t
	wait $!
	assert_equal "$(cat got)" x
}

@test "keep: what was moved into new/ of a paused or full topic waits there, and comes when it may" {
	deliverd_start
	mess-topic create t --max-messages 2
	mess-topic pause t in
	for i in 1 2 3 4; do
		echo "$i" >"$MESS_SPOOL/t/tmp/$i"
		mv "$MESS_SPOOL/t/tmp/$i" "$MESS_SPOOL/t/new/$i"
	done
	count_is t published 0

	mess-topic resume t in
	wait_for "$MESS_PATIENCE" count_is t present 2
	assert_equal "$(find "$MESS_SPOOL/t/new" -type f | wc -l)" 2

	assert_equal "$(mess-sub -n 4 t | tr '\n' ' ')" "1 2 3 4 "
	assert_equal "$(find "$MESS_SPOOL/t/new" -type f | wc -l)" 0
	account_holds
}

@test "keep: a direct publisher keeps to max-size" {
	mess-topic create t --max-size 10
	end_processes
	wait_for 10 no_mess_processes

	run -65 --separate-stderr mess-pub -m 12345678901 t
	[[ $stderr == *10*11* ]]
	mess-pub -m 1234567890 t
	run -0 mess-sub -e t
	assert_output 1234567890
}

# --- the account --------------------------------------------------------------

@test "keep: the account holds after any mix, of kills too" {
	deliverd_start
	mess-topic create t --max-messages 400 --full drop-oldest
	mess-topic create u --max-age 1 --keep 1
	for round in 1 2 3 4 5 6; do
		seq $((RANDOM % 300 + 1)) | mess-pub -q -l t
		seq $((RANDOM % 50 + 1)) | mess-pub -q -l u
		mess-sub -q -n $((RANDOM % 200 + 1)) -e -s a t >/dev/null
		# shellcheck disable=SC2016 # $$ is the handler's
		mess-sub -q -n $((RANDOM % 20 + 1)) -e -s b u -- sh -c 'exit $(($$ % 2 * 65))' || [ $? -eq 123 ]
		[ "$round" -ne 3 ] || mess-topic purge --yes t
		mess-sub -q -n 30 -e -s "c$((round % 2))" t >/dev/null
		if [ $((round % 2)) -eq 0 ]; then
			printf 'HELLO 1\nSUB t a\nTAKE 50\n' | talk 30 >/dev/null &
			deliverd_kill
			deliverd_start
		fi
		account_holds
	done
	deliverd_stop
	deliverd_start
	account_holds
}

# --- what cannot be undone ----------------------------------------------------

@test "keep: --dry-run of purge and delete says how much would go, and nothing does" {
	seq 3 | mess-pub -l t
	for verb in purge delete; do
		run -0 mess-topic "$verb" --dry-run t
		assert_output --partial 3
		count_is t present 3
	done
	run -66 mess-topic purge --dry-run nosuch
}

@test "keep: a lower limit holds at once for what is there, where the oldest go" {
	seq 100 | mess-pub -l t
	mess-topic set t --max-messages 5 --full drop-oldest
	run -0 mess-topic stat --json t
	assert_equal "$(jq -c '.[0]|[.present,.dropped]' <<<"$output")" '[5,95]'
}
