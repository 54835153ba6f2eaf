# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The branch network in network namespaces. Sourced after tests/lib.sh; wants root.
#
#   pc             branch           nat              inet             fw                    hq, srv
#   192.168.1.10 - 192.168.1.1
#                  100.64.1.2 ----- 100.64.1.1
#                                   203.0.113.10 -- 203.0.113.1
#                                       (wire)      198.51.100.1 --- 198.51.100.88
#                                                                    192.168.2.1 -+- 192.168.2.200  hq
#                                                                                 +- 192.168.2.10   srv
#
# The branch gateway is behind a NAT that chooses source ports at random; HQ is one-armed in the LAN of a firewall that
# maps ports to it and routes the branch's network to it. inet drops private addresses, so what gets from pc to srv went
# through a tunnel. `wire` is a bridge in the cable between nat and inet.
#
# Nothing is made outside the lab's own namespaces, /run/sluice-lab/$LAB_PREFIX and $LAB_DIR: labs with different
# prefixes do not see each other. Every host has a /run of its own, so daemons keep their customary socket paths.

LAB_PREFIX=${LAB_PREFIX:-sluice}
LAB_DIR=${LAB_DIR:-$BUILD/lab/$LAB_PREFIX} # configurations, logs and captures; stays when the lab is down
LAB_RUN=/run/sluice-lab/$LAB_PREFIX
LAB_HOSTS=(pc branch nat wire inet fw hq srv)
LAB_MAPPINGS=(udp/500 udp/4500)

PC=192.168.1.10
SRV=192.168.2.10
HQ=192.168.2.200
# shellcheck disable=SC2034 # hq.sh reads it
HQ_GATEWAY=192.168.2.1
HQ_OUTSIDE=198.51.100.88
BRANCH_OUTSIDE=203.0.113.10
# shellcheck disable=SC2034 # traffic.sh and strongswan.sh read them
TALKER=pc     # where traffic towards srv begins
# shellcheck disable=SC2034
DIALER=branch # who brings the tunnel up

# --- commands in a host ---------------------------------------------------------------------------------------------

namespace() { echo "$LAB_PREFIX-$1"; }

# enter HOST COMMAND...: becomes COMMAND there, with that host's /run.
enter() {
	local host=$1

	shift
	# shellcheck disable=SC2016 # the inner shell expands
	exec ip netns exec "$(namespace "$host")" sh -c 'mount --bind "$0" /run && exec "$@"' "$LAB_RUN/$host" "$@"
}

# on HOST COMMAND...: runs COMMAND there.
on() { (enter "$@"); }

# background NAME HOST COMMAND...: runs COMMAND there and goes on; its output is in $LAB_DIR/NAME.log.
background() {
	local name=$1

	shift
	# The inner parentheses keep the shell from reporting how it ended.
	(
		enter "$@" >>"$LAB_DIR/$name.log" 2>&1 </dev/null {REPORT}>&- &
		echo $! >"$LAB_RUN/$name.pid"
	)
}

running() { [[ -f $LAB_RUN/$1.pid ]] && process_runs "$(<"$LAB_RUN/$1.pid")"; }

# stop NAME [SIGNAL]: returns when it is gone; SIGNAL is TERM when not said.
stop() {
	running "$1" || return 0
	kill -"${2:-TERM}" "$(<"$LAB_RUN/$1.pid")"
	wait_for 20 "the end of $1" process_gone "$(<"$LAB_RUN/$1.pid")"
}

# listens NAME HOST SOCKET: a condition for wait_for, that the process NAME serves a socket of HOST's /run. The file alone
# may be what an earlier process left.
listens() {
	! ip netns exec "$(namespace "$2")" grep -q " 00010000 .*/run/$3\$" /proc/net/unix || return 0
	running "$1" || return "$GAVE_UP"
	return 1
}

# --- building blocks ------------------------------------------------------------------------------------------------

