/* SPDX-License-Identifier: Apache-2.0 */
#include "patch.h"

#include "reference.h"

#include <errno.h>
#include <string.h>

enum { ROOM = 2048, TAG_LEN = 16 };

static int tag_of(
	const struct esp_suite *suite, const uint8_t *keymat, uint32_t payload_len, uint32_t sequence, uint64_t tag[2])
{
	static const uint8_t payload[ROOM], iv[8];
	uint8_t esp[ROOM + 64];
	int len = payload_len <= ROOM ? reference_seal_gcm(suite, keymat, 0, sequence, iv, payload, payload_len, esp)
				      : -EIO;

	if (len < 0)
		return len;
	memcpy(tag, esp + len - TAG_LEN, TAG_LEN);
	return 0;
}

/* The differences of all values of a byte are sums of those of its bits. */
static void byte_fill(uint64_t byte[256][2], uint64_t bits[8][2])
{
	memset(byte[0], 0, sizeof(byte[0]));
	for (int value = 1; value < 256; value++) {
		int bit = __builtin_ctz((unsigned int)value), rest = value & (value - 1);

		byte[value][0] = byte[rest][0] ^ bits[bit][0];
		byte[value][1] = byte[rest][1] ^ bits[bit][1];
	}
}

static int patch_check(const struct patch *patch, const struct esp_suite *suite, const uint8_t *keymat,
	uint32_t payload_len, const uint64_t zero[2])
{
	static const uint32_t sequence = 0x9a3c57e1;
	uint64_t sealed[2], patched[2] = {zero[0], zero[1]};
	int rc = tag_of(suite, keymat, payload_len, sequence, sealed);

	patch_apply(patch, sequence, (uint8_t *)patched);
	if (rc == 0 && memcmp(patched, sealed, sizeof(sealed)) != 0)
		rc = -EDOM;
	return rc;
}

int patch_make(struct patch *patch, const struct esp_suite *suite, const uint8_t *keymat, uint32_t payload_len)
{
	uint64_t zero[2], bits[8][2];
	int rc = tag_of(suite, keymat, payload_len, 0, zero);

	for (int byte = 0; byte < 4; byte++) {
		for (int bit = 0; rc == 0 && bit < 8; bit++) {
			rc = tag_of(suite, keymat, payload_len, 1u << (8 * byte + bit), bits[bit]);
			bits[bit][0] ^= zero[0];
			bits[bit][1] ^= zero[1];
		}
		if (rc < 0)
			return rc;
		byte_fill(patch->tags[byte], bits);
	}
	return patch_check(patch, suite, keymat, payload_len, zero);
}
