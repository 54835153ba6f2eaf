/* SPDX-License-Identifier: Apache-2.0 */
/* Last step: route, neighbour, cut to the port's MTU, Ethernet header, transmit. */
#pragma once

#include "route.h"
#include "worker.h"

/* `packet` begins at its IP header; one that is not our own host's has its TTL counted down here. It leaves. */
void forward_packet(struct worker *worker, struct rte_mbuf *packet);

/* The same for an ESP packet of ours, to the peer at `remote`; cut to `mtu`, too, where the port takes more. */
void forward_esp(struct worker *worker, struct rte_mbuf *packet, const union ip_address *remote, uint16_t mtu);

/* Where packets to one address leave by: found once for many that leave in one turn. */
struct forward_way {
	union adjacency hop;
	uint32_t number;
	const union ip_address *remote;
};

struct forward_way forward_find(const struct worker *worker, const union ip_address *remote);

/* The same as forward_esp for a packet to that address. */
void forward_by(struct worker *worker, struct rte_mbuf *packet, const struct forward_way *way, uint16_t mtu);
