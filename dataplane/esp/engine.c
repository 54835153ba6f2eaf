/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"

#include "esp/gcm_vaes.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ENGINE_ALIGN = 64 };

/* What the library offers, and what of the processor each needs: without AES-NI it would emulate AES in tables, which
 * is slow and whose timing tells the key. */
static const struct {
	const char *name;
	uint64_t flags;
	void (*init)(IMB_MGR *manager);
} archs[ARCH_COUNT] = {
	[ARCH_SSE] = {"sse", IMB_CPUFLAGS_SSE, init_mb_mgr_sse},
	[ARCH_AVX] = {"avx", IMB_CPUFLAGS_AVX, init_mb_mgr_avx},
	[ARCH_AVX2] = {"avx2", IMB_CPUFLAGS_AVX2, init_mb_mgr_avx2},
	[ARCH_AVX512] = {"avx512", IMB_CPUFLAGS_AVX512, init_mb_mgr_avx512},
	[ARCH_VAES] = {"vaes", IMB_CPUFLAGS_SSE, NULL},
};

_Static_assert(CRYPTO_CANDIDATES_MAX >= (int)ARCH_COUNT, "esp_engine_describe");

static pthread_once_t measured_once = PTHREAD_ONCE_INIT;
static struct choice measured;
static int measured_error;

static bool engine_has(enum arch arch)
{
	if (arch == ARCH_VAES && !gcm_vaes_available())
		return false;
	return (imb_get_feature_flags() & archs[arch].flags) == archs[arch].flags;
}

/* Zeroed memory, or NULL. */
static void *engine_allocate(size_t size)
{
	void *memory;

	if (posix_memalign(&memory, ENGINE_ALIGN, size) != 0)
		return NULL;
	return memset(memory, 0, size);
}

/* 0, -ENOMEM, or -ENOTSUP when the processor lacks something or the library's self test fails. */
static int engine_add_manager(struct esp_engine *engine, enum arch arch)
{
	IMB_MGR *manager;

	if (!engine_has(arch))
		return -ENOTSUP;
	if (arch == ARCH_VAES || engine->managers[arch])
		return 0;
	/* Memory of our own instead of alloc_mb_mgr's, so that it can be wiped at the end. */
	manager = engine_allocate(imb_get_mb_mgr_size());
	if (!manager)
		return -ENOMEM;
	engine->managers[arch] = manager;
	if (!imb_set_pointers_mb_mgr(manager, 0, 1))
		return -ENOTSUP;
	archs[arch].init(manager);
	return imb_get_errno(manager) == 0 ? 0 : -ENOTSUP;
}

struct esp_engine *engine_make(const struct choice *choice)
{
	struct esp_engine *engine = engine_allocate(sizeof(*engine));
	int rc = 0;

	if (!engine) {
		errno = ENOMEM;
		return NULL;
	}
	engine->choice = *choice;
	for (size_t i = 0; rc == 0 && i < CHOICE_CLASSES; i++)
		rc = engine_add_manager(engine, choice->arch[i]);
	if (rc < 0) {
		esp_engine_free(engine);
		errno = -rc;
		return NULL;
	}
	return engine;
}

/* Of the library's. */
static enum arch engine_widest(void)
{
	enum arch widest = ARCH_AVX512;

	while (widest > ARCH_SSE && !engine_has(widest))
		widest--;
	return widest;
}

/* Runs once a process. Engines made later agree, so that they can share keys. */
static void engine_measure(void)
{
	enum arch widest = engine_widest();
	struct esp_engine *engine;
	int rc = 0;

	choice_fix(&measured, widest, widest);
	engine = engine_make(&measured);
	if (!engine) {
		measured_error = errno;
		return;
	}
	for (enum arch arch = ARCH_SSE; rc == 0 && arch < widest; arch++)
		rc = engine_add_manager(engine, arch);
	if (rc == 0) {
		choice_measure(engine, widest);
		measured = engine->choice;
	}
	esp_engine_free(engine);
}

/* ARCH_COUNT: no such name. */
static enum arch engine_find(const char *instructions)
{
	enum arch arch = ARCH_SSE;

	while (arch < ARCH_COUNT && strcmp(archs[arch].name, instructions) != 0)
		arch++;
	return arch;
}

bool esp_engine_can(const char *instructions)
{
	enum arch arch = engine_find(instructions);

	return arch < ARCH_COUNT && engine_has(arch);
}

struct esp_engine *esp_engine_new_configured(const char *gcm, const char *others)
{
	struct choice choice;

