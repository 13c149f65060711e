#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a command that mess-sub runs finds its connection among its open
# files, and speaks on it.
# Defence: every descriptor is closed by exec (lib/base/sock.c, bin/handler.c).
# Asserted: such a command has standard input, output and error, no others.

load attack

@test "attack: a command has no connection of mess-sub's" {
	attack_start <<<'allow subscribe carol on orders'
	as root mess-topic create orders
	as root mess-pub -m x orders
	# shellcheck disable=SC2016 # the inner shell's
	run -0 as carol mess-sub -e orders -- sh -c 'ls -l /proc/$$/fd; :'
	refute_output --partial socket:
	refute_output --regexp ' ([3-9]|[1-9][0-9]+) -> '
}
