#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a hard link planted below a directory that whoever installs, as root,
# gives an owner and a mode to with all that is in it (CVE-2017-9525).
# Defence: exact paths, and nothing recursive, in what is installed and in what
# the engine does at start (contrib, lib/base/fs.c).
# Asserted: the files of contrib change owners and modes of two directories; a
# link planted in the spool keeps the owner and mode of what it names.

load attack

@test "attack: nothing that was planted is given away" {
	attack_start <<<'allow publish bob on orders'
	as root mess-topic create orders
	local planted line type path
	for file in "$MESS_SOURCE"/contrib/*/*; do
		run ! grep -nE -- 'ch(own|mod|grp)[^|]* -[a-zA-Z]*R' "$file"
	done
	while read -r type path line; do
		[[ $type == d && $path =~ ^/[a-z/]+$ ]] || fail "$type $path $line"
	done < <(grep -v '^#' "$MESS_SOURCE/contrib/tmpfiles.d/mess.conf")

	planted=$LAND/planted
	echo secret >"$planted"
	chmod 640 "$planted"
	ln "$planted" "$LAND/spool/orders/new/planted"
	ln "$planted" "$LAND/spool/planted"
	kill "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" process_ended "$DELIVERD_PID"
	users_engine
	assert_equal "$(stat -c '%u %g %a' "$planted")" '0 0 640'
	assert_equal "$(<"$planted")" secret
	assert_equal "$(number orders published)" 0
}
