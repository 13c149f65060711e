#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-topic(1) fsck: every number is accounted for.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

# A topic that has seen everything: settled, dead, redriven, purged, sought, skipped, put off.
make_history() {
	local i

	mess-topic create t
	mess-topic sub add t slow
	mess-topic sub add t odd --match 'X-Odd=1'
	for i in {1..40}; do
		printf '%s' "$i" | mess-pub -H "X-Odd: $((i % 2))" t
	done
	mess-sub -n 20 t >/dev/null
	mess-sub -n 5 -s odd t >/dev/null
	mess-sub -n 3 -s slow t >/dev/null
	mess-topic sub seek t default 30
	mess-topic sub seek t default 15
	mess-sub -n 2 t -- sh -c 'exit 65' || :
	mess-topic redrive t
	mess-sub -n 2 t -- sh -c 'exit 75' || :
	mess-topic purge t
	seq 1 10 | mess-pub -l t
	mess-sub -n 4 t >/dev/null
}

@test "fsck: silent and 0 when every number is accounted for, with an engine and without" {
	deliverd_start
	make_history

	run -0 --separate-stderr mess-topic fsck
	assert_equal "$output$stderr" ""
	run -0 --separate-stderr mess-topic -v fsck
	assert_equal "$stderr" "mess-topic: 2 topics, 4 subscriptions: every number is accounted for"
	deliverd_kill
	run -0 --separate-stderr mess-topic -v fsck
	assert_line_of "$stderr" "mess-topic: 2 topics, 4 subscriptions: every number is accounted for"
	assert_equal "$(deliverd_pid || echo none)" none
	deliverd_start
	run -0 --separate-stderr mess-topic fsck
	assert_equal "$output$stderr" ""
}

# assert_line_of TEXT LINE
assert_line_of() {
	grep -qxF -- "$2" <<<"$1" || fail "no line \"$2\" in: $1"
}

@test "fsck: a damaged place is named, 65; --repair writes it anew and its messages come again" {
	seq 1 10 | mess-pub -l t
	mess-sub -e t >/dev/null
	mess-topic sub add t keep
	seq 11 20 | mess-pub -l t
	mess-sub -n 5 t >/dev/null
	deliverd_gone
	head -c 4096 /dev/zero | dd of="$MESS_SPOOL/t/sub/default" conv=notrunc status=none

	run -65 --separate-stderr mess-topic fsck
	assert_equal "$output" ""
	assert_line_of "$stderr" \
		"mess-topic: t: default: its place is damaged: it begins again with the oldest message kept"
	run -65 mess-topic fsck
	run -0 --separate-stderr mess-topic fsck --repair
	assert_line_of "$stderr" \
		"mess-topic: t: default: its place is damaged: it begins again with the oldest message kept: mended"
	run -0 --separate-stderr mess-topic fsck
	assert_equal "$output$stderr" ""
	assert_equal "$(mess-sub -e -l t | xargs)" "$(seq 11 20 | xargs)"
	run -0 mess-topic fsck
}

# Whatever engine the tools started has left.
deliverd_gone() {
	local pid

	if pid=$(deliverd_pid); then
		kill -TERM "$pid"
		wait_for "$MESS_PATIENCE" process_ended "$pid"
	fi
}

@test "fsck: sweeps up as any start does: topics half made, files long in tmp/" {
	mess-topic create t
	deliverd_gone
	touch "$MESS_SPOOL/t/tmp/new"
	touch -d '2 days ago' "$MESS_SPOOL/t/tmp/old"
	mkdir -m 700 "$MESS_SPOOL/.new-00000000000000000000000000000000"

	run -0 --separate-stderr mess-topic fsck
	assert_equal "$output$stderr" ""
	assert_equal "$(cd "$MESS_SPOOL/t/tmp" && echo *)" "new"
	assert_not_exists "$MESS_SPOOL/.new-00000000000000000000000000000000"
}

@test "fsck: --repair while an engine runs is 75 and changes nothing" {
	deliverd_start
	mess-topic create t
	head -c 4096 /dev/zero >"$MESS_SPOOL/t/sub/broken"
	before=$(sha256sum "$MESS_SPOOL/t/sub/broken")

	run -75 --separate-stderr mess-topic fsck --repair
	assert_one_error mess-topic
	assert_equal "$(sha256sum "$MESS_SPOOL/t/sub/broken")" "$before"
}

@test "fsck: a damaged topic does not hide the others" {
	seq 1 3 | mess-pub -l good
	seq 1 3 | mess-pub -l bad
	deliverd_gone
	head -c 4096 /dev/zero | dd of="$MESS_SPOOL/bad/state" conv=notrunc status=none

	run -65 --separate-stderr mess-topic fsck
	assert_line_of "$stderr" "mess-topic: bad: its files are damaged"
	refute_line_of "$stderr" good
	run -0 mess-topic stat good
}

# refute_line_of TEXT WORD
refute_line_of() {
	! grep -qF -- "$2" <<<"$1"
}

@test "fsck: only one's own spool, and --repair by a socket is 64" {
	mess-topic create t
	deliverd_gone

	run -66 --separate-stderr mess-topic --spool "$PWD/nothing" fsck
	assert_one_error mess-topic
	run -64 --separate-stderr mess-topic --socket "$PWD/none" fsck --repair
	assert_one_error mess-topic
	run -69 --separate-stderr mess-topic --socket "$PWD/none" fsck
	assert_one_error mess-topic
	[ "$(id -u)" -eq 0 ] || skip "only root can give a spool to another"
	chown nobody "$MESS_SPOOL"
	run -77 --separate-stderr mess-topic fsck
	assert_one_error mess-topic
}
