#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Leases and how they end, by mess-protocol(7): what mess-sub's options are
# built on.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

setup() {
	mess_setup
	deliverd_start
	declare -gA feed talker
}

# open NAME: a connection of that name; what comes is in NAME.out.
open() {
	mkfifo "$1.in"
	(cd "$MESS_SPOOL" && exec socat -t 1 - UNIX-CONNECT:.sock) <"$1.in" >"$1.out" 3>&- &
	talker[$1]=$!
	exec {fd}>"$1.in"
	feed[$1]=$fd
	say "$1" "HELLO 1"
}

# say NAME LINE...: requests.
say() {
	local name=$1

	shift
	printf '%s\n' "$@" >&"${feed[$name]}"
}

# say_with NAME REQUEST OPTION...: one with option lines.
say_with() {
	local name=$1 request=$2 text

	shift 2
	text=$(printf '%s\n' "$@")
	printf '%s %d\n%s\n' "$request" $((${#text} + 1)) "$text" >&"${feed[$name]}"
}

# heard NAME REGEXP [TIMES]: wait for a line.
heard() {
	wait_for "$MESS_PATIENCE" bash -c "[ \"\$(grep -acE '$2' '$1.out')\" -ge '${3:-1}' ]"
}

# close NAME: as a consumer that ends.
close() {
	local fd=${feed[$1]}

	exec {fd}>&-
	wait "${talker[$1]}" || :
}

# dies NAME: as one that is killed.
dies() {
	kill -KILL "${talker[$1]}"
	wait "${talker[$1]}" || :
}

# bodies NAME: single lines that are no part of a record's head, nor replies.
bodies() {
	grep -aE '^[a-z][0-9]+$' "$1.out" | xargs
}

sub_is() {
	[ "$(stat_of "$1" "$2" "${4:-default}")" = "$3" ]
}

# account TOPIC [SUBSCRIPTION]: each number is exactly one thing.
account() {
	mess-topic stat "$1" | awk -v sub_name="${2:-default}" '
		$1 == "subscription" { at = $2; next }
		{ v[at, $1] = $2 }
		END {
			s = sub_name
			settled = v[s, "acked"] + v[s, "dead"] + v[s, "expired"] + v[s, "purged"]
			settled += v[s, "dropped"] + v[s, "damaged"] + v[s, "skipped"]
			all = settled + v[s, "leased"] + v[s, "delayed"] + v[s, "waiting"]
			if (all != v["", "published"] + 1 - v[s, "start"]) {
				print "the account does not hold: " all; exit 1
			}
		}'
}

@test "lease: what a killed consumer held is at another at once, counted as a try" {
	printf 'm%d\n' 1 2 3 4 5 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 3"
	heard a '^m3$'
	open b
	say b "SUB t default" "TAKE 9"
	heard b '^m5$'

	dies a

	heard b '^m3$'
	assert_equal "$(bodies b)" "m4 m5 m1 m2 m3"
	assert_equal "$(awk '/^MSG/ { n[$5] += $3 } END { print n[1], n[2] }' b.out)" "2 3"
	sub_is t redelivered 3
	say b "ACK t 1-5"
	heard b '^OK$' 2
	sub_is t acked 5
	account t
}

@test "lease: a live consumer keeps what it has, whatever it does" {
	mess-pub -m m1 t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	kill -STOP "${talker[a]}"

	open b
	say b "SUB t default" "TAKE 1 now"
	heard b '^END$'

	kill -CONT "${talker[a]}"
	say a "ACK t 1"
	heard a '^OK$' 2
	sub_is t acked 1
}

@test "lease: given back, a message comes again after a moment, not counted" {
	printf 'm%d\n' 1 2 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 2"
	heard a '^m2$'

	say a "NACK t 1" "TAKE 1 now"
	heard a '^END$'
	sub_is t delayed 1
	account t
	say a "TAKE 1"

	heard a '^m1$' 2
	run -0 grep -ac '^MSG t 1 .* 1$' a.out
	assert_output 1
	sub_is t redelivered 0
}

@test "lease: given back one after the other, messages come again one after the other" {
	printf 'm%d\n' 1 2 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 2"
	heard a '^m2$'
	say a "NACK t 1"
	heard a '^OK$' 2
	sleep 0.6 # what is tested is how long it takes
	say a "NACK t 2"
	heard a '^OK$' 3

	say a "TAKE 2"
	heard a '^m1$' 2
	# It is not the first one's time that brings the second.
	assert_equal "$(bodies a)" "m1 m2 m1"
	heard a '^m2$' 2
}

@test "lease: what is due is waiting, and no more delayed, before anybody takes" {
	mess-pub -m m1 t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "RETRY t 1 0"
	heard a '^OK later [0-9]+$'
	sub_is t delayed 1

	wait_for "$MESS_PATIENCE" sub_is t delayed 0
	sub_is t waiting 1
	account t
}

@test "lease: tried again later, each time after twice as long, and counted" {
	local ms

	mess-pub -m m1 t
	open a
	say a "SUB t default" "TAKE 3"
	heard a '^m1$'

	say_with a "RETRY t 1" "Reason: exit status 1"
	heard a '^OK later'
	ms=$(awk '/^OK later/ { print $3 }' a.out)
	[ "$ms" -ge 750 ] && [ "$ms" -le 1250 ] || fail "the first wait is $ms ms"
	heard a '^MSG t 1 [0-9]+ 2$'
	say a "RETRY t 1 0"
	heard a '^OK later' 2
	ms=$(awk '/^OK later/ { n = $3 } END { print n }' a.out)
	[ "$ms" -ge 1500 ] && [ "$ms" -le 2500 ] || fail "the second wait is $ms ms"
	heard a '^MSG t 1 [0-9]+ 3$'
	sub_is t redelivered 2
	account t
}

@test "lease: tried as often as it may be, a message is dead, with the last reason" {
	mess-pub -m m1 t
	open a
	say_with a "SUB t default" "Max-Attempts: 2"
	say a "TAKE 2"
	heard a '^m1$'
	say_with a "RETRY t 1" "Reason: exit status 1" "Status: 1"
	heard a '^m1$' 2

	say_with a "RETRY t 1" "Reason: exit status 7" "Status: 7" 'Stderr: no\012such thing'

	heard a '^OK dead$'
	sub_is t dead 1
	sub_is t pending 0
	account t
	run -0 mess-sub -e --records t.dead
	assert_line "Mess-Dead-Reason: exit status 7"
	assert_line "Mess-Dead-Status: 7"
	assert_line "Mess-Dead-Attempts: 2"
	assert_line "Mess-Dead-Subscription: default"
	assert_line 'Mess-Dead-Stderr: no\012such thing'
	assert_line "Mess-Original-Topic: t"
	assert_line "Mess-Original-Seq: 1"
	assert_line "Mess-Original-Uid: $(id -u)"
	assert_line --regexp '^Mess-Original-Time: [0-9]+\.[0-9]{9}$'
	assert_line m1
}

@test "lease: a dead letter has the message's headers and body, of any bytes and any length" {
	local n=1 size

	for size in 0 1 4096 262144 262145 3000000; do
		head -c "$size" /dev/urandom >"body.$size"
		mess-pub -H "Size: $size" t <"body.$size"
	done
	open a
	say a "SUB t default" "TAKE 6"
	heard a '^Size: 3000000$'
	wait_for "$MESS_PATIENCE" sub_is t leased 6
	for n in 1 2 3 4 5 6; do
		say a "DEAD t $n 0"
	done
	heard a '^OK dead$' 6

	n=1
	for size in 0 1 4096 262144 262145 3000000; do
		mess-sub -n 1 t.dead | cmp - "body.$size"
	done
	account t
	account t.dead
}

@test "lease: what is in a topic of dead letters never dies again" {
	mess-pub -m m1 t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "DEAD t 1 0"
	heard a '^OK dead$'
	open b
	say_with b "SUB t.dead default" "Max-Attempts: 1"
	say b "TAKE 1"
	heard b '^m1$'

	say b "DEAD t.dead 1 0"

	heard b '^OK later'
	sub_is t.dead delayed 1
	run -0 mess-topic list
	refute_line t.dead.dead
}

@test "lease: redriven, letters come again to the subscription that failed them, and only to it" {
	printf 'm%d\n' 1 2 3 | mess-pub -l -H "Color: red" t
	open a
	say a "SUB t default" "TAKE 3"
	heard a '^m3$'
	open b
	say b "SUB t other" "TAKE 9"
	heard b '^m3$'
	say b "ACK t 1-3"
	say a "DEAD t 1 0" "DEAD t 3 0" "ACK t 2"
	heard a '^OK dead$' 2
	heard a '^OK$' 2

	say_with a "REDRIVE t" "From: 2"
	heard a '^OK 1$' 2
	say a "TAKE 9"
	heard a '^m3$' 2

	# "With its first envelope", and tried for the first time.
	heard a '^Mess-Redrive-To: default$'
	heard a '^Mess-Original-Seq: 3$'
	heard a '^Color: red$' 4
	assert_equal "$(grep -a '^MSG' a.out | tail -n 1 | cut -d ' ' -f 5)" 1
	sub_is t.dead pending 1
	mess-pub -m m4 t
	heard b '^m4$'
	assert_equal "$(bodies b)" "m1 m2 m3 m4"
	sub_is t skipped 1 other
	account t
	account t other
	account t.dead
}

@test "lease: a letter whose hold is over is redriven, though nobody looked at it since" {
	mess-pub -m m1 t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "DEAD t 1 0"
	heard a '^OK dead$'
	open b
	say b "SUB t.dead default" "TAKE 1"
	heard b '^m1$'
	say b "HOLD t.dead 1 1"
	heard b '^OK [0-9a-f]{16}$'
	close b

	wait_for "$MESS_PATIENCE" sub_is t.dead waiting 1
	assert_equal "$(mess-topic -v redrive t 2>&1)" "mess-topic: t: 1 redriven"
	sub_is t.dead acked 1
}

@test "lease: letters of a topic without its subscription are redriven all the same" {
	mess-pub -m m1 t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "DEAD t 1 0"
	heard a '^OK dead$'
	say a "SUBRM t.dead default"
	heard a '^OK$' 2

	say a "REDRIVE t 0"
	heard a '^OK 1$' 2
	say a "TAKE 1"
	heard a '^m1$' 2
	account t.dead
}

@test "lease: held by a token, a message survives its connection and the engine" {
	local token

	printf 'm%d\n' 1 2 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "HOLD t 1 600000"
	heard a '^OK [0-9a-f]{16}$'
	token=$(grep -aE '^OK [0-9a-f]{16}$' a.out | cut -d ' ' -f 2)
	close a
	deliverd_kill
	deliverd_start

	assert_equal "$(mess-sub -e -l t)" m2
	sub_is t leased 1
	open b
	say b "SETTLE ack t default 1 0000000000000000 0" "SETTLE ack t default 2 $token 0"
	heard b '^ERR nosub' 2
	say b "SETTLE ack t default 1 $token 0" "SETTLE ack t default 1 $token 0"

	heard b '^OK$'
	heard b '^ERR nosub' 3
	sub_is t acked 2
	sub_is t pending 0
	account t
}

@test "lease: a hold that is over is a try" {
	mess-pub -m m1 t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "HOLD t 1 200" "TAKE 1"

	heard a '^m1$' 2

	assert_equal "$(grep -a '^MSG' a.out | tail -n 1 | cut -d ' ' -f 5)" 2
	say a "SETTLE ack t default 1 $(grep -aE '^OK [0-9a-f]{16}$' a.out | cut -d ' ' -f 2) 0"
	heard a '^ERR nosub'
}

@test "lease: what waits, and how often it was tried, survives a kill of the engine" {
	printf 'm%d\n' 1 2 3 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 3"
	heard a '^m3$'
	say a "RETRY t 1 0" "NACK t 2"
	heard a '^OK later'
	heard a '^OK$' 2
	deliverd_kill
	wait "${talker[a]}" || :
	deliverd_start

	sub_is t pending 3
	account t
	open b
	say b "SUB t default" "TAKE 3"
	heard b '^m1$'
	heard b '^m2$'

	# What was in hand when the engine died was tried; what was given back was not.
	assert_equal "$(awk '/^MSG/ { tries = $5 } /^m[0-9]$/ { print $1 "=" tries }' b.out | sort | xargs)" \
		"m1=2 m2=1 m3=2"
	account t
}

@test "lease: moved, a subscription begins elsewhere, and what was in hand is void" {
	printf 'm%d\n' 1 2 3 4 5 6 | mess-pub -l t
	open keeper
	say keeper "SUBADD t keep 0"
	open a
	say a "SUB t default" "TAKE 4"
	heard a '^m4$'
	say a "ACK t 1-2"
	heard a '^OK$' 2

	say a "SEEK t default -1" "TAKE 1"
	heard a '^m6$'
	say a "ACK t 3-4" "ACK t 6"
	heard a '^OK$' 6
	sub_is t skipped 3
	sub_is t pending 0
	account t
	say a "SEEK t default 2" "TAKE 9"
	heard a '^m6$' 2

	assert_equal "$(bodies a)" "m1 m2 m3 m4 m6 m2 m3 m4 m5 m6"
	account t
}

@test "lease: released, what consumers have is free, and their acks mean nothing" {
	printf 'm%d\n' 1 2 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 2"
	heard a '^m2$'
	open b
	say b "SUB t default" "TAKE 2"

	say b "RELEASE t default"

	heard b '^m2$'
	heard b '^OK 2$'
	say a "ACK t 1-2"
	heard a '^OK$' 2
	sub_is t acked 0
	sub_is t leased 2
	say b "ACK t 1-2"
	heard b '^OK$' 2
	sub_is t acked 2
	account t
}

@test "lease: a subscription that is removed holds nothing back, also after a kill" {
	seq 100 | mess-pub -l t
	open a
	say a "SUBADD t slow 0" "SUB t slow" "TAKE 1" "SUB t fast"
	heard a '^1$'
	mess-sub -e -s fast t >/dev/null
	sub_is t pending 0 fast
	assert_equal "$(stat_of t present)" 100
	open b

	say b "SUBRM t slow" "SUBRM t slow"

	heard b '^OK$'
	heard b '^ERR nosub'
	assert_equal "$(stat_of t present)" 0
	deliverd_kill
	deliverd_start
	run -0 mess-topic show t
	refute_line "subscription slow"
	assert_line "subscription fast"
	run grep -i damage "$DELIVERD_LOG"
	assert_output ""
}

@test "lease: one connection consumes several topics and patterns, those made later too" {
	mess-pub -m m1 logs.a
	mess-pub -m m2 other
	open a
	say a "SUB logs.* default" "SUB other default" "SUB other default" "TAKE 9"
	heard a '^m1$'
	heard a '^m2$'
	heard a '^ERR usage'

	mess-pub -m m3 logs.b
	heard a '^m3$'
	mess-pub -m m4 logs.b.c
	mess-pub -m m5 other
	heard a '^m5$'

	refute grep -a '^m4$' a.out
	say a "ACK logs.a 1" "ACK logs.b 1" "ACK other 1-2" "ACK logs.b 2"
	heard a '^OK$' 4
	heard a '^ERR usage' 2
	# What is allowed is for all of them; END comes when none has anything.
	say a "TAKE 1 now"
	heard a '^END$'
	mess-topic delete logs.a
	say a "TAKE 2"
	mess-pub -m m6 logs.b
	heard a '^m6$'
	say a "ACK logs.b 2" "TAKE 5 now"
	heard a '^END$' 2
}

@test "lease: only what matches comes to a subscription that says so; the others are skipped" {
	local i

	open a
	say_with a "SUB t reds" "Match: color=r*"
	say a "TAKE 99"
	heard a '^OK$'
	for i in 1 2 3 4 5 6; do
		mess-pub -H "Color: $([ $((i % 3)) = 0 ] && echo red || echo blue)" -m "m$i" t
	done

	heard a '^m6$'

	assert_equal "$(bodies a)" "m3 m6"
	wait_for "$MESS_PATIENCE" sub_is t skipped 4 reds
	say a "ACK t 3" "ACK t 6"
	heard a '^OK$' 3
	assert_equal "$(stat_of t present)" 0
	account t reds
}

@test "lease: a full place hands out nothing new, says so, and goes on when the first are settled" {
	seq 5000 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 4500"
	heard a '^4500$'
	seq 2 2 4400 | sed 's/^/ACK t /' >&"${feed[a]}"

	heard a '^ERR limit'
	open b
	say b "SUB t default" "TAKE 9 now"
	heard b '^END$'
	sub_is t full 1
	account t
	say a "ACK t 1" "ACK t 3" "ACK t 5" "ACK t 7" "ACK t 9"
	say b "TAKE 1"

	heard b '^4501$'
	account t
}

# wakes_of PID: how often it was woken so far.
wakes_of() {
	awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"
}

@test "lease: what is due wakes the engine once, also when nobody asks for it" {
	local before

	printf 'm%d\n' 1 2 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "NACK t 1"
	heard a '^OK$' 2
	open b
	say b "SUB t default" "TAKE 1"
	heard b '^m2$'
	wait_for 3 sub_is t waiting 0
	sleep 1.2 # the time that is asked of the engine: until m1 is due, and was
	before=$(wakes_of "$DELIVERD_PID")

	sleep 1

	[ $(($(wakes_of "$DELIVERD_PID") - before)) -le 10 ] || fail "it woke $(($(wakes_of "$DELIVERD_PID") - before)) times"
	say a "TAKE 1"
	heard a '^m1$' 2
}

@test "lease: a topic's dead letters go when it goes" {
	printf 'm%d\n' 1 2 | mess-pub -l t
	open a
	say a "SUB t default" "TAKE 1"
	heard a '^m1$'
	say a "DEAD t 1 0"
	heard a '^OK dead$'
	close a
	mess-pub -m other t.deadline

	mess-topic delete t --yes

	assert_equal "$(mess-topic list)" t.deadline
	mess-pub -m m3 t
	assert_equal "$(mess-sub -e -l t)" m3
}

# --- what is gone ------------------------------------------------------------------

@test "lease: an answer about a deleted topic's message settles nothing of the new one of its name" {
	mess-pub -m old logs.a
	open c
	say c 'SUB logs.* s' 'TAKE 5'
	wait_for "$MESS_PATIENCE" grep -q '^MSG logs.a' c.out
	mess-topic delete logs.a
	mess-pub -m new logs.a
	say c 'ACK logs.a 1' 2>/dev/null || :
	wait_for "$MESS_PATIENCE" process_ended "${talker[c]}"
	run -0 mess-sub -e -s s logs.a
	assert_output new
}

@test "lease: who consumes a pattern is there when its last topic goes" {
	mess-topic create logs.a
	open c
	say c 'SUB logs.* s' 'TAKE 5'
	wait_for "$MESS_PATIENCE" grep -q '^OK$' c.out
	mess-topic delete logs.a
	mess-pub -m new logs.b
	wait_for "$MESS_PATIENCE" grep -q '^MSG logs.b' c.out
}

@test "lease: GONE says which topic a connection lost and why; one that has nothing else ends behind it" {
	mess-topic create a
	mess-topic create b
	mess-pub -m one b
	open c
	say c 'SUB a s' 'SUB b s' 'TAKE 5'
	heard c '^one$'
	open d
	say d 'SUB b s' 'TAIL b' 'TAKE 1 now'
	heard d '^ERR usage'

	mess-topic sub rm a s
	heard c '^GONE a nosub the subscription was removed$'
	say c 'SUB a s'
	heard c '^OK 1$' 3
	mess-topic delete b

	# It has something of b in its hands.
	wait_for "$MESS_PATIENCE" process_ended "${talker[c]}"
	wait_for "$MESS_PATIENCE" process_ended "${talker[d]}"
	assert_equal "$(tail -n 1 c.out)" "GONE b notopic the topic was deleted"
	assert_equal "$(tail -n 1 d.out)" "GONE b notopic the topic was deleted"
}

@test "lease: who removes what it consumes hears so" {
	mess-topic create q
	open c
	say c 'SUB q s' 'SUBRM q s'
	wait_for "$MESS_PATIENCE" process_ended "${talker[c]}"
	assert_equal "$(grep -c '^OK' c.out)" 3
	mess-topic create r
	open d
	say d 'SUB r s' 'DELETE r'
	wait_for "$MESS_PATIENCE" process_ended "${talker[d]}"
	assert_equal "$(grep -c '^OK' d.out)" 3
}

@test "lease: acks that a full place has no room for change nothing, and what makes room wakes who waits" {
	seq 4200 | mess-pub -l q
	open c
	say c 'SUB q s' 'TAKE 4100'
	wait_for "$MESS_PATIENCE" grep -q '^mess1 4100 ' c.out
	for i in $(seq 2 200 3992); do
		say c "ACK q $(seq -s ' ' "$i" 2 $((i + 198 < 3992 ? i + 198 : 3992)))"
	done
	say c "ACK q 3996 3998 4000 4002 4004"
	wait_for "$MESS_PATIENCE" grep -q '^ERR limit' c.out
	# Each of them is still in hand.
	say c "NACK q 3996" "NACK q 4004"
	open b
	say b 'SUB q s' 'TAKE 3'
	wait_for "$MESS_PATIENCE" grep -q '^OK$' b.out
	refute grep -q usage c.out
	mess-topic purge q --before @99999999999
	mess-pub -m later q
	wait_for "$MESS_PATIENCE" grep -q later b.out
}

@test "lease: a connection has at most 64 patterns" {
	open c
	for i in $(seq 65); do
		say c "SUB x.$i.* s"
	done
	wait_for "$MESS_PATIENCE" grep -q '^ERR limit a connection has at most 64 patterns' c.out
	assert_equal "$(grep -c '^OK 0' c.out)" 64
}

@test "lease: a large body that is damaged is dead without a letter that calls it whole" {
	head -c 300000 /dev/zero | tr '\0' a | mess-pub q
	mess-topic stat q >/dev/null
	body=$(echo "$MESS_SPOOL"/q/cur/*.body)
	printf XXXXXX | dd of="$body" bs=1 seek=1000 conv=notrunc status=none
	open c
	say c 'SUB q default' 'TAKE 1'
	wait_for "$MESS_PATIENCE" grep -q '^MSG q' c.out
	say c 'DEAD q 1 0'
	wait_for "$MESS_PATIENCE" grep -q '^OK dead' c.out
	assert_equal "$(stat_of q damaged default)" 1
	run mess-sub -e q.dead
	assert_output ""
}

@test "lease: what was handed out before a crash of the engine comes as tried" {
	mess-pub -m x q
	open c
	say c 'SUB q s' 'TAKE 1'
	wait_for "$MESS_PATIENCE" grep -q '^MSG q 1 [0-9]* 1$' c.out
	mess-pub -m "a commit" other
	deliverd_kill
	deliverd_start
	run -0 mess-sub -e -s s -F '%a\n' q
	assert_output 2
}
