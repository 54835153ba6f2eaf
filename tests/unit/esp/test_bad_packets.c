/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers' packets and callers' mistakes: each is refused by its name, and touches nothing but itself. */
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 1024 };

static const uint64_t number = 0x700000009; /* of all packets; SAs with 32-bit numbers have its low half */
static const uint8_t iv[16] = {0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 1, 2, 3, 4, 5, 6, 7, 8};

/* A valid packet of that suite with `payload_len` bytes of `filler`. Its length. */
static size_t make_valid(const struct fixture *fixture, int id, size_t payload_len, uint8_t filler, uint8_t *esp)
{
	uint8_t payload[ROOM], plaintext[ROOM];
	size_t len;

	memset(payload, filler, payload_len);
	len = reference_pad(&fixture->sas[id], payload, payload_len, 4, plaintext);
	return reference_encrypt(&fixture->sas[id], number, iv, plaintext, len, esp);
}

static enum esp_status open_one(const struct fixture *fixture, int id, const uint8_t *esp, size_t len)
{
	struct esp_packet packet;
	struct frame frame = frame_open(&packet, fixture, id, esp, len, 0, 0);
	size_t opened;

	packet.sequence = number;
	opened = esp_open(fixture->engine, &packet, 1);
	assert_int_equal(opened, packet.status == ESP_OK);
	if (packet.status != ESP_OK)
		assert_int_equal(packet.len, len);
	frame_close(&frame);
	return packet.status;
}

/* One packet for each SA, that at `bad` broken in its ICV: all others come out whole and in their places. */
static void open_mixed_burst(const struct fixture *fixture, size_t bad)
{
	enum { COUNT = ESP_BURST_MAX };
	struct esp_packet packets[COUNT];
	struct frame frames[COUNT];
	uint8_t esp[ROOM], payload[ROOM];

	for (size_t i = 0; i < COUNT; i++) {
		int id = (int)(FIXTURE_SA_FIRST + (i * 5 + i / 6) % (FIXTURE_SA_COUNT - FIXTURE_SA_FIRST));
		size_t len = make_valid(fixture, id, 20 + 11 * i, (uint8_t)i, esp);

		if (i == bad)
			esp[len - 1 - i % fixture->sas[id].suite->icv_len] ^= 0x40;
		frames[i] = frame_open(&packets[i], fixture, id, esp, len, 0, 0);
		packets[i].sequence = number;
	}
	assert_int_equal(esp_open(fixture->engine, packets, COUNT), COUNT - 1);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(packets[i].status, i == bad ? ESP_BAD_ICV : ESP_OK);
		if (i != bad) {
			memset(payload, (uint8_t)i, sizeof(payload));
			assert_int_equal(packets[i].len, 20 + 11 * i);
			assert_memory_equal(packets[i].data, payload, packets[i].len);
		}
		frame_close(&frames[i]);
	}
}

static void bad_icv_spoils_no_neighbour(void **state)
{
	for (size_t bad = 0; bad < ESP_BURST_MAX; bad++)
		open_mixed_burst(*state, bad);
}

/* Every kind of failure of each of the SAs from `first`, between good packets. */
static void open_failing_burst(const struct fixture *fixture, size_t first)
{
	enum { COUNT = 3 * 16 };
	static const enum esp_status expected[] = {ESP_TOO_SHORT, ESP_BAD_LENGTH, ESP_OK};
	struct esp_packet packets[COUNT];
	struct frame frames[COUNT];
	uint8_t esp[ROOM];

	for (size_t i = 0; i < COUNT; i++) {
		int id = (int)(first + i / 3);
		size_t len = make_valid(fixture, id, 50, 0x55, esp);

		if (i % 3 == 0)
			len = 11; /* too short */
		if (i % 3 == 1)
			len--; /* no multiple of the block */
		frames[i] = frame_open(&packets[i], fixture, id, esp, len, 0, 0);
		packets[i].sequence = number;
	}
	assert_int_equal(esp_open(fixture->engine, packets, COUNT), COUNT / 3);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(packets[i].status, expected[i % 3]);
		frame_close(&frames[i]);
	}
}

static void failures_of_all_kinds_share_a_burst(void **state)
{
	for (size_t first = FIXTURE_SA_FIRST; first + 16 <= FIXTURE_SA_COUNT; first += 16)
		open_failing_burst(*state, first);
}

