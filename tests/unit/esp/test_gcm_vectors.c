/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-GCM of our own against what NIST published (a file, argument 1), and against NIST SP 800-38D written out bit by
 * bit where ESP does not get to: associated data of any length, block counters that wrap around. ESP has 8 or 12 bytes
 * of the one, and starts the other at 1; so this works with the engine's streams, and takes in its source.
 */
#include "esp/gcm_vaes.c"

#include "esp/esp.h"
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 2048, AAD_ROOM = 128, LINE_MAX_LEN = 4096 };

static const char *vector_path;

/* One call of GCM, and what comes of it. */
struct vector {
	struct reference_sa sa; /* of whose key material the salt is the nonce's first part */
	uint8_t iv[8];		/* the rest of the nonce */
	uint8_t aad[AAD_ROOM], text[TEXT_MAX], ciphertext[TEXT_MAX], icv[ICV_LEN];
	size_t aad_len, text_len;
	uint32_t first_counter; /* of the block that encrypts the ICV: 1 */
	bool authentic;
};

/* --- SP 800-38D, slowly --------------------------------------------------------------------------------------------*/

static void block_add(uint8_t *sum, const uint8_t *block, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum[i] ^= block[i];
}

/* Section 6.3: bits are counted from the top of the first byte; 0xe1 is 1 + x + x^2 + x^7. */
static void block_multiply(uint8_t *product, const uint8_t *factor)
{
	uint8_t sum[BLOCK_LEN] = {0}, shifted[BLOCK_LEN];

	memcpy(shifted, factor, BLOCK_LEN);
	for (size_t bit = 0; bit < 8 * BLOCK_LEN; bit++) {
		uint8_t leaves = shifted[BLOCK_LEN - 1] & 1;

		if (product[bit / 8] >> (7 - bit % 8) & 1)
			block_add(sum, shifted, BLOCK_LEN);
		for (size_t i = BLOCK_LEN; i-- > 0;)
			shifted[i] = (uint8_t)(shifted[i] >> 1 | (i ? shifted[i - 1] << 7 : 0));
		if (leaves)
			shifted[0] ^= 0xe1;
	}
	memcpy(product, sum, BLOCK_LEN);
}

/* Section 6.4, the last block filled up with zeros. */
static void ghash(uint8_t *sum, const uint8_t *h, const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += BLOCK_LEN) {
		block_add(sum, bytes + at, len - at < BLOCK_LEN ? len - at : BLOCK_LEN);
		block_multiply(sum, h);
	}
}

static void make_h(const struct vector *vector, uint8_t *h)
{
	static const uint8_t zero[BLOCK_LEN];

	reference_encrypt_block(&vector->sa, zero, h);
}

/* Block `i` of the keystream; the counter is 32 bits and wraps around within them, section 6.2. */
static void make_keystream(const struct vector *vector, uint32_t i, uint8_t *keystream)
{
	uint32_t counter = htobe32(vector->first_counter + i);
	uint8_t block[BLOCK_LEN];

	memcpy(block, vector->sa.keymat + vector->sa.suite->key_len, 4);
	memcpy(block + 4, vector->iv, 8);
	memcpy(block + 12, &counter, 4);
	reference_encrypt_block(&vector->sa, block, keystream);
}

/* Sections 7.1 and 6.5: ciphertext and ICV from all else. */
static void vector_complete(struct vector *vector)
{
	uint64_t lengths[2] = {htobe64(vector->aad_len * 8), htobe64(vector->text_len * 8)};
	uint8_t sum[BLOCK_LEN] = {0}, h[BLOCK_LEN], keystream[BLOCK_LEN];

	memcpy(vector->ciphertext, vector->text, vector->text_len);
	for (size_t at = 0; at < vector->text_len; at += BLOCK_LEN) {
		size_t left = vector->text_len - at;

		make_keystream(vector, (uint32_t)(at / BLOCK_LEN + 1), keystream);
		block_add(vector->ciphertext + at, keystream, left < BLOCK_LEN ? left : BLOCK_LEN);
	}
	make_h(vector, h);
	ghash(sum, h, vector->aad, vector->aad_len);
	ghash(sum, h, vector->ciphertext, vector->text_len);
	ghash(sum, h, (const uint8_t *)lengths, sizeof(lengths));
	make_keystream(vector, 0, keystream);
	memcpy(vector->icv, sum, ICV_LEN);
	block_add(vector->icv, keystream, ICV_LEN);
}

