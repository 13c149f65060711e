#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-topic(1) stat: what it shows to programs, to Prometheus, on a terminal.

# shellcheck disable=SC2030,SC2031,SC2094,SC2154 # each test is a subshell; run sets $stderr
load helper

setup() {
	mess_setup
	TMUX_DIR=$BATS_TEST_TMPDIR/tmux
	mkdir -p "$TMUX_DIR"
}

teardown() {
	[ ! -S "$TMUX_DIR/sock" ] || tmux -S "$TMUX_DIR/sock" kill-server || :
	mess_teardown
}

# terminal COLUMNS ROWS COMMAND: run it in a terminal; screen shows it.
terminal() {
	tmux -S "$TMUX_DIR/sock" -f /dev/null new-session -d -x "$1" -y "$2" "sh" 3>&-
	tmux -S "$TMUX_DIR/sock" send-keys "PS1='ready$ ' PATH='$PATH' MESS_SPOOL='$MESS_SPOOL'; export PATH; clear" Enter
	wait_for "$MESS_PATIENCE" screen_has '^ready\$ *$'
	tmux -S "$TMUX_DIR/sock" send-keys "$3" Enter
}

screen() {
	tmux -S "$TMUX_DIR/sock" capture-pane -p
}

screen_has() {
	screen | grep -qE -- "$1"
}

screen_has_not() {
	! screen | grep -qE -- "$1"
}

# A topic with two subscriptions that got differently far.
make_topics() {
	deliverd_start
	mess-sub -e -s nightly orders
	seq 1 20 | mess-pub -l orders
	mess-sub -n 15 orders >/dev/null
	mess-sub -n 3 -s nightly orders >/dev/null
	mess-pub -m x logs.web
	mess-topic create empty
}

# prometheus <TEXT: is it the text exposition format, and within its conventions?
prometheus() {
	perl -e '
		my (%type, %help, %done, %seen, $current);
		sub bad { die "line $.: $_[0]: $_\n" }
		while (<STDIN>) {
			s/\n\z// or bad("no newline at the end");
			if (/^# HELP ([a-z_][a-z0-9_]*) (\S.*)$/) {
				bad("HELP twice") if $help{$1}++;
				next;
			}
			if (my ($of, $type) = /^# TYPE ([a-z_][a-z0-9_]*) (\S+)$/) {
				bad("TYPE twice or after samples") if $type{$of} || $done{$of};
				bad("TYPE before HELP") unless $help{$of};
				bad("unknown type") unless $type =~ /^(?:counter|gauge)$/;
				bad("a counter ends in _total") if ($type eq "counter") != ($of =~ /_total$/);
				$type{$of} = $type;
				next;
			}
			bad("a comment of no kind") if /^#/;
			my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"/;
			my ($name, $labels, $value) =
				/^([a-zA-Z_][a-zA-Z0-9_]*)(?:\{($label(?:,$label)*)?\})? (-?\d+(?:\.\d+)?)$/
				or bad("no sample");
			bad("no TYPE before it") unless $type{$name};
			if (!defined $current || $current ne $name) {
				bad("its samples are not together") if $done{$name}++;
				$current = $name;
			}
			bad("the same series twice") if $seen{"$name $labels"}++;
			bad("prefix") unless $name =~ /^mess_(topic|subscription)_/;
			bad("not a base unit") if $name =~ /_(ms|us|milliseconds|microseconds|kilobytes)(_|$)/;
		}
		%seen or die "no sample at all\n"'
}

@test "stat: --json has the members that the manual names, also those that count nothing yet" {
	make_topics

	mess-topic stat --json | jq -e '
		map(.topic) == ["empty", "logs.web", "orders"] and
		(.[2] | .published == 20 and .present == 17 and .bytes > 0 and .depth == 17 and .oldest_age >= 0) and
		(.[] | [.refused, .expired, .purged, .dropped, .dead, .commit_p50_us, .commit_p99_us] |
			all(type == "number")) and
		(.[2].subscriptions | map(.name) == ["default", "nightly"]) and
		(.[2].subscriptions[] | has("owner") and
			([.pending, .leased, .delayed, .dead, .redelivered, .consumers] | all(type == "number")))'
	assert_equal "$(mess-topic stat --json orders | jq -c '.[0].subscriptions | map(.pending)')" "[5,17]"
}

