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
REALM_DIR=$LAB_DIR/realm
KDC=203.0.113.1 # inet's, which both sides reach
export KRB5_CONFIG=$REALM_DIR/krb5.conf KRB5_KDC_PROFILE=$REALM_DIR/kdc.conf # of every program in the lab

# At HQ's cable, of captures: TCP, and of UDP what is short and whole, which every flow has some of.
SESSION_ENDS="host $HQ and (tcp or (udp and ip[6:2] & 0x3fff = 0 and ip[2:2] < 600))"
# In the internet, of a tunnel that was registered at the port: TLS, then IKE and ESP in UDP, and their fragments.
# shellcheck disable=SC2034 # the demo reads it
REGISTERED_TUNNEL_FILTER="(host $HQ_OUTSIDE and port $REGISTRATION_PORT) or
	(ip proto 17 and host $HQ_OUTSIDE and ip[6:2] & 0x1fff != 0)"

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
		    members = ( { identity = "$MEMBER"; subject = "C=DE, O=Example, CN=branch"; address = "$MEMBER_ADDRESS"; networks = ["192.168.1.0/24"]; } );|
		s|^        #keytab = .*|        keytab = "$REALM_DIR/hq.keytab";|
		s|^        #rules = ();|        rules = ( { principal = "*@$REALM"; identity = "*"; } );|
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
	[[ " $* " != *' kerberos '* ]] ||
		echo "s|^#principal = .*|principal = \"$MEMBER@$REALM\"; service = \"vpn/$HQ_IDENTITY@$REALM\"; keytab = \"$REALM_DIR/branch.keytab\";|"
	[[ " $* " != *' certificate '* ]] ||
		echo "s|^identity = .*|& certificate = \"$CREDENTIALS/branch.pem\"; key = \"$CREDENTIALS/branch.key\";|"
}

# registration_realm: a Kerberos realm with its KDC at inet, the service of hq and the member as principals.
registration_realm() {
	command -v kadmin.local >/dev/null || skip "there is no kadmin.local; see tests/packages"
	realm_make "$REALM_DIR" "$KDC" 88
	realm_add_service "vpn/$HQ_IDENTITY" "$REALM_DIR/hq.keytab"
	realm_add_service "$MEMBER" "$REALM_DIR/branch.keytab"
	sluice_add_user
	chown "$SLUICE_USER" "$REALM_DIR/hq.keytab"
	kdc_start
}

kdc_start() {
	background kdc inet krb5kdc -r "$REALM" -n
	wait_for 10 "the KDC" kdc_listens
}
kdc_listens() {
	running kdc || return "$GAVE_UP"
	grep -qs 'commencing operation' "$LAB_DIR/kdc.log" "$REALM_DIR/kdc.log"
}

# registration_begin [MAPPING...]: after credentials and SLUICE_CHANGES, the network stands, hq takes registrations, and
# the member's password is known to both.
registration_begin() {
	need_sluice
	[[ -x $CONNECT ]] || skip "$CONNECT is not built; see tests/run"
	story_begin "$@"
	credentials_make rsa
	lab_route fw 10.99.0.0/24 "$HQ"
	[[ $SLUICE_CHANGES != *'"kerberos"'* ]] || registration_realm
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

# internet_rules RULES: of what passes there, in nft's words, and none other any more.
internet_rules() {
	lab_rules inet <<-NFT
		table ip drops
		delete table ip drops
		table ip drops {
			chain forward {
				type filter hook forward priority filter - 1
				$1
			}
		}
	NFT
}

# internet_drops EXPRESSION: what matches it, and nothing else any more.
internet_drops() { internet_rules "$1 counter drop"; }

# first_ping_ms: from the branch's SYN to the first ping's answer at pc, with what CONNECT_CHANGES says; milliseconds.
first_ping_ms() {
	rm -f "$LAB_DIR"/{first-ping,connect}.log
	background first-ping "$TALKER" ping -n -D -i 0.005 "$SRV"
	connect_start
	connect_wait connected
	wait_for 10 "a ping's answer" grep -q ' bytes from ' "$LAB_DIR/first-ping.log"
	stop first-ping INT
	stop connect
	wait_for 10 "the session's end" member_is_gone
	python3 - "$LAB_DIR/connect.log" "$LAB_DIR/first-ping.log" <<-'PYTHON'
		import datetime, re, sys
		began = re.search(r"^(\S+)Z .* event=registering ", open(sys.argv[1]).read(), re.M)[1]
		began = datetime.datetime.fromisoformat(began + "+00:00").timestamp()
		answer = float(re.search(r"^\[([0-9.]+)\] .* bytes from ", open(sys.argv[2]).read(), re.M)[1])
		print(round((answer - began) * 1000))
	PYTHON
}

member_is_listed() { sluicectl show | grep -E "^members +$MEMBER "; }
member_is_gone() { ! member_is_listed; }

# experiment_over_udp PORT: what is asked of 2 and 3, at hq's PORT. The tunnel comes up; HQ has ended TCP; one UDP flow
# begins within a second and carries all.
experiment_over_udp() {
	local port=$1

	capture_start session fw port1 -s 128 "$SESSION_ENDS"
	connect_start
	connect_wait connected
	wait_for 5 "the session in sluicectl show" member_is_listed
	wait_for_ping
	ping_without_loss 20 65000
	iperf_both_ways 3
	capture_stop session
	capture_shows_one_udp_flow session "$port"
}

# capture_shows_one_udp_flow NAME PORT: HQ has ended TCP, and one UDP flow to its PORT began within a second.
capture_shows_one_udp_flow() {
	local first flows delay

	first=$(capture_first_fin "$1")
	[[ $first == "$HQ" ]] || fail "the first FIN is from '$first', not from HQ"
	flows=$(capture_udp_flows "$1")
	[[ $flows =~ ^[0-9.]+:[0-9]+-$HQ:$2$ ]] || fail "UDP is not one flow to HQ's port $2, but: $flows"
	delay=$(capture_udp_delay "$1")
	((10#${delay//./} < 1000000)) || fail "UDP begins $delay s after HQ's FIN"
	say "HQ ends TCP; UDP $flows, $delay s later"
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
