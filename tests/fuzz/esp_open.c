/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as ESP packets of every suite at once, with 32-bit and with extended numbers (of the high half 0).
 * The first byte chooses whether the ICV is made right, so that what lies behind it (padding, trailer) sees strangers'
 * bytes too. Each packet has memory of its own, exactly as long.
 */
#include "esp/esp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SUITES = ESP_SUITE_COUNT - 1, KEYS = 2 * SUITES };
_Static_assert(KEYS <= ESP_BURST_MAX, "all of them are one burst");

static const uint8_t keymat[ESP_KEYMAT_MAX] = {7, 1, 7, 2, 7, 3};
static struct esp_engine *engine;
static struct esp_key *keys[KEYS];

static void start(void)
{
	engine = esp_engine_new();
	if (!engine)
		abort();
	for (uint32_t i = 0; i < KEYS; i++) {
		uint32_t id = 1 + i % SUITES;

		keys[i] = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
		if (!keys[i] || esp_key_expand(engine, id, i >= SUITES, keymat, esp_suite_keymat_len(esp_suite_get(id)),
					keys[i]) < 0)
			abort();
	}
}

/* The HMAC suites' ICV over whatever the bytes are. */
static void authenticate(const struct esp_packet *packet)
{
	static const char *const hashes[ESP_INTEGRITY_COUNT] = {[ESP_INTEGRITY_SHA1_96] = "SHA1",
		[ESP_INTEGRITY_SHA256_128] = "SHA256",
		[ESP_INTEGRITY_SHA384_192] = "SHA384",
		[ESP_INTEGRITY_SHA512_256] = "SHA512"};
	const struct esp_suite *suite = esp_key_suite(packet->key);
	uint8_t digest[EVP_MAX_MD_SIZE], *icv;

	if (esp_suite_is_combined(suite) || packet->len < suite->icv_len)
		return;
	icv = packet->data + packet->len - suite->icv_len;
	memset(icv, 0, 4); /* the high half, RFC 4303 section 2.2.1 */
	HMAC(EVP_get_digestbyname(hashes[suite->integrity]), keymat + suite->key_len + suite->salt_len,
		suite->auth_key_len, packet->data,
		packet->len - suite->icv_len + (esp_key_extended(packet->key) ? 4u : 0u), digest, NULL);
	memcpy(icv, digest, suite->icv_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct esp_packet packets[KEYS];
	uint8_t *memory[KEYS];
	size_t opened, expected = 0;

	if (!engine)
		start();
	if (size < 1)
		return 0;
	for (uint32_t i = 0; i < KEYS; i++) {
		memory[i] = malloc(size); /* one byte more than the packet, never zero */
		if (!memory[i])
			abort();
		memcpy(memory[i], data, size);
		packets[i] = (struct esp_packet){.key = keys[i], .data = memory[i] + 1, .len = (uint32_t)(size - 1)};
		if (data[0] & 1)
			authenticate(&packets[i]);
	}
	opened = esp_open(engine, packets, KEYS);
	for (uint32_t i = 0; i < KEYS; i++) {
		if (packets[i].status == ESP_OK) {
			expected++;
			if (packets[i].data < memory[i] || packets[i].data + packets[i].len > memory[i] + size)
				abort();
		}
		free(memory[i]);
	}
	if (opened != expected)
		abort();
	return 0;
}
