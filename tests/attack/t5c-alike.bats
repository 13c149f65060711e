#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a name that looks like another: capitals, Cyrillic letters, a dash of
# another kind.
# Defence: names are lower-case ASCII (lib/names.c).
# Asserted: none can be made, by nobody.

load attack

@test "attack: no name looks like another" {
	attack_start </dev/null
	as root mess-topic create orders
	for name in Orders ORDERS ordеrs оrders 'orders​' ordérs оrdеrs 'or-ders‐eu' ｏrders 'orders '; do
		run -64 as root mess-topic create "$name"
		run -64 as root mess-pub -m x "$name"
		run -64 as root mess-sub -e "$name"
	done
	run -0 as root mess-topic list
	assert_output $'mess.audit\norders'
}
