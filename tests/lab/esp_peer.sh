# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A peer with more than strongSwan's ESP in user space, which knows neither bare ESP nor transport mode nor sequence numbers
# of 64 bits: charon negotiates as with a kernel that has ESP, and esp_peer.py does it. AES-GCM alone. Sourced after
# strongswan.sh.

ESP_PEER_TUN=esp0

esp_peer_build() {
	[[ ! $BUILD/lab/xfrm.so -nt $TOP/tests/lab/xfrm.c ]] || return 0
	mkdir -p "$BUILD/lab"
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -shared -fPIC "$TOP/tests/lab/xfrm.c" -o "$BUILD/lab/xfrm.$$.so"
	mv "$BUILD/lab/xfrm.$$.so" "$BUILD/lab/xfrm.so"
}

# esp_peer_start HOST MTU: what HOST routes to $ESP_PEER_TUN from then on goes through the tunnel that its charon negotiates.
esp_peer_start() {
	local file=$LAB_DIR/xfrm-$1

	esp_peer_build
	: >"$file"
	chmod 600 "$file"
	# SPIs that charon was given wait for SAs that never come.
	ip netns exec "$(namespace "$1")" sh -c 'echo 86400 >/proc/sys/net/core/xfrm_acq_expires'
	background "esp-$1" "$1" "$TOP/tests/lab/esp_peer.py" "$file" $ESP_PEER_TUN "$2"
	wait_for 10 "ESP at $1" esp_peer_is_ready "$1"
	PEER_KERNEL=kernel-netlink PEER_ROUTES=no
	PEER_ENVIRONMENT=(LD_PRELOAD="$BUILD/lab/xfrm.so" LAB_XFRM="$file")
	strongswan_run "$1"
}

esp_peer_is_ready() {
	running "esp-$1" || return "$GAVE_UP"
	grep -q '^ready' "$LAB_DIR/esp-$1.log"
}

# Everything that came could be opened and was expected.
esp_peer_is_content() {
	! grep -v '^ready' "$LAB_DIR/esp-$1.log" || fail "ESP at $1 complains: $(tail -n 3 "$LAB_DIR/esp-$1.log")"
}
