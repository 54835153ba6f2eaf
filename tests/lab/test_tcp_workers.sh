#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The network of the field's experiment 1, with the session's TCP connection in a worker: once it has been taken over, the
# kernel sees nothing of it. Taken over while both sides send, it loses and doubles nothing. It outlives sluiced; what ends
# with the data plane comes back.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

SLUICE_CHANGES="$(registration_changes password)
	s|^    #transports = .*|    transports = [\"udp\", \"tcp\"];|"
CONNECT_CHANGES="$(connect_registers password)
	s|^#transport = .*|transport = \"tcp\";|"
KERNEL_SIDE=$HQ_INTERFACE # of the port: what the kernel gets and sends
PACKETS=${TCP_WORKERS_PACKETS:-30000} # that are to come in while the kernel is watched

# neighbours_known: hq and those that it sends to know each other's Ethernet address: a ping that is lost was not ARP's.
neighbours_known() {
	local neighbour

	for neighbour in "$HQ_GATEWAY" "$SRV"; do
		on hq ping -q -c 1 -W 1 "$neighbour"
	done
}

# arrives NAME: a stream of pings; arrived_whole NAME: between the first answer and the last none is missing and none
# came twice.
arrives() {
	rm -f "$LAB_DIR/$1.log"
	background "$1" "$2" ping -n -i 0.004 -W 5 -s "$4" "$3"
}
has_answers() { (($(grep -c ' bytes from ' "$LAB_DIR/$1.log") > $2)); }
arrived_whole() {
	local numbers log=$LAB_DIR/$1.log

	mapfile -t numbers < <(sed -n 's/.*icmp_seq=\([0-9]*\) ttl.*/\1/p' "$log" | sort -n)
	((${#numbers[@]} > 100)) || fail "$1: ${#numbers[@]} answers"
	! grep -m 3 'DUP!' "$log" || fail "$1: answers came twice"
	((numbers[-1] - numbers[0] + 1 == ${#numbers[@]})) ||
		fail "$1: of pings ${numbers[0]} to ${numbers[-1]} $((numbers[-1] - numbers[0] + 1 - ${#numbers[@]})) were lost"
	say "$1: pings ${numbers[0]} to ${numbers[-1]}: every one answered once"
	rm "$log"
}

connect_is_in_worker() {
	connect_start
	connect_wait connected
	wait_for 10 "the connection in a worker" tcp_in_worker
}

# shellcheck disable=SC2086 # two mappings
registration_begin ${EXPERIMENT_MAPPINGS[1]}
iperf_start

step "taken over while both sides send, three times"
wait_for 10 "hq's neighbours" neighbours_known
arrives from-pc pc "$SRV" 56
for ((i = 0; i < 3; i++)); do
	connect_is_in_worker
	arrives from-srv srv "$PC" 1400
	wait_for 20 "answers to pc" has_answers from-pc 300
	wait_for 20 "answers to srv" has_answers from-srv 300
	stop from-pc INT
	stop from-srv INT
	arrived_whole from-pc
	arrived_whole from-srv
	(($(counter not_taken_over) == 0)) || fail "a connection stayed in the kernel"
	stop connect
	wait_for 10 "the session's end" member_is_gone
	wait_for 10 "the connection's end" gauge_is tcp_connections 0
	arrives from-pc pc "$SRV" 56
done

step "from then on the kernel sees nothing of it"
connect_is_in_worker
stop from-pc INT
sluicectl show tcp
capture_start kernel hq "$KERNEL_SIDE" -s 100
to_kernel=$(counter to_kernel) from_kernel=$(counter from_kernel) received=$(counter received)
ping_without_loss 20 65000
while (($(counter received) < received + PACKETS)); do
	iperf_both_ways 2
done
capture_stop kernel
seen=$(capture_packets kernel "not arp" | head -n 5)
[[ -z $seen ]] || fail "the kernel saw: $seen"
arp=$(capture_count kernel arp)
passed=$(($(counter to_kernel) - to_kernel + $(counter from_kernel) - from_kernel))
((passed <= arp + 2)) || fail "$passed packets passed the exception port, and $arp of them were ARP"
say "$(($(counter received) - received)) packets came in; the exception port saw $passed, all of them ARP"

step "sluiced is killed and comes back: the connection stands all the while"
arrives from-pc pc "$SRV" 56
wait_for 10 "answers to pc" has_answers from-pc 100
stop sluiced KILL
sluiced_start
wait_for 10 "the session, adopted" member_is_listed
answers=$(grep -c ' bytes from ' "$LAB_DIR/from-pc.log")
wait_for 10 "more answers to pc" has_answers from-pc $((answers + 100))
stop from-pc INT
arrived_whole from-pc
tcp_in_worker || fail "the connection is in no worker any more"
sluicectl show tcp | grep -w worker || fail "sluicectl does not know where the connection is"
ping_without_loss 5 65000

step "the data plane is killed: the branch comes back, into a worker again"
stop sluice-dataplane KILL
dataplane_start
wait_for 60 "an answer from srv to pc" ping_srv -c 1 -W 1
wait_for 10 "the connection in a worker" tcp_in_worker
ping_without_loss 5 65000

step "the branch ends: nothing is left"
stop connect
wait_for 10 "the session's end" member_is_gone
wait_for 10 "the connection's end" gauge_is tcp_connections 0
wait_for 5 "every packet accounted for" packets_balance
