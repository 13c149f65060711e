#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: an item of no length, or a word that is not there (mosquitto
# CVE-2021-34432, systemd CVE-2016-7796).
# Defence: words have a length, and what may be of none is said in the grammar
# (lib/protocol.c).
# Asserted: an empty message is one; every other nothing is refused.

load attack

@test "attack: nothing, in every place" {
	attack_start <<<'allow admin bob on **'
	as root mess-topic create orders
	for verb in HELLO PUB PUBS STREAM SUB TAIL PEEK READ TAKE ACK NACK RETRY DEAD HOLD SETTLE SUBADD \
		SUBRM SEEK RELEASE REDRIVE CREATE SET PURGE DELETE LIST SHOW STAT CHECK; do
		printf '%s\\n\n' "$verb" "$verb " "$verb  " "$verb  orders" "$verb orders " "$verb orders  0"
	done | grep -vE '^(TAIL|PURGE|DELETE|LIST|SHOW|STAT|CREATE) orders\\n$' >nothing
	printf '%s\n' '\n' ' \n' '\x00\n' 'PUBS orders 0 0\n' 'PUBS orders 0 4\n0 0\n' 'PUBS orders 1 0\n' \
		'STREAM orders 0\n\n' 'SUB orders mine 0\n' 'CREATE orders 0\n' 'TAKE \n' >>nothing

	each_hello bob <nothing >answers
	assert_equal "$(wc -l <answers)" "$(wc -l <nothing)"
	assert_lines answers '^ERR '
	assert_equal "$(number orders published)" 0

	run -0 each_hello bob <<-'E'
	PUB orders 0 0\n
	PUBS orders 2 8\n0 0\n0 0\n
	STREAM orders 0\n0\n
	E
	assert_output $'OK 1\\n\nOK 2 3\\n\nOK 4\\n'
	assert_serves
}
