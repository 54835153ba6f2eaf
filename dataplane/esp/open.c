/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"
#include "esp/gcm_vaes.h"
#include "esp/layout.h"

#include <assert.h>

size_t esp_open(struct esp_engine *engine, struct esp_packet *packets, size_t count)
{
	struct engine_batches batches;
	size_t opened = 0;

	assert(count <= ESP_BURST_MAX);
	engine_batches_clear(&batches);

	/* 1. Lengths, before anything is read through them; sorted, since one burst may mix suites. */
	for (size_t i = 0; i < count; i++) {
		packets[i].status = layout_check(&packets[i]);
		if (packets[i].status == ESP_OK)
			engine_batches_add(&batches, &packets[i]);
	}

	/* 2. The ICV, and decryption. */
	gcm_vaes_open(&batches.ways[WAY_GCM_VAES]);
	gcm_open(engine, &batches.ways[WAY_GCM]);
	for (enum arch arch = ARCH_SSE; arch < ARCH_VAES; arch++)
		jobs_open(engine, engine->managers[arch], &batches.ways[WAY_JOBS + arch]);

	/* 3. Padding and trailer off what is authentic. */
	for (size_t i = 0; i < count; i++) {
		if (packets[i].status == ESP_OK)
			packets[i].status = layout_unwrap(&packets[i]);
		opened += packets[i].status == ESP_OK;
	}
	return opened;
}

const char *esp_status_name(enum esp_status status)
{
	switch (status) {
	case ESP_OK: return "ok";
	case ESP_TOO_SHORT: return "too short";
	case ESP_BAD_LENGTH: return "bad length";
	case ESP_BAD_ICV: return "bad ICV";
	case ESP_BAD_PAD: return "bad padding";
	case ESP_NO_ROOM: return "no room";
	case ESP_FAILED: return "crypto failed";
	}
	return "unknown";
}
