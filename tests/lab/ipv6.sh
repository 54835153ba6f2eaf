# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# IPv6 in the branch network, for the stories that want it: the others want silence about it. Sourced after net.sh.
#
#   pc            branch        nat           inet          fw            hq, srv
#   fd00:1::10 -- fd00:1::1                                               fd00:2::200, fd00:2::10
#                 db8:1::2 ---- db8:1::1
#                               db8:2::10 --- db8:2::1
#                                             db8:3::1 ---- db8:3::88
#                                                           db8:4::1 ---- db8:4::200, hq
#
# What is db8 here begins with 2001: (RFC 3849). There is no NAT for it: nat and fw are nothing but routers.

PC6=fd00:1::10
SRV6=fd00:2::10
BRANCH6=2001:db8:1::2
HQ6=2001:db8:4::200

# ipv6_allow HOST...: addresses are usable at once, without asking for duplicates.
ipv6_allow() {
	local host

	for host in "$@"; do
		ip netns exec "$(namespace "$host")" sh -ec '
			cd /proc/sys/net/ipv6/conf
			for all in all default; do
				echo 0 >$all/accept_dad
				echo 0 >$all/accept_ra
				echo 0 >$all/disable_ipv6
			done'
	done
}

# ipv6_router HOST...
ipv6_router() {
	local host

	for host in "$@"; do
		ip netns exec "$(namespace "$host")" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	done
}

# ipv6_inside: the networks that a tunnel may join. hq's own address is Sluice's interface's.
ipv6_inside() {
	ipv6_allow pc branch hq srv
	ipv6_router branch
	lab_address pc eth0 $PC6/64
	lab_address branch lan fd00:1::1/64
	lab_address srv eth0 $SRV6/64
	lab_route pc fd00:2::/64 fd00:1::1
	lab_route srv fd00:1::/64 fd00:2::200
}

# ipv6_outside: what is between branch and hq.
ipv6_outside() {
	ipv6_allow branch nat inet fw hq
	ipv6_router branch nat inet fw
	lab_address branch wan $BRANCH6/64
	lab_address nat lan 2001:db8:1::1/64
	lab_address nat wan 2001:db8:2::10/64
	lab_address inet west 2001:db8:2::1/64
	lab_address inet east 2001:db8:3::1/64
	lab_address fw wan 2001:db8:3::88/64
	lab_address fw lan 2001:db8:4::1/64
	lab_route branch 2001:db8::/32 2001:db8:1::1
	lab_route nat 2001:db8::/32 2001:db8:2::1
	lab_route inet 2001:db8:1::/64 2001:db8:2::10
	lab_route inet 2001:db8:4::/64 2001:db8:3::88
	lab_route fw 2001:db8::/32 2001:db8:3::1
}

# hq_ipv6 ADDRESS/LENGTH...: of Sluice's interface; after each start of the data plane.
hq_ipv6() {
	local address

	for address in "$@"; do
		lab_address hq $HQ_INTERFACE "$address"
	done
}

# For SLUICE_CHANGES: the peer of the sample configuration with networks of both families.
BOTH_FAMILIES='s|\["192.168.2.0/24"\]|["192.168.2.0/24", "fd00:2::/64"]|; s|\["192.168.1.0/24"\]|["192.168.1.0/24", "fd00:1::/64"]|'

# both_families_connection REMOTE_ADDRESS: the branch's for strongswan_run, with a child "net" in IPv4 and "net6" in IPv6.
both_families_connection() {
	strongswan_connection "$BRANCH_IDENTITY" "$BRANCH_NETWORK" "$HQ_IDENTITY" "$HQ_NETWORK" "$1" >"$LAB_DIR/swanctl-branch.conf"
	strongswan_child net6 fd00:1::/64 fd00:2::/64 >>"$LAB_DIR/swanctl-branch.conf"
}

# story_over_ipv6: Sluice runs at hq with an IPv6 address outside, the branch reaches it, and its connection is written.
story_over_ipv6() {
	need_sluice
	story_begin
	ipv6_inside
	ipv6_outside
	huge_pages_reserve 256 || :
	sluice_start
	hq_ipv6 fd00:2::200/64 $HQ6/64
	lab_route hq 2001:db8::/32 2001:db8:4::1
	wait_for 10 "the way from branch to hq" on branch ping -q -n -c 1 -W 1 $HQ6
	both_families_connection $HQ6
}
