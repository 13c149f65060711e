#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-pub(1): standard input becomes messages.

# shellcheck disable=SC1003,SC2001,SC2012,SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

# All that waits, each message ended by a NUL, as text with | for NUL.
waiting() {
	mess-sub -e -0 "$1" | tr '\0' '|'
}

# --- standard input -----------------------------------------------------------

@test "pub: all of standard input is one message, nothing added, nothing taken" {
	printf 'one\ntwo\n\n' >in

	mess-pub t <in

	mess-sub -n 1 t >out
	run -0 cmp in out
	published_is t 1
}

@test "pub: success is silence" {
	run -0 --separate-stderr mess-pub t <<<"x"
	assert_equal "$output$stderr" ""
}

@test "pub: empty input is one empty message" {
	mess-pub t < <(:)

	published_is t 1
	assert_equal "$(waiting t)" "|"
}

@test "pub: /dev/null for standard input, as in cron, is one empty message" {
	env -i PATH="$PATH" HOME="$HOME" MESS_SPOOL="$MESS_SPOOL" mess-pub t </dev/null

	published_is t 1
	assert_equal "$(waiting t)" "|"
}

@test "pub: -m needs no standard input, not even an open one" {
	sh -c "exec mess-pub -m hello t <&-"

	assert_equal "$(waiting t)" "hello|"
}

@test "pub: a standard input that is closed is an error, 74, and no message" {
	local options

	mess-topic create t
	for options in -q -l; do
		run -74 --separate-stderr sh -c "exec mess-pub $options t <&-"
		assert_one_error mess-pub
		published_is t 0
	done
}

@test "pub: a closed standard output or error never gets into the messages" {
	deliverd_start

	# -v has words for standard output; they must not go where messages go.
	printf "one\ntwo\n" | run sh -c "exec mess-pub -v -l t >&-"
	printf "three\n" | run sh -c "exec mess-pub -v -l t 2>&- >&-"
	run sh -c "exec mess-pub -m x NoName 2>&-"
	assert_equal "$status" 64

	deliverd_answers
	assert_equal "$(waiting t)" "one|two|three|"
}

@test "pub: a standard output that is full is an error, though all is durable" {
	[ -w /dev/full ] || skip "no /dev/full"
	run -74 --separate-stderr sh -c "exec mess-pub -v -m x t >/dev/full"
	assert_one_error mess-pub
	assert_regex "$stderr" "all is durable"
	published_is t 1
}

@test "pub: a directory is no input" {
	mess-topic create t
	run --separate-stderr mess-pub -f "$BATS_TEST_TMPDIR" t
	assert [ "$status" -ne 0 ]
	assert_one_error mess-pub
	published_is t 0
}

@test "pub: NUL bytes and any others pass" {
	perl -e 'print pack("C*", 0..255) x 50' >in

	mess-pub t <in
	mess-pub -l t <in

	mess-sub -n 1 t >out
	cmp in out
	# The input ends without a newline: -l on both sides adds the one.
	mess-sub -e -l t >out
	(cat in; echo) | cmp - out
}

# --- lines --------------------------------------------------------------------

@test "pub: with -l each line is a message, an empty line an empty one" {
	printf 'one\n\n two \n\r\n' | mess-pub -l t

	assert_equal "$(waiting t)" $'one|| two |\r|'
}

@test "pub: with -l empty input is no message" {
	mess-topic create t

	mess-pub -l t </dev/null
	mess-pub -0 t </dev/null
	mess-pub -D xx t </dev/null
	mess-pub --records t </dev/null

	published_is t 0
}

@test "pub: with -l the last line without its newline counts" {
	printf 'one\ntwo' | mess-pub -l t

	assert_equal "$(waiting t)" "one|two|"
}

@test "pub: a slow producer's line leaves at once, not at the end of the input" {
	deliverd_start
	mkfifo pipe
	mess-pub -l t <pipe 3>&- &
	pub=$!
	exec {feed}>pipe

	printf 'one\ntw' >&"$feed"
	wait_for "$MESS_PATIENCE" published_is t 1
	printf 'o\n' >&"$feed"
	wait_for "$MESS_PATIENCE" published_is t 2
	exec {feed}>&-

	wait "$pub"
	assert_equal "$(waiting t)" "one|two|"
}

