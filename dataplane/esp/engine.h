/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to the crypto library, inside the ESP module: what a thread's engine and an expanded key hold, and the few
 * functions that gcm.c and cbc_hmac.c offer to key.c, seal.c and open.c. Another engine replaces these two files and
 * these structs; layout, callers and tests stay. Here it is Intel IPsec-MB.
 */
#pragma once

#include "esp/esp.h"

#include <intel-ipsec-mb.h>

enum { ICV_MAX = 16 };

/* Scratch of one thread. No packet's data stays in it between two bursts, only what a tag or counter block tells. */
struct esp_engine {
	IMB_MGR *manager;
	IMB_JOB *jobs[ESP_BURST_MAX];
	uint8_t tags[ESP_BURST_MAX][ICV_MAX];
	struct gcm_context_data gcm;
};

struct cbc_hmac_key {
	/* 16-byte aligned by the library's wish. Both schedules: one key type serves both directions. */
	uint8_t encrypt[15 * 16] __attribute__((aligned(16)));
	uint8_t decrypt[15 * 16] __attribute__((aligned(16)));
	uint8_t inner[32] __attribute__((aligned(16))); /* the hash's state after key ^ ipad, RFC 2104 section 4 */
	uint8_t outer[32] __attribute__((aligned(16)));
};

struct esp_key {
	uint32_t suite; /* a number, not a pointer: keys may lie where another process maps them elsewhere */
	uint8_t salt[4];
	union {
		struct gcm_key_data gcm;
		struct cbc_hmac_key cbc_hmac;
	};
} __attribute__((aligned(ESP_KEY_ALIGN)));

/* The packets of a burst that share a mode. */
struct engine_batch {
	size_t count;
	struct esp_packet *packets[ESP_BURST_MAX];
};

static inline void engine_batch_add(struct engine_batch *batch, struct esp_packet *packet)
{
	batch->packets[batch->count++] = packet;
}

/* Suites without an integrity key of their own are combined mode (RFC 4303 section 3.3.2.2): AES-GCM. */
static inline bool engine_suite_is_gcm(const struct esp_suite *suite)
{
	return suite->auth_key_len == 0;
}

/* Compares ICVs in a time that does not depend on where they differ. */
static inline bool engine_icv_equal(const uint8_t *a, const uint8_t *b, size_t icv_len)
{
	uint8_t difference = 0;

	for (size_t i = 0; i < icv_len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

/* Fill the part of `key` that belongs to the mode from key material of the suite's length. */
void gcm_expand(struct esp_engine *engine, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key);
void cbc_hmac_expand(
	struct esp_engine *engine, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key);

/*
 * Work in place on packets of the mode whose layout is checked. Each status becomes ESP_OK or
 * ESP_FAILED, and for open ESP_BAD_ICV; what open left in the buffer of a bad packet is garbage.
 */
void gcm_seal(struct esp_engine *engine, const struct engine_batch *batch);
void gcm_open(struct esp_engine *engine, const struct engine_batch *batch);
void cbc_hmac_seal(struct esp_engine *engine, const struct engine_batch *batch);
void cbc_hmac_open(struct esp_engine *engine, const struct engine_batch *batch);
