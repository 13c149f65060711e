# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What the files of tests/attack begin with: load attack
#
# Each is one attack against a running system engine, as users that are real:
# see users.bash.  What it begins with says the attack, the defence, and what
# is asserted.  mutants/ROW*.patch take that defence out; tests/long/mutants.bats
# demands that the file fails then.

load ../helper
load ../users

teardown() {
	attack_end
	users_stop
	mess_teardown
}

# attack_start: an engine with the rules on standard input.
attack_start() {
	users_start
	cp "$MESS_BUILD/tests/attack/attack" "$LAND/bin/attack"
	SOCKET=$LAND/run/mess.sock
}

# behind USER COMMAND...: in the background; its pid is in BEHIND.
behind() {
	become "$1"
	shift
	"${AS[@]}" "$@" <&0 3>&- &
	# shellcheck disable=SC2034 # for who called
	BEHIND=$!
}

# What still attacks.
attack_end() {
	local dir

	[ -n "${SOCKET:-}" ] || return 0
	for dir in /proc/[0-9]*; do
		if [ "$(cat "$dir/comm" 2>/dev/null)" = attack ] &&
			grep -qzxF "$SOCKET" "$dir/cmdline" 2>/dev/null; then
			kill -KILL "${dir#/proc/}" 2>/dev/null || :
		fi
	done
}

# each USER: for every line of standard input a connection that says it, and
# a line with all that was answered; see attack.c.
each() {
	as "$1" attack each "$SOCKET"
}

# The same, HELLO said and its answer left out.
each_hello() {
	sed 's/^/HELLO 1\\n/' | each "$1" | sed 's/^OK mess 1 [a-z]* [0-9]*\\n//'
}

# engine_rss: KiB that the engine holds.
engine_rss() {
	awk '/^VmRSS:/ { print $2 }' "/proc/$DELIVERD_PID/status"
}

# engine_cpu: hundredths of a second that it ran.
engine_cpu() {
	local stat

	read -r stat <"/proc/$DELIVERD_PID/stat"
	# shellcheck disable=SC2086 # words
	set -- ${stat##*) }
	echo $((${12} + ${13}))
}

# assert_lines FILE REGEX: each line matches, those that are empty, too.
assert_lines() {
	[ "$(grep -cE -- "$2" "$1")" -eq "$(wc -l <"$1")" ] || fail "$(grep -nvE -- "$2" "$1")"
}

# The engine is there, the one that was started, and serves somebody else.
assert_serves() {
	run -0 as root timeout 10 mess-topic list
	refute process_ended "$DELIVERD_PID"
}

# number TOPIC KEY: of what mess-topic stat says to root.
number() {
	as root mess-topic stat --json "$1" | jq -r ".[0].$2"
}

# spool_tree: the names of all that is in the spool, but for the journal's and the audit's.
spool_tree() {
	(cd "$LAND/spool" && find . \( -path ./.journal -o -path ./mess.audit \) -prune -o -print | sort)
}