@test "pub: a slow producer's line leaves at once without an engine, too" {
	deliverd_start
	mess-topic create t
	deliverd_stop
	mkfifo pipe
	mess-pub -l t <pipe 3>&- &
	pub=$!
	exec {feed}>pipe

	printf 'one\n' >&"$feed"
	wait_for "$MESS_PATIENCE" compgen -G "$MESS_SPOOL/t/new/*"
	exec {feed}>&-

	wait "$pub"
	assert_equal "$(waiting t)" "one|"
}

@test "pub: lines of any length, at, around and far above 256 KiB and 1 MiB" {
	local n

	for n in 1 262143 262144 262145 3 524288 1048575 1048576 1048577 7 3000000; do
		head -c "$n" /dev/zero | tr '\0' "$((n % 10))"
		echo
	done >in

	mess-pub -l t <in

	mess-sub -e -l t >out
	cmp in out
	published_is t 11
}

@test "pub: a line that is longer than any and comes in small pieces is one message" {
	local i

	for i in {1..60}; do
		head -c 10000 /dev/zero | tr '\0' x
	done | mess-pub -l t

	published_is t 1
	assert_equal "$(mess-sub -n 1 t | wc -c)" 600000
}

# --- other pieces -------------------------------------------------------------

@test "pub: with -0 each piece that ends with a NUL is a message" {
	printf 'a\nb\0\0last' | mess-pub -0 t

	assert_equal "$(waiting t)" $'a\nb||last|'
}

@test "pub: -D takes a delimiter of several bytes, and knows its escapes" {
	printf 'one--two-three--' | mess-pub -D -- t1
	printf 'one\r\ntwo\rthree\nfour\r\n' | mess-pub -D '\x0d\n' t2
	printf 'one\ttwo\t' | mess-pub -D '\t' t3
	printf 'one\0\0two\0three' | mess-pub -D '\0\0' t4
	printf 'one\\two' | mess-pub -D '\\' t5
	printf 'aab-aaab-' | mess-pub -D aab t6

	assert_equal "$(waiting t1)" "one|two-three|"
	assert_equal "$(waiting t2)" $'one|two\rthree\nfour|'
	assert_equal "$(waiting t3)" "one|two|"
	assert_equal "$(mess-sub -e -l t4 | tr '\0' '+')" $'one\ntwo+three'
	assert_equal "$(waiting t5)" "one|two|"
	assert_equal "$(waiting t6)" "|-a|-|"
}

@test "pub: a delimiter of several bytes is found wherever reads are cut" {
	# 64 bytes of delimiter, bodies around the size of reads and of 256 KiB.
	local d n

	d=$(printf 'ab%.0s' {1..31})cd
	for n in 0 1 63 262080 262143 262144 262145 262200 600000; do
		head -c "$n" /dev/zero | tr '\0' a
		printf '%s' "$d"
	done >in

	mess-pub -D "$d" t <in

	mess-sub -e -l t | awk '{ print length($0) }' >out
	printf '%s\n' 0 1 63 262080 262143 262144 262145 262200 600000 | cmp - out
}

@test "pub: -D refuses what is no delimiter" {
	local d

	for d in '' '\q' '\' '\x1' '\xzz' "$(printf 'x%.0s' {1..65})"; do
		run -64 --separate-stderr mess-pub -D "$d" t <<<"x"
		assert_equal "$output" ""
	done
	assert [ ! -e "$MESS_SPOOL/t" ]
}

# --- -m, -f, -H ---------------------------------------------------------------

@test "pub: -m publishes the text as it is, an empty one too" {
	mess-pub -m 'two
lines' t
	mess-pub -m '' t

	assert_equal "$(waiting t)" $'two\nlines||'
}

