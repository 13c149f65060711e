#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: what one verb refuses another does (NATS GHSA-9983-vrx2-fg9c).
# Defence: one function decides for every effect (lib/acl.c); every verb asks it
# (lib/request*.c).
# Asserted: each verb does for each user what their rights say, no more and no
# less.  There is a mutant for every place that asks.

load attack

# What is needed, then the request: P publish, S subscribe, A admin.
requests() {
	cat <<-'E'
	P PUB orders 0 1\nx
	P PUBS orders 1 5\n0 1\nx
	P STREAM orders 0\n1\nx0\n
	S SUB orders default\nTAKE 1 now\n
	S TAIL orders\n
	S PEEK orders default\nTAKE 1\n
	S READ orders 1 1\nTAKE 1\n
	S STAT orders\n
	S REDRIVE orders 0\n
	S SETTLE ack orders default 1 0123456789abcdef 0\n
	A SUBADD orders more 0\n
	A SEEK orders default now\n
	A RELEASE orders default\n
	A SUBRM orders default\n
	A SET orders 13\nMax-Age: 100\n
	A PURGE orders\n
	A CHECK orders publish root\n
	PSA SHOW orders\n
	PSA CHECK orders publish SELF\n
	C CREATE stock\n
	A DELETE orders\n
	E
}

# may USER RIGHTS ANSWER: what USER is answered, where no right of theirs is asked.
may() {
	local needs request expected answer

	requests | sed "s/SELF/$1/" >wanted
	sed 's/^[A-Z]* //' wanted | each_hello "$1" >answers
	while read -r needs request && read -r answer <&4; do
		expected="ERR $3"
		[[ $2 != *[$needs]* ]] || expected=OK
		[[ $request != SETTLE* || $expected != OK ]] || expected='ERR nosub'
		[[ $needs != C ]] || expected='ERR denied'
		[[ $needs != A || $request != CHECK* || $2 == *A* ]] || expected='ERR notopic'
		# Who may not read a topic does not see who does.
		[[ $2 != P || $request != @(SEEK|RELEASE|SUBRM)* ]] || expected='ERR nosub'
		[[ $answer =~ ^$expected ]] || fail "$1: $request: $answer"
	done <wanted 4<answers
}

@test "attack: each verb asks for its right" {
	attack_start <<<'admin root'
	as root mess-topic create orders --publish bob --subscribe carol --admin alice
	as root mess-pub -m first orders
	may mallory '' notopic
	may bob P denied
	may carol S denied
	assert_equal "$(number orders published)" 4
	may alice PSA denied
	run -0 as root mess-topic list
	assert_output mess.audit
}

@test "attack: listings are by right, too" {
	attack_start </dev/null
	as root mess-topic create orders --publish bob --subscribe carol --admin alice
	as root mess-pub -m first orders
	for user in alice bob carol; do
		run -0 as $user mess-topic list
		assert_output orders
	done
	run -0 each_hello bob <<<'STAT *\n'
	assert_output 'OK 0 0\n'
	run -0 each_hello mallory <<<$'STAT *\\n\nLIST **\\n'
	assert_output $'OK 0 0\\n\nOK 0 0\\n'
	run -0 each_hello carol <<<'STAT *\n'
	assert_output --partial 'topic orders'
}
