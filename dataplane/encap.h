/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outer header before an ESP packet: IPv4 or IPv6 (RFC 4301 section 5.1.2), and UDP where NAT asks for it (RFC
 * 3948).
 */
#pragma once

#include "encap_fields.h"
#include "sa.h"

#include <stdint.h>

/* Bytes before the ESP header. */
static inline uint16_t encap_len(const struct sa_outer *outer)
{
	return outer->header_len;
}

/*
 * An outer header as far as anybody looks at it, whence and whither, right before an ESP packet that came in a stream.
 * Returns its length, bytes; there is room for them.
 */
uint8_t encap_write_addresses(uint8_t *esp, const union ip_address *remote, const union ip_address *local);

/* Fills what follows from a peer's endpoints: header_len and checksum. */
void encap_prepare(struct sa_outer *outer);

/*
 * Writes the header that ends where an ESP packet of `esp_len` bytes begins, encap_len bytes. `id` is used in IPv4
 * only.
 */
void encap_write(uint8_t *esp, uint32_t esp_len, const struct sa_outer *outer, struct encap_fields fields, uint16_t id);
