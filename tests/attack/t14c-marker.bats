#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: names of topics in what everybody can read: process titles, /run, the
# list of sockets, files with open modes.
# Defence: the engine has one socket, and names are in the spool only.
# Asserted: a name is nowhere that mallory can look.

load attack

@test "attack: no name of a topic is in what everybody reads" {
	attack_start <<<'allow publish,subscribe bob on **'
	local dir
	as root mess-topic create xyzzy42
	as bob mess-pub -m plugh42 xyzzy42
	as bob mess-sub -e -q -s mine xyzzy42
	for dir in "/proc/$DELIVERD_PID" "/proc/$DELIVERD_PID"/task/*; do
		for file in cmdline comm status stat wchan limits mounts; do
			run as mallory cat "$dir/$file"
			refute_output --partial xyzzy42
		done
		run ! as mallory ls "$dir/fd"
		run ! as mallory cat "$dir/maps"
	done
	run ! grep -q xyzzy42 /proc/net/unix
	run -0 as mallory find "$LAND/run" "$LAND/etc" /dev/shm /run /tmp -maxdepth 1 -name '*xyzzy42*'
	refute_output
	run -0 as mallory find "$LAND/run" -mindepth 1
	assert_output "$SOCKET"
	run ! as mallory find "$LAND/spool" -mindepth 1
}
