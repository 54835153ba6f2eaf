/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors of ours (RFC 792, RFC 4443), made in the worker about the packet at hand, and sent the way back: through
 * a tunnel where a policy says so, to a station, or to our own kernel. Called before the packet itself leaves by its
 * drop reason. Rate-limited per worker. What is one family's alone is in icmp4.c and icmp6.c.
 */
#pragma once

#include "worker.h"

enum { ICMP_RATE = 1000 }; /* errors a second and worker; a tenth of that at once */

/*
 * "Fragmentation needed and DF set" with the MTU that fits (RFC 1191 section 4), or "Packet Too Big" (RFC 4443 section
 * 3.2), which names at least 1,280 (RFC 8201 section 4). `packet` begins at its IP header and stays the caller's.
 * `address` may be NULL; of the packet's family, it is the source where the port has no address of ours.
 */
void icmp_send_too_big(struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, const union ip_address *address);

/* "Time to live exceeded in transit" (RFC 792) or "Hop limit exceeded" (RFC 4443 section 3.3), likewise. */
void icmp_send_time_exceeded(struct worker *worker, struct rte_mbuf *packet, const union ip_address *address);
