# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Segments that fill and are followed by larger ones, and a journal whose
# halves take turns.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 200 &
engine_start
create orders
sub orders a
sub orders b
for ((i = 1; i <= 60; i++)); do
	pub orders "p.$i" $((20000 + i * 4001))
	[ $((i % 30)) -ne 2 ] || take orders a -n 2
done
# What is settled is freed after a checkpoint, and its segments go.
take orders a
take orders b
sleep 1.2
pub orders p.61 100
engine_stop KILL
engine_start
for ((i = 62; i <= 90; i++)); do
	pub orders "p.$i" 100000
done
take orders a
take orders b
sleep 1.2
pub orders p.91 100
engine_stop TERM
