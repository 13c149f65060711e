#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess(7): what exited 0 is on disk and survives a power cut.  The real
# engine and tools run on a file system whose disk remembers every write and
# flush; then the images that a power cut could have left are mounted,
# recovered and judged.

load helper
load crash/rig

setup() {
	mess_setup
	rig_needs ext4
}

# cut WORK IMAGES
cut_power() {
	rig_record "$BATS_TEST_TMPDIR/rig" "$1"
	run -0 rig_check "$2" "$BATS_TEST_TMPDIR/rig"
	rig_say
}

@test "crash: publishes by the socket, and acks of two subscriptions" {
	cut_power publish 1000
}
