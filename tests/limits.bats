#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# How many, how small, how large: exactly at each limit, and one beyond,
# which is refused with the rule and the value named.

load helper

# refused STATUS WORD...: the last run failed so, in one line that has each word.
refused() {
	local status_wanted=$1

	shift
	assert_equal "$status" "$status_wanted"
	assert_one_error mess-pub
	for word; do
		[[ $stderr == *"$word"* ]] || fail "no \"$word\" in: $stderr"
	done
}

bytes() {
	head -c "$1" /dev/zero | tr '\0' x
}

@test "limits: 1,000,000 empty messages" {
	cd "$BATS_TEST_TMPDIR"

	yes '' | head -n 1000000 | mess-pub -l t

	published_is t 1000000
	# Nothing but sockets' room paces it: no timer, no other event.
	run -0 bash -c 'timeout 30 mess-sub --peek -l t | wc -l'
	assert_output 1000000
	mess-sub -e -l t >out
	assert_equal "$(wc -l <out) lines, $(wc -c <out) bytes" "1000000 lines, 1000000 bytes"
}

@test "limits: 100,000 messages of 1 byte" {
	cd "$BATS_TEST_TMPDIR"
	yes x | head -n 100000 >lines

	mess-pub -l t <lines

	mess-sub -e -l t | cmp lines -
}

@test "limits: 20,000 files that wait in new/ are taken in, in order, by the next engine" {
	cd "$BATS_TEST_TMPDIR"
	mess-topic create t
	kill -TERM "$(deliverd_pid)"
	wait_for "$MESS_PATIENCE" no_mess_processes
	perl -e 'for my $n (1 .. 20000) {
		open my $f, ">", sprintf("$ENV{MESS_SPOOL}/t/new/%06d", $n) or die $!;
		print $f $n;
		close $f;
		utime 1, 1, $f;
	}'

	timeout 30 mess-sub -e -l t >out

	assert_equal "$(wc -l <out)" 20000
	assert_equal "$(sort -nu out | wc -l)" 20000
	assert_equal "$(ls "$MESS_SPOOL/t/new" "$MESS_SPOOL/t/cur" | grep -c take)" 0
}

@test "limits: a body around the length that has a file of its own" {
	local n

	cd "$BATS_TEST_TMPDIR"
	for n in 262143 262144 262145; do
		bytes "$n" >body
		mess-pub "b$n" <body
		mess-sub -e "b$n" | cmp body -
		mess-pub -l "l$n" < <(cat body; echo)
		mess-sub -e "l$n" | cmp body -
	done
}

@test "limits: 64 headers and no more" {
	local headers=() i

	for i in $(seq 1 64); do
		headers+=(-H "N$i: v")
	done
	mess-pub "${headers[@]}" -m x t
	run --separate-stderr mess-pub "${headers[@]}" -H 'One: more' -m x t
	refused 64 64
	published_is t 1
}

@test "limits: 8192 bytes of headers and no more" {
	# "Name: " and the newline are 7 bytes.
	mess-pub -H "Name: $(bytes 8185)" -m x t
	run --separate-stderr mess-pub -H "Name: $(bytes 8186)" -m x t
	refused 64 8192
	published_is t 1
}

@test "limits: a topic's name of 195 bytes, a label of 63, seven labels" {
	local label name

	label=$(bytes 63)
	name=$label.$label.$label.abc
	assert_equal ${#name} 195
	mess-pub -m x "$name"
	published_is "$name" 1
	run --separate-stderr mess-pub -m x "${name}d"
	refused 64 195
	run --separate-stderr mess-pub -m x "${label}x"
	refused 64 63
	mess-pub -m x a.b.c.d.e.f.g
	run --separate-stderr mess-pub -m x a.b.c.d.e.f.g.h
	refused 64 7
}

@test "limits: a batch holds 16384 messages, and is refused whole with one more" {
	cd "$BATS_TEST_TMPDIR"
	deliverd_start
	batch() {
		printf 'HELLO 1\nPUBS t %d %d\n' "$1" $((4 * $1))
		yes '0 0' | head -n "$1"
	}

	batch 16384 | talk 5 | tail -n 1 >answer
	assert_equal "$(cat answer)" "OK 1 16384"
	batch 16385 | talk 5 | tail -n 1 >answer
	[[ $(cat answer) == "ERR "*16384* ]] || fail "$(cat answer)"
	published_is t 16384
}

@test "limits: a system spool takes a body of 16 MiB and no larger one" {
	cd "$BATS_TEST_TMPDIR"
	system_start
	mess-topic create t
	bytes 16777216 >body

	mess-pub t <body
	run --separate-stderr mess-pub t < <(cat body; echo -n x)

	refused 65 16777216
	mess-sub -e t | cmp body -
}

@test "limits: a personal spool takes a body of 1 GiB and no larger one" {
	cd "$BATS_TEST_TMPDIR"
	truncate -s 1073741825 body
	deliverd_start

	run --separate-stderr mess-pub t <body
	refused 65 1073741824
	truncate -s 1073741824 body
	mess-pub t <body

	mess-sub -e t | cmp body -
}

# blanks COUNT SIZE: a PUBS of so many messages of blanks.
blanks() {
	local line=$((${#2} + 3))

	printf 'PUBS t %d %d\n' "$1" $(($1 * (line + $2)))
	perl -e 'print "0 $ARGV[1]\n", " " x $ARGV[1] for 1 .. $ARGV[0]' "$1" "$2"
}

@test "limits: a batch is as large as a commit, what is stored beside its messages counted" {
	mess-topic create t
	(printf 'HELLO 1\n'; blanks 15 262144; blanks 16384 200; printf 'RESUME\n'; blanks 16384 120) |
		talk 5 >"$BATS_TEST_TMPDIR/replies"
	run sed '1d; s/^\(ERR [a-z]*\) .*/\1/' "$BATS_TEST_TMPDIR/replies"

	assert_output $'OK 1 15\nERR toobig\nOK\nOK 16 16399'
	published_is t 16399
}