@test "pub: -f reads a file instead of standard input" {
	printf 'a\nb\n' >file

	mess-pub -f file t </dev/null
	mess-pub -l -f file t </dev/null

	assert_equal "$(waiting t)" $'a\nb\n|a|b|'
}

@test "pub: -f of a file that does not exist is 66 and makes nothing" {
	run -66 --separate-stderr mess-pub -f missing t
	assert_one_error mess-pub
	[[ $stderr == *missing* ]]
	assert [ ! -e "$MESS_SPOOL/t" ]
}

@test "pub: -H adds headers to each message" {
	printf 'a\nb\n' | mess-pub -l -H 'X-Color: blue' -H 'X-Color: naïve  ' -H 'Empty: ' t

	run -0 mess-sub -e --records t
	assert_equal "$(grep -c '^X-Color: blue$' <<<"$output")" 2
	assert_equal "$(grep -c '^X-Color: naïve  $' <<<"$output")" 2
	assert_equal "$(grep -c '^Empty: $' <<<"$output")" 2
}

@test "pub: -H refuses what is no header, 64, and publishes nothing" {
	local h

	mess-topic create t
	for h in '' 'nocolon' ': x' 'A:x' 'A : x' 'A b: x' '1a: x' '-a: x' 'A_b: x' 'Ä: x' 'Mess-Id: x' \
		'mess-id: x' $'A: x\nB: y' $'A: x\r' $'A: \x01' $'A: \x7f' $'A: \xff\xfe' $'A: \xc0\xaf' \
		"$(printf 'a%.0s' {1..65}): x"; do
		run --separate-stderr mess-pub -H "$h" t <<<"x"
		[ "$status" -eq 64 ] || fail "\"$h\": exit status $status, not 64"
		assert_equal "$output" ""
		[[ $stderr == "mess-pub: "* ]]
	done
	published_is t 0
}

@test "pub: options that exclude each other are 64" {
	local options

	for options in '-l -0' '-l --records' '-m x -l' '-m x -f y' '-0 -D x'; do
		# shellcheck disable=SC2086 # words
		run -64 mess-pub $options t </dev/null
	done
	run -64 mess-pub </dev/null
	run -64 mess-pub t u </dev/null
	run -64 mess-pub --no-such-option t </dev/null
}

@test "pub: options may follow the topic; after -- and with POSIXLY_CORRECT they may not" {
	mess-pub t -m one
	assert_equal "$(waiting t)" "one|"

	run -64 mess-pub t -- -m one </dev/null
	POSIXLY_CORRECT=1 run -64 mess-pub t -m one </dev/null
}

# --- -v -----------------------------------------------------------------------

@test "pub: -v prints topic and number of each durable message" {
	run -0 --separate-stderr mess-pub -v -m x t
	assert_equal "$output" "t:1"

	run -0 --separate-stderr mess-pub -v -l t < <(printf 'a\nb\n'; head -c 300000 /dev/zero; printf '\nc\n')
	assert_equal "$output" $'t:2\nt:3\nt:4\nt:5'
	assert_equal "$stderr" ""
}

@test "pub: -v prints - for a message that was published without an engine" {
	deliverd_start
	mess-topic create t
	deliverd_stop

	run -0 mess-pub -v -l t < <(printf 'a\nb\n')
	assert_output $'-\n-'
}

# --- records ------------------------------------------------------------------

# 60 messages of random bytes and lengths, with headers.
random_messages() {
	local i

	for i in {1..30}; do
		head -c $((RANDOM % 5000)) /dev/urandom | mess-pub -H "Number: $i" -H 'Twice: a' -H 'Twice: b' "$1"
		head -c $((RANDOM % 50)) /dev/urandom | mess-pub "$1"
	done
	# What looks like a record, what is in a file of its own, what is nothing.
	mess-sub --peek --records "$1" | head -c 20000 | mess-pub "$1"
	head -c 400000 /dev/urandom | mess-pub -H 'Large: yes' "$1"
	head -c 300000 /dev/urandom | mess-pub "$1"
	mess-pub -H 'Empty: yes' -m '' "$1"
}

