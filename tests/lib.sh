# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What every script of tests/ shares: sentences, conditions with a deadline, and the builds. Sourced, never run.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build
LOGS=$BUILD/logs
JOBS=${JOBS:-$(nproc)}
SKIPPED=77 # exit status of a test that could not be tried

# Standard error of the script itself, for failures in the middle of a function whose own output goes elsewhere.
exec {REPORT}>&2

say() { printf '%s\n' "$*"; }

# on_failure SENTENCE: called before a failing script ends; whoever has more to tell defines it anew.
on_failure() { :; }

fail() {
	printf 'failed: %s\n' "$*" >&$REPORT
	on_failure "$*" >&$REPORT
	exit 1
}

skip() {
	printf 'skipped: %s\n' "$*"
	exit "$SKIPPED"
}

need_root() { [[ $(id -u) == 0 ]] || skip "needs root, for network namespaces"; }

GAVE_UP=99

# wait_for SECONDS DESCRIPTION COMMAND...: polls until COMMAND succeeds. A COMMAND that finds its process ended returns
# $GAVE_UP.
wait_for() {
	local seconds=$1 description=$2 deadline=$((SECONDS + $1 + 1)) status

	shift 2
	while :; do
		status=0
		"$@" >/dev/null 2>&1 || status=$?
		((status != 0)) || return 0
		((status != GAVE_UP)) || fail "waited in vain, because the process has ended: $description"
		((SECONDS < deadline)) || fail "waited $seconds s in vain: $description"
		sleep 0.1
	done
}

# A process that nobody has waited for yet runs no more either.
process_runs() { [[ $(ps -o stat= -p "$1") == [!Z]* ]]; }
process_gone() { ! process_runs "$1"; }

# --- builds ---------------------------------------------------------------------------------------------------------

# build_directory KIND: where the build of that kind is.
build_directory() {
	case $1 in
	gcc) echo "$BUILD" ;;
	*) echo "$BUILD-$1" ;;
	esac
}

build_options() {
	case $1 in
	gcc | clang) ;;
	asan) echo -Db_sanitize=address,undefined -Db_lundef=false ;;
	tsan) echo -Db_sanitize=thread -Db_lundef=false ;;
	fuzz) echo -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false ;;
	*) fail "there is no build of kind $1" ;;
	esac
}

# gcc knows no fences under its thread sanitizer and says so with a warning; libFuzzer is clang's.
build_compiler() {
	case $1 in
	gcc | asan) echo gcc ;;
	*) echo clang ;;
	esac
}

# build_configure KIND: meson knows all targets and tests as the sources have them now.
build_configure() {
	local kind=$1 directory options

	directory=$(build_directory "$kind")
	read -ra options < <(build_options "$kind") || :
	if [[ -f $directory/build.ninja ]]; then
		ninja -C "$directory" build.ninja
	else
		CC=$(build_compiler "$kind") meson setup "${options[@]}" "$directory" "$TOP"
	fi
}

# build KIND [TARGET...]: gcc, clang, asan, tsan or fuzz; everything or the targets named.
build() {
	local kind=$1

	shift
	build_configure "$kind" && ninja -C "$(build_directory "$kind")" -j "$JOBS" "$@"
}

# build_said KIND: the same with one line of progress; its output goes to a log, of which a failure shows the end.
build_said() {
	local log=$LOGS/build-$1.log start=$SECONDS

	mkdir -p "$LOGS"
	printf 'building with %s into %s ... ' "$(build_compiler "$1")" "$(build_directory "$1")"
	if ! build "$@" >"$log" 2>&1; then
		printf 'failed\n'
		tail -n 30 "$log" >&2
		return 1
	fi
	printf '%d s\n' $((SECONDS - start))
}
