# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Who owns hq's network interface: the kernel, for a gateway that needs no data plane, or Sluice. Sourced after net.sh.

HQ_INTERFACE=hq0 # the kernel's side of Sluice's port, named in the configuration

# The kernel forwards: for strongSwan at hq, and for playing.
hq_without_dataplane() {
	lab_address hq eth0 "$HQ/24"
	ip netns exec "$(namespace hq)" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	lab_route hq default "$HQ_GATEWAY"
}

# What DPDK does not take from eth0 (net_af_xdp leaves nothing, net_af_packet everything) shall not reach the kernel a
# second time. Frames are better captured at fw's port1, at the other end of the cable.
hq_with_dataplane() {
	lab_rules hq <<-'NFT'
		table netdev sluice {
			chain ingress {
				type filter hook ingress device "eth0" priority 0; policy drop;
			}
		}
	NFT
}

# hq_through_tap: for devices with several queues, which veth has not for XDP. eth0 and the port's own TAP $HQ_WIRE are
# joined as if by a cable, once the data plane has made it.
HQ_WIRE=wire0
hq_wire_exists() { ip -n "$(namespace hq)" link show dev $HQ_WIRE; }
hq_through_tap() {
	wait_for 30 "the data plane's interface $HQ_WIRE" hq_wire_exists
	lab_rules hq <<-NFT
		table netdev sluice
		delete table netdev sluice
		table netdev sluice {
			chain from_lan {
				type filter hook ingress device "eth0" priority 0
				fwd to "$HQ_WIRE"
			}
			chain to_lan {
				type filter hook ingress device "$HQ_WIRE" priority 0
				fwd to "eth0"
			}
		}
	NFT
}

hq_interface_exists() { ip -n "$(namespace hq)" link show dev $HQ_INTERFACE; }

# hq_kernel_interface: once the data plane has made $HQ_INTERFACE, gives it hq's address and route. Again after each start
# of the data plane.
hq_kernel_interface() {
	local namespace

	namespace=$(namespace hq)
	wait_for 10 "the data plane's interface $HQ_INTERFACE" hq_interface_exists
	lab_offload_off hq $HQ_INTERFACE || : # a TAP has fewer of them than veth
	ip -n "$namespace" link set dev $HQ_INTERFACE up
	ip -n "$namespace" address replace "$HQ/24" dev $HQ_INTERFACE
	lab_route hq default "$HQ_GATEWAY"
}
