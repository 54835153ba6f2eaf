/* SPDX-License-Identifier: Apache-2.0 */
/* Keys are expanded, refused and wiped; sizes and names that callers rely on. */
#include "frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void size_suits_arrays_of_keys(void **state)
{
	(void)state;
	assert_true(esp_key_size() > 0);
	assert_int_equal(esp_key_size() % ESP_KEY_ALIGN, 0);
}

static void wrong_suite_or_length_is_refused(void **state)
{
	const struct fixture *fixture = *state;
	struct esp_key *key = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
	uint8_t keymat[ESP_KEYMAT_MAX + 1] = {1};

	assert_non_null(key);
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++) {
		size_t right_len = esp_suite_keymat_len(esp_suite_get(id));

		for (size_t len = 0; len <= sizeof(keymat); len++)
			assert_int_equal(esp_key_expand(fixture->engine, id, len % 2, keymat, len, key),
				len == right_len ? 0 : -EINVAL);
		assert_ptr_equal(esp_key_suite(key), esp_suite_get(id));
	}
	assert_int_equal(esp_key_expand(fixture->engine, ESP_SUITE_NONE, false, keymat, 20, key), -EINVAL);
	assert_int_equal(esp_key_expand(fixture->engine, ESP_SUITE_COUNT, false, keymat, 20, key), -EINVAL);
	assert_int_equal(esp_key_expand(fixture->engine, UINT32_MAX, false, keymat, 20, key), -EINVAL);
	free(key);
}

/* A slot that held a long key and takes a short one keeps nothing of the old; equal keys are equal bytes. */
static void slot_is_used_again_clean(void **state)
{
	const struct fixture *fixture = *state;
	struct esp_key *used = fixture_make_key(
		fixture->engine, &fixture->sas[FIXTURE_SA_EXTENDED - FIXTURE_SA_FIRST + ESP_AES256_GCM]);
	const struct reference_sa *next = &fixture->sas[ESP_AES128_CBC_SHA1_96];

	assert_int_equal(esp_key_expand(fixture->engine, ESP_AES128_CBC_SHA1_96, false, next->keymat,
				 esp_suite_keymat_len(next->suite), used),
		0);
	assert_memory_equal(used, fixture->keys[ESP_AES128_CBC_SHA1_96], esp_key_size());
	free(used);
}

static void wipe_leaves_nothing(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t *zeros = calloc(1, esp_key_size());

	assert_non_null(zeros);
	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		struct esp_key *key = fixture_make_key(fixture->engine, &fixture->sas[id]);

		assert_memory_not_equal(key, zeros, esp_key_size());
		esp_key_wipe(key);
		assert_memory_equal(key, zeros, esp_key_size());
		assert_null(esp_key_suite(key));
		free(key);
	}
	free(zeros);
}

static void kind_of_number_is_kept(void **state)
{
	const struct fixture *fixture = *state;

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++)
		assert_int_equal(esp_key_extended(fixture->keys[id]), id >= FIXTURE_SA_EXTENDED);
}

/* The longest key material is no longer and no shorter than what callers make room for. */
static void keymat_max_is_exact(void **state)
{
	size_t longest = 0;

	(void)state;
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++) {
		size_t len = esp_suite_keymat_len(esp_suite_get(id));

		longest = len > longest ? len : longest;
		assert_int_equal(esp_suite_find(esp_suite_get(id)->name), id);
	}
	assert_int_equal(longest, ESP_KEYMAT_MAX);
}

static void overhead_is_what_the_rfcs_add_up_to(void **state)
{
	const struct esp_suite *gcm = esp_suite_get(ESP_AES128_GCM);
	const struct esp_suite *sha1 = esp_suite_get(ESP_AES128_CBC_SHA1_96);
	const struct esp_suite *sha256 = esp_suite_get(ESP_AES256_CBC_SHA256_128);
	const struct esp_suite *ctr = esp_suite_get(ESP_AES192_CTR_SHA384_192);
	const struct esp_suite *null = esp_suite_get(ESP_NULL_SHA512_256);

	(void)state;
	assert_int_equal(esp_front_len(gcm), 16);
	assert_int_equal(esp_front_len(sha1), 24);
	assert_int_equal(esp_overhead(gcm, 0), 8 + 8 + 2 + 2 + 16);
	assert_int_equal(esp_overhead(gcm, 2), 8 + 8 + 0 + 2 + 16);
	assert_int_equal(esp_overhead(gcm, 1500), 8 + 8 + 2 + 2 + 16);
	assert_int_equal(esp_overhead(sha1, 14), 8 + 16 + 0 + 2 + 12);
	assert_int_equal(esp_overhead(sha1, 15), 8 + 16 + 15 + 2 + 12);
	assert_int_equal(esp_overhead(sha256, 1500), 8 + 16 + 2 + 2 + 16);
	assert_int_equal(esp_overhead(ctr, 1500), 8 + 8 + 2 + 2 + 24);
	assert_int_equal(esp_front_len(null), 8);
	assert_int_equal(esp_overhead(null, 1501), 8 + 1 + 2 + 32);
}

static void every_status_has_its_name(void **state)
{
	(void)state;
	for (int a = ESP_OK; a <= ESP_FAILED; a++) {
		assert_string_not_equal(esp_status_name((enum esp_status)a), "unknown");
		for (int b = ESP_OK; b < a; b++)
			assert_string_not_equal(
				esp_status_name((enum esp_status)a), esp_status_name((enum esp_status)b));
	}
	assert_string_equal(esp_status_name((enum esp_status)(ESP_FAILED + 1)), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_suits_arrays_of_keys),
		cmocka_unit_test(wrong_suite_or_length_is_refused),
		cmocka_unit_test(slot_is_used_again_clean),
		cmocka_unit_test(wipe_leaves_nothing),
		cmocka_unit_test(kind_of_number_is_kept),
		cmocka_unit_test(keymat_max_is_exact),
		cmocka_unit_test(overhead_is_what_the_rfcs_add_up_to),
		cmocka_unit_test(every_status_has_its_name),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
