/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC keys (RFC 2104, RFC 4868): what of the hash depends on the key alone is computed once. */
#include "esp/engine.h"

#include <string.h>

enum { BLOCK_MAX = 128, INNER_FILLER = 0x36, OUTER_FILLER = 0x5c };

/* The hash's state after its first block, RFC 2104 section 4; no key is longer than the block. */
static void hmac_expand_pad(
	IMB_MGR *manager, const struct esp_suite *suite, const uint8_t *auth_key, uint8_t filler, uint8_t *state)
{
	uint8_t block[BLOCK_MAX];

	memset(block, filler, sizeof(block));
	for (size_t i = 0; i < suite->auth_key_len; i++)
		block[i] ^= auth_key[i];
	switch (suite->integrity) {
	case ESP_INTEGRITY_SHA1_96: IMB_SHA1_ONE_BLOCK(manager, block, state); break;
	case ESP_INTEGRITY_SHA256_128: IMB_SHA256_ONE_BLOCK(manager, block, state); break;
	case ESP_INTEGRITY_SHA384_192: IMB_SHA384_ONE_BLOCK(manager, block, state); break;
	case ESP_INTEGRITY_SHA512_256: IMB_SHA512_ONE_BLOCK(manager, block, state); break;
	}
	explicit_bzero(block, sizeof(block));
}

void hmac_expand(IMB_MGR *manager, const struct esp_suite *suite, const uint8_t *auth_key, struct job_key *key)
{
	hmac_expand_pad(manager, suite, auth_key, INNER_FILLER, key->inner);
	hmac_expand_pad(manager, suite, auth_key, OUTER_FILLER, key->outer);
}