static void each_flipped_bit_is_noticed(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t esp[ROOM];

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		size_t len = make_valid(fixture, id, 40, 0x11, esp);

		assert_int_equal(open_one(fixture, id, esp, len), ESP_OK);
		for (size_t bit = 0; bit < len * 8; bit++) {
			esp[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(open_one(fixture, id, esp, len), ESP_BAD_ICV);
			esp[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* Whether the packet opens to `payload_len` bytes of `filler`. */
static bool opens_to(
	const struct fixture *fixture, int id, const uint8_t *esp, size_t len, size_t payload_len, uint8_t filler)
{
	struct esp_packet packet;
	struct frame frame = frame_open(&packet, fixture, id, esp, len, 0, 0);
	bool same;

	packet.sequence = number;
	same = esp_open(fixture->engine, &packet, 1) == 1 && packet.len == payload_len;
	for (size_t i = 0; same && i < payload_len; i++)
		same = packet.data[i] == filler;
	frame_close(&frame);
	return same;
}

/* One wrong bit in any byte of the key material, be it cipher key, salt or integrity key, spoils the packet. */
static void each_part_of_the_key_matters(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t esp[ROOM];

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		size_t len = make_valid(fixture, id, 40, 0x11, esp);

		assert_true(opens_to(fixture, id, esp, len, 40, 0x11));
		for (size_t i = 0; i < esp_suite_keymat_len(fixture->sas[id].suite); i++) {
			struct fixture other = *fixture;

			other.sas[id].keymat[i] ^= 1;
			other.keys[id] = fixture_make_key(other.engine, &other.sas[id]);
			assert_false(opens_to(&other, id, esp, len, 40, 0x11));
			free(other.keys[id]);
		}
	}
}

static void truncated_packet_is_refused_at_every_length(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t esp[ROOM];

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		const struct esp_suite *suite = fixture->sas[id].suite;
		size_t fixed_len = 8 + (size_t)suite->iv_len + suite->icv_len;
		size_t len = make_valid(fixture, id, 100, 0x22, esp);

		for (size_t cut = 0; cut < len; cut++) {
			enum esp_status expected = ESP_BAD_ICV;

			if (cut < fixed_len + suite->block_len)
				expected = ESP_TOO_SHORT;
			else if ((cut - fixed_len) % suite->block_len)
				expected = ESP_BAD_LENGTH;
			assert_int_equal(open_one(fixture, id, esp, cut), expected);
		}
	}
}

/*
 * An authentic packet of `len` ciphertext bytes: pad bytes 1, 2, 3 ... before that pad length. Where they do not fit,
 * the IV holds those that come before, so that a look beyond the ciphertext would find what it expects.
 */
static size_t make_padded(const struct fixture *fixture, int id, size_t len, uint8_t pad_len, uint8_t *esp)
{
	size_t iv_len = fixture->sas[id].suite->iv_len, fitting_len = len - 2;
	uint8_t plaintext[ROOM], pad_iv[16];

	memset(plaintext, 0x77, len);
	for (size_t i = 0; i < pad_len && i < fitting_len; i++)
		plaintext[fitting_len - 1 - i] = (uint8_t)(pad_len - i);
	for (size_t i = 0; i < iv_len; i++)
		pad_iv[iv_len - 1 - i] = (uint8_t)(pad_len - fitting_len - i);
	plaintext[len - 2] = pad_len;
	plaintext[len - 1] = 4;
	return reference_encrypt(&fixture->sas[id], number, pad_iv, plaintext, len, esp);
}

/*
 * Any pad length that fits is good, also 255, and every one that does not is refused, although authentic. What an
 * extended number adds is not in the packet.
 */
static void pad_length_is_bounded(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t esp[ROOM];

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_EXTENDED; id++) {
		size_t block_len = fixture->sas[id].suite->block_len;

		for (size_t len = block_len; len <= 272; len += len == 64 ? 176 : block_len) {
			for (unsigned int pad_len = 0; pad_len <= 255; pad_len++) {
				size_t esp_len = make_padded(fixture, id, len, (uint8_t)pad_len, esp);

				assert_int_equal(
					open_one(fixture, id, esp, esp_len), pad_len + 2 <= len ? ESP_OK : ESP_BAD_PAD);
			}
		}
	}
}

static void pad_bytes_are_inspected(void **state)
{
	enum { LEN = 32, PAD_LEN = 20 };
	const struct fixture *fixture = *state;
	uint8_t plaintext[LEN], esp[ROOM];
	size_t len;

	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		for (size_t wrong = 0; wrong <= PAD_LEN; wrong++) {
			memset(plaintext, 0, sizeof(plaintext));
			for (size_t i = 0; i < PAD_LEN; i++)
				plaintext[LEN - 2 - PAD_LEN + i] = (uint8_t)(i + 1);
			plaintext[LEN - 2] = PAD_LEN;
			if (wrong < PAD_LEN)
				plaintext[LEN - 2 - PAD_LEN + wrong] ^= 0x80;
			len = reference_encrypt(&fixture->sas[id], number, iv, plaintext, LEN, esp);
			assert_int_equal(open_one(fixture, id, esp, len), wrong < PAD_LEN ? ESP_BAD_PAD : ESP_OK);
		}
	}
}

/* One byte short before or behind is refused with payload and frame untouched, beside packets that are sealed. */
static void missing_room_is_refused(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t payload[ROOM];

	noise_fill(payload, sizeof(payload));
	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		const struct esp_suite *suite = fixture->sas[id].suite;
		size_t front_len = esp_front_len(suite);

		for (size_t len = 0; len < 40; len++) {
			size_t behind_len = esp_overhead(suite, len) - front_len;
			struct esp_packet packets[4];
			struct frame frames[4];

			for (size_t i = 0; i < 4; i++) {
				frames[i] = frame_open(&packets[i], fixture, id, payload, len, front_len - (i == 1),
					behind_len - (i == 2));
				packets[i].sequence = len + 1;
			}
			assert_int_equal(esp_seal(fixture->engine, packets, 4), 2);
			for (size_t i = 0; i < 4; i++) {
				bool refused = i == 1 || i == 2;

				assert_int_equal(packets[i].status, refused ? ESP_NO_ROOM : ESP_OK);
				if (refused) {
					assert_int_equal(packets[i].len, len);
					assert_memory_equal(packets[i].data, payload, len);
				}
				frame_close(&frames[i]);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_icv_spoils_no_neighbour),
		cmocka_unit_test(failures_of_all_kinds_share_a_burst),
		cmocka_unit_test(each_flipped_bit_is_noticed),
		cmocka_unit_test(each_part_of_the_key_matters),
		cmocka_unit_test(truncated_packet_is_refused_at_every_length),
		cmocka_unit_test(pad_length_is_bounded),
		cmocka_unit_test(pad_bytes_are_inspected),
		cmocka_unit_test(missing_room_is_refused),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
