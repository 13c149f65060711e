#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What takes minutes to show.

# shellcheck disable=SC2154 # run sets $stderr
load ../helper

setup() {
	mess_setup
	deliverd_start
}

@test "lease: a worker asleep for two minutes keeps what it has" {
	mess-pub -m one t
	mess-sub -n 1 t -- sh -c 'cat >>out; touch begun; sleep 125; touch ended' &
	worker=$!
	wait_for "$MESS_PATIENCE" test -e begun
	kill -STOP "$worker"

	run -124 mess-sub -W 120 -n 1 t
	assert_output ""
	[ ! -e ended ] || fail "the worker was faster than two minutes"
	kill -CONT "$worker"

	wait "$worker"
	assert_equal "$(cat out)" one
	assert_equal "$(stat_of t acked default)" 1
	assert_equal "$(stat_of t redelivered default)" 0
}
