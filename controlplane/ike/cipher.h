/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ciphers that protect IKE messages: AES-CBC (RFC 3602) and 3DES-CBC (RFC 2409 appendix B), without padding of
 * their own. The IV is a parameter and moves on: CBC runs through all messages of one message ID (RFC 2409
 * section 4.1).
 */
#pragma once

#include "config/proposal.h"
#include "ike/bytes.h"

#include <stdbool.h>

enum { CIPHER_KEY_MAX = 32, CIPHER_BLOCK_MAX = 16 };

/* Bytes; 0 when the cipher or its key length is not known. */
size_t cipher_key_len(const struct ike_proposal *proposal);
size_t cipher_block_len(uint16_t cipher);

/*
 * Works in place on `len` bytes, a multiple of the block. `iv` (one block) is replaced by the last block of ciphertext.
 * 0, -EINVAL for a wrong length, -EIO when the crypto library refuses.
 */
int cipher_run(uint16_t cipher, struct bytes key, bool encrypt, uint8_t *iv, uint8_t *data, size_t len);
