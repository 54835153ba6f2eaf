/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/suite.h"

#include <string.h>

/* The lengths that suites take from their mode and integrity algorithm, as constants of their names. */
enum {
#define X(mode, salt, iv, block, icv) mode##_SALT = salt, mode##_IV = iv, mode##_BLOCK = block, mode##_ICV = icv,
	ESP_MODES(X)
#undef X
#define X(integrity, key, icv) integrity##_KEY = key, integrity##_ICV = icv,
		ESP_INTEGRITIES(X)
#undef X
};

const struct esp_suite esp_suites[ESP_SUITE_COUNT] = {
#define X(id, name, mode, key_bits, integrity)                                                                         \
	[id] = {name, mode, integrity, key_bits / 8, mode##_SALT, mode##_IV, mode##_BLOCK, integrity##_KEY,            \
		mode##_ICV + integrity##_ICV},
	ESP_SUITES(X)
#undef X
};

enum esp_suite_id esp_suite_find(const char *name)
{
	for (int id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++)
		if (strcmp(esp_suites[id].name, name) == 0)
			return (enum esp_suite_id)id;
	return ESP_SUITE_NONE;
}

size_t esp_suite_keymat_len(const struct esp_suite *suite)
{
	return (size_t)suite->key_len + suite->salt_len + suite->auth_key_len;
}
