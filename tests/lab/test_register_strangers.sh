#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What strangers and unlucky clients do at registration, while a tunnel works: each has its sentence on a timeline, and
# nobody notices. Noise, half a handshake, silence, slowness, malformed messages, wrong passwords, crowds; a pool of two
# addresses and three clients; a full disk under the leases.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

USERS=$LAB_DIR/users STATE=$LAB_DIR/state TIMEOUT=4
# The template goes before the branch, which stays as it is.
SLUICE_CHANGES="
	s|^    identity = \"$HQ_IDENTITY\";|&\n    certificate = \"$CREDENTIALS/hq.pem\"; key = \"$CREDENTIALS/hq.key\";|
	s|^    #file = \"/etc/sluice/users\"|    file = \"$USERS\"|
	s|^#state_dir = .*|state_dir = \"$STATE\";|
	s|^    #ports = \[\];|    ports = [4009, 2012];|
	s|^    #timeout = 30;|    timeout = $TIMEOUT;|
	s|^    #connections = 1024;|    connections = 64;|
	s|^#pools = .*|pools = ( { name = \"clients\"; network = \"10.99.0.0/30\"; } );|
	s|^peers = (|&\n    { name = \"members\"; auth = [\"registration\"]; ikev1 = true; pool = \"clients\";\
	local_networks = [\"$HQ_NETWORK\"]; },|"

# register KIND [USER PASSWORD], by somebody in HQ's network; leaves the last line of the answer in $said.
register() {
	said=$(on fw "$TOP/tests/lab/register.py" "$HQ" 4009 "$CREDENTIALS/authority.pem" "$@" | tail -n 1)
	say "$*: $said"
}

is_told() { sluicectl show attempts --all | grep -F -- "$1"; }

# registers_as ANSWER SENTENCE KIND...: the answer that the client gets, and what the administrator is told.
registers_as() {
	local answer=$1 sentence=$2

	register "${@:3}"
	[[ $said == "$answer" ]] || fail "\"$said\" came, not \"$answer\""
	wait_for 10 "the sentence \"$sentence\"" is_told "$sentence"
}

user_add() { printf '%s\n' "$2" | on hq "$BUILD/controlplane/sluicectl" -c "$SLUICE_CONFIG" user add "$1"; }

story_end_umount() { umount "$STATE" 2>/dev/null || :; }

need_sluice
story_begin
credentials_make prime256v1
huge_pages_reserve 256 || :
sluice_add_user
# A disk of its own for the leases, so that it can be full.
mkdir -p "$STATE"
mount -t tmpfs -o size=256k,uid="$(id -u "$SLUICE_USER")",mode=700 none "$STATE"
trap 'story_end_umount; story_end' EXIT
chmod 755 "$LAB_DIR" "$CREDENTIALS"
sluice_start
strongswan_start branch
for user in alice bob carol; do
	user_add "$user" "open sesame"
done
chown "$SLUICE_USER" "$USERS"
strongswan_initiate
wait_for_ping
ping_forever

step "no TLS, half of one, silence, slowness"
registers_as closed "the TLS handshake came to nothing" noise
registers_as closed "not through within $TIMEOUT s (registration.timeout): the TLS handshake was not finished" half
registers_as "refused timeout" "not through within $TIMEOUT s (registration.timeout): the client had not said hello" mute
registers_as closed "not through within $TIMEOUT s (registration.timeout): the client had not said hello" slow

step "messages that are none"
registers_as closed "a message came that is empty or longer than 64 KiB" oversized
registers_as "refused malformed" "the client's message is malformed" malformed
registers_as "refused malformed" "the client's message is malformed" unknown

step "wrong passwords"
registers_as "refused authentication_failed" "user \"alice\" was not let in: the password is wrong" password alice "open barley"
registers_as "refused authentication_failed" "user \"mallory\" was not let in: there is no user of this name" password mallory x

step "a crowd of 300, of which 64 have a place: an honest client gets one"
mkfifo "$LAB_DIR/crowd"
background crowd fw bash -c "'$TOP/tests/lab/register.py' $HQ 4009 - crowd <'$LAB_DIR/crowd' >'$LAB_DIR/crowd.out'"
exec 7>"$LAB_DIR/crowd"
wait_for 20 "the crowd" grep -q connected "$LAB_DIR/crowd.out"
registers_as "accepted 10.99.0.1" "\"alice\" is registered, by password" password alice "open sesame"
exec 7>&-

step "a full disk: no lease, and whoever has one keeps it"
dd if=/dev/zero of="$STATE/full" bs=1k count=1000 2>/dev/null || :
registers_as "refused no_address" "the lease can't be stored, so it is not given" password bob "open sesame"
registers_as "accepted 10.99.0.1" "the newest wins" password alice "open sesame"
rm "$STATE/full"

step "two addresses, three clients"
registers_as "accepted 10.99.0.2" "\"bob\" is registered" password bob "open sesame"
registers_as "refused no_address" "all 2 are of clients that are connected" password carol "open sesame"
sluicectl show registrations

step "nobody noticed"
running sluiced || fail "sluiced did not survive"
ping_forever_without_loss
