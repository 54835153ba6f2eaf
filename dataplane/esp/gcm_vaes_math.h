/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of GHASH on pairs of blocks, as gcm_vaes.c explains it; for that file and gcm_vaes_key.c alone. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <immintrin.h>

/* Compiled for processors that have these, whatever the rest is compiled for. */
#define VAES __attribute__((target("avx2,aes,pclmul,vaes,vpclmulqdq")))

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { BLOCK_LEN = 16 };

VAES static inline __m256i math_load(const uint8_t *pair)
{
	return _mm256_loadu_si256((const __m256i *)pair);
}

VAES static inline __m256i math_load_one(const uint8_t *block)
{
	return _mm256_zextsi128_si256(_mm_loadu_si128((const __m128i *)block));
}

VAES static inline __m128i math_reverse128(__m128i block)
{
	return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

VAES static inline __m256i math_reverse(__m256i pair)
{
	return _mm256_shuffle_epi8(
		pair, _mm256_broadcastsi128_si256(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
}

/* Ones over the first `len` bytes, 1 to 16. */
VAES static inline __m128i math_mask(size_t len)
{
	static const uint8_t ones_and_zeros[2 * BLOCK_LEN] = {[0 ... BLOCK_LEN - 1] = 0xff};

	return _mm_loadu_si128((const __m128i *)(ones_and_zeros + BLOCK_LEN - len));
}

/* The sum of a block's two halves, in the low one. */
VAES static inline __m256i math_middle(__m256i pair)
{
	return _mm256_xor_si256(pair, _mm256_shuffle_epi32(pair, _MM_SHUFFLE(1, 0, 3, 2)));
}

/* The same of two pairs: the first's in the low halves, the second's in the high ones. */
VAES static inline __m256i math_middles(__m256i first, __m256i second)
{
	return _mm256_xor_si256(_mm256_unpacklo_epi64(first, second), _mm256_unpackhi_epi64(first, second));
}

/* Unreduced products, added up; the middle one is Karatsuba's, which contains the other two. */
struct sums {
	__m256i low, middle, high;
};

VAES static inline struct sums sums_zero(void)
{
	return (struct sums){_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
}

/*
 * Holds the compiler to adding up product by product. GCC else computes all products first and adds them up in a tree,
 * for which there are not registers enough.
 */
VAES static inline void sums_settle(struct sums *sums)
{
	__asm__("" : "+x"(sums->low), "+x"(sums->middle), "+x"(sums->high));
}

/* All but the middle term. */
VAES static inline void sums_add_ends(struct sums *sums, __m256i pair, __m256i powers)
{
	sums->low = _mm256_xor_si256(sums->low, _mm256_clmulepi64_epi128(pair, powers, 0x00));
	sums->high = _mm256_xor_si256(sums->high, _mm256_clmulepi64_epi128(pair, powers, 0x11));
}

/* The middle terms of two pairs by what math_middles says of them and of their powers. */
VAES static inline void sums_add_middles(struct sums *sums, __m256i middles, __m256i powers_middles)
{
	sums->middle = _mm256_xor_si256(sums->middle, _mm256_clmulepi64_epi128(middles, powers_middles, 0x00));
	sums->middle = _mm256_xor_si256(sums->middle, _mm256_clmulepi64_epi128(middles, powers_middles, 0x11));
}

VAES static inline void sums_add(struct sums *sums, __m256i pair, __m256i powers)
{
	sums_add_ends(sums, pair, powers);
	sums->middle =
		_mm256_xor_si256(sums->middle, _mm256_clmulepi64_epi128(math_middle(pair), math_middle(powers), 0x00));
	sums_settle(sums);
}

VAES static inline __m128i math_fold(__m256i pair)
{
	return _mm_xor_si128(_mm256_castsi256_si128(pair), _mm256_extracti128_si256(pair, 1));
}

VAES static inline __m128i math_swap(__m128i block)
{
	return _mm_shuffle_epi32(block, _MM_SHUFFLE(1, 0, 3, 2));
}

/* The element of the field that the sums stand for, bytes reversed. */
VAES static inline __m128i sums_reduce(const struct sums *sums)
{
	const __m128i polynomial = _mm_set_epi64x((long long)0xc200000000000000, 0);
	__m128i low = math_fold(sums->low), high = math_fold(sums->high);
	__m128i middle = _mm_xor_si128(math_fold(sums->middle), _mm_xor_si128(low, high));

	/* 64 bits from below vanish into the middle, the middle's lower half into the upper end. */
	middle = _mm_xor_si128(middle, _mm_xor_si128(math_swap(low), _mm_clmulepi64_si128(low, polynomial, 0x10)));
	return _mm_xor_si128(high, _mm_xor_si128(math_swap(middle), _mm_clmulepi64_si128(middle, polynomial, 0x10)));
}
