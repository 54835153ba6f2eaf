/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CANARY = 0xa5 };

uint64_t noise_next(void)
{
	static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

void noise_fill(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(noise_next() >> 32);
}

struct esp_key *fixture_make_key(struct esp_engine *engine, const struct reference_sa *sa)
{
	struct esp_key *key = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());

	assert_non_null(key);
	assert_int_equal(esp_key_expand(engine, esp_suite_find(sa->suite->name), sa->extended, sa->keymat,
				 esp_suite_keymat_len(sa->suite), key),
		0);
	return key;
}

void fixture_fill(struct fixture *fixture, struct esp_engine *engine)
{
	memset(fixture, 0, sizeof(*fixture));
	assert_non_null(engine);
	fixture->engine = engine;
	for (uint32_t id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		struct reference_sa *sa = &fixture->sas[id];

		sa->extended = id >= FIXTURE_SA_EXTENDED;
		sa->suite = esp_suite_get(sa->extended ? id - FIXTURE_SA_EXTENDED + FIXTURE_SA_FIRST : id);
		sa->spi = 0x80000000 | (uint32_t)noise_next();
		noise_fill(sa->keymat, esp_suite_keymat_len(sa->suite));
		fixture->keys[id] = fixture_make_key(fixture->engine, sa);
	}
}

void fixture_empty(struct fixture *fixture)
{
	for (int id = FIXTURE_SA_FIRST; id < FIXTURE_SA_COUNT; id++) {
		esp_key_wipe(fixture->keys[id]);
		free(fixture->keys[id]);
	}
	esp_engine_free(fixture->engine);
}

int fixture_setup(void **state)
{
	struct fixture *fixture = malloc(sizeof(*fixture));

	assert_non_null(fixture);
	fixture_fill(fixture, esp_engine_new());
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_empty(*state);
	free(*state);
	return 0;
}

struct frame frame_open(struct esp_packet *packet, const struct fixture *fixture, int id, const uint8_t *content,
	size_t content_len, size_t headroom, size_t tailroom)
{
	struct frame frame = {.room_len = headroom + content_len + tailroom};

	frame.memory_len = frame.room_len + 2 * FRAME_CANARY_LEN;
	frame.memory = malloc(frame.memory_len);
	assert_non_null(frame.memory);
	memset(frame.memory, CANARY, frame.memory_len);
	*packet = (struct esp_packet){
		.key = fixture->keys[id],
		.data = frame.memory + FRAME_CANARY_LEN + headroom,
		.len = (uint32_t)content_len,
		.headroom = (uint16_t)headroom,
		.tailroom = (uint16_t)tailroom,
		.spi = fixture->sas[id].spi,
	};
	if (content_len)
		memcpy(packet->data, content, content_len);
	return frame;
}

void frame_close(struct frame *frame)
{
	const uint8_t *behind = frame->memory + FRAME_CANARY_LEN + frame->room_len;

	for (size_t i = 0; i < FRAME_CANARY_LEN; i++) {
		assert_int_equal(frame->memory[i], CANARY);
		assert_int_equal(behind[i], CANARY);
	}
	free(frame->memory);
	frame->memory = NULL;
}
