/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"
#include "esp/layout.h"

#include <assert.h>

size_t esp_seal(struct esp_engine *engine, struct esp_packet *packets, size_t count)
{
	struct engine_batch gcm, cbc_hmac;
	size_t sealed = 0;

	assert(count <= ESP_BURST_MAX);
	gcm.count = cbc_hmac.count = 0;

	/* 1. Header, nonce, padding and trailer around each payload; by mode, since one burst may mix suites. */
	for (size_t i = 0; i < count; i++) {
		struct esp_packet *packet = &packets[i];

		packet->status = layout_wrap(packet);
		if (packet->status != ESP_OK)
			continue;
		if (engine_suite_is_gcm(esp_key_suite(packet->key)))
			engine_batch_add(&gcm, packet);
		else
			engine_batch_add(&cbc_hmac, packet);
	}

	/* 2. Encryption, and the ICV behind it. */
	gcm_seal(engine, &gcm);
	cbc_hmac_seal(engine, &cbc_hmac);

	for (size_t i = 0; i < count; i++)
		sealed += packets[i].status == ESP_OK;
	return sealed;
}
