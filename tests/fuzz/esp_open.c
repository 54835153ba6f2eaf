/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as ESP packets of every suite at once. The first byte chooses whether the ICV is made right, so that
 * what lies behind it (padding, trailer) sees strangers' bytes too. Each packet has memory of its own, exactly as long.
 */
#include "esp/esp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t keymat[ESP_KEYMAT_MAX] = {7, 1, 7, 2, 7, 3};
static struct esp_engine *engine;
static struct esp_key *keys[ESP_SUITE_COUNT];

static void start(void)
{
	engine = esp_engine_new();
	if (!engine)
		abort();
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++) {
		keys[id] = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
		if (!keys[id] ||
			esp_key_expand(engine, id, keymat, esp_suite_keymat_len(esp_suite_get(id)), keys[id]) < 0)
			abort();
	}
}

/* The CBC suites' ICV over whatever the bytes are. */
static void authenticate(const struct esp_suite *suite, struct esp_packet *packet)
{
	const EVP_MD *hash = suite->auth_key_len == 20 ? EVP_sha1() : EVP_sha256();
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t covered_len;

	if (suite->auth_key_len == 0 || packet->len < suite->icv_len)
		return;
	covered_len = packet->len - suite->icv_len;
	HMAC(hash, keymat + suite->key_len, suite->auth_key_len, packet->data, covered_len, digest, NULL);
	memcpy(packet->data + covered_len, digest, suite->icv_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct esp_packet packets[ESP_SUITE_COUNT - 1];
	uint8_t *memory[ESP_SUITE_COUNT - 1];
	size_t opened, expected = 0;

	if (!engine)
		start();
	if (size < 1)
		return 0;
	for (uint32_t i = 0; i < ESP_SUITE_COUNT - 1; i++) {
		memory[i] = malloc(size); /* one byte more than the packet, never zero */
		if (!memory[i])
			abort();
		memcpy(memory[i], data, size);
		packets[i] =
			(struct esp_packet){.key = keys[i + 1], .data = memory[i] + 1, .len = (uint32_t)(size - 1)};
		if (data[0] & 1)
			authenticate(esp_suite_get(i + 1), &packets[i]);
	}
	opened = esp_open(engine, packets, ESP_SUITE_COUNT - 1);
	for (uint32_t i = 0; i < ESP_SUITE_COUNT - 1; i++) {
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
