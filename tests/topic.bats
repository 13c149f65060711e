#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-topic(1): make, remove and look at topics.

# shellcheck disable=SC2030,SC2031,SC2094,SC2154 # each test is a subshell; run sets $stderr
load helper

incarnation() {
	mess-topic show "$1" | sed -n 's/^incarnation //p'
}

# json <TEXT: fails unless it is JSON, as far as anything here can tell.
json() {
	if command -v jq >/dev/null; then
		jq -e . >/dev/null
	elif command -v python3 >/dev/null; then
		python3 -m json.tool >/dev/null
	else
		perl -e 'local $/; my $t = <STDIN>;
			my $s = qr/"(?:[^"\\\x00-\x1f]|\\["\\\/bfnrt]|\\u[0-9a-f]{4})*"/;
			my $v; $v = qr/\s*(?:$s|-?\d+(?:\.\d+)?|true|false|null|\[\s*\]|\{\s*\}
				|\[(??{$v})(?:,(??{$v}))*\]|\{\s*$s\s*:(??{$v})(?:,\s*$s\s*:(??{$v}))*\})\s*/x;
			exit($t =~ /^$v$/ ? 0 : 1)'
	fi
}

@test "topic: create makes a topic, in silence" {
	run -0 --separate-stderr mess-topic create orders
	assert_equal "$output$stderr" ""

	run -0 mess-topic list
	assert_output orders
	mess-pub -m x orders
	run -0 mess-sub -e orders
	assert_output x
}

@test "topic: create of one that exists is 73 and changes nothing" {
	mess-pub -m x orders
	before=$(mess-topic show orders)

	run -73 --separate-stderr mess-topic create orders
	assert_one_error mess-topic
	assert_equal "$(mess-topic show orders)" "$before"
	assert_equal "$(mess-sub -e orders)" x
}

@test "topic: create of what is no name is 64 and makes nothing" {
	local name

	for name in '' . .. .a a. a..b A a/b 'a b' ä -- a- mess mess.x user dead a.dead a.b.c.d.e.f.g.h '*'; do
		run --separate-stderr mess-topic create -- "$name"
		[ "$status" -eq 64 ] || fail "\"$name\": exit status $status, not 64"
		assert_one_error mess-topic
	done
	run -0 mess-topic list
	assert_output ""
}

@test "topic: create and delete are durable when they exit 0" {
	deliverd_start
	mess-topic create a
	mess-topic create b
	mess-topic delete a

	deliverd_kill
	deliverd_start

	run -0 mess-topic list
	assert_output b
}

@test "topic: delete removes it, its messages and its subscriptions; then it is 66" {
	mess-pub -m x orders
	mess-sub --peek orders
	mess-sub -n 1 -s billing orders

	run -0 --separate-stderr mess-topic delete orders
	assert_equal "$output$stderr" ""

	run -66 --separate-stderr mess-topic delete orders
	assert_one_error mess-topic
	run -66 --separate-stderr mess-topic show orders
	assert_one_error mess-topic
	run -66 --separate-stderr mess-topic stat orders
	assert_one_error mess-topic
	run -0 mess-topic list
	assert_output ""
	wait_for "$MESS_PATIENCE" trash_is_empty
}

trash_is_empty() {
	[ -z "$(ls -A "$MESS_SPOOL/.trash" 2>/dev/null)" ]
}

@test "topic: one that is made again is a new one, nothing of the old attaches to it" {
	deliverd_start
	seq 1 100 | mess-pub -l orders
	mess-sub -n 10 orders >/dev/null
	mess-sub -n 1 -s billing orders >/dev/null
	before=$(incarnation orders)

	mess-topic delete orders
	mess-topic create orders

	refute [ "$(incarnation orders)" = "$before" ]
	assert_equal "$(stat_of orders published)" 0
	run -0 mess-topic show orders
	refute_output --partial subscription
	mess-pub -m new orders
	run -0 mess-sub -e -l orders
	assert_output new
	# Nor after a crash, with the old one's entries perhaps still in the journal.
	deliverd_kill
	deliverd_start
	assert_equal "$(stat_of orders published)" 1
	assert_equal "$(mess-sub -e -l -s another orders)" ""
}

