/* SPDX-License-Identifier: Apache-2.0 */
/* Every suite in both directions against the reference, all lengths, mixed bursts, and what the IV looks like. */
#include "frame.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t payload[ESP_LEN_MAX], plaintext[ESP_LEN_MAX + 64], esp[ESP_LEN_MAX + 64];

static struct frame open_for_seal(struct esp_packet *packet, const struct fixture *fixture, int id, size_t len)
{
	const struct esp_suite *suite = fixture->sas[id].suite;
	size_t front_len = esp_front_len(suite);
	struct frame frame =
		frame_open(packet, fixture, id, payload, len, front_len, esp_overhead(suite, len) - front_len);

	packet->sequence = noise_next();
	packet->next_header = (uint8_t)noise_next();
	return frame;
}

/* Is the sealed packet what the reference reads as `len` bytes of payload? */
static void check_sealed(const struct fixture *fixture, int id, const struct esp_packet *packet, size_t len)
{
	struct reference_sa sa = fixture->sas[id];
	uint8_t expected[2 + 16];
	size_t plaintext_len, pad_len;

	sa.high = (uint32_t)(packet->sequence >> 32);
	assert_int_equal(packet->status, ESP_OK);
	assert_int_equal(packet->len, len + esp_overhead(sa.suite, len));
	assert_int_equal(esp_read_spi(packet->data), sa.spi);
	assert_int_equal(esp_read_sequence(packet->data), (uint32_t)packet->sequence);
	assert_true(reference_decrypt(&sa, packet->data, packet->len, plaintext, &plaintext_len));
	assert_int_equal(plaintext_len % sa.suite->block_len, 0);
	assert_memory_equal(plaintext, payload, len);
	pad_len = plaintext_len - len - 2;
	assert_in_range(pad_len, 0, sa.suite->block_len - 1);
	for (size_t i = 0; i < pad_len; i++)
		expected[i] = (uint8_t)(i + 1);
	expected[pad_len] = (uint8_t)pad_len;
	expected[pad_len + 1] = packet->next_header;
	assert_memory_equal(plaintext + len, expected, pad_len + 2);
}

static void check_opened(
	const struct esp_packet *packet, const uint8_t *expected, size_t expected_len, uint8_t next_header)
{
	assert_int_equal(packet->status, ESP_OK);
	assert_int_equal(packet->len, expected_len);
	assert_int_equal(packet->next_header, next_header);
	assert_memory_equal(packet->data, expected, expected_len);
}

/* Seals `count` payloads of growing length in one burst, the reference opens them, and so do we. */
static void seal_lengths(const struct fixture *fixture, int id, size_t first_len, size_t count)
{
	struct esp_packet packets[ESP_BURST_MAX];
	struct frame frames[ESP_BURST_MAX];
	uint8_t next_headers[ESP_BURST_MAX];

	for (size_t i = 0; i < count; i++) {
		frames[i] = open_for_seal(&packets[i], fixture, id, first_len + i);
		packets[i].owner = &frames[i];
		next_headers[i] = packets[i].next_header;
	}
	assert_int_equal(esp_seal(fixture->engine, packets, count), count);
	for (size_t i = 0; i < count; i++) {
		check_sealed(fixture, id, &packets[i], first_len + i);
		packets[i].next_header = 0;
	}
	assert_int_equal(esp_open(fixture->engine, packets, count), count);
	for (size_t i = 0; i < count; i++) {
		check_opened(&packets[i], payload, first_len + i, next_headers[i]);
		assert_ptr_equal(packets[i].owner, &frames[i]);
		frame_close(&frames[i]);
	}
}

/* The reference seals with an IV of its own choice, we open. Of the number that we pass, the high half counts. */
static void open_lengths(const struct fixture *fixture, int id, size_t first_len, size_t count)
{
	struct esp_packet packets[ESP_BURST_MAX];
	struct frame frames[ESP_BURST_MAX];
	uint8_t iv[16];

	for (size_t i = 0; i < count; i++) {
		const struct reference_sa *sa = &fixture->sas[id];
		size_t len = reference_pad(sa, payload, first_len + i, (uint8_t)i, plaintext);
		uint64_t sequence = noise_next();

		noise_fill(iv, sizeof(iv));
		len = reference_encrypt(sa, sequence, iv, plaintext, len, esp);
		frames[i] = frame_open(&packets[i], fixture, id, esp, len, 0, 0);
		packets[i].sequence = sa->extended ? sequence ^ (uint32_t)noise_next() : noise_next();
	}
	assert_int_equal(esp_open(fixture->engine, packets, count), count);
	for (size_t i = 0; i < count; i++) {
		check_opened(&packets[i], payload, first_len + i, (uint8_t)i);
		frame_close(&frames[i]);
	}
}

static void every_length_agrees_with_openssl(void **state)
{
	const struct fixture *fixture = *state;

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		for (size_t len = 0; len <= 1600; len += 32) {
			seal_lengths(fixture, id, len, 32);
			open_lengths(fixture, id, len, 32);
		}
	}
}

static void long_packets_agree_with_openssl(void **state)
{
	static const size_t lens[] = {2047, 4096, 8972, 9216, 16383, 32768, 65000, 65400};
	const struct fixture *fixture = *state;

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			seal_lengths(fixture, id, lens[i], 3);
			open_lengths(fixture, id, lens[i], 3);
		}
	}
}

