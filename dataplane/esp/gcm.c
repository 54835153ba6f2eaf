/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM in ESP (RFC 4106): one call of the library a packet, which is parallel inside the packet already. */
#include "esp/engine.h"
#include "esp/layout.h"

#include <string.h>

void gcm_expand(IMB_MGR *manager, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key)
{
	switch (suite->key_len) {
	case IMB_KEY_128_BYTES: IMB_AES128_GCM_PRE(manager, keymat, &key->gcm.data); break;
	case IMB_KEY_192_BYTES: IMB_AES192_GCM_PRE(manager, keymat, &key->gcm.data); break;
	default: IMB_AES256_GCM_PRE(manager, keymat, &key->gcm.data); break;
	}
}

static aes_gcm_enc_dec_t gcm_encryption(const IMB_MGR *manager, const struct esp_suite *suite)
{
	switch (suite->key_len) {
	case IMB_KEY_128_BYTES: return manager->gcm128_enc;
	case IMB_KEY_192_BYTES: return manager->gcm192_enc;
	default: return manager->gcm256_enc;
	}
}

static aes_gcm_enc_dec_t gcm_decryption(const IMB_MGR *manager, const struct esp_suite *suite)
{
	switch (suite->key_len) {
	case IMB_KEY_128_BYTES: return manager->gcm128_dec;
	case IMB_KEY_192_BYTES: return manager->gcm192_dec;
	default: return manager->gcm256_dec;
	}
}

static void gcm_work(struct esp_engine *engine, aes_gcm_enc_dec_t crypt, const struct esp_packet *packet,
	const struct layout *layout, uint8_t *tag)
{
	uint8_t nonce[NONCE_LEN], aad[AAD_MAX];
	size_t aad_len = engine_make_aad(packet, aad);

	engine_make_nonce(packet->key, layout->iv, nonce);
	crypt(&packet->key->gcm.data, &engine->gcm, layout->ciphertext, layout->ciphertext, layout->ciphertext_len, nonce,
		aad, aad_len, tag, esp_key_suite(packet->key)->icv_len);
}

void gcm_seal(struct esp_engine *engine, const struct engine_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct esp_packet *packet = batch->packets[i];
		const struct esp_suite *suite = esp_key_suite(packet->key);
		struct layout layout = layout_of(packet);

		engine_batch_fetch(batch, i);
		gcm_work(engine, gcm_encryption(engine_manager(engine, suite), suite), packet, &layout, layout.icv);
		packet->status = ESP_OK;
	}
}

void gcm_open(struct esp_engine *engine, const struct engine_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct esp_packet *packet = batch->packets[i];
		const struct esp_suite *suite = esp_key_suite(packet->key);
		struct layout layout = layout_of(packet);
		uint8_t tag[ICV_MAX];

		engine_batch_fetch(batch, i);
		gcm_work(engine, gcm_decryption(engine_manager(engine, suite), suite), packet, &layout, tag);
		packet->status = engine_icv_equal(tag, layout.icv, suite->icv_len) ? ESP_OK : ESP_BAD_ICV;
	}
}
