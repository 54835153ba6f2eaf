/* SPDX-License-Identifier: Apache-2.0 */
/* Is a frame that the gateway sent the right one? OpenSSL opens what it sealed. */
#pragma once

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

enum check_verdict {
	CHECK_GOOD,
	CHECK_BAD,
	CHECK_FOREIGN, /* not of the traffic: the gateway's own, such as ARP, or there is no traffic yet */
};

enum check_verdict check_frame(const struct rte_mbuf *frame);

/* Is this the ESP packet of a packet that the LAN host sent to that session? */
bool check_esp(uint32_t session, const uint8_t *esp, uint32_t esp_len);
