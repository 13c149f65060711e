# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Publishes by the socket and acks of two subscriptions.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
create orders
sub orders a
sub orders b
for ((i = 1; i <= 10; i++)); do
	pub orders "p.$i" $((i * 137))
done
lines orders q 1 20
take orders a -n 7
lines orders r 1 10 --atomic
take orders b
pub orders p.11 5000
take orders a
engine_stop KILL
engine_start
pub orders p.12 100
take orders b
engine_stop TERM