@test "pub: --records publishes headers and bodies of any bytes as they are" {
	mess-sub -e a
	random_messages a

	mess-sub -e --records a >records
	mess-pub --records b <records

	mess-sub -e --records b >copied
	payloads <records >want
	payloads <copied >got
	cmp want got
	grep -qax 'Number: 30' got
}

@test "pub: --records takes in all of it without an engine, too" {
	mess-sub -e a
	random_messages a
	mess-sub -e --records a >records
	end_processes
	deliverd_start
	mess-topic create b
	deliverd_stop

	mess-pub --records b <records

	mess-sub -e --records b >copied
	payloads <records >want
	payloads <copied >got
	cmp want got
}

@test "pub: --records adds the headers of -H" {
	mess-pub -H 'One: 1' -m body a
	mess-sub -e --records a >records

	mess-pub --records -H 'Two: 2' b <records

	mess-sub -e --records b | payloads >got
	printf '15 4\nOne: 1\nTwo: 2\n\nbody\n' >want
	sed -i '1s/.*/14 4/' want
	cmp want got
}

@test "pub: --records writes the envelope anew" {
	mess-pub -m one a
	mess-pub -m two a
	mess-sub -e --records a >records

	sleep 0.01 # so that the times must differ
	mess-pub -m first b
	mess-pub --records b <records

	mess-sub -e --records b >copied
	assert_equal "$(awk '/^mess1/ { print $2 }' copied | xargs)" "1 2 3"
	refute [ "$(awk '/^mess1/ { print $3 }' records)" = "$(awk '/^mess1/ { print $3 }' copied | tail -n 2)" ]
}

@test "pub: --records stops at a record that is damaged, 65, and says where" {
	printf 'one\ntwo\nthree\n' | mess-pub -l a
	mess-sub -e --records a >records

	sed '/^two$/s/two/twO/' records >damaged
	run -65 --separate-stderr mess-pub --records b <damaged
	assert_one_error mess-pub
	[[ $stderr == *"1 message is durable, stopped at record 2"* ]]
	assert_equal "$(waiting b)" "one|"
}

@test "pub: --records refuses an end within a record, and what is no record" {
	printf 'one\ntwo\n' | mess-pub -l a
	mess-sub -e --records a >records

	head -c -3 records >short
	run -65 --separate-stderr mess-pub --records b <short
	[[ $stderr == *"1 message is durable, stopped at record 2"* ]]
	(cat records; echo hello) >longer
	run -65 --separate-stderr mess-pub --records b <longer
	[[ $stderr == *"2 messages are durable, stopped at record 3"* ]]
	run -65 --separate-stderr mess-pub --records b </bin/sh
	[[ $stderr == *"0 messages are durable, stopped at record 1"* ]]

	assert_equal "$(waiting b)" "one|one|two|"
}

@test "pub: --records refuses a large record that is damaged or cut, and stores none of it" {
	head -c 400000 /dev/zero | mess-pub a
	mess-sub -e --records a >records

	tr '\0' x <records | run -65 mess-pub --records b
	head -c 300000 records | run -65 mess-pub --records b
	head -c -1 records | run -65 mess-pub --records b

	mess-sub -e b >out
	assert [ ! -s out ]
	published_is b 0
}

# --- streams that fail --------------------------------------------------------

@test "pub: a stream that fails says how many are durable, and tail -n +N resumes it" {
	system_start
	mess-topic create t
	seq 1 5000 >in
	# One line in the middle is larger than a system spool takes.
	(sed 3210q in; head -c 16777217 /dev/zero | tr '\0' x; echo; sed 1,3210d in) >long

	run -65 --separate-stderr mess-pub -l t <long
	assert_one_error mess-pub
	[[ $stderr == *"t: 3210 messages are durable, stopped at line 3211: "*16777216* ]]
	published_is t 3210

	line=$(sed 's/.*stopped at line \([0-9]*\):.*/\1/' <<<"$stderr")
	tail -n +$((line + 1)) long | mess-pub -l t
	mess-sub -e -l t >out
	cmp in out
}

