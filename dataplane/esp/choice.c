/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/choice.h"

#include "esp/engine.h"
#include "esp/gcm_vaes.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

enum { LENGTHS = 3, PACKETS = 16, ROUNDS = 3, ROOM_BEFORE = 64, ROOM_BEHIND = 64, PAYLOAD_MAX = 1420 };

static const uint32_t payload_lens[LENGTHS] = {64, 512, PAYLOAD_MAX};

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

/* The shortest time in which a burst is sealed and opened again, in ticks; none for an implementation that fails. */
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
	return (float)best;
}

/* With AVX-512, the library has wider registers than gcm_vaes.c. */
static bool choice_has(const struct esp_suite *suite, enum arch arch, enum arch widest)
{
	if (arch == ARCH_VAES)
		return suite->mode == ESP_MODE_GCM && widest < ARCH_AVX512 && gcm_vaes_available();
	return arch <= widest;
}

static void choice_measure_class(struct esp_engine *engine, struct probe *probe, uint32_t suite_id, enum arch widest)
{
	static const uint8_t keymat[ESP_KEYMAT_MAX];
	const struct esp_suite *suite = esp_suite_get(suite_id);
	float ticks[ARCH_COUNT][LENGTHS], *cost = engine->choice.cost[choice_class(suite)];
	uint8_t *chosen = &engine->choice.arch[choice_class(suite)];
	enum arch best = widest;

	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++) {
		if (!choice_has(suite, arch, widest))
			continue;
		*chosen = arch;
		/* Anew each time: the tables of a GCM key differ between architectures. */
		esp_key_expand(engine, suite_id, false, keymat, esp_suite_keymat_len(suite), &probe->key);
		for (size_t i = 0; i < LENGTHS; i++)
			ticks[arch][i] = probe_time(engine, probe, payload_lens[i]);
	}
	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++) {
		if (!choice_has(suite, arch, widest))
			continue;
		cost[arch] = 0;
		for (size_t i = 0; i < LENGTHS; i++)
			cost[arch] += ticks[arch][i] / ticks[widest][i] / LENGTHS;
		if (cost[arch] < preferred_below && cost[arch] < cost[best])
			best = arch;
	}
	*chosen = best;
}

void choice_measure(struct esp_engine *engine, enum arch widest)
{
	struct probe *probe = aligned_alloc(ESP_KEY_ALIGN, sizeof(*probe));

	if (!probe) /* what is chosen works; there are more important things to fail for */
		return;
	memset(probe, 0, sizeof(*probe));
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++)
		if (engine->choice.cost[choice_class(esp_suite_get(id))][widest] == 0)
			choice_measure_class(engine, probe, id, widest);
	free(probe);
}
