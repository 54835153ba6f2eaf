/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM of our own against the library's and OpenSSL's. The bytes say how many packets a burst has and, for each one,
 * its suite, numbers, length and what is spoilt before it is opened; the rest is text. Each packet has memory of its
 * own, exactly as long as its room.
 */
#include "../unit/esp/reference.h"
#include "esp/esp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OURS, LIBRARYS, ENGINES, SAS = 6, LEN_MAX = 4096, FRONT = 16, BEHIND = 5 + 16 };

static struct esp_engine *engines[ENGINES];
static struct reference_sa sas[SAS];
static struct esp_key *keys[ENGINES][SAS];

struct pair {
	struct esp_packet packets[ENGINES][ESP_BURST_MAX];
	uint8_t *memory[ENGINES][ESP_BURST_MAX];
	uint8_t bad[ESP_BURST_MAX];
	size_t count;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void start(void)
{
	static const uint32_t suites[] = {ESP_AES128_GCM, ESP_AES192_GCM, ESP_AES256_GCM};
	static const char *const names[ENGINES] = {"vaes", "sse"};

	for (int e = 0; e < ENGINES; e++) {
		engines[e] = esp_engine_new_on(names[e]);
		if (!engines[e]) /* nothing to compare on this processor */
			engines[e] = esp_engine_new_on(names[LIBRARYS]);
		for (int i = 0; i < SAS; i++) {
			sas[i] = (struct reference_sa){.suite = esp_suite_get(suites[i % 3]),
				.spi = 0x1000,
				.extended = i >= 3,
				.keymat = {1, 2, 3}};
			sas[i].keymat[5] = (uint8_t)i;
			keys[e][i] = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
			require(keys[e][i] && esp_key_expand(engines[e], suites[i % 3], i >= 3, sas[i].keymat,
						      esp_suite_keymat_len(sas[i].suite), keys[e][i]) == 0);
		}
	}
}

static void pair_add(struct pair *pair, const uint8_t *order, const uint8_t *text, size_t text_len)
{
	size_t len = (order[0] | order[1] << 8) % LEN_MAX, i = pair->count++, sa = order[2] % SAS;

	pair->bad[i] = order[3];
	for (int e = 0; e < ENGINES; e++) {
		uint8_t *memory = pair->memory[e][i] = malloc(FRONT + len + BEHIND);

		require(memory);
		for (size_t k = 0; k < len; k++)
			memory[FRONT + k] = text_len ? text[k % text_len] : (uint8_t)k;
		pair->packets[e][i] = (struct esp_packet){.key = keys[e][sa],
			.data = memory + FRONT,
			.len = (uint32_t)len,
			.headroom = FRONT,
			.tailroom = BEHIND,
			.spi = sas[sa].spi,
			.sequence = order[4] * UINT64_C(0x123456789) + i,
			.next_header = order[5]};
	}
}

static void pair_compare(const struct pair *pair)
{
	for (size_t i = 0; i < pair->count; i++) {
		const struct esp_packet *ours = &pair->packets[OURS][i], *librarys = &pair->packets[LIBRARYS][i];

		require(ours->status == librarys->status && ours->len == librarys->len);
		require(ours->data - pair->memory[OURS][i] == librarys->data - pair->memory[LIBRARYS][i]);
		require(ours->status != ESP_OK || memcmp(ours->data, librarys->data, ours->len) == 0);
	}
}

static void pair_check_openssl(const struct pair *pair, size_t i)
{
	static uint8_t plaintext[LEN_MAX + BEHIND];
	const struct esp_packet *packet = &pair->packets[OURS][i];
	struct reference_sa sa;
	size_t len;

	for (int k = 0; k < SAS; k++)
		if (packet->key == keys[OURS][k])
			sa = sas[k];
	sa.high = (uint32_t)(packet->sequence >> 32);
	require(reference_decrypt(&sa, packet->data, packet->len, plaintext, &len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { ORDER_LEN = 6 };
	static struct pair pair;
	size_t count;

	if (!engines[OURS])
		start();
	if (size < 1)
		return 0;
	count = data[0] % (ESP_BURST_MAX + 1);
	pair.count = 0;
	for (size_t i = 0, at = 1; i < count && at + ORDER_LEN <= size; i++, at += ORDER_LEN)
		pair_add(&pair, data + at, data + at, size - at);
	for (int e = 0; e < ENGINES; e++)
		require(esp_seal(engines[e], pair.packets[e], pair.count) == pair.count);
	pair_compare(&pair);
	for (size_t i = 0; i < pair.count; i++) {
		pair_check_openssl(&pair, i);
		for (int e = 0; pair.bad[i] % 4 == 1 && e < ENGINES; e++)
			pair.packets[e][i].data[pair.bad[i] * 257u % pair.packets[e][i].len] ^= 0x20;
	}
	for (int e = 0; e < ENGINES; e++)
		esp_open(engines[e], pair.packets[e], pair.count);
	for (size_t i = 0; i < pair.count; i++)
		require((pair.packets[OURS][i].status == ESP_OK) == (pair.bad[i] % 4 != 1));
	pair_compare(&pair);
	for (size_t i = 0; i < pair.count; i++)
		for (int e = 0; e < ENGINES; e++)
			free(pair.memory[e][i]);
	return 0;
}