# lab_add_host NAME [router]
lab_add_host() {
	local forward=0

	[[ ${2:-} != router ]] || forward=1
	mkdir -p "$LAB_RUN/$1"
	ip netns add "$(namespace "$1")"
	ip -n "$(namespace "$1")" link set dev lo up
	# A new namespace may inherit anything. A one-armed gateway is asymmetric: no reverse path filter, no redirects.
	# shellcheck disable=SC2016 # the inner shell expands
	ip netns exec "$(namespace "$1")" sh -ec '
		cd /proc/sys/net
		for all in ipv4/conf/all ipv4/conf/default; do
			echo 0 >$all/rp_filter
			echo 0 >$all/send_redirects
			echo 0 >$all/accept_redirects
		done
		echo "$0" >ipv4/ip_forward
		[ ! -d ipv6 ] || echo 1 >ipv6/conf/all/disable_ipv6
		[ ! -d ipv6 ] || echo 1 >ipv6/conf/default/disable_ipv6' $forward
}

# Packets as a wire would carry them: finished checksums, nothing larger than the MTU.
lab_offload_off() {
	ip netns exec "$(namespace "$1")" ethtool -K "$2" tx off rx off sg off tso off gso off gro off >/dev/null 2>&1
}

# lab_link HOST DEVICE HOST DEVICE
lab_link() {
	ip link add name "$2" netns "$(namespace "$1")" type veth peer name "$4" netns "$(namespace "$3")"
	lab_offload_off "$1" "$2"
	lab_offload_off "$3" "$4"
	ip -n "$(namespace "$1")" link set dev "$2" up
	ip -n "$(namespace "$3")" link set dev "$4" up
}

# lab_bridge HOST NAME DEVICE DEVICE
lab_bridge() {
	local namespace

	namespace=$(namespace "$1")
	ip -n "$namespace" link add name "$2" type bridge mcast_snooping 0
	ip -n "$namespace" link set dev "$3" master "$2"
	ip -n "$namespace" link set dev "$4" master "$2"
	ip -n "$namespace" link set dev "$2" up
}

# lab_address HOST DEVICE ADDRESS/LENGTH; usable at once: nobody else has it, so nobody is asked (RFC 4862 section 5.4).
lab_address() {
	local options=()

	[[ $3 != *:* ]] || options=(nodad)
	ip -n "$(namespace "$1")" address add "$3" dev "$2" "${options[@]}"
}
lab_route() { ip -n "$(namespace "$1")" route replace "$2" via "$3"; }  # HOST NETWORK GATEWAY
lab_rules() { ip netns exec "$(namespace "$1")" nft -f -; }             # HOST < RULES

# --- the network ----------------------------------------------------------------------------------------------------

lab_cables() {
	lab_link pc eth0 branch lan
	lab_link branch wan nat lan
	lab_link nat wan wire west
	lab_link wire east inet west
	lab_link inet east fw wan
	lab_link hq eth0 fw port1
	lab_link srv eth0 fw port2
	lab_bridge wire wire west east
	lab_bridge fw lan port1 port2
}

lab_addresses() {
	lab_address pc eth0 "$PC/24"
	lab_address branch lan 192.168.1.1/24
	lab_address branch wan 100.64.1.2/24
	lab_address nat lan 100.64.1.1/24
	lab_address nat wan "$BRANCH_OUTSIDE/24"
	lab_address inet west 203.0.113.1/24
	lab_address inet east 198.51.100.1/24
	lab_address fw wan "$HQ_OUTSIDE/24"
	lab_address fw lan 192.168.2.1/24
	lab_address srv eth0 "$SRV/24"

	lab_route pc default 192.168.1.1
	lab_route branch default 100.64.1.1
	lab_route nat default 203.0.113.1
	lab_route fw default 198.51.100.1
	lab_route fw 192.168.1.0/24 "$HQ"
	lab_route srv default 192.168.2.1
}

lab_nat() {
	lab_rules nat <<-'NFT'
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "wan" masquerade fully-random
			}
		}
		table ip filter {
			chain forward {
				type filter hook forward priority filter; policy drop
				ct state established,related accept
				iifname "lan" accept
				counter
			}
		}
	NFT
}

lab_inet() {
	lab_rules inet <<-'NFT'
		table ip filter {
			chain forward {
				type filter hook forward priority filter; policy accept
				ip daddr { 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16 } counter drop
				ip saddr { 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16 } counter drop
			}
		}
	NFT
}

