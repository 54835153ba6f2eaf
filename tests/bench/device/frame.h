/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of a measurement, byte by byte: what the LAN host and the branches send, and what must come out.
 */
#pragma once

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <stdbool.h>
#include <stdint.h>

enum {
	FRAME_IP_AT = sizeof(struct rte_ether_hdr),
	FRAME_PAYLOAD_AT = sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr),
	FRAME_PAYLOAD = 0x5a, /* every byte of the payload */
};

/* Bytes before the ESP header. */
static inline uint16_t frame_esp_at(bool udp)
{
	return (uint16_t)(FRAME_IP_AT + sizeof(struct rte_ipv4_hdr) + (udp ? sizeof(struct rte_udp_hdr) : 0));
}

/* From the port's only station to `to`, the gateway's own address there. */
void frame_write_ethernet(uint8_t *frame, const struct rte_ether_addr *to, uint16_t port);

/* An IPv4 header, without options; addresses in host order. */
void frame_write_ipv4(uint8_t *packet, uint32_t source, uint32_t destination, uint8_t protocol, uint16_t total_len);

/* An IPv4 packet with UDP, `size` bytes in all; addresses in host order. */
void frame_write_inner(uint8_t *packet, uint32_t source, uint32_t destination, uint16_t size);

/* The header in front of `esp_len` bytes of ESP from a branch; port 0: bare ESP (RFC 4303), else RFC 3948. */
void frame_write_outer(uint8_t *packet, uint32_t source, uint32_t destination, uint16_t port, uint16_t esp_len);

/* Is this the packet that frame_write_inner made, but for TTL (counted down or not) and header checksum? */
bool frame_is_inner(const uint8_t *packet, uint32_t len, uint32_t source, uint32_t destination);
