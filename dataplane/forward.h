/* SPDX-License-Identifier: Apache-2.0 */
/* Last step: route, neighbour, cut to the port's MTU, Ethernet header, transmit. */
#pragma once

#include "port.h"
#include "route.h"
#include "worker.h"

/* The Ethernet header of an IP packet, at `frame`: from that port to its neighbour. In eight bytes at a time. */
static inline void forward_write_ethernet(uint8_t *frame, const struct port *port, union adjacency hop, bool ipv6)
{
	rte_be16_t type = ipv6 ? rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6) : rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	uint64_t source = port_mac_word(port);

	_Static_assert(offsetof(union adjacency, mac) == 0, "the word begins with the address");
	memcpy(frame, &hop.word, sizeof(hop.word));
	memcpy(frame + RTE_ETHER_ADDR_LEN, &source, sizeof(source));
	memcpy(frame + 2 * RTE_ETHER_ADDR_LEN, &type, sizeof(type));
}

/* `packet` begins at its IP header; one that is not our own host's has its TTL counted down here. It leaves. */
void forward_packet(struct worker *worker, struct rte_mbuf *packet);

/* The same for an ESP packet of ours, to the peer at `remote`; cut to `mtu`, too, where the port takes more. */
void forward_esp(struct worker *worker, struct rte_mbuf *packet, const union ip_address *remote, uint16_t mtu);
