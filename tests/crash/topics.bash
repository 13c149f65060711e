# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Topics and subscriptions that come and go, and purges.

# shellcheck source=tests/crash/work.bash
. "${BASH_SOURCE[0]%/*}/work.bash"

noise 16 &
create a
sub a s
lines a p 1 5
take a s -n 2
create b.c
pub b.c q.1 500
delete a
create a
pub a p.6 20
sub a t
purge a
pub a p.7 30
take a t
unsub a t
pub a p.8 300000
delete b.c
create d --max-age 7d --describe 'a topic with settings'
sub d s
pub d r.1 100
bury d s 1
mess-topic set d --max-age 8d || die 'set'
pub d r.2 100
delete d
sleep 1.2
create d
pub d r.3 200
purge d
create b.c
lines b.c q 2 6 --atomic
delete a
