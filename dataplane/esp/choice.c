/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/choice.h"

#include "esp/engine.h"
#include "esp/gcm_vaes.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

enum { PACKETS = 16, ROUNDS = 3, ROOM_BEFORE = 64, ROOM_BEHIND = 64, PAYLOAD_MAX = 1420 };

static const uint32_t payload_lens[CRYPTO_SIZES] = CRYPTO_SIZE_LIST;

/* Another architecture has to be that much faster than the widest to be preferred: what is less may be noise. */
static const float preferred_below = 0.95f;

struct probe {
	struct esp_key key;
	struct esp_packet packets[PACKETS];
	uint8_t rooms[PACKETS][ROOM_BEFORE + PAYLOAD_MAX + ROOM_BEHIND];
};

void choice_fix(struct choice *choice, enum arch arch, enum arch gcm)
{
	memset(choice, 0, sizeof(*choice));
	memset(choice->arch, arch, sizeof(choice->arch));
	choice->arch[choice_class(esp_suite_get(ESP_AES128_GCM))] = (uint8_t)gcm;
}

void choice_configure(struct choice *choice, enum arch gcm, enum arch others)
{
	unsigned int gcm_class = choice_class(esp_suite_get(ESP_AES128_GCM));

	for (unsigned int class = 0; class < CHOICE_CLASSES; class ++) {
		enum arch arch = class == gcm_class ? gcm : others;

		if (arch == ARCH_COUNT)
			continue;
		choice->arch[class] = (uint8_t)arch;
		choice->configured[class] = true;
	}
}

static void probe_fill(struct probe *probe, uint32_t payload_len)
{
	for (size_t i = 0; i < PACKETS; i++)
		probe->packets[i] = (struct esp_packet){
			.key = &probe->key,
			.data = probe->rooms[i] + ROOM_BEFORE,
			.len = payload_len,
			.headroom = ROOM_BEFORE,
			.tailroom = ROOM_BEHIND,
			.sequence = i + 1,
		};
}

/*
 * Cycles for a packet, the mean of sealing and opening, in the best of a few bursts; FLT_MAX for an implementation that
 * fails.
 */
static float probe_time(struct esp_engine *engine, struct probe *probe, uint32_t payload_len)
{
	uint64_t best = UINT64_MAX;

	probe_fill(probe, payload_len);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t ticks = __rdtsc();

		if (esp_seal(engine, probe->packets, PACKETS) != PACKETS ||
			esp_open(engine, probe->packets, PACKETS) != PACKETS)
			return FLT_MAX;
		ticks = __rdtsc() - ticks;
		best = ticks < best ? ticks : best;
	}
	return (float)best / (2 * PACKETS);
}

/* Can `arch` serve the suite on this processor? */
static bool choice_has(const struct esp_suite *suite, enum arch arch, enum arch widest)
{
	if (arch == ARCH_VAES)
		return suite->mode == ESP_MODE_GCM && gcm_vaes_available();
	return arch <= widest;
}

/* Its time as a multiple of the widest one's, each size counting alike. */
static float choice_cost(const float cycles[ARCH_COUNT][CRYPTO_SIZES], enum arch arch, enum arch widest)
{
	float cost = 0;

	for (size_t i = 0; i < CRYPTO_SIZES; i++)
		cost += cycles[arch][i] / cycles[widest][i] / CRYPTO_SIZES;
	return cost;
}

enum arch choice_best(const struct choice *choice, const struct esp_suite *suite, enum arch widest)
{
	enum arch best = widest;
	float least = preferred_below;

	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++) {
		const float(*cycles)[CRYPTO_SIZES] = choice->cycles[choice_class(suite)];
		float cost;

		if (cycles[arch][0] <= 0 || (arch == ARCH_VAES && widest == ARCH_AVX512))
			continue;
		cost = choice_cost(cycles, arch, widest);
		if (cost < least) {
			least = cost;
			best = arch;
		}
	}
	return best;
}

static void choice_measure_class(struct esp_engine *engine, struct probe *probe, uint32_t suite_id, enum arch widest)
{
	static const uint8_t keymat[ESP_KEYMAT_MAX];
	const struct esp_suite *suite = esp_suite_get(suite_id);
	unsigned int class = choice_class(suite);

	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++) {
		if (!choice_has(suite, arch, widest))
			continue;
		engine->choice.arch[class] = (uint8_t)arch;
		/* Anew each time: the tables of a GCM key differ between architectures. */
		esp_key_expand(engine, suite_id, false, keymat, esp_suite_keymat_len(suite), &probe->key);
		for (size_t i = 0; i < CRYPTO_SIZES; i++)
			engine->choice.cycles[class][arch][i] = probe_time(engine, probe, payload_lens[i]);
	}
	engine->choice.arch[class] = (uint8_t)choice_best(&engine->choice, suite, widest);
}

void choice_measure(struct esp_engine *engine, enum arch widest)
{
	struct probe *probe = aligned_alloc(ESP_KEY_ALIGN, sizeof(*probe));

	if (!probe) /* what is chosen works; there are more important things to fail for */
		return;
	memset(probe, 0, sizeof(*probe));
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++)
		if (engine->choice.cycles[choice_class(esp_suite_get(id))][widest][0] == 0)
			choice_measure_class(engine, probe, id, widest);
	free(probe);
}
