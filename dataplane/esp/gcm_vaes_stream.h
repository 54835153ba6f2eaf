/* SPDX-License-Identifier: Apache-2.0 */
/* A packet as a stream of pairs of blocks: encryption and hash of its last few, as gcm_vaes.c explains; for it alone.
 */
#pragma once

#include "esp/engine.h"
#include "esp/gcm_vaes_math.h"

#include <endian.h>

enum {
	ICV_LEN = 16,
	FRAME_LEN = 2 * BLOCK_LEN,	/* header, IV and ICV around the text */
	TAIL_MAX = GCM_VAES_POWERS - 1, /* blocks whose hash, with that of the lengths, needs no power above the last */
	HALF_LEN = 8 * BLOCK_LEN,
	CHUNK_LEN = 2 * HALF_LEN,
};

/* One packet on its way. `at` moves through it. */
struct stream {
	const struct esp_key *key;
	uint8_t *at; /* the next block to be encrypted or decrypted, a multiple of 16 from the packet's start */
	const uint8_t *ahead, *ahead_end; /* of the next packet, what is to be fetched meanwhile */
	size_t text_len;		  /* of all */
	size_t aad_len;			  /* of the associated data, whose last or only block stands in `add` */
	__m256i counters; /* of the next two blocks, bytes reversed, so that the counter is the lowest 32 bits */
	__m256i keep;	  /* of the next two blocks of keystream, what is applied: not that at the header's place */
	__m256i mask;	  /* of the next two blocks to be hashed, what counts, and ... */
	__m256i add;	  /* ... what is to be added to these: the sum so far, or associated data */
};

VAES static inline void stream_start(struct stream *stream, const struct esp_packet *packet)
{
	const struct esp_key *key = packet->key;
	__m128i header = _mm_loadu_si128((const __m128i *)packet->data);
	__m128i salt = _mm_load_si128((const __m128i *)key->salt); /* and more, which is blended out */
	__m128i nonce = _mm_blend_epi32(_mm_srli_si128(header, 4), salt, 1);

	stream->key = key;
	stream->at = packet->data;
	stream->ahead = stream->ahead_end = NULL;
	stream->text_len = packet->len - FRAME_LEN;
	stream->counters = _mm256_add_epi32(
		_mm256_broadcastsi128_si256(math_reverse128(nonce)), _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 1));
	stream->keep = _mm256_set_epi64x(-1, -1, 0, 0);
	if (key->extended) {
		/* RFC 4106 section 5: SPI, high half, low half. */
		__m128i aad = _mm_shuffle_epi32(header, _MM_SHUFFLE(3, 1, 2, 0));
		uint32_t high = htobe32((uint32_t)(packet->sequence >> 32));

		aad = _mm_insert_epi32(_mm_insert_epi32(aad, (int)high, 1), 0, 3);
		stream->aad_len = 12;
		stream->mask = _mm256_set_epi64x(-1, -1, 0, 0);
		stream->add = _mm256_zextsi128_si256(aad);
	} else {
		stream->aad_len = 8;
		stream->mask = _mm256_set_epi64x(-1, -1, 0, -1);
		stream->add = _mm256_setzero_si256();
	}
}

/* Bytes of the last block of text that count; of a header alone, all. */
static inline size_t stream_last_len(const struct stream *stream)
{
	return stream->text_len ? ((stream->text_len - 1) & (BLOCK_LEN - 1)) + 1 : BLOCK_LEN;
}

/* The next pair of counter blocks with round key 0 applied. */
VAES static inline __m256i stream_count(struct stream *stream, __m256i round_key)
{
	__m256i block = _mm256_xor_si256(math_reverse(stream->counters), round_key);

	stream->counters = _mm256_add_epi32(stream->counters, _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2));
	return block;
}

/*
 * Round key 0 applied to the next counter blocks, from a multiple of sixteen on. What such have in common is prepared
 * once; they differ in four bits, but for the last of sixteen, where these overflow.
 */
VAES static inline void stream_count_chunk(
	struct stream *stream, __m256i round_key, __m256i *blocks, const unsigned int n_pairs)
{
	const __m256i first = _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 1);
	const int n_blocks = (int)(2 * n_pairs);
	__m256i common = _mm256_xor_si256(math_reverse(_mm256_sub_epi32(stream->counters, first)), round_key);

	UNROLL
	for (unsigned int i = 0; i < n_pairs; i++)
		blocks[i] = _mm256_xor_si256(
			common, _mm256_set_epi32((int)(2 * i + 2) << 24, 0, 0, 0, (int)(2 * i + 1) << 24, 0, 0, 0));
	stream->counters = _mm256_add_epi32(stream->counters, _mm256_set_epi32(0, 0, 0, n_blocks, 0, 0, 0, n_blocks));
	if (n_blocks == 16) {
		common = _mm256_xor_si256(math_reverse(_mm256_sub_epi32(stream->counters, first)), round_key);
		blocks[n_pairs - 1] = _mm256_blend_epi32(blocks[n_pairs - 1], common, 0xf0);
	}
}

