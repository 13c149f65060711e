#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-protocol(7), spoken by hand.

# shellcheck disable=SC2001,SC2016,SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

setup() {
	mess_setup
	deliverd_start
}

# replies_to TEXT: what the engine answers, its answer to HELLO left out.
replies_to() {
	# shellcheck disable=SC2059 # it is meant as a format
	printf "HELLO 1\n$1" | talk 5 | tail -n +2
}

# refused WORD TEXT: one ERR of that word, and the connection stays open.
refused() {
	run replies_to "$2RESUME\n"
	assert_equal "${#lines[@]}" 2
	assert_line --index 0 --regexp "^ERR $1( .|\$)"
	assert_line --index 1 OK
}

# closes TEXT [WORD]: an ERR, and the connection is closed.
closes() {
	run replies_to "$1RESUME\nRESUME\n"
	assert_equal "${#lines[@]}" 1
	assert_line --index 0 --regexp "^ERR ${2:-[a-z]+}( .|\$)"
}

@test "protocol: HELLO is answered with version, kind and the largest body" {
	run -0 talk <<<"HELLO 1"
	assert_output "OK mess 1 personal 1073741824"
}

@test "protocol: HELLO of a version that is not spoken is ERR protocol, and the end" {
	run -0 talk <<<$'HELLO 2\nHELLO 1'
	assert_equal "${#lines[@]}" 1
	assert_output --regexp '^ERR protocol '
}

@test "protocol: a first request that is not HELLO is refused, and the end" {
	local request

	for request in 'LIST **' 'PUB t 0 1' 'CREATE t' '' 'GET / HTTP/1.0' 'hello 1'; do
		run -0 talk <<<"$request"$'\nx\nHELLO 1\nCREATE made'
		assert_equal "${#lines[@]}" 1
		assert_output --regexp '^ERR (protocol|usage) '
	done
	assert_equal "$(mess-topic list)" ""
}

@test "protocol: who says nothing is let go after 5 seconds" {
	mkfifo pipe
	exec {feed}<>pipe
	talk 1 <pipe >replies 3>&- &
	talker=$!

	wait_for 15 process_ended "$talker"

	exec {feed}>&-
	run -0 cat replies
	assert_output --regexp "^ERR protocol "
}

@test "protocol: requests may be pipelined; every one gets exactly one reply, in order" {
	run -0 talk <<-'END'
		HELLO 1
		CREATE a
		CREATE a
		CREATE b
		LIST **
		PUB a 0 5
		helloPUB a 0 0
		PUBS b 2 12
		0 3
		one0 1
		2RESUME
		DELETE b
		DELETE b
		TAKE 1
		HELLO 1
		RESUME
	END
	assert_equal "$(sed 's/^\(ERR [a-z]*\) .*/\1/' <<<"$output")" "OK mess 1 personal 1073741824
OK
ERR exists
OK
OK 4 0
a
b
OK 1
OK 2
OK 1 2
OK
OK
ERR notopic
ERR usage
ERR protocol"
}

