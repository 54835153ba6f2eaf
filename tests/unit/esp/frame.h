/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ESP tests share: an engine with one SA a suite, deterministic noise, and frames: a packet's buffer of
 * exactly the room that the test grants, between canary bytes.
 */
#pragma once

#include "esp/esp.h"
#include "reference.h"

enum {
	FRAME_CANARY_LEN = 64,
	FIXTURE_SA_FIRST = ESP_SUITE_NONE + 1,
	FIXTURE_SA_EXTENDED = ESP_SUITE_COUNT,
	FIXTURE_SA_COUNT = 2 * ESP_SUITE_COUNT - 1,
};

/*
 * Two SAs of every suite under one engine, counted from FIXTURE_SA_FIRST: those with 32-bit numbers by the suite's
 * number, behind these in the same order, from FIXTURE_SA_EXTENDED, those with extended numbers.
 */
struct fixture {
	struct esp_engine *engine;
	struct reference_sa sas[FIXTURE_SA_COUNT];
	struct esp_key *keys[FIXTURE_SA_COUNT];
};

/* cmocka's group set-up and tear-down; *state is the fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* The same on an engine that the caller made. */
void fixture_fill(struct fixture *fixture, struct esp_engine *engine);
void fixture_empty(struct fixture *fixture);

/* A key in memory of its own from an SA; esp_key_wipe and free end it. */
struct esp_key *fixture_make_key(struct esp_engine *engine, const struct reference_sa *sa);

/* A pseudo-random number, and as many bytes; the same ones in every run. */
uint64_t noise_next(void);
void noise_fill(uint8_t *bytes, size_t len);

struct frame {
	uint8_t *memory;
	size_t memory_len;
	size_t room_len; /* between the canaries */
};

/*
 * Copies `content` into a new frame with that much room around it, and sets up `packet` on it for either direction:
 * key, SPI, data, len, headroom, tailroom. frame_close frees it, after a check of the canaries.
 */
struct frame frame_open(struct esp_packet *packet, const struct fixture *fixture, int id, const uint8_t *content,
	size_t content_len, size_t headroom, size_t tailroom);
void frame_close(struct frame *frame);
