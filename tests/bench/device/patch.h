/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fresh sequence number for an AES-GCM packet that is sealed already, at the price of four table lookups.
 *
 * The number is part of the additional data (RFC 4106 section 5), and for one nonce and one length the tag is
 * GHASH(additional data, ciphertext) ^ constant. GHASH is linear over bits: flipping bit k of the number flips the same
 * bits of the tag, whatever the rest of the packet. So the differences are found once, by sealing one packet
 * anew for each of the 32 bits, and are summed up for each value of each of its four bytes.
 */
#pragma once

#include "tables/suite.h"

#include <stdint.h>

struct patch {
	uint64_t tags[4][256][2];
};

/*
 * For packets with a payload of payload_len bytes. 0; -EIO when OpenSSL fails; -EDOM when a patched packet is not the
 * same as a sealed one.
 */
int patch_make(struct patch *patch, const struct esp_suite *suite, const uint8_t *keymat, uint32_t payload_len);

/* Changes the tag at `icv`, of a packet with the number 0, to that of `sequence`. */
static inline void patch_apply(const struct patch *patch, uint32_t sequence, uint8_t *icv)
{
	uint64_t tag[2];

	__builtin_memcpy(tag, icv, sizeof(tag));
	for (int i = 0; i < 4; i++) {
		const uint64_t *difference = patch->tags[i][sequence >> 8 * i & 0xff];

		tag[0] ^= difference[0];
		tag[1] ^= difference[1];
	}
	__builtin_memcpy(icv, tag, sizeof(tag));
}
