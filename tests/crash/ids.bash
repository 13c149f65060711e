# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Messages that are to be there once, published twice.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
create orders
sub orders a
for ((i = 1; i <= 8; i++)); do
	pub orders "once.$i" 100 --id "once.$i"
	[ $((i % 3)) -ne 0 ] || pub orders "once.$i" 100 --id "once.$i"
done
engine_stop KILL
# Without an engine: a record in new/.
pub orders once.8 100 --id once.8
pub orders once.9 100 --id once.9
engine_start
pub orders once.9 100 --id once.9
pub orders once.2 100 --id once.2
take orders a
engine_stop TERM
