# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Direct publishes, without an engine: files in new/, as bodies and as
# records, that engines take in, one of them killed at it.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
create orders
sub orders a
engine_stop TERM
for ((i = 1; i <= 6; i++)); do
	pub orders "p.$i" $((i * 300))
done
pub orders p.7 1000 -H 'Kind: record'
lines orders p 8 30
engine_start
take orders a -n 9
engine_stop KILL
pub orders p.31 200
pub orders p.32 0
drop orders p.33
engine_start
drop orders p.34
drop orders p.35
pub orders p.36 77
take orders a
engine_stop TERM
