#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Each recipe of mess-cookbook(7), taken from the page and run as it is
# printed: in a root directory of its own, so that the paths in it exist.

# shellcheck disable=SC2154 # run sets it
load helper
load users

setup() {
	mess_setup
	[ "$(id -u)" = 0 ] || skip "a root directory of one's own needs root"
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m true 2>/dev/null || skip "no mount namespace here"
	mkdir bin layer
	program nothing <<<"exit 0" # so that there is one
	deliverd_start
}

teardown() {
	users_stop
	mess_teardown
}

# a_root COMMAND [ARG]...: run in a copy of / where writing leaves no trace.
a_root() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -euc '
		layer=$1 start=$PWD
		shift
		mount -t tmpfs mess "$layer"
		mkdir "$layer/up" "$layer/work" "$layer/root"
		mount -t overlay mess -o "lowerdir=/,upperdir=$layer/up,workdir=$layer/work" "$layer/root"
		for dir in proc dev tmp; do mount --rbind "/$dir" "$layer/root/$dir"; done
		mkdir -p "$layer/root/scan" "$layer/root/opt" "$layer/root/var/lib/node_exporter"
		cp "$start/bin/"* "$layer/root/usr/local/bin/"
		cp "$start/bin/"* "$layer/root/opt/"
		printf "#!/bin/sh\nexec mess-sub \"\$@\"\n" >"$layer/root/usr/bin/mess-sub"
		chmod +x "$layer/root/usr/bin/mess-sub"
		exec chroot "$layer/root" sh -euc "cd \"\$1\"; shift; exec \"\$@\"" sh "$start" "$@"
	' sh "$BATS_TEST_TMPDIR/layer" "$@"
}

# program NAME <SCRIPT: for the recipe to find, in PATH, /usr/local/bin and /opt.
program() {
	{
		echo '#!/bin/sh'
		cat
	} >"bin/$1"
	chmod +x "bin/$1"
	PATH=$PWD/bin:$PATH
}

# pid_of PROGRAM: of this test's.
pid_of() {
	local pid

	for pid in $(mess_processes); do
		[ "$(cat "/proc/$pid/comm")" != "$1" ] || echo "$pid"
	done
}

# recipe WORDS: the one line of the page that has them; without the fields of
# a crontab or a unit, which are not the shell's.
recipe() {
	awk -v words="$1" '
		/^\.Bd -literal/ { inside = 1; next }
		/^\.Ed/ { inside = 0 }
		inside && index($0, words) { print; n++ }
		END { exit n != 1 }' "$MESS_SOURCE/man/mess-cookbook.7" |
		sed -E 's/^([*0-9/]+ +){5}[a-z]+ +//; s/^ExecStart=//'
}

@test "cookbook: every recipe is run below" {
	run -0 awk '/^\.Bd -literal/ { n++ } END { print n }' "$MESS_SOURCE/man/mess-cookbook.7"
	assert_output "$(grep -c '^@test "recipe: ' "$BATS_TEST_FILENAME")"
}

@test "recipe: keep a log" {
	program journalctl <<<'[ "$*" = "-fu nginx -o json" ] && seq 3'

	run -0 a_root sh -c "$(recipe journalctl)"

	assert_output ""
	assert_equal "$(mess-sub -e -l logs.nginx | xargs)" "1 2 3"
}

@test "recipe: work from cron" {
	seq 20 | mess-pub -l thumbnails
	program make-thumb <<<"echo \"\$(cat)\" >>$PWD/thumbs"

	run -0 a_root sh -c "$(recipe make-thumb)"

	assert_output ""
	assert_equal "$(sort -n thumbs | xargs)" "$(seq 20 | xargs)"
	assert_equal "$(stat_of thumbnails acked default)" 20
}

@test "recipe: work as a service" {
	seq 20 | mess-pub -l mailout
	program send <<<"echo \"\$(cat)\" >>$PWD/sent"

	a_root sh -c "exec $(recipe ExecStart)" 3>&- &
	service=$!
	wait_for "$MESS_PATIENCE" pending_is mailout 0
	kill -TERM "$(pid_of mess-sub)"

	wait "$service" # it ends with 0
	assert_equal "$(sort -n sent | xargs)" "$(seq 20 | xargs)"
}