@test "pub: exactly the first messages are stored when the engine dies within a stream" {
	deliverd_start
	mess-sub -e t
	mkfifo pipe
	mess-pub --socket "$MESS_SPOOL/.sock" -l t <pipe 2>said 3>&- &
	pub=$!
	exec {feed}>pipe
	seq 1 1000 >&"$feed"
	wait_for "$MESS_PATIENCE" published_is t 1000

	deliverd_kill
	# mess-pub may leave before it has read all of it.
	seq 1001 2000 >&"$feed" 2>/dev/null || :
	exec {feed}>&-
	status=0
	wait "$pub" || status=$?

	assert_equal "$status" 69
	grep -q '^mess-pub: t: 1000 messages are durable, stopped at line 1001[:,]' said
	assert_equal "$(wc -l <said)" 1
	mess-sub -e -l t >out
	seq 1 1000 | cmp - out
}

# --- the promise --------------------------------------------------------------

@test "pub: exit 0 means the message survives kill -9 of the engine" {
	deliverd_start
	mess-topic create orders
	run -0 mess-pub -q orders <<<"one"

	deliverd_kill
	deliverd_start

	run -0 mess-sub -n 1 orders
	assert_output "one"
}

@test "pub: exit 0 means a large message and a stream survive kill -9 of the engine" {
	deliverd_start
	seq 1 100000 >in
	mess-pub orders <in
	mess-pub -l orders <in

	deliverd_kill
	deliverd_start

	mess-sub -n 1 orders | cmp - in
	mess-sub -e -l orders | cmp - in
}

@test "pub: a topic's first message may be of any size, and those behind it survive, too" {
	local n

	deliverd_start
	for n in 0 60000 65300 65536 100000 262143 262144 262145; do
		head -c "$n" /dev/zero | tr '\0' x >body
		mess-pub "t$n" <body
		mess-pub -m behind "t$n"
	done
	deliverd_kill
	deliverd_start
	for n in 0 60000 65300 65536 100000 262143 262144 262145; do
		assert_equal "$(mess-sub -n 1 "t$n" | wc -c)" "$n"
		assert_equal "$(mess-sub -e "t$n")" behind
	done
}

# --- without an engine --------------------------------------------------------

@test "pub: without an engine it exits 0, starts none, and the message is there later" {
	deliverd_start
	mess-topic create t
	deliverd_stop

	mess-pub t <<<"one"
	run deliverd_pid
	assert_equal "$status" 1
	assert_equal "$(ls "$MESS_SPOOL/t/new" | wc -l)" 1
	mess-pub -H 'A: b' -m two t
	head -c 300000 /dev/zero | mess-pub t
	mess-pub -m '' t
	run deliverd_pid
	assert_equal "$status" 1

	deliverd_start
	mess-sub -n 1 t | cmp - <(echo one)
	mess-sub -n 1 --records t | grep -q '^A: b$'
	mess-sub -n 1 t | cmp - <(head -c 300000 /dev/zero)
	assert_equal "$(waiting t)" "|"
}

@test "pub: without an engine a stream of many lines is in files, in order, each line once" {
	deliverd_start
	mess-topic create t
	deliverd_stop
	(seq 1 60000; head -c 300000 /dev/zero | tr '\0' x; echo; seq 60001 61000) >in

	mess-pub -l t <in
	run deliverd_pid
	assert_equal "$status" 1

	mess-sub -e -l t >out
	cmp in out
}

@test "pub: without an engine what cannot be a file starts one" {
	deliverd_start
	mess-topic create t
	deliverd_stop

	head -c 300000 /dev/zero | mess-pub -H 'Large: yes' t

	deliverd_pid
	mess-sub -n 1 --records t | head -n 2 | grep -q '^Large: yes$'
}

@test "pub: without an engine a topic that was deleted is made anew, not written into" {
	deliverd_start
	mess-topic create t
	mess-topic delete t
	deliverd_stop

	mess-pub -m x t

	assert_equal "$(waiting t)" "x|"
}

