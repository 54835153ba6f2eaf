/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the crypto library's implementations serves which suites. The library picks the widest instructions that the
 * processor has, which is not always the fastest: where these lack a hash of their own, the SHA extensions behind its
 * SSE implementation are up to twice as fast. So every class of suites is measured once a process, and all engines of
 * the process use the result. AES-GCM has our own implementation (gcm_vaes.h) as one candidate more, unless the
 * processor has AVX-512. What never differed in measurements is no matter of choice: AES-GCM by a direct call a
 * packet, the rest by bursts of jobs.
 *
 * The choice is by suite, and not by packet, though one may be ahead with short packets and another with long ones: an
 * SA's key is expanded once, in the layout of one implementation. Two layouts would be twice the memory, and a branch
 * for each packet. So each size counts alike, as a multiple of what the widest implementation takes for it. The figures
 * of each size are kept and shown, and the configuration may say otherwise (choice_configure).
 */
#pragma once

#include "tables/crypto.h"
#include "tables/suite.h"

#include <stdbool.h>
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
	uint8_t arch[CHOICE_CLASSES];	 /* enum arch */
	bool configured[CHOICE_CLASSES]; /* not the measurement's */
	/* Cycles of the TSC, the mean of sealing and opening a packet of each size; 0: not measured. */
	float cycles[CHOICE_CLASSES][ARCH_COUNT][CRYPTO_SIZES];
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

/* What is to serve AES-GCM and what all other suites, measured or not; ARCH_COUNT: as it is. */
void choice_configure(struct choice *choice, enum arch gcm, enum arch others);

/*
 * The fastest by the choice's figures; the library's widest, unless another is clearly faster. With AVX-512, the
 * library has wider registers than gcm_vaes.c, which is not chosen then.
 */
enum arch choice_best(const struct choice *choice, const struct esp_suite *suite, enum arch widest);

/*
 * Measures all classes on an engine that has the managers of every architecture up to `widest`, and changes its choice
 * to the fastest. Takes some 20 ms.
 */
void choice_measure(struct esp_engine *engine, enum arch widest);
