/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM in ESP (NIST SP 800-38D, RFC 4106) for bursts, two blocks in each register.
 *
 * What GCM is. Counter mode encrypts: block i of the text is XORed with E(salt | IV | i + 2), E being AES under the
 *SA's key. GHASH authenticates: the blocks X1 ... XN - the associated data, which is SPI and number, the ciphertext,
 *each filled up with zeros, and a block of both lengths - are the coefficients of a polynomial over the field of 2^128
 * elements, whose value at H = E(0) is
 *
 *	X1 * H^N + X2 * H^(N-1) + ... + XN * H
 *
 * The ICV is this sum XORed with E(salt | IV | 1). Addition in the field is XOR. A product is a multiplication without
 * carries, which processors have (PCLMULQDQ), reduced modulo x^128 + x^7 + x^2 + x + 1.
 *
 * Where the time goes. The schoolbook's way (Horner's) is to multiply, reduce, add, multiply ...: each step waits for
 * the one before it. But reduction is linear: with H^16 ... H prepared, sixteen products are added up unreduced and
 * independent of each other, and the sum is reduced once (Gueron and Kounavis, "Intel Carry-Less Multiplication
 * Instruction and its Usage for Computing the GCM Mode", section on aggregated reduction). A product of 128 bits is
 * three of 64 instead of four by Karatsuba's identity: with a = (a1, a0), b = (b1, b0), the middle term a1*b0 + a0*b1
 * is (a1 + a0) * (b1 + b0) - a1*b1 - a0*b0. The multiplier is the scarcest unit, so the additions are well spent.
 *
 * Bits. GCM numbers the bits of a block from the left: x^0 is the top bit of the first byte. With the bytes of a block
 * reversed, the processor sees the polynomial mirrored, and the mirror image of a product lies one bit too low. Each
 * power of H is therefore kept multiplied by x (gcm_vaes_key.c), which shifts it into place. To reduce the mirrored
 * 256 bits, the low 128 go: 64 of them at a time are multiplied by the mirrored polynomial's upper half, 0xc2 << 56,
 *and added where this product belongs (Gueron and Kounavis, algorithm 5).
 *
 * How a packet lies. Header and IV are sixteen bytes before the text, the ICV sixteen behind it. So the packet is a
 * stream of blocks from its first byte on: header, text 0, text 1, ... The counter of the header's place is that of the
 * ICV, 1, and the hash has its associated data there: pairs of blocks, keystreams and powers line up all the way. The
 * last block may be partial. It is read and written whole, because the ICV is behind it: when sealing, that is written
 * later, when opening, it is read before. So not a byte outside of the packet is touched, and no loop counts bytes.
 *
 * Bursts. Encryption of a short packet is one long dependency: AES, then the hash of what came out of it. So a packet
 * is hashed while the next one is encrypted: two independent streams of instructions, of which the processor overlaps
 * as much as it can hold. Packets of up to fifteen blocks, header included, are straight code for their number of
 * blocks, without a loop. Longer ones are stitched within themselves: sixteen blocks are encrypted while the sixteen
 * before them are hashed, and so are the last few; the hash of these is again such straight code. Meanwhile the next
 * packet is fetched, a few lines at a time: a card has written it to the outer cache at best, and what the processor
 * foresees of a packet by itself comes too late for half of it.
 *
 * Secrets. Lengths, suites and the result of the comparison decide branches and addresses; keys, text and what is
 * computed from them never do.
 */
#include "esp/gcm_vaes.h"

#include "esp/engine.h"

#ifdef __clang__
/* With sanitizers it leaves loops as they are, which is right then. */
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#include "esp/gcm_vaes_stream.h"

enum { LINE_LEN = 64, PREFETCH_LEN = 9 * LINE_LEN };

/* Straight code for each number of blocks. */
#define BY_NUMBER(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
_Static_assert(TAIL_MAX == 15, "BY_NUMBER");

VAES static __m128i crypt_tail(struct stream *stream, size_t n_blocks)
{
	switch (n_blocks) {
#define X(n)                                                                                                           \
	case n: return crypt_blocks(stream, n);
		BY_NUMBER(X)
#undef X
	}
	__builtin_unreachable();
}

VAES static __m128i hash_tail(const struct stream *stream, const uint8_t *at, size_t n_blocks)
{
	switch (n_blocks) {
#define X(n)                                                                                                           \
	case n: return hash_blocks(stream, at, n);
		BY_NUMBER(X)
#undef X
	}
	__builtin_unreachable();
}

/* A step nearer: as many lines of the next packet as this one has just got further. */
static inline void stream_fetch(struct stream *stream, const size_t len)
{
	if (stream->ahead >= stream->ahead_end)
		return;
	UNROLL
	for (size_t at = 0; at < len; at += LINE_LEN)
		__builtin_prefetch(stream->ahead + at);
	stream->ahead += (len + LINE_LEN - 1) & ~(size_t)(LINE_LEN - 1);
}

/*
 * What is hashed while blocks are encrypted: the chunk at `at`, NULL for none, two pairs after the other from pair
 * `first` on, a constant. To seal, it is the chunk before, and the pair that waits for the sum so far comes last; to
 * open, it is the same one.
 */
struct meanwhile {
	const uint8_t *at;
	const __m256i *middles; /* chunk_prepare */
	unsigned int first;
};

static const struct meanwhile nothing_hashed;

enum { OPEN_FIRST = 0, SEAL_FIRST = 1, CHUNK_PAIRS = CHUNK_LEN / BLOCK_LEN / 2 };
_Static_assert(CHUNK_PAIRS * 2 == GCM_VAES_POWERS, "a chunk's hash needs all powers");

static inline unsigned int meanwhile_pair(unsigned int first, unsigned int step)
{
	return (first + step) % CHUNK_PAIRS;
}

/* What the hash needs of the powers beside them, so that it is not computed for each chunk anew. */
VAES static inline void chunk_prepare(const struct esp_key *key, __m256i *middles, const unsigned int first)
{
	const uint8_t(*powers)[BLOCK_LEN] = key->gcm_vaes.powers;

	UNROLL
	for (unsigned int i = 0; i < CHUNK_PAIRS / 2; i++)
		middles[i] = math_middles(math_load(powers[2 * meanwhile_pair(first, 2 * i)]),
			math_load(powers[2 * meanwhile_pair(first, 2 * i + 1)]));
}

/* One step of these: every second one has the middle terms of two. `before` is the pair of the step before. */
VAES static inline __attribute__((always_inline)) void chunk_hash(const struct stream *stream, struct sums *sums,
	const struct meanwhile *hashed, const unsigned int step, __m256i *before)
{
	const unsigned int i = meanwhile_pair(hashed->first, step);
	__m256i pair = math_load(hashed->at + 2 * i * BLOCK_LEN);

	if (i == 0)
		pair = _mm256_xor_si256(_mm256_and_si256(pair, stream->mask), stream->add);
	pair = math_reverse(pair);
	sums_add_ends(sums, pair, math_load(stream->key->gcm_vaes.powers[2 * i]));
	if (step % 2)
		sums_add_middles(sums, math_middles(*before, pair), hashed->middles[step / 2]);
	sums_settle(sums);
	*before = pair;
}

/*
 * `n_blocks` blocks, a constant, and what is hashed meanwhile, a pair in each round, of which stream->add becomes the
 * sum so far. The keystream of the first of them.
 */
VAES static inline __attribute__((always_inline)) __m128i stitched(
	struct stream *stream, const unsigned int n_blocks, const struct meanwhile hashed)
{
	const struct esp_key *key = stream->key;
	const unsigned int n_pairs = (n_blocks + 1) / 2;
	__m256i blocks[CHUNK_PAIRS], k = round_key(key, 0), before = k;
	struct sums sums = sums_zero();
	__m128i first;

	stream_fetch(stream, n_blocks * BLOCK_LEN);
	stream_count_chunk(stream, k, blocks, n_pairs);
	UNROLL
	for (unsigned int round = 1; round < 10; round++) {
		aes_round(blocks, n_pairs, key, round);
		if (hashed.at && round <= CHUNK_PAIRS)
			chunk_hash(stream, &sums, &hashed, round - 1, &before);
	}
	aes_last_rounds(blocks, n_pairs, key);
	first = _mm256_castsi256_si128(blocks[0]);
	blocks[0] = _mm256_and_si256(blocks[0], stream->keep);
	stream->keep = _mm256_set1_epi32(-1);
	/* The text is loaded when it is needed, not kept from its hash on in registers that do not suffice. */
	__asm__ volatile("" ::: "memory");
	apply(stream->at, blocks, n_blocks);
	stream->at += n_blocks * BLOCK_LEN;
	if (hashed.at) {
		stream->mask = _mm256_set1_epi32(-1);
		stream->add = _mm256_zextsi128_si256(math_reverse128(sums_reduce(&sums)));
	}
	return first;
}

VAES static inline __attribute__((always_inline)) __m128i chunk_stitched(
	struct stream *stream, const struct meanwhile hashed)
{
	return stitched(stream, CHUNK_LEN / BLOCK_LEN, hashed);
}

VAES static inline __attribute__((always_inline)) __m128i half_stitched(
	struct stream *stream, const struct meanwhile hashed)
{
	return stitched(stream, HALF_LEN / BLOCK_LEN, hashed);
}

/* The last blocks of a packet while the chunk before them is hashed. */
VAES static void tail_stitched(struct stream *stream, size_t n_blocks, const uint8_t *hash_at, const __m256i *middles)
{
	const struct meanwhile hashed = {hash_at, middles, SEAL_FIRST};

	switch (n_blocks) {
#define X(n)                                                                                                           \
	case n: stitched(stream, n, hashed); break;
		BY_NUMBER(X)
#undef X
	}
}

/* Blocks that are hashed and not encrypted any more. */
VAES static void hash_pairs(struct stream *stream, const uint8_t *at, unsigned int n_pairs)
{
	const uint8_t(*powers)[BLOCK_LEN] = stream->key->gcm_vaes.powers + GCM_VAES_POWERS - 2 * n_pairs;
	struct sums sums = sums_zero();

	for (unsigned int i = 0; i < n_pairs; i++) {
		__m256i pair = math_load(at + 2 * i * BLOCK_LEN);

		if (i == 0)
			pair = _mm256_xor_si256(_mm256_and_si256(pair, stream->mask), stream->add);
		sums_add(&sums, math_reverse(pair), math_load(powers[2 * i]));
	}
	stream->mask = _mm256_set1_epi32(-1);
	stream->add = _mm256_zextsi128_si256(math_reverse128(sums_reduce(&sums)));
}

/*
 * A long packet's blocks, the header's one counted, as chunks of sixteen, a half chunk where fifteen and the partial
 * one would be left, and the tail of 1 to 15.
 */
struct plan {
	size_t n_chunks, n_tail;
	bool half;
};

static inline size_t stream_n_blocks(const struct stream *stream)
{
	return 1 + (stream->text_len + BLOCK_LEN - 1) / BLOCK_LEN;
}

static inline struct plan plan_of(const struct stream *stream)
{
	size_t n_text = stream_n_blocks(stream) - 1;
	struct plan plan = {.n_chunks = n_text / 16, .n_tail = n_text % 16 + 1};

	if (plan.n_tail > TAIL_MAX) {
		plan.half = true;
		plan.n_tail -= 8;
	}
	return plan;
}

VAES static __m128i seal_long(struct stream *stream)
{
	struct plan plan = plan_of(stream);
	__m256i middles[CHUNK_PAIRS / 2];
	__m128i pad = _mm_setzero_si128();
	uint8_t *tail;

	chunk_prepare(stream->key, middles, SEAL_FIRST);
	if (plan.n_chunks > 0)
		pad = chunk_stitched(stream, nothing_hashed);
	for (size_t i = 1; i < plan.n_chunks; i++)
		chunk_stitched(stream, (struct meanwhile){stream->at - CHUNK_LEN, middles, SEAL_FIRST});
	tail = stream->at;
	if (plan.half) {
		if (plan.n_chunks > 0)
			half_stitched(stream, (struct meanwhile){tail - CHUNK_LEN, middles, SEAL_FIRST});
		else
			pad = half_stitched(stream, nothing_hashed);
		crypt_tail(stream, plan.n_tail);
		hash_pairs(stream, tail, HALF_LEN / BLOCK_LEN / 2);
		tail += HALF_LEN;
	} else {
		tail_stitched(stream, plan.n_tail, tail - CHUNK_LEN, middles);
	}
	return _mm_xor_si128(pad, hash_tail(stream, tail, plan.n_tail));
}

VAES static __m128i open_long(struct stream *stream)
{
	struct plan plan = plan_of(stream);
	__m256i middles[CHUNK_PAIRS / 2];
	__m128i pad = _mm_setzero_si128(), half_pad, hash;

	chunk_prepare(stream->key, middles, OPEN_FIRST);
	if (plan.n_chunks > 0)
		pad = chunk_stitched(stream, (struct meanwhile){stream->at, middles, OPEN_FIRST});
	for (size_t i = 1; i < plan.n_chunks; i++)
		chunk_stitched(stream, (struct meanwhile){stream->at, middles, OPEN_FIRST});
	if (plan.half) {
		hash_pairs(stream, stream->at, HALF_LEN / BLOCK_LEN / 2);
		half_pad = half_stitched(stream, nothing_hashed);
		pad = plan.n_chunks > 0 ? pad : half_pad;
	}
	hash = hash_tail(stream, stream->at, plan.n_tail);
	crypt_tail(stream, plan.n_tail);
	return _mm_xor_si128(pad, hash);
}

/* The ICV that the packet should have. */
VAES static inline __m128i open_stream(struct stream *stream)
{
	size_t n_blocks = stream_n_blocks(stream);
	__m128i hash;

	if (n_blocks > TAIL_MAX)
		return open_long(stream);
	hash = hash_tail(stream, stream->at, n_blocks);
	return _mm_xor_si128(hash, crypt_tail(stream, n_blocks));
}

VAES static inline __m128i *stream_icv(const struct esp_packet *packet)
{
	return (__m128i *)(packet->data + packet->len - ICV_LEN);
}

/*
 * While a packet is worked on, the next one comes nearer: at the side of a long one line by line, else its beginning at
 * once. Its first line is at hand since its header was written or read.
 */
static inline void stream_fetch_start(struct stream *stream, const struct engine_batch *batch, size_t i)
{
	const struct esp_packet *next;

	if (i + 1 >= batch->count)
		return;
	next = batch->packets[i + 1];
	if (batch->packets[i]->len > PREFETCH_LEN) {
		stream->ahead = next->data + LINE_LEN;
		stream->ahead_end = next->data + next->len;
		return;
	}
	for (size_t at = LINE_LEN; at < next->len && at < PREFETCH_LEN; at += LINE_LEN)
		__builtin_prefetch(next->data + at);
}

VAES void gcm_vaes_seal(const struct engine_batch *batch)
{
	struct stream streams[2];
	const struct esp_packet *last = NULL; /* encrypted, not yet hashed */
	__m128i pad = _mm_setzero_si128();

	for (size_t i = 0; i < batch->count; i++) {
		struct esp_packet *packet = batch->packets[i];
		struct stream *stream = &streams[i & 1], *before = &streams[~i & 1];
		__m128i next_pad = pad;
		size_t n_blocks;

		stream_start(stream, packet);
		stream_fetch_start(stream, batch, i);
		engine_batch_fetch(batch, i);
		n_blocks = stream_n_blocks(stream);
		if (n_blocks <= TAIL_MAX)
			next_pad = crypt_tail(stream, n_blocks);
		if (last)
			_mm_storeu_si128(stream_icv(last),
				_mm_xor_si128(pad, hash_tail(before, last->data, stream_n_blocks(before))));
		pad = next_pad;
		last = n_blocks <= TAIL_MAX ? packet : NULL;
		if (!last)
			_mm_storeu_si128(stream_icv(packet), seal_long(stream));
		packet->status = ESP_OK;
	}
	if (last)
		_mm_storeu_si128(
			stream_icv(last), _mm_xor_si128(pad, hash_tail(&streams[~batch->count & 1], last->data,
								     stream_n_blocks(&streams[~batch->count & 1]))));
}

VAES void gcm_vaes_open(const struct engine_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct esp_packet *packet = batch->packets[i];
		__m128i received = _mm_loadu_si128(stream_icv(packet)), difference;
		struct stream stream;

		stream_start(&stream, packet);
		stream_fetch_start(&stream, batch, i);
		engine_batch_fetch(batch, i);
		difference = _mm_xor_si128(received, open_stream(&stream));
		/* Here a secret becomes public, and nowhere else: whether the ICV is the right one. */
		packet->status = _mm_testz_si128(difference, difference) ? ESP_OK : ESP_BAD_ICV;
	}
}
