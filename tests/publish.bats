#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-pub's options beyond what is a message: JSON, all or nothing, waiting,
# tee, keys and times.

# shellcheck disable=SC2030,SC2031,SC2034,SC2094,SC2154 # each test is a subshell; run sets $stderr
load helper

setup() {
	mess_setup
}

bodies() {
	mess-sub -e -l "$1" | xargs
}

# --- --json -------------------------------------------------------------------

@test "json: body, body64 and headers are what the objects say" {
	deliverd_start
	mess-pub --json t <<-'END'
		{"body":"one","headers":{"Color":"red","Size":["1","2"]}}
		{"body64":"AP/+","headers":{}}
		{"topic":"x","seq":7,"time":"x","uid":1,"gid":1,"pid":1,"user":null,"attempt":3,"subscription":"s","body":""}
	END

	run -0 mess-sub -e --json t
	assert_equal "$(jq -c '[.headers,.body,.body64]' <<<"$output")" \
		'[{"Color":"red","Size":["1","2"]},"one",null]
[{},null,"AP/+"]
[{},"",null]'
}

@test "json: what mess-sub --json wrote is taken back as it was" {
	deliverd_start
	printf 'no newline' | mess-pub -H "A: 1" -H "A: 2" -H "B: ü" a
	printf '\0\377' | mess-pub a
	head -c 300000 /dev/urandom | mess-pub a
	mess-pub -m '' a

	mess-sub -e --json a >objects
	mess-pub --json b <objects

	mess-sub -e --json b >again
	# Also the headers of the engine would go, were there some.
	cmp <(jq -c '[.headers,.body,.body64]' objects) <(jq -c '[.headers,.body,.body64]' again)
}

