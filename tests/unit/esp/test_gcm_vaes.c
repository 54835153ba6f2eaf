/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM of our own below the layout: texts of any length, not only ESP's multiples of four, in bursts, each packet up
 * against a page that must not be touched, compared byte by byte with OpenSSL.
 */
#include "esp/engine.h"
#include "esp/gcm_vaes.h"
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_MAX = 65535, ROOM = 17 * 4096, PAGE = 4096, SLOT = ROOM + PAGE, FRAME = 32, SUITES = 3 };

static const uint32_t suites[SUITES] = {ESP_AES128_GCM, ESP_AES192_GCM, ESP_AES256_GCM};
static uint8_t text[TEXT_MAX], *slots;

struct burst {
	struct engine_batch batch;
	struct esp_packet packets[ESP_BURST_MAX];
	uint8_t *expected[ESP_BURST_MAX];
};

/* Packets lie in turns right before and right behind a page without access. */
static uint8_t *slot(size_t i, size_t len)
{
	uint8_t *room = slots + PAGE + i * SLOT;

	return i % 2 ? room : room + ROOM - len;
}

static void burst_add(struct burst *burst, const struct fixture *fixture, int id, size_t text_len)
{
	size_t i = burst->batch.count++, len = text_len + FRAME;
	uint64_t sequence = noise_next();
	uint8_t *expected = malloc(len), iv[8];
	struct esp_packet *packet = &burst->packets[i];

	assert_non_null(expected);
	noise_fill(iv, sizeof(iv));
	assert_int_equal(reference_encrypt(&fixture->sas[id], sequence, iv, text, text_len, expected), len);
	*packet = (struct esp_packet){
		.key = fixture->keys[id], .data = slot(i, len), .len = (uint32_t)len, .sequence = sequence};
	memcpy(packet->data, expected, 16);
	memcpy(packet->data + 16, text, text_len);
	noise_fill(packet->data + 16 + text_len, 16);
	burst->batch.packets[i] = packet;
	burst->expected[i] = expected;
}

static void burst_check_seal(const struct burst *burst)
{
	gcm_vaes_seal(&burst->batch);
	for (size_t i = 0; i < burst->batch.count; i++) {
		assert_int_equal(burst->packets[i].status, ESP_OK);
		assert_memory_equal(burst->packets[i].data, burst->expected[i], burst->packets[i].len);
	}
}

/* All but the one at `bad`, if there is one. */
static void burst_check_open(const struct burst *burst, size_t bad)
{
	gcm_vaes_open(&burst->batch);
	for (size_t i = 0; i < burst->batch.count; i++) {
		assert_int_equal(burst->packets[i].status, i == bad ? ESP_BAD_ICV : ESP_OK);
		if (i == bad)
			continue;
		assert_memory_equal(burst->packets[i].data, burst->expected[i], 16);
		assert_memory_equal(burst->packets[i].data + 16, text, burst->packets[i].len - FRAME);
	}
}

static void burst_close(struct burst *burst)
{
	while (burst->batch.count > 0)
		free(burst->expected[--burst->batch.count]);
}

static void burst_check(struct burst *burst)
{
	burst_check_seal(burst);
	burst_check_open(burst, SIZE_MAX);
	burst_close(burst);
}

static int sa_of(size_t i)
{
	return (int)(suites[i % SUITES] + (i / SUITES % 2 ? FIXTURE_SA_EXTENDED - FIXTURE_SA_FIRST : 0));
}

static void every_length_agrees_with_openssl(void **state)
{
	static struct burst burst;

	for (size_t sa = 0; sa < 2 * SUITES; sa++)
		for (size_t first = 0; first <= 2100; first += ESP_BURST_MAX - sa) {
			for (size_t i = 0; i < ESP_BURST_MAX - sa; i++)
				burst_add(&burst, *state, sa_of(sa), first + i);
			burst_check(&burst);
		}
}

static void long_texts_agree_with_openssl(void **state)
{
	static const size_t lens[] = {
		4095, 4096, 8191, 8972, 16383, 16400, 32769, 65279, 65503, 65519, 65520, 65534, 65535};
	static struct burst burst;

	for (size_t sa = 0; sa < 2 * SUITES; sa++) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
			burst_add(&burst, *state, sa_of(sa), lens[i]);
		burst_check(&burst);
	}
}

static void mixed_bursts_agree_with_openssl(void **state)
{
	static struct burst burst;

	for (size_t round = 0; round < 1000; round++) {
		size_t count = noise_next() % (ESP_BURST_MAX + 1), max = round % 2 ? 2000 : 300;

		for (size_t i = 0; i < count; i++)
			burst_add(&burst, *state, sa_of(noise_next()), noise_next() % max);
		burst_check(&burst);
	}
}

static void each_bit_of_the_icv_counts(void **state)
{
	static const size_t lens[] = {0, 1, 16, 68, 132, 209, 210, 225, 240, 241, 512, 1424};
	static struct burst burst;

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		for (size_t bit = 0; bit < 128; bit++) {
			for (size_t k = 0; k < 3; k++)
				burst_add(&burst, *state, sa_of(i + k), lens[i]);
			burst_check_seal(&burst);
			burst.packets[1].data[16 + lens[i] + bit / 8] ^= (uint8_t)(1 << bit % 8);
			burst_check_open(&burst, 1);
			burst_close(&burst);
		}
}

/* Header, text or ICV of the one packet is spoilt, at every position of a burst. */
static void bad_packet_is_bad_alone(void **state)
{
	static struct burst burst;

	for (size_t bad = 0; bad < ESP_BURST_MAX; bad++) {
		for (size_t i = 0; i < ESP_BURST_MAX; i++)
			burst_add(&burst, *state, sa_of(i), i % 4 ? 4 * i : 500);
		burst_check_seal(&burst);
		burst.packets[bad].data[noise_next() % burst.packets[bad].len] ^= 0x10;
		burst_check_open(&burst, bad);
		burst_close(&burst);
	}
}

static int setup(void **state)
{
	struct fixture *fixture = malloc(sizeof(*fixture));
	size_t len = PAGE + (size_t)ESP_BURST_MAX * SLOT;

	slots = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!fixture || slots == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < ESP_BURST_MAX; i++)
		if (mprotect(slots + PAGE + i * SLOT, ROOM, PROT_READ | PROT_WRITE) < 0)
			return -1;
	fixture_fill(fixture, esp_engine_new_on("vaes"));
	*state = fixture;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_agrees_with_openssl),
		cmocka_unit_test(long_texts_agree_with_openssl),
		cmocka_unit_test(mixed_bursts_agree_with_openssl),
		cmocka_unit_test(each_bit_of_the_icv_counts),
		cmocka_unit_test(bad_packet_is_bad_alone),
	};

	if (!gcm_vaes_available())
		return 77; /* meson: skipped */
	noise_fill(text, sizeof(text));
	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
