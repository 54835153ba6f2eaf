/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP's MSS option (RFC 9293 section 3.7.1), lowered in passing in SYN and SYN/ACK, so that TCP never sends what has to
 * be cut or refused. Called for inner packets both ways: what each end announces limits what the other one sends.
 */
#pragma once

#include "header.h"

#include <rte_branch_prediction.h>
#include <rte_tcp.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IP and TCP without options: an MTU less these is its MSS (RFC 6691). */
enum { MSS_IPV4_LEN = 40, MSS_IPV6_LEN = 60 };

/* Is a look behind the first header's plain form worth while? Few packets are SYNs, and this is asked about each. */
static inline bool mss_may_be_syn(const void *header, uint32_t len)
{
	const uint8_t *bytes = header;
	uint32_t tcp = sizeof(struct rte_ipv4_hdr);

	if (header_is_ipv6(header)) {
		tcp = sizeof(struct rte_ipv6_hdr);
		/* Extension headers, but not those of most packets: TCP is 6, UDP 17, ESP 50. */
		if (bytes[6] == IPPROTO_HOPOPTS || bytes[6] == IPPROTO_ROUTING || bytes[6] == IPPROTO_FRAGMENT ||
			bytes[6] == IPPROTO_DSTOPTS)
			return true;
		if (bytes[6] != IPPROTO_TCP)
			return false;
	} else {
		if (bytes[9] != IPPROTO_TCP)
			return false;
		if (bytes[0] != RTE_IPV4_VHL_DEF)
			return true;
	}
	return len >= tcp + sizeof(struct rte_tcp_hdr) &&
	       bytes[tcp + offsetof(struct rte_tcp_hdr, tcp_flags)] & RTE_TCP_SYN_FLAG;
}

/* The rest of mss_clamp. */
void mss_clamp_syn(void *header, uint32_t len, uint32_t mtu);

/*
 * `header` is a valid IP header with its whole packet, `len` bytes, behind it; `mtu` the longest inner packet. What is
 * no SYN with the option stays as it is.
 */
static inline void mss_clamp(void *header, uint32_t len, uint32_t mtu)
{
	if (unlikely(mss_may_be_syn(header, len)))
		mss_clamp_syn(header, len, mtu);
}
