#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# strongSwan dials Sluice with certificates: aggressive mode with identities that are subjects, Curve25519, a chain so long
# that IKE has to cut its messages on a narrow link, a revoked certificate, of which both ends know why; and both sides ask
# whether the other is there, and take it down when it is not.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

PEER_AUTH=pubkey
PEER_ESP=aes128gcm16
PEER_FRAGMENT_SIZE=576
CHAIN=3 # authorities between a certificate and the one that both sides trust

# sluice_with METHOD CHANGES: sluiced starts again with this method for the branch.
sluice_with() {
	SLUICE_CHANGES="s/^\([[:space:]]*\)aggressive = true;/&\nauth = [\"$1\"];/
		s|#dpd_delay = .*|dpd_delay = 1;|; s|#dpd_timeout = .*|dpd_timeout = 10;|; s/#fragment_size = 1280;/fragment_size = 576;/
		s|#ike = .*|ike = [\"aes256-sha256-curve25519\", \"aes256-sha256-modp2048\", \"aes256-sha256-ecp256\"];|
		s|^        identity = .*|        identity = \"$BRANCH_IDENTITY\";|
		s|^    identity = .*|    identity = \"$HQ_IDENTITY\";\ncertificate = \"$CREDENTIALS/hq.pem\";\
key = \"$CREDENTIALS/hq.key\"; authorities = [\"$CREDENTIALS/authority.pem\"];|
		${2:-}"
	sluice_configure
	stop sluiced
	sluiced_start
	wait_for 10 "the data plane, attached again" sluiced_has_dataplane
}

sluiced_has_dataplane() {
	local shown

	shown=$(sluicectl show) && [[ $shown != *"No data plane"* ]]
}

sluiced_says() { grep -q "$1" "$LAB_DIR/sluiced.log"; }

# branch_start IKE AGGRESSIVE: what its charon says from now on is what charon_says looks at.
branch_start() {
	SAID=$(wc -l <"$LAB_DIR/charon-branch.log" 2>/dev/null || echo 0)
	PEER_IKE=$1 PEER_AGGRESSIVE=$2 strongswan_start branch
}
charon_says() { (($(tail -n "+$((SAID + 1))" "$LAB_DIR/charon-branch.log" | grep -c "$1"))); }

# dial IKE AGGRESSIVE ASKS: strongSwan has connected, and pings pass. After so long a silence it asks whether we are there.
dial() {
	branch_start "$1" "$2"
	sed -i "s/^        version = 1/&\n        dpd_delay = $3/" "$LAB_DIR/swanctl-branch.conf"
	swanctl_in branch --load-conns --file "$LAB_DIR/swanctl-branch.conf" >>"$LAB_DIR/swanctl-branch.log"
	strongswan_initiate
	wait_for_ping
	ping_without_loss 3 65000
}

hang_up() {
	strongswan_terminate
	wait_for 10 "the session's end" session_is_gone
	strongswan_stop branch
}

need_sluice
story_begin
huge_pages_reserve 256 || :
sluice_start

step "aggressive mode, RSA, identities that are subjects; Sluice says that it is there"
credentials_make rsa
credentials_give branch
(
	HQ_IDENTITY="C=DE, O=Example, CN=hq" BRANCH_IDENTITY="C=DE, O=Example, CN=branch"
	sluice_with rsa
	dial aes256-sha256-modp2048 yes 1s
	wait_for 10 "Sluice's answer" charon_says 'parsed INFORMATIONAL_V1 request .* N(DPD_ACK)'
	hang_up
)

step "main mode, Curve25519; strongSwan says that it is there, and is killed"
credentials_make P-256
credentials_give branch
sluice_with ecdsa256
dial aes256-sha256-curve25519 no 0s
wait_for 20 "strongSwan's answer" charon_says 'generating INFORMATIONAL_V1 request .* N(DPD_ACK)'
stop charon-branch KILL
wait_for 30 "the end of a session whose peer is gone" session_is_gone

step "a certificate that is revoked while sluiced runs, which reads the list: both ends know why"
credentials_revoke
sluice_with ecdsa256 "s|^    identity = .*|&\ncrls = [\"$CREDENTIALS/authority.crl\"];|"
dial aes256-sha256-curve25519 no 0s
hang_up
kill -HUP "$(<"$LAB_RUN/sluiced.pid")"
wait_for 5 "what it says of a key that it may not read" sluiced_says 'event=certificates_not_read '
chgrp sluice "$CREDENTIALS/hq.key"
chmod 640 "$CREDENTIALS/hq.key"
credentials_revoke branch
kill -HUP "$(<"$LAB_RUN/sluiced.pid")"
wait_for 5 "sluiced to have read the list" sluiced_says 'event=certificates_read '
for aggressive in no yes; do
	branch_start aes256-sha256-ecp256 "$aggressive"
	! strongswan_dials 5 || fail "the branch connected with a revoked certificate"
	wait_for 5 "the reason at the branch" charon_says 'received AUTHENTICATION_FAILED error notify'
	grep -q 'certificate refused: certificate revoked (C=DE, O=Example, CN=branch)' "$LAB_DIR/sluiced.log" ||
		fail "no reason in sluiced's log"
	sluicectl explain "$BRANCH_IDENTITY" | grep 'certificate refused: certificate revoked' || fail "explain does not say why"
	strongswan_stop branch
done

step "long chains on both sides, on a narrow link that drops IP fragments"
credentials_chain rsa hq "DNS:$HQ_IDENTITY" "$CHAIN"
cp "$CREDENTIALS/hq.pem" "$LAB_DIR/long.pem"
cp "$CREDENTIALS/hq.key" "$LAB_DIR/long.key"
credentials_chain rsa branch "DNS:$BRANCH_IDENTITY" "$CHAIN"
credentials_give branch "$CHAIN"
cp "$LAB_DIR/long.pem" "$CREDENTIALS/hq.pem"
cp "$LAB_DIR/long.key" "$CREDENTIALS/hq.key"
sluice_with rsa
lab_internet_mtu 576
lab_rules inet <<-'NFT'
	table ip narrow {
		chain forward {
			type filter hook prerouting priority raw
			ip frag-off & 0x3fff != 0 counter drop
		}
	}
NFT
branch_start aes256-sha256-ecp256 no
strongswan_initiate
wait_for_ping
(($(counter reassembled) > 0)) || fail "no message came in pieces"
say "$(counter reassembled) messages came in $(counter fragments) pieces"
