#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Are attacks found?  Each file of tests/attack has to fail when its defence is
# taken out: that is what tests/attack/mutants/ROW*.patch do, one after the
# other, in a copy of the source that is built beside it.  In the end the same
# copy, as it was, has to pass.

load ../helper

setup_file() {
	[ "$(id -u)" -eq 0 ] || skip "needs root and other users"
	export COPY=$BATS_FILE_TMPDIR/copy
	mkdir -p "$COPY/source" "$COPY/build"
	tar -C "$MESS_SOURCE" -cf - --exclude=./.git --exclude=./build --exclude=./autom4te.cache \
		--exclude='*.o' --exclude='*.lo' --exclude='*.la' --exclude=.libs --exclude=./config.status . |
		tar -C "$COPY/source" -xf -
	(cd "$COPY/build" && ../source/configure -q --disable-shared CFLAGS=-O1) 3>&-
	copy_build
}

copy_build() {
	make -s -C "$COPY/build" bin/mess-pub bin/mess-sub bin/mess-topic bin/mess-deliverd \
		tests/attack/attack 3>&- >"$COPY/said" 2>&1 || {
		cat "$COPY/said"
		return 1
	}
}

# copy_run FILE...: what tests/run says of them in the copy.  PATH is the plain one: in ours
# another bats comes first, which only the outer one can run.
copy_run() {
	env -i PATH="$(getconf PATH):/usr/sbin:/sbin" HOME="$HOME" MESS_BUILD="$COPY/build" MESS_JOBS=2 \
		BATS_TEST_TIMEOUT=60 MESS_TIMEOUT=90 "$COPY/source/tests/run" "$@" 3>&-
}

copy_patch() {
	patch -s -d "$COPY/source" -p1 --fuzz=0 --no-backup-if-mismatch "$@"
}

# found ROW...: each mutant of these rows is.
found() {
	local row patch n=0

	for row; do
		for patch in "$MESS_SOURCE/tests/attack/mutants/$row"[-a-z]*.patch; do
			copy_patch <"$patch"
			copy_build
			row=${patch##*/}
			run copy_run "$COPY/source/tests/attack/${row%%-*}"-*.bats
			copy_patch -R <"$patch"
			[[ $status -eq 1 && $output =~ not\ ok\ [0-9]+\ attack: && ${lines[-1]} =~ ,\ [1-9][0-9]*\ failed$ ]] ||
				fail "${row%.patch}: not found: $output"
			echo "# ${row%.patch} is found" >&3
			n=$((n + 1))
		done
	done
	[ "$n" -gt 0 ]
}

@test "mutants: every attack has one" {
	local file row

	for file in "$MESS_SOURCE"/tests/attack/*.bats; do
		row=${file##*/}
		compgen -G "$MESS_SOURCE/tests/attack/mutants/${row%%-*}-*.patch" >/dev/null || fail "$row has none"
	done
	for file in "$MESS_SOURCE"/tests/attack/mutants/*.patch; do
		row=${file##*/}
		compgen -G "$MESS_SOURCE/tests/attack/${row%%-*}-*.bats" >/dev/null || fail "$row is of none"
	done
}

@test "mutants: T1, flooding" {
	found t1
}

@test "mutants: T2, connections" {
	found t2
}

@test "mutants: T3, injection" {
	found t3
}

@test "mutants: T4, making and deleting topics" {
	found t4
}

@test "mutants: T5, names" {
	found t5
}

@test "mutants: T6, subscribing" {
	found t6
}

@test "mutants: T7, others' subscriptions" {
	found t7
}

@test "mutants: T8, reading the spool" {
	found t8
}

@test "mutants: T12 to T14, spoofing, replay, metadata" {
	found t12 t13 t14
}

@test "mutants: as it is, every attack fails" {
	copy_build
	run -0 copy_run "$COPY/source"/tests/attack/*.bats
	[[ ${lines[-1]} =~ ^[1-9][0-9]*\ passed,\ 0\ failed$ ]]
}
