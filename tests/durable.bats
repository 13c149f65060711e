#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-deliverd(8): nobody is told OK before what was asked is on disk; what
# arrives together shares one sync.

load helper

# An engine whose writes and syncs go to the file trace.  It does not let
# its own user look into its memory, only root.
traced_start() {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to see what the engine writes"
	# Leaks cannot be looked for under a tracer.
	ASAN_OPTIONS=detect_leaks=0 strace -f -s 65536 -e trace=fdatasync,fsync,sendto,sendmsg,write,pwrite64 \
		-o trace mess-deliverd --spool "$MESS_SPOOL" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- &
	TRACER=$!
	wait_for "$MESS_PATIENCE" deliverd_answers
}

traced_stop() {
	kill -TERM "$(deliverd_pid)"
	wait_for "$MESS_PATIENCE" process_ended "$TRACER"
}

@test "durable: no OK leaves before the sync that holds its message" {
	cd "$BATS_TEST_TMPDIR"
	traced_start
	mess-pub t -m first

	for i in $(seq 1 40); do
		mess-pub t -m "marker-$i-"
	done
	seq -f 'marker-%.0f-' 41 60 | mess-pub -l t
	traced_stop

	# For each message: written to the journal, then synced, then answered.
	run -0 perl -ne '
		push @lines, $_;
		END {
			for my $k (1 .. 60) {
				my ($w) = grep { $lines[$_] =~ /pwrite64\(.*marker-$k-/ } 0 .. $#lines;
				defined $w or die "marker-$k- was never written";
				my ($s) = grep { $_ > $w && $lines[$_] =~ /(fdatasync\(.*|<\.\.\. fdatasync resumed>.*)= 0$/ } 0 .. $#lines;
				my ($a) = grep { $_ > $w && $lines[$_] =~ /send(to|msg)\(.*OK \d/ } 0 .. $#lines;
				defined $s && defined $a or die "marker-$k-: not synced or not answered";
				$s < $a or die "marker-$k- was answered before it was synced";
			}
			print "60 in order\n";
		}' trace
	assert_output "60 in order"
}

@test "durable: publishers that come together share a sync" {
	local syncs pids=()

	cd "$BATS_TEST_TMPDIR"
	traced_start
	mess-pub t -m first

	for i in $(seq 1 8); do
		seq 1 500 | mess-pub -l t 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	traced_stop

	published=$(grep -c 'fdatasync(' trace)
	echo "# $published syncs for 4000 messages" >&3
	[ "$published" -lt 400 ]
}

@test "durable: an ack is answered after the sync that holds it" {
	cd "$BATS_TEST_TMPDIR"
	traced_start
	mess-pub t -m one

	mess-sub -e t >out
	traced_stop

	# The last OK comes after a sync that comes after the message was sent.
	run -0 perl -ne '
		push @lines, $_;
		END {
			my ($m) = grep { $lines[$_] =~ /send(to|msg)\(.*MSG t 1/ } 0 .. $#lines;
			my ($s) = grep { $_ > $m && $lines[$_] =~ /fdatasync.*= 0$/ } 0 .. $#lines;
			my ($a) = grep { defined $s && $_ > $m && $lines[$_] =~ /send(to|msg)\([^"]*"OK\\n"/ } 0 .. $#lines;
			print defined $m && defined $s && defined $a && $s < $a ? "in order\n" : "not: $m $s $a\n";
		}' trace
	assert_output "in order"
}
