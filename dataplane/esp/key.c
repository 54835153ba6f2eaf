/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"

#include <errno.h>
#include <string.h>

size_t esp_key_size(void)
{
	return sizeof(struct esp_key);
}

int esp_key_expand(struct esp_engine *engine, uint32_t suite_id, bool extended, const uint8_t *keymat,
	size_t keymat_len, struct esp_key *key)
{
	const struct esp_suite *suite = esp_suite_get(suite_id);

	if (!suite || keymat_len != esp_suite_keymat_len(suite))
		return -EINVAL;
	memset(key, 0, sizeof(*key));
	key->suite = suite_id;
	key->extended = extended;
	memcpy(key->salt, keymat + suite->key_len, suite->salt_len);
	if (suite->mode == ESP_MODE_GCM)
		gcm_expand(engine_manager(engine, suite), suite, keymat, key);
	else
		jobs_expand(engine_manager(engine, suite), suite, keymat, key);
	return 0;
}

void esp_key_wipe(struct esp_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

const struct esp_suite *esp_key_suite(const struct esp_key *key)
{
	return esp_suite_get(key->suite);
}

bool esp_key_extended(const struct esp_key *key)
{
	return key->extended;
}
