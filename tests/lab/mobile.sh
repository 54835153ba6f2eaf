# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The mobile network in network namespaces. Sourced after net.sh, whose blocks it is built of; wants root.
#
#   client          carrier               inet             balancer            hq, srv
#   10.64.1.2 ----- 10.64.1.1
#                   198.51.100.11 ------- 198.51.100.1
#                   ... .18   (wire)      211.90.1.1 ----- 211.90.1.76
#                                                          172.31.1.1 --+- 172.31.1.76   hq
#                                                                       +- 172.31.1.10   srv
#
# The carrier's NAT has a pool of public addresses and gives each new connection the next of them, so that what a client
# sends to UDP 4500 comes from another address than what it sent to UDP 500 just before. The balancer maps ports of its
# own address to the gateway. Each client has an inner address of its own, 10.99.0.1 and so on, that it reaches srv with.

MOBILE_HOSTS=(client carrier wire inet balancer hq srv)
MOBILE_POOL=8
MOBILE_MAPPED='udp dport { 500, 4500 }' # by the balancer, in nftables' words

# mobile_names: other parts of the lab call the places of this network so from now on.
# shellcheck disable=SC2034 # they read it
mobile_names() {
	LAB_HOSTS=("${MOBILE_HOSTS[@]}")
	TALKER=client DIALER=client
	SRV=172.31.1.10
	HQ=172.31.1.76
	HQ_GATEWAY=172.31.1.1
	HQ_OUTSIDE=211.90.1.76
	HQ_NETWORK=172.31.1.0/24
	BRANCH_NETWORK=10.99.0.1/32
	SLUICE_CHANGES="s|\"192.168.2.0/24\"|\"$HQ_NETWORK\"|; s|\"192.168.1.0/24\"|\"$BRANCH_NETWORK\"|"
}

mobile_cables() {
	lab_link client eth0 carrier lan
	lab_link carrier wan wire west
	lab_link wire east inet west
	lab_link inet east balancer wan
	lab_link hq eth0 balancer port1
	lab_link srv eth0 balancer port2
	lab_bridge wire wire west east
	lab_bridge balancer lan port1 port2
}

mobile_addresses() {
	local i

	lab_address client eth0 10.64.1.2/24
	lab_address client lo "$BRANCH_NETWORK"
	lab_address carrier lan 10.64.1.1/24
	for ((i = 0; i < MOBILE_POOL; i++)); do
		lab_address carrier wan "198.51.100.$((11 + i))/24"
	done
	lab_address inet west 198.51.100.1/24
	lab_address inet east 211.90.1.1/24
	lab_address balancer wan "$HQ_OUTSIDE/24"
	lab_address balancer lan "$HQ_GATEWAY/24"
	lab_address srv eth0 "$SRV/24"

	lab_route client default 10.64.1.1
	lab_route carrier default 198.51.100.1
	lab_route balancer default 211.90.1.1
	lab_route balancer 10.99.0.0/16 "$HQ"
	lab_route srv default "$HQ_GATEWAY"
}

# What no mapping knows disappears, as at a carrier.
mobile_carrier() {
	local i pool=''

	for ((i = 0; i < MOBILE_POOL; i++)); do
		pool+="${pool:+, }$i : 198.51.100.$((11 + i))"
	done
	lab_rules carrier <<-NFT
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "wan" snat to numgen inc mod $MOBILE_POOL map { $pool }
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

mobile_balancer() {
	lab_rules balancer <<-NFT
		table ip nat {
			chain prerouting {
				type nat hook prerouting priority dstnat
				iifname "wan" ip daddr $HQ_OUTSIDE $MOBILE_MAPPED dnat to $HQ
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "wan" masquerade
			}
		}
		table ip filter {
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

# mobile_up: after mobile_names, builds the network, after removing what an earlier lab of this prefix left. hq has no address yet.
mobile_up() {
	lab_begin client carrier inet balancer
	mobile_cables
	mobile_addresses
	mobile_carrier
	lab_inet
	mobile_balancer
}

# mobile_forget: the carrier and the balancer lose all mappings, so the client's next packets take others.
mobile_forget() {
	lab_nat_forget carrier
	lab_nat_forget balancer
}

# mobile_gateway_by_address on|off: hq's kernel drops what a gateway drops that finds exchanges by address: what comes to
# UDP 4500 from where nothing came to UDP 500 a moment before.
mobile_gateway_by_address() {
	lab_rules hq <<-'NFT'
		table ip by_address
		delete table ip by_address
	NFT
	[[ $1 == on ]] || return 0
	lab_rules hq <<-NFT
		table ip by_address {
			set seen {
				type ipv4_addr
				size 65535
				flags dynamic,timeout
				timeout 5s
			}
			chain prerouting {
				type filter hook prerouting priority raw
				iifname "$HQ_INTERFACE" udp dport 500 update @seen { ip saddr }
				iifname "$HQ_INTERFACE" udp dport 4500 ip saddr != @seen counter drop
			}
		}
	NFT
}
