/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bypass and discard entries of the SPD (RFC 4301 section 4.4.1), from the configuration: an ordered list that is
 * looked at before the policies; the first that matches decides.
 *
 * They are for packets in transit: those that came in the clear, and those that a peer sent and its SA admitted,
 * because going on is crossing the boundary outbound (section 5.1), and because an entry before a protect entry takes
 * its packets out of that one's both directions. What a peer sends to an address of ours crosses nothing: its SA's
 * selectors have decided (section 5.2, step 4). Our own host's packets are its firewall's.
 *
 * A fragment with an offset has no ports, so it matches no rule that asks for one; later rules and the policies decide
 * about it. That is less than the stateful check of section 7.4, and errs on the safe side: no rule with a port sends
 * such a piece in the clear, and where one discards a packet's first piece the others are of no use. Where IPv6's
 * extension headers do not lead to a protocol, a discard rule counts whatever protocol and port it asks for, and a
 * bypass rule only if it asks for none.
 *
 * A rule is for the family of its networks: ::/0 holds no IPv4 packet.
 */
#pragma once

#include "config/config.h"
#include "ip.h"

#include <stdbool.h>
#include <stdint.h>

struct rule {
	struct ip_network source, destination;
	bool ipv6;
	uint16_t protocol;              /* or CONFIG_PROTOCOL_ANY */
	uint16_t first_port, last_port; /* destination; 0: none asked for */
	uint16_t action;                /* enum config_action */
};

/* Written before the workers start, only read then. */
struct rule_list {
	uint32_t count;
	struct rule rules[CONFIG_RULES_MAX];
};

void rules_fill(struct rule_list *list, const struct config *config);

/* Worker: the first rule that matches a packet of `len` bytes, whose IP header of either family is valid; NULL: none.
 */
const struct rule *rules_find(const struct rule_list *list, const void *header, uint32_t len);
