#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What is said about mess is so: manuals, help, what the library exports.

load helper

programs="mess-pub mess-sub mess-topic mess-deliverd"

# The functions that the library's header declares.
declared() {
	grep -oE '\bmess_[a-z_]+\(' "$MESS_SOURCE/lib/mess.h" | tr -d '(' | sort -u
}

exported() {
	nm -D --defined-only "$MESS_BUILD/.libs/libmess.so" |
		awk '$2 ~ /[A-Z]/ && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}

@test "docs: every manual page passes mandoc's lint" {
	run -0 mandoc -T lint -W warning "$MESS_SOURCE"/man/*.[1-8]
	refute_output
}

@test "docs: no example of a manual page has a backslash that roff takes for its own" {
	run awk '/^\.Bd -literal/ { inside = 1 } /^\.Ed/ { inside = 0 } inside {
		line = $0
		gsub(/\\(e|&|-|\(..)/, "", line)
		if (line ~ /\\/) print FILENAME ": " $0 }' "$MESS_SOURCE"/man/*.[1-8]
	refute_output
}

@test "docs: every manual page is named after what it describes" {
	local page

	for page in "$MESS_SOURCE"/man/*.[1-8]; do
		run -0 grep -cx "\.Dt $(basename "${page%.*}" | tr '[:lower:]' '[:upper:]') ${page##*.}" "$page"
	done
}

@test "docs: every program has a manual page" {
	local program

	for program in $programs; do
		assert [ -n "$(compgen -G "$MESS_SOURCE/man/$program.[18]")" ]
	done
}

@test "docs: --version and --help of every program" {
	local program version

	version=$(sed -n 's/^AC_INIT(\[mess\], \[\(.*\)\])$/\1/p' "$MESS_SOURCE/configure.ac")
	for program in $programs; do
		run -0 --separate-stderr "$program" --version
		assert_output "$program $version"
		assert_equal "$stderr" ""
		run -0 --separate-stderr "$program" --help
		assert_output --partial "$program"
		assert_equal "$stderr" ""
	done
}

@test "docs: every option that a program's help names is in its manual page" {
	local program option page

	for program in $programs; do
		page=$(compgen -G "$MESS_SOURCE/man/$program.[18]")
		for option in $("$program" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
			case $option in
			--help | --version) continue ;;
			esac
			mandoc -T ascii "$page" | sed 's/.\x08//g' >"$BATS_TEST_TMPDIR/page"
			run -0 grep -cF -e "$option" "$BATS_TEST_TMPDIR/page"
		done
	done
}

@test "docs: libmess exports the functions of mess.h and nothing else" {
	run -0 exported
	assert_output "$(declared)"
}

@test "docs: a program can be built against libmess" {
	cat >"$BATS_TEST_TMPDIR/use.c" <<-'C'
		#include <mess.h>
		#include <stdio.h>

		int
		main(void)
		{
			return puts(mess_strerror(MESS_OK)) < 0;
		}
	C
	# shellcheck disable=SC2086 # CC may be a compiler with options
	run -0 ${CC:-cc} -std=c99 -Wall -Werror -I "$MESS_SOURCE/lib" -o "$BATS_TEST_TMPDIR/use" \
		"$BATS_TEST_TMPDIR/use.c" -L "$MESS_BUILD/.libs" -lmess $(sanitizer)
	LD_LIBRARY_PATH="$MESS_BUILD/.libs" run -0 "$BATS_TEST_TMPDIR/use"
	assert_output "no error"
}

# What a program must be linked with when the library is built with it.
sanitizer() {
	sed -n 's/^SAN_CFLAGS = *//p' "$MESS_BUILD/Makefile"
}

@test "docs: shell scripts pass shellcheck" {
	local scripts

	cd "$MESS_SOURCE"
	mapfile -t scripts < <(find contrib tests .ci -type f -print0 2>/dev/null |
		xargs -0 awk 'FNR == 1 && /^#!.*[ \/](ba)?sh( |$)/ { print FILENAME }')
	run -0 shellcheck -x "${scripts[@]}" contrib/packages tests/*.bash
}

@test "docs: configure.ac stays under 160 lines" {
	assert [ "$(wc -l <"$MESS_SOURCE/configure.ac")" -lt 160 ]
}

@test "docs: the first screen of README shows the two commands" {
	run -0 head -n 24 "$MESS_SOURCE/README"
	assert_output --partial "mess-pub"
	assert_output --partial "mess-sub"
	run grep -nE '^.{81,}' "$MESS_SOURCE/README"
	refute_output
}
