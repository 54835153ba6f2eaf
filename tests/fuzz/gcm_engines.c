/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM of our own against the library's and OpenSSL's. The bytes say how many packets a burst has and, for each one,
 * its suite, place, numbers, length and what is spoilt before it is opened; the rest is text. Each packet has memory of
 * its own, exactly as long as its room. All three must say the same of every packet, bad ones too.
 */
#include "../unit/esp/reference.h"
#include "esp/esp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	OURS,
	LIBRARYS,
	ENGINES,
	SAS = 6,
	LEN_MAX = 4096,
	FIRST_LEN_MAX = ESP_LEN_MAX - 64, /* of the first packet of a burst */
	FRONT = 16,
	BEHIND = 5 + 16,
	PLACES = 16,
};

/* What a burst's bytes say about each packet. */
struct order {
	uint8_t len[2];
	uint8_t sa_and_place;
	uint8_t spoil; /* of every four values one: the packet is altered where spoil_at says */
	uint8_t sequence;
	uint8_t next_header;
	uint8_t spoil_at[2];
};

static struct esp_engine *engines[ENGINES];
static struct reference_sa sas[SAS];
static struct esp_key *keys[ENGINES][SAS];

struct pair {
	struct esp_packet packets[ENGINES][ESP_BURST_MAX];
	uint8_t *memory[ENGINES][ESP_BURST_MAX];
	uint8_t *texts[ESP_BURST_MAX];
	struct order orders[ESP_BURST_MAX];
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

static unsigned int pair_number(const uint8_t bytes[2])
{
	return bytes[0] | (unsigned int)bytes[1] << 8;
}

static uint8_t *pair_text(const uint8_t *bytes, size_t n_bytes, size_t len)
{
	uint8_t *text = calloc(1, len + 1);

	require(text);
	for (size_t at = 0; n_bytes && at < len; at += n_bytes)
		memcpy(text + at, bytes, len - at < n_bytes ? len - at : n_bytes);
	return text;
}

static void pair_add(struct pair *pair, const struct order *order, const uint8_t *bytes, size_t n_bytes)
{
	size_t i = pair->count++, len = pair_number(order->len) % (i == 0 ? FIRST_LEN_MAX : LEN_MAX);
	size_t sa = order->sa_and_place % SAS, place = order->sa_and_place / SAS % PLACES;

	pair->orders[i] = *order;
	pair->texts[i] = pair_text(bytes, n_bytes, len);
	for (int e = 0; e < ENGINES; e++) {
		uint8_t *memory = pair->memory[e][i] = malloc(place + FRONT + len + BEHIND);

		require(memory);
		memcpy(memory + place + FRONT, pair->texts[i], len);
		pair->packets[e][i] = (struct esp_packet){.key = keys[e][sa],
			.data = memory + place + FRONT,
			.len = (uint32_t)len,
			.headroom = FRONT,
			.tailroom = BEHIND,
			.spi = sas[sa].spi,
			.sequence = order->sequence * UINT64_C(0x123456789) + i,
			.next_header = order->next_header};
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

/* Is a sealed packet authentic for OpenSSL, and then the text that it was? */
static bool pair_openssl_opens(const struct pair *pair, size_t i)
{
	static uint8_t plaintext[FIRST_LEN_MAX + BEHIND];
	const struct esp_packet *packet = &pair->packets[OURS][i];
	struct reference_sa sa = sas[pair->orders[i].sa_and_place % SAS];
	size_t len, text_len = pair_number(pair->orders[i].len) % (i == 0 ? FIRST_LEN_MAX : LEN_MAX);

	sa.high = (uint32_t)(packet->sequence >> 32);
	if (!reference_decrypt(&sa, packet->data, packet->len, plaintext, &len))
		return false;
	require(len >= text_len && memcmp(plaintext, pair->texts[i], text_len) == 0);
	return true;
}

/* Seals with both, compares with OpenSSL, alters some, opens with both: what OpenSSL opens and nothing else is opened. */
static void pair_check(struct pair *pair)
{
	bool authentic[ESP_BURST_MAX];

	for (int e = 0; e < ENGINES; e++)
		require(esp_seal(engines[e], pair->packets[e], pair->count) == pair->count);
	pair_compare(pair);
	for (size_t i = 0; i < pair->count; i++) {
		const struct order *order = &pair->orders[i];

		require(pair_openssl_opens(pair, i));
		for (int e = 0; order->spoil % 4 == 1 && e < ENGINES; e++)
			pair->packets[e][i].data[pair_number(order->spoil_at) % pair->packets[e][i].len] ^=
				(uint8_t)(1 << order->spoil / 4 % 8);
		authentic[i] = order->spoil % 4 != 1 || pair_openssl_opens(pair, i);
	}
	for (int e = 0; e < ENGINES; e++)
		esp_open(engines[e], pair->packets[e], pair->count);
	for (size_t i = 0; i < pair->count; i++)
		require((pair->packets[OURS][i].status == ESP_OK) == authentic[i]);
	pair_compare(pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair pair;
	struct order order;
	size_t count;

	if (!engines[OURS])
		start();
	if (size < 1)
		return 0;
	count = data[0] % (ESP_BURST_MAX + 1);
	pair.count = 0;
	for (size_t i = 0, at = 1; i < count && at + sizeof(order) <= size; i++, at += sizeof(order)) {
		memcpy(&order, data + at, sizeof(order));
		pair_add(&pair, &order, data + at, size - at);
	}
	pair_check(&pair);
	for (size_t i = 0; i < pair.count; i++) {
		free(pair.texts[i]);
		for (int e = 0; e < ENGINES; e++)
			free(pair.memory[e][i]);
	}
	return 0;
}
