#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# mess-spool(5): the files of a spool, and publishing with mv.

# shellcheck disable=SC2030,SC2031,SC2154 # each test is a subshell; run sets $stderr
load helper

# Is nothing left in new/ of a topic?
taken_in() {
	[ -z "$(ls "$MESS_SPOOL/$1/new")" ]
}

# --- publishing with files ----------------------------------------------------

@test "spool: printf hi >tmp/x && mv tmp/x new/x publishes" {
	deliverd_start
	mess-topic create greetings
	cd "$MESS_SPOOL/greetings"

	printf hi >tmp/x && mv tmp/x new/x

	run -0 mess-sub -n 1 -W 20 greetings
	assert_output hi
	wait_for "$MESS_PATIENCE" taken_in greetings
	assert_equal "$(ls -A tmp)" ""
}

@test "spool: no engine needs to run for it; the next one takes the files in" {
	deliverd_start
	mess-topic create t
	deliverd_stop
	cd "$MESS_SPOOL/t"

	for i in {1..20}; do
		printf "%s" "$i" >tmp/x && mv tmp/x "new/$(printf %03d "$i")"
	done
	head -c 300000 /dev/zero >tmp/x && mv tmp/x new/101
	: >tmp/x && mv tmp/x new/102

	mess-sub -n 20 -l t | cmp - <(seq 1 20)
	assert_equal "$(mess-sub -n 1 t | wc -c)" 300000
	run -0 mess-sub -e -0 t
	assert_equal "$(stat_of t published)" 22
	taken_in t
}

@test "spool: a shell loop that only uses mv publishes in order" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"

	for i in {1..200}; do
		echo "$i" >tmp/x && mv -n tmp/x "new/job.$(printf %03d "$i")"
	done

	mess-sub -n 200 -W 20 t | cmp - <(seq 1 200)
	wait_for "$MESS_PATIENCE" taken_in t
}

@test "spool: files that wait are taken in by time of modification, then by name" {
	deliverd_start
	mess-topic create t
	deliverd_stop
	cd "$MESS_SPOOL/t"

	for name in c a b; do
		printf '%s' "$name" >"tmp/$name"
		touch -d '2020-01-02 00:00:00' "tmp/$name"
		mv "tmp/$name" "new/$name"
	done
	printf z >tmp/z
	touch -d '2020-01-01 00:00:00' tmp/z
	mv tmp/z new/z

	run -0 mess-sub -e -l t
	assert_output $'z\na\nb\nc'
}

@test "spool: names that begin with a dot are ignored" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"

	printf hidden >tmp/x && mv tmp/x new/.x
	printf shown >tmp/y && mv tmp/y new/y

	run -0 mess-sub -n 1 -W 20 t
	assert_output shown
	deliverd_stop
	run -0 mess-sub -e t
	assert_output ""
	assert [ -e new/.x ]
}

@test "spool: what is in new/ comes before what is published on the socket after it" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"

	for i in {1..30}; do
		printf 'file %s' "$i" >tmp/x && mv tmp/x "new/$i"
		mess-pub -m "socket $i" t
	done

	mess-sub -e -l t >"$BATS_TEST_TMPDIR/out"
	for i in {1..30}; do
		printf 'file %s\nsocket %s\n' "$i" "$i"
	done | cmp - "$BATS_TEST_TMPDIR/out"
}

@test "spool: uid and gid of the message are those of the file, the pid is 0" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"

	printf x >tmp/x && mv tmp/x new/x

	run -0 mess-sub -n 1 -W 20 --records t
	assert_equal "$(head -n 1 <<<"$output" | cut -d ' ' -f 4-6)" "$(stat -c '%u %g' .) 0"
}

# --- .rec files ---------------------------------------------------------------

@test "spool: a file that ends with .rec holds records" {
	deliverd_start
	printf 'one\n\nthree\n' | mess-pub -l -H 'Color: red' a
	mess-sub -e --records a >records
	mess-topic create t

	cp records "$MESS_SPOOL/t/tmp/x"
	mv "$MESS_SPOOL/t/tmp/x" "$MESS_SPOOL/t/new/x.rec"

	mess-sub -n 3 -W 20 --records t >got
	cmp <(payloads <records) <(payloads <got)
	assert_equal "$(awk '/^mess1/ { print $2 }' got | xargs)" "1 2 3"
	assert_equal "$(awk '/^mess1/ { print $6 }' got | sort -u)" 0
}

