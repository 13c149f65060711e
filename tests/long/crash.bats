#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# tests/crash.bats at length: MESS_IMAGES images (100,000) on ext4, a fifth
# of that on XFS, a tenth on btrfs; and every kind of sync left out in turn,
# which must be found out.

load ../helper
load ../crash/rig

IMAGES=${MESS_IMAGES:-100000}

setup() {
	mess_setup
	RIG=$BATS_TEST_TMPDIR/rig
}

# many TYPE IMAGES WORK...: recordings of each work, and so many of their
# images in all.
many() {
	local type=$1 wanted=$2 done=0 workers=8 work each

	shift 2
	rig_needs "$type"
	# Two images of one btrfs look like two disks of it.
	[ "$type" != btrfs ] || workers=1
	while [ "$done" -lt "$wanted" ]; do
		for work; do
			rig_record "$RIG" "$work" "$type"
			run -0 rig_check 0 "$RIG" -t "$type" -j "$workers"
			each=${lines[-1]%% *}
			done=$((done + each))
			[ "$done" -lt "$wanted" ] || break
		done
	done
	echo "# $type: $done images, 0 violations" >&3
}

@test "crash: images on ext4: publish" {
	many ext4 $((IMAGES / 9)) publish
}

@test "crash: images on ext4: direct" {
	many ext4 $((IMAGES / 9)) direct
}

@test "crash: images on ext4: bodies" {
	many ext4 $((IMAGES / 9)) bodies
}

@test "crash: images on ext4: dead" {
	many ext4 $((IMAGES / 9)) dead
}

@test "crash: images on ext4: ids" {
	many ext4 $((IMAGES / 9)) ids
}

@test "crash: images on ext4: topics" {
	many ext4 $((IMAGES / 9)) topics
}

@test "crash: images on ext4: segments" {
	many ext4 $((IMAGES / 9)) segments
}

@test "crash: images on ext4: limits" {
	many ext4 $((IMAGES / 9)) limits
}

@test "crash: images on ext4: full" {
	many ext4 $((IMAGES / 9)) full
}

@test "crash: images on XFS" {
	many xfs $((IMAGES / 5)) publish direct bodies dead ids topics segments limits
}

@test "crash: images on btrfs" {
	many btrfs $((IMAGES / 10)) publish direct bodies dead ids topics segments limits
}

# What is left out, a name for it and where: GLOBS CALL PROGRAM WORK, - for
# any.  Some stand together because ext4 makes all of a directory's changes
# durable with any of them: of a rename, the sync of either directory.
left_out() {
	cat <<-'END'
		the journal's entries             /.journal/[ab] fdatasync - publish
		the journal's directory           /.journal fsync - segments
		a checkpoint, of states           /*/state fdatasync - publish
		a checkpoint, of segments         /*/cur/0* fdatasync - segments
		a checkpoint, of places           /*/sub/* fdatasync - segments
		a checkpoint, of ids              /*/ids fdatasync - ids
		a ring of ids, made               /*/.ids*:/*/ids* - - ids
		a segment's name                  /*/cur fsync - segments
		a body                            /*/tmp/.body-* fsync - bodies
		a body's name                     /*/cur fsync - bodies
		a topic's files, made             /.new-*/* fsync - topics
		a topic's directory, made         /.new-* fsync - topics
		a topic's name                    : fsync - topics
		a topic's settings                /*/.topic.new fsync - topics
		a delete                          /.tomb:/.trash:/[a-d]: fsync - topics
		a subscription, made              /*/sub/.* fsync - topics
		a subscription's name             /*/sub fsync - topics
		a direct publish                  /*/tmp/* fdatasync - direct
		a direct publish's name           /*/new fsync - direct
		a take                            /*/cur:/*/new fsync mess-deliverd direct
	END
}

@test "crash: each kind of sync, left out, is found out" {
	local name globs call program work

	rig_needs ext4
	while read -r name globs call program work; do
		unset CRASH_NOSYNC_CALL CRASH_NOSYNC_IN
		[ "$program" = - ] || export CRASH_NOSYNC_IN=$program
		rig_plant "$globs" "${call#-}"
		rig_record "$RIG" "$work"
		run rig_check 0 "$RIG" -m 1
		echo "# without ${name//_/ }: ${lines[-1]%%, seed*}" >&3
		assert_equal "$name: $status" "$name: 1"
	done < <(left_out | sed -E 's/ {2,}/\t/; :a; s/^([^\t]*) (.*\t)/\1_\2/; ta; s/\t/ /')
}
