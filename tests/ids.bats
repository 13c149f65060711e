#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What is published once: --id and --unless-queued, and what the engine
# keeps of them.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

# The headers of the first message that waits in a topic; nothing is taken.
headers() {
	mess-sub -e --peek --records "$1" | sed '1d; /^$/,$d'
}

bodies() {
	mess-sub -e -l --peek "$1" | xargs
}

# item HEADERS BODY: a message of a PUBS, its lengths before it; \n in both.
item() {
	printf '%d %d\n%b%b' "$(printf %b "$1" | wc -c)" "$(printf %b "$2" | wc -c)" "$1" "$2"
}

# batch COUNT ITEMS: a PUBS of items.
batch() {
	printf 'PUBS t %d %d\n%s' "$1" "${#2}" "$2"
}

# replies REQUESTS...: what the engine answers after HELLO.
replies() {
	# shellcheck disable=SC2059 # requests have \n
	printf "HELLO 1\n$1" | talk | tail -n +2
}

# --- --id ---------------------------------------------------------------------

@test "ids: a message with an id is stored once, and both publishers are told it is durable" {
	mess-pub --id load7:1 -m one t
	run -0 --separate-stderr mess-pub --id load7:1 -m again t

	assert_equal "$output$stderr" ""
	published_is t 1
	assert_equal "$(bodies t)" "one"
	assert_equal "$(stat_of t duplicates)" 1
	assert_equal "$(headers t)" "Mess-Id: load7:1"
}

@test "ids: a plain repeat of a stream with --id 'load7:%n' adds what was missing" {
	seq 5000 | mess-pub -l --id 'load7:%n' t
	seq 8000 | mess-pub -l --id 'load7:%n' t

	published_is t 8000
	run -0 cmp <(mess-sub -e -l --peek t) <(seq 8000)
	assert_equal "$(stat_of t duplicates)" 5000
}

@test "ids: an id is known after kill -9 and after a stop, as durable as its message" {
	deliverd_start
	mess-pub --id a -m one t
	deliverd_kill
	deliverd_start
	mess-pub --id a -m again t
	mess-pub --id b -m two t
	deliverd_stop
	deliverd_start
	mess-pub --id b -m again t
	mess-pub --id a -m again t

	published_is t 2
	assert_equal "$(bodies t)" "one two"
}

@test "ids: kill -9 in the middle of a stream, again and again, and each line is there once" {
	local i

	seq 20000 >lines
	for i in {1..8}; do
		deliverd_start
		mess-pub -q -l --id 'x:%n' t <lines 2>/dev/null &
		sleep "0.0$((RANDOM % 9 + 1))"
		# A publisher that found none may have started its own; then ours is none.
		deliverd_kill || :
		wait "$!" || :
	done
	deliverd_start
	mess-pub -l --id 'x:%n' t <lines

	published_is t 20000
	run -0 cmp <(mess-sub -e -l --peek t | sort -n) lines
}

@test "ids: more than 65536 within ten minutes are all known: a large load is repeated safely" {
	seq 150000 >lines
	mess-pub -l --id 'load:%n' t <lines
	mess-pub -l --id 'load:%n' t <lines
	published_is t 150000
	assert_equal "$(stat_of t duplicates)" 150000

	deliverd_kill_any
	deliverd_start
	mess-pub -l --id 'load:%n' t <lines
	published_is t 150000
	# A smaller ring goes when the journal forgets it.
	wait_for 20 test ! -e "$MESS_SPOOL/t/ids"
	assert_file_exist "$MESS_SPOOL/t/ids.262144"
}

# kill -9 the engine, whoever started it.
deliverd_kill_any() {
	local pid

	pid=$(deliverd_pid)
	kill -KILL "$pid"
	wait_for 20 process_ended "$pid"
}

@test "ids: -v prints the key, also of one that was there" {
	run -0 mess-pub -v --id once -m x t
	assert_output once
	run -0 mess-pub -v --id once -m x t
	assert_output once
	run -0 mess-pub -lv --id 'l%n%%' t < <(seq 3)
	assert_output $'l1%\nl2%\nl3%'
}

