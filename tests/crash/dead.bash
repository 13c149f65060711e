# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Dead letters, redrive, and acks of what came back.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
create orders
sub orders a
sub orders b
for ((i = 1; i <= 12; i++)); do
	pub orders "p.$i" $((i * 50))
done
bury orders a 3
take orders a -n 2
take orders b -n 4
bury orders a 2
redrive orders
pub orders p.13 300000
take orders b
bury orders a 1
engine_stop KILL
engine_start
redrive orders
take orders a
engine_stop TERM
