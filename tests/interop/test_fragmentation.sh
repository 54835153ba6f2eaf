#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# IKE messages in pieces, with strongSwan: a narrow link in the internet and a router there that drops IP fragments, so
# what is longer than 576 bytes gets through only when IKE itself cuts it.

. "$(dirname "${BASH_SOURCE[0]}")/../lab/story.sh"

# Long first messages, in aggressive mode and in quick mode.
PEER_IKE=aes256-sha512-modp2048,aes256-sha384-modp2048,aes192-sha256-modp2048,aes128-sha256-modp2048
PEER_IKE+=,aes192-sha512-modp2048,aes256-sha256-modp2048
PEER_ESP=aes256-sha512,aes256-sha384,aes192-sha512,aes192-sha384,aes128-sha512,aes128-sha384,aes192-sha1,aes128-sha1
PEER_FRAGMENT_SIZE=576
SLUICE_CHANGES='s/#fragment_size = 1280;/fragment_size = 576;/'

reassembled() { counter reassembled; }

step "a narrow link, and IP fragments that are dropped"
PEER_FRAGMENTATION=force story_with_sluice
lab_internet_mtu 576
lab_rules inet <<-'NFT'
	table ip narrow {
		chain forward {
			type filter hook prerouting priority raw
			ip frag-off & 0x3fff != 0 counter drop
		}
	}
NFT
capture_start outside inet east -s 128

step "pieces of IKE messages pass it, both ways"
strongswan_initiate
wait_for_ping
(($(reassembled) > 0)) || fail "no message came in pieces"
say "$(reassembled) messages came in $(counter fragments) pieces"
ping_without_loss 5 300
capture_stop outside
sent=$(capture_count outside "src $HQ_OUTSIDE and udp and (udp[24] = 132 or udp[28] = 132)")
((sent > 1)) || fail "Sluice sent no message in pieces"
say "Sluice sent $sent pieces"
strongswan_terminate
wait_for 10 "the session's end" session_is_gone

step "where the peer has no pieces, its long message does not arrive"
strongswan_stop branch
PEER_FRAGMENTATION=no strongswan_start branch
! strongswan_dials 4 || fail "the tunnel came up although no long message can have passed"