@test "recipe: ask for something once" {
	run -0 a_root sh -c "$(recipe --unless-queued)"
	run -0 a_root sh -c "$(recipe --unless-queued)"
	assert_output ""

	assert_equal "$(mess-sub -e -l sync.requests)" go
	run -0 a_root sh -c "$(recipe --unless-queued)"
	assert_equal "$(mess-sub -e -l sync.requests)" go
}

@test "recipe: wait for an answer" {
	mess-pub -m "it is done" deploy.done
	run -0 a_root sh -c "$(recipe deploy.done)"
	assert_output ""
	assert_equal "$(cat result)" "it is done"

	run -0 a_root sh -c "$(recipe deploy.done)"

	assert_output "deploy timed out"
}

@test "recipe: names of files" {
	program tesseract-one <<<"printf '%s\\n' \"\$#:\$1\" >>$PWD/pages"
	# shellcheck disable=SC2016 # for the inner shell
	run -0 a_root sh -c 'touch "/scan/a.tif" "/scan/b c.tif" "/scan/d
e.tif" /scan/other; eval "$1"' sh "$(recipe tesseract-one)"

	assert_output ""
	assert_equal "$(sort pages)" "$(printf '%s\n' '1:/scan/a.tif' '1:/scan/b c.tif' '1:/scan/d' 'e.tif' | sort)"
}

@test "recipe: copy a topic" {
	mess-sub -e orders # so that there is another subscription, which keeps them
	mess-pub -H "Color: red" -m one orders
	printf 'two\0\n' | mess-pub orders

	run -0 a_root sh -c "$(recipe 'copier orders')"
	mess-pub -m three orders
	run -0 a_root sh -c "$(recipe 'copier orders')"

	mess-sub -e --records orders | payloads >before
	mess-sub -e --records orders.test | payloads | cmp - before
}

@test "recipe: copy once more what mess-pub refused" {
	mess-topic create orders --keep 1d
	seq 1 9000 | mess-pub -l orders
	mess-topic create orders.test

	run -0 a_root sh -c "$(recipe 'copier orders')"
	mess-sub -e -l orders.test | cmp - <(seq 1 9000)

	run -0 a_root sh -c "$(recipe 'sub seek')"
	run -0 a_root sh -c "$(recipe 'copier orders')"
	mess-sub -e -l orders.test | cmp - <(seq 1235 9000)
}

@test "recipe: look after what failed" {
	mess-pub -m letter mailout
	mess-pub -m fine other
	mess-sub -e -q mailout -- sh -c 'echo no such address >&2; exit 65' || [ $? = 123 ]

	# As a person sees it, at a terminal.
	run -0 a_root script -qec "$(recipe 'select(.dead>0)')" /dev/null

	assert_line --index 0 --partial mailout
	refute_line --regexp '^other'
	assert_output --partial "no such address"
	assert_output --partial letter
	assert_equal "$(mess-sub -e mailout)" letter
}

@test "recipe: figures for a monitor" {
	mess-pub -m x orders
	# shellcheck disable=SC2016 # for the inner shell
	program sponge <<<'cat >"$1.new" && mv "$1.new" "$1"'
	# shellcheck disable=SC2016 # for the inner shell
	run -0 a_root sh -c 'eval "$1"; cat /var/lib/node_exporter/mess.prom' sh "$(recipe --prometheus)"

	assert_line --regexp '^mess_topic_published(_total|_messages_total)?\{topic="orders"\} 1$'
}

@test "recipe: let a team in" {
	users_start </dev/null
	users_add_group web www-data
	users_add_group batch carol
	recipe "create orders" >line
	run -0 as root sh -euc "$(cat line)"
	assert_output "www-data may publish: the topic's list: @web"
	as www-data mess-pub -m x orders
	run -0 as carol mess-sub -e orders
	assert_output x
	run -66 as bob mess-pub -m y orders
}
