/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport mode between IPv4 hosts (RFC 4303 section 3.1.1): ESP between the IP header and what it carries. Our own
 * host is one end, so outbound packets come from the kernel and inbound ones go to it. The header around the ESP packet
 * is the session's outer header (encap.h): its addresses are those of the packet's own.
 */
#pragma once

#include "sa.h"
#include "worker.h"

struct rte_ipv4_hdr;
struct rte_mbuf;
struct sa_in;

/* May this packet go through a transport mode SA? A fragment may not (RFC 4303 section 3.3.4), nor one with options. */
bool transport_may_carry(struct rte_mbuf *packet);

/*
 * Inbound: puts an IPv4 header before a decrypted payload (data), made from the outer one that still stands before the
 * ESP packet. In UDP, NATs have changed that one's addresses: it gets those that the SA's networks are, our own and the
 * one that the peer has on its side, and TCP's and UDP's checksums are made anew (RFC 3948 section 3.1.2).
 */
void transport_restore(
	struct rte_mbuf *packet, const struct sa_in *in, const struct rte_ipv4_hdr *outer, uint8_t protocol);
