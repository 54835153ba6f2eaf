/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"

#include <errno.h>
#include <string.h>

size_t esp_key_size(void)
{
	return sizeof(struct esp_key);
}

int esp_key_expand(
	struct esp_engine *engine, uint32_t suite_id, const uint8_t *keymat, size_t keymat_len, struct esp_key *key)
{
	const struct esp_suite *suite = esp_suite_get(suite_id);

	if (!suite || keymat_len != esp_suite_keymat_len(suite))
		return -EINVAL;
	memset(key, 0, sizeof(*key));
	key->suite = suite_id;
	if (engine_suite_is_gcm(suite))
		gcm_expand(engine, suite, keymat, key);
	else
		cbc_hmac_expand(engine, suite, keymat, key);
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
