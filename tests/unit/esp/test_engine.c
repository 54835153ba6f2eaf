/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's implementations: each that this processor can run agrees with the reference, alone and several in one
 * engine, and the choice between them says what it is.
 */
#include "esp/engine.h"
#include "frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAYLOAD_MAX = 1500, ROOM = 64 };

static const char *const instructions[ARCH_COUNT] = {"sse", "avx", "avx2", "avx512", "vaes"};
static uint8_t payload[PAYLOAD_MAX];

/* A packet for every SA in one burst, sealed, read by the reference, opened. */
static void check_burst(const struct fixture *fixture, size_t payload_len)
{
	enum { COUNT = FIXTURE_SA_COUNT - FIXTURE_SA_FIRST };
	struct esp_packet packets[COUNT];
	struct frame frames[COUNT];
	uint8_t plaintext[PAYLOAD_MAX + ROOM];

	for (int i = 0; i < COUNT; i++) {
		frames[i] = frame_open(&packets[i], fixture, FIXTURE_SA_FIRST + i, payload, payload_len, ROOM, ROOM);
		packets[i].sequence = noise_next();
	}
	assert_int_equal(esp_seal(fixture->engine, packets, COUNT), COUNT);
	for (int i = 0; i < COUNT; i++) {
		struct reference_sa sa = fixture->sas[FIXTURE_SA_FIRST + i];
		size_t plaintext_len;

		sa.high = (uint32_t)(packets[i].sequence >> 32);
		assert_true(reference_decrypt(&sa, packets[i].data, packets[i].len, plaintext, &plaintext_len));
		assert_memory_equal(plaintext, payload, payload_len);
		packets[i].data[packets[i].len - 1] ^= (uint8_t)(i % 5 == 0);
	}
	assert_int_equal(esp_open(fixture->engine, packets, COUNT), COUNT - (COUNT + 4) / 5);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(packets[i].status, i % 5 == 0 ? ESP_BAD_ICV : ESP_OK);
		if (i % 5)
			assert_memory_equal(packets[i].data, payload, payload_len);
		frame_close(&frames[i]);
	}
}

static void check_engine(struct esp_engine *engine)
{
	struct fixture fixture;

	fixture_fill(&fixture, engine);
	for (size_t len = 1; len <= PAYLOAD_MAX; len += len < 200 ? 1 : 61)
		check_burst(&fixture, len);
	fixture_empty(&fixture);
}

/* NULL where the processor can't. */
static struct esp_engine *engine_on(enum arch arch)
{
	struct esp_engine *engine = esp_engine_new_on(instructions[arch]);

	if (!engine)
		assert_int_equal(errno, ENOTSUP);
	return engine;
}

static void each_implementation_agrees_with_openssl(void **state)
{
	(void)state;
	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++) {
		struct esp_engine *engine = engine_on(arch);

		assert_true(engine || arch != ARCH_SSE);
		if (engine)
			check_engine(engine);
	}
}

/* Neighbouring classes on different implementations, so that one burst goes through all of them. */
static void several_implementations_share_a_burst(void **state)
{
	enum arch archs[ARCH_COUNT], gcm;
	unsigned int n_archs = 0, n_gcm;
	struct choice choice;

	(void)state;
	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++) {
		struct esp_engine *engine = engine_on(arch);

		if (engine)
			archs[n_archs++] = arch;
		esp_engine_free(engine);
	}
	n_gcm = n_archs; /* ours, the last of them, is for AES-GCM alone */
	n_archs -= archs[n_archs - 1] == ARCH_VAES;
	for (unsigned int shift = 0; shift < n_gcm; shift++) {
		gcm = archs[shift];
		choice_fix(&choice, ARCH_SSE, gcm);
		for (size_t i = 0; i < CHOICE_CLASSES; i++)
			if (i != choice_class(esp_suite_get(ESP_AES128_GCM)))
				choice.arch[i] = (uint8_t)archs[(i + i / CHOICE_HASHES + shift) % n_archs];
		check_engine(engine_make(&choice));
	}
}

static void all_engines_of_a_process_choose_alike(void **state)
{
	struct esp_engine *a = esp_engine_new(), *b = esp_engine_new();

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_memory_equal(&a->choice, &b->choice, sizeof(a->choice));
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++) {
		unsigned int class = choice_class(esp_suite_get(id));

		assert_in_range(class, 0, CHOICE_CLASSES - 1);
		assert_non_null(engine_manager(a, esp_suite_get(id)));
		assert_true(a->choice.cycles[class][a->choice.arch[class]][0] > 0);
	}
	esp_engine_free(a);
	check_engine(b);
}