@test "spool: .rec files are taken in together or not at all" {
	deliverd_start
	printf 'one\ntwo\nthree\n' | mess-pub -l a
	mess-sub -e --records a >records
	mess-topic create t
	cd "$MESS_SPOOL/t"

	sed 's/^three$/thrEE/' ../../records >tmp/x && mv tmp/x new/bad-sum.rec
	head -c -1 ../../records >tmp/x && mv tmp/x new/cut.rec
	(cat ../../records; echo) >tmp/x && mv tmp/x new/more.rec
	sed '1s/ 0 3 / 0 4 /' ../../records >tmp/x && mv tmp/x new/length.rec
	echo hello >tmp/x && mv tmp/x new/text.rec
	wait_for "$MESS_PATIENCE" taken_in t
	mess-pub -m last t

	run -0 mess-sub -e -l t
	assert_output last
	for name in bad-sum cut more length text; do
		assert [ -f "$MESS_SPOOL/.quarantine/t.$name.rec" ]
		grep -q "t: new/$name.rec: .*set aside in .quarantine" "$DELIVERD_LOG"
	done
}

@test "spool: an empty .rec file does no harm" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"

	: >tmp/x && mv tmp/x new/x.rec
	wait_for "$MESS_PATIENCE" taken_in t

	mess-pub -m y t
	run -0 mess-sub -e -l t
	assert_output y
}

# --- what is no message -------------------------------------------------------

@test "spool: a symlink, a fifo, a directory, a socket and a hard link are set aside" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"
	echo secret >"$BATS_TEST_TMPDIR/secret"

	ln -s "$BATS_TEST_TMPDIR/secret" tmp/symlink
	mkfifo tmp/fifo
	mkdir tmp/directory
	echo linked >tmp/hardlink
	ln tmp/hardlink "$BATS_TEST_TMPDIR/other-name"
	perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("tmp/socket")) or die'
	for name in symlink fifo directory hardlink socket; do
		mv "tmp/$name" "new/$name"
	done
	printf good >tmp/good && mv tmp/good new/good
	wait_for "$MESS_PATIENCE" taken_in t

	run -0 mess-sub -n 1 -W 20 -l t
	assert_output good
	pending_is t 0
	for name in symlink fifo directory hardlink socket; do
		assert [ -e "$MESS_SPOOL/.quarantine/t.$name" -o -L "$MESS_SPOOL/.quarantine/t.$name" ]
		grep -q "t: new/$name: .*set aside in .quarantine" "$DELIVERD_LOG"
	done
	assert_equal "$(<"$BATS_TEST_TMPDIR/secret")" secret
	assert_equal "$(<"$BATS_TEST_TMPDIR/other-name")" linked
}

@test "spool: what is set aside does not hide what waits behind it after a restart" {
	deliverd_start
	mess-topic create t
	deliverd_stop
	cd "$MESS_SPOOL/t"
	ln -s /etc/passwd new/a
	mkfifo tmp/b
	mv tmp/b new/b
	printf good >tmp/c && mv tmp/c new/c

	deliverd_start
	run -0 mess-sub -e -l t
	assert_output good
}

@test "spool: a file of somebody else's is set aside" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a file of somebody else's"
	mess-topic create t
	end_processes
	cd "$MESS_SPOOL/t"
	# The owner of this spool is root, whose files are taken, too.
	printf foreign >tmp/x
	chown nobody tmp/x
	mv tmp/x new/x

	deliverd_start
	mess-pub -m good t
	run -0 mess-sub -e -l t
	assert_output good
	assert [ -e "$MESS_SPOOL/.quarantine/t.x" ]
}

@test "spool: names of all kinds in new/ are taken in, and words about them are safe" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"
	local name n=0

	for name in 'a b' $'new\nline' $'esc\e[31m' ä $'\xff\xfe' '-rf' '*' "$(printf 'x%.0s' {1..250})"; do
		n=$((n + 1))
		printf '%s' "$n" >tmp/x
		mv -- tmp/x "new/$name"
	done
	mkfifo tmp/f
	mv tmp/f $'new/esc\e[31m\nfifo'
	wait_for "$MESS_PATIENCE" taken_in t

	mess-sub -e -l t | sort | cmp - <(seq 1 8)
	refute [ -n "$(tr -dc '\033' <"$DELIVERD_LOG")" ]
}

