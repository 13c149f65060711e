# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# A disk that is full, and has room again.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
create orders
sub orders a
pub orders p.1 1000
fill
for ((i = 2; i <= 8; i++)); do
	pub orders "p.$i" 200000 || :
	pub orders "p.$((i + 100))" 300000 || :
done
take orders a -n 1
mess-topic create other 2>/dev/null && die 'a topic on a full disk'
purge orders
rm "$CRASH_AT/filler"
pub orders p.200 5000 || die 'there is room again'
pub orders p.201 300000 || die 'there is room again'
engine_stop KILL
engine_start
take orders a
engine_stop TERM