# lab_firewall MAPPING...: see lab_up.
lab_firewall() {
	local mapping protocol outside inside mapped=''

	for mapping in "$@"; do
		[[ $mapping =~ ^(udp|tcp)/([0-9]+)(:([0-9]+))?$ ]] ||
			fail "'$mapping' is not a port mapping; expected udp/OUTSIDE[:INSIDE] or tcp/OUTSIDE[:INSIDE]"
		protocol=${BASH_REMATCH[1]} outside=${BASH_REMATCH[2]} inside=${BASH_REMATCH[4]:-${BASH_REMATCH[2]}}
		mapped+="$protocol dport $outside dnat to $HQ:$inside"$'\n'
	done
	lab_rules fw <<-NFT
		table ip nat {
			chain mapped {
				$mapped
			}
			chain prerouting {
				type nat hook prerouting priority dstnat
				iifname "wan" ip daddr $HQ_OUTSIDE jump mapped
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "wan" masquerade
			}
		}
		table ip filter {
			chain input {
				type filter hook input priority filter; policy accept
				iifname "wan" ct state established,related accept
				iifname "wan" icmp type echo-request accept
				iifname "wan" meta l4proto tcp counter reject with tcp reset
				iifname "wan" counter drop
			}
			chain forward {
				type filter hook forward priority filter; policy drop
				ct state established,related accept
				iifname "lan" accept
				ct status dnat accept
				counter
			}
		}
	NFT
}

# lab_begin ROUTER...: removes what an earlier lab of this prefix left, and adds all $LAB_HOSTS; the ROUTERs forward.
lab_begin() {
	local host role

	[[ $LAB_PREFIX =~ ^[a-z][a-z0-9]{0,15}$ ]] || fail "LAB_PREFIX is '$LAB_PREFIX'; expected [a-z][a-z0-9]{0,15}"
	lab_down
	rm -rf "$LAB_DIR"
	mkdir -p "$LAB_DIR"
	for host in "${LAB_HOSTS[@]}"; do
		role=host
		[[ " $* " != *" $host "* ]] || role=router
		lab_add_host "$host" "$role"
	done
}

# lab_up [MAPPING...]: builds the network, after removing what an earlier lab of this prefix left. A MAPPING is a port
# that fw maps to hq, udp/OUTSIDE[:INSIDE] or tcp/OUTSIDE[:INSIDE]; without any: $LAB_MAPPINGS. hq has no address yet.
lab_up() {
	lab_begin branch nat inet fw
	lab_cables
	lab_addresses
	lab_nat
	lab_inet
	lab_firewall "${@:-${LAB_MAPPINGS[@]}}"
}

lab_namespaces() { ip netns list | awk -v prefix="$LAB_PREFIX-" 'index($1, prefix) == 1 { print $1 }'; }

lab_processes() {
	local namespace

	for namespace in $(lab_namespaces); do
		ip netns pids "$namespace" 2>/dev/null || :
	done
}

# Ends what runs inside the lab and removes the lab; allowed at any time.
lab_down() {
	local signal namespace pids deadline

	for signal in TERM KILL; do
		deadline=$((SECONDS + 5))
		mapfile -t pids < <(lab_processes)
		((${#pids[@]} == 0)) || kill -$signal "${pids[@]}" 2>/dev/null || :
		while ((${#pids[@]} && SECONDS < deadline)); do
			sleep 0.05
			mapfile -t pids < <(lab_processes)
		done
	done
	for namespace in $(lab_namespaces); do
		ip netns delete "$namespace" || :
	done
	rm -rf "$LAB_RUN"
}

mac_address() { ip netns exec "$(namespace "$1")" cat "/sys/class/net/$2/address"; } # HOST DEVICE

# lab_internet_mtu BYTES: of the link between inet and fw, which neither gateway sees.
lab_internet_mtu() {
	ip -n "$(namespace inet)" link set dev east mtu "$1"
	ip -n "$(namespace fw)" link set dev wan mtu "$1"
}

# lab_fragmentable HOST: what its sockets send from now on may be cut on the way, instead of finding the path's MTU.
lab_fragmentable() { ip netns exec "$(namespace "$1")" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_no_pmtu_disc'; }

# lab_nat_forget [HOST]: that NAT, the branch's when not said, loses all mappings; the next packets get others. Conntrack
# looks flows up by zone.
NAT_ZONE=0
lab_nat_forget() {
	NAT_ZONE=$((NAT_ZONE % 65535 + 1))
	lab_rules "${1:-nat}" <<-NFT
		table ip zone
		delete table ip zone
		table ip zone {
			chain prerouting {
				type filter hook prerouting priority raw
				ct zone set $NAT_ZONE
			}
		}
	NFT
}
