/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put before gcm_vaes.c and gcm_vaes_key.c (-include), it gives them a processor without 256-bit AES and carry-less
 * multiplication: each such instruction becomes two of 128 bits. All else stays the source that workers run. Two uses:
 * machines that lack VAES test that code too, and valgrind, which knows no VAES, can watch what it does with secrets.
 *
 * A test of secrets has to show that it would see a leak. So these instructions can be told to have one: a branch, or
 * an address, that depends on what they work on.
 */
#pragma once

#include <cpuid.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <immintrin.h>

enum narrow_leak {
	NARROW_NO_LEAK,
	NARROW_BRANCH_ON_STATE, /* of AES */
	NARROW_INDEX_BY_STATE,
	NARROW_BRANCH_ON_FACTOR, /* of GHASH */
	NARROW_INDEX_BY_FACTOR,
	NARROW_VERDICT, /* the comparison of the ICV is no longer taken for public */
};

extern enum narrow_leak narrow_leak;
extern unsigned long narrow_verdicts; /* how many were made public */

void narrow_leak_byte(uint8_t secret, enum narrow_leak branch, enum narrow_leak index);

/* Makes a packet's verdict public: what the comparison of its ICV says, the only thing that branches may depend on. */
void narrow_reveal(void *difference, size_t len);

#define NARROW __attribute__((target("avx2,aes,pclmul")))

NARROW static inline void narrow_leak_block(__m256i blocks, enum narrow_leak branch, enum narrow_leak index)
{
	if (narrow_leak == branch || narrow_leak == index)
		narrow_leak_byte((uint8_t)_mm_extract_epi8(_mm256_castsi256_si128(blocks), 0), branch, index);
}

NARROW static inline __m256i narrow_aesenc(__m256i blocks, __m256i keys)
{
	narrow_leak_block(blocks, NARROW_BRANCH_ON_STATE, NARROW_INDEX_BY_STATE);
	return _mm256_set_m128i(
		_mm_aesenc_si128(_mm256_extracti128_si256(blocks, 1), _mm256_extracti128_si256(keys, 1)),
		_mm_aesenc_si128(_mm256_castsi256_si128(blocks), _mm256_castsi256_si128(keys)));
}

NARROW static inline __m256i narrow_aesenclast(__m256i blocks, __m256i keys)
{
	return _mm256_set_m128i(
		_mm_aesenclast_si128(_mm256_extracti128_si256(blocks, 1), _mm256_extracti128_si256(keys, 1)),
		_mm_aesenclast_si128(_mm256_castsi256_si128(blocks), _mm256_castsi256_si128(keys)));
}

/* `halves` is part of the instruction: no function can take it. */
#define narrow_clmul(a, b, halves)                                                                                     \
	({                                                                                                             \
		const __m256i narrow_a = (a), narrow_b = (b);                                                          \
                                                                                                                       \
		narrow_leak_block(narrow_a, NARROW_BRANCH_ON_FACTOR, NARROW_INDEX_BY_FACTOR);                          \
		_mm256_set_m128i(_mm_clmulepi64_si128(_mm256_extracti128_si256(narrow_a, 1),                           \
					 _mm256_extracti128_si256(narrow_b, 1), halves),                               \
			_mm_clmulepi64_si128(                                                                          \
				_mm256_castsi256_si128(narrow_a), _mm256_castsi256_si128(narrow_b), halves));          \
	})

/* What gcm_vaes.c asks with this instruction, once a packet, is whether the ICVs are equal. */
NARROW static inline int narrow_testz(__m128i difference)
{
	narrow_reveal(&difference, sizeof(difference));
	return _mm_testz_si128(difference, difference);
}

/* As if the processor had them. */
static inline int narrow_cpuid(unsigned int *eax, unsigned int *ebx, unsigned int *ecx, unsigned int *edx)
{
	*eax = *ebx = *edx = 0;
	*ecx = bit_VAES | bit_VPCLMULQDQ;
	return 1;
}

/* Some of these are macros themselves, depending on the compiler. */
#undef _mm256_clmulepi64_epi128
#define _mm256_aesenc_epi128(blocks, keys)		     narrow_aesenc(blocks, keys)
#define _mm256_aesenclast_epi128(blocks, keys)		     narrow_aesenclast(blocks, keys)
#define _mm256_clmulepi64_epi128(a, b, halves)		     narrow_clmul(a, b, halves)
#define _mm_testz_si128(difference, same)		     narrow_testz(difference)
#define __get_cpuid_count(leaf, subleaf, eax, ebx, ecx, edx) narrow_cpuid(eax, ebx, ecx, edx)
