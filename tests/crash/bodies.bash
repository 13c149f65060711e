# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Bodies in files of their own, by the socket and directly.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
engine_start
create orders
sub orders a
pub orders p.1 300000
pub orders p.2 100
pub orders p.3 700001 -H 'Kind: large'
take orders a -n 2
pub orders p.4 262145
engine_stop KILL
pub orders p.5 400000
pub orders p.6 10
engine_start
take orders a
pub orders p.7 300000
take orders a
# Files of bodies go after a checkpoint.
sleep 1.2
pub orders p.8 300000
engine_stop TERM