VAES static inline __m256i round_key(const struct esp_key *key, unsigned int round)
{
	return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)key->gcm_vaes.round_keys[round]));
}

VAES static inline void aes_round(__m256i *blocks, unsigned int n_pairs, const struct esp_key *key, unsigned int round)
{
	__m256i k = round_key(key, round);

	UNROLL
	for (unsigned int i = 0; i < n_pairs; i++)
		blocks[i] = _mm256_aesenc_epi128(blocks[i], k);
}

/* From round 10 on: 10, 12 or 14 in all. */
VAES static inline void aes_last_rounds(__m256i *blocks, unsigned int n_pairs, const struct esp_key *key)
{
	const unsigned int rounds = key->rounds;
	__m256i k;

	if (rounds > 10) {
		aes_round(blocks, n_pairs, key, 10);
		aes_round(blocks, n_pairs, key, 11);
		if (rounds > 12) {
			aes_round(blocks, n_pairs, key, 12);
			aes_round(blocks, n_pairs, key, 13);
		}
	}
	k = round_key(key, rounds);
	UNROLL
	for (unsigned int i = 0; i < n_pairs; i++)
		blocks[i] = _mm256_aesenclast_epi128(blocks[i], k);
}

/* XORs `n_blocks`, a constant, with their keystream. */
VAES static inline void apply(uint8_t *at, const __m256i *keystream, const unsigned int n_blocks)
{
	UNROLL
	for (unsigned int i = 0; i < n_blocks / 2; i++) {
		__m256i *pair = (__m256i *)(at + 2 * i * BLOCK_LEN);

		_mm256_storeu_si256(pair, _mm256_xor_si256(_mm256_loadu_si256(pair), keystream[i]));
	}
	if (n_blocks % 2) {
		__m128i *last = (__m128i *)(at + (n_blocks - 1) * BLOCK_LEN);
		__m128i key = _mm256_castsi256_si128(keystream[n_blocks / 2]);

		_mm_storeu_si128(last, _mm_xor_si128(_mm_loadu_si128(last), key));
	}
}

/* The last `n_blocks` blocks, a constant: encrypts or decrypts. The keystream of the first of them. */
VAES static inline __attribute__((always_inline)) __m128i crypt_blocks(
	struct stream *stream, const unsigned int n_blocks)
{
	const struct esp_key *key = stream->key;
	const unsigned int n_pairs = (n_blocks + 1) / 2;
	__m256i blocks[(TAIL_MAX + 1) / 2];
	__m256i k = round_key(key, 0);
	__m128i first;

	UNROLL
	for (unsigned int i = 0; i < n_pairs; i++)
		blocks[i] = stream_count(stream, k);
	UNROLL
	for (unsigned int round = 1; round < 10; round++)
		aes_round(blocks, n_pairs, key, round);
	aes_last_rounds(blocks, n_pairs, key);
	first = _mm256_castsi256_si128(blocks[0]);
	blocks[0] = _mm256_and_si256(blocks[0], stream->keep);
	apply(stream->at, blocks, n_blocks);
	return first;
}

/* The last `n_blocks` blocks, a constant, and the lengths: the hash of the whole, in the packet's order of bytes. */
VAES static inline __attribute__((always_inline)) __m128i hash_blocks(
	const struct stream *stream, const uint8_t *at, const unsigned int n_blocks)
{
	const uint8_t(*powers)[BLOCK_LEN] = stream->key->gcm_vaes.powers + TAIL_MAX - n_blocks;
	__m128i lengths = _mm_set_epi64x((int64_t)stream->aad_len * 8, (int64_t)stream->text_len * 8);
	__m128i last_mask = math_mask(stream_last_len(stream));
	struct sums sums = sums_zero();

	UNROLL
	for (unsigned int i = 0; i < n_blocks / 2; i++) {
		__m256i pair = _mm256_loadu_si256((const __m256i *)(at + 2 * i * BLOCK_LEN));

		if (i == 0)
			pair = _mm256_xor_si256(_mm256_and_si256(pair, stream->mask), stream->add);
		if (2 * i + 2 == n_blocks)
			pair = _mm256_and_si256(pair, _mm256_set_m128i(last_mask, _mm_set1_epi32(-1)));
		sums_add(&sums, math_reverse(pair), math_load(powers[2 * i]));
	}
	if (n_blocks % 2) {
		__m128i last = _mm_loadu_si128((const __m128i *)(at + (n_blocks - 1) * BLOCK_LEN));

		if (n_blocks > 1)
			last = _mm_and_si128(last, last_mask);
		else /* the header itself, or the only block behind a chunk */
			last = _mm_xor_si128(
				_mm_and_si128(_mm_and_si128(last, last_mask), _mm256_castsi256_si128(stream->mask)),
				_mm256_castsi256_si128(stream->add));
		sums_add(&sums, _mm256_set_m128i(lengths, math_reverse128(last)), math_load(powers[n_blocks - 1]));
	} else {
		sums_add(&sums, _mm256_zextsi128_si256(lengths), math_load_one(powers[n_blocks]));
	}
	return math_reverse128(sums_reduce(&sums));
}
