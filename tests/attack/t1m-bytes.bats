#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a topic's name that others cannot read: capitals, UTF-8, controls
# (mosquitto CVE-2017-7653).
# Defence: the grammar of names (lib/names.c).
# Asserted: of every byte, at the start and in a name, only those of the
# grammar make a topic.

load attack

@test "attack: names are made of a-z, 0-9, - and _" {
	attack_start <<<'allow create,admin bob on **'
	local byte
	for byte in {0..9} {11..255}; do
		printf 'CREATE \\x%02xx\\n\nCREATE y\\x%02xz\\n\n' "$byte" "$byte"
	done | each_hello bob >answers
	assert_equal "$(wc -l <answers)" 510
	assert_lines answers '^(OK( alike [0-9a-z_.-]+)?\\n$|ERR (badname|protocol|usage) )'

	for x in {a..z} {0..9}; do
		echo "${x}x"
	done >expected
	for x in {a..z} {0..9} . - _; do
		echo "y${x}z"
	done >>expected
	diff <(sort expected) <(as bob mess-topic list | sort)
	assert_serves
}