@test "stat: the manual names every line that the engine says" {
	local key

	make_topics
	mandoc -T ascii "$MESS_SOURCE/man/mess-topic.1" | sed 's/.\x08//g' >page
	for key in $(mess-topic stat | cut -d' ' -f1 | sort -u); do
		grep -qE -- "^ *([a-z0-9-]+, )*$key(,|\$| )" page || fail "mess-topic(1) says nothing of $key"
	done
}

@test "stat: who holds a topic back, what is paused, dead and near its limit, is seen at once" {
	local i

	deliverd_start
	mess-topic create orders --max-bytes 1M
	mess-topic sub add orders nightly
	seq 1 20 | mess-pub -l orders
	mess-sub -n 18 orders >/dev/null
	mess-sub -n 2 orders -- sh -c 'exit 65' 2>/dev/null || :
	mess-topic pause orders in
	mess-pub -m x orders 2>/dev/null || :

	mess-topic stat --json orders | jq -e '.[0] | .held_by == "nightly" and .dead == 2 and .paused == "in" and
		.max_bytes == 1048576 and .refused == 1 and .commit_p99_us > 0'
	run -0 mess-topic stat --prometheus orders
	assert_line 'mess_topic_dead{topic="orders"} 2'
	assert_line 'mess_topic_paused_in{topic="orders"} 1'
	assert_line 'mess_topic_paused_out{topic="orders"} 0'
	assert_line 'mess_topic_max_bytes{topic="orders"} 1048576'
	assert_line "mess_subscription_dead_total{topic=\"orders\",subscription=\"default\",owner=\"$(id -un)\"} 2"
	prometheus <<<"$output"
	run -0 script -qec 'TERM=dumb mess-topic stat orders' /dev/null
	assert_output --regexp 'orders +20 +0 +0 +2 +0 +[0-9]+s +1 .*/1M +paused in  held by nightly'
}

@test "stat: an operand may be a pattern; a topic that two of them name is shown once" {
	make_topics
	mess-topic create logs.db

	assert_equal "$(mess-topic stat 'logs.*' | grep '^topic' | xargs)" "topic logs.db topic logs.web"
	assert_equal "$(mess-topic stat logs.web '**' 'logs.*' | grep '^topic' | xargs)" \
		"topic logs.web topic empty topic logs.db topic orders"
	run -0 mess-topic stat 'nothing.*'
	assert_output ""
	assert_equal "$(mess-topic stat --json 'nothing.*')" "[]"
	run -64 --separate-stderr mess-topic stat 'a*'
	assert_one_error mess-topic
}

@test "stat: --prometheus is the exposition format, and says what --json says" {
	make_topics

	mess-topic stat --prometheus >metrics
	prometheus <metrics
	run -0 cat metrics
	assert_line 'mess_topic_published_total{topic="orders"} 20'
	assert_line 'mess_topic_depth{topic="orders"} 17'
	assert_line --regexp '^mess_topic_oldest_age_seconds\{topic="orders"\} [0-9]+\.[0-9]{3}$'
	assert_line --regexp '^mess_subscription_pending\{topic="orders",subscription="default",owner="[^"]*"\} 5$'
	if command -v promtool >/dev/null; then
		promtool check metrics <metrics
	fi
	# What is no such format is found out.
	run ! prometheus <<<'mess_topic_depth{topic="x"} 1'
	run ! prometheus < <(cat metrics metrics)
	run ! prometheus < <(sed 's/orders/or"ders/' metrics)
}

@test "stat: --prometheus and --json do not go together, and it does not watch" {
	run -64 --separate-stderr mess-topic stat --prometheus --json
	assert_one_error mess-topic
	run -64 --separate-stderr mess-topic stat --prometheus --watch
	assert_one_error mess-topic
	run -64 --separate-stderr mess-topic stat --color=perhaps
	assert_one_error mess-topic
	run -64 --separate-stderr mess-topic list --watch
	assert_one_error mess-topic
}

