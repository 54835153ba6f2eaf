# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Registration at hq, and the field's experiments with it: which ports the firewall maps, and what carries the tunnel.
# Sourced after net.sh, sluice.sh, credentials.sh and connect.sh.
#
#   experiment   the firewall maps         transport
#   1            tcp+udp 88 -> 4009        tcp
#   2            tcp+udp 88 -> 4009        udp
#   3            tcp+udp 88 -> 88          udp
#   4            udp 88 -> 88              udp

REGISTRATION_PORT=88
# shellcheck disable=SC2034 # stories read them
EXPERIMENT_MAPPINGS=('' 'tcp/88:4009 udp/88:4009' 'tcp/88:4009 udp/88:4009' tcp/88\ udp/88 udp/88)
REGISTRATION_USERS=/run/sluice-users # every host of the lab has a /run of its own
MEMBER=branch1
MEMBER_PASSWORD='open sesame'
MEMBER_ADDRESS=10.99.0.5

# registration_changes [METHOD...]: of the sample, for SLUICE_CHANGES: hq takes registrations, by password when not said;
# the sample's branch is whoever has registered, and the branch's network is the member's.
registration_changes() {
	local methods

	methods=$(printf '"%s", ' "${@:-password}")
	cat <<-SED
		s|^    #file = "/etc/sluice/users"|    file = "$REGISTRATION_USERS"|
		s|^#state_dir = .*|state_dir = "/run/sluice-state";|
		s|^#pools = .*|pools = ( { name = "clients"; network = "10.99.0.0/24"; first = "10.99.0.10"; dns = ["192.168.2.53"]; } );|
		s|^    #ports = \[\];|    ports = [88, 2012, 4009]; methods = [${methods%, }];\\
		    members = ( { identity = "$MEMBER"; address = "$MEMBER_ADDRESS"; networks = ["192.168.1.0/24"]; } );|
		s|^    #nat_ports = .*|    nat_ports = [4500, 4009, 2012, 88];|
		s|^    identity = "$HQ_IDENTITY";|&\\
		    certificate = "$CREDENTIALS/hq.pem"; key = "$CREDENTIALS/hq.key"; authorities = ["$CREDENTIALS/authority.pem"];|
		s|^        name = "branch1";|        name = "members";|
		/^        identity = "branch1.example";/d
		/^        secret = /d
		/^        remote_networks = /d
		s|^        #auth = .*|        auth = ["registration"];|
		s|^        #pool = "";|        pool = "clients";|
	SED
}

# connect_registers METHOD...: of sluice-connect's sample, for CONNECT_CHANGES: it has nothing but what it registers with.
connect_registers() {
	local methods

	methods=$(printf '"%s", ' "$@")
	cat <<-SED
		/^secret = /d
		/^local_networks = /d
		/^remote_networks = /d
		s|^#methods = .*|methods = [${methods%, }]; authorities = ["$CREDENTIALS/authority.pem"];|
		s|^#registration = .*|registration = [$REGISTRATION_PORT];|
	SED
	[[ " $* " != *' password '* ]] ||
		echo "s|^identity = .*|& login = \"$MEMBER\"; password_file = \"$LAB_DIR/password\";|"
}

# registration_begin [MAPPING...]: after credentials and SLUICE_CHANGES, the network stands, hq takes registrations, and
# the member's password is known to both.
registration_begin() {
	need_sluice
	[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
	story_begin "$@"
	credentials_make rsa
	lab_route fw 10.99.0.0/24 "$HQ"
	huge_pages_reserve 256 || :
	sluice_start
	registration_add_user "$MEMBER" "$MEMBER_PASSWORD"
	(umask 077 && echo "$MEMBER_PASSWORD" >"$LAB_DIR/password" && echo "open barley" >"$LAB_DIR/wrong")
}

# shellcheck disable=SC2016 # the inner shell expands
registration_add_user() { on hq sh -c 'printf "%s\n" "$3" | "$0" -c "$1" user add "$2"' \
	"$BUILD/controlplane/sluicectl" "$SLUICE_CONFIG" "$1" "$2"; }

# capture_first_fin NAME: who sent the first FIN.
capture_first_fin() { tshark_fields "$1" 'tcp.flags.fin == 1' ip.src | head -n 1; }

# capture_udp_flows NAME: the UDP flows that carry IKE or ESP, each as "ADDRESS:PORT-ADDRESS:PORT", peer first.
capture_udp_flows() {
	tshark_fields "$1" "udp && ip.addr == $HQ && !icmp" ip.src udp.srcport ip.dst udp.dstport |
		awk -v hq="$HQ" '{ print $1 == hq ? $3 ":" $4 "-" $1 ":" $2 : $1 ":" $2 "-" $3 ":" $4 }' | sort -u
}

# tshark_fields NAME FILTER FIELD...: of each packet of the capture that matches.
tshark_fields() {
	local name=$1 filter=$2 arguments=()

	shift 2
	while (($#)); do
		arguments+=(-e "$1")
		shift
	done
	tshark -n -r "$LAB_DIR/$name.pcap" -Y "$filter" -T fields "${arguments[@]}" 2>/dev/null
}

member_is_listed() { sluicectl show | grep -E "^members +$MEMBER "; }
member_is_gone() { ! member_is_listed; }

# experiment_over_udp PORT: what is asked of 2 and 3, at hq's PORT. The tunnel comes up; HQ has ended TCP; one UDP flow
# begins within a second and carries all.
experiment_over_udp() {
	local port=$1 first flows

	capture_start session fw port1 -s 128
	connect_start
	connect_wait connected
	wait_for 5 "the session in sluicectl show" member_is_listed
	wait_for_ping
	ping_without_loss 20 65000
	capture_stop session
	iperf_both_ways 3
	first=$(capture_first_fin session)
	[[ $first == "$HQ" ]] || fail "the first FIN is from '$first', not from HQ"
	flows=$(capture_udp_flows session)
	[[ $flows =~ ^[0-9.]+:[0-9]+-$HQ:$port$ ]] || fail "UDP is not one flow to HQ's port $port, but: $flows"
	say "UDP: $flows, $(capture_udp_delay session) s after HQ's FIN"
	((10#$(capture_udp_delay session | tr -d .) < 1000000)) || fail "UDP begins a second after HQ's FIN, or later"
}

# capture_udp_delay NAME: seconds between HQ's FIN and the peer's first UDP packet, with six places.
capture_udp_delay() {
	local fin udp

	fin=$(tshark_fields "$1" "tcp.flags.fin == 1 && ip.src == $HQ" frame.time_epoch | head -n 1)
	udp=$(tshark_fields "$1" "udp && ip.dst == $HQ && !icmp" frame.time_epoch | head -n 1)
	awk -v fin="$fin" -v udp="$udp" 'BEGIN { printf "%.6f\n", (udp > fin ? udp - fin : 0) }'
}

# experiment_cuts_in_two: an inner packet of 1,500 bytes comes to HQ as two fragments.
experiment_cuts_in_two() {
	local cut

	capture_start cut fw port1 -s 64
	on pc ping -q -c 1 -W 5 -M do -s 1472 "$SRV" >/dev/null || fail "a packet of 1,500 bytes that must not be cut is lost"
	capture_stop cut
	cut=$(capture_count cut "ip src $BRANCH_OUTSIDE and ip dst $HQ and ip[6:2] & 0x3fff != 0")
	((cut == 2)) || fail "a packet of 1,500 bytes came to HQ in $cut fragments"
}
