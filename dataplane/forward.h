/* SPDX-License-Identifier: Apache-2.0 */
/* Last step: route, neighbour, cut to the port's MTU, Ethernet header, transmit. */
#pragma once

#include "worker.h"

/* `packet` begins at its IP header; one from a peer has its TTL counted down here. It leaves. */
void forward_packet(struct worker *worker, struct rte_mbuf *packet);
