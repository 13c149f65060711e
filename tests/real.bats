#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Real input: what a Debian machine has lying about, odd bytes included.

load helper

@test "real: every line of the package database and of all changelogs" {
	cd "$BATS_TEST_TMPDIR"
	cp /var/lib/dpkg/status lines
	find /usr/share/doc -name 'changelog*.gz' -exec zcat {} + >>lines
	# mess-sub ends each message with a newline; so must the last line.
	[ -z "$(tail -c 1 lines)" ] || echo >>lines
	echo "# $(wc -l <lines) lines, $(wc -c <lines) bytes" >&3

	mess-pub -l lines <lines

	mess-sub -e -l lines >out
	cmp lines out
}

@test "real: a program goes through whole" {
	local program

	cd "$BATS_TEST_TMPDIR"
	program=$(readlink -f "$(command -v gcc-12 || command -v gcc || command -v bash)")
	mess-pub program <"$program"

	mess-sub -e program >out

	cmp "$program" out
}

@test "real: 300 MiB in one message, with engine memory below 16 MiB" {
	local peak

	cd "$BATS_TEST_TMPDIR"
	deliverd_start
	# Bytes that do not repeat at any power of two.
	perl -e 'my $s = join "", map { chr($_ % 251) } 1 .. 1048583;
		for (1 .. 300) { print $s } ' | head -c 314572800 >big
	mess-pub big <big

	mess-sub -e big >out

	cmp big out
	peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$DELIVERD_PID/status")
	echo "# engine at most $peak KiB" >&3
	has_sanitizer || [ "$peak" -lt 16384 ]
}
