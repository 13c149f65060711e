#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Attack: a line of audit is forged, or an administrator's terminal driven, by
# what a caller names: topics, subscriptions, headers, patterns, settings, logins.
# Defence: every value is escaped, a line of keys in one order (lib/audit.c), and
# a login that would end one is none (lib/auth.c).
# Asserted: after a hostile run each line of mess.audit, and of the engine's log,
# is one that the engine wrote, and what mallory made stays inside a value.

load attack

# What the file lines holds, each as the engine writes them.
is_strict() {
	# shellcheck disable=SC2016 # perl's
	perl -ne '
		my $v = q{[!#-&(-<>-_a-~]+};
		my $line = join "", map { " $_=$v" } qw(uid gid pid login action object sub result rule detail);
		/\Aevent=[a-z]+$line( suppressed=[0-9]+)?\n\z/ or die "not a line of audit: $_"' "$1"
}

@test "attack: no name, header, pattern, setting or login makes a line of audit" {
	local evil

	attack_start <<<'admin alice'
	as mallory mess-topic create user.mallory.t
	while IFS= read -r evil; do
		# As each has them, \xHH and \n; the lengths are those of the bytes.
		local bytes=$(($(printf %b "$evil" | wc -c)))
		cat <<-L
		SHOW $evil\n
		SUB user.mallory.t $evil\n
		SUB $evil.** mine\nTAKE 1\n
		PUB user.mallory.t $((bytes + 4)) 0\nX: $evil\n
		PUB user.mallory.t $((bytes + 4)) 0\n$evil: v\n
		SUBADD user.mallory.t x $((bytes + 8))\nMatch: $evil\n
		SUBADD user.mallory.t x $((bytes + 10))\nMatch: X=$evil\n
		SUBADD user.mallory.t y $((bytes + 8))\nShare: $evil\n
		REDRIVE user.mallory.t $((bytes + 10))\nMatch: X=$evil\n
		SET user.mallory.t $((bytes + 11))\nDescribe: $evil\n
		SET user.mallory.t $((bytes + 16))\nGrant: publish $evil\n
		CREATE user.mallory.n $((bytes + 11))\nDescribe: $evil\n
		CHECK user.mallory.t publish $evil\n
		$evil\n
		L
	done >said <<-'E'
	x\nevent=engine\x20uid=0\x20login=root\x20action=stop
	x event=engine uid=0 gid=0 pid=1 login=root action=stop object=- sub=- result=ok rule=- detail=-
	\x1b[2J\x1b]0;owned\x07
	\xc2\x9b2J\xe2\x80\xae
	x\rmess-deliverd: audit: event=engine
	"quoted" 'and' `so` %s%n \\040uid=0
	E
	each_hello mallory <said >answers
	assert_equal "$(wc -l <answers)" "$(wc -l <said)"
	# One that is called so by the machine's own databases.
	printf 'x\033[2J"=root:x:6190:6190::/:/bin/sh\n' >>"$LAND/etc/passwd"
	become mallory
	AS=("${AS[@]/#--reuid=*/--reuid=6190}")
	run "${AS[@]/#--init-groups/--clear-groups}" mess-topic create user.x.t

	as root mess-topic delete --yes user.mallory.t
	wait_for "$MESS_PATIENCE" deleted
	is_strict lines
	# Some of it was let through, into a value of a line of hers.
	run -0 grep -c '^event=topic uid=6104 .*action=set .*detail=Describe:.040x.040event.075engine.040uid.0750' lines
	assert_output 1
	run grep -E '^event=engine .*action=stop' lines
	refute_output
	run grep -cvE '^mess-deliverd: (audit: event=[a-z]+ uid=|[^a])' "$DELIVERD_LOG"
	assert_output 0
	run grep -aP '[\x00-\x08\x0b-\x1f\x7f-\xff]' "$DELIVERD_LOG"
	refute_output
}

deleted() {
	as root mess-sub --peek -e mess.audit >lines
	grep -q '^event=topic uid=0 .*action=delete object=user.mallory.t' lines
}
