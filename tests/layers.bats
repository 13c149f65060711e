#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The architecture, held: calls go down (bin, lib, lib/base), the library
# returns and programs report, no signal handlers, and Makefile.am builds
# what is there.

load helper

# The sources of the given directories (below the source), one a line.
sources() {
	local dir

	for dir; do
		find "$MESS_SOURCE/$dir" -maxdepth 1 -name '*.[ch]' | sort
	done
}

# FILE:LINE:TEXT of a source, without its comments.
code() {
	awk '
	{
		line = $0
		out = ""
		while (line != "") {
			if (inside) {
				if ((at = index(line, "*/")) == 0)
					break
				line = substr(line, at + 2)
				inside = 0
			} else if ((at = index(line, "/*")) != 0) {
				out = out substr(line, 1, at - 1)
				line = substr(line, at + 2)
				inside = 1
			} else {
				sub("//.*", "", line)
				out = out line
				line = ""
			}
		}
		if (out ~ /[^ \t]/)
			print FILENAME ":" FNR ":" out
	}' "$1"
}

# What the sources of DIR include of ours, as FILE:NAME, below the source.
included() {
	local file name from

	for file in $(sources "$1"); do
		from=${file%/*}
		while read -r name; do
			if [ -e "$from/$name" ]; then
				name=$(realpath "$from/$name")
			else
				name=$(realpath -m "$MESS_SOURCE/lib/$name")
			fi
			echo "${file#"$MESS_SOURCE/"}:${name#"$(realpath "$MESS_SOURCE")/"}"
		done < <(sed -n 's/^#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file")
	done
}

# Calls, in the sources given on stdin, of the functions that REGEX names.
calls() {
	local file

	while read -r file; do
		code "$file"
	done | grep -P "(?<![\\w.>])($1)[ \\t]*\\(" || :
}

@test "layers: lib/base includes only itself and mess.h" {
	run -0 included lib/base
	assert_output # something was found at all
	run grep -vE ':lib/(base/[a-z]+\.(h|def)|mess\.h)$' <<<"$output"
	refute_output
}

@test "layers: lib includes only lib and lib/base" {
	run -0 included lib
	assert_output
	run grep -vE ':lib/(base/)?[a-z_]+\.h$' <<<"$output"
	refute_output
}

@test "layers: bin includes only bin, lib and lib/base" {
	run -0 included bin
	assert_output
	run grep -vE ':(bin|lib|lib/base)/[a-z_-]+\.h$' <<<"$output"
	refute_output
}

@test "layers: a source includes its own header first" {
	local file header first

	for file in $(sources lib lib/base); do
		header=$(basename "${file%.c}").h
		[[ $file == *.c && -e ${file%.c}.h ]] || continue
		first=$(grep -m 1 '^#[[:space:]]*include' "$file")
		assert_equal "${file##*/}: $first" "${file##*/}: #include \"$header\""
	done
}

@test "layers: the library neither prints nor exits nor reads the environment" {
	run calls 'v?f?printf|dprintf|puts|fputs|putchar|perror|exit|getenv|secure_getenv|v?syslog|v?errx?|v?warnx?' \
		< <(sources lib lib/base | grep -v '/audit\.c$')
	refute_output
}

@test "layers: no signal handlers, only SIG_IGN and SIG_DFL" {
	run grep -vE 'SIG_(IGN|DFL)' < <(sources bin lib lib/base | calls 'signal|bsd_signal|sigset')
	refute_output
	run grep -nE '\bsa_sigaction\b' $(sources bin lib lib/base)
	refute_output
	# Setting one; asking what is set (a third argument, then !=) is harmless.
	run grep -vE '\bsa_handler *(= *SIG_(IGN|DFL)\b|!= *SIG_IGN\b)' \
		< <(sources bin lib lib/base | xargs grep -nE '\bsa_handler\b')
	refute_output
}

@test "layers: every source says ISC and what it is" {
	local file

	for file in $(sources bin lib lib/base tests/unit tests/fuzz); do
		run -0 head -n 1 "$file"
		assert_output '/* SPDX-License-Identifier: ISC */'
	done
}

# What Makefile.am names, a test program by its source.
listed() {
	grep -oE '\b(bin|lib|man|tests)/[A-Za-z0-9_./-]+' "$MESS_SOURCE/Makefile.am" |
		sed -E 's,^tests/(unit|fuzz)/(test|fuzz)_[^.]*$,&.c,'
}

# What it should name.
present() {
	cd "$MESS_SOURCE" || return
	find bin lib man tests -path tests/fuzz/corpus -prune -o \
		-name '*.[ch1-8]' -print -o -name '*.bats' -print -o -name '*.bash' -print
}

@test "layers: Makefile.am lists what is there" {
	run comm -23 <(present | sort -u) <(listed | sort -u)
	refute_output
}
