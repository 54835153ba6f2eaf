#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The administrator is told why: strongSwan fails in the ways that are met most often, and sluicectl explain names each,
# with both sides' values; then it comes from another address in mid-exchange, connects, and that is told too.

. "$(dirname "${BASH_SOURCE[0]}")/story.sh"

GIVEN_SECRET=$PEER_SECRET
GIVEN_IKE=$PEER_IKE
SLUICE_CHANGES='s/#half_open_timeout = 30/half_open_timeout = 6/'

explained_says() { [[ $(sluicectl explain "$1" 2>&1 || :) == *"$2"* ]]; }
verdict() { sluicectl --json explain "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["attempts"][0]["verdict"])'; }
verdict_says() { [[ $(verdict "$1") == *"$2"* ]]; }

# dial_in_vain: strongSwan tries, with what PEER_... say now, and must not get through.
dial_in_vain() {
	strongswan_stop branch
	strongswan_start branch
	! swanctl_in branch --initiate --child net --timeout 8 >>"$LAB_DIR/swanctl-branch.log" ||
		fail "the branch got through all the same"
}

# blocked_start PORT: the NAT lets nothing through to this UDP port; blocked_end.
blocked_start() {
	lab_rules nat <<-NFT
		table ip blocked {
			chain forward {
				type filter hook forward priority -10
				iifname "lan" udp dport $1 drop
			}
		}
	NFT
}
blocked_end() { ip netns exec "$(namespace nat)" nft delete table ip blocked; }

# pool_start: what goes to UDP 4500 leaves the NAT from another address than the rest.
OTHER_OUTSIDE=203.0.113.11
pool_start() {
	lab_address nat wan "$OTHER_OUTSIDE/24"
	lab_rules nat <<-NFT
		table ip pool {
			chain postrouting {
				type nat hook postrouting priority srcnat - 10
				oifname "wan" udp dport 4500 snat to $OTHER_OUTSIDE
			}
		}
	NFT
}

story_with_sluice

step "nobody has come yet"
[[ $(sluicectl show attempts) == 'Nobody has tried'* ]] || fail "there are attempts before anybody dialed"
explained_says branch1 'has never been heard of' || fail "explain does not say that branch1 was never heard of"
explained_says brnch1 'do you mean "branch1"' || fail "explain does not say which name may have been meant"

step "another pre-shared key"
PEER_SECRET=another-key-than-that-of-hq
dial_in_vain
wait_for 20 "the verdict on the key" verdict_says branch1 "the pre-shared keys differ"
say "$(verdict branch1)"

step "no proposal in common"
PEER_SECRET=$GIVEN_SECRET
PEER_IKE=aes192-sha512-modp4096
dial_in_vain
wait_for 10 "the verdict on the proposals" verdict_says branch1 "no proposal in common: offered aes192-sha512-modp4096"
verdict_says branch1 "acceptable aes256-sha256-modp2048" || fail "it is not said what would be acceptable"
say "$(verdict branch1)"

step "an identity that nobody has"
PEER_IKE=$GIVEN_IKE
BRANCH_IDENTITY=branch9.example
dial_in_vain
wait_for 10 "the verdict on the identity" verdict_says branch9.example "not that of a configured peer"
verdict_says "$BRANCH_OUTSIDE" "branch9.example" || fail "it is not found by its address"
say "$(verdict branch9.example)"

step "UDP 4500 does not get through"
BRANCH_IDENTITY=branch1.example
blocked_start 4500
dial_in_vain
wait_for 20 "the verdict on UDP 4500" verdict_says branch1 "may not pass UDP 4500 to $HQ"
say "$(verdict branch1)"
blocked_end

step "another address in mid-exchange"
pool_start
strongswan_stop branch
strongswan_start branch
strongswan_initiate
wait_for_ping
verdict_says branch1 "message 3 came from $OTHER_OUTSIDE" || fail "the other address is not told: $(verdict branch1)"
verdict_says branch1 "message 1 from $BRANCH_OUTSIDE" || fail "the first address is not told"
explained_says branch1 'aggressive mode message 3' || fail "message 3 is not shown"
explained_says branch1 'XAUTH, DPD (RFC 3706)' || fail "the peer's vendor IDs are not named"
explained_says branch1 'Earlier attempts' || fail "earlier attempts are not shown"
sluicectl explain branch1
sluicectl show attempts
