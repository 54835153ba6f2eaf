# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The cable between nat and inet made bad, by wire.c in the place of the bridge. Sourced after net.sh.

wire_build() {
	mkdir -p "$BUILD/lab"
	[[ ! $BUILD/lab/wire -nt $TOP/tests/lab/wire.c ]] || return 0
	# Another lab may build it, or run it, at the same time.
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE "$TOP/tests/lab/wire.c" -o "$BUILD/lab/wire.$$" -levent_core
	mv "$BUILD/lab/wire.$$" "$BUILD/lab/wire"
}

# wire_bad DELAY LOSS DUPLICATE REORDER: milliseconds and percent, see wire.c.
wire_bad() {
	wire_build
	stop wire
	ip -n "$(namespace wire)" link delete dev wire 2>/dev/null || :
	: >"$LAB_DIR/wire.log"
	background wire wire "$BUILD/lab/wire" west east "$@"
	wait_for 10 "the bad cable" wire_is_ready
}

wire_is_ready() {
	running wire || return "$GAVE_UP"
	grep -q '^ready' "$LAB_DIR/wire.log"
}

wire_good() {
	stop wire
	lab_bridge wire wire west east
}
