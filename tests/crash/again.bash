# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What comes after a power cut: the disk is an image that one left.  The
# engine starts, is killed, starts again, and serves.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
engine_stop KILL
engine_start
mess-topic fsck || die 'fsck'
mess-topic verify || die 'verify'
for topic in $(mess-topic list | grep -v '\.dead$'); do
	pub "$topic" "again-$topic.1" 100 || :
done
engine_stop TERM