@test "ids: with --atomic the batch is all or nothing, and so are its ids" {
	mess-topic create t --max-messages 3
	seq 3 | mess-pub -l --atomic --id 'a:%n' t
	run -75 mess-pub -l --atomic --id 'b:%n' t < <(seq 2)
	mess-topic purge t
	seq 2 | mess-pub -l --atomic --id 'b:%n' t
	seq 2 | mess-pub -l --atomic --id 'b:%n' t
	assert_equal "$(bodies t)" "1 2"
}

@test "ids: a topic's ids are not another's, and go with the topic" {
	mess-pub --id a -m one t
	mess-pub --id a -m one u
	published_is u 1
	mess-topic delete t
	mess-pub --id a -m anew t
	published_is t 1
	assert_equal "$(bodies t)" "anew"
}

@test "ids: a duplicate needs no room" {
	mess-topic create t --max-messages 1
	mess-pub --id a -m one t

	run -75 mess-pub --id b -m two t
	mess-pub --id a -m again t

	published_is t 1
}

@test "ids: a large body with an id is stored once, too" {
	head -c 400000 /dev/urandom >large

	mess-pub --id big t <large
	mess-pub --id big t <large

	published_is t 1
	mess-sub -n 1 t | cmp - large
	# The second one's file is gone, or it would be found here.
	run find "$MESS_SPOOL/t/tmp" -type f
	refute_output
}

@test "ids: without an engine an id is in the file, and counts when that is taken in" {
	mess-topic create t
	mess-pub --id a -m one t
	wait_for 20 no_engine_for_a_file

	mess-pub --id a -m again t
	mess-pub --id b -m two t
	assert_equal "$(find "$MESS_SPOOL/t/new" -name '*.rec' | wc -l)" 2
	deliverd_start

	published_is t 2
	assert_equal "$(bodies t)" "one two"
	assert_equal "$(stat_of t duplicates)" 1
}

@test "ids: without an engine a stream, a delay and an end are in the file as well" {
	mess-topic create t
	wait_for 20 no_engine_for_a_file

	seq 5 | mess-pub -l --id 'x:%n' t
	seq 9 | mess-pub -l --id 'x:%n' t
	mess-pub --delay 1h --ttl 1h -m later t
	refute deliverd_answers
	deliverd_start

	published_is t 10
	assert_equal "$(stat_of t duplicates)" 5
	run mess-sub -e -l --peek t
	assert_output "$(seq 9; echo later)"
	assert_equal "$(mess-sub -e -l -s s t | xargs)" "1 2 3 4 5 6 7 8 9"
	run mess-sub -e --peek --records -s s t
	assert_line --index 1 --regexp '^Mess-Due: [0-9]+\.[0-9]{9}$'
	assert_line --index 2 --regexp '^Mess-Expires: [0-9]+\.[0-9]{9}$'
}

# End the engine that a tool started.
no_engine_for_a_file() {
	local pid

	pid=$(deliverd_pid) || return 0
	kill "$pid"
	return 1
}

# --- by the protocol ------------------------------------------------------------

@test "ids: a duplicate is answered with the first's number, in the commit of the first" {
	mess-topic create t
	run replies 'PUB t 15 1\nMess-Ask-Id: a\nxPUB t 15 1\nMess-Ask-Id: a\nyPUB t 15 1\nMess-Ask-Id: b\nz'

	assert_output $'OK 1\nOK 1 duplicate\nOK 2'
}

@test "ids: of a batch the new ones are stored, and the others counted" {
	local a b c

	a=$(item 'Mess-Ask-Id: a\n' x)
	b=$(item 'Mess-Ask-Id: b\n' y)
	c=$(item '' z)
	mess-topic create t
	run replies "$(batch 4 "$a$b$a$c")$(batch 4 "$a$b$a$c")"
	assert_output $'OK 1 3 duplicates 1\nOK 4 4 duplicates 3'
	run replies "$(batch 1 "$a")"
	assert_output 'OK 0 0 duplicates 1'
	assert_equal "$(stat_of t duplicates)" 5
}

@test "ids: a batch that is refused leaves none of its ids" {
	mess-topic create t
	run replies "$(batch 2 "$(item 'Mess-Ask-Id: a\n' x)$(item 'bad\n' y)")RESUME\nPUB t 15 1\nMess-Ask-Id: a\nx"

	assert_line --index 0 --regexp '^ERR baddata'
	assert_line --index 2 'OK 1'
	published_is t 1
}

