#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Audit: every decision that refuses or changes something, and every session,
# is one line, which nobody can forge.

load helper
load users

teardown() {
	users_stop
	mess_teardown
}

# All lines of mess.audit so far are in the file lines, after each was parsed.
audit_read() {
	as root mess-sub -e mess.audit >>lines
	audit_is_strict
}

# The keys of mess-deliverd(8), in order, each with a value that ends nothing.
audit_is_strict() {
	# shellcheck disable=SC2016 # perl's
	perl -ne '
		my $v = q{[!#-&(-<>-_a-~]+};
		my @keys = qw(uid gid pid login action object sub result rule detail);
		my $line = join "", map { " $_=$v" } @keys;
		$line = "event=[a-z]+$line( suppressed=[0-9]+)?";
		/\A$line\n\z/ or die "not a line of audit: $_"' lines
}

# audit_count REGEX: of lines that match, now.
audit_count() {
	audit_read
	grep -cE "$1" lines || :
}

# audit_once REGEX: there is a line that matches, soon, and no other.
audit_once() {
	wait_for "$MESS_PATIENCE" audit_has "$1"
	assert_equal "$(audit_count "$1")" 1
}

audit_has() {
	[ "$(audit_count "$1")" -ge 1 ]
}

# Many requests of one user, one a line of standard input; the answers.
many() {
	{
		echo HELLO 1
		cat
	} | as "$1" socat -t 60 - "UNIX-CONNECT:$LAND/run/mess.sock" | stdbuf -oL tail -n +2
}

@test "audit: sessions, changes and refusals, each once, by whom, on what, by which rule" {
	users_start <<-E
	allow publish bob on orders
	deny subscribe mallory on orders
	E
	as root mess-topic create orders --max-age 1d
	as root mess-topic grant orders subscribe carol,mallory
	as bob mess-pub -m secret-payload orders
	run -66 as mallory mess-sub -e orders
	run -77 as bob mess-topic purge --yes orders
	run -77 as alice mess-topic create invoices
	as root mess-topic sub add orders nightly
	as root mess-topic sub seek orders nightly now
	run -0 as carol mess-sub -s mine -e orders
	as root mess-topic sub rm --yes orders nightly
	as root mess-topic pause orders
	run -75 as bob mess-pub -m y orders
	as root mess-topic resume orders
	as root mess-topic set orders --max-size 4K
	as root mess-topic purge --yes orders
	as root mess-topic redrive orders
	as root mess-topic revoke orders subscribe mallory
	as root mess-topic delete --yes orders

	local root='uid=0 gid=0 pid=[0-9]+ login=root' admin='rule=an.040administrator'
	audit_once "^event=engine uid=- .* action=start object=$LAND/spool .*detail=mess.*2.040rules"
	audit_once '^event=engine uid=- .* action=sandbox .*result=(on|off) '
	audit_once "^event=topic $root action=create object=orders .*result=ok $admin detail=Max-Age:.04086400"
	audit_once "^event=access $root action=grant object=orders .*$admin detail=Grant:.040subscribe.040carol,mallory"
	audit_once '^event=denied uid=6104 gid=6104 pid=[0-9]+ login=mallory action=SUB object=orders sub=default result=notopic rule=mess.conf.040line.0404:.040deny.040subscribe.040mallory.040on.040orders '
	audit_once '^event=denied uid=6102 .*login=bob action=PURGE object=orders sub=- result=denied rule=neither'
	audit_once '^event=denied uid=6101 .*login=alice action=CREATE object=invoices sub=- result=denied rule=neither'
	audit_once "^event=subscription $root action=add object=orders sub=nightly result=ok $admin"
	audit_once "^event=subscription $root action=seek object=orders sub=nightly result=ok $admin"
	audit_once "^event=subscription $root action=remove object=orders sub=nightly result=ok $admin"
	audit_once '^event=subscription uid=6103 .*login=carol action=make object=orders sub=6103.mine result=ok rule=the.040topic.047s.040list:.040carol '
	audit_once "^event=topic $root action=pause object=orders .*detail=Pause-In:.040yes"
	audit_once "^event=topic $root action=pause object=orders .*detail=Pause-In:.040no"
	audit_once '^event=refused uid=6102 .*action=PUB object=orders sub=- result=paused rule='
	audit_once "^event=topic $root action=set object=orders .*detail=Max-Size:.0404096"
	audit_once "^event=topic $root action=purge object=orders .*detail=1.040messages"
	audit_once "^event=subscription $root action=redrive object=orders .*detail=0.040messages"
	audit_once "^event=access $root action=revoke object=orders .*detail=Revoke:.040subscribe.040mallory"
	audit_once "^event=topic $root action=delete object=orders .*result=ok $admin"
	audit_once '^event=session uid=6101 gid=6101 pid=[0-9]+ login=alice action=begin .*result=ok'
	audit_once '^event=session uid=6101 gid=6101 pid=[0-9]+ login=alice action=end '
	run grep secret-payload lines "$DELIVERD_LOG"
	refute_output
	# The same lines go to standard error as they come.
	run grep -c 'audit: event=topic .*action=delete' "$DELIVERD_LOG"
	assert_output 1
}

@test "audit: a reload, one that is refused, and who it cut off" {
	users_start <<<'allow subscribe carol on orders'
	as root mess-topic create orders
	become carol
	"${AS[@]}" mess-sub -s mine orders >heard 2>&1 3>&- &
	local carol=$!
	audit_once '^event=subscription uid=6103 .*action=make object=orders'
	users_rules <<<'deny subscribe carol on orders'
	wait_for "$MESS_PATIENCE" process_ended "$carol"
	run -66 wait "$carol"
	users_write_rules <<<'allow everything'
	kill -HUP "$DELIVERD_PID"

	audit_once "^event=config uid=- .*action=reload object=$LAND/mess.conf sub=- result=ok"
	audit_once '^event=config uid=- .*action=reload .*result=refused rule='
	audit_once '^event=access uid=6103 .*login=carol action=cut object=orders .*rule=mess.conf.040line.0403:.040deny'
}

@test "audit: a stop and a start are in it, and what was before them" {
	users_start </dev/null
	as root mess-topic create orders
	deliverd_stop
	users_engine
	audit_once '^event=engine .*action=stop '
	audit_once '^event=topic .*action=create object=orders'
	assert_equal "$(audit_count '^event=engine .*action=start ')" 2
	# Killed within a second of a change, which was answered.
	as root mess-topic delete --yes orders
	deliverd_kill
	users_engine
	audit_once '^event=topic .*action=delete object=orders'
	# In the order in which it was.
	run awk '/action=(create|stop|delete) /{ print $6 }' lines
	assert_output $'action=create\naction=stop\naction=delete'
}

@test "audit: no string makes a line or a key" {
	local evil n

	users_start </dev/null
	as root mess-topic create orders
	as root mess-topic grant orders publish,subscribe bob
	while IFS= read -r evil; do
		printf 'SHOW %b\nSUB orders %b\nSET orders 7\n%b' "$evil" "$evil" "$evil" | many bob >/dev/null
		printf 'PUB orders %d 1\nX-%b: v\nxSUB orders x %d\n%b: %b\n' $((${#evil} + 6)) "$evil" \
			$((2 * ${#evil} + 3)) "$evil" "$evil" | many bob >/dev/null
		run as bob mess-sub -s "$(printf %b "$evil")" -e orders
		run as root mess-topic set orders --describe "$(printf %b "$evil")"
		run as root mess-topic grant orders publish "$(printf %b "$evil")"
		run as bob mess-sub --match "X=$(printf %b "$evil")" -s ok -e orders
	done <<-'E'
	x\nevent=engine uid=0 gid=0 pid=1 login=root action=stop
	x uid=0 login=root
	\033[2J\033[1;1H
	"quoted" 'and' `so`
	rule=allow
	\r\nevent=topic
	\\040uid=0
	\0303\0251\0200\0377
	E
	as root mess-topic delete --yes orders
	audit_once '^event=topic .*action=delete object=orders'
	run grep -E ' uid=0 .*uid=0|login=root.*login=root' lines
	refute_output
	n=$(grep -c 'action=stop' lines) || :
	assert_equal "$n" 0
	# Standard error has them too, and nothing of its own looks like one.
	run grep -cvE '^mess-deliverd: (audit: event=[a-z]+ uid=|[^a])' "$DELIVERD_LOG"
	assert_output 0
	run grep -P '[\x00-\x08\x0b-\x1f\x7f-\xff]' "$DELIVERD_LOG"
	refute_output
}

# answered N: so many answers came.
answered() {
	[ "$(wc -l <answers)" -ge "$1" ]
}

@test "audit: a flood of refusals is counted, exactly, and does not fill the disk" {
	local written suppressed

	users_start </dev/null
	as root mess-topic create orders
	{
		yes 'SHOW orders' | head -n 100000
		wait_for 60 answered 100000 || :
	} | many mallory >answers
	assert_equal "$(grep -c '^ERR notopic' answers)" 100000

	as bob mess-pub -m x nothing-there || :
	audit_once '^event=denied uid=6102 '
	wait_for "$MESS_PATIENCE" audit_has '^event=suppressed uid=6104 '
	deliverd_stop
	users_engine
	audit_read
	written=$(grep -c '^event=denied uid=6104 ' lines)
	suppressed=$(sed -n 's/^event=suppressed uid=6104 .*action=denied .* suppressed=//p' lines | paste -sd+ | bc)
	assert_equal $((written + suppressed)) 100000
	[ "$written" -lt 3000 ] || fail "$written lines"
	[ "$(wc -c <lines)" -lt 1048576 ] || fail "$(wc -c <lines) bytes"
	[ "$(wc -c <"$DELIVERD_LOG")" -lt 1048576 ]
}

@test "audit: only administrators read mess.audit; nobody publishes, deletes or purges it" {
	local user

	users_start <<-E
	admin alice
	allow publish,subscribe,admin,create mallory on mess.audit
	allow publish,subscribe,admin,create mallory on mess.**
	E
	for user in bob carol mallory; do
		run -66 as "$user" mess-sub -e mess.audit
		run -66 as "$user" mess-topic show mess.audit
		run -66 as "$user" mess-topic stat mess.audit
		run -66 as "$user" mess-pub -m x mess.audit
		run -66 as "$user" mess-topic delete --yes mess.audit
		run -0 as "$user" mess-topic list
		refute_output
	done
	for user in root mess alice; do
		run -0 as "$user" mess-topic list
		assert_output mess.audit
		run -77 as "$user" mess-pub -m 'event=engine' mess.audit
		run -77 as "$user" mess-topic delete --yes mess.audit
		run -77 as "$user" mess-topic purge --yes mess.audit
		run -77 as "$user" mess-topic pause mess.audit
		run -77 as "$user" mess-topic grant mess.audit subscribe bob
		run -77 as "$user" mess-topic set mess.audit --full reject
		run as "$user" mess-topic create mess.other
		assert_failure
	done
	as alice mess-topic set mess.audit --max-age 30d
	run -0 as alice mess-topic show mess.audit
	assert_line --partial 'max-bytes 67108864'
	run -0 as alice mess-sub -e mess.audit
	assert_line --regexp '^event=denied uid=6104 .*object=mess.audit .*rule=the.040engine'
	# Its messages are the engine's own.
	run -0 as alice mess-topic peek --records mess.audit
	run awk '$1 == "mess1" { print $4, $5 }' <<<"$output"
	assert_equal "$(sort -u <<<"$output")" '6100 6100'
	run stat -c %a:%u "$LAND/spool/mess.audit"
	assert_output 700:6100
}

@test "audit: a file in new/ that is no message, and damage, are in it" {
	users_start </dev/null
	as root mess-topic create orders
	ln -s /etc/passwd "$LAND/spool/orders/tmp/link"
	mv "$LAND/spool/orders/tmp/link" "$LAND/spool/orders/new/"
	audit_once '^event=spool uid=- .*action=report .*detail=orders:.040new/link:'
}

@test "audit: a personal engine writes none" {
	deliverd_start
	mess-pub -m x orders
	mess-topic create invoices
	run mess-topic create 'mess.audit'
	assert_failure
	run -0 mess-topic list
	assert_output $'invoices\norders'
	deliverd_stop
	assert_not_exist "$MESS_SPOOL/mess.audit"
	run grep audit "$DELIVERD_LOG"
	refute_output
}
