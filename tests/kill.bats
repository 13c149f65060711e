#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess(7): what exited 0 is on disk.  The engine is killed with -9 again and
# again while publishers and a consumer go on; whoever needs one next starts
# the next engine.

load helper

KILLS=${MESS_KILLS:-200}

teardown() {
	touch "$BATS_TEST_TMPDIR/stop"
	mess_teardown
}

# The pid of whoever holds the spool's lock, nothing if nobody does.
lock_holder() {
	awk -v end=":$(stat -c %i "$MESS_SPOOL/.lock")" \
		'$2 == "FLOCK" && substr($6, length($6) - length(end) + 1) == end { print $5; exit }' \
		/proc/locks
}

has_lock_holder() {
	[ -n "$(lock_holder)" ]
}

# produce N: lines pN-1, pN-2, ... until the file stop is there.  What
# mess-pub said is durable goes to acked.N; from behind that it goes on.
produce() {
	local next=1 n

	while [ ! -e stop ]; do
		if seq -f "p$1-%.0f" "$next" $((next + 2999)) | mess-pub -l t 2>"pub.$1.err"; then
			next=$((next + 3000))
		else
			n=$(sed -n 's/.*: \([0-9]*\) messages\{0,1\} \(are\|is\) durable, stopped.*/\1/p' "pub.$1.err")
			[ -n "$n" ] || { cat "pub.$1.err" >&2; return 1; }
			next=$((next + n))
		fi
		echo $((next - 1)) >"acked.$1"
		sleep 0.03
	done
}

# Of each producer every number up to acked, without a gap; a number may come
# again (its publisher was not told), nothing else may come.
explains() {
	perl -e '
		my (%last, %acked);
		for my $p (1, 2) { open my $f, "<", "acked.$p" or die; $acked{$p} = <$f>; }
		while (<STDIN>) {
			/^p([12])-(\d+)$/ or die "never published: $_";
			my $m = $last{$1} // 0;
			die "p$1: $2 after $m" if $2 > $m + 1;
			die "p$1: $2 was never published" if $2 > $acked{$1} + 3000;
			$last{$1} = $2 if $2 > $m;
		}
		for my $p (1, 2) {
			die "p$p: $acked{$p} acknowledged, $last{$p} came out" if ($last{$p} // 0) < $acked{$p};
		}'
}

@test "kill: what was acknowledged before kill -9 comes out, in order, intact" {
	local seed=${MESS_SEED:-$RANDOM} pids=() live i

	echo "# seed $seed" >&3
	RANDOM=$seed
	cd "$BATS_TEST_TMPDIR"
	mess-topic create t
	mess-sub -e -s check t
	mess-sub -l -s live t >live.out 2>live.err 3>&- &
	live=$!
	for i in 1 2; do
		produce "$i" 3>&- &
		pids+=($!)
	done

	for ((i = 0; i < KILLS; i++)); do
		wait_for "$MESS_PATIENCE" has_lock_holder
		sleep "0.$(printf '%03d' $((RANDOM % 120)))"
		kill -KILL "$(lock_holder)" || :
	done
	touch stop
	for i in "${pids[@]}"; do
		wait "$i"
	done

	mess-sub -e -l -s check t >check.out
	wait_for 60 pending_is t 0 live
	kill -TERM "$live"
	wait "$live"
	echo "# $(cat acked.1) and $(cat acked.2) acknowledged, $(wc -l <check.out) came out" >&3
	explains <check.out
	explains <live.out
}

@test "kill: each message is in the spool whole after kill -9, and its sum holds" {
	cd "$BATS_TEST_TMPDIR"
	deliverd_start
	seq 1 50000 | mess-pub -l t 3>&- &
	publisher=$!
	wait_for "$MESS_PATIENCE" test -d "$MESS_SPOOL/t"
	deliverd_kill
	wait "$publisher" || :

	mess-sub -e --records t >records

	payloads <records >/dev/null
	run cat "$DELIVERD_LOG"
	refute_output --partial damaged
}
