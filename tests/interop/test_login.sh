#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Users who log in at Sluice behind a group's key, behind certificates on both sides, and behind the gateway's alone
# (hybrid), in main mode and in aggressive mode: strongSwan and sluice-connect as clients get an address and carry pings.
# A wrong password gets nowhere and says so at both ends; and a gateway with another certificate hears no password.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

USERS=/run/sluice-users # every host of the lab has a /run of its own
SLUICE_CHANGES='
	s|^    #file = "/etc/sluice/users"|    file = "'$USERS'"|
	s|^#state_dir = .*|state_dir = "/run/sluice-state";|
	s|^#pools = .*|pools = ( { name = "clients"; network = "10.99.0.0/29"; dns = ["192.168.2.53"]; } );|
	s|#auth = \["psk"\];|auth = ["hybrid-rsa", "xauth-rsa", "xauth-psk"];|
	s|#pool = "";|pool = "clients";|
	/^ *remote_networks = /d
	s|^\([[:space:]]*\)identity = "'$HQ_IDENTITY'";|&\ncertificate = "'$CREDENTIALS'/hq.pem";\
key = "'$CREDENTIALS'/hq.key"; authorities = ["'$CREDENTIALS'/authority.pem"];|'

user_add() { on hq sh -c 'printf "%s\n" "$3" | "$0" -c "$1" user add "$2"' \
	"$BUILD/controlplane/sluicectl" "$SLUICE_CONFIG" "$1" "$2"; }
lease_of() { sluicectl --json show leases | python3 -c '
import json, sys
print(*(l["address"] for l in json.load(sys.stdin)["leases"] if l["identity"] == sys.argv[1]))' "$1"; }
alice_has_a_session() { sluicectl show | grep -E '^branch1 +alice '; }
alice_has_no_session() { ! alice_has_a_session; }
sluiced_says() { grep -q "$1" "$LAB_DIR/sluiced.log"; }
ping_from_branch() { on branch ping -q -n -c 1 -W 1 "$SRV"; }

# The rounds of strongSwan's client: METHOD.
client_rounds() {
	case $1 in
	xauth-psk) printf 'local { \nauth = psk\nid = %s\n}\nremote {\nauth = psk\nid = %s\n}\n' "$BRANCH_IDENTITY" "$HQ_IDENTITY" ;;
	xauth-rsa) printf 'local { \nauth = pubkey\nid = %s\n}\nremote {\nauth = pubkey\nid = %s\n}\n' "$BRANCH_IDENTITY" "$HQ_IDENTITY" ;;
	hybrid-rsa) printf 'remote {\nauth = pubkey\nid = %s\n}\n' "$HQ_IDENTITY" ;;
	esac
	[[ $1 == hybrid-rsa ]] || printf 'local-xauth {\nauth = xauth\nxauth_id = alice\n}\n'
	[[ $1 != hybrid-rsa ]] || printf 'local {\nauth = xauth\nid = %s\nxauth_id = alice\n}\n' "$BRANCH_IDENTITY"
}

# client_start METHOD AGGRESSIVE PASSWORD
client_start() {
	cat >"$LAB_DIR/swanctl-branch.conf" <<-CONF
		connections {
		    sluice {
		        version = 1
		        aggressive = $2
		        proposals = aes256-sha256-ecp256
		        remote_addrs = $HQ_OUTSIDE
		        vips = 0.0.0.0
		        keyingtries = 1
		        $(client_rounds "$1")
		        children {
		            net {
		                remote_ts = $HQ_NETWORK
		                esp_proposals = $PEER_ESP
		            }
		        }
		    }
		}
		secrets {
		    ike-sluice {
		        secret = "$PEER_SECRET"
		    }
		    xauth-alice {
		        id = alice
		        secret = "$3"
		    }
		}
	CONF
	strongswan_run branch
}

# connect_as METHOD AGGRESSIVE PASSWORD-FILE: sluice-connect's configuration.
connect_as() {
	CONNECT_CHANGES="s/^local_networks.*//; s/^remote_networks.*//; s/^#aggressive = .*/aggressive = $2;/
		s|^#auth = .*|auth = [\"$1\"]; login = \"alice\"; password_file = \"$3\";\
		authorities = [\"$CREDENTIALS/authority.pem\"];|"
	[[ $1 != xauth-rsa ]] ||
		CONNECT_CHANGES+="; s|^identity.*|&\ncertificate = \"$CREDENTIALS/branch.pem\"; key = \"$CREDENTIALS/branch.key\";|"
	[[ $1 == xauth-psk ]] || CONNECT_CHANGES+='; s/^secret = .*//'
}

# alice_is_connected: the session is hers, with her address, and pings come back to it.
alice_is_connected() {
	ADDRESS=$(lease_of alice)
	[[ $ADDRESS ]] || fail "alice has no lease"
	alice_has_a_session | grep -F "$ADDRESS/32" || fail "alice's session is not for $ADDRESS: $(sluicectl show)"
	wait_for 20 "an answer from srv to alice" ping_from_branch
}

need_sluice
[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
story_begin
credentials_make rsa
lab_route fw 10.99.0.0/24 "$HQ"
huge_pages_reserve 256 || :
sluice_start
user_add alice "open sesame"
credentials_give branch
(umask 077 && echo "open sesame" >"$LAB_DIR/right" && echo "open barley" >"$LAB_DIR/wrong")

for mode in "main no false" "aggressive yes true"; do
	read -r name yes true <<<"$mode"
	for method in xauth-psk xauth-rsa hybrid-rsa; do
		step "$method in $name mode: strongSwan"
		client_start "$method" "$yes" "open sesame"
		strongswan_initiate
		alice_is_connected
		strongswan_terminate
		wait_for 10 "the end of alice's session" alice_has_no_session
		strongswan_stop branch

		step "$method in $name mode: sluice-connect"
		connect_as "$method" "$true" "$LAB_DIR/right"
		connect_start
		connect_wait connected
		alice_is_connected
		[[ $(connect_value virtual_address) == "$ADDRESS" ]] || fail "sluice-connect has $(connect_value virtual_address)"
		ip -n "$(namespace branch)" address show dev sluice0 | grep -qF "$ADDRESS/32" || fail "sluice0 has no $ADDRESS"
		[[ $(branch_routes "$HQ_NETWORK") == *sluice0*"src $ADDRESS"* ]] || fail "no route to HQ: $(branch_routes)"
		stop connect
		wait_for 10 "the end of alice's session" alice_has_no_session
	done
done

step "a wrong password gets nowhere, and both ends say so"
client_start hybrid-rsa no "open barley"
! strongswan_dials 15 || fail "a wrong password brought the tunnel up"
sluiced_says 'user .alice. was not let in: the password is wrong' || fail "no reason in sluiced's log"
strongswan_stop branch
connect_as hybrid-rsa false "$LAB_DIR/wrong"
connect_configure
connect_once_says wrong_login
alice_has_no_session || fail "a session stands that nobody logged in for"

step "a gateway whose certificate is of another authority hears no password"
cp "$CREDENTIALS/authority.pem" "$LAB_DIR/former.pem"
credentials_make rsa
stop sluiced
sluiced_start
cp "$LAB_DIR/former.pem" "$CREDENTIALS/authority.pem"
asked() { grep -c "was not let in" "$LAB_DIR/sluiced.log" || :; }
before=$(asked)
for aggressive in true false; do
	connect_as hybrid-rsa "$aggressive" "$LAB_DIR/right"
	connect_configure
	connect_once_says certificate
done
[[ $(asked) == "$before" ]] || fail "the impostor was told a password"
alice_has_no_session || fail "a session stands with the impostor"