@test "json: what is no message is refused with its line, and names what is wrong" {
	local line rule

	deliverd_start
	while IFS='|' read -r line rule; do
		run -65 --separate-stderr mess-pub --json t < <(printf '{"body":"fine"}\n%s\n' "$line")
		assert_one_error mess-pub
		[[ $stderr == *"1 message is durable, stopped at line 2: $rule"* ]] || fail "$stderr"
	done <<-'END'
		{"boby":"x"}|boby: no such key
		{"body":"x","body64":"eA=="}|body64: a message has one of body and body64
		{"body":1}|body: is a string
		{"body64":"eA="}|body64: is base64
		{"body64":"e A=="}|body64: is base64
		{"body64":"eB=="}|body64: is base64
		{"headers":["A"]}|headers: is an object
		{"headers":{"A":1}}|A: a header's value is a string
		{"headers":{"A b":"1"}}|A b: a header is a name
		{"headers":{"A":"1\n2"}}|A: a header's value is UTF-8
		{"headers":{"A":"1"}}|a message has a body or a body64
		[]|a message is a JSON object
		{"body":"x"|no JSON:
		|no JSON:
	END
	assert_equal "$(stat_of t published)" 14
}

# --- --atomic -------------------------------------------------------------------

@test "atomic: all of it is stored, together" {
	deliverd_start
	seq 8192 | mess-pub -l --atomic -v t >ids
	assert_equal "$(tail -n 1 ids)" t:8192
	assert_equal "$(mess-sub -e -l t | md5sum)" "$(seq 8192 | md5sum)"
	printf 'a\0b' | mess-pub -0 --atomic t
	assert_equal "$(bodies t)" "a b"
	mess-pub -l --atomic t </dev/null
	assert_equal "$(stat_of t published)" 8194
}

@test "atomic: after an error, a limit or a signal nothing is stored" {
	deliverd_start
	mess-pub -m first t

	run -65 --separate-stderr mess-pub -l --atomic t < <(seq 8193)
	assert_one_error mess-pub
	[[ $stderr == *"nothing is stored"*"these are 8193"* ]] || fail "$stderr"
	run -65 mess-pub --json --atomic t < <(printf '{"body":"x"}\n{\n')
	run -65 mess-pub -l --atomic t < <(echo x && head -c 300000 /dev/zero)
	mkfifo pipe
	mess-pub -l --atomic t <pipe &
	publisher=$!
	exec {feed}>pipe
	seq 100 >&"$feed"
	kill -TERM "$publisher"
	wait "$publisher" || :
	exec {feed}>&-

	assert_equal "$(stat_of t published)" 1
}

@test "atomic: without an engine it is one file" {
	mess-pub -m x t
	mess-sub -e t >/dev/null
	end_processes

	seq 50 | mess-pub -l --atomic t

	run -0 ls "$MESS_SPOOL/t/new"
	assert_equal "${#lines[@]}" 1
	assert_equal "$(bodies t)" "$(seq 50 | xargs)"
}

# --- --tee ------------------------------------------------------------------------

@test "tee: what is written on is what came in, and it is durable by then" {
	deliverd_start
	printf 'one\n\ntwo' >lines
	mess-pub -l --tee t <lines | cmp - lines
	assert_equal "$(stat_of t published)" 3
	printf 'a::b::' | mess-pub -D '::' --tee t | cmp - <(printf 'a::b::')
	head -c 400000 /dev/urandom >body
	mess-pub --tee t <body | cmp - body
	mess-pub -H "Color: red" -m three t
	{ cat lines; cat body; echo; } | mess-pub -l --tee u | cmp - <(cat lines body && echo)
	mess-sub -e --records t >records
	mess-pub --records --tee v <records | cmp - records
}

@test "tee: a line that was refused is not written on" {
	deliverd_start
	mess-topic create t --max-messages 2
	mess-sub -e t

	run -75 --separate-stderr mess-pub -l --tee t < <(seq 5)

	assert_output "$(seq 2)"
	[[ $stderr == *"2 messages are durable, stopped at line 3"* ]] || fail "$stderr"
}

# --- --wait -----------------------------------------------------------------------

@test "wait: for room" {
	deliverd_start
	mess-topic create t --max-messages 3
	mess-sub -e t
	seq 100 | mess-pub -l --wait t &
	publisher=$!

	mess-sub -n 100 -l t >out

	wait "$publisher"
	cmp out <(seq 100)
}

@test "wait: not longer than it is told, and then 75" {
	deliverd_start
	mess-topic create t --max-messages 1
	mess-sub -e t
	mess-pub -m one t

	run -75 mess-pub --wait=1 -m two t

	mess-sub -n 1 t >/dev/null
	mess-pub --wait=1 -m two t
}

@test "wait: for a topic that is paused" {
	deliverd_start
	mess-pub -m x t
	mess-topic pause t in
	run -75 mess-pub -m y t
	mess-pub --wait -m y t &
	publisher=$!

	mess-topic resume t in

	wait "$publisher"
	assert_equal "$(stat_of t published)" 2
}

@test "wait: for an engine that is restarted" {
	system_start
	mess-topic create t
	mkfifo pipe
	mess-pub -l --wait t <pipe &
	publisher=$!
	exec {feed}>pipe
	seq 10 >&"$feed"
	wait_for "$MESS_PATIENCE" published_is t 10
	deliverd_stop
	seq 11 20 >&"$feed"
	mess-deliverd -c "$BATS_TEST_TMPDIR/system/mess.conf" </dev/null >>"$DELIVERD_LOG" 2>&1 3>&- {feed}>&- &
	DELIVERD_PID=$!
	exec {feed}>&-

	wait "$publisher"

	assert_equal "$(mess-sub -e -l t | sort -n | uniq | xargs)" "$(seq 20 | xargs)"
}

# --- a terminal -------------------------------------------------------------------

@test "progress: a long stream shows how far it got at a terminal, and wipes it away" {
	deliverd_start
	mkfifo pipe
	exec {feed}<>pipe
	script -qefc "mess-pub -l t <pipe" /dev/null >screen &
	publisher=$!
	while ! grep -qa durable screen; do
		seq 1000 >&"$feed"
		sleep 0.1
	done
	exec {feed}>&-
	kill -TERM "$(pgrep -P "$publisher")" 2>/dev/null || :
	wait "$publisher" || :

	grep -qaE '[0-9]+ messages, [0-9]+ [KMG ]?B, [0-9]+/s, [0-9]+ durable' screen
	# Not in a pipe, and not with -q.
	seq 1000 | mess-pub -l t 2>err
	assert_equal "$(cat err)" ""
}

# --- records ----------------------------------------------------------------------

@test "records: ten thousand random messages with headers are the same in another topic" {
	deliverd_start
	mess-sub -e b
	perl -MMIME::Base64 -e '
		srand($ENV{MESS_SEED} // 4711);
		my @letters = ("a" .. "z");
		for my $n (1 .. 10000) {
			my $body = join "", map { chr int rand 256 } 1 .. int rand 200;
			my %headers = map { ("H" . int(rand 9) => join "", map { $letters[rand @letters] } 1 .. rand 30) } 1 .. rand 4;
			my $h = join ",", map { "\"$_\":\"$headers{$_}\"" } sort keys %headers;
			my $base64 = encode_base64($body, "");
			print "{\"headers\":{$h},\"body64\":\"$base64\"}\n";
		}' >objects
	mess-pub --json a <objects
	mess-sub -e --records --peek a | payloads >before

	mess-sub -e --records a | mess-pub --records b

	mess-sub -e --records b | payloads | cmp - before
	assert_equal "$(grep -c . objects)" "$(stat_of b published)"
}