/* The longest payload whose packet still fits, and the next. */
static void limit_of_length_is_kept(void **state)
{
	const struct fixture *fixture = *state;

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		const struct esp_suite *suite = fixture->sas[id].suite;
		struct esp_packet packet;
		struct frame frame;
		size_t len = ESP_LEN_MAX;

		while (len + esp_overhead(suite, len) > ESP_LEN_MAX)
			len--;
		seal_lengths(fixture, id, len, 1);
		open_lengths(fixture, id, len, 1);
		frame = open_for_seal(&packet, fixture, id, len + 1);
		assert_int_equal(esp_seal(fixture->engine, &packet, 1), 0);
		assert_int_equal(packet.status, ESP_FAILED);
		assert_int_equal(packet.len, len + 1);
		frame_close(&frame);
		packet.len = UINT32_MAX;
		assert_int_equal(esp_seal(fixture->engine, &packet, 1), 0);
		assert_int_equal(esp_open(fixture->engine, &packet, 1), 0);
		assert_int_equal(packet.status, ESP_FAILED);
	}
}

/* Bursts of every size and mixture, so many that the library's queue wraps often. */
static void mixed_bursts_keep_their_order(void **state)
{
	const struct fixture *fixture = *state;
	struct esp_packet packets[ESP_BURST_MAX];
	struct frame frames[ESP_BURST_MAX];
	size_t lens[ESP_BURST_MAX];
	int ids[ESP_BURST_MAX];

	for (size_t round = 0; round < 1000; round++) {
		size_t count = noise_next() % (ESP_BURST_MAX + 1);

		for (size_t i = 0; i < count; i++) {
			ids[i] = (int)(FIXTURE_SA_FIRST + noise_next() % (FIXTURE_SA_COUNT - FIXTURE_SA_FIRST));
			lens[i] = noise_next() % 300;
			frames[i] = open_for_seal(&packets[i], fixture, ids[i], lens[i]);
			packets[i].next_header = (uint8_t)i;
		}
		assert_int_equal(esp_seal(fixture->engine, packets, count), count);
		for (size_t i = 0; i < count; i++)
			check_sealed(fixture, ids[i], &packets[i], lens[i]);
		assert_int_equal(esp_open(fixture->engine, packets, count), count);
		for (size_t i = 0; i < count; i++) {
			check_opened(&packets[i], payload, lens[i], (uint8_t)i);
			frame_close(&frames[i]);
		}
	}
}

/*
 * The IV on the wire: for counter modes the 64-bit number itself, for CBC its encryption, so never the number.
 * Consecutive numbers, those around 2^32 and those that share their low half give different IVs.
 */
static void iv_follows_the_sequence_number(void **state)
{
	static const uint64_t sequences[] = {1, 2, 3, 0xfffffffe, 0xffffffff, 0x100000000, 0x100000001, 0x200000001};
	enum { COUNT = sizeof(sequences) / sizeof(sequences[0]) };
	const struct fixture *fixture = *state;

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		const struct reference_sa *sa = &fixture->sas[id];
		struct esp_packet packets[COUNT];
		struct frame frames[COUNT];

		if (sa->suite->iv_len == 0)
			continue;
		for (size_t i = 0; i < COUNT; i++) {
			frames[i] = open_for_seal(&packets[i], fixture, id, 64);
			packets[i].sequence = sequences[i];
		}
		assert_int_equal(esp_seal(fixture->engine, packets, COUNT), COUNT);
		for (size_t i = 0; i < COUNT; i++) {
			uint64_t wire = htobe64(sequences[i]);
			uint8_t expected[16] = {0};

			memcpy(expected, &wire, sizeof(wire));
			if (sa->suite->iv_len == 16) {
				assert_memory_not_equal(packets[i].data + ESP_HDR_LEN, expected, 16);
				reference_encrypt_block(sa, expected, expected);
			}
			assert_memory_equal(packets[i].data + ESP_HDR_LEN, expected, sa->suite->iv_len);
			for (size_t j = 0; j < i; j++)
				assert_memory_not_equal(packets[i].data + ESP_HDR_LEN, packets[j].data + ESP_HDR_LEN,
					sa->suite->iv_len);
			check_sealed(fixture, id, &packets[i], 64);
		}
		for (size_t i = 0; i < COUNT; i++)
			frame_close(&frames[i]);
	}
}

/* Keys are shared by all threads: one that another engine expanded works the same. */
static void key_serves_every_engine(void **state)
{
	struct fixture other = *(const struct fixture *)*state;

	other.engine = esp_engine_new();
	assert_non_null(other.engine);
	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		seal_lengths(&other, id, 100, 20);
		open_lengths(&other, id, 100, 20);
	}
	esp_engine_free(other.engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_agrees_with_openssl),
		cmocka_unit_test(long_packets_agree_with_openssl),
		cmocka_unit_test(limit_of_length_is_kept),
		cmocka_unit_test(mixed_bursts_keep_their_order),
		cmocka_unit_test(iv_follows_the_sequence_number),
		cmocka_unit_test(key_serves_every_engine),
	};

	noise_fill(payload, sizeof(payload));
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
