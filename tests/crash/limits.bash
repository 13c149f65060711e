# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Limits that let the oldest go, and one that refuses.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
mark try free orders
create orders --max-messages 10 --full drop-oldest
create small --max-messages 3
sub orders a
for ((i = 1; i <= 40; i++)); do
	pub orders "p.$i" $((i * 997))
	[ $((i % 9)) -ne 0 ] || take orders a -n 2
done
for ((i = 1; i <= 5; i++)); do
	pub small "q.$i" 100 || :
done
sub small b
take small b -n 2
sleep 1.2
for ((i = 6; i <= 8; i++)); do
	pub small "q.$i" 100 || :
done
mark try free short
create short --max-age 1s
lines short r 1 20
sleep 2.2
lines short r 21 25
engine_stop TERM
