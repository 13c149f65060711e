# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What the power-cut rig's runs are made of: each step says in the disk's
# log what it tries, does it with the real tools, and says what it was told.
# judge.h has the words.

set -u -o pipefail
export MESS_SPOOL=$CRASH_AT/spool
CRASH_SAID=${CRASH_AT%/*}/said
cd / || exit

# A planted bug is for the tools and the engine, not for the shell.
if [ -n "${CRASH_PRELOAD:-}" ]; then
	export LD_PRELOAD=$CRASH_PRELOAD
fi

mark() {
	printf '%s\n' "$*" >>"$CRASH_MARK"
}

# A run that does not do what it should proves nothing.
die() {
	echo "crash: ${BASH_SOURCE[-1]##*/}: $*" >&2
	exit 1
}

# create TOPIC [OPTION...]
create() {
	mark try create "$1"
	mess-topic create "$@" || die "create $*"
	mark ok create "$1"
}

# delete TOPIC
delete() {
	mark try delete "$1"
	mess-topic delete "$1" || die "delete $1"
	mark ok delete "$1"
}

# sub TOPIC NAME: a subscription that begins with the oldest message.
sub() {
	mark try sub "$1" "$2"
	mess-topic sub add "$1" "$2" || die "sub add $1 $2"
	mark ok sub "$1" "$2"
}

unsub() {
	mark try unsub "$1" "$2"
	mess-topic sub rm "$1" "$2" || die "sub rm $1 $2"
	mark ok unsub "$1" "$2"
}

# pub TOPIC KEY LENGTH [OPTION...]: one message.
pub() {
	local topic=$1 key=$2 len=$3 id status=0

	shift 3
	mark try pub "$topic" "$key"
	id=$(crash body "$key" "$len" | mess-pub -v "$@" "$topic" 2>/dev/null) || status=$?
	case $status in
	0) mark ok pub "$topic" "$key" "$(number "$id")" ;;
	75) mark no pub "$topic" "$key" ;;
	*) die "pub $topic $key: $status" ;;
	esac
	return "$status"
}

# The number in TOPIC:SEQ, 0 where there is none.
number() {
	case $1 in
	*:*) echo "${1##*:}" ;;
	*) echo 0 ;;
	esac
}

# lines TOPIC WRITER FROM TO [OPTION...]: a message a line, by one mess-pub.
lines() {
	local topic=$1 writer=$2 from=$3 to=$4 group='' i

	shift 4
	[[ " $* " != *" --atomic "* ]] || group=$writer.$from-$to
	for ((i = from; i <= to; i++)); do
		echo "try pub $topic $writer.$i $group"
	done >>"$CRASH_MARK"
	for ((i = from; i <= to; i++)); do
		echo "$writer.$i 0"
	done | mess-pub -l "$@" "$topic" || die "lines $topic"
	for ((i = from; i <= to; i++)); do
		echo "ok pub $topic $writer.$i 0"
	done >>"$CRASH_MARK"
}

# take TOPIC SUB [OPTION...]: ack what mess-sub takes.
take() {
	local topic=$1 sub=$2 keys key

	shift 2
	mark try take "$topic" "$sub"
	keys=$(mess-sub -e -l -s "$sub" "$@" "$topic" | cut -d ' ' -f 1) || die "take $topic $sub"
	for key in $keys; do
		echo "ok take $topic $sub $key"
	done >>"$CRASH_MARK"
	mark end take "$topic" "$sub"
}

# bury TOPIC SUB COUNT: give up so many.
bury() {
	local keys key

	mark try dead "$1" "$2"
	keys=$(mess-sub -e -n "$3" -s "$2" "$1" -- sh -c 'cut -d " " -f 1; exit 65' 2>/dev/null)
	[ $? -eq 123 ] || die "bury $*"
	for key in $keys; do
		echo "ok dead $1 $2 $key"
	done >>"$CRASH_MARK"
	mark end dead "$1" "$2"
}

redrive() {
	mark try redrive "$1"
	mess-topic redrive "$1" >/dev/null || die "redrive $1"
	mark ok redrive "$1"
}

purge() {
	mark try purge "$1"
	mess-topic purge "$1" >/dev/null || die "purge $1"
	mark ok purge "$1"
}

# The one before may hold the lock a little longer, in its last sync.
engine_start() {
	local i

	for ((i = 0; i < 100; i++)); do
		mess-deliverd --spool "$MESS_SPOOL" </dev/null 2>"$CRASH_SAID" &
		ENGINE=$!
		while kill -0 "$ENGINE" 2>/dev/null; do
			! mess-topic --socket "$MESS_SPOOL/.sock" list >/dev/null 2>&1 || return 0
			sleep 0.01
		done
		sleep 0.05
	done
	cat "$CRASH_SAID" >&2
	die "the engine does not start"
}

engine_stop() {
	kill -"${1:-TERM}" "$ENGINE"
	wait "$ENGINE" 2>/dev/null || [ "${1:-TERM}" = KILL ] || die "the engine failed"
}

# Somebody else's writes to the same file system, synced all the while: they
# take along parts of ours that we did not sync; all of them one time in N.
noise() {
	while :; do
		echo noise >>"$CRASH_AT/noise"
		sync "$CRASH_AT/noise"
		sleep 0.0"$((RANDOM % 5))"
		[ $((RANDOM % $1)) -ne 0 ] || sync -f "$CRASH_AT/noise"
	done
}

# drop TOPIC KEY: a file in new/, synced, as mess-spool(5) shows it.
drop() {
	local dir=$MESS_SPOOL/$1

	mark try pub "$1" "$2"
	crash body "$2" 500 >"$dir/tmp/$2"
	sync "$dir/tmp/$2"
	mv -n "$dir/tmp/$2" "$dir/new/$2"
	sync "$dir/new"
	mark ok pub "$1" "$2" 0
}

# Take all the space there is.
fill() {
	dd if=/dev/zero of="$CRASH_AT/filler" bs=64K 2>/dev/null
	sync "$CRASH_AT/filler"
}
