/* SPDX-License-Identifier: Apache-2.0 */
/* Last step: route, neighbour, cut to the port's MTU, Ethernet header, transmit. */
#pragma once

#include "worker.h"

/* `packet` begins at its IP header; one that is not our own host's has its TTL counted down here. It leaves. */
void forward_packet(struct worker *worker, struct rte_mbuf *packet);

/* The same for an ESP packet of ours, to the peer at `remote`; cut to `mtu`, too, where the port takes more. */
void forward_esp(struct worker *worker, struct rte_mbuf *packet, const union ip_address *remote, uint16_t mtu);
