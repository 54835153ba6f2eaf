/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crypto library at its worst: it gives no jobs, takes none, gives fewer than asked for, or returns some undone.
 * Its functions are pointers in its manager, so the tests put theirs there; the engine has one manager for this.
 */
#include "esp/engine.h"
#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 64, SAS = 16, PAYLOAD_LEN = 77 };

static burst_fn_t library_get_next, library_submit, library_flush;
static uint8_t payload[PAYLOAD_LEN];

struct burst {
	struct esp_packet packets[COUNT];
	struct frame frames[COUNT];
};

static void burst_open(struct burst *burst, const struct fixture *fixture)
{
	for (size_t i = 0; i < COUNT; i++) {
		int id = (int)(FIXTURE_SA_FIRST + 4 * (i % SAS)); /* every fourth: all modes and hashes, both numbers */

		burst->frames[i] = frame_open(&burst->packets[i], fixture, id, payload, PAYLOAD_LEN, 64, 64);
		burst->packets[i].sequence = i / SAS + 1;
	}
}

static void burst_close(struct burst *burst)
{
	for (size_t i = 0; i < COUNT; i++)
		frame_close(&burst->frames[i]);
}

/* The engine as it should be: every packet sealed and opened again. */
static void check_all_work(const struct fixture *fixture)
{
	struct burst burst;

	burst_open(&burst, fixture);
	assert_int_equal(esp_seal(fixture->engine, burst.packets, COUNT), COUNT);
	assert_int_equal(esp_open(fixture->engine, burst.packets, COUNT), COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(burst.packets[i].len, PAYLOAD_LEN);
		assert_memory_equal(burst.packets[i].data, payload, PAYLOAD_LEN);
	}
	burst_close(&burst);
}

/* GCM goes its own way and works on; of the rest, packets with a number below `first_good` fail, in both directions. */
static void check_jobs_fail_below(const struct fixture *fixture, uint64_t first_good)
{
	IMB_MGR *manager = fixture->engine->managers[ARCH_SSE];
	burst_fn_t get_next = manager->get_next_burst, submit = manager->submit_burst_nocheck,
		   flush = manager->flush_burst;
	struct burst burst;

	for (int opens = 0; opens < 2; opens++) {
		burst_open(&burst, fixture);
		if (opens) {
			manager->get_next_burst = library_get_next;
			manager->submit_burst_nocheck = library_submit;
			manager->flush_burst = library_flush;
			assert_int_equal(esp_seal(fixture->engine, burst.packets, COUNT), COUNT);
			manager->get_next_burst = get_next;
			manager->submit_burst_nocheck = submit;
			manager->flush_burst = flush;
			esp_open(fixture->engine, burst.packets, COUNT);
		} else {
			esp_seal(fixture->engine, burst.packets, COUNT);
		}
		for (size_t i = 0; i < COUNT; i++) {
			const struct esp_packet *packet = &burst.packets[i];
			bool good = esp_key_suite(packet->key)->mode == ESP_MODE_GCM || packet->sequence >= first_good;

			assert_int_equal(packet->status, good ? ESP_OK : ESP_FAILED);
		}
		burst_close(&burst);
	}
}

static uint32_t give_none(IMB_MGR *manager, const uint32_t count, IMB_JOB **jobs)
{
	(void)manager;
	(void)count;
	(void)jobs;
	return 0;
}

static uint32_t get_at_most_five(IMB_MGR *manager, const uint32_t count, IMB_JOB **jobs)
{
	return library_get_next(manager, count < 5 ? count : 5, jobs);
}

/* Marks as undone what carries the number 1 or 2. */
static uint32_t spoil(uint32_t count, IMB_JOB **jobs)
{
	for (uint32_t i = 0; i < count; i++)
		if (((const struct esp_packet *)jobs[i]->user_data)->sequence <= 2)
			jobs[i]->status = IMB_STATUS_INTERNAL_ERROR;
	return count;
}

static uint32_t submit_and_spoil(IMB_MGR *manager, const uint32_t count, IMB_JOB **jobs)
{
	return spoil(library_submit(manager, count, jobs), jobs);
}

static uint32_t flush_and_spoil(IMB_MGR *manager, const uint32_t count, IMB_JOB **jobs)
{
	return spoil(library_flush(manager, count, jobs), jobs);
}

static void no_jobs_fail_closed(void **state)
{
	const struct fixture *fixture = *state;

	fixture->engine->managers[ARCH_SSE]->get_next_burst = give_none;
	check_jobs_fail_below(fixture, UINT64_MAX);
}

static void refused_jobs_fail_closed(void **state)
{
	const struct fixture *fixture = *state;

	fixture->engine->managers[ARCH_SSE]->submit_burst_nocheck = give_none;
	check_jobs_fail_below(fixture, UINT64_MAX);
}

static void undone_jobs_fail_alone(void **state)
{
	const struct fixture *fixture = *state;

	fixture->engine->managers[ARCH_SSE]->submit_burst_nocheck = submit_and_spoil;
	fixture->engine->managers[ARCH_SSE]->flush_burst = flush_and_spoil;
	check_jobs_fail_below(fixture, 3);
}

static void fewer_jobs_are_taken_in_turns(void **state)
{
	const struct fixture *fixture = *state;

	fixture->engine->managers[ARCH_SSE]->get_next_burst = get_at_most_five;
	check_all_work(fixture);
}

static int keep_library(void **state)
{
	const struct fixture *fixture = *state;

	library_get_next = fixture->engine->managers[ARCH_SSE]->get_next_burst;
	library_submit = fixture->engine->managers[ARCH_SSE]->submit_burst_nocheck;
	library_flush = fixture->engine->managers[ARCH_SSE]->flush_burst;
	return 0;
}

/* After each fault, the engine works as before. */
static int restore_library(void **state)
{
	const struct fixture *fixture = *state;

	fixture->engine->managers[ARCH_SSE]->get_next_burst = library_get_next;
	fixture->engine->managers[ARCH_SSE]->submit_burst_nocheck = library_submit;
	fixture->engine->managers[ARCH_SSE]->flush_burst = library_flush;
	check_all_work(fixture);
	return 0;
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct fixture));
	assert_non_null(*state);
	fixture_fill(*state, esp_engine_new_on("sse"));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_jobs_fail_closed, keep_library, restore_library),
		cmocka_unit_test_setup_teardown(refused_jobs_fail_closed, keep_library, restore_library),
		cmocka_unit_test_setup_teardown(undone_jobs_fail_alone, keep_library, restore_library),
		cmocka_unit_test_setup_teardown(fewer_jobs_are_taken_in_turns, keep_library, restore_library),
	};

	noise_fill(payload, sizeof(payload));
	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
