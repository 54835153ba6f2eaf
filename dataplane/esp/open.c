/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"
#include "esp/layout.h"

#include <assert.h>

size_t esp_open(struct esp_engine *engine, struct esp_packet *packets, size_t count)
{
	struct engine_batch gcm, cbc_hmac;
	size_t opened = 0;

	assert(count <= ESP_BURST_MAX);
	gcm.count = cbc_hmac.count = 0;

	/* 1. Lengths, before anything is read through them; by mode, since one burst may mix suites. */
	for (size_t i = 0; i < count; i++) {
		struct esp_packet *packet = &packets[i];

		packet->status = layout_check(packet);
		if (packet->status != ESP_OK)
			continue;
		if (engine_suite_is_gcm(esp_key_suite(packet->key)))
			engine_batch_add(&gcm, packet);
		else
			engine_batch_add(&cbc_hmac, packet);
	}

	/* 2. The ICV, and decryption. */
	gcm_open(engine, &gcm);
	cbc_hmac_open(engine, &cbc_hmac);

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
