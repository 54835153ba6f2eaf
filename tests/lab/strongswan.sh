# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# strongSwan as the other peer: one charon a host, with ESP in user space. Sourced after net.sh.
#
# Its configuration is written from these, which a story may set first:

# that of Sluice's sample configuration
PEER_SECRET=${PEER_SECRET:-$(sed -n 's/^[[:space:]]*secret = "\(.*\)";.*/\1/p' "$TOP/config/sluice.cfg" | head -n 1)}
PEER_VERSION=${PEER_VERSION:-1} # IKE
PEER_AGGRESSIVE=${PEER_AGGRESSIVE:-yes}
PEER_AUTH=${PEER_AUTH:-psk} # pubkey: with what credentials_give has given it
PEER_IKE=${PEER_IKE:-aes256-sha256-modp2048}
PEER_ESP=${PEER_ESP:-aes128-sha1}
PEER_FRAGMENTATION=${PEER_FRAGMENTATION:-yes} # of IKE messages; force: the first one, too
PEER_FRAGMENT_SIZE=${PEER_FRAGMENT_SIZE:-1280}
PEER_ENCAP=${PEER_ENCAP:-no} # yes: ESP in UDP even when there is no NAT
PEER_MODE=${PEER_MODE:-tunnel}
PEER_PORT=${PEER_PORT:-500}         # that it dials; any but 500 is one for NAT traversal
PEER_KERNEL="kernel-libipsec kernel-netlink" # who does ESP, addresses and routes
PEER_ROUTES=yes                              # into the tunnels, made by charon
PEER_ENVIRONMENT=()                          # of charon, NAME=VALUE
BRANCH_IDENTITY=${BRANCH_IDENTITY:-branch1.example}
HQ_IDENTITY=${HQ_IDENTITY:-hq.example}
BRANCH_NETWORK=192.168.1.0/24
HQ_NETWORK=192.168.2.0/24

# kernel-libipsec is in front of kernel-netlink, which then does addresses and routes alone. The mark keeps charon's own
# packets out of the tunnel.
strongswan_settings() {
	cat <<-CONF
		charon {
		    load_modular = no
		    load = random nonce openssl kdf pem pkcs1 pkcs8 x509 pubkey $PEER_KERNEL socket-default vici xauth-generic
		    i_dont_care_about_security_and_use_aggressive_mode_psk = yes
		    install_routes = $PEER_ROUTES
		    retransmit_tries = 6
		    retransmit_timeout = 1.0
		    fragment_size = $PEER_FRAGMENT_SIZE
		    filelog {
		        stderr {
		            time_format = %H:%M:%S
		            default = 1
		            ike = 2
		        }
		    }
		    plugins {
		        socket-default {
		            fwmark = 0x42
		        }
		        kernel-netlink {
		            fwmark = !0x42
		        }
		    }
		}
	CONF
}

# strongswan_connection LOCAL_ID LOCAL_NETWORK REMOTE_ID REMOTE_NETWORK [REMOTE_ADDRESS]
strongswan_connection() {
	cat <<-CONF
		connections {
		    sluice {
		        version = $PEER_VERSION
		        aggressive = $PEER_AGGRESSIVE
		        proposals = $PEER_IKE
		        encap = $PEER_ENCAP
		        fragmentation = $PEER_FRAGMENTATION
		        remote_addrs = ${5:-%any}
		        local_port = $([[ $PEER_PORT == 500 ]] && echo 500 || echo 4500)
		        remote_port = $PEER_PORT
		        local {
		            auth = $PEER_AUTH
		            id = $1
		        }
		        remote {
		            auth = $PEER_AUTH
		            id = $3
		        }
		        children {
		            net {
		                local_ts = $2
		                remote_ts = $4
		                mode = $PEER_MODE
		                esp_proposals = $PEER_ESP
		            }
		        }
		    }
		}
		secrets {
		    ike-sluice {
		        secret = "$PEER_SECRET"
		    }
		}
	CONF
}

# strongswan_child NAME LOCAL_NETWORK REMOTE_NETWORK: one more of that connection, which has a child "net" already.
strongswan_child() {
	cat <<-CONF
		connections {
		    sluice {
		        children {
		            $1 {
		                local_ts = $2
		                remote_ts = $3
		                mode = $PEER_MODE
		                esp_proposals = $PEER_ESP
		            }
		        }
		    }
		}
	CONF
}

# strongswan_start HOST: charon runs and knows its connection. hq wants hq_without_dataplane first.
strongswan_start() {
	local host=$1

	case $host in
	hq) strongswan_connection "$HQ_IDENTITY" "$HQ_NETWORK" "$BRANCH_IDENTITY" "$BRANCH_NETWORK" ;;
	*) strongswan_connection "$BRANCH_IDENTITY" "$BRANCH_NETWORK" "$HQ_IDENTITY" "$HQ_NETWORK" "$HQ_OUTSIDE" ;;
	esac >"$LAB_DIR/swanctl-$host.conf"
	strongswan_run "$host"
}

# strongswan_run HOST: charon runs with what $LAB_DIR/swanctl-HOST.conf says.
strongswan_run() {
	local host=$1 connection=$LAB_DIR/swanctl-$1.conf

	strongswan_settings >"$LAB_DIR/strongswan-$host.conf"
	background "charon-$host" "$host" env "${PEER_ENVIRONMENT[@]}" STRONGSWAN_CONF="$LAB_DIR/strongswan-$host.conf" /usr/lib/ipsec/charon
	wait_for 10 "charon's control socket in $host" listens "charon-$host" "$host" charon.vici
	swanctl_in "$host" --load-all --noprompt --file "$connection" >>"$LAB_DIR/swanctl-$host.log" ||
		fail "charon in $host refuses $connection"
}

strongswan_stop() { stop "charon-$1"; }

# swanctl_in HOST COMMAND...
swanctl_in() {
	local host=$1

	shift
	on "$host" swanctl "$@" 2>>"$LAB_DIR/swanctl-$host.log"
}

# strongswan_dials SECONDS [CHILD]: $DIALER dials until its child SA stands; false when that takes longer.
strongswan_dials() {
	swanctl_in "$DIALER" --initiate --child "${2:-net}" --timeout "$1" >>"$LAB_DIR/swanctl-$DIALER.log"
}

# strongswan_initiate [CHILD]
strongswan_initiate() {
	strongswan_dials 30 "$@" ||
		fail "$DIALER could not bring the tunnel up; its last words: $(tail -n 1 "$LAB_DIR/swanctl-$DIALER.log")"
}

strongswan_terminate() { swanctl_in "$DIALER" --terminate --ike sluice >>"$LAB_DIR/swanctl-$DIALER.log"; }

strongswan_has_child() { swanctl_in "$1" --list-sas --raw | grep -q 'state=INSTALLED'; }
strongswan_has_no_child() { ! strongswan_has_child "$1"; }
