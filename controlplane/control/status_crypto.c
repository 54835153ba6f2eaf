/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "tables/suite.h"

/* Text of the other process: as long as its field at most, whatever is in there. */
static json_t *name_of(const char name[CRYPTO_NAME_LEN])
{
	return status_text(name, CRYPTO_NAME_LEN);
}

static json_t *measured(const struct crypto_choice *choice)
{
	static const uint16_t sizes[CRYPTO_SIZES] = CRYPTO_SIZE_LIST;
	json_t *list = json_array();

	for (uint32_t i = 0; i < CRYPTO_CANDIDATES_MAX && i < choice->n_candidates; i++) {
		const struct crypto_candidate *candidate = &choice->candidates[i];
		json_t *cycles = json_object();

		for (size_t k = 0; k < CRYPTO_SIZES; k++) {
			char size[8];

			snprintf(size, sizeof(size), "%u", sizes[k]);
			json_object_set_new(cycles, size, json_real((double)candidate->cycles[k]));
		}
		json_array_append_new(
			list, json_pack("{s:o, s:o}", "instructions", name_of(candidate->name), "cycles", cycles));
	}
	return list;
}

json_t *status_crypto(const struct gateway *gateway)
{
	json_t *list = json_array();

	for (uint32_t id = ESP_SUITE_NONE + 1; gateway->install && id < ESP_SUITE_COUNT; id++) {
		const struct crypto_choice *choice = &gateway->tables->header->crypto[id];

		if (!choice->name[0])
			continue;
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:s, s:o}", "suite", esp_suite_get(id)->name, "instructions",
				      name_of(choice->name), "by", choice->configured ? "configuration" : "measurement",
				      "measured", measured(choice)));
	}
	return json_pack("{s:o, s:o}", "dataplane", status_dataplane(gateway), "suites", list);
}
