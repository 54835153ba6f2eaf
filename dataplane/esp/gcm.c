/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM in ESP (RFC 4106): one call of the library a packet, which is parallel inside the packet already. */
#include "esp/engine.h"
#include "esp/layout.h"

#include <string.h>

enum { GCM_NONCE_LEN = 12, GCM_KEY_256 = 32 };

void gcm_expand(struct esp_engine *engine, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key)
{
	if (suite->key_len == GCM_KEY_256)
		IMB_AES256_GCM_PRE(engine->manager, keymat, &key->gcm);
	else
		IMB_AES128_GCM_PRE(engine->manager, keymat, &key->gcm);
	memcpy(key->salt, keymat + suite->key_len, suite->salt_len);
}

/* RFC 4106 section 4: salt, then the explicit IV. */
static void gcm_make_nonce(const struct esp_key *key, const uint8_t *iv, uint8_t *nonce)
{
	memcpy(nonce, key->salt, sizeof(key->salt));
	memcpy(nonce + sizeof(key->salt), iv, GCM_NONCE_LEN - sizeof(key->salt));
}

/* The additional data are SPI and sequence number as they stand in the packet (RFC 4106 section 5). */
static void gcm_seal_one(struct esp_engine *engine, struct esp_packet *packet)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	struct layout layout = layout_of(packet, suite);
	uint8_t nonce[GCM_NONCE_LEN];

	gcm_make_nonce(packet->key, layout.iv, nonce);
	if (suite->key_len == GCM_KEY_256)
		IMB_AES256_GCM_ENC(engine->manager, &packet->key->gcm, &engine->gcm, layout.ciphertext,
			layout.ciphertext, layout.ciphertext_len, nonce, packet->data, ESP_HDR_LEN, layout.icv,
			suite->icv_len);
	else
		IMB_AES128_GCM_ENC(engine->manager, &packet->key->gcm, &engine->gcm, layout.ciphertext,
			layout.ciphertext, layout.ciphertext_len, nonce, packet->data, ESP_HDR_LEN, layout.icv,
			suite->icv_len);
	packet->status = ESP_OK;
}

static void gcm_open_one(struct esp_engine *engine, struct esp_packet *packet)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	struct layout layout = layout_of(packet, suite);
	uint8_t nonce[GCM_NONCE_LEN], *tag = engine->tags[0];

	gcm_make_nonce(packet->key, layout.iv, nonce);
	if (suite->key_len == GCM_KEY_256)
		IMB_AES256_GCM_DEC(engine->manager, &packet->key->gcm, &engine->gcm, layout.ciphertext,
			layout.ciphertext, layout.ciphertext_len, nonce, packet->data, ESP_HDR_LEN, tag,
			suite->icv_len);
	else
		IMB_AES128_GCM_DEC(engine->manager, &packet->key->gcm, &engine->gcm, layout.ciphertext,
			layout.ciphertext, layout.ciphertext_len, nonce, packet->data, ESP_HDR_LEN, tag,
			suite->icv_len);
	packet->status = engine_icv_equal(tag, layout.icv, suite->icv_len) ? ESP_OK : ESP_BAD_ICV;
}

void gcm_seal(struct esp_engine *engine, const struct engine_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		gcm_seal_one(engine, batch->packets[i]);
}

void gcm_open(struct esp_engine *engine, const struct engine_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		gcm_open_one(engine, batch->packets[i]);
}
