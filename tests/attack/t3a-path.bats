#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a name that is a path: out of the spool, or into another topic (CUPS
# 2.4.16).
# Defence: the grammar of names has no slash, and no dot but between labels
# (lib/names.c); below that openat2 stays beneath the spool (lib/base/fs.c).
# Asserted: every verb and every tool refuses such names, also root's, and
# nothing in the spool or beside it is made or gone.

load attack

names() {
	printf '%s\n' .. . ../x ../../etc/passwd /etc/passwd a/b a/../b a//b orders/new orders/ /orders \
		orders/cur/x ./orders .orders orders. a..b .journal .lock .tomb/orders .trash/x \
		'orders\x00' 'orders\x00/x' '%2e%2e%2fx' '..\\x' '~root' "$(printf 'a%.0s' {1..300})" \
		orders/sub/default user/alice user.alice/x x/../../x '\xc0\xae\xc0\xae/x'
}

requests() {
	local name

	while read -r name; do
		printf '%s\n' "CREATE $name\\n" "DELETE $name\\n" "PUB $name 0 1\\nx" "PUBS $name 1 5\\n0 1\\nx" \
			"STREAM $name 0\\n1\\nx0\\n" "SUB $name default\\n" "SUB orders $name\\n" "TAIL $name\\n" \
			"PEEK $name default\\n" "READ $name 1 2\\n" "SUBADD $name s 0\\n" \
			"SUBADD orders $name 0\\n" "SUBRM orders $name\\n" "SEEK $name default now\\n" \
			"SET $name 0\\n" "PURGE $name\\n" "SHOW $name\\n" "STAT $name\\n" "LIST $name\\n" \
			"LIST ** $name\\n" "REDRIVE $name 0\\n" "RELEASE orders $name\\n" "CHECK $name admin root\\n"
	done
}

# some: 450 names, each a good one with something in it that no name has; the same each time.
some() {
	awk 'BEGIN {
		srand(5)
		bad = split("/ // ../ /../ .. \\x00 \\x01 \\x1b \\x7f \\x80 \\xff \\xc0\\xaf \\xe2\\x80\\xae A Z % ~ \\\\ : ; | $ ( < > ? & = + , ! # ^ { }", with, " ")
		good = split("orders orders.eu orders.dead user.alice.x default mess.audit a x-y_z", names, " ")
		for (n = 0; n < 450; n++) {
			name = names[1 + int(rand() * good)]
			at = int(rand() * (length(name) + 1))
			print substr(name, 1, at) with[1 + n % bad] substr(name, at + 1)
		}
	}'
}

# Of all in the spool that refusals do not write to.
spool_sum() {
	(cd "$LAND/spool" && find . \( -path ./.journal -o -path ./mess.audit \) -prune -o -printf '%p %y %s\n' | sort &&
		find . \( -path ./.journal -o -path ./mess.audit \) -prune -o -type f -print0 | sort -z |
		xargs -0 cat) | sha256sum
}

@test "attack: twenty thousand hostile names change nothing in an engine full of state" {
	attack_start <<<'allow publish,subscribe,create,admin mallory on **
	limit mallory connects none'
	local user topic
	for topic in orders orders.eu user.alice.x; do
		as root mess-topic create "$topic"
		as root mess-topic sub add "$topic" second
		seq 100 | as root mess-pub -l "$topic"
		as root mess-sub -n 50 "$topic" >taken
	done
	as root mess-sub -n 1 orders -- sh -c 'exit 100' || :
	as root mess-topic pause orders.eu
	spool_sum >before

	some | requests >said
	assert [ "$(wc -l <said)" -ge 10000 ]
	for user in root mallory; do
		each_hello "$user" <said >answers
		assert_equal "$(wc -l <answers)" "$(wc -l <said)"
		assert_lines answers '^ERR (badname|protocol|notopic|nosub|usage) '
	done
	diff before <(spool_sum)
	assert_serves
}

@test "attack: no name is a path" {
	attack_start </dev/null
	as root mess-topic create orders
	spool_tree >before
	find "$LAND" -path "$LAND/spool" -prune -o -print | sort >beside

	names | requests | each_hello root >answers
	[ "$(wc -l <answers)" -eq $(($(names | wc -l) * 23)) ]
	# LOGIN/NAME is a subscription's name: of somebody who is not there, or has none.
	assert_lines answers '^ERR (badname|protocol|notopic|nosub|usage) '

	while read -r name; do
		name=$(printf '%b' "${name//\\x00/}")
		run ! as root mess-topic create -- "$name"
		run ! as root mess-pub -m x -- "$name"
		run ! as root mess-sub -e -- "$name"
		run ! as root mess-topic delete --yes -- "$name"
	done < <(names | head -n 12)
	diff before <(spool_tree)
	diff beside <(find "$LAND" -path "$LAND/spool" -prune -o -print | sort)
	assert_serves
}