@test "stat: into a pipe it is plain; on a terminal its columns stand under their heads" {
	make_topics

	run -0 mess-topic stat
	refute_output --partial $'\033'
	assert_line "published 20"

	terminal 100 20 "mess-topic stat; echo over"
	wait_for "$MESS_PATIENCE" screen_has '^over'
	screen | perl -e '
		my @lines = <STDIN>;
		my ($head) = grep { /^TOPIC/ } @lines;
		my ($topic) = grep { /^orders / } @lines;
		my ($sub) = grep { /^  nightly / } @lines;
		die "no table: @lines" unless $head && $topic && $sub;
		for my $name ("DEPTH", "LEASED", "DEAD", "AGAIN") {
			my $end = index($head, $name) + length $name;
			for ($topic, $sub) {
				substr($_, $end - 1, 2) =~ /^[0-9]\s$/ or die "$name: not under its head: $_";
			}
		}
		print $topic =~ /^orders +17 / && $sub =~ /^  nightly +17 / ? "aligned\n" : "@lines"' >said
	assert_equal "$(cat said)" aligned
}

@test "stat: NO_COLOR, TERM=dumb, --color=never and a pipe have no colours, --color=always has" {
	make_topics
	bold=$'\033[1m'

	run -0 script -qec 'TERM=xterm mess-topic stat' /dev/null
	assert_output --partial "$bold"
	run -0 script -qec 'NO_COLOR=1 TERM=xterm mess-topic stat' /dev/null
	refute_output --partial $'\033'
	assert_output --partial TOPIC
	run -0 script -qec 'TERM=dumb mess-topic stat' /dev/null
	refute_output --partial $'\033'
	run -0 script -qec 'TERM=xterm mess-topic stat --color=never' /dev/null
	refute_output --partial $'\033'
	run -0 mess-topic stat --color=always
	assert_output --partial "$bold"
}

@test "stat: --watch into a pipe is one plain block a second, and a signal ends it with 0" {
	make_topics

	mess-topic stat --watch orders >blocks 3>&- &
	pid=$!
	wait_for "$MESS_PATIENCE" blocks_are 3
	kill -TERM "$pid"
	wait "$pid"
	refute grep -q $'\033' blocks
	assert_equal "$(grep -c '^topic orders$' blocks)" "$(grep -c '^time 20..-..-..T..:..:..Z$' blocks)"
	assert_equal "$(tail -n 1 blocks)" ""

	mess-topic stat --watch --json orders >objects 3>&- &
	pid=$!
	wait_for "$MESS_PATIENCE" test -s objects
	kill -INT "$pid"
	wait "$pid"
	head -n 1 objects | jq -e '.[0].topic == "orders"'
}

blocks_are() {
	[ "$(grep -c '^time ' blocks)" -ge "$1" ]
}

@test "stat: --watch ends when nobody reads it any more" {
	make_topics

	run -0 timeout 20 bash -c 'mess-topic stat --watch | head -n 1; exit 0'
	assert_line --regexp '^time '
}

@test "stat: --watch draws over itself, shows rates, and leaves the terminal as it was" {
	make_topics

	terminal 100 12 "echo before; mess-topic stat --watch; echo status \$?"
	wait_for "$MESS_PATIENCE" screen_has '^orders +17 '
	screen_has 'IN/S +OUT/S'
	refute screen_has '^before'
	seq 21 220 | mess-pub -l orders
	wait_for "$MESS_PATIENCE" screen_has '^orders +217 '
	# Drawn again where it was: one head, no line of an earlier look.
	assert_equal "$(screen | grep -c '^TOPIC')" 1
	assert_equal "$(screen | grep -c '^orders')" 1
	refute screen_has '^orders +17 '

	tmux -S "$TMUX_DIR/sock" send-keys C-c
	wait_for "$MESS_PATIENCE" screen_has '^status 0'
	screen_has '^before'
	refute screen_has '^orders'
	assert_equal "$(tmux -S "$TMUX_DIR/sock" display-message -p '#{alternate_on} #{cursor_flag}')" "0 1"
}

@test "stat: --watch fits the terminal: a long line is cut, lines too many are counted" {
	local i

	deliverd_start
	for i in {1..30}; do
		echo "CREATE t$i"
	done | (
		echo "HELLO 1"
		cat
	) | talk >/dev/null

	terminal 40 10 "mess-topic stat --watch"
	wait_for "$MESS_PATIENCE" screen_has '^and [0-9]+ more'
	screen_has '^TOPIC'
	assert_equal "$(screen | awk 'length > 40' | wc -l)" 0
	tmux -S "$TMUX_DIR/sock" resize-window -x 120 -y 40
	wait_for "$MESS_PATIENCE" screen_has '^t9 '
	wait_for "$MESS_PATIENCE" screen_has_not '^and [0-9]+ more'
}