/* --- the engine ----------------------------------------------------------------------------------------------------*/

/* A stream whose associated data and first counter are the vector's. */
VAES static void vector_start(const struct vector *vector, const struct esp_packet *packet, struct stream *stream)
{
	size_t whole_len = vector->aad_len ? (vector->aad_len - 1) / BLOCK_LEN * BLOCK_LEN : 0;
	int advance = (int)(vector->first_counter - 1);
	uint8_t sum[BLOCK_LEN] = {0}, h[BLOCK_LEN];

	stream_start(stream, packet);
	stream->counters = _mm256_add_epi32(stream->counters, _mm256_set_epi32(0, 0, 0, advance, 0, 0, 0, advance));
	make_h(vector, h);
	ghash(sum, h, vector->aad, whole_len);
	block_add(sum, vector->aad + whole_len, vector->aad_len - whole_len);
	stream->aad_len = vector->aad_len;
	stream->mask = _mm256_set_epi64x(-1, -1, 0, 0);
	stream->add = math_load_one(sum);
}

VAES static void vector_seal(struct stream *stream, uint8_t *icv)
{
	size_t n_blocks = stream_n_blocks(stream);
	__m128i sealed;

	if (n_blocks > TAIL_MAX) {
		sealed = seal_long(stream);
	} else {
		sealed = crypt_tail(stream, n_blocks);
		sealed = _mm_xor_si128(sealed, hash_tail(stream, stream->at, n_blocks));
	}
	_mm_storeu_si128((__m128i *)icv, sealed);
}

VAES static void vector_open(struct stream *stream, uint8_t *icv)
{
	_mm_storeu_si128((__m128i *)icv, open_stream(stream));
}

static struct esp_key *make_key(struct esp_engine *engine, const struct vector *vector)
{
	return fixture_make_key(engine, &vector->sa);
}

static void vector_check(struct esp_engine *engine, const struct vector *vector)
{
	struct esp_key *key = make_key(engine, vector);
	uint8_t frame[FRAME_LEN + TEXT_MAX], *text = frame + BLOCK_LEN, icv[ICV_LEN];
	struct esp_packet packet = {.key = key, .data = frame, .len = (uint32_t)(FRAME_LEN + vector->text_len)};
	struct stream stream;

	assert_int_equal(key->way, WAY_GCM_VAES);
	noise_fill(frame, sizeof(frame));
	memcpy(frame + ESP_HDR_LEN, vector->iv, sizeof(vector->iv));
	if (vector->authentic) {
		memcpy(text, vector->text, vector->text_len);
		vector_start(vector, &packet, &stream);
		vector_seal(&stream, icv);
		assert_memory_equal(text, vector->ciphertext, vector->text_len);
		assert_memory_equal(icv, vector->icv, ICV_LEN);
	}
	memcpy(text, vector->ciphertext, vector->text_len);
	vector_start(vector, &packet, &stream);
	vector_open(&stream, icv);
	assert_int_equal(memcmp(icv, vector->icv, ICV_LEN) == 0, vector->authentic);
	if (vector->authentic)
		assert_memory_equal(text, vector->text, vector->text_len);
	esp_key_wipe(key);
	free(key);
}

/* --- NIST's --------------------------------------------------------------------------------------------------------*/

/* "-" stands for nothing. */
static size_t parse_hex(const char *hex, uint8_t *bytes, size_t room)
{
	size_t len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

	assert_in_range(len, 0, room);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &bytes[i]), 1);
	return len;
}

