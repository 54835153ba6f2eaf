# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The network of tests/bench/ike: many clients at one end of a cable, the gateway at the other. Sourced after tests/lab's
# net.sh, hq.sh, sluice.sh and strongswan.sh.
#
#   clients                                hq
#   172.31.1.2, and 10.64.0.0/12 --------- 172.31.1.76
#
# Client N is clientN.example at 10.64.0.0 + N, its inner address is 10.128.0.0 + N; negotiate/clients.c counts likewise.

HQ=172.31.1.76
HQ_GATEWAY=172.31.1.2
CLIENTS_SECRET=a-secret-of-the-tests-alone

network_up() {
	LAB_HOSTS=(clients hq)
	lab_begin
	lab_link clients eth0 hq eth0
	lab_address clients eth0 "$HQ_GATEWAY/24"
	lab_address clients lo 10.64.0.1/12
}

# address_of FIRST NUMBER: 10.FIRST.0.0 + NUMBER
address_of() { echo "10.$(($1 + ($2 >> 16))).$(($2 >> 8 & 255)).$(($2 & 255))"; }

# cpu_us NAME: what the process has used so far, all of its threads, microseconds.
cpu_us() { cat /proc/"$(<"$LAB_RUN/$1.pid")"/task/*/schedstat | awk '{ sum += $1 } END { printf "%d\n", sum / 1000 }'; }

# memory_kib NAME: resident, without the tables that it shares with the data plane.
memory_kib() { awk '/^RssAnon:/ { print $2 }' /proc/"$(<"$LAB_RUN/$1.pid")"/status; }

# --- the gateway ----------------------------------------------------------------------------------------------------

# sluice_peers COUNT GROUP: the list of peers.
sluice_peers() {
	awk -v count="$1" -v group="$2" -v secret="$CLIENTS_SECRET" '
		function inner(n) { return sprintf("10.%d.%d.%d/32", 128 + int(n / 65536), int(n / 256) % 256, n % 256) }
		BEGIN {
			for (n = 0; n < count; n++)
				printf "%s{ name = \"c%d\"; identity = \"client%d.example\"; secret = \"%s\"; ikev1 = true; " \
					"aggressive = true; ike = [\"aes128-sha256-%s\"]; esp = [\"aes128gcm\"]; " \
					"local_networks = [\"172.31.1.0/24\"]; remote_networks = [\"%s\"]; }\n",
					n ? "," : "", n, n, secret, group, inner(n)
		}'
}

# gateway_sluice_start COUNT GROUP: sluiced and its data plane serve so many clients.
gateway_sluice_start() {
	network_up
	hq_with_dataplane
	sluice_add_user
	cat >"$SLUICE_CONFIG" <<-CONF
		log = { level = "warning"; };
		dataplane = {
		    worker_cores = [0];
		    huge_pages = "never";
		    memory = 1024;
		    max_sessions = $(($1 + 16));
		    max_children = $((2 * $1 + 16));
		    max_routes = $((2 * $1 + 16384));
		    exception_rate = 1000000;
		    ports = ({ name = "hq0"; device = "net_af_xdp0,iface=eth0"; });
		};
		ike = { identity = "$HQ_IDENTITY"; half_open_max = 100000; half_open_per_source = 100; tcp_ports = [4500]; dpd_delay = 15; dpd_timeout = 60; };
		peers = (
		$(sluice_peers "$1" "$2")
		);
	CONF
	dataplane_start
	sluiced_start
	wait_for 10 "the data plane's attachment" sluice_is_attached
	GATEWAY_PROCESS=sluiced
}

# sessions_held: how many the data plane has.
sessions_held() {
	sluicectl --json show counters | python3 -c 'import json, sys; print(json.load(sys.stdin)["gauges"]["sessions"])'
}

sluice_is_attached() { ! sluicectl show workers | grep -q 'No data plane is attached'; }

# charon_settings LEVEL: of the log, 0 the quietest. Many IKE SAs, ESP in user space without a route for each tunnel.
charon_settings() {
	cat <<-CONF
		charon {
		    load_modular = no
		    load = random nonce openssl kdf pem pkcs1 x509 pubkey kernel-libipsec kernel-netlink socket-default vici
		    i_dont_care_about_security_and_use_aggressive_mode_psk = yes
		    install_routes = no
		    ikesa_table_size = 4096
		    ikesa_table_segments = 16
		    block_threshold = 0
		    init_limit_half_open = 0
		    filelog {
		        stderr {
		            default = $1
		        }
		    }
		}
	CONF
}

# charon_start HOST LEVEL CONNECTIONS: the file with connections is loaded; they may start at once.
charon_start() {
	charon_settings "$2" >"$LAB_DIR/strongswan-$1.conf"
	background "charon-$1" "$1" env STRONGSWAN_CONF="$LAB_DIR/strongswan-$1.conf" /usr/lib/ipsec/charon
	wait_for 10 "charon's control socket in $1" listens "charon-$1" "$1" charon.vici
	swanctl_in "$1" --load-all --noprompt --file "$3" >>"$LAB_DIR/swanctl-$1.log" || fail "charon in $1 refuses $3"
}

# gateway_strongswan_start COUNT GROUP: strongSwan in Sluice's place; one connection serves all.
gateway_strongswan_start() {
	network_up
	hq_without_dataplane
	cat >"$LAB_DIR/gateway.conf" <<-CONF
		connections {
		    any {
		        version = 1
		        aggressive = yes
		        proposals = aes128-sha256-$2
		        unique = never
		        local {
		            auth = psk
		            id = $HQ_IDENTITY
		        }
		        remote {
		            auth = psk
		            id = %any
		        }
		        children {
		            net {
		                local_ts = 172.31.1.0/24
		                remote_ts = 10.128.0.0/9
		                esp_proposals = aes128gcm16
		            }
		        }
		    }
		}
		secrets {
		    ike-all {
		        secret = "$CLIENTS_SECRET"
		    }
		}
	CONF
	charon_start hq 0 "$LAB_DIR/gateway.conf"
	GATEWAY_PROCESS=charon-hq
}

# --- the clients ----------------------------------------------------------------------------------------------------

charon_connections() {
	local n

	echo "connections {"
	for ((n = 0; n < $1; n++)); do
		cat <<-CONF
			    u$n {
			        version = 1
			        aggressive = yes
			        local_addrs = $(address_of 64 $n)
			        remote_addrs = $HQ
			        proposals = aes128-sha256-$2
			        keyingtries = 0
			        local {
			            auth = psk
			            id = client$n.example
			        }
			        remote {
			            auth = psk
			            id = $HQ_IDENTITY
			        }
			        children {
			            u$n {
			                local_ts = $(address_of 128 $n)/32
			                remote_ts = 172.31.1.0/24
			                esp_proposals = aes128gcm16
			                start_action = start
			            }
			        }
			    }
		CONF
	done
	printf '}\nsecrets {\n    ike-all {\n        secret = "%s"\n    }\n}\n' "$CLIENTS_SECRET"
}

# charon_dials COUNT GROUP: one strongSwan dials for all clients and returns when every tunnel stands.
charon_dials() {
	local n

	for ((n = 0; n < $1; n++)); do
		echo "address add $(address_of 64 "$n")/32 dev lo"
		echo "address add $(address_of 128 "$n")/32 dev lo"
	done | ip -n "$(namespace clients)" -force -batch - >/dev/null 2>&1 || :
	charon_connections "$1" "$2" >"$LAB_DIR/clients.conf"
	charon_start clients 1 "$LAB_DIR/clients.conf"
	wait_for 240 "all $1 tunnels of strongSwan" charon_has_dialed "$1"
}

charon_has_dialed() { (($(grep -c 'CHILD_SA .* established' "$LAB_DIR/charon-clients.log") >= $1)); }

# dial OPTION...: our own clients; what they say is in dial.log.
dial() { on clients "$BUILD/tests/bench/negotiate/bench-ike-dial" $HQ "$@" >"$LAB_DIR/dial.log"; }
dial_has_said() {
	! grep -q "^$1" "$LAB_DIR/dial.log" || return 0
	running dial || return "$GAVE_UP"
	return 1
}
