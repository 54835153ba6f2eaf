/* SPDX-License-Identifier: Apache-2.0 */
/* Is a frame that the gateway sent the right one? OpenSSL opens what it sealed. */
#pragma once

#include <rte_mbuf.h>

enum check_verdict {
	CHECK_GOOD,
	CHECK_BAD,
	CHECK_FOREIGN, /* not of the traffic: the gateway's own, such as ARP, or there is no traffic yet */
};

enum check_verdict check_frame(const struct rte_mbuf *frame);
