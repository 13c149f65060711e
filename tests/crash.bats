#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess(7): what exited 0 is on disk and survives a power cut.  The real
# engine and tools run on a file system whose disk remembers every write and
# flush; then images that a power cut could have left are mounted, recovered
# and judged.  Each run is new, and so is what is chosen of its
# images; crash/rig.bash says how one is looked at again.

load helper
load crash/rig

setup() {
	mess_setup
	rig_needs ext4
	RIG=$BATS_TEST_TMPDIR/rig
}

# cut_power WORK IMAGES
cut_power() {
	rig_record "$RIG" "$1"
	run -0 rig_check "$2" "$RIG"
	rig_say
}

@test "crash: publishes by the socket, and acks of two subscriptions" {
	cut_power publish 200
}

@test "crash: direct publishes, and engines that take them in" {
	cut_power direct 150
}

@test "crash: bodies in files of their own" {
	cut_power bodies 150
}

@test "crash: dead letters, and redrive" {
	cut_power dead 150
}

@test "crash: what is to be stored once" {
	cut_power ids 100
}

@test "crash: topics and subscriptions made and removed, purges" {
	cut_power topics 200
}

@test "crash: segments that fill, a journal whose halves take turns" {
	cut_power segments 100
}

@test "crash: limits, and what they let go" {
	cut_power limits 100
}

@test "crash: a full disk" {
	cut_power full 100
}

@test "crash: another power cut, while an engine recovers from the first" {
	local image

	rig_record "$RIG" direct
	for image in $(rig_check 3 "$RIG" -l); do
		rm -rf again
		mkdir again
		crash check -i "$image" -k again "$RIG" 3>&-
		crash record again bash "$MESS_SOURCE/tests/crash/again.bash" 3>&-
		run -0 rig_check 40 again
		rig_say
	done
}

@test "crash: a journal that is not synced is found out" {
	rig_plant '/.journal/[ab]' fdatasync
	rig_record "$RIG" publish

	run -1 rig_check 1000 "$RIG" -m 1
	rig_say
	assert_output --regexp 'acknowledged as [0-9]+, is lost'
}

# The first words of the tables' rows in mess-spool(5).
rows_of_manual() {
	sed -n '/^\.Sh STATES/,/^\.Sh RECOVERY/s/^\.It \([A-Z][0-9]*\) .*/\1/p' "$MESS_SOURCE/man/mess-spool.5"
}

@test "crash: each row of mess-spool(5)'s tables has its test" {
	local row file title

	run -0 rows_of_manual
	assert_equal "$output" "$(sed -n 's/^\([A-Z][0-9]*\) .*/\1/p' "$MESS_SOURCE/tests/crash/rows")"
	while read -r row file title; do
		grep -qF "\"$title\"" "$MESS_SOURCE/tests/$file" || fail "$row: $file has no test \"$title\""
	done < <(grep -v '^#' "$MESS_SOURCE/tests/crash/rows")
}
