/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration's choice of instructions: what it asks for is made, what the processor lacks is refused in words.
 */
#include "crypto.h"

#include "config/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct config_peer peer = {.esp = {ESP_AES256_GCM, ESP_AES128_CBC_SHA256_128}, .n_esp = 2};
static struct config config = {.peers = &peer, .n_peers = 1};
static struct crypto_choice choices[ESP_SUITE_COUNT];

static bool possible(int crypto)
{
	return crypto == CONFIG_CRYPTO_AUTO || esp_engine_can(config_crypto_names[crypto]);
}

/* Whatever `config` says: what each suite then has. */
static void describe(void)
{
	struct esp_engine *engine = crypto_engine_new(&config.dataplane);

	assert_non_null(engine);
	crypto_describe(engine, &config, choices);
	esp_engine_free(engine);
}

static void only_suites_of_peers_are_described(void **state)
{
	(void)state;
	config.dataplane = (struct config_dataplane){0};
	describe();
	for (uint32_t suite = 0; suite < ESP_SUITE_COUNT; suite++)
		assert_int_equal(
			choices[suite].name[0] != 0, suite == ESP_AES256_GCM || suite == ESP_AES128_CBC_SHA256_128);
}

/* Every size of every implementation has a figure, and what was chosen is among them. */
static void measurement_is_told(void **state)
{
	const struct crypto_choice *gcm = &choices[ESP_AES256_GCM];
	bool found = false;

	(void)state;
	config.dataplane = (struct config_dataplane){0};
	describe();
	assert_int_equal(gcm->configured, 0);
	assert_in_range(gcm->n_candidates, 1, CRYPTO_CANDIDATES_MAX);
	for (uint32_t i = 0; i < gcm->n_candidates; i++) {
		for (size_t k = 0; k < CRYPTO_SIZES; k++)
			assert_true(gcm->candidates[i].cycles[k] > 0);
		assert_true(esp_engine_can(gcm->candidates[i].name));
		found = found || strcmp(gcm->candidates[i].name, gcm->name) == 0;
	}
	assert_true(found);
}

static void what_the_processor_has_is_used(void **state)
{
	(void)state;
	for (int gcm = CONFIG_CRYPTO_SSE; gcm <= CONFIG_CRYPTO_VAES; gcm++)
		for (int others = CONFIG_CRYPTO_SSE; others <= CONFIG_CRYPTO_AVX512; others++) {
			if (!possible(gcm) || !possible(others))
				continue;
			config.dataplane = (struct config_dataplane){.crypto_gcm = gcm, .crypto_others = others};
			describe();
			assert_string_equal(choices[ESP_AES256_GCM].name, config_crypto_names[gcm]);
			assert_string_equal(choices[ESP_AES128_CBC_SHA256_128].name, config_crypto_names[others]);
			assert_int_equal(choices[ESP_AES256_GCM].configured, 1);
		}
}

static void one_half_may_be_measured(void **state)
{
	(void)state;
	config.dataplane = (struct config_dataplane){.crypto_others = CONFIG_CRYPTO_SSE};
	describe();
	assert_int_equal(choices[ESP_AES256_GCM].configured, 0);
	assert_int_equal(choices[ESP_AES128_CBC_SHA256_128].configured, 1);
	assert_string_equal(choices[ESP_AES128_CBC_SHA256_128].name, "sse");
}

/* Standard error of crypto_log_refusal. */
static char *refusal(char *text, size_t len)
{
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	size_t got;

	assert_non_null(file);
	fflush(stderr);
	dup2(fileno(file), STDERR_FILENO);
	crypto_log_refusal(&config.dataplane);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(file);
	got = fread(text, 1, len - 1, file);
	text[got] = 0;
	fclose(file);
	return text;
}

static void what_it_lacks_is_refused(void **state)
{
	char text[1024], what[64];

	(void)state;
	for (int crypto = CONFIG_CRYPTO_SSE; crypto <= CONFIG_CRYPTO_VAES; crypto++) {
		if (possible(crypto))
			continue;
		config.dataplane = (struct config_dataplane){.crypto_gcm = crypto};
		errno = 0;
		assert_null(crypto_engine_new(&config.dataplane));
		assert_int_equal(errno, ENOTSUP);
		snprintf(what, sizeof(what), "dataplane.crypto.gcm is %s,", config_crypto_names[crypto]);
		assert_non_null(strstr(refusal(text, sizeof(text)), what));
		assert_non_null(strstr(text, "choose one of: auto sse"));
	}
}

/* The configuration's reader refuses it first; nothing here may run code that is not there. */
static void ours_is_for_gcm_alone(void **state)
{
	(void)state;
	config.dataplane = (struct config_dataplane){.crypto_others = CONFIG_CRYPTO_VAES};
	errno = 0;
	assert_null(crypto_engine_new(&config.dataplane));
	assert_int_equal(errno, ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_suites_of_peers_are_described),
		cmocka_unit_test(measurement_is_told),
		cmocka_unit_test(what_the_processor_has_is_used),
		cmocka_unit_test(one_half_may_be_measured),
		cmocka_unit_test(what_it_lacks_is_refused),
		cmocka_unit_test(ours_is_for_gcm_alone),
	};

	log_open("test", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