/* suite key nonce aad text ciphertext icv; text "FAIL": not authentic. */
static void vector_parse(char *line, struct vector *vector)
{
	enum { SUITE, KEY, NONCE, AAD, TEXT, CIPHERTEXT, ICV, FIELDS };
	char *fields[FIELDS], *rest = NULL;
	uint8_t nonce[NONCE_LEN];

	for (int i = 0; i < FIELDS; i++) {
		fields[i] = strtok_r(i == 0 ? line : NULL, " \n", &rest);
		assert_non_null(fields[i]);
	}
	*vector = (struct vector){.sa = {.suite = esp_suite_get(esp_suite_find(fields[SUITE]))}, .first_counter = 1};
	assert_non_null(vector->sa.suite);
	assert_int_equal(parse_hex(fields[KEY], vector->sa.keymat, ESP_KEYMAT_MAX), vector->sa.suite->key_len);
	assert_int_equal(parse_hex(fields[NONCE], nonce, sizeof(nonce)), NONCE_LEN);
	memcpy(vector->sa.keymat + vector->sa.suite->key_len, nonce, 4);
	memcpy(vector->iv, nonce + 4, 8);
	vector->aad_len = parse_hex(fields[AAD], vector->aad, AAD_ROOM);
	vector->authentic = strcmp(fields[TEXT], "FAIL") != 0;
	vector->text_len = parse_hex(fields[CIPHERTEXT], vector->ciphertext, TEXT_MAX);
	if (vector->authentic)
		assert_int_equal(parse_hex(fields[TEXT], vector->text, TEXT_MAX), vector->text_len);
	assert_int_equal(parse_hex(fields[ICV], vector->icv, ICV_LEN), ICV_LEN);
}

static void nists_vectors_hold(void **state)
{
	FILE *file = fopen(vector_path, "r");
	unsigned int authentic = 0, forged = 0;
	char line[LINE_MAX_LEN];
	struct vector vector;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			continue;
		vector_parse(line, &vector);
		vector_check(*state, &vector);
		authentic += vector.authentic;
		forged += !vector.authentic;
	}
	fclose(file);
	assert_true(authentic > 0 && forged > 0);
}

/* --- what ESP does not get to --------------------------------------------------------------------------------------*/

static void check_made_up(struct esp_engine *engine, size_t i, size_t aad_len, size_t text_len, uint32_t first_counter)
{
	static const uint32_t suites[] = {ESP_AES128_GCM, ESP_AES192_GCM, ESP_AES256_GCM};
	static struct vector vector;

	vector = (struct vector){.sa = {.suite = esp_suite_get(suites[i % 3])},
		.aad_len = aad_len,
		.text_len = text_len,
		.first_counter = first_counter,
		.authentic = true};
	noise_fill(vector.sa.keymat, sizeof(vector.sa.keymat));
	noise_fill(vector.iv, sizeof(vector.iv));
	noise_fill(vector.aad, aad_len);
	noise_fill(vector.text, text_len);
	vector_complete(&vector);
	vector_check(engine, &vector);
	vector.icv[i % ICV_LEN] ^= (uint8_t)(1 << i % 8);
	vector.authentic = false;
	vector_check(engine, &vector);
}

static void associated_data_of_any_length_counts(void **state)
{
	static const size_t text_lens[] = {0, 1, 16, 60, 209, 224, 225, 240, 241, 256, 513};

	for (size_t aad_len = 0; aad_len <= 65; aad_len++)
		for (size_t i = 0; i < sizeof(text_lens) / sizeof(text_lens[0]); i++)
			check_made_up(*state, aad_len + i, aad_len, text_lens[i], 1);
}

/*
 * The counter of each of a packet's chunks in turn is the first behind the end. A packet's first counter is 1, so its
 * chunks begin one above a multiple of sixteen; here they do, too.
 */
static void counters_wrap_around_in_their_32_bits(void **state)
{
	enum { BLOCKS = CHUNK_LEN / BLOCK_LEN };
	static const size_t text_lens[] = {33, 224, 240, 250, 512, 755, 800};

	for (size_t i = 0; i < sizeof(text_lens) / sizeof(text_lens[0]); i++)
		for (uint32_t before = 1; before <= text_lens[i] / CHUNK_LEN + 2; before++)
			check_made_up(*state, i + before, 8, text_lens[i], 1 - before * BLOCKS);
}

static int setup(void **state)
{
	*state = esp_engine_new_on("vaes");
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	esp_engine_free(*state);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nists_vectors_hold),
		cmocka_unit_test(associated_data_of_any_length_counts),
		cmocka_unit_test(counters_wrap_around_in_their_32_bits),
	};

	if (argc != 2)
		return 2;
	if (!gcm_vaes_available()) {
		puts("skipped: this processor has no VAES or no VPCLMULQDQ");
		return 77;
	}
	vector_path = argv[1];
	return cmocka_run_group_tests(tests, setup, teardown);
}
