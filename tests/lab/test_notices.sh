#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# After a registration, UDP that does not come by itself: HQ waits, dials the branch from the port that it registered by,
# and that works where the branch's NAT keeps ports; or it does not, and both ends say in a sentence why. And a path that
# carries less than the interfaces at its ends: the branch measures it.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

UDP_WAIT=3

# The branch's NAT keeps the port 4009, as many routers do, and drops what nobody asked for. Then HQ's dial opens its own
# firewall for what the branch sends to 4009, and that opens the branch's NAT.
branch_keeps_port() {
	lab_rules nat <<-NFT
		table ip keep {
			chain postrouting {
				type nat hook postrouting priority srcnat - 1
				oifname "wan" udp sport 4009 snat to $BRANCH_OUTSIDE:4009
			}
			chain input {
				type filter hook input priority filter
				iifname "wan" udp dport 4009 drop
			}
		}
	NFT
	lab_nat_forget
}

explains() { sluicectl explain "$MEMBER" | grep -F -- "$1"; }
connect_says() { grep -E -- "$1" "$LAB_DIR/connect.log" | tail -n 1 | grep .; }

# dials NAME: HQ's dials in the capture: what it sent from its port 4009 to the branch's, unasked.
dials() { capture_count "$1" "udp and src host $HQ and src port 4009 and dst host $BRANCH_OUTSIDE and dst port 4009"; }

SLUICE_CHANGES="$(registration_changes password)
s|^    #udp_wait = .*|    udp_wait = $UDP_WAIT;|"
CONNECT_CHANGES="$(connect_registers password)
s|^#local_nat_port = .*|local_nat_port = 4009;|"
registration_begin tcp/88:4009

step "UDP is blocked: HQ dials 6 times, and both ends say so"
capture_start blocked fw port1 -s 128
connect_start
wait_for 20 "sluice-connect's verdict" connect_says 'event=not_connected code=no_udp'
wait_for 10 "HQ's verdict" explains "UDP does not get through: none came within $UDP_WAIT s of the registration, and 6 dials were not answered"
explains "we dial $BRANCH_OUTSIDE:4009 from our port 4009, 6 times" || fail "the timeline does not say that HQ dials"
connect_says 'event=not_connected' | sed 's/.*reason=/branch: /'
explains 'UDP does not get through' | sed 's/^ */HQ: /'
stop connect
capture_stop blocked
(($(dials blocked) == 6)) || fail "HQ's dials on the wire are $(dials blocked), not 6"

step "the branch's NAT keeps its port: HQ's dials open the way, and the tunnel takes it"
branch_keeps_port
capture_start dialed fw port1 -s 128
connect_start
connect_wait connected
wait_for_ping
ping_without_loss 10 65000
capture_stop dialed
connect_says 'event=udp_reached' | sed 's/.*reason=/branch: /'
grep -F ", when we dialed: from $BRANCH_OUTSIDE:4009" "$LAB_DIR/sluiced.log" | sed 's/.*reason=/HQ: /' | grep . ||
	fail "HQ does not say that UDP came when it dialed"
(($(dials dialed) > 0)) || fail "there is no dial on the wire"
stop connect
wait_for 10 "the session's end" member_is_gone

step "a path of 1,400 bytes between interfaces of 1,500 is measured"
lab_firewall tcp/88:4009 udp/88:4009
lab_internet_mtu 1400
connect_start
connect_wait connected
wait_for 20 "the path's measure, 1,400 bytes" connect_says 'event=path_measured mtu=1400 '
connect_says 'event=path_measured' | sed 's/.*reason=/branch: /'
wait_for_ping
ping_without_loss 5 65000