static void description_says_what_was_measured(void **state)
{
	struct esp_engine *fixed = esp_engine_new_on("sse");
	unsigned int gcm = choice_class(esp_suite_get(ESP_AES128_GCM));
	struct crypto_choice description;

	(void)state;
	esp_engine_describe(fixed, ESP_AES128_GCM, &description);
	assert_string_equal(description.name, "sse");
	assert_int_equal(description.n_candidates, 0);
	fixed->choice.arch[gcm] = ARCH_VAES;
	fixed->choice.configured[gcm] = true;
	for (size_t i = 0; i < CRYPTO_SIZES; i++) {
		fixed->choice.cycles[gcm][ARCH_AVX2][i] = 100 + i;
		fixed->choice.cycles[gcm][ARCH_VAES][i] = 200 + i;
	}
	esp_engine_describe(fixed, ESP_AES256_GCM, &description);
	assert_string_equal(description.name, "vaes");
	assert_int_equal(description.configured, 1);
	assert_int_equal(description.n_candidates, 2);
	assert_string_equal(description.candidates[0].name, "avx2");
	assert_string_equal(description.candidates[1].name, "vaes");
	assert_true(description.candidates[1].cycles[CRYPTO_SIZES - 1] == 202);
	esp_engine_free(fixed);
}

/* The library's registers are wider than ours there. */
static void with_avx512_the_library_is_chosen(void **state)
{
	const struct esp_suite *suite = esp_suite_get(ESP_AES256_GCM);
	struct choice choice = {0};

	(void)state;
	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++)
		for (size_t i = 0; i < CRYPTO_SIZES; i++)
			choice.cycles[choice_class(suite)][arch][i] = arch == ARCH_VAES ? 50 : 100;
	assert_int_equal(choice_best(&choice, suite, ARCH_AVX512), ARCH_AVX512);
	assert_int_equal(choice_best(&choice, suite, ARCH_AVX2), ARCH_VAES);
}

/* Each size counts alike: what is twice as fast with short packets makes up for a little with the long ones. */
static void cheapest_over_all_sizes_is_chosen(void **state)
{
	struct choice choice = {0};
	float(*cycles)[CRYPTO_SIZES] = choice.cycles[choice_class(esp_suite_get(ESP_AES128_GCM))];
	const struct esp_suite *suite = esp_suite_get(ESP_AES128_GCM);

	(void)state;
	memcpy(cycles[ARCH_AVX], (float[]){100, 400, 1000}, sizeof(cycles[0]));
	memcpy(cycles[ARCH_SSE], (float[]){99, 390, 990}, sizeof(cycles[0]));
	assert_int_equal(choice_best(&choice, suite, ARCH_AVX), ARCH_AVX); /* that little may be noise */
	memcpy(cycles[ARCH_SSE], (float[]){50, 440, 1100}, sizeof(cycles[0]));
	assert_int_equal(choice_best(&choice, suite, ARCH_AVX), ARCH_SSE);
	memcpy(cycles[ARCH_SSE], (float[]){110, 430, 600}, sizeof(cycles[0]));
	assert_int_equal(choice_best(&choice, suite, ARCH_AVX), ARCH_SSE);
	memcpy(cycles[ARCH_SSE], (float[]){150, 430, 900}, sizeof(cycles[0]));
	assert_int_equal(choice_best(&choice, suite, ARCH_AVX), ARCH_AVX);
}

static void unknown_instructions_are_refused(void **state)
{
	static const char *const names[] = {"", "SSE", "avx5", "neon"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		errno = 0;
		assert_null(esp_engine_new_on(names[i]));
		assert_int_equal(errno, ENOTSUP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_implementation_agrees_with_openssl),
		cmocka_unit_test(several_implementations_share_a_burst),
		cmocka_unit_test(all_engines_of_a_process_choose_alike),
		cmocka_unit_test(description_says_what_was_measured),
		cmocka_unit_test(with_avx512_the_library_is_chosen),
		cmocka_unit_test(cheapest_over_all_sizes_is_chosen),
		cmocka_unit_test(unknown_instructions_are_refused),
	};

	noise_fill(payload, sizeof(payload));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
