# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# A system engine and its users, for tests of access: load users, after
# helper.  The users are real ones for everything that runs in the test's own
# mount namespace, where /etc/passwd and /etc/group are the test's; the
# machine's are not touched.
#
#	mess	6100	the engine's
#	alice	6101	in ops
#	bob	6102	in shop
#	carol	6103	in analytics
#	mallory	6104	in nothing
#
# root is an administrator, as always.

: "${DELIVERD_LOG:=}"

# Make them, and start the engine with the rules on standard input; the spool
# is on a disk of its own where SPOOL_DISK has options of one (size=64m).
users_start() {
	local name id

	[ "$(id -u)" -eq 0 ] || skip "needs root and other users"
	LAND=$(mktemp -d /tmp/mess-users.XXXXXX)
	chmod 755 "$LAND"
	mkdir "$LAND/bin" "$LAND/etc"
	cp "$MESS_BUILD"/bin/mess-pub "$MESS_BUILD"/bin/mess-sub "$MESS_BUILD"/bin/mess-topic \
		"$MESS_BUILD"/bin/mess-deliverd "$LAND/bin"
	cp /etc/passwd /etc/group "$LAND/etc"
	for name in mess:6100 alice:6101 bob:6102 carol:6103 mallory:6104; do
		id=${name#*:}
		name=${name%:*}
		echo "$name:x:$id:$id::/nonexistent:/bin/sh" >>"$LAND/etc/passwd"
		echo "$name:x:$id:" >>"$LAND/etc/group"
	done
	printf '%s\n' ops:x:6201:alice shop:x:6202:bob analytics:x:6203:carol >>"$LAND/etc/group"

	install -d -o 6100 -g 6100 -m 0755 "$LAND/run"
	install -d -o 6100 -g 6100 -m 0700 "$LAND/spool"
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount --propagation private sh -c '
		mount --bind "$1/etc/passwd" /etc/passwd && mount --bind "$1/etc/group" /etc/group &&
		if [ "$2" ]; then
			mount -t tmpfs -o "mode=0700,uid=6100,gid=6100,$2" spool "$1/spool" || exit
		fi
		: >"$1/ready" && exec sleep infinity' sh "$LAND" "${SPOOL_DISK:-}" 3>&- &
	LAND_PID=$!
	wait_for "$MESS_PATIENCE" test -e "$LAND/ready"

	users_write_rules
	unset MESS_SPOOL
	export MESS_SOCKET=$LAND/run/mess.sock
	users_engine
}

# users_add_group NAME MEMBER: one more group.
users_add_group() {
	gid=$((${gid:-6300} + 1))
	echo "$1:x:$gid:$2" >>"$LAND/etc/group"
}

# The engine that runs ends, and another one serves the spool.
users_engine_again() {
	deliverd_stop
	users_engine
}

users_write_rules() {
	{
		printf 'spool %s\nsocket %s\n' "$LAND/spool" "$LAND/run/mess.sock"
		cat
	} >"$LAND/mess.conf"
}

# Start the engine, again perhaps.
users_engine() {
	become mess
	"${AS[@]}" mess-deliverd -c "$LAND/mess.conf" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	DELIVERD_PID=$!
	wait_for "$MESS_PATIENCE" as root mess-topic list
}

# Other rules, on standard input; they are in force when this returns.
users_rules() {
	local before

	before=$(grep -c 'read again$' "$DELIVERD_LOG") || :
	users_write_rules
	kill -HUP "$DELIVERD_PID"
	wait_for "$MESS_PATIENCE" users_read_again "$before"
}

users_read_again() {
	[ "$(grep -c 'read again$' "$DELIVERD_LOG")" -gt "$1" ]
}

# as USER COMMAND...: with that user's uid and groups, and nothing else of ours.
as() {
	become "$1"
	shift
	"${AS[@]}" "$@"
}

# become USER: the words before a command that is to run as that user, in AS;
# for the background, where $! is then the command's.
become() {
	AS=(nsenter --mount="/proc/$LAND_PID/ns/mnt" --wd=/
		setpriv --reuid="$1" --regid="$1" --init-groups
		env -i PATH="$LAND/bin:/usr/bin:/bin" LC_ALL=C.UTF-8 HOME=/nonexistent
		MESS_SOCKET="$LAND/run/mess.sock"
		ASAN_OPTIONS="${ASAN_OPTIONS:-}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}")
}

# users_rename OLD NEW: the uid is somebody else's now, who has that name.
users_rename() {
	local file

	for file in passwd group; do
		# Written in place: the file is mounted.
		sed "s/^$1:/$2:/" "$LAND/etc/$file" >"$LAND/etc/new"
		cat "$LAND/etc/new" >"$LAND/etc/$file"
	done
}

users_stop() {
	[ -n "${LAND:-}" ] || return 0
	end_processes
	kill "$LAND_PID" 2>/dev/null && wait "$LAND_PID" 2>/dev/null
	rm -rf "$LAND"
	LAND=
}

# says USER TEXT...: what the engine answers to these lines, HELLO's answer left out.
says() {
	local user=$1

	shift
	printf '%s\n' "HELLO 1" "$@" | as "$user" socat -t 5 - "UNIX-CONNECT:$LAND/run/mess.sock" | tail -n +2
}