@test "spool: a file larger than a message may be is set aside" {
	deliverd_start
	mess-topic create t
	cd "$MESS_SPOOL/t"

	truncate -s $((1024 * 1024 * 1024 + 1)) tmp/x && mv tmp/x new/x
	wait_for "$MESS_PATIENCE" taken_in t

	pending=$(stat_of t published)
	assert_equal "$pending" 0
	assert [ -e "$MESS_SPOOL/.quarantine/t.x" ]
}

# --- once -----------------------------------------------------------------------

# engine_until CALL N: an engine that is killed when it enters its Nth CALL.
# 0 when it took all in before it came to that, else 137.
engine_until() {
	ASAN_OPTIONS=detect_leaks=0 strace -D -f -o /dev/null -e trace="$1" -e inject="$1":signal=SIGKILL:when="$2" \
		mess-deliverd --spool "$MESS_SPOOL" </dev/null >/dev/null 2>&1 3>&- &
	local pid=$! status=0

	wait_for "$MESS_PATIENCE" intake_over "$pid"
	if ! process_ended "$pid"; then
		kill -TERM "$pid"
		wait "$pid" || status=$?
		return "$status"
	fi
	wait "$pid"
}

intake_over() {
	process_ended "$1" || { taken_in t && [ -z "$(compgen -G "$MESS_SPOOL/t/cur/*.take*")" ] && deliverd_answers; }
}

# offer N: three files in new/: a small body, records, a large body.
offer() {
	local tmp=$MESS_SPOOL/t/tmp/x new=$MESS_SPOOL/t/new/$1

	printf 's%s' "$1" >"$tmp" && mv "$tmp" "$new-a"
	cp records "$tmp" && mv "$tmp" "$new-b.rec"
	(printf '%s' "$1"; cat large) >"$tmp" && mv "$tmp" "$new-c"
}

@test "spool: a file is taken in exactly once, wherever kill -9 falls" {
	local n=0 k status call

	command -v strace >/dev/null || skip "no strace"
	deliverd_start
	mess-topic create t
	printf 'r1\nr2\n' | mess-pub -l a
	mess-sub -e --records a >records
	deliverd_stop
	(head -c 300000 /dev/zero | tr '\0' L) >large

	for call in renameat2 unlinkat fdatasync fsync pwrite64 pwritev openat2; do
		for ((k = 1, status = 137; status == 137; k++)); do
			[ "$k" -lt 60 ] || fail "$call: 60 kills and no end"
			n=$((n + 1))
			offer "$n"
			status=0
			engine_until "$call" "$k" || status=$?
			# Whatever is left, in new/ or as a take, comes in now.
			deliverd_start
			mess-sub -e -l t >>out
			assert_equal "$(compgen -G "$MESS_SPOOL/t/cur/*.take*")" ""
			deliverd_stop
		done
		assert_equal "$status" 0
	done

	echo "$n engines"
	assert [ "$n" -gt 10 ]
	awk '/L/ { sub(/L+/, "L:" (length($0) - 300000)) } { print }' out | sort >got
	for ((i = 1; i <= n; i++)); do
		printf 's%s\nr1\nr2\n%sL:%s\n' "$i" "$i" "${#i}"
	done | sort >want
	cmp want got
}

# --- the files ------------------------------------------------------------------

@test "spool: less -f and grep on a segment show the messages" {
	deliverd_start
	printf 'two lamps\none chair\n' | mess-pub -l -H 'Customer: alice' orders
	segment=$MESS_SPOOL/orders/cur/00000000000000000001

	wait_for "$MESS_PATIENCE" grep -q 'two lamps' "$segment"
	run -0 grep -a 'one chair' "$segment"
	assert_output "one chair"
	run -0 grep -ac '^mess1 ' "$segment"
	assert_output 2
	run -0 grep -a 'Customer' "$segment"
	if command -v less >/dev/null; then
		less -f "$segment" | grep -q 'two lamps'
	fi
}

@test "spool: a segment's first line has the topic's incarnation, its first number, its size" {
	deliverd_start
	mess-pub -m x orders
	segment=$MESS_SPOOL/orders/cur/00000000000000000001

	incarnation=$(mess-topic show orders | sed -n 's/^incarnation //p')
	run -0 head -n 1 "$segment"
	assert_output "messseg1 $incarnation 1 $(stat -c %s "$segment")"
	run -0 head -n 1 "$MESS_SPOOL/orders/topic"
	assert_output messtopic1
	run -0 grep -c "^incarnation $incarnation$" "$MESS_SPOOL/orders/topic"
}

@test "spool: a segment never grows; another follows, named after its first number" {
	deliverd_start
	segment=$MESS_SPOOL/t/cur/00000000000000000001
	mess-pub -m x t
	size=$(stat -c %s "$segment")

	head -c 3000000 /dev/urandom | base64 -w 100 | mess-pub -l t

	assert_equal "$(stat -c %s "$segment")" "$size"
	for s in "$MESS_SPOOL"/t/cur/????????????????????; do
		run -0 head -n 1 "$s"
		assert_output --regexp "^messseg1 [0-9a-f]{32} $((10#${s##*/})) $(stat -c %s "$s")\$"
		# What stands first in it is that message.
		run -0 sed -n '2{s/^mess1 \([0-9]*\) .*/\1/p;q}' "$s"
		assert_output "$((10#${s##*/}))"
	done
	assert [ "$(compgen -G "$MESS_SPOOL/t/cur/????????????????????" | wc -l)" -gt 1 ]
}