	/* Ours is for AES-GCM alone. */
	if ((gcm && !esp_engine_can(gcm)) ||
		(others && (!esp_engine_can(others) || engine_find(others) == ARCH_VAES))) {
		errno = ENOTSUP;
		return NULL;
	}
	pthread_once(&measured_once, engine_measure);
	if (measured_error != 0) {
		errno = measured_error;
		return NULL;
	}
	choice = measured;
	choice_configure(&choice, gcm ? engine_find(gcm) : ARCH_COUNT, others ? engine_find(others) : ARCH_COUNT);
	return engine_make(&choice);
}

struct esp_engine *esp_engine_new(void)
{
	return esp_engine_new_configured(NULL, NULL);
}

struct esp_engine *esp_engine_new_on(const char *instructions)
{
	enum arch arch = engine_find(instructions);
	struct choice choice;

	if (arch == ARCH_COUNT) {
		errno = ENOTSUP;
		return NULL;
	}
	choice_fix(&choice, arch == ARCH_VAES ? engine_widest() : arch, arch);
	return engine_make(&choice);
}

void esp_engine_free(struct esp_engine *engine)
{
	if (!engine)
		return;
	for (enum arch arch = ARCH_SSE; arch < ARCH_VAES; arch++) {
		if (engine->managers[arch])
			explicit_bzero(engine->managers[arch], imb_get_mb_mgr_size());
		free(engine->managers[arch]);
	}
	explicit_bzero(engine, sizeof(*engine));
	free(engine);
}

void esp_engine_describe(const struct esp_engine *engine, uint32_t suite_id, struct crypto_choice *description)
{
	const struct esp_suite *suite = esp_suite_get(suite_id);
	unsigned int class = choice_class(suite);

	memset(description, 0, sizeof(*description));
	strcpy(description->name, archs[engine->choice.arch[class]].name);
	description->configured = engine->choice.configured[class];
	for (enum arch arch = ARCH_SSE; arch < ARCH_COUNT; arch++) {
		struct crypto_candidate *candidate = &description->candidates[description->n_candidates];

		if (engine->choice.cycles[class][arch][0] <= 0)
			continue;
		strcpy(candidate->name, archs[arch].name);
		memcpy(candidate->cycles, engine->choice.cycles[class][arch], sizeof(candidate->cycles));
		description->n_candidates++;
	}
}

IMB_MGR *engine_manager(const struct esp_engine *engine, const struct esp_suite *suite)
{
	enum arch arch = engine->choice.arch[choice_class(suite)];

	for (enum arch any = ARCH_SSE; arch == ARCH_VAES && any < ARCH_VAES; any++)
		if (engine->managers[any])
			arch = any;
	return engine->managers[arch];
}

/* The library's AES-GCM keys are the longest, but without AVX-512 it leaves all behind the eighth power of H alone. */
static size_t key_size_find(void)
{
	enum { POWERS_LEN = 2 * 8 * 16 };
	size_t size = offsetof(struct esp_key, gcm.data.ghash_keys) + POWERS_LEN;

	if (engine_has(ARCH_AVX512))
		return sizeof(struct esp_key);
	if (size < sizeof(struct job_key))
		size = sizeof(struct job_key);
	return (size + ESP_KEY_ALIGN - 1) / ESP_KEY_ALIGN * ESP_KEY_ALIGN;
}

/* Found once: the library asks the processor each time, and where that is a virtual one it takes microseconds. */
size_t esp_key_size(void)
{
	static _Atomic size_t found;
	size_t size = atomic_load_explicit(&found, memory_order_relaxed);

	if (size == 0) {
		size = key_size_find();
		atomic_store_explicit(&found, size, memory_order_relaxed);
	}
	return size;
}

void engine_make_nonce(const struct esp_key *key, const uint8_t *iv, uint8_t *nonce)
{
	memcpy(nonce, key->salt, sizeof(key->salt));
	memcpy(nonce + sizeof(key->salt), iv, NONCE_LEN - sizeof(key->salt));
}

size_t engine_make_aad(const struct esp_packet *packet, uint8_t *aad)
{
	uint64_t sequence = htobe64(packet->sequence);

	memcpy(aad, packet->data, ESP_HDR_LEN);
	if (!packet->key->extended)
		return ESP_HDR_LEN;
	/* The low half is that of the packet, on open too: what the caller passes counts for its high half alone. */
	memcpy(aad + 8, aad + 4, 4);
	memcpy(aad + 4, &sequence, 4);
	return ESP_HDR_LEN + 4;
}
