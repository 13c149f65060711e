#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: something is put into new/ that is no message of the spool's owner: a
# link to a file that the engine may read, another's file, a pipe that hangs.
# Defence: it is opened beneath the spool, without links, and judged by its
# descriptor (lib/intake.c, lib/base/fs.c).
# Asserted: all of it is set aside and none delivered; what follows is taken in.

load attack

is_empty() {
	[ -z "$(ls "$1")" ]
}

@test "attack: what is planted in new/ is set aside" {
	attack_start </dev/null
	as root mess-topic create orders
	local new=$LAND/spool/orders/new
	echo secret >"$LAND/spool/secret"
	echo secret >"$LAND/spool/other"
	chown 6100 "$LAND/spool/secret" "$LAND/spool/other"
	(
		cd "$LAND/spool/orders/tmp"
		ln -s ../../other symlink
		ln -s /etc/hostname absolute
		ln ../../secret hardlink
		echo secret >foreign
		chown 6104 foreign
		mkfifo fifo
		mkdir directory
		chown 6100 directory
		echo 'mess1 1 1.000000000 0 0 0 0 7 0000000000000000 secret' >records.rec
		echo secret >empty.rec
		for x in *; do
			mv "$x" "$new/$x"
		done
		echo good >good
		chown 6100:6100 good
		mv good "$new/zz"
	)
	wait_for "$MESS_PATIENCE" as root mess-sub --peek -n 1 -e orders
	wait_for "$MESS_PATIENCE" is_empty "$new"
	run -0 as root mess-sub -e orders
	assert_output good
	assert_equal "$(find "$LAND/spool/.quarantine" -name 'orders.*' | wc -l)" 8
	assert_serves
}
