/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"
#include "esp/gcm_vaes.h"
#include "esp/layout.h"

#include <assert.h>

size_t esp_seal(struct esp_engine *engine, struct esp_packet *packets, size_t count)
{
	struct engine_batches batches;
	size_t sealed = 0;

	assert(count <= ESP_BURST_MAX);
	engine_batches_clear(&batches);

	/* 1. Header, nonce, padding and trailer around each payload; sorted, since one burst may mix suites. */
	for (size_t i = 0; i < count; i++) {
		packets[i].status = layout_wrap(&packets[i]);
		if (packets[i].status == ESP_OK)
			engine_batches_add(&batches, &packets[i]);
	}

	/* 2. Encryption, and the ICV behind it. */
	gcm_vaes_seal(&batches.ways[WAY_GCM_VAES]);
	gcm_seal(engine, &batches.ways[WAY_GCM]);
	for (enum arch arch = ARCH_SSE; arch < ARCH_VAES; arch++)
		jobs_seal(engine, engine->managers[arch], &batches.ways[WAY_JOBS + arch]);

	for (size_t i = 0; i < count; i++)
		sealed += packets[i].status == ESP_OK;
	return sealed;
}