@test "topic: deleted and made again 50 times, with kill -9 between" {
	deliverd_start
	for i in {1..50}; do
		seq "$i" $((i + 5)) | mess-pub -l t
		if [ $((i % 10)) -eq 0 ]; then
			deliverd_kill
			deliverd_start
		fi
		assert_equal "$(mess-sub -e -l t | xargs)" "$(seq "$i" $((i + 5)) | xargs)"
		mess-topic delete t
	done
	run -0 mess-topic list
	assert_output ""
}

@test "topic: a name that is like one that exists is named: did you mean" {
	mess-topic create orders

	run -66 --separate-stderr mess-topic show ordres
	assert_one_error mess-topic
	[[ $stderr == 'mess-topic: ordres: no such topic'*'did you mean "orders"?'* ]]
	run -66 --separate-stderr mess-topic delete ordrs
	[[ $stderr == *'did you mean "orders"?'* ]]
	run -66 --separate-stderr mess-topic stat something
	[[ $stderr != *'did you mean'* ]]
}

@test "topic: list prints names, one a line, sorted" {
	for name in b a c.d c b-1 b_1 b.a a0; do
		mess-topic create "$name"
	done

	run -0 --separate-stderr mess-topic list
	assert_equal "$output" "$(printf '%s\n' b a c.d c b-1 b_1 b.a a0 | LC_ALL=C sort)"
	assert_equal "$stderr" ""
}

@test "topic: list PATTERN: * is one label, a last ** one or more" {
	for name in logs logs.web logs.db logs.web.error jobs.web; do
		mess-topic create "$name"
	done

	assert_equal "$(mess-topic list 'logs.*' | xargs)" "logs.db logs.web"
	assert_equal "$(mess-topic list 'logs.**' | xargs)" "logs.db logs.web logs.web.error"
	assert_equal "$(mess-topic list '*.web' | xargs)" "jobs.web logs.web"
	assert_equal "$(mess-topic list '*' | xargs)" "logs"
	assert_equal "$(mess-topic list '**' | wc -l)" 5
	assert_equal "$(mess-topic list logs.web)" "logs.web"
	assert_equal "$(mess-topic list nothing)" ""
	run -64 mess-topic list '**.a'
	run -64 mess-topic list 'lo*'
	run -64 mess-topic list ''
}

@test "topic: list of more names than one reply holds has them all, once" {
	local i long

	long=$(printf 'x%.0s' {1..60})
	deliverd_start
	(
		echo "HELLO 1"
		for i in {1001..1700}; do
			echo "CREATE $long.$long.n$i"
		done
	) | talk 60 >replies
	assert_equal "$(grep -c '^OK$' replies)" 700

	mess-topic list >names
	for i in {1001..1700}; do
		echo "$long.$long.n$i"
	done | cmp - names
	mess-topic stat >stat
	assert_equal "$(grep -c '^topic ' stat)" 700
}

@test "topic: show prints owner, incarnation, creation and subscriptions" {
	mess-topic create orders
	mess-sub -e -s billing orders
	mess-sub -e orders

	run -0 mess-topic show orders
	assert_line "topic orders"
	assert_line "owner $(id -u) $(id -un)"
	assert_line --regexp '^incarnation [0-9a-f]{32}$'
	assert_line --regexp '^created [0-9]+\.[0-9]{9}$'
	assert_line "subscription billing"
	assert_line "subscription default"
}

@test "topic: stat prints the counts" {
	deliverd_start
	mess-sub -e -s slow t
	seq 1 10 | mess-pub -l t
	assert_equal "$(mess-sub -n 4 -l t | wc -l)" 4

	assert_equal "$(stat_of t published)" 10
	assert_equal "$(stat_of t first)" 1
	assert_equal "$(stat_of t present)" 10
	assert_equal "$(stat_of t depth)" 10
	assert_equal "$(stat_of t damaged)" 0
	assert_equal "$(stat_of t acked default)" 4
	assert_equal "$(stat_of t pending default)" 6
	assert_equal "$(stat_of t leased default)" 0
	assert_equal "$(stat_of t consumers default)" 0
	assert_equal "$(stat_of t pending slow)" 10
	assert_equal "$(stat_of t acked slow)" 0

	mess-sub -e -s slow t >/dev/null
	assert_equal "$(stat_of t depth)" 6
	assert_equal "$(stat_of t first)" 5
	mess-sub -e t >/dev/null
	assert_equal "$(stat_of t present)" 0
	assert_equal "$(stat_of t first)" 11
	assert_equal "$(stat_of t published)" 10
	run -0 mess-topic stat t
	assert_line "oldest 0"
}

