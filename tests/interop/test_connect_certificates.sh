#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# sluice-connect dials strongSwan as gateway with certificates, in main mode and in aggressive mode, and logs in there as
# a user: the IKE SA is renewed by either side, either side asks whether the other is there, and whoever's certificate or
# password is refused hears of it.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

VIRTUAL=10.99.0.1
HQ_SUBJECT="C=DE, O=Example, CN=hq"
BRANCH_SUBJECT="C=DE, O=Example, CN=branch"
PEER_ESP=aes256gcm16
GATEWAY_ASKS=0s BRANCH_ASKS=1 # after so many seconds of silence, whether the other is there

# How strongSwan as gateway proves itself and wants its client to: METHOD.
gateway_rounds() {
	local own=pubkey others=pubkey

	[[ $1 != xauth-psk ]] || own=psk others=psk
	printf 'local {\nauth = %s\nid = "%s"\n}\n' "$own" "$HQ_IDENTITY"
	[[ $1 == hybrid-rsa ]] || printf 'remote {\nauth = %s\nid = "%s"\n}\n' "$others" "$BRANCH_IDENTITY"
	[[ $1 == rsa ]] || printf 'remote-xauth {\nauth = xauth\n}\n'
}

# gateway_start METHOD AGGRESSIVE IKE
gateway_start() {
	cat >"$LAB_DIR/swanctl-hq.conf" <<-CONF
		connections {
		    sluice {
		        version = 1
		        aggressive = $2
		        proposals = $3
		        dpd_delay = $GATEWAY_ASKS
		        pools = $([[ $1 == rsa ]] || echo clients)
		        $(gateway_rounds "$1")
		        children {
		            net {
		                local_ts = $HQ_NETWORK
		                remote_ts = $([[ $1 == rsa ]] && echo "$BRANCH_NETWORK" || echo dynamic)
		                esp_proposals = $PEER_ESP
		            }
		        }
		    }
		}
		pools {
		    clients {
		        addrs = $VIRTUAL/32
		        dns = 192.168.2.53
		    }
		}
		secrets {
		    ike-sluice {
		        secret = "$PEER_SECRET"
		    }
		    xauth-alice {
		        id = alice
		        secret = "open sesame"
		    }
		}
	CONF
	strongswan_run hq
}

# connect_as METHOD AGGRESSIVE IKE: sluice-connect's configuration.
connect_as() {
	CONNECT_CHANGES="s/^#aggressive = .*/aggressive = $2;/; s/^#ike = .*/ike = [\"$3\"];/; s/^#dpd = .*/dpd = $BRANCH_ASKS;/
		s/^identity = .*/identity = \"$BRANCH_IDENTITY\";/; s/^gateway_identity = .*/gateway_identity = \"$HQ_IDENTITY\";/
		s|^#auth = .*|auth = [\"$1\"]; authorities = [\"$CREDENTIALS/authority.pem\"];|"
	[[ $1 != *rsa || $1 == hybrid* ]] ||
		CONNECT_CHANGES+="; s|^#pfs = .*|certificate = \"$CREDENTIALS/branch.pem\"; key = \"$CREDENTIALS/branch.key\";|"
	[[ $1 != *rsa ]] || CONNECT_CHANGES+='; s/^secret = .*//'
	[[ $1 == rsa ]] || CONNECT_CHANGES+="; s/^local_networks.*//; s|^#esn = .*|login = \"alice\"; password_file = \"$LAB_DIR/right\";|"
}

charon_says() { grep -q "$1" "$LAB_DIR/charon-hq.log"; }
# The youngest IKE SA that stands at strongSwan, by number: a former one stays for some moments, and by their name both
# would be renewed.
charon_ike_sa() { swanctl_in hq --list-sas --raw | grep -oE 'uniqueid=[0-9]+ .*state=ESTABLISHED' | sed 's/^uniqueid=//; s/ .*//' | sort -n | tail -n 1; }
charon_has_later_than() { (($(charon_ike_sa) > $1)); }
has_probed() { (($(connect_value counters.probes) > 0)); }
ping_virtual() { on branch ping -q -n -c 1 -W 1 -I "$VIRTUAL" "$SRV"; }

