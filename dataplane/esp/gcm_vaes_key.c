/* SPDX-License-Identifier: Apache-2.0 */
/* What gcm_vaes.c prepares once a key: H = E(0) and its powers, each multiplied by x to suit mirrored products. */
#include "esp/gcm_vaes.h"

#include "esp/engine.h"
#include "esp/gcm_vaes_math.h"

#include <cpuid.h>

bool gcm_vaes_available(void)
{
	const unsigned int wanted = bit_VAES | bit_VPCLMULQDQ;
	unsigned int eax, ebx, ecx, edx;

	/* The compilers differ in the names that this knows; that the system keeps 256-bit registers is part of "avx2".
	 */
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul"))
		return false;
	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & wanted) == wanted;
}

VAES static __m128i encrypt_zero(const struct esp_key *key)
{
	const __m128i *round_keys = (const __m128i *)key->gcm_vaes.round_keys;
	__m128i block = _mm_load_si128(&round_keys[0]);

	for (unsigned int round = 1; round < key->rounds; round++)
		block = _mm_aesenc_si128(block, _mm_load_si128(&round_keys[round]));
	return _mm_aesenclast_si128(block, _mm_load_si128(&round_keys[key->rounds]));
}

/*
 * Times x: mirrored, a shift to the left; what leaves at the end is x^128, which is the polynomial's rest. Without a
 * branch on that bit.
 */
VAES static __m128i times_x(__m128i element)
{
	const __m128i rest = _mm_set_epi64x((long long)0xc200000000000000, 1);
	/* The top bits of both halves, changed over: one is carried upwards, the other decides about the rest. */
	__m128i tops = _mm_shuffle_epi32(_mm_srli_epi64(element, 63), _MM_SHUFFLE(1, 0, 3, 2));
	__m128i leaves = _mm_sub_epi64(_mm_setzero_si128(), _mm_unpacklo_epi64(tops, tops));
	__m128i carried = _mm_and_si128(tops, _mm_set_epi64x(-1, 0));

	return _mm_xor_si128(_mm_or_si128(_mm_add_epi64(element, element), carried), _mm_and_si128(leaves, rest));
}

VAES static __m128i times(__m128i a, __m128i b)
{
	struct sums sums = sums_zero();

	sums_add(&sums, _mm256_zextsi128_si256(a), _mm256_zextsi128_si256(b));
	return sums_reduce(&sums);
}

VAES void gcm_vaes_expand(struct esp_key *key)
{
	__m128i h = times_x(math_reverse128(encrypt_zero(key))), power = h;

	for (size_t i = GCM_VAES_POWERS; i-- > 0; power = times(power, h))
		_mm_store_si128((__m128i *)key->gcm_vaes.powers[i], power);
}