@test "pub: a socket that nobody answers is 69 and nothing is written elsewhere" {
	run -69 --separate-stderr mess-pub --socket "$BATS_TEST_TMPDIR/nowhere" -m x t
	assert_one_error mess-pub
	run -69 --separate-stderr mess-pub --socket "$BATS_TEST_TMPDIR/no/where" -m x t
	assert_one_error mess-pub
	assert [ ! -e "$MESS_SPOOL" ]
}

# --- topics -------------------------------------------------------------------

@test "pub: the first use makes a personal spool, 0700, its engine and the topic" {
	unset MESS_SPOOL

	mess-pub -m hello greetings

	assert_equal "$(stat -c %a "$XDG_STATE_HOME/mess")" 700
	run -0 mess-topic list
	assert_output greetings
	run -0 mess-sub -n 1 greetings
	assert_output hello
}

@test "pub: without XDG_STATE_HOME the personal spool is in ~/.local/state" {
	unset MESS_SPOOL XDG_STATE_HOME

	mess-pub -m hello greetings

	assert [ -d "$HOME/.local/state/mess/greetings" ]
	assert_equal "$(stat -c %a "$HOME/.local/state/mess")" 700
}

@test "pub: an option beats the environment, a socket beats a spool" {
	deliverd_start
	other=$BATS_TEST_TMPDIR/other

	mess-pub --spool "$other" -m there t
	MESS_SOCKET=$BATS_TEST_TMPDIR/nowhere run -69 mess-pub -m x t
	MESS_SOCKET=$BATS_TEST_TMPDIR/nowhere mess-pub --spool "$MESS_SPOOL" -m here t
	socket=$MESS_SPOOL/.sock
	MESS_SPOOL=$BATS_TEST_TMPDIR/third mess-pub --socket "$socket" -m here t

	assert_equal "$(mess-sub -e -l --spool "$other" t)" there
	assert_equal "$(waiting t)" "here|here|"
	assert [ ! -e "$BATS_TEST_TMPDIR/third" ]
}

@test "pub: an unknown topic of a system spool is 66 and names a similar one" {
	system_start
	mess-topic create orders

	run -66 --separate-stderr mess-pub -m x ordres
	assert_one_error mess-pub
	[[ $stderr == 'mess-pub: ordres: no such topic'*'did you mean "orders"?'* ]]
	run -66 --separate-stderr mess-pub -l ordres <<<"x"
	assert_one_error mess-pub
	run -0 mess-topic list
	assert_output $'mess.audit\norders'
}

@test "pub: what is no topic's name is 64, one line, and makes nothing" {
	local name

	for name in '' . .. a..b .a a. A a/b ../x 'a b' $'a\nb' ä -- -a a- _a 'a*' '*' '**' a:b \
		a.b.c.d.e.f.g.h "$(printf 'a%.0s' {1..64})"; do
		run --separate-stderr mess-pub -m x -- "$name"
		[ "$status" -eq 64 ] || fail "\"$name\": exit status $status, not 64"
		assert_one_error mess-pub
	done
	# Names of the engine's.
	for name in mess mess.x user x.dead dead; do
		run --separate-stderr mess-pub -m x -- "$name"
		[ "$status" -eq 64 ] || fail "\"$name\": exit status $status, not 64"
		assert_one_error mess-pub
	done
	run -0 mess-topic list
	assert_output ""
}

@test "pub: a name is refused also where there is nothing to publish" {
	run -64 mess-pub -l 'No Name' </dev/null
	assert [ ! -e "$MESS_SPOOL" ]
}

@test "pub: escapes what a stranger may have written in its words" {
	run -64 --separate-stderr mess-pub -m x $'a\e[31m\nb'
	assert_equal "$(wc -l <<<"$stderr")" 1
	refute [ -n "$(tr -dc '\033' <<<"$stderr")" ]
}

@test "pub: many may use a new spool at once" {
	local i pids=()

	for i in {1..20}; do
		mess-pub -m "$i" t 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done

	mess-sub -e -l t | sort -n | cmp - <(seq 1 20)
	assert_equal "$(mess_processes | wc -l)" 1
}
