/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto.h"

#include "config/log.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_LEN = 256 };

static const char *crypto_wanted(enum config_crypto crypto)
{
	return crypto == CONFIG_CRYPTO_AUTO ? NULL : config_crypto_names[crypto];
}

struct esp_engine *crypto_engine_new(const struct config_dataplane *config)
{
	return esp_engine_new_configured(crypto_wanted(config->crypto_gcm), crypto_wanted(config->crypto_others));
}

/* Another word behind the others; what has no room is left out. */
static void text_add(char *text, const char *word)
{
	size_t len = strlen(text), word_len = strlen(word);

	if (len + 1 + word_len >= TEXT_LEN)
		return;
	if (len > 0)
		text[len++] = ' ';
	memcpy(text + len, word, word_len + 1);
}

static void crypto_log_lack(const char *setting, enum config_crypto crypto, enum config_crypto last)
{
	char possible[TEXT_LEN] = "";

	if (crypto == CONFIG_CRYPTO_AUTO || esp_engine_can(config_crypto_names[crypto]))
		return;
	for (int other = CONFIG_CRYPTO_AUTO; other <= (int)last; other++)
		if (other == CONFIG_CRYPTO_AUTO || esp_engine_can(config_crypto_names[other]))
			text_add(possible, config_crypto_names[other]);
	log_error("event=start_failed reason=\"%s is %s, for which this processor lacks instructions: choose one of: "
		  "%s\"",
		setting, config_crypto_names[crypto], possible);
}

void crypto_log_refusal(const struct config_dataplane *config)
{
	if (!esp_engine_can("sse")) {
		log_error("event=start_failed reason=\"this processor lacks AES-NI or PCLMULQDQ, without which AES "
			  "would be slow "
			  "and its timing tell the keys: use another one, or let the hypervisor pass these on\"");
		return;
	}
	crypto_log_lack("dataplane.crypto.gcm", config->crypto_gcm, CONFIG_CRYPTO_VAES);
	crypto_log_lack("dataplane.crypto.others", config->crypto_others, CONFIG_CRYPTO_AVX512);
}

/* "vaes 210/400/650": cycles a packet for each of CRYPTO_SIZE_LIST. */
static void crypto_log(const char *suite, const struct crypto_choice *choice)
{
	char measured[TEXT_LEN] = "", one[TEXT_LEN];

	for (uint32_t i = 0; i < choice->n_candidates; i++) {
		const struct crypto_candidate *candidate = &choice->candidates[i];

		snprintf(one, sizeof(one), "%s %.0f/%.0f/%.0f", candidate->name, (double)candidate->cycles[0],
			(double)candidate->cycles[1], (double)candidate->cycles[2]);
		text_add(measured, one);
	}
	log_info("event=crypto suite=%s instructions=%s by=%s cycles=\"%s\"", suite, choice->name,
		choice->configured ? "configuration" : "measurement", measured);
}

void crypto_describe(const struct esp_engine *engine, const struct config *config, struct crypto_choice *choices)
{
	bool used[ESP_SUITE_COUNT] = {false};

	for (size_t i = 0; i < config->n_peers; i++)
		for (uint16_t k = 0; k < config->peers[i].n_esp; k++)
			used[config->peers[i].esp[k]] = true;
	memset(choices, 0, ESP_SUITE_COUNT * sizeof(*choices));
	for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++) {
		if (!used[suite])
			continue;
		esp_engine_describe(engine, suite, &choices[suite]);
		crypto_log(esp_suite_get(suite)->name, &choices[suite]);
	}
}
