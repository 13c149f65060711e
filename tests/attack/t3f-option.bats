#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a name that is an option to whatever gets it as a word, or a text
# that is a format.
# Defence: a label begins with a letter or a digit (lib/names.c); texts are
# never formats (-Werror=format-security).
# Asserted: no such topic is made; percent signs come out as they went in.

load attack

@test "attack: no name is an option, no text a format" {
	attack_start <<<'allow create,admin bob on **'
	printf 'CREATE %s\\n\n' -n --help -- -rf a.-n a.--help.b - _x x- >requests
	run -0 each_hello bob <requests
	assert_equal "$(grep -c '^ERR badname ' <<<"$output")" 9
	for name in -n --help -rf; do
		run -64 as bob mess-topic create -- "$name"
		run -64 as bob mess-pub -m x -- "$name"
	done
	run -0 as bob mess-topic list
	refute_output

	as bob mess-topic create orders --describe '%s%n%100000d'
	as bob mess-pub -H 'X: %n%s' -m '%s%n%99999999d' orders
	run -0 as bob mess-sub --peek -F '%h{X}\n%b\n' orders
	assert_output $'%n%s\n%s%n%99999999d'
	run -0 as bob mess-topic show orders
	assert_line 'describe %s%n%100000d'
	run -64 as bob mess-sub -e '%s%n'
	assert_output --partial '%s%n'
	assert_serves
}
