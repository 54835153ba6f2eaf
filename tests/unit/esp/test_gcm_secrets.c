/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM of our own takes no branch and computes no address that depends on key or text: ctgrind's way. valgrind
 * follows memory that it holds for undefined through all that is computed from it, and complains when a branch or an
 * address depends on that. So keys and texts are declared undefined. What it runs is the engine's source on 128-bit
 * instructions (narrow.h). The one thing that becomes public is whether a packet's ICV is right.
 *
 * The program runs itself under valgrind: first with leaks planted, which must be seen, then as it is.
 */
#include "esp/engine.h"
#include "esp/gcm_vaes.h"
#include "frame.h"
#include "narrow.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>

enum { FRAME_HEAD = 16, FRAME_TAIL = 16, ROOM = 4096, KEYS = 6, COMPLAINED = 9, WRONG = 10 };

static char *program;

static void require(bool condition)
{
	if (!condition)
		exit(WRONG);
}

/* --- under valgrind ------------------------------------------------------------------------------------------------*/

static void keys_make(struct esp_key *keys[KEYS])
{
	static const uint32_t suites[] = {ESP_AES128_GCM, ESP_AES192_GCM, ESP_AES256_GCM};
	struct esp_engine *engine = esp_engine_new_on("vaes");
	uint8_t keymat[ESP_KEYMAT_MAX];

	require(engine);
	for (size_t i = 0; i < KEYS; i++) {
		keys[i] = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
		require(keys[i]);
		noise_fill(keymat, sizeof(keymat));
		VALGRIND_MAKE_MEM_UNDEFINED(keymat, sizeof(keymat));
		require(esp_key_expand(engine, suites[i % 3], i >= 3, keymat,
				esp_suite_keymat_len(esp_suite_get(suites[i % 3])), keys[i]) == 0);
		require(keys[i]->way == WAY_GCM_VAES);
	}
	esp_engine_free(engine);
}

/* Of all that follows from a secret not a bit is known: else a leak of it would not be seen. */
static void require_secret(const void *bytes, size_t len)
{
	static uint8_t undefined[ROOM];

	require(VALGRIND_GET_VBITS(bytes, undefined, len) == 1);
	for (size_t i = 0; i < len; i++)
		require(undefined[i] == 0xff);
}

struct burst {
	struct engine_batch batch;
	struct esp_packet packets[ESP_BURST_MAX];
	uint8_t memory[ESP_BURST_MAX][ROOM], texts[ESP_BURST_MAX][ROOM];
};

static void burst_fill(struct burst *burst, struct esp_key *keys[KEYS], size_t first_len, size_t step)
{
	burst->batch.count = ESP_BURST_MAX;
	for (size_t i = 0; i < ESP_BURST_MAX; i++) {
		size_t text_len = first_len + i * step;

		require(text_len + FRAME_HEAD + FRAME_TAIL <= ROOM);
		noise_fill(burst->memory[i], FRAME_HEAD);
		noise_fill(burst->texts[i], text_len);
		VALGRIND_MAKE_MEM_UNDEFINED(burst->texts[i], text_len);
		memcpy(burst->memory[i] + FRAME_HEAD, burst->texts[i], text_len);
		burst->packets[i] = (struct esp_packet){.key = keys[i * 7 % KEYS],
			.data = burst->memory[i],
			.len = (uint32_t)(FRAME_HEAD + text_len + FRAME_TAIL),
			.sequence = noise_next()};
		burst->batch.packets[i] = &burst->packets[i];
	}
}

/* Seals, opens, every third one with an ICV that is wrong. */
static void burst_check(struct burst *burst)
{
	gcm_vaes_seal(&burst->batch);
	for (size_t i = 0; i < burst->batch.count; i++) {
		uint8_t *text = burst->packets[i].data + FRAME_HEAD;
		size_t rest_len = burst->packets[i].len - FRAME_HEAD;

		require(burst->packets[i].status == ESP_OK);
		require_secret(text, rest_len);
		text[rest_len - 1] ^= (uint8_t)(i % 3 == 0);
	}
	gcm_vaes_open(&burst->batch);
	for (size_t i = 0; i < burst->batch.count; i++) {
		uint8_t *text = burst->packets[i].data + FRAME_HEAD;
		size_t text_len = burst->packets[i].len - FRAME_HEAD - FRAME_TAIL;

		require(burst->packets[i].status == (i % 3 ? ESP_OK : ESP_BAD_ICV));
		require_secret(text, text_len);
		VALGRIND_MAKE_MEM_DEFINED(text, text_len);
		VALGRIND_MAKE_MEM_DEFINED(burst->texts[i], text_len);
		require(memcmp(text, burst->texts[i], text_len) == 0);
	}
}

/* Each number of blocks and each length of the last one, within and behind chunks. */
static void work_on_secrets(void)
{
	static const size_t bursts[][2] = {
		{0, 1}, {64, 1}, {128, 1}, {192, 1}, {256, 1}, {320, 16}, {330, 17}, {1500, 39}};
	static struct burst burst;
	struct esp_key *keys[KEYS];
	unsigned long verdicts = 0;

	keys_make(keys);
	for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
		burst_fill(&burst, keys, bursts[i][0], bursts[i][1]);
		burst_check(&burst);
		verdicts += burst.batch.count;
	}
	/* Nothing else was made public. */
	require(narrow_verdicts == verdicts);
	for (size_t i = 0; i < KEYS; i++)
		free(keys[i]);
}

/* --- the program that starts it ------------------------------------------------------------------------------------*/

/* What that program's exit status is; -1 when there is no such program. */
static int run(char *const arguments[])
{
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, arguments[0], NULL, NULL, arguments, environ) != 0)
		return -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int watch(enum narrow_leak leak)
{
	char number[12];
	bool planted = leak != NARROW_NO_LEAK;
	char *log = planted ? "--log-file=/dev/null" : "--log-fd=2";
	char *first = planted ? "--exit-on-first-error=yes" : "--exit-on-first-error=no";

	snprintf(number, sizeof(number), "%d", leak);
	return run((char *[]){"valgrind", "--quiet", log, first, "--error-exitcode=9", program, number, NULL});
}

static void planted_branches_are_seen(void **state)
{
	(void)state;
	assert_int_equal(watch(NARROW_BRANCH_ON_STATE), COMPLAINED);
	assert_int_equal(watch(NARROW_BRANCH_ON_FACTOR), COMPLAINED);
}

static void planted_indices_are_seen(void **state)
{
	(void)state;
	assert_int_equal(watch(NARROW_INDEX_BY_STATE), COMPLAINED);
	assert_int_equal(watch(NARROW_INDEX_BY_FACTOR), COMPLAINED);
}

static void verdict_that_is_not_made_public_is_seen(void **state)
{
	(void)state;
	assert_int_equal(watch(NARROW_VERDICT), COMPLAINED);
}

static void no_branch_or_address_depends_on_secrets(void **state)
{
	(void)state;
	assert_int_equal(watch(NARROW_NO_LEAK), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_branches_are_seen),
		cmocka_unit_test(planted_indices_are_seen),
		cmocka_unit_test(verdict_that_is_not_made_public_is_seen),
		cmocka_unit_test(no_branch_or_address_depends_on_secrets),
	};

	if (argc == 2) {
		narrow_leak = (enum narrow_leak)atoi(argv[1]);
		work_on_secrets();
		return 0;
	}
	program = argv[0];
	if (run((char *[]){"valgrind", "--version", NULL}) < 0) {
		puts("skipped: valgrind is not installed, tests/packages installs it");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	puts("skipped: valgrind is not installed, tests/packages installs it");
	return 77;
}

#endif
