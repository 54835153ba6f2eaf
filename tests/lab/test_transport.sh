#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Transport mode between two hosts of one network, srv and hq itself, in bare ESP with sequence numbers of 64 bits: strongSwan
# negotiates, and what they send each other keeps its IP header and shows nothing else.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

PEER_MODE=transport
PEER_ESP=aes128gcm16-esn
DIALER=srv
SLUICE_CHANGES="s|\"192.168.2.0/24\"|\"$HQ/32\"|; s|\"192.168.1.0/24\"|\"$SRV/32\"|; s/#mode = \"tunnel\"/mode = \"transport\"/"

ping_hq() { on srv ping -q -n "$@" "$HQ"; }
ping_hq_without_loss() {
	ping_hq -c 5 -i 0.3 -W 5 -s "$1" | grep ' 0% packet loss' || fail "pings of $1 bytes from srv to hq were lost"
}

# What srv sends to hq goes into its TUN, and what charon and ESP send there, by its mark, does not.
srv_routes() {
	local namespace

	namespace=$(namespace srv)
	ip -n "$namespace" route add "$HQ" dev eth0 table 42
	ip -n "$namespace" rule add fwmark 0x42 table 42
	ip -n "$namespace" route add "$HQ" dev $ESP_PEER_TUN src "$SRV"
}

session_is_in_transport_mode() { sluicectl show sas | grep -F branch1 | grep -w transport | grep -w yes; }

need_sluice
story_begin
huge_pages_reserve 256 || :
sluice_start
strongswan_connection "$BRANCH_IDENTITY" "$SRV/32" "$HQ_IDENTITY" "$HQ/32" "$HQ" >"$LAB_DIR/swanctl-srv.conf"
esp_peer_start srv 1460
wait_for 10 "hq's answer in the clear" ping_hq -c 1 -W 1
srv_routes

step "srv and hq reach each other in transport mode"
capture_start cable fw port2 -s 128
strongswan_initiate
wait_for 5 "a child SA in transport mode, with 64 bits" session_is_in_transport_mode
sluicectl show sas
wait_for 10 "an answer from hq" ping_hq -c 1 -W 1
ping_hq_without_loss 1000
ping_hq_without_loss 1400
on hq ping -q -n -c 5 -i 0.3 -W 5 -s 1000 "$SRV" | grep ' 0% packet loss' || fail "pings from hq to srv were lost"

step "TCP both ways"
background iperf hq iperf3 --server --forceflush
wait_for 10 "iperf3 at hq" iperf_listens
for way in forward reverse; do
	on srv iperf3 --client "$HQ" --connect-timeout 5000 --time 2 --json $([[ $way == forward ]] || echo --reverse) \
		>"$LAB_DIR/$way.json" || fail "no TCP: $(iperf_value $way error)"
	say "iperf3 $way: $(iperf_value $way mbits) Mbit/s"
done

step "nothing of it was readable, and nothing was refused"
capture_stop cable
foreign=$(capture_packets cable "ip and host $SRV and host $HQ and not ip proto 50 and not udp port 500" | head -n 5)
[[ -z $foreign ]] || fail "in the clear between srv and hq: $foreign"
(($(capture_count cable "ip proto 50 and src $HQ and dst $SRV") > 0)) || fail "no ESP from hq to srv"
esp_peer_is_content srv
wait_for 10 "a balance of all packets" packets_balance