@test "topic: stat without subscriptions counts what is present as depth" {
	seq 1 3 | mess-pub -l t

	assert_equal "$(stat_of t depth)" 3
	run -0 mess-topic stat t
	assert_line --regexp '^oldest [0-9]+\.[0-9]{9}$'
}

@test "topic: counts are the same after a restart and after kill -9" {
	deliverd_start
	seq 1 1000 | mess-pub -l t
	mess-sub -n 400 t >/dev/null
	before=$(mess-topic stat t | grep -vE '^(bytes|leased|redelivered|commit-p..-us) ')

	deliverd_stop
	deliverd_start
	assert_equal "$(mess-topic stat t | grep -vE '^(bytes|leased|redelivered|commit-p..-us) ')" "$before"
	deliverd_kill
	deliverd_start
	assert_equal "$(mess-topic stat t | grep -vE '^(bytes|leased|redelivered|commit-p..-us) ')" "$before"
}

@test "topic: stat of several topics, of all, of none" {
	run -0 mess-topic stat
	assert_output ""
	mess-topic create a
	mess-topic create b
	mess-topic create c

	assert_equal "$(mess-topic stat c a | grep '^topic' | xargs)" "topic c topic a"
	assert_equal "$(mess-topic stat | grep '^topic' | xargs)" "topic a topic b topic c"
	run -66 --separate-stderr mess-topic stat a nothing
	assert_equal "$output" ""
}

@test "topic: --json of list, show and stat is JSON, with nothing and with much" {
	local verb

	mess-topic list --json | json
	mess-topic stat --json | json
	assert_equal "$(mess-topic list --json)" "[]"
	assert_equal "$(mess-topic stat --json)" "[]"

	mess-topic create a
	mess-pub -m x b.c-d_e
	mess-sub -n 1 b.c-d_e
	mess-sub -e -s 007 b.c-d_e
	mess-pub -m x 12
	mess-sub -e -s 34 12
	for verb in list stat 'show a' 'show b.c-d_e' 'show 12' 'stat a' 'stat b.c-d_e a'; do
		# shellcheck disable=SC2086 # words
		run -0 --separate-stderr mess-topic --json $verb
		json <<<"$output"
		assert_equal "$stderr" ""
	done
}

@test "topic: --json has the members that the manual names, of the right kind" {
	command -v jq >/dev/null || skip "no jq"
	mess-sub -e -s 12 34
	printf 'a\nb\n' | mess-pub -l 34

	mess-topic list --json | jq -e '. == ["34"]'
	mess-topic show --json 34 | jq -e --arg login "$(id -un)" --argjson uid "$(id -u)" '
		.topic == "34" and .uid == $uid and .owner == $login and (.incarnation | test("^[0-9a-f]{32}$")) and
		(.created | test("^20[0-9][0-9]-.*Z$")) and .subscriptions == ["12"]'
	mess-topic stat --json | jq -e '.[0] |
		.topic == "34" and .published == 2 and .first == 1 and .present == 2 and .bytes > 0 and
		.depth == 2 and .oldest_age >= 0 and .oldest_age < 1000 and .damaged == 0 and
		(.subscriptions[0] | .name == "12" and .pending == 2 and .leased == 0 and .acked == 0 and
			.redelivered == 0 and .consumers == 0)'
	mess-topic create empty
	mess-topic stat --json empty | jq -e '.[0].oldest_age == 0 and .[0].subscriptions == []'
	mess-topic show --json empty | jq -e '.subscriptions == []'
}

@test "topic: a command line that makes no sense is 64" {
	local args

	for args in '' nonsense 'create' 'create a b' 'delete' 'show' 'show a b' 'list a b' \
		'create --json a' 'list --nonsense'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr mess-topic $args
		[ "$status" -eq 64 ] || fail "\"$args\": exit status $status, not 64"
		assert_equal "$output" ""
		[[ $stderr == "mess-topic: "* || $stderr == "usage: "* ]]
	done
}

