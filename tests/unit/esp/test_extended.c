/* SPDX-License-Identifier: Apache-2.0 */
/* Extended sequence numbers (RFC 4303 section 2.2.1): their high half is not sent, and authenticated all the same. */
#include "esp/replay.h"
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAYLOAD_LEN = 61, ROOM = 64 };

static uint8_t payload[PAYLOAD_LEN];

/* Seals the payload under SA `id`. The ESP packet goes to `esp`; its length. */
static size_t seal(const struct fixture *fixture, int id, uint64_t sequence, uint8_t *esp)
{
	struct esp_packet packet;
	struct frame frame = frame_open(&packet, fixture, id, payload, PAYLOAD_LEN, ROOM, ROOM);

	packet.sequence = sequence;
	assert_int_equal(esp_seal(fixture->engine, &packet, 1), 1);
	memcpy(esp, packet.data, packet.len);
	frame_close(&frame);
	return packet.len;
}

static enum esp_status open_as(
	const struct fixture *fixture, int id, uint64_t sequence, const uint8_t *esp, size_t esp_len)
{
	struct esp_packet packet;
	struct frame frame = frame_open(&packet, fixture, id, esp, esp_len, 0, 0);

	packet.sequence = sequence;
	if (esp_open(fixture->engine, &packet, 1) == 1) {
		assert_int_equal(packet.len, PAYLOAD_LEN);
		assert_memory_equal(packet.data, payload, PAYLOAD_LEN);
	}
	frame_close(&frame);
	return packet.status;
}

static void wrong_high_half_is_a_bad_icv(void **state)
{
	static const uint32_t highs[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff};
	enum { COUNT = sizeof(highs) / sizeof(highs[0]) };
	const struct fixture *fixture = *state;
	uint8_t esp[PAYLOAD_LEN + 2 * ROOM];

	for (int id = FIXTURE_SA_EXTENDED; id < FIXTURE_SA_COUNT; id++) {
		for (size_t i = 0; i < COUNT; i++) {
			size_t len = seal(fixture, id, (uint64_t)highs[i] << 32 | 5, esp);

			for (size_t j = 0; j < COUNT; j++)
				assert_int_equal(open_as(fixture, id, (uint64_t)highs[j] << 32 | 5, esp, len),
					i == j ? ESP_OK : ESP_BAD_ICV);
			for (int bit = 32; bit < 64; bit++)
				assert_int_equal(open_as(fixture, id,
							 ((uint64_t)highs[i] << 32 | 5) ^ UINT64_C(1) << bit, esp, len),
					ESP_BAD_ICV);
		}
	}
}

/* The packets of both kinds of SA are equally long and begin alike. */
static void high_half_is_not_sent(void **state)
{
	const struct fixture *fixture = *state;
	uint8_t esp[PAYLOAD_LEN + 2 * ROOM];

	for (int id = FIXTURE_SA_EXTENDED; id < FIXTURE_SA_COUNT; id++) {
		size_t len = seal(fixture, id, 0x1234567800000009, esp);

		assert_int_equal(len, PAYLOAD_LEN + esp_overhead(fixture->sas[id].suite, PAYLOAD_LEN));
		assert_int_equal(esp_read_spi(esp), fixture->sas[id].spi);
		assert_int_equal(esp_read_sequence(esp), 9);
	}
}

/* One end with extended numbers and one without do not understand each other, even where the high half is zero. */
static void kinds_of_numbers_do_not_mix(void **state)
{
	uint8_t esp[PAYLOAD_LEN + 2 * ROOM];

	for (int id = FIXTURE_SA_EXTENDED; id < FIXTURE_SA_COUNT; id++) {
		int plain = id - FIXTURE_SA_EXTENDED + FIXTURE_SA_FIRST;
		struct fixture both = *(const struct fixture *)*state;
		struct reference_sa same_key = both.sas[id];
		size_t len;

		same_key.extended = false;
		both.sas[plain] = same_key;
		both.keys[plain] = fixture_make_key(both.engine, &same_key);
		len = seal(&both, plain, 5, esp);
		assert_int_equal(open_as(&both, plain, 5, esp, len), ESP_OK);
		assert_int_equal(open_as(&both, id, 5, esp, len), ESP_BAD_ICV);
		len = seal(&both, id, 5, esp);
		assert_int_equal(open_as(&both, id, 5, esp, len), ESP_OK);
		assert_int_equal(open_as(&both, plain, 5, esp, len), ESP_BAD_ICV);
		free(both.keys[plain]);
	}
}

/* As a receiver does it: every number inferred, opened, accepted once, while they pass 2^32 out of order. */
static void stream_passes_2_to_the_32(void **state)
{
	enum { COUNT = 256, WINDOW = 64 };
	const struct fixture *fixture = *state;
	struct replay *replay = malloc(replay_size(WINDOW));
	uint8_t esp[PAYLOAD_LEN + 2 * ROOM];

	assert_non_null(replay);
	for (int id = FIXTURE_SA_EXTENDED; id < FIXTURE_SA_COUNT; id++) {
		const uint64_t first = UINT64_C(0x3ffffff80);

		assert_int_equal(replay_init(replay, WINDOW), 0);
		assert_true(replay_accept(replay, first - 1));
		for (uint64_t i = 0; i < COUNT; i++) {
			uint64_t sequence = first + (i ^ 21); /* every number once, up to 31 too late */
			size_t len = seal(fixture, id, sequence, esp);

			assert_int_equal(replay_infer(replay, esp_read_sequence(esp)), sequence);
			assert_int_equal(open_as(fixture, id, sequence, esp, len), ESP_OK);
			assert_true(replay_accept(replay, sequence));
			assert_false(replay_check(replay, replay_infer(replay, esp_read_sequence(esp))));
		}
	}
	free(replay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_high_half_is_a_bad_icv),
		cmocka_unit_test(high_half_is_not_sent),
		cmocka_unit_test(kinds_of_numbers_do_not_mix),
		cmocka_unit_test(stream_passes_2_to_the_32),
	};

	noise_fill(payload, sizeof(payload));
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
