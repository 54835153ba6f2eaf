#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# strongSwan dials Sluice with each ESP suite and several IKE proposals, with and without PFS, and both sides negotiate
# new keys while pings run, of which none is lost. (strongSwan keeps what it replaced itself until its lifetime ends.)

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

inbound_spis() { sluicectl --json show sas | python3 -c '
import json, sys
children = [sa for session in json.load(sys.stdin)["sessions"] for sa in session["children"]]
print(*(sa["spi_in"] for sa in sorted(children, key=lambda sa: int(sa["spi_in"], 16) & 0xfffff)))'; }
spis_differ_from() { [[ $(inbound_spis) != "$1" ]]; }

spi_is_gone() { [[ $(inbound_spis) != *"$1"* ]]; }

# dial IKE ESP: the branch connects with these, rekeys, is rekeyed, and hangs up.
dial() {
	local before

	step "IKE $1, ESP $2"
	PEER_IKE=$1 PEER_ESP=$2 strongswan_start branch
	strongswan_initiate
	wait_for_ping
	ping_without_loss 3 65000
	ping_forever
	before=$(inbound_spis)
	swanctl_in branch --rekey --child net >>"$LAB_DIR/swanctl-branch.log"
	wait_for 10 "new child SAs, asked for by the branch" spis_differ_from "$before"
	before=$(inbound_spis)
	sluicectl rekey branch1
	wait_for 10 "new child SAs, asked for by HQ" spis_differ_from "$before"
	wait_for 20 "the end of the child SA that HQ replaced" spi_is_gone "${before##* }"
	ping_forever_without_loss
	strongswan_terminate
	wait_for 10 "the session's end" session_is_gone
	strongswan_stop branch
}

# Those that are no defaults are Sluice's to allow.
ESP_NAMES='"aes256gcm", "aes192gcm", "aes128gcm", "aes256-sha512", "aes192-sha384", "aes256-sha256", "aes128-sha256",
	"aes256-sha1", "aes128-sha1", "aes128ctr-sha256"'
SLUICE_CHANGES="s/#esp = .*/esp = [${ESP_NAMES//$'\n'/}];/"

need_sluice
story_begin
huge_pages_reserve 256 || :
sluice_start

dial aes256-sha256-modp2048 aes128gcm16
dial aes256-sha256-ecp256 aes256gcm16-ecp256
dial aes128-sha256-modp2048 aes128-sha1
dial aes128-sha256-ecp256 aes256-sha1-modp2048
dial aes256-sha256-modp2048 aes128-sha256
dial aes256-sha256-modp2048 aes192gcm16
dial aes256-sha256-modp2048 aes192-sha384
dial aes256-sha256-modp2048 aes256-sha512
dial aes256-sha256-modp2048 aes128ctr-sha256
dial aes256-sha256-modp2048 aes256-sha256-modp2048
