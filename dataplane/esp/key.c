/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"

#include "esp/gcm_vaes.h"

#include <errno.h>
#include <string.h>

/* The library makes both schedules; AES-GCM decrypts with that of encryption, too. */
static void key_expand_aes(IMB_MGR *manager, size_t key_len, const uint8_t *aes_key, uint8_t *round_keys)
{
	uint8_t decrypt[15 * 16] __attribute__((aligned(16)));

	switch (key_len) {
	case IMB_KEY_128_BYTES: IMB_AES_KEYEXP_128(manager, aes_key, round_keys, decrypt); break;
	case IMB_KEY_192_BYTES: IMB_AES_KEYEXP_192(manager, aes_key, round_keys, decrypt); break;
	default: IMB_AES_KEYEXP_256(manager, aes_key, round_keys, decrypt); break;
	}
	explicit_bzero(decrypt, sizeof(decrypt));
}

int esp_key_expand(struct esp_engine *engine, uint32_t suite_id, bool extended, const uint8_t *keymat,
	size_t keymat_len, struct esp_key *key)
{
	const struct esp_suite *suite = esp_suite_get(suite_id);
	IMB_MGR *manager;
	enum arch arch;

	if (!suite || keymat_len != esp_suite_keymat_len(suite))
		return -EINVAL;
	manager = engine_manager(engine, suite);
	memset(key, 0, esp_key_size());
	key->suite = (uint8_t)suite_id;
	key->extended = extended;
	key->rounds = (uint8_t)(suite->key_len / 4 + 6); /* FIPS 197 section 5 */
	key->front_len = (uint8_t)esp_front_len(suite);
	key->iv_len = suite->iv_len;
	key->icv_len = suite->icv_len;
	key->block_mask = (uint8_t)(suite->block_len - 1);
	memcpy(key->salt, keymat + suite->key_len, suite->salt_len);
	arch = engine->choice.arch[choice_class(suite)];
	if (arch == ARCH_VAES) {
		key->way = WAY_GCM_VAES;
		key_expand_aes(manager, suite->key_len, keymat, key->gcm_vaes.round_keys[0]);
		gcm_vaes_expand(key);
	} else if (suite->mode == ESP_MODE_GCM) {
		key->way = WAY_GCM;
		gcm_expand(manager, suite, keymat, key);
	} else {
		key->way = (uint8_t)(WAY_JOBS + arch);
		jobs_expand(manager, suite, keymat, key);
	}
	return 0;
}

void esp_key_wipe(struct esp_key *key)
{
	explicit_bzero(key, esp_key_size());
}

const struct esp_suite *esp_key_suite(const struct esp_key *key)
{
	return esp_suite_get(key->suite);
}

void engine_fetch_whole_key(const struct esp_key *key)
{
	size_t len = key->way == WAY_GCM ? esp_key_size() : sizeof(struct job_key);

	for (size_t at = 0; at < len; at += ESP_KEY_ALIGN)
		__builtin_prefetch((const char *)key + at);
}

bool esp_key_extended(const struct esp_key *key)
{
	return key->extended;
}