@test "topic: no engine is 69" {
	run -69 --separate-stderr mess-topic --socket "$BATS_TEST_TMPDIR/nowhere" list
	assert_one_error mess-topic
}

@test "topic: a socket whose name is too long is 64, with the limit and the length" {
	long=$(printf 'x%.0s' {1..100})

	run -64 --separate-stderr mess-topic --socket "$BATS_TEST_TMPDIR/$long" list
	assert_one_error mess-topic
	assert_regex "$stderr" 'at most 82 bytes; this one is 100'
	run -64 --separate-stderr mess-deliverd --spool "$MESS_SPOOL" --socket "$BATS_TEST_TMPDIR/$long"
	assert_one_error mess-deliverd
	run -71 --separate-stderr mess-topic --socket /dev/null/x list
	assert_regex "$stderr" 'Not a directory'
}

@test "topic: who only looks makes no spool" {
	local verb

	for verb in list stat 'show t' 'peek t' 'wait t --empty' verify 'export t' 'sub list t'; do
		# shellcheck disable=SC2086 # words
		run -66 --separate-stderr mess-topic --spool ./mistyped $verb
		assert_one_error mess-topic
		assert_regex "$stderr" 'no such spool'
	done
	run -3 mess-topic --spool ./mistyped check t
	assert [ ! -e mistyped ]
	run -0 mess-topic --spool ./meant create t
}

@test "topic: a standard output that is full is an error" {
	[ -w /dev/full ] || skip "no /dev/full"
	mess-topic create t
	run -74 --separate-stderr sh -c 'exec mess-topic list >/dev/full'
	assert_one_error mess-topic
	head -c 3000000 /dev/zero | tr '\0' x | fold -w 1000 | mess-pub -l t
	run -74 --separate-stderr sh -c 'exec mess-topic export t >/dev/full'
	assert_one_error mess-topic
	assert_equal "$stderr" "mess-topic: standard output: No space left on device"
}

@test "topic: a standard output that is closed is 74, and a message is never a request" {
	local closed

	deliverd_start
	yes 'CREATE evil' | head -n 5000 | mess-pub t

	for closed in '>&-' '<&- >&-' '<&- >&- 2>&-'; do
		run -74 sh -c "exec mess-topic --socket '$MESS_SPOOL/.sock' peek --raw t $closed"
		run -74 sh -c "exec mess-topic export t $closed"
		run -74 sh -c "exec mess-topic stat $closed"
	done
	# Who has nothing to say does not miss it.
	run -0 sh -c 'exec mess-topic set --describe x t <&- >&- 2>&-'

	run -0 mess-topic list
	assert_output t
	published_is t 1
}

@test "topic: a body of a deleted topic that is on its way is refused, and leaves nothing" {
	deliverd_start
	mess-topic create t
	mkfifo pipe
	talk 20 <pipe >replies 3>&- &
	talker=$!
	exec {feed}>pipe
	printf 'HELLO 1\nSTREAM t 0\n5\nhello' >&"$feed"
	wait_for "$MESS_PATIENCE" grep -q mess replies
	wait_for "$MESS_PATIENCE" compgen -G "$MESS_SPOOL/t/tmp/.body-*"

	mess-topic delete t
	printf '0\n' >&"$feed"
	exec {feed}>&-
	wait "$talker"

	run -0 tail -n 1 replies
	assert_output --regexp '^ERR notopic '
	run -0 mess-topic list
	assert_output ""
	wait_for "$MESS_PATIENCE" trash_is_empty
}

@test "topic: a delete that a power cut left both names of was none" {
	deliverd_start
	mess-topic create t
	mess-pub -m kept t
	deliverd_stop
	ln "$MESS_SPOOL/t/topic" "$MESS_SPOOL/.tomb/t"

	deliverd_start

	run -0 mess-sub -e t
	assert_output kept
	assert_not_exists "$MESS_SPOOL/.tomb/t"
	assert_equal "$(stat -c %h "$MESS_SPOOL/t/topic")" 1
}
