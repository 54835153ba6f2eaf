/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processor instructions serve a suite, and what each implementation costs here: what esp/ measures at start, and
 * the operator is shown. Suites that differ in the length of the key alone, or as SHA-384 and SHA-512, have the figures
 * of the first one of them.
 */
#pragma once

#include <stdint.h>

enum {
	CRYPTO_SIZES = 3,
	CRYPTO_CANDIDATES_MAX = 5,
	CRYPTO_NAME_LEN = 8, /* of instructions: "avx512", "vaes" */
};

/* Payloads of acknowledgements and voice, of what is between, and of full packets: bytes. */
#define CRYPTO_SIZE_LIST                                                                                               \
	{                                                                                                              \
		64, 512, 1420                                                                                          \
	}

struct crypto_candidate {
	char name[CRYPTO_NAME_LEN];
	float cycles[CRYPTO_SIZES]; /* of the TSC, to seal or open a packet, the mean of both */
};

struct crypto_choice {
	char name[CRYPTO_NAME_LEN]; /* of what is used; "": no peer may have this suite */
	uint32_t configured; /* 1: the configuration names it. 0: the fastest of the candidates, all sizes together */
	uint32_t n_candidates;
	struct crypto_candidate candidates[CRYPTO_CANDIDATES_MAX];
};
