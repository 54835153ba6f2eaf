#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# sluice-connect dials strongSwan as gateway: several IKE proposals and ESP suites, with and without PFS; new keys from
# either side while pings run, of which none is lost; a gateway that hangs up, and one that is killed and comes back.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

# dial IKE ESP PFS STRONGSWANS-ESP: the branch connects with these, rekeys, is rekeyed, and hangs up.
dial() {
	local spis

	step "IKE $1, ESP $2, PFS $3"
	PEER_IKE=$1 PEER_ESP=$4 strongswan_start hq
	CONNECT_CHANGES="s/^#ike = .*/ike = [\"$1\"];/; s/^#esp = .*/esp = [\"$2\"];/; s/^#pfs = .*/pfs = \"$3\";/"
	connect_start
	connect_wait connected
	wait_for_ping
	ping_without_loss 3 65000
	ping_forever
	spis=$(connect_spis)
	connect_ctl rekey
	wait_for 10 "new child SAs, asked for by the branch" connect_spis_differ_from "$spis"
	spis=$(connect_spis)
	swanctl_in hq --rekey --child net >>"$LAB_DIR/swanctl-hq.log"
	wait_for 10 "new child SAs, asked for by HQ" connect_spis_differ_from "$spis"
	ping_forever_without_loss
	stop connect
	wait_for 10 "the end of strongSwan's SAs" strongswan_has_no_child hq
	strongswan_stop hq
}

story_begin
[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
hq_without_dataplane
dial aes256-sha256-modp2048 aes256gcm none aes256gcm16
dial aes128-sha256-modp2048 aes128-sha1 none aes128-sha1
dial aes256-sha256-ecp256 aes256gcm ecp256 aes256gcm16-ecp256
dial aes256-sha384-ecp384 aes256-sha256 modp2048 aes256-sha256-modp2048

step "the gateway hangs up, and is dialed again"
CONNECT_CHANGES=
PEER_ESP=aes256gcm16
strongswan_start hq
connect_start
connect_wait connected
wait_for_ping
swanctl_in hq --terminate --ike sluice >>"$LAB_DIR/swanctl-hq.log"
wait_for 20 "a tunnel again" ping_srv -c 1 -W 1

step "the gateway is killed, and comes back"
stop charon-hq KILL
wait_for 30 "sluice-connect to notice" eval '! connect_is connected'
strongswan_start hq
wait_for 60 "a tunnel again" ping_srv -c 1 -W 1
connect_wait connected
stop connect

step "a wrong key, and no proposal in common"
printf 'another-secret-another-secret\n' >"$LAB_DIR/wrong.key"
chmod 600 "$LAB_DIR/wrong.key"
connect_once_says wrong_key --secret-file "$LAB_DIR/wrong.key"
connect_once_says no_proposal --ike aes128-sha512-modp2048
