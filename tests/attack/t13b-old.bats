#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: old files of the spool are put back into it, so that messages come
# again.
# Defence: the topic's state says which numbers there are (lib/log.c); a file of
# new/ that was taken in has the number of its message (lib/intake.c).
# Asserted: neither an old segment, nor a taken file, nor a body brings
# anything back.

load attack

@test "attack: old files bring nothing back" {
	attack_start </dev/null
	as root mess-topic create orders
	local cur=$LAND/spool/orders/cur
	printf taken >"$LAND/spool/orders/tmp/x"
	chown 6100:6100 "$LAND/spool/orders/tmp/x"
	cp -p "$LAND/spool/orders/tmp/x" saved.take
	mv "$LAND/spool/orders/tmp/x" "$LAND/spool/orders/new/x"
	wait_for "$MESS_PATIENCE" test ! -e "$LAND/spool/orders/new/x"
	head -c 40000 /dev/zero | tr '\0' x | fold -w 100 | as root mess-pub -l orders
	cp -p "$cur/00000000000000000001" saved
	head -c 200000 /dev/zero | tr '\0' y | fold -w 100 | as root mess-pub -l orders
	as root mess-sub -e -l orders >all
	assert_equal "$(wc -l <all)" 2401
	wait_for "$MESS_PATIENCE" test ! -e "$cur/00000000000000000001"

	deliverd_stop
	cp -p saved "$cur/00000000000000000001"
	cp -p saved.take "$cur/00000000000000000001.take"
	cp -p saved.take "$cur/00000000000000000001.body"
	chown 6100:6100 "$cur"/*
	users_engine
	run -0 as root mess-sub -e -l orders
	refute_output
	run -0 as root mess-sub -e -l -q -s fresh orders
	refute_output
	as root mess-topic sub seek orders default oldest
	run -0 as root mess-sub -e -l orders
	refute_output
	assert_equal "$(number orders published)" 2401
}
