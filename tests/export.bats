#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-topic(1) export, import and verify.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

# Messages of every kind in t.
make_messages() {
	seq 1 200 | mess-pub -l t
	head -c 70000 /dev/urandom | mess-pub -H 'X-Kind: binary' -H 'X-Kind: twice' t
	: | mess-pub t
	printf 'mess1 1 1.000000000 0 0 0 0 3 0000000000000000\n\nabc\n' | mess-pub t
	head -c 3000001 /dev/urandom | mess-pub -H 'X-Kind: large' t
	printf 'last' | mess-pub t
}

# damage FILE TEXT: one byte of it is another.
damage() {
	local at

	at=$(grep -abo -m 1 -- "$2" "$1" | head -n 1 | cut -d: -f1)
	printf '#' | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

@test "export: all that is present, settled or not, byte for byte as records" {
	deliverd_start
	mess-sub -e -s slow t
	make_messages
	mess-sub -e t >/dev/null

	run -0 --separate-stderr mess-topic export t
	assert_equal "$stderr" ""
	mess-topic export t >exported
	assert_equal "$(mess-sub --peek --records -s slow t | sha256sum)" "$(sha256sum <exported)"
	assert_equal "$(mess-topic export t | sha256sum)" "$(sha256sum <exported)"
	assert_equal "$(grep -ac '^mess1 ' exported)" 206
	# What is freed is not in it.
	mess-sub -n 200 -s slow t >/dev/null
	mess-topic export t >exported
	assert_equal "$(head -n 1 exported | cut -d' ' -f2)" 201
	run -66 --separate-stderr mess-topic export nothing
	assert_one_error mess-topic
	mess-topic create empty
	assert_equal "$(mess-topic export empty)" ""
}

@test "export: import of what it wrote has headers and bodies identical, in order" {
	deliverd_start
	make_messages

	mess-topic export t >exported
	run -0 --separate-stderr mess-topic -v import copy <exported
	assert_equal "$output" ""
	assert_equal "$stderr" "mess-topic: copy: 205 imported"
	mess-topic export copy | payloads | cmp - <(payloads <exported)
	mess-topic export t | mess-topic import copy
	assert_equal "$(stat_of copy published)" 410
}

@test "import: a record that is cut off or damaged stops it, and what is durable is said" {
	seq 1 10 | mess-pub -l t
	mess-topic export t >good

	sed '0,/^7$/s//8/' good >bad
	run -65 --separate-stderr mess-topic import copy <bad
	assert_one_error mess-topic
	[[ $stderr == "mess-topic: copy: 6 messages are durable, stopped at record 7: its sum"* ]]
	assert_equal "$(mess-sub -e -l copy | xargs)" "1 2 3 4 5 6"

	head -c -3 good >part
	run -65 --separate-stderr mess-topic import short <part
	[[ $stderr == "mess-topic: short: 9 messages are durable, stopped at record 10: "* ]]
	assert_equal "$(stat_of short published)" 9

	head -c 600000 /dev/urandom | mess-pub large
	mess-topic export large | head -c 500000 >part
	run -65 --separate-stderr mess-topic import cut-large <part
	[[ $stderr == "mess-topic: cut-large: 0 messages are durable, stopped at record 1: "* ]]
	assert_equal "$(stat_of cut-large published)" 0
}

@test "import: nothing is nothing, and what is neither records nor tar is 65" {
	run -0 --separate-stderr mess-topic import t </dev/null
	assert_equal "$output$stderr" ""
	for text in x mess1 'hello, this is no archive'; do
		run -65 --separate-stderr mess-topic import t <<<"$text"
		assert_one_error mess-topic
		[[ $stderr == "mess-topic: t: 0 messages are durable, stopped at file 1: "* ]]
	done
	run -64 --separate-stderr mess-topic import 'no name' </dev/null
	assert_one_error mess-topic
}

# A maildir with mail in new/ and cur/, a large one, and what is no mail.
make_maildir() {
	mkdir -p box/cur box/new box/tmp box/.Sent/cur
	printf 'Subject: one\n\nfirst\n' >box/cur/1:2,S
	printf 'Subject: two\n\n\377\000binary' >box/new/2
	head -c 400000 /dev/urandom >box/new/3
	: >box/new/4
	echo half >box/tmp/5
	echo index >box/dovecot.index
	printf 'sent' >box/.Sent/cur/6
}

@test "import: each file in new/ and cur/ of a tar becomes a message, its body as it is" {
	local packed

	deliverd_start
	make_maildir
	tar -cf box.tar box/cur/1:2,S box/new/2 box/new/3 box/new/4 box/tmp box/dovecot.index box/.Sent

	run -0 --separate-stderr mess-topic import mail <box.tar
	assert_equal "$output$stderr" ""
	assert_equal "$(stat_of mail published)" 5
	mess-topic peek mail 1 | cmp - box/cur/1:2,S
	mess-topic peek mail 2 | cmp - box/new/2
	mess-topic peek mail 3 | cmp - box/new/3
	assert_equal "$(mess-topic peek mail 4)" ""
	assert_equal "$(mess-topic peek mail 5)" sent

	gzip -k box.tar
	xz -k box.tar
	for packed in box.tar.gz box.tar.xz; do
		mess-topic import "${packed//./-}" <"$packed"
		assert_equal "$(stat_of "${packed//./-}" published)" 5
	done
	tar -C box -cf inside.tar new cur
	mess-topic import inside <inside.tar
	assert_equal "$(stat_of inside published)" 4
	tar --format=pax -cf - box | mess-topic import pax
	assert_equal "$(stat_of pax published)" 5
}

@test "import: a tar that is cut off, or without a maildir, is 65 and says how far it came" {
	make_maildir
	tar -cf box.tar box/cur box/new/2 box/new/3

	head -c 100000 box.tar >cut.tar
	run -65 --separate-stderr mess-topic import mail <cut.tar
	assert_one_error mess-topic
	[[ $stderr == "mess-topic: mail: 2 messages are durable, stopped at file 3: "* ]]
	assert_equal "$(stat_of mail published)" 2
	tar -cf no.tar box/tmp
	run -65 --separate-stderr mess-topic import none <no.tar
	assert_one_error mess-topic
	[[ $stderr == *"no file below new/ or cur/"* ]]
}

@test "import: a link in a tar is left out, and said" {
	make_maildir
	ln box/new/2 box/new/2-again
	ln -s 2 box/new/2-soft
	tar -cf box.tar box/new/2 box/new/2-again box/new/2-soft

	run -0 --separate-stderr mess-topic import mail <box.tar
	assert_equal "$(stat_of mail published)" 1
	assert_equal "$(wc -l <<<"$stderr")" 2
	[[ $stderr == *"box/new/2-again is in the archive as box/new/2, and not once more"* ]]
}

@test "verify: silent when all is whole, and counts with -v" {
	deliverd_start
	make_messages
	mess-pub -m x other

	run -0 --separate-stderr mess-topic verify
	assert_equal "$output$stderr" ""
	mess-pub -m x an.other
	run -0 --separate-stderr mess-topic -v verify t 'an.*'
	assert_equal "$stderr" "mess-topic: t: 205 messages are whole, 0 damaged
mess-topic: an.other: 1 message is whole, 0 damaged"
	run -66 --separate-stderr mess-topic verify nothing t
	assert_one_error mess-topic
}

@test "verify: names each number that is damaged, in a segment and in a body apart; 65" {
	deliverd_start
	seq 1001 1010 | mess-pub -l t
	{ echo needle-in-a-large-body; head -c 600000 /dev/urandom; } | mess-pub t
	seq 1012 1015 | mess-pub -l t
	mess-pub -m x other
	deliverd_stop
	damage "$MESS_SPOOL/t/cur/00000000000000000001" '^1003$'
	damage "$MESS_SPOOL/t/cur/00000000000000000001" '^1014$'
	damage "$MESS_SPOOL/t/cur/00000000000000000011.body" needle

	run -65 --separate-stderr mess-topic verify
	assert_equal "$output" ""
	assert_equal "$(sort <<<"$stderr")" "mess-topic: t: message 11 is damaged
mess-topic: t: message 14 is damaged
mess-topic: t: message 3 is damaged"
	run -65 --separate-stderr mess-topic verify other t
	run -0 mess-topic verify other
	# export has the others, and says so, too.
	run -65 --separate-stderr mess-topic export t
	[[ $stderr == *"message 3 is damaged"* ]]
	run -65 --separate-stderr mess-topic peek t 14
	assert_one_error mess-topic
}
