# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# The power-cut rig for bats files: load it after helper.

PATH=$MESS_BUILD/tests/crash:$PATH

# What it needs and not every machine has.
rig_needs() {
	[ "$(id -u)" -eq 0 ] || skip "needs root, for loop devices and mounts"
	[ -x "$MESS_BUILD/tests/crash/crash" ] || skip "mess was configured without libfuse3"
	[ -c /dev/fuse ] || skip "needs FUSE"
	[ -c /dev/loop-control ] || skip "needs loop devices"
	command -v "mkfs.$1" >/dev/null || skip "needs mkfs.$1"
	grep -qw "$1" /proc/filesystems || skip "this kernel has no $1"
}

# rig_disk DIR TYPE: an empty file system.
rig_disk() {
	mkdir -p "$1"
	rm -f "$1/base" "$1/log"
	case $2 in
	ext4)
		truncate -s 64M "$1/base"
		mkfs.ext4 -q -F -b 4096 -J size=4 -E lazy_itable_init=0,lazy_journal_init=0 "$1/base"
		;;
	xfs)
		truncate -s 300M "$1/base"
		mkfs.xfs -q -f "$1/base"
		;;
	btrfs)
		truncate -s 128M "$1/base"
		mkfs.btrfs -q -f --mixed "$1/base"
		;;
	esac
}

# rig_record DIR WORK [TYPE]: run tests/crash/WORK.bash on a new disk.
rig_record() {
	rig_disk "$1" "${3:-ext4}" || return
	crash record -t "${3:-ext4}" "$1" bash "$MESS_SOURCE/tests/crash/$2.bash" 3>&- ||
		{ cat "$1/said"; return 1; }
}

# rig_check IMAGES DIR [OPTION...]: so many images, with MESS_SEED if there is
# one.  A seed says which images, of this recording: with MESS_KEEP=DIR one
# that shows a violation stays there, for crash check -s SEED -i IMAGE DIR.
rig_check() {
	local images=$1 dir=$2 status=0

	shift 2
	# A sanitizer makes them slow; the others are for builds without.
	! has_sanitizer || images=$((images / 10 + 1))
	crash check -n "$images" ${MESS_SEED:+-s "$MESS_SEED"} "$@" "$dir" 3>&- || status=$?
	if [ "$status" -ne 0 ] && [ -n "${MESS_KEEP:-}" ]; then
		mkdir -p "$MESS_KEEP" && cp --sparse=always "$dir/base" "$dir/log" "$MESS_KEEP"
	fi
	return "$status"
}

# What a check said of how many there were: for the test's output.
rig_say() {
	# shellcheck disable=SC2154 # run sets it
	echo "# $BATS_TEST_DESCRIPTION: ${lines[-1]}" >&3
}

# rig_plant GLOB [fsync|fdatasync]: from now on this sync is left out in all
# that is recorded; see nosync.c.
rig_plant() {
	# A sanitizer would be loaded first, and need not be.
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
	${CC:-cc} -D_GNU_SOURCE -O2 -shared -fPIC -o nosync.so "$MESS_SOURCE/tests/crash/nosync.c" -ldl
	export CRASH_PRELOAD=$PWD/nosync.so CRASH_NOSYNC=$1
	[ -z "${2:-}" ] || export CRASH_NOSYNC_CALL=$2
}