@test "ids: what is no instruction is refused, and nothing is stored" {
	local headers

	mess-topic create t
	for headers in 'Mess-Ask-Id: ' 'Mess-Ask-What: x' 'Mess-Ask-Due: 12' 'Mess-Id: x' 'mess-ask-id: x' \
		'Mess-Ask-Id: x\nMess-Ask-Id: x' 'A: b\nMess-Ask-Id: x' "Mess-Ask-Key: $(printf 'k%.0s' {1..256})"; do
		# shellcheck disable=SC2059 # headers have \n
		run replies "PUB t $(printf "$headers\n" | wc -c) 1\n$headers\nx"
		assert_output --regexp '^ERR baddata '
	done
	published_is t 0
}

@test "ids: a record has its instructions as headers, first, in one order" {
	mess-topic create t
	run replies "$(batch 1 "$(item 'Mess-Ask-Key: k\nMess-Ask-Id: i\nMess-Ask-Expires: 4000000000.000000001\nMess-Ask-Due: 1.000000000\nKind: letter\n' x)")"
	assert_output 'OK 1 1'

	assert_equal "$(headers t)" \
		$'Mess-Due: 1.000000000\nMess-Expires: 4000000000.000000001\nMess-Id: i\nMess-Key: k\nKind: letter'
}

@test "ids: instructions do not count among 64 headers in 8192 bytes" {
	local headers=() i

	for i in {1..64}; do
		headers+=(-H "H$i: x")
	done
	mess-pub --id "$(printf 'k%.0s' {1..255})" --delay 0 --ttl 1h "${headers[@]}" -m x t
	mess-pub --id full -H "Name: $(head -c 8185 /dev/zero | tr '\0' x)" -m x t

	published_is t 2
	assert_equal "$(mess-sub -e -l --peek t | wc -l)" 2
}

# --- --unless-queued --------------------------------------------------------------

@test "ids: --unless-queued publishes nothing while a message of its key waits, anywhere" {
	mess-topic create t
	mess-topic sub add t a
	mess-topic sub add t b
	mess-pub --unless-queued nightly -m one t
	run -0 --separate-stderr mess-pub --unless-queued nightly -m two t
	assert_equal "$output$stderr" ""
	run -0 mess-pub -v --unless-queued nightly -m two t
	refute_output
	published_is t 1

	assert_equal "$(mess-sub -e -l -s a t)" one
	mess-pub --unless-queued nightly -m three t
	published_is t 1
	mess-pub --unless-queued other -m four t
	published_is t 2

	assert_equal "$(mess-sub -e -l -s b t | xargs)" "one four"
	mess-pub --unless-queued nightly -m five t
	published_is t 3
}

@test "ids: --unless-queued without a subscription waits for what is present" {
	mess-topic create t
	mess-pub --unless-queued k -m one t
	mess-pub --unless-queued k -m two t
	published_is t 1

	mess-topic purge t
	mess-pub --unless-queued k -m three t
	published_is t 2
}

@test "ids: --unless-queued knows its key after kill -9, and delivery counts, not time" {
	deliverd_start
	mess-topic create t
	mess-topic sub add t s
	mess-pub --unless-queued k -m one t
	deliverd_kill
	deliverd_start
	mess-pub --unless-queued k -m two t
	published_is t 1

	assert_equal "$(mess-sub -e -l -s s t)" one
	deliverd_kill
	deliverd_start
	mess-pub --unless-queued k -m three t
	published_is t 2
}

# --- damage -------------------------------------------------------------------------

@test "ids: a damaged file of ids is set aside, said, and begun anew; messages are untouched" {
	deliverd_start
	mess-pub --id a -m one t
	deliverd_stop
	printf 'xxxxxxxx' | dd of="$MESS_SPOOL/t/ids" bs=1 seek=40 conv=notrunc status=none
	deliverd_start

	mess-pub --id b -m two t
	mess-pub --id b -m again t

	published_is t 2
	assert_file_exist "$MESS_SPOOL/.quarantine/t.ids"
	run grep -c 'ids: damaged' "$DELIVERD_LOG"
	assert_output 1
}
