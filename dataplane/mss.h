/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP's MSS option (RFC 9293 section 3.7.1), lowered in passing in SYN and SYN/ACK, so that TCP never sends what has to
 * be cut or refused. Called for inner packets both ways: what each end announces limits what the other one sends.
 */
#pragma once

#include <rte_ip.h>

#include <stdint.h>

enum { MSS_HEADERS_LEN = 40 }; /* IPv4 and TCP without options: an MTU less these is its MSS (RFC 6691) */

/*
 * `header` is a valid IP header with its whole packet, `len` bytes, behind it; `mtu` the longest inner packet. What is no
 * SYN with the option stays as it is.
 */
void mss_clamp(void *header, uint32_t len, uint32_t mtu);