@test "protocol: requests may come byte by byte" {
	local text=$'HELLO 1\nPUB t 5 5\nA: b\nhello' i

	for ((i = 0; i < ${#text}; i++)); do
		printf '%s' "${text:i:1}"
		sleep 0.002
	done | talk >replies
	printf 'OK mess 1 personal 1073741824\nOK 1\n' | cmp - replies
	run -0 mess-sub -e --records t
	assert_line "A: b"
}

@test "protocol: the session of the manual" {
	# Read until the message is there before it is settled.
	mkfifo pipe
	talk <pipe >replies 3>&- &
	talker=$!
	exec {feed}>pipe
	printf 'HELLO 1\nPUB greetings 12 5\nLang: en-GB\nhelloSUB greetings default\nTAKE 1\n' >&"$feed"
	wait_for "$MESS_PATIENCE" grep -q '^hello$' replies
	printf 'ACK greetings 1\n' >&"$feed"
	exec {feed}>&-
	wait "$talker"

	sed -i 's/^mess1 1 [0-9.]* [0-9]* [0-9]* [0-9]* 12 5 [0-9a-f]*$/RECORD/; s/^MSG greetings 1 [0-9]* 1$/MSG/' replies
	printf '%s\n' 'OK mess 1 personal 1073741824' 'OK 1' 'OK 1' OK MSG RECORD 'Lang: en-GB' '' hello OK |
		cmp - replies
}

# --- lines --------------------------------------------------------------------

@test "protocol: a line has at most 4096 bytes with its newline" {
	local most over

	most="LIST $(printf 'x%.0s' {1..4090})"
	over="LIST $(printf 'x%.0s' {1..4091})"
	assert_equal "${#most}" 4095
	refused badname "$most\n"
	closes "$over\n"
	# One that never ends.
	run -0 sh -c '(printf "HELLO 1\n"; head -c 1000000 /dev/zero | tr "\0" A) 2>/dev/null |
		(cd "$MESS_SPOOL" && socat -t 5 - UNIX-CONNECT:.sock 2>/dev/null || :)'
	deliverd_answers
}

@test "protocol: a line that cannot be parsed is refused, and the end" {
	local line

	for line in '' ' ' 'NONSENSE' 'create t' 'CREATE' 'CREATE t u' 'CREATE  t' ' CREATE t' 'CREATE t ' \
		'CREATE\tt' 'PUB t 0' 'PUB t 0 x' 'PUB t 00 1' 'PUB t -1 1' 'PUB t +1 1' 'PUB t 0 01' \
		'PUB t 0 9223372036854775808' 'PUB t 0 18446744073709551616' 'PUB t 0 99999999999999999999' \
		'TAKE' 'TAKE x' 'TAKE 1 then' 'ACK t' 'ACK t x' 'ACK t 2-1' 'ACK t 1-' 'ACK t 1 ' 'PUBS t 0 0' 'STREAM t' 'SUB t' \
		'RESUME now' 'STAT a b' 'HELLO'; do
		closes "$line\n"
	done
	printf "HELLO 1\nCREATE a\0b\n" | talk 5 >replies
	tail -n 1 replies | grep -q "^ERR "
	assert_equal "$(mess-topic list)" ""
}

@test "protocol: a name that is not valid is badname, its counted bytes are skipped" {
	refused badname 'PUB No 0 5\nhello'
	refused badname 'PUB a..b 0 5\nhello'
	refused badname 'CREATE ../x\n'
	refused badname 'CREATE mess.x\n'
	refused badname 'SUB t A\n'
	refused badname 'SUB t a.b\n'
	refused badname 'PEEK T x\n'
	refused badname 'LIST a*\n'
	refused badname 'SHOW %%\n'
	refused badname 'STREAM No 0\n5\nhello0\n'
	refused badname 'PUBS No 1 5\n0 1\nx'
	assert_equal "$(mess-topic list)" ""
}

# --- publishing -----------------------------------------------------------------

@test "protocol: what is too large is toobig, and is skipped" {
	(printf 'HELLO 1\nPUB t 0 262145\n'; head -c 262145 /dev/zero; printf 'RESUME\nPUB t 0 1\nx') |
		talk >replies
	assert_equal "$(sed 's/^\(ERR [a-z]*\) .*/\1/' replies | tail -n +2 | xargs)" "ERR toobig OK OK 1"
	(printf 'HELLO 1\nPUB t 0 262144\n'; head -c 262144 /dev/zero) | talk >replies
	assert_equal "$(tail -n 1 replies)" "OK 2"
	(printf 'HELLO 1\nPUB t 8193 0\n'; head -c 8193 /dev/zero; printf 'RESUME\n') | talk >replies
	assert_equal "$(sed 's/^\(ERR [a-z]*\) .*/\1/' replies | tail -n +2 | xargs)" "ERR toobig OK"
	(printf 'HELLO 1\nPUBS t 1 4194305\n'; head -c 4194305 /dev/zero; printf 'RESUME\n') | talk >replies
	assert_equal "$(sed 's/^\(ERR [a-z]*\) .*/\1/' replies | tail -n +2 | xargs)" "ERR toobig OK"
	(printf 'HELLO 1\nPUBS t 16385 65540\n'; yes '0 0' | head -n 16385; printf 'RESUME\n') | talk >replies
	assert_equal "$(sed 's/^\(ERR [a-z]*\) .*/\1/' replies | tail -n +2 | xargs)" "ERR toobig OK"
	(printf 'HELLO 1\nPUBS t 16384 65536\n'; yes '0 0' | head -n 16384) | talk >replies
	assert_equal "$(tail -n 1 replies)" "OK 3 16386"
}

@test "protocol: headers that are not valid are baddata, and nothing is stored" {
	refused baddata 'PUB t 4 1\nA: bx'
	refused baddata 'PUB t 4 1\nA:b\nx'
	refused baddata 'PUB t 11 1\nMess-X: yy\nx'
	refused baddata 'PUB t 6 1\nA: \001b\nx'
	refused baddata 'PUB t 1 1\n\nx'
	refused baddata 'STREAM t 4\nA:b\n1\nx0\n'
	refused baddata 'PUBS t 2 14\n0 1\nx4 1\nA:b\nx'
	assert_equal "$(stat_of t published)" 0
}

@test "protocol: of the messages of a PUBS all are stored, or none" {
	local n

	# The last of them is bad, in each way.
	refused baddata 'PUBS t 3 17\n0 1\na0 1\nb3 0\nA:\n'
	refused usage 'PUBS t 3 10\n0 1\na0 1\nb'
	refused usage 'PUBS t 1 10\n0 1\na0 1\nb'
	refused usage 'PUBS t 2 10\n0 1\na0 2\nb'
	refused usage 'PUBS t 2 10\n0 1\na0 -\nb'
	for n in $(seq 1 30); do
		refused usage "PUBS t 3 $n\n$(head -c "$n" /dev/zero | tr '\0' 9)"
	done
	assert_equal "$(stat_of t published)" 0

	run replies_to 'PUBS t 3 15\n0 1\na0 1\nb0 1\nc'
	assert_output "OK 1 3"
	assert_equal "$(mess-sub -e -l t | xargs)" "a b c"
}

@test "protocol: after a refusal every publish is aborted until RESUME" {
	run replies_to 'PUB t 0 1\naPUB t 2 1\nAAbPUB t 0 1\ncPUBS t 1 5\n0 1\ndSTREAM t 0\n1\ne0\nCREATE u\nRESUME\nPUB t 0 1\nfRESUME\n'
	assert_equal "$(sed 's/^\(ERR [a-z]*\) .*/\1/' <<<"$output" | xargs)" \
		"OK 1 ERR baddata ERR aborted ERR aborted ERR aborted OK OK OK 2 OK"
	assert_equal "$(mess-sub -e -l t | xargs)" "a f"
}

@test "protocol: STREAM takes a body in chunks and stores nothing before the end" {
	run replies_to 'STREAM t 5\nA: b\n5\nhello1\n,6\n world0\nPUB t 0 1\nx'
	assert_output $'OK 1\nOK 2'
	run -0 mess-sub -n 1 -W 20 --records t
	assert_line "A: b"
	assert_line "hello, world"

	run replies_to 'STREAM t 0\n0\n'
	assert_output 'OK 3'
	# The connection ends before the body does.
	run replies_to 'STREAM t 0\n5\nhello'
	assert_output ''
	run replies_to 'STREAM t 0\n50\nhello'
	assert_output ''
	assert_equal "$(stat_of t published)" 3
	wait_for "$MESS_PATIENCE" nothing_in_tmp
}

nothing_in_tmp() {
	[ -z "$(ls -A "$MESS_SPOOL/t/tmp")" ]
}

@test "protocol: a chunk that is none is the end" {
	local chunk

	mess-topic create t
	for chunk in '' x -1 01 '1 ' 1048577 99999999999999999999; do
		run replies_to "STREAM t 0\n1\na$chunk\nRESUME\nRESUME\n"
		assert_equal "${#lines[@]}" 1
		assert_line --regexp '^ERR '
	done
	(printf 'HELLO 1\nSTREAM t 0\n1048576\n'; head -c 1048576 /dev/zero; printf '0\n') | talk >replies
	assert_equal "$(tail -n 1 replies)" "OK 1"
}

# --- consuming ------------------------------------------------------------------

@test "protocol: TAKE N now ends with END when nothing more is ready" {
	seq 1 3 | mess-pub -l t

	run replies_to 'SUB t default\nTAKE 10 now\n'
	assert_line --index 0 'OK 1'
	assert_line --index 1 'OK'
	assert_line --index 2 --regexp '^MSG t 3 [0-9]+ 1$'
	assert_line 3
	assert_equal "${lines[-1]}" END
}

@test "protocol: TAKE of exactly what is there has no END; the allowance adds up" {
	seq 1 4 | mess-pub -l t

	run replies_to 'SUB t default\nTAKE 1\nTAKE 2\n'
	assert_line 3
	refute_line 4
	refute_line END
	run replies_to 'SUB t default\nTAKE 9223372036854775807 now\n'
	assert_line 4
	assert_line END
}

@test "protocol: PEEK always ends with END, takes nothing, and its messages cannot be settled" {
	seq 1 2 | mess-pub -l t

	run replies_to 'PEEK t default\nTAKE 10\n'
	assert_equal "${lines[-1]}" END
	assert_line 2
	run -0 mess-topic show t
	refute_line "subscription default"
	run replies_to 'PEEK t default\nTAKE 10\nACK t 1\n'
	assert_line --regexp '^ERR usage '
	assert_equal "$(mess-sub -e -l t | xargs)" "1 2"
}

@test "protocol: READ sends what is present of a range, settled or not, then END" {
	deliverd_start
	mess-sub -e -s slow t
	seq 11 16 | mess-pub -l t
	mess-sub -n 4 t >/dev/null

	run replies_to 'READ t 2 4\nTAKE 10\n'
	assert_line --index 0 'OK 2 4'
	assert_equal "$(grep -aE '^1[0-9]$' <<<"$output" | xargs)" "12 13 14"
	assert_equal "${lines[-1]}" END
	# What is gone, and what is not there yet, is left out.
	mess-sub -n 1 -s slow t >/dev/null
	run replies_to 'READ t 0 9223372036854775807\nTAKE 9\nACK t 2\n'
	assert_line --index 0 'OK 2 6'
	assert_line --regexp '^ERR usage '
	run replies_to 'READ t 7 9\nTAKE 9\n'
	assert_line --index 0 'OK 7 6'
	assert_equal "${lines[-1]}" END
	refused notopic 'READ u 1 2\n'
}

@test "protocol: only what this connection was sent may be settled, once" {
	seq 1 5 | mess-pub -l t

	refused usage 'ACK t 1\n'
	mkfifo pipe
	talk <pipe >replies 3>&- &
	talker=$!
	exec {feed}>pipe
	printf "HELLO 1\nSUB t default\nTAKE 2\n" >&"$feed"
	wait_for "$MESS_PATIENCE" grep -qx 2 replies
	printf "ACK t %s\n" 3 1-3 0 1 1 "2 5" >&"$feed"
	printf "ACK u 1\n" >&"$feed"
	exec {feed}>&-
	wait "$talker"
	output=$(tail -n +2 replies)
	assert_equal "$(grep -aE '^(OK|ERR)' <<<"$output" | sed 's/^\(ERR [a-z]*\) .*/\1/' | xargs)" \
		"OK 1 OK ERR usage ERR usage ERR usage OK ERR usage ERR usage ERR usage"
	# "Refused, and nothing was changed."
	assert_equal "$(mess-sub -e -l t | xargs)" "2 3 4 5"
}

@test "protocol: a connection is one consumer" {
	mess-pub -m x t
	run replies_to 'SUB t default\nSUB t other\nTAIL t\nPEEK t default\n'
	assert_equal "$(sed 's/^\(ERR [a-z]*\) .*/\1/' <<<"$output" | xargs)" "OK 1 ERR usage ERR usage ERR usage"
	refused usage 'TAKE 1\n'
}

@test "protocol: TAIL begins with the next number" {
	seq 1 3 | mess-pub -l t
	run replies_to 'TAIL t\nTAKE 5\nPUB t 0 3\nnewRESUME\n'
	assert_line --index 0 'OK 4'
	assert_output --partial new
}

# --- topics ---------------------------------------------------------------------

@test "protocol: errors of topics: exists, notopic" {
	mess-topic create t
	refused exists 'CREATE t\n'
	refused notopic 'DELETE u\n'
	refused notopic 'SHOW u\n'
	refused notopic 'STAT u\n'
	refused notopic 'PEEK u default\n'
}

@test "protocol: SHOW and STAT count the bytes that follow" {
	mess-sub -e t
	for request in 'SHOW t' 'STAT t' 'STAT *' 'LIST **'; do
		printf 'HELLO 1\n%s\n' "$request" | talk >replies
		bytes=$(sed -n '2s/^OK \([0-9]*\).*/\1/p' replies)
		assert_equal "$(tail -n +3 replies | wc -c)" "$bytes"
	done
}

# --- the example ----------------------------------------------------------------

@test "protocol: the example script has at most 40 lines and is the one in the manual" {
	script=$MESS_SOURCE/contrib/examples/mess-socat

	assert [ "$(wc -l <"$script")" -le 40 ]
	mandoc -T ascii -O width=200 "$MESS_SOURCE/man/mess-protocol.7" | sed 's/.\x08//g' |
		sed -n '/^ *#!\/bin\/bash/,/^ *Its use:/p' | sed '$d' >manual
	# Indentation is the manual's.
	cmp <(sed 's/^[ \t]*//' manual | sed '/^$/d') <(sed 's/^[ \t]*//' "$script" | sed '/^$/d')
}

@test "protocol: the example script publishes and subscribes bodies of any bytes" {
	local n

	deliverd_answers
	for n in 0 1 255 4096 65536 262144; do
		head -c "$n" /dev/urandom >"body.$n"
		"$MESS_SOURCE/contrib/examples/mess-socat" pub t <"body.$n"
	done
	printf 'mess1 \n\nOK 1\nMSG t 1 5\n' >body.trap
	"$MESS_SOURCE/contrib/examples/mess-socat" pub t <body.trap

	"$MESS_SOURCE/contrib/examples/mess-socat" sub t 3 >first
	"$MESS_SOURCE/contrib/examples/mess-socat" sub t 4 >second
	cat body.0 body.1 body.255 | cmp - first
	cat body.4096 body.65536 body.262144 body.trap | cmp - second
	pending_is t 0
}

@test "protocol: the example script and the tools understand each other" {
	echo one | "$MESS_SOURCE/contrib/examples/mess-socat" pub t
	mess-pub -H 'A: b' -m two t

	run -0 mess-sub -n 1 t
	assert_output one
	run -0 "$MESS_SOURCE/contrib/examples/mess-socat" sub t 1
	assert_output two
	head -c 262145 /dev/zero >large
	run -1 "$MESS_SOURCE/contrib/examples/mess-socat" pub t <large
	assert_output --partial toobig
}

@test "protocol: what was asked before the end of the input is answered, however much it is" {
	mess-topic create t
	{ echo 'HELLO 1'; yes 'CHECK t publish root' | head -n 20000; } | talk 20 >replies
	assert_equal "$(grep -c '^OK ' replies)" 20001
}
