#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Bare ESP over IPv6, with sequence numbers of 64 bits, IPv4 and IPv6 inside: strongSwan negotiates. Then a link on the way
# takes less, and its router's Packet Too Big is believed.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

PEER_ESP=aes256gcm16-esn
SLUICE_CHANGES=$BOTH_FAMILIES

ping6_srv() { on pc ping -q -n "$@" $SRV6; }

carries_both_families() {
	ping_without_loss 5 10000
	wait_for 20 "an answer of 10,000 bytes in IPv6" ping6_srv -c 1 -W 1 -s 10000
	ping6_srv -c 5 -i 0.3 -W 5 -s 10000 | grep ' 0% packet loss' || fail "pings of 10,000 bytes in IPv6 were lost"
	iperf_both_ways 2
}

children_count_in_64_bits() { (($(sluicectl show sas | grep -F branch1 | grep -cw yes) == 2)); }

story_over_ipv6
esp_peer_start branch 1400
for network in "$HQ_NETWORK" fd00:2::/64; do
	ip -n "$(namespace branch)" route add "$network" dev $ESP_PEER_TUN
done
iperf_start
ping_fails || fail "pc reaches srv without any tunnel"

step "a tunnel in bare ESP over IPv6 carries IPv4 and IPv6"
capture_start outside inet east -s 128
strongswan_initiate
strongswan_initiate net6
wait_for 5 "two child SAs with sequence numbers of 64 bits" children_count_in_64_bits
sluicectl show sas
wait_for_ping
carries_both_families
capture_stop outside
foreign=$(capture_packets outside "ip or (ip6 and not icmp6 and not udp port 500 and not ip6[6] = 44 and not ip6[6] = 50)" | head -n 5)
[[ -z $foreign ]] || fail "not only the tunnel is on the wire, but: $foreign"
(($(capture_count outside "ip6 src $HQ6 and ip6[6] = 50") > 0)) || fail "no bare ESP from HQ on the wire"
say "inner MTU: $(inner_mtu)"

step "a link of 1,400 bytes: its router says so, and what HQ sends fits"
lab_internet_mtu 1400
ip -n "$(namespace branch)" link set dev $ESP_PEER_TUN mtu 1280 # the peer's own packets fit
on srv ping -q -n -M dont -c 5 -i 0.3 -W 1 -s 1400 "$PC" >/dev/null || :
wait_for 10 "an inner MTU that fits 1,400 bytes" inner_mtu_is_between 1280 1370
say "inner MTU: $(inner_mtu)"
capture_start narrow fw port1 -s 128
carries_both_families
capture_stop narrow
fragments=$(capture_count narrow "ip6 src $HQ6 and ip6[6] = 44")
((fragments == 0)) || fail "HQ sent $fragments outer fragments"
esp_peer_is_content branch
wait_for 10 "a balance of all packets" packets_balance
