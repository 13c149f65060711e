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
