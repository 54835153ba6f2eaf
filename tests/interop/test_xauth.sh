#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two strongSwan clients behind one NAT dial one peer entry of Sluice: aggressive mode with the group's key, then each
# logs in as its own user (XAUTH) and gets its own virtual address (mode-config). Wrong passwords get nowhere; who comes
# back gets the same address; a restart of sluiced disturbs nobody; and the address is pushed as well as pulled.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

USERS=/run/sluice-users # every host of the lab has a /run of its own
SLUICE_CHANGES='
	s|^    #file = "/etc/sluice/users"|    file = "'$USERS'"|
	s|^#state_dir = .*|state_dir = "/run/sluice-state";|
	s|^#pools = .*|pools = ( { name = "clients"; network = "10.99.0.0/29"; dns = ["192.168.2.53"]; } );|
	s|#auth = \["psk"\];|auth = ["xauth-psk"];|
	s|#pool = "";|pool = "clients";|
	/^ *remote_networks = /d'

# client_configure HOST USER PASSWORD
client_configure() {
	cat >"$LAB_DIR/swanctl-$1.conf" <<-CONF
		connections {
		    sluice {
		        version = 1
		        aggressive = yes
		        proposals = $PEER_IKE
		        remote_addrs = $HQ_OUTSIDE
		        vips = 0.0.0.0
		        keyingtries = 1
		        local {
		            auth = psk
		            id = $BRANCH_IDENTITY
		        }
		        local-xauth {
		            auth = xauth
		            xauth_id = $2
		        }
		        remote {
		            auth = psk
		            id = $HQ_IDENTITY
		        }
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
		    xauth-$2 {
		        id = $2
		        secret = "$3"
		    }
		}
	CONF
}

# client_start HOST USER PASSWORD: with what it knew before forgotten.
client_start() {
	client_configure "$@"
	strongswan_stop "$1"
	strongswan_run "$1"
}

second_client() {
	lab_add_host branch2
	lab_link branch2 wan nat lan2
	lab_address branch2 wan 100.64.2.2/24
	lab_address nat lan2 100.64.2.1/24
	lab_route branch2 default 100.64.2.1
	lab_rules nat <<<'add rule ip filter forward iifname "lan2" accept'
}

user_add() { on hq sh -c 'printf "%s\n" "$3" | "$0" -c "$1" user add "$2"' \
	"$BUILD/controlplane/sluicectl" "$SLUICE_CONFIG" "$1" "$2"; }

# lease_of USER: its address, nothing when it has none.
lease_of() { sluicectl --json show leases | python3 -c '
import json, sys
print(*(l["address"] for l in json.load(sys.stdin)["leases"] if l["identity"] == sys.argv[1]))' "$1"; }

session_of() { sluicectl show | grep -E "^branch1 +$1 "; }
no_session_of() { ! session_of "$1"; }
ping_from() { on "$1" ping -q -n -c 1 -W 1 "$SRV"; }

# connect HOST USER: dials, and pings come back to the virtual address, which goes to $ADDRESS.
connect() {
	DIALER=$1
	strongswan_initiate
	ADDRESS=$(lease_of "$2")
	[[ -n $ADDRESS ]] || fail "$2 has no lease"
	session_of "$2" | grep -F "$ADDRESS/32" || fail "the session of $2 is not for $ADDRESS: $(sluicectl show)"
	wait_for 20 "an answer from srv to $2" ping_from "$1"
}

hang_up() {
	DIALER=$1
	strongswan_terminate
	wait_for 10 "the end of $2's session" no_session_of "$2"
}

need_sluice
story_begin
second_client
lab_route fw 10.99.0.0/24 "$HQ"
huge_pages_reserve 256 || :
sluice_start
user_add alice "open sesame"
user_add bob "correct horse"

step "a wrong password gets nowhere"
client_start branch alice "open barley"
DIALER=branch
! strongswan_dials 15 || fail "a wrong password brought the tunnel up"
grep -q 'user .alice. was not let in: the password is wrong' "$LAB_DIR/sluiced.log" || fail "no reason in sluiced's log"
no_session_of alice || fail "a session stands that nobody logged in for"

step "a user who does not exist gets nowhere either"
client_start branch mallory "open sesame"
! strongswan_dials 15 || fail "a stranger brought the tunnel up"
grep -q 'user .mallory. was not let in: there is no user of this name' "$LAB_DIR/sluiced.log" || fail "no reason in the log"

step "two users behind one NAT, each with an address of its own"
client_start branch alice "open sesame"
client_start branch2 bob "correct horse"
connect branch alice
alice=$ADDRESS
connect branch2 bob
bob=$ADDRESS
[[ $alice != "$bob" ]] || fail "both have $alice"
ping_from branch || fail "alice's tunnel carries nothing any more"
sluicectl show
sluicectl show leases

step "sluiced is away and comes back: traffic goes on, and the addresses stay whose they are"
stop sluiced KILL
ping_from branch && ping_from branch2 || fail "the tunnels carry nothing without sluiced"
sluiced_start
session_of alice | grep -w adopted || fail "alice's session was not adopted"
ping_from branch && ping_from branch2 || fail "the tunnels carry nothing after sluiced came back"

step "who comes back gets the same address"
strongswan_stop branch # without a word
client_start branch alice "open sesame"
connect branch alice
[[ $ADDRESS == "$alice" ]] || fail "alice had $alice and has $ADDRESS now"
session_of alice | grep -w established || fail "alice's session is still the old one"
hang_up branch alice
ping_from branch2 || fail "bob's tunnel carries nothing since alice went"
! sluicectl release bob || fail "the lease of a connected user was released"
sluicectl release alice
[[ -z $(lease_of alice) ]] || fail "alice's lease is still there"

step "the address is pushed"
stop sluiced
sed -i 's|#assign = "pull";|assign = "push";|' "$SLUICE_CONFIG"
sluiced_start
swanctl_push() { sed -i 's/^        vips = 0.0.0.0/        vips = 0.0.0.0\n        pull = no/' "$LAB_DIR/swanctl-$1.conf"; }
strongswan_stop branch
client_configure branch alice "open sesame"
swanctl_push branch
strongswan_run branch
connect branch alice
