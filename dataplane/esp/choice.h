/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the crypto library's implementations serves which suites. The library picks the widest instructions that the
 * processor has, which is not always the fastest: where these lack a hash of their own, the SHA extensions behind its
 * SSE implementation are up to twice as fast. So every class of suites is measured once a process, and all engines of
 * the process use the result. AES-GCM has our own implementation (gcm_vaes.h) as one candidate more, unless the
 * processor has AVX-512. What never differed in measurements is no matter of choice: AES-GCM by a direct call a
 * packet, the rest by bursts of jobs.
 */
#pragma once

#include "tables/suite.h"

#include <stdint.h>

struct esp_engine;

/* From narrow to wide; each needs more of the processor than the one before. */
enum arch {
	ARCH_SSE,
	ARCH_AVX,
	ARCH_AVX2,
	ARCH_AVX512,
	ARCH_VAES, /* not the library but gcm_vaes.c: for AES-GCM alone */
	ARCH_COUNT,
};

/* A class is what takes the same code but for the number of rounds: a mode with a hash, SHA-384 being SHA-512. */
enum { CHOICE_HASHES = ESP_INTEGRITY_SHA512_256, CHOICE_CLASSES = ESP_MODE_COUNT * CHOICE_HASHES };

struct choice {
	uint8_t arch[CHOICE_CLASSES]; /* enum arch */
	/* Time for packets of 64, 512 and 1,420 bytes as a multiple of the widest architecture's; 0: not measured. */
	float cost[CHOICE_CLASSES][ARCH_COUNT];
};

static inline unsigned int choice_class(const struct esp_suite *suite)
{
	unsigned int hash = suite->integrity;

	if (hash >= ESP_INTEGRITY_SHA384_192)
		hash = ESP_INTEGRITY_SHA384_192;
	return suite->mode * CHOICE_HASHES + hash;
}

/* One architecture of the library for all, and perhaps another for AES-GCM. */
void choice_fix(struct choice *choice, enum arch arch, enum arch gcm);

/*
 * Measures all classes on an engine that has the managers of every architecture up to `widest`, and changes its choice
 * to the fastest. Takes some 20 ms.
 */
void choice_measure(struct esp_engine *engine, enum arch widest);
