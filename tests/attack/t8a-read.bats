#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: reading the spool's files instead of asking the engine.
# Defence: the spool is 0700 and all in it 0700 and 0600, whatever the umask
# (bin/mess-deliverd.c, lib/base/fs.c); an engine does not serve one that is
# open to others (bin/deliverd-spool.c).
# Asserted: no user reads or lists any of it; nothing in it has a bit for
# others after all kinds of work; an open spool is refused.

load attack

# Everything that makes a file.
work() {
	as root mess-topic create orders --publish bob --subscribe carol
	as bob mess-pub -m secret orders
	head -c 600000 /dev/zero | as bob mess-pub --id big orders
	as carol mess-sub -n 1 -q -s mine orders
	run -123 as carol mess-sub -n 1 -e orders -- sh -c 'exit 65'
	as root mess-topic set orders --keep 1h
	as root mess-topic create gone
	as root mess-topic delete --yes gone
	echo planted >"$LAND/spool/orders/tmp/x"
	chown 6104 "$LAND/spool/orders/tmp/x"
	mv "$LAND/spool/orders/tmp/x" "$LAND/spool/orders/new/x"
	wait_for "$MESS_PATIENCE" test ! -e "$LAND/spool/orders/new/x"
}

@test "attack: nobody reads the spool" {
	attack_start </dev/null
	deliverd_stop
	umask 000
	users_engine
	umask 022
	work
	find "$LAND/spool" | grep -q 'quarantine/' # there is something of each kind
	run find "$LAND/spool" ! -path '*/.quarantine/*' \( -perm /077 -o ! -user 6100 \)
	refute_output
	find "$LAND/spool" -type f >files
	for user in alice bob carol mallory; do
		# shellcheck disable=SC2016 # the inner shell's
		run -0 --separate-stderr as $user sh -c 'ls "$1" "$1/orders" "$1/orders/cur"; ln "$1/orders/topic" "$2"
			while read -r file; do test ! -e "$file" || echo "$file"; cat "$file"; done; :' \
			sh "$LAND/spool" "$LAND/run/stolen" <files
		refute_output
		refute [ -e "$LAND/run/stolen" ]
	done
}

@test "attack: a spool that is open to others is not served" {
	attack_start </dev/null
	deliverd_stop
	for mode in 0755 0701 0770; do
		chmod "$mode" "$LAND/spool"
		run -78 as mess timeout 5 mess-deliverd -c "$LAND/mess.conf"
	done
	chmod 0700 "$LAND/spool"
	chmod 0777 "$LAND"
	run -78 as mess timeout 5 mess-deliverd -c "$LAND/mess.conf"
	chmod 0755 "$LAND"
	users_engine
}