@test "spool: a segment is removed when all of its messages are freed" {
	deliverd_start
	mess-sub -e t
	head -c 3000000 /dev/urandom | base64 -w 100 | mess-pub -l t
	assert [ -e "$MESS_SPOOL/t/cur/00000000000000000001" ]

	mess-sub -e t >/dev/null

	wait_for "$MESS_PATIENCE" test ! -e "$MESS_SPOOL/t/cur/00000000000000000001"
}

@test "spool: a body above 256 KiB is in a file of its own, until it is freed" {
	deliverd_start
	mess-sub -e t
	head -c 262144 /dev/urandom >inside
	head -c 262145 /dev/urandom >apart
	mess-pub t <inside
	mess-pub t <apart

	assert [ ! -e "$MESS_SPOOL/t/cur/00000000000000000001.body" ]
	cmp apart "$MESS_SPOOL/t/cur/00000000000000000002.body"

	mess-sub -n 1 t | cmp inside
	mess-sub -n 1 t | cmp apart
	wait_for "$MESS_PATIENCE" test ! -e "$MESS_SPOOL/t/cur/00000000000000000002.body"
}

@test "spool: a damaged message is never handed out; others are, and it is counted" {
	deliverd_start
	seq -f 'message %g.' 1 100 | mess-pub -l t
	deliverd_stop

	perl -pi -e 's/^message 50\.$/mexxage 50./' "$MESS_SPOOL/t/cur/00000000000000000001"
	deliverd_start

	# The engine passes it over, and is who says so.
	run -0 --separate-stderr mess-sub -e -l t
	assert_equal "$output" "$(seq -f 'message %g.' 1 100 | grep -vx 'message 50\.')"
	run -0 grep -c 'damaged; set aside' "$DELIVERD_LOG"
	assert_output 1
	assert_equal "$(stat_of t damaged)" 1
	assert [ -n "$(ls "$MESS_SPOOL/.quarantine")" ]
	mess-pub -m after t
	run -0 mess-sub -e -l t
	assert_output after
}

@test "spool: a large body that is damaged is not acknowledged as good, 65" {
	deliverd_start
	head -c 400000 /dev/zero | mess-pub t
	mess-pub -m after t
	deliverd_stop
	printf X | dd of="$MESS_SPOOL/t/cur/00000000000000000001.body" bs=1 seek=399999 conv=notrunc status=none
	deliverd_start

	status=0
	mess-sub -e t >out 2>said || status=$?
	assert_equal "$status" 65
	assert_equal "$(wc -l <said)" 1
	assert_equal "$(tail -c 5 out)" after
}
