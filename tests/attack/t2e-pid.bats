#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a process with rights ends, and another gets its number.
# Defence: nobody is let in by a pid or what /proc says of it (lib/auth.c).
# Asserted: the engine's sources look into /proc for their own descriptors
# only, and pids are for telling.

load attack

@test "attack: nothing is decided by a pid" {
	cd "$MESS_SOURCE"
	# A client asks the same of an engine that it starts: not its business here.
	run grep -nE '"/proc/' lib/*.c lib/base/*.c bin/mess-deliverd.c bin/deliverd-*.c
	refute_line --regexp '"/proc/(%|[0-9])'
	run grep -n '"/proc/[^s]' lib/*.c lib/base/*.c bin/mess-deliverd.c bin/deliverd-*.c
	refute_output
	run grep -nE '\bpid\b' lib/acl.c lib/auth.c lib/rule.c lib/grants.c lib/who.c lib/request_access.c
	refute_output
}
