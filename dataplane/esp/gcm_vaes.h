/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own AES-GCM for processors that have AES and carry-less multiplication on 256-bit registers (VAES, VPCLMULQDQ)
 * but no AVX-512, for which the library does best. gcm_vaes.c explains the method.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct esp_key;
struct engine_batch;

/* Can this process run it? */
bool gcm_vaes_available(void);

/* `key` holds suite, salt and the AES round keys (gcm_vaes_key); fills in the powers of H. */
void gcm_vaes_expand(struct esp_key *key);

/* As gcm_seal and gcm_open of engine.h. */
void gcm_vaes_seal(const struct engine_batch *batch);
void gcm_vaes_open(const struct engine_batch *batch);
