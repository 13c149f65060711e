#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a topic is deleted while others publish to it and subscribe to it, so
# that something of it is used afterwards (CUPS GHSA-pjv5-prqp-46rg).
# Defence: it is kept while somebody uses it; whoever consumes is told, whoever
# publishes looks again (lib/topic.c, lib/delivery.c, lib/request_publish.c).
# Asserted: subscribers end, the next of that name has nothing of the old, and
# some thousand of such requests in any order do the engine no harm.

load attack

@test "attack: what is deleted is gone for whoever used it" {
	attack_start <<<'admin @ops,@shop'
	as alice mess-topic create orders
	behind alice mess-sub -l orders >heard
	local sub=$BEHIND
	mkfifo in
	exec 7<>in
	behind bob socat -t 5 - "UNIX-CONNECT:$SOCKET" <in >said
	local pub=$BEHIND
	printf 'HELLO 1\nPUB orders 0 1\n1' >&7
	wait_for "$MESS_PATIENCE" grep -qx 1 heard

	as root mess-topic delete --yes orders
	wait_for "$MESS_PATIENCE" process_ended "$sub"
	printf 'PUB orders 0 1\n2' >&7
	wait_for "$MESS_PATIENCE" grep -q '^ERR notopic ' said
	exec 7>&-
	kill "$pub"
	as root mess-topic create orders
	as root mess-pub -m 3 orders
	run -0 as root mess-sub -e orders
	assert_output 3
	run ! grep -qx 3 heard
	assert_serves
}

@test "attack: deleting in the middle of anything" {
	attack_start <<<'admin @ops,@shop,@analytics'
	local -a jobs=() requests=('CREATE t' 'DELETE t' 'PUB t 0 1\nx' 'SUB t default\nTAKE 5 now' 'SUB * s\nTAKE 9 now'
		'TAIL t\nTAKE 1 now' 'SUBADD t more 0' 'SUBRM t more' 'PURGE t' 'STAT *' 'PEEK t default\nTAKE 9'
		'STREAM t 0\n3\nabc0' 'CREATE t\nPUB t 0 1\nxSUB t default\nTAKE 1\nDELETE t\nPUB t 0 1\nyCREATE t\nACK t 1')
	RANDOM=17
	for user in alice bob carol; do
		for ((i = 0; i < 700; i++)); do
			printf '%s\\n\n' "${requests[RANDOM % ${#requests[@]}]}"
		done >requests.$user
		each_hello $user <requests.$user >answers.$user 3>&- &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	for user in alice bob carol; do
		assert_equal "$(wc -l <answers.$user)" 700
		run grep -nE 'ERR (bug|system|io|sick)' answers.$user
		[ -z "$output" ] || fail "$output; $(sed -n "${output%%:*}p" requests.$user)"
	done
	assert_serves
	deliverd_stop
	run -0 as mess mess-topic --spool "$LAND/spool" fsck
}
