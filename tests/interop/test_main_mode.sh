#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# strongSwan behind a NAT dials Sluice with main mode: with a pre-shared key and with certificates of each kind of key. It
# renews the IKE SA while pings run, of which none is lost; and whoever's certificate is of another authority is refused,
# which Sluice says.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

PEER_AGGRESSIVE=no

# sluice_with METHOD: sluiced starts again with this method for the branch, and without aggressive mode.
sluice_with() {
	SLUICE_CHANGES="s/^\([[:space:]]*\)aggressive = true;/\1auth = [\"$1\"];/"
	[[ $1 == psk ]] || SLUICE_CHANGES+="
		s|^\([[:space:]]*\)identity = \"$HQ_IDENTITY\";|&\ncertificate = \"$CREDENTIALS/hq.pem\";\
\nkey = \"$CREDENTIALS/hq.key\"; authorities = [\"$CREDENTIALS/authority.pem\"];|"
	sluice_configure
	stop sluiced
	sluiced_start
	wait_for 10 "the data plane, attached again" sluiced_has_dataplane
}

sluiced_has_dataplane() {
	local shown

	shown=$(sluicectl show) && [[ $shown != *"No data plane"* ]]
}

ike_sas() { sluicectl --json show ike | python3 -c '
import json, sys
print(*sorted(str(sa["id"]) for sa in json.load(sys.stdin)["ike_sas"] if sa["exchange"] == "main" and sa["established"]))'; }
ike_sas_differ_from() { [[ $(ike_sas) != "$1" ]]; }
sluiced_says() { grep -F "$1" "$LAB_DIR/sluiced.log"; }

# dial IKE: the branch connects, renews, and hangs up.
dial() {
	local before

	PEER_IKE=$1 strongswan_start branch
	strongswan_initiate
	wait_for_ping
	ping_without_loss 3 65000
	before=$(ike_sas)
	[[ $before ]] || fail "sluicectl shows no IKE SA of main mode"
	ping_forever
	swanctl_in branch --rekey --ike sluice >>"$LAB_DIR/swanctl-branch.log"
	wait_for 10 "a new IKE SA, asked for by the branch" ike_sas_differ_from "$before"
	ping_forever_without_loss
	strongswan_terminate
	wait_for 10 "the session's end" session_is_gone
	strongswan_stop branch
}

need_sluice
story_begin
huge_pages_reserve 256 || :
sluice_start

step "a pre-shared key"
sluice_with psk
dial aes256-sha256-modp2048
dial aes128-sha256-ecp256

for kind in rsa:rsa P-256:ecdsa256 P-384:ecdsa384 P-521:ecdsa521; do
	step "certificates: ${kind#*:}"
	PEER_AUTH=pubkey
	credentials_make "${kind%:*}"
	credentials_give branch
	sluice_with "${kind#*:}"
	dial aes256-sha256-ecp256
done

step "a certificate of another authority"
credentials_make P-256
sluice_with ecdsa256
cp "$CREDENTIALS/authority.pem" "$LAB_DIR/authority.pem"
credentials_make P-256
credentials_give branch
cp "$LAB_DIR/authority.pem" "$LAB_DIR/x509ca/"
PEER_IKE=aes256-sha256-ecp256 strongswan_start branch
! strongswan_dials 5 || fail "the branch connected with a certificate that HQ can't trust"
wait_for 5 "the reason in sluiced's log" sluiced_says "certificate refused: unable to get local issuer certificate"