# dial METHOD AGGRESSIVE IKE: connected, and pings pass.
dial() {
	gateway_start "$1" "$([[ $2 == true ]] && echo yes || echo no)" "$3"
	connect_as "$@"
	connect_start
	connect_wait connected
	if [[ $1 == rsa ]]; then
		wait_for_ping
	else
		[[ $(connect_value virtual_address) == "$VIRTUAL" ]] || fail "it has $(connect_value virtual_address), not $VIRTUAL"
		wait_for 20 "an answer from srv to $VIRTUAL" ping_virtual
	fi
}

hang_up() {
	stop connect
	wait_for 10 "the end of strongSwan's SAs" strongswan_has_no_child hq
	strongswan_stop hq
}

story_begin
[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
hq_without_dataplane
credentials_make rsa
credentials_give hq
(umask 077 && echo "open sesame" >"$LAB_DIR/right" && echo "open barley" >"$LAB_DIR/wrong")
lab_route fw "$VIRTUAL/32" "$HQ"

step "main mode with certificates, Curve25519; strongSwan says that it is there"
dial rsa false aes256-sha256-curve25519
wait_for 10 "a question of ours" has_probed
wait_for 10 "strongSwan's answer" charon_says 'generating INFORMATIONAL_V1 request .* N(DPD_ACK)'

step "a new IKE SA while pings run, asked for by either side"
ping_forever
before=$(charon_ike_sa)
connect_ctl renew
wait_for 15 "a new IKE SA, asked for by the branch" charon_has_later_than "$before"
before=$(charon_ike_sa)
swanctl_in hq --rekey --ike-id "$before" >>"$LAB_DIR/swanctl-hq.log"
wait_for 15 "a new IKE SA, asked for by HQ" charon_has_later_than "$before"
ping_forever_without_loss
connect_is connected || fail "the tunnel was lost meanwhile"
hang_up

step "aggressive mode with certificates, identities their subjects; we say that we are there"
GATEWAY_ASKS=1s BRANCH_ASKS=0
HQ_IDENTITY=$HQ_SUBJECT BRANCH_IDENTITY=$BRANCH_SUBJECT dial rsa true aes256-sha256-modp2048
wait_for 10 "our answer to strongSwan" charon_says 'parsed INFORMATIONAL_V1 request .* N(DPD_ACK)'
hang_up

step "the gateway's certificate is revoked"
credentials_revoke hq
gateway_start rsa no aes256-sha256-ecp256
connect_as rsa false aes256-sha256-ecp256
CONNECT_CHANGES+="; s|^#require_crl = .*|crls = [\"$CREDENTIALS/authority.crl\"];|"
connect_configure
connect_once_says certificate
wait_for 5 "our refusal at strongSwan" charon_says 'received AUTHENTICATION_FAILED error notify'

step "our certificate is not one of its authority's"
cp "$CREDENTIALS/branch.pem" "$LAB_DIR/former.pem"
cp "$CREDENTIALS/branch.key" "$LAB_DIR/former.key"
cp "$CREDENTIALS/authority.pem" "$LAB_DIR/former-authority.pem"
credentials_make rsa
cp "$LAB_DIR/former-authority.pem" "$CREDENTIALS/authority.pem"
connect_as rsa false aes256-sha256-ecp256
connect_configure
connect_once_says not_accepted
cp "$LAB_DIR/former.pem" "$CREDENTIALS/branch.pem"
cp "$LAB_DIR/former.key" "$CREDENTIALS/branch.key"
strongswan_stop hq

for way in "hybrid-rsa false" "hybrid-rsa true" "xauth-rsa false" "xauth-psk false"; do
	step "a user logs in: $way (aggressive)"
	# shellcheck disable=SC2086 # two words
	dial $way aes256-sha256-ecp256
	hang_up
done

step "a wrong password"
gateway_start hybrid-rsa no aes256-sha256-ecp256
connect_as hybrid-rsa false aes256-sha256-ecp256
connect_configure
connect_once_says wrong_login --password-file "$LAB_DIR/wrong"
